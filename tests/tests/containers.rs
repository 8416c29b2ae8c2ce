//! Containers as a user has them: through the command and a host root, with archives from elsewhere.

use nine::wire::Dialect;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;
use tests::door::Door;
use tests::{Server, cannot_run, sh, taskfs, text};

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
