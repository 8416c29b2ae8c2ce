//! Tasks that a worker's program makes: children of its task, with its rights and no more, of any type, gone with it.

use nine::wire::Dialect;
use tests::Server;
use tests::door::Door;

const FAKE: &str = env!("CARGO_BIN_EXE_fake_worker");

/// A server with `files` as programs in /tmp.
fn server(files: &[(&str, &str)]) -> (Server, Door) {
    let bind = format!("{}:/guests:ro", tests::guests().display());
    let server = Server::start(&["--node", FAKE, "--bind", &bind]);
    let door = Door::nine(&server, Dialect::P9P2000U);
    for (name, lines) in files {
        door.put(&format!("/tmp/{name}"), lines.as_bytes());
    }
    (server, door)
}

/// A task of /tmp/p.js that may make tasks, started.
fn start(door: &Door) -> String {
    let task = door.task("/tmp/p.js");
    door.say(&format!("{task}/ctl"), "cap spawn\n");
    door.say(&format!("{task}/ctl"), "start\n");
    task
}

fn output(door: &Door, task: &str) -> String {
    door.text(&format!("{task}/stdio/1"))
}

fn tasks(door: &Door) -> Vec<String> {
    door.list("/task").into_iter().filter(|name| name.parse::<u32>().is_ok()).collect()
}

#[test]
fn a_child_is_a_task_whose_output_and_end_its_maker_reads() {
    let (_server, door) = server(&[
        ("p.js", r#"spawn - {"file":"/tmp/child.js","args":["a b"],"env":{"K":"v"},"cwd":"/tmp"}"#),
        ("child.js", "spec\nexit 3"),
    ]);
    let task = start(&door);
    assert_eq!(door.end_of(&task), "");
    let said = output(&door, &task);
    let (spec, end) = said.split_once('\n').expect("two lines");
    let spec: serde_json::Value = serde_json::from_str(spec).expect("JSON");
    assert_eq!(spec["ppid"].to_string(), task.trim_start_matches("/task/"));
    assert_eq!(spec["args"], serde_json::json!(["a b"]));
    assert_eq!(spec["env"], serde_json::json!({ "K": "v" }));
    assert_eq!(spec["cwd"], "/tmp");
    assert_eq!(end, "ended {\"code\":3,\"signal\":null,\"message\":\"exit status 3\"}\n");
    assert_eq!(tasks(&door), [task.trim_start_matches("/task/")], "it was taken away when its end was read");
}

#[test]
fn a_child_may_be_of_any_type_and_is_fed_through_a_pipe() {
    let (_server, door) = server(&[("p.js", r#"spawn some-words {"file":"/guests/cat.wasm"}"#)]);
    let task = start(&door);
    assert_eq!(door.end_of(&task), "");
    assert_eq!(output(&door, &task), "some-wordsended {\"code\":0,\"signal\":null,\"message\":\"\"}\n");
}

#[test]
fn a_childs_streams_are_its_makers_nothing_or_a_file() {
    let (_server, door) = server(&[
        (
            "p.js",
            "spawn - {\"file\":\"/tmp/child.js\",\"stdio\":[\"ignore\",\"inherit\",\"ignore\"]}\n\
             spawn - {\"file\":\"/tmp/child.js\",\"stdio\":[\"ignore\",{\"path\":\"/tmp/log\"},\"ignore\"]}",
        ),
        ("child.js", "copy\nprint from below"),
        ("log", ""),
    ]);
    let task = start(&door);
    assert_eq!(door.end_of(&task), "");
    let said = output(&door, &task);
    assert!(said.starts_with("from below\nended {\"code\":0"), "{said}");
    assert_eq!(door.text("/tmp/log"), "from below\n");
}

#[test]
fn what_cannot_be_made_is_told_at_once_and_leaves_nothing() {
    let (_server, door) = server(&[(
        "p.js",
        "spawn - {\"file\":\"/tmp/none.js\"}\nspawn - {\"file\":\"none\"}\nspawn - nonsense\nspawn - {\"file\":\"/tmp/p.js\",\"type\":\"frob\"}",
    )]);
    let task = start(&door);
    assert_eq!(door.end_of(&task), "");
    let said = output(&door, &task);
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 4, "{said}");
    assert!(lines[..2].iter().all(|line| line.contains("os error 2")), "{said}");
    assert!(lines[2..].iter().all(|line| line.contains("os error 22")), "{said}");
    assert_eq!(tasks(&door), [task.trim_start_matches("/task/")]);
}

#[test]
fn without_spawn_there_are_no_children() {
    let (_server, door) = server(&[("p.js", "spawn - {\"file\":\"/tmp/p.js\"}")]);
    let task = door.start("/tmp/p.js", "");
    assert_eq!(door.end_of(&task), "");
    let said = output(&door, &task);
    assert!(said.contains("os error 13"), "{said}");
    assert_eq!(tasks(&door), [task.trim_start_matches("/task/")]);
}

#[test]
fn a_child_goes_with_its_maker_unless_it_is_detached() {
    let (_server, door) = server(&[
        (
            "p.js",
            "spawn - {\"file\":\"/tmp/child.js\",\"args\":[\"leave\"]}\n\
             spawn - {\"file\":\"/tmp/child.js\",\"args\":[\"leave\"],\"detached\":true}\ncrash",
        ),
        ("child.js", "loop"),
    ]);
    let task = start(&door);
    assert!(door.end_of(&task).starts_with("its worker crashed"));
    let said = output(&door, &task);
    let left: Vec<&str> = said.lines().filter_map(|line| line.strip_prefix("left ")).collect();
    let [attached, detached] = left[..] else { panic!("{said}") };
    assert!(!door.exists(&format!("/task/{attached}")), "killed and removed");
    assert_eq!(door.text(&format!("/task/{detached}/status")), "running\n");
    door.say(&format!("/task/{detached}/ctl"), "kill\n");
}

#[test]
fn a_fork_bomb_is_stopped_by_the_limit_on_tasks() {
    let (_server, door) =
        server(&[("p.js", "spawn - {\"file\":\"/tmp/p.js\"}\nspawn - {\"file\":\"/tmp/p.js\"}")]);
    let task = door.task("/tmp/p.js");
    door.say(&format!("{task}/ctl"), "cap spawn\n");
    door.say(&format!("{task}/ctl"), "limit tasks=6\n");
    door.say(&format!("{task}/ctl"), "start\n");
    assert_eq!(door.end_of(&task), "");
    assert!(output(&door, &task).contains("os error 11"), "EAGAIN: {}", output(&door, &task));
    assert_eq!(tasks(&door), [task.trim_start_matches("/task/")]);
}

#[test]
fn a_forked_child_and_its_maker_speak_through_a_channel() {
    let (_server, door) = server(&[("p.js", "fork /tmp/child.js"), ("child.js", "answer")]);
    let task = start(&door);
    assert_eq!(door.end_of(&task), "");
    assert_eq!(output(&door, &task), "answer to question 0\n", "and its end closes it");
    let task = door.start("/tmp/child.js", "");
    assert!(door.end_of(&task).contains("os error 6"), "who was not forked has none");
}

#[test]
fn a_pipe_beyond_the_standard_files_is_refused() {
    let text = "const { spawnSync } = require('child_process'); const run = (more) => \
                spawnSync('true', { stdio: ['ignore', 'ignore', 'ignore', more] }); \
                `${run('pipe').error?.code} ${run('ignore').status}`";
    for engine in ["v8", "quickjs"] {
        let worker = tests::taskfs().with_file_name(format!("taskfs-node-{engine}"));
        if !worker.exists() {
            tests::cannot_run(&format!("children on {engine}"), "no such worker was built");
            continue;
        }
        let done = std::process::Command::new(tests::taskfs())
            .args(["run", "--limit", "wall=60s", "--cap", "spawn", "--node"])
            .arg(worker)
            .args(["node", "-p", text])
            .output()
            .expect("it runs");
        assert_eq!(String::from_utf8_lossy(&done.stdout), "ENOTSUP 0\n", "on {engine}");
    }
}
