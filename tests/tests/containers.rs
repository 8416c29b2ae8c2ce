//! Containers as a user has them: through the command and a host root, with archives from elsewhere.

use nine::wire::{Dialect, OpenFlags};
use std::cell::{Cell, RefCell};
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;
use tests::door::Door;
use tests::engines::engines;
use tests::inside::Inside;
use tests::{Server, cannot_run, has_fuse, sh, taskfs, text};

const LIMIT: Duration = Duration::from_secs(60);

fn run(server: Option<&Server>, args: &[&str]) -> Output {
    let mut command = Command::new(taskfs());
    command.arg("container").args(args);
    if let Some(server) = server {
        command.env("TASKFS_SERVER", server.unix());
    }
    command.stdin(std::process::Stdio::null()).output().expect("taskfs runs")
}

fn said(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().expect("an exit status"), text(&output.stdout), text(&output.stderr))
}

/// A directory with a file in it.
fn project() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::create_dir(dir.path().join("src")).expect("src");
    std::fs::write(dir.path().join("src/f"), "in the project").expect("a file");
    dir
}

fn path(dir: &Path) -> &str {
    dir.to_str().expect("UTF-8")
}

#[test]
fn a_command_runs_in_a_copy_of_a_directory_and_its_exit_status_is_ours() {
    let project = project();
    let dir = path(project.path());
    let script = "cat src/f; echo changed > src/f; echo to stderr >&2; exit 3";
    let (code, out, err) = said(&run(None, &["run", dir, "--", "sh", "-c", script]));
    assert_eq!((code, out.as_str(), err.as_str()), (3, "in the project", "to stderr\n"));
    let kept = std::fs::read_to_string(project.path().join("src/f")).expect("the file");
    assert_eq!(kept, "in the project", "the copy was changed, not the directory");
}

#[test]
fn what_is_wrong_with_a_command_is_named_with_the_status_of_sysexits() {
    let (code, _, err) = said(&run(None, &["run", "/no/such/dir", "--", "sh"]));
    assert_eq!((code, err.as_str()), (66, "taskfs: /no/such/dir: no such directory\n"));
    let project = project();
    let (code, _, err) = said(&run(None, &["run", path(project.path()), "--", "no-such-program"]));
    assert_eq!(code, 66, "{err}");
    assert!(err.contains("no-such-program: file does not exist"), "{err}");
    let (code, _, err) = said(&run(None, &["run", "-l", "frob=1", path(project.path())]));
    assert!(code != 0 && err.contains("bad limit \"frob=1\""), "{err}");
}

#[test]
fn containers_are_made_used_listed_and_removed_by_commands() {
    let server = Server::start(&[]);
    let (code, out, err) = said(&run(Some(&server), &["new", "--label", "a label", "--env", "A=b"]));
    assert_eq!((code, out.as_str()), (0, "1\n"), "{err}");
    let (code, out, err) =
        said(&run(Some(&server), &["exec", "1", "--", "sh", "-c", "echo $A > /tmp/f; cat /tmp/f"]));
    assert_eq!((code, out.as_str()), (0, "b\n"), "{err}");
    assert_eq!(said(&run(Some(&server), &["ls"])).1, "1 running 'a label'\n");
    assert_eq!(said(&run(Some(&server), &["rm", "1"])).0, 0);
    assert_eq!(said(&run(Some(&server), &["ls"])).1, "");
    assert_eq!(said(&run(Some(&server), &["exec", "1", "--", "true"])).0, 66);
}

#[test]
fn an_archive_that_goes_out_is_one_for_gnu_tar_and_what_gnu_tar_makes_comes_in() {
    let server = Server::start(&[]);
    let project = project();
    let dir = path(project.path());
    run(Some(&server), &["new"]);
    for (flag, name) in [("", "plain.tar"), ("-z", "gzip.tar"), ("--zstd", "zstd.tar")] {
        let made =
            Command::new("sh").arg("-c").arg(format!("cd {dir} && tar {flag} -cf {name} src")).status();
        if !made.expect("sh runs").success() {
            cannot_run("an archive compressed by zstd", "no zstd for tar");
            continue;
        }
        let (code, _, err) = said(&run(Some(&server), &["import", "1", &format!("{dir}/{name}")]));
        assert_eq!(code, 0, "{name}: {err}");
    }
    let door = Door::nine(&server, Dialect::P9P2000L);
    assert_eq!(door.text("/web/container/1/mount/src/f"), "in the project");
    let script = format!("{} container export 1 | tar -xOf - src/f", taskfs().display());
    let out = sh(&script, &[("TASKFS_SERVER", &server.unix())], LIMIT);
    assert_eq!(text(out), "in the project");
}

#[test]
fn an_archive_of_any_kind_lies_below_a_containers_files() {
    let (project, archives) = (project(), tempfile::tempdir().expect("a directory"));
    let bind = format!("{}:/archives:ro", path(archives.path()));
    let server = Server::start(&["--bind", &bind]);
    for (name, options) in [("base.tar", "-cf"), ("base.tar.gz", "-czf"), ("base.tar.zst", "--zstd -cf")] {
        let line = format!("tar -C {} {options} {}/{name} .", path(project.path()), path(archives.path()));
        if !sh(&line, &[], LIMIT).status.success() {
            cannot_run(&format!("a layer of {name}"), "tar cannot make one here");
            continue;
        }
        let layer = format!("/archives/{name}");
        let (code, id, err) = said(&run(Some(&server), &["new", "--layer", &layer]));
        assert_eq!(code, 0, "{name}: {err}");
        let script = "cat src/f; echo changed >src/f; cat src/f; rm src/f; ls src";
        let (code, out, err) = said(&run(Some(&server), &["exec", id.trim(), "--", "sh", "-c", script]));
        assert_eq!((code, out.as_str()), (0, "in the projectchanged\n"), "{name}: {err}");
    }
    // What is below is nobody's to change: the next one finds it as it was.
    let (_, id, _) = said(&run(Some(&server), &["new", "--layer", "/archives/base.tar.gz"]));
    let (_, out, _) = said(&run(Some(&server), &["exec", id.trim(), "--", "cat", "src/f"]));
    assert_eq!(out, "in the project");
    // One that was cut off is refused, and the container is not left behind.
    let cut = archives.path().join("base.tar.gz");
    let bytes = std::fs::read(&cut).expect("the archive");
    std::fs::write(archives.path().join("cut.tar.gz"), &bytes[..bytes.len() / 2]).expect("half of it");
    let before = said(&run(Some(&server), &["ls"])).1;
    let (code, _, err) = said(&run(Some(&server), &["new", "--layer", "/archives/cut.tar.gz"]));
    assert!(code != 0 && err.contains("/archives/cut.tar.gz"), "{err}");
    assert_eq!(said(&run(Some(&server), &["ls"])).1, before);
}

#[test]
fn users_and_groups_are_the_containers_and_not_the_machines() {
    let server = Server::start(&[]);
    let (_, id, err) = said(&run(Some(&server), &["new"]));
    let script =
        "cat /etc/passwd /etc/group; id -un; id -gn; echo $USER; echo mine >/etc/hostname; hostname; ls /etc";
    let (code, out, told) = said(&run(Some(&server), &["exec", id.trim(), "--", "sh", "-c", script]));
    assert_eq!(code, 0, "{err}{told}");
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let mut wanted = "root:x:0:0:root:/home:/bin/sh\n".to_owned();
    let name = |number: u32| if number == 0 { "root" } else { "task" };
    if uid != 0 {
        wanted += &format!("task:x:{uid}:{gid}:task:/home:/bin/sh\n");
    }
    wanted += "root:x:0:\n";
    if gid != 0 {
        wanted += &format!("task:x:{gid}:\n");
    }
    wanted += &format!("{}\n{}\n{}\nmine\ngroup\nhostname\npasswd\n", name(uid), name(gid), name(uid));
    assert_eq!(out, wanted);
}

#[test]
fn a_node_program_is_the_user_whom_the_containers_files_name() {
    let program = "const { username, uid, homedir } = require('os').userInfo(); \
        require('fs').readFileSync('/etc/passwd', 'utf8').includes(`${username}:x:${uid}:`) + ' ' + homedir";
    for engine in engines("os.userInfo in a container") {
        let server = Server::start(&["--node", engine.worker()]);
        run(Some(&server), &["new"]);
        let (_, out, err) = said(&run(Some(&server), &["exec", "1", "--", "node", "-p", program]));
        assert_eq!(out, "true /home\n", "{}: {err}", engine.name);
    }
}

#[test]
fn a_process_is_told_to_have_started_before_its_end_and_after_its_parent() {
    const SHELLS: usize = 200;
    let server = Server::start(&[]);
    let door = Door::nine(&server, Dialect::P9P2000U);
    let mut inside = Inside::new(&door);
    inside.put("/tmp/none.wat", br#"(module (memory (export "memory") 1) (func (export "_start")))"#);
    let started = RefCell::new(Vec::new());
    let exited = Cell::new(0);
    // How many have exited with this line.
    let note = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let mut started = started.borrow_mut();
        match words[..] {
            ["process", id, "started", program, ..] => started.push((id.to_owned(), program.to_owned())),
            ["process", id, "exited", ..] => {
                assert!(started.iter().any(|(known, _)| known == id), "{line}: it has not started");
                exited.set(exited.get() + 1);
            }
            _ => {}
        }
        exited.get()
    };
    inside.ctl("spawn sh -c 'chmod +x /tmp/none.wat; /tmp/none.wat'");
    inside.until(|line| note(line) == 2);
    for _ in 1..SHELLS {
        inside.ctl("spawn sh -c /tmp/none.wat");
    }
    inside.until(|line| note(line) == 2 * SHELLS);
    // No program is there before the shell that starts it.
    let (mut shells, mut programs) = (0, 0);
    for (id, program) in started.take() {
        *if program == "sh" { &mut shells } else { &mut programs } += 1;
        assert!(programs <= shells, "process {id} started before its parent");
    }
    assert_eq!((shells, programs), (SHELLS, SHELLS));
}

#[test]
fn tail_follows_the_events_through_a_mount() {
    if !has_fuse("tail -f of a container's events") {
        return;
    }
    let mnt = tempfile::tempdir().expect("a temporary directory");
    let mount = path(mnt.path());
    let _server = Server::start(&["--mount", mount]);
    let script = r#"
        cd $M/web/container; c=$(cat new); out=$(mktemp)
        tail -f $c/events >$out & tail=$!
        seen() { for _ in $(seq 600); do grep -q "$1" $out && return; sleep 0.05; done; echo "no $1"; }
        # What is said before tail has opened the file is not for it.
        until grep -q "exited 3" $out; do echo "spawn 'exit 3'" >$c/ctl; sleep 0.3; done
        echo "spawn 'exit 4'" >$c/ctl; seen "exited 4"
        echo "spawn 'exit 5'" >$c/ctl; seen "exited 5"
        kill $tail; sort $out | uniq -d; rm $out; cd /
    "#;
    let output = sh(script, &[("M", mount)], LIMIT);
    assert_eq!(text(output), "", "every event once");
}

#[test]
fn a_second_tail_follows_the_events_as_soon_as_the_first() {
    if !has_fuse("two tails of a container's events") {
        return;
    }
    let mnt = tempfile::tempdir().expect("a temporary directory");
    let mount = path(mnt.path());
    let _server = Server::start(&["--mount", mount]);
    let script = r#"
        cd $M/web/container; c=$(cat new); out=$(mktemp); late=$(mktemp)
        seen() { for _ in $(seq 600); do grep -q "$1" $2 && return; sleep 0.05; done; echo "no $1"; }
        tail -f $c/events >$out & first=$!
        until grep -q "exited 3" $out; do echo "spawn 'exit 3'" >$c/ctl; sleep 0.3; done
        # Much that is not for the second one.
        for n in $(seq 100); do echo "label '$n'" >$c/ctl; echo "spawn 'exit 1'" >$c/ctl; done
        tail -f $c/events >$late & second=$!
        for _ in $(seq 15); do echo "spawn 'exit 4'" >$c/ctl; sleep 0.3; grep -q "exited 4" $late && break; done
        echo "spawn 'exit 5'" >$c/ctl; seen "exited 5" $late; seen "exited 5" $out
        grep "exited 3" $late
        kill $first $second; sort $late | uniq -d; sort $out | uniq -d; rm $out $late; cd /
    "#;
    let output = sh(script, &[("M", mount)], LIMIT);
    assert_eq!(text(output), "", "every event once, to both");
}

#[test]
fn archives_that_lead_out_are_refused_and_nothing_of_them_is_done() {
    let server = Server::start(&[]);
    let project = project();
    let dir = path(project.path());
    run(Some(&server), &["new", "--limit", "disk=16M"]);
    let door = Door::nine(&server, Dialect::P9P2000L);
    let bad = [
        ("a name with ..", "tar -cPf bad.tar good src/../../$(basename $PWD)/src/f"),
        ("an absolute name", "tar -cPf bad.tar good $PWD/src/f"),
        ("a link to an absolute name", "ln -s /etc/passwd link && tar -cf bad.tar good link"),
        ("a link out", "ln -s ../../etc/passwd link && tar -cf bad.tar good link"),
        ("more than there is room for", "head -c 64M /dev/zero > big && tar -czf bad.tar good big"),
        (
            "one that is cut off",
            "head -c 64K /dev/urandom > big && tar -cf whole good big && head -c 30000 whole > bad.tar",
        ),
        ("no archive", "echo no archive > bad.tar"),
        ("an empty one", ": > bad.tar"),
    ];
    for (what, script) in bad {
        let script = format!("set -e; cd {dir}; rm -f link big bad.tar; echo good > good; {script}");
        text(sh(&script, &[], LIMIT));
        let output = run(Some(&server), &["import", "1", &format!("{dir}/bad.tar")]);
        let (code, _, err) = said(&output);
        if what == "an empty one" {
            // Nothing was written: nothing has begun.
            assert_eq!(code, 0, "{err}");
        } else {
            // EX_IOERR, or EX_NOPERM where a name leads out.
            assert!([74, 77].contains(&code), "{what}: {code} {err}");
        }
        assert!(!door.exists("/web/container/1/mount/good"), "{what}: half of it is there");
    }
}

#[test]
fn a_server_that_was_killed_left_its_named_snapshots_and_nothing_else() {
    let root = tempfile::tempdir().expect("a root");
    let spec = format!("host:{}", root.path().display());
    let server = Server::start(&["--root", &spec]);
    run(Some(&server), &["new"]);
    let script = "echo kept > /home/f; echo snap";
    assert_eq!(said(&run(Some(&server), &["exec", "1", "--", "sh", "-c", script])).1, "snap\n");
    let door = Door::nine(&server, Dialect::P9P2000L);
    door.say("/web/container/1/ctl", "snapshot mine\n");
    door.say("/web/container/1/ctl", "spawn sh -c 'while true; do echo x >> /home/g; done'\n");
    let pid = rustix::process::Pid::from_raw(server.pid() as i32).expect("a process");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("it runs");
    drop((door, server));
    let server = Server::start(&["--root", &spec]);
    assert_eq!(said(&run(Some(&server), &["ls"])).1, "", "containers are gone");
    run(Some(&server), &["new"]);
    let door = Door::nine(&server, Dialect::P9P2000L);
    assert!(door.text("/web/container/snapshots").starts_with("mine "));
    door.say("/web/container/1/ctl", "restore mine\n");
    assert_eq!(door.text("/web/container/1/mount/home/f"), "kept\n");
    assert!(!door.exists("/web/container/1/mount/home/g"));
}

/// SIGKILL, as a crash is one.
fn kill(server: Server) {
    let pid = rustix::process::Pid::from_raw(server.pid() as i32).expect("a process");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("it runs");
}

/// What is left in the folder of lasting snapshots.
fn shelf(root: &Path) -> Vec<String> {
    let user = root.join(format!(".taskfs/snapshots/{}", rustix::process::geteuid().as_raw()));
    let Ok(entries) = std::fs::read_dir(user) else { return Vec::new() };
    entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn a_server_that_is_killed_amid_an_import_or_a_snapshot_leaves_no_half_of_it() {
    let root = tempfile::tempdir().expect("a root");
    let spec = format!("host:{}", root.path().display());
    let mut server = Server::start(&["--root", &spec]);
    run(Some(&server), &["new"]);
    let door = Door::nine(&server, Dialect::P9P2000L);
    let import = door.open("/web/container/1/import", OpenFlags::WRONLY).expect("import");
    // The head of an archive with a file of which the end never comes.
    let project = project();
    std::fs::write(project.path().join("src/big"), vec![b'x'; 1 << 20]).expect("a file");
    let archive = sh(&format!("cd {} && tar -cf - src", path(project.path())), &[], LIMIT).stdout;
    import.write_all(&archive[..archive.len() / 2]).expect("half of it");
    kill(server);
    drop((import, door));
    // What cannot be packed small takes a while to be written.
    let mut noise = vec![0; 24 << 20];
    let mut state = 1u64;
    for piece in noise.chunks_exact_mut(8) {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        piece.copy_from_slice(&(state >> 11).to_le_bytes());
    }
    let mut whole = 0;
    for pause in [Some(10), Some(30), Some(60), Some(120), None] {
        server = Server::start(&["--root", &spec]);
        assert!(shelf(root.path()).iter().all(|name| name == "mine.tar.zst"), "{:?}", shelf(root.path()));
        assert_eq!(said(&run(Some(&server), &["ls"])).1, "", "containers are gone");
        run(Some(&server), &["new"]);
        let door = Door::nine(&server, Dialect::P9P2000L);
        if door.text("/web/container/snapshots").starts_with("mine ") {
            door.say("/web/container/1/ctl", "restore mine\n");
            assert_eq!(door.read("/web/container/1/mount/home/f").expect("it is whole").len(), noise.len());
            door.say("/web/container/1/ctl", "forget mine\n");
            whole += 1;
        } else {
            assert!(shelf(root.path()).is_empty());
        }
        door.put("/web/container/1/mount/home/f", &noise);
        drop(door);
        let mut keeping = Command::new(taskfs())
            .args(["write", "/web/container/1/ctl", "snapshot mine"])
            .env("TASKFS_SERVER", server.unix())
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("taskfs runs");
        match pause {
            Some(pause) => std::thread::sleep(Duration::from_millis(pause)),
            None => assert!(keeping.wait().expect("it ends").success(), "it was kept"),
        }
        kill(server);
        keeping.wait().expect("it ends");
    }
    server = Server::start(&["--root", &spec]);
    run(Some(&server), &["new"]);
    let door = Door::nine(&server, Dialect::P9P2000L);
    door.say("/web/container/1/ctl", "restore mine\n");
    assert!(door.read("/web/container/1/mount/home/f").expect("what was promised") == noise, "{whole}");
}

/// A gzip archive of a file of ten gigabytes of zeros: 160 members of 64 MiB behind the one of its head.
fn bomb(dir: &str) -> String {
    let script = format!(
        "set -e; cd {dir}; truncate -s 10G zeros; tar -cf - good zeros 2>/dev/null | head -c 2048 | gzip >bomb; rm zeros
         head -c 64M /dev/zero | gzip -9 >piece; for n in $(seq 160); do cat piece; done >>bomb; rm piece"
    );
    text(sh(&format!("{script}; exit 0"), &[], LIMIT));
    format!("{dir}/bomb")
}

#[test]
fn ten_gigabytes_of_zeros_in_a_small_archive_are_refused_with_nothing_done_and_no_memory_taken() {
    let server = Server::start(&[]);
    let project = project();
    let dir = path(project.path());
    std::fs::write(project.path().join("good"), "good").expect("a file");
    let bomb = bomb(dir);
    let length = std::fs::metadata(&bomb).expect("it was made").len();
    assert!(length < 16 << 20, "{length}");
    let door = Door::nine(&server, Dialect::P9P2000L);
    for args in [&["new"][..], &["new", "--limit", "disk=64M"]] {
        let id = said(&run(Some(&server), args)).1.trim().to_owned();
        let (code, _, err) = said(&run(Some(&server), &["import", &id, &bomb]));
        assert_eq!(code, 74, "{args:?}: {err}");
        assert!(!door.exists(&format!("/web/container/{id}/mount/good")), "{err}");
    }
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).expect("it runs");
    let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a line");
    let most: u64 = most.trim().trim_end_matches(" kB").parse().expect("kilobytes");
    assert!(most < 4 << 20, "{most} kB");
}

#[test]
fn devices_in_an_archive_are_refused() {
    let server = Server::start(&[]);
    let project = project();
    let dir = path(project.path());
    run(Some(&server), &["new"]);
    // Written by hand: who is not root makes no device to pack.
    for kind in [b'3', b'4'] {
        let mut head = [0; 512];
        head[..4].copy_from_slice(b"null");
        head[100..107].copy_from_slice(b"0000666");
        for field in [108, 116, 329, 337] {
            head[field..field + 7].copy_from_slice(b"0000001");
        }
        head[124..135].copy_from_slice(b"00000000000");
        head[136..147].copy_from_slice(b"00000000000");
        head[148..156].fill(b' ');
        head[156] = kind;
        head[257..265].copy_from_slice(b"ustar\x0000");
        let sum: u32 = head.iter().map(|byte| u32::from(*byte)).sum();
        head[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        let file = format!("{dir}/device.tar");
        std::fs::write(&file, [&head[..], &[0; 1024]].concat()).expect("room for it");
        let (code, _, err) = said(&run(Some(&server), &["import", "1", &file]));
        assert!(code != 0 && err.contains("null") && err.contains("device"), "{code} {err}");
        let (_, out, _) = said(&run(Some(&server), &["exec", "1", "--", "ls", "-d", "/null"]));
        assert_eq!(out, "");
    }
}

#[test]
fn open_files_are_bounded_for_all_processes_together() {
    let server = Server::start(&[]);
    run(Some(&server), &["new", "--limit", "files=8"]);
    let door = Door::nine(&server, Dialect::P9P2000L);
    door.put("/web/container/1/mount/home/f", b"");
    let events = door.open("/web/container/1/events", OpenFlags::empty()).expect("events");
    let holder = "exec 3</home/f 4</home/f 5</home/f 6</home/f; echo held >/home/held; sleep 1000";
    door.say("/web/container/1/ctl", &format!("spawn sh -c '{holder}'\n"));
    while !door.read("/web/container/1/mount/home/held").is_ok_and(|text| text == b"held\n") {
        std::thread::sleep(Duration::from_millis(10));
    }
    let opens = "exec 3</home/f 4</home/f 5</home/f 6</home/f; echo four; exec 7</home/f; echo five";
    let (code, out, err) = said(&run(Some(&server), &["exec", "1", "--", "sh", "-c", opens]));
    assert_eq!((code, out.as_str()), (2, "four\n"), "{err}");
    let words = "limit files=8 of container 1 reached";
    assert!(err.contains(words), "{err}");
    assert!(door.text("/web/container/1/status").contains(&format!("limit '{words}'\n")));
    let mut told = String::new();
    while !told.contains(&format!("limit files '{words}'\n")) {
        told += &String::from_utf8(events.read(told.len() as u64, 4096).expect("events")).expect("text");
    }
    // Those of a process that ended are free again.
    let (code, out, err) =
        said(&run(Some(&server), &["exec", "1", "--", "sh", "-c", "exec 3</home/f 4</home/f; echo two"]));
    assert_eq!((code, out.as_str()), (0, "two\n"), "{err}");
}

#[test]
fn a_process_that_ignores_sigterm_is_still_killed_and_one_that_does_not_ends_by_it() {
    let server = Server::start(&[]);
    run(Some(&server), &["new"]);
    let door = Door::nine(&server, Dialect::P9P2000L);
    let deaf = "trap \"\" TERM; echo deaf >/home/deaf; while true; do sleep 0.01; done";
    door.say(
        "/web/container/1/ctl",
        &format!("spawn sh -c '{deaf}'\nspawn sh -c 'while true; do sleep 0.01; done'\n"),
    );
    while !door.exists("/web/container/1/mount/home/deaf") {
        std::thread::sleep(Duration::from_millis(10));
    }
    door.say("/web/container/1/ctl", "kill TERM\n");
    assert!(door.text("/web/container/1/processes/2/wait").contains("TERM"));
    assert_eq!(door.text("/web/container/1/processes/1/status"), "running\n");
    door.say("/web/container/1/ctl", "kill\n");
    assert!(door.text("/web/container/1/processes/1/wait").contains("killed with its container"));
    assert!(door.text("/web/container/1/status").starts_with("exited\n"));
}

/// What a shell in a container finds of the world outside, asked every way that it has.
#[test]
fn a_shell_in_a_container_finds_nothing_of_others() {
    let server = Server::start(&[]);
    let door = Door::nine(&server, Dialect::P9P2000L);
    door.put("/tmp/secret", b"the server's");
    for _ in 0..2 {
        run(Some(&server), &["new"]);
    }
    door.put("/web/container/2/mount/home/secret", b"another's");
    door.say("/web/container/2/ctl", "spawn sh -c 'while true; do sleep 1; done'\n");
    let script = "for f in /tmp/secret /home/secret /web /web/container /runtime /n /srv /dev/ns /dev/metrics \
                  /dev/trace9 /proc /sys /task/1/status /task/1/root /task/1/ctl /task/self/root/../../tmp/secret \
                  /../tmp/secret; do ls -d $f 2>/dev/null && echo found $f; done; ls /task; ls /; echo done";
    let (_, out, err) = said(&run(Some(&server), &["exec", "1", "--", "sh", "-c", script]));
    assert!(!out.contains("found"), "{out}{err}");
    assert!(out.ends_with("done\n"), "{out}{err}");
    assert!(!out.lines().any(|line| line == "1"), "the other's process is listed: {out}");
    for escape in ["echo kill > /task/1/ctl", "echo x > /task/1/stdio/0", "rmdir /task/1"] {
        run(Some(&server), &["exec", "1", "--", "sh", "-c", escape]);
        assert_eq!(door.text("/task/1/status"), "running\n", "{escape}");
    }
}
