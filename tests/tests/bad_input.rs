//! What makes no sense is refused where it is written: with an errno everywhere, with words over 9P2000.u and in ctl, and
//! with nothing changed. Every case goes through every door, while a bystander works on.

use nine::wire::OpenFlags;
use std::path::Path;
use tests::bystander::Bystander;
use tests::door::{Door, Failure};
use tests::{Server, guest, guests, has_fuse};

/// A server with the guests, a bystander, and every door there is.
fn through_every_door(what: &str, test: impl Fn(&Door)) {
    let mnt = tempfile::tempdir().expect("a temporary directory");
    let mount = has_fuse(what).then(|| mnt.path());
    let bind = format!("{}:/guests:ro", guests().display());
    let mut args = vec!["--bind", &bind];
    if let Some(dir) = mount.and_then(Path::to_str) {
        args.extend(["--mount", dir]);
    }
    let mut server = Server::start(&args);
    let bystander = Bystander::start(&server, mount);
    for door in Door::all(&server, mount) {
        test(&door);
        // The door itself goes on as well.
        let task = door.start("/guests/hello.wasm", "");
        assert_eq!(door.end_of(&task), "");
        assert_eq!(door.text(&format!("{task}/stdio/1")), "Hello, world!\n");
    }
    bystander.finish(what);
    assert!(server.is_running());
}

/// Everything of a task that a refused write must leave as it was.
fn state(door: &Door, task: &str) -> Vec<String> {
    let files =
        ["status", "type", "cmd", "argv", "env", "cwd", "limits", "caps", "alias", "exitcode", "ns", "pid"];
    files.iter().map(|file| door.text(&format!("{task}/{file}"))).collect()
}

/// Writes what must be refused with `errno` and, where words come through, words that contain `says`.
#[track_caller]
fn refused(door: &Door, path: &str, data: &[u8], errno: i32, says: &str) {
    let shown = String::from_utf8_lossy(&data[..data.len().min(60)]).into_owned();
    match door.write(path, data) {
        Ok(()) => panic!("{door:?}: {path}: {shown:?} was taken"),
        Err(failure) => failed_so(door, path, &shown, &failure, errno, says),
    }
    if path.ends_with("/ctl") {
        let help = door.text(path);
        let last = help.lines().last().expect("ctl lists its commands").to_owned();
        assert!(last.starts_with("last error: ") && last.contains(says), "{door:?}: {shown:?}: {last}");
    }
}

#[track_caller]
fn failed_so(door: &Door, path: &str, shown: &str, failure: &Failure, errno: i32, says: &str) {
    assert_eq!(failure.errno, errno, "{door:?}: {path}: {shown:?}: {failure:?}");
    if let Some(words) = &failure.words {
        assert!(words.contains(says), "{door:?}: {path}: {shown:?}: {words:?} should say {says:?}");
    }
}

#[test]
fn a_control_message_that_makes_no_sense_is_a_failed_write_that_changes_nothing() {
    let long = [b"alias ".as_slice(), &vec![b'x'; 64 << 10]].concat();
    let many = "eof\n".repeat(20_000);
    let cases: &[(&[u8], i32, &str)] = &[
        // Empty.
        (b"\n", libc::EINVAL, "empty control message"),
        (b" \t \n\n", libc::EINVAL, "empty control message"),
        (b"''", libc::EINVAL, "unknown control message"),
        // Unknown.
        (b"frob 3\n", libc::EINVAL, "unknown control message \"frob 3\""),
        (b"START\n", libc::EINVAL, "unknown control message \"START\""),
        (b"start;reboot\n", libc::EINVAL, "unknown control message \"start;reboot\""),
        // Half.
        (b"sta", libc::EINVAL, "unknown control message \"sta\""),
        (b"rt\n", libc::EINVAL, "unknown control message \"rt\""),
        (b"bind /tmp\n", libc::EINVAL, "wrong number of arguments in control message \"bind /tmp\""),
        (b"limit\n", libc::EINVAL, "wrong number of arguments"),
        (b"start now\n", libc::EINVAL, "wrong number of arguments in control message \"start now\""),
        // Too long.
        (&long, libc::E2BIG, "control message too long"),
        (many.as_bytes(), libc::E2BIG, "control message too long"),
        // Binary.
        (b"\xff\xfe\x00\x01", libc::EINVAL, "not text"),
        (b"start\0\n", libc::EINVAL, "not text"),
        (b"\x7fELF\x02\x01\x01", libc::EINVAL, "unknown control message"),
        // Badly quoted.
        (b"bind '/tmp /mnt\n", libc::EINVAL, "unbalanced quote"),
        (b"alias 'it''s\n", libc::EINVAL, "unbalanced quote"),
        // Words that mean nothing.
        (b"kill FOO\n", libc::EINVAL, "kill: unknown signal \"FOO\""),
        (b"kill 999\n", libc::EINVAL, "999"),
        (b"limit memory=1X\n", libc::EINVAL, "memory=1X"),
        (b"limit memory=-1\n", libc::EINVAL, "memory=-1"),
        (b"limit wall=99999999999999999999s\n", libc::EINVAL, "wall="),
        (b"limit frob=1\n", libc::EINVAL, "frob=1"),
        (b"limit wall=5s frob=1\n", libc::EINVAL, "frob=1"),
        (b"bind /no/such /tmp\n", libc::ENOENT, "/no/such"),
        (b"bind /tmp /no/such\n", libc::ENOENT, "/no/such"),
        (b"unmount /tmp\n", libc::EINVAL, "/tmp"),
        (b"cd /no/such\n", libc::ENOENT, "/no/such"),
        (b"cap frob\n", libc::EINVAL, "frob"),
        // What does not fit the state.
        (b"stop\n", libc::EBUSY, "stop: task"),
        (b"cont\n", libc::EBUSY, "cont: task"),
        (b"kill\n", libc::EBUSY, "is not running"),
        (b"kill TERM\n", libc::EBUSY, "is not running"),
        // One bad line of several spoils them all.
        (b"alias spoilt\nlimit wall=1s\nfrob\n", libc::EINVAL, "line 3: unknown control message \"frob\""),
    ];
    through_every_door("bad control messages", |door| {
        let task = door.task("/guests/hello.wasm 'a b'");
        let ctl = format!("{task}/ctl");
        door.say(&ctl, "limit wall=7s memory=99M\n");
        let before = state(door, &task);
        for (line, errno, says) in cases {
            refused(door, &ctl, line, *errno, says);
            assert_eq!(state(door, &task), before, "{door:?}: {:?}", String::from_utf8_lossy(line));
        }
        if let Door::Nine(_) = door {
            // write(2) of nothing never leaves the kernel; a Twrite of nothing does.
            refused(door, &ctl, b"", libc::EINVAL, "empty control message");
        }
        // After all of that the task is as good as new.
        door.say(&ctl, "start\n");
        assert_eq!(door.end_of(&task), "");
    });
}

#[test]
fn a_setting_that_makes_no_sense_is_a_failed_write_that_changes_nothing() {
    let long = vec![b'x'; 4 << 20];
    let cases: &[(&str, &[u8], i32, &str)] = &[
        ("type", b"fortran\n", libc::EINVAL, "unknown type \"fortran\""),
        ("type", b"wasi\nwasi\n", libc::EINVAL, "one line"),
        ("type", b"\xff\xff", libc::EINVAL, "type"),
        ("cmd", b"/guests/cat.wasm 'half\n", libc::EINVAL, "quote"),
        ("cmd", b"/guests/cat.wasm a\0b\n", libc::EINVAL, "NUL"),
        ("cwd", b"/no/such\n", libc::ENOENT, "/no/such"),
        ("cwd", b"/guests/cat.wasm\n", libc::ENOTDIR, "/guests/cat.wasm"),
        ("limits", b"memory lots\n", libc::EINVAL, "memory lots"),
        ("limits", b"wall 1s\nfrob 1\n", libc::EINVAL, "frob 1"),
        ("limits", b"\xff\xfe", libc::EINVAL, "limits"),
        ("ns", b"frob /a /b\n", libc::EINVAL, "frob"),
        ("ns", b"bind /no/such /tmp\n", libc::ENOENT, "/no/such"),
        ("cmd", &long, libc::E2BIG, "a line of more than 1048576 bytes"),
    ];
    through_every_door("bad settings", |door| {
        let task = door.task("/guests/hello.wasm");
        door.say(&format!("{task}/env"), "A=1\n");
        let before = state(door, &task);
        for (file, data, errno, says) in cases {
            refused(door, &format!("{task}/{file}"), data, *errno, says);
            assert_eq!(state(door, &task), before, "{door:?}: {file}");
        }
        // Those that `>` empties: a bad line is not taken, whatever else was.
        for (file, data, says) in [
            ("env", "no equals sign\n", "want NAME=value, not \"no equals sign\""),
            ("caps", "frob\n", "frob"),
            ("caps", "net:dance x\n", "net:dance"),
        ] {
            let path = format!("{task}/{file}");
            refused(door, &path, data.as_bytes(), libc::EINVAL, says);
            let words = data.trim();
            assert!(!door.text(&path).contains(words), "{door:?}: {file}");
        }
        for file in ["status", "wait", "exitcode", "pid", "ppid", "usage"] {
            refused(door, &format!("{task}/{file}"), b"running\n", libc::EACCES, "ermission");
        }
        refused(door, "/task/new", b"x\n", libc::EACCES, "ermission");
        assert_eq!(door.text(&format!("{task}/status")), "new\n");
    });
}

#[test]
fn starting_what_cannot_run_names_the_reason_and_leaves_the_task_new() {
    let hello = std::fs::read(guest("hello.wasm")).expect("a guest");
    through_every_door("bad programs", |door| {
        let tag = format!("{door:?}").replace('.', "");
        let put = |name: &str, data: &[u8]| {
            let path = format!("/tmp/{tag}-{name}");
            door.put(&path, data);
            path
        };
        let mut swapped = hello.clone();
        swapped[hello.len() / 2..].iter_mut().for_each(|b| *b = b.rotate_left(3) ^ 0x5a);
        let huge = format!("/tmp/{tag}-huge.wasm");
        door.put(&huge, b"\0asm\x01\0\0\0");
        grow(door, &huge, (256 << 20) + 1);
        let cases = [
            (String::new(), libc::ENOENT, "no program: cmd is empty"),
            ("/no/such/program".into(), libc::ENOENT, "/no/such/program: file does not exist"),
            ("nowhere".into(), libc::ENOENT, "nowhere: file does not exist"),
            ("/guests/hello.wasm/x".into(), libc::ENOTDIR, "/guests/hello.wasm"),
            ("/guests".into(), libc::EISDIR, "/guests: is a directory"),
            ("/task/new".into(), libc::ENOEXEC, "/task/new"),
            (put("notes.txt", b"some words\n"), libc::ENOEXEC, "no runtime takes it: it begins \"some wor\""),
            (put("empty", b""), libc::ENOEXEC, "no runtime takes it: it is empty"),
            (put("empty.wasm", b""), libc::ENOEXEC, "empty.wasm"),
            (put("magic.wasm", b"\0asm"), libc::ENOEXEC, "magic.wasm"),
            (
                put("garbage.wasm", &[b"\0asm\x01\0\0\0".as_slice(), &[0xa7; 5000]].concat()),
                libc::ENOEXEC,
                "garbage",
            ),
            (put("noise.wasm", &[0xff; 5000]), libc::ENOEXEC, "noise.wasm"),
            (put("truncated.wasm", &hello[..hello.len() * 2 / 3]), libc::ENOEXEC, "truncated.wasm"),
            (put("swapped.wasm", &swapped), libc::ENOEXEC, "swapped.wasm"),
            (put("bad.wat", b"(module (func"), libc::ENOEXEC, "bad.wat"),
            (put("deep.wat", "(".repeat(100_000).as_bytes()), libc::ENOEXEC, "deep.wat"),
            (put("elf.wasm", b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0"), libc::ENOEXEC, "elf.wasm"),
            (huge.clone(), libc::EFBIG, "too big a program"),
            ("/guests/unknown-import.wat".into(), libc::ENOEXEC, "no_such_function"),
            ("/guests/no-start.wat".into(), libc::ENOEXEC, "_start"),
        ];
        for (cmd, errno, says) in &cases {
            let task = door.task(cmd);
            let before = state(door, &task);
            refused(door, &format!("{task}/ctl"), b"start\n", *errno, says);
            assert_eq!(state(door, &task), before, "{door:?}: {cmd}");
            // It can be given something better, and started then.
            door.say(&format!("{task}/cmd"), "/guests/hello.wasm\n");
            door.say(&format!("{task}/ctl"), "start\n");
            assert_eq!(door.end_of(&task), "", "{door:?}: after {cmd}");
            door.remove(&task).expect("a finished task can be removed");
        }
        door.remove(&huge).expect("a file");
    });
}

/// Makes a file sparse and large, by one byte at its end.
fn grow(door: &Door, path: &str, size: u64) {
    use std::os::unix::fs::FileExt;
    match door.open(path, OpenFlags::WRONLY).expect(path) {
        tests::door::Opened::Mount(file) => file.write_all_at(b"x", size - 1).expect("a sparse file"),
        tests::door::Opened::Nine(fid) => tests::door::write_at(&fid, size - 1, b"x"),
    }
}

#[test]
fn what_runs_cannot_be_started_changed_or_removed() {
    through_every_door("running tasks", |door| {
        let task = door.start("/guests/cat.wasm", "");
        let ctl = format!("{task}/ctl");
        let before = state(door, &task);
        refused(door, &ctl, b"start\n", libc::EBUSY, "start: task");
        refused(door, &ctl, b"exec /guests/hello.wasm\n", libc::EBUSY, "is running");
        refused(door, &ctl, b"cont\n", libc::EBUSY, "is not stopped");
        refused(door, &ctl, b"remove\n", libc::EBUSY, "kill it first");
        refused(door, &format!("{task}/cmd"), b"/guests/hello.wasm\n", libc::EBUSY, "cmd: task");
        refused(door, &format!("{task}/cwd"), b"/tmp\n", libc::EBUSY, "is running");
        refused(door, &format!("{task}/argv"), b"x\n", libc::EBUSY, "is running");
        refused(door, &format!("{task}/env"), b"B=2\n", libc::EBUSY, "is running");
        let failure = door.remove(&task).expect_err("it runs");
        failed_so(door, &task, "rmdir", &failure, libc::EBUSY, "kill it first");
        for file in ["ctl", "status", "stdio", "stdio/1", "root"] {
            assert!(
                door.remove(&format!("{task}/{file}")).is_err(),
                "{door:?}: {file} is no file to be removed"
            );
        }
        assert_eq!(state(door, &task), before, "{door:?}");
        door.say(&format!("{task}/stdio/0"), "still here\n");
        door.say(&ctl, "stop\n");
        refused(door, &ctl, b"stop\n", libc::EBUSY, "is not running");
        refused(door, &ctl, b"remove\n", libc::EBUSY, "is stopped: kill it first");
        door.say(&ctl, "cont\n");
        door.say(&ctl, "eof\n");
        assert_eq!(door.end_of(&task), "");
        assert_eq!(door.text(&format!("{task}/stdio/1")), "still here\n");
    });
}

#[test]
fn what_has_ended_takes_no_more_and_what_is_removed_is_not_there() {
    through_every_door("finished tasks", |door| {
        let task = door.start("/guests/exit.wasm 3", "");
        let ctl = format!("{task}/ctl");
        assert_eq!(door.end_of(&task), "exit status 3");
        let before = state(door, &task);
        refused(door, &format!("{task}/stdio/0"), b"too late\n", libc::EPIPE, "has exited and reads no more");
        for line in ["start\n", "exec /guests/hello.wasm\n", "kill\n", "kill TERM\n", "stop\n", "cont\n"] {
            refused(
                door,
                &ctl,
                line.as_bytes(),
                libc::EBUSY,
                &format!("task {}", task.trim_start_matches("/task/")),
            );
        }
        refused(door, &ctl, b"limit wall=1s\n", libc::EBUSY, "has exited");
        refused(door, &ctl, b"bind /tmp /home\n", libc::EBUSY, "has exited");
        refused(door, &format!("{task}/cmd"), b"/guests/hello.wasm\n", libc::EBUSY, "has exited");
        refused(door, &format!("{task}/limits"), b"wall 1s\n", libc::EBUSY, "has exited");
        refused(door, &format!("{task}/stdio/1"), b"forged\n", libc::EPERM, "only tasks write");
        assert_eq!(state(door, &task), before, "{door:?}");
        assert_eq!(door.end_of(&task), "exit status 3", "for ever");

        let held = door.open(&ctl, OpenFlags::RDWR).expect("ctl opens");
        door.remove(&task).expect("a finished task can be removed");
        assert!(!door.exists(&task));
        assert!(!door.list("/task").contains(&task.trim_start_matches("/task/").to_owned()));
        for file in ["ctl", "status", "stdio/1", "root/tmp"] {
            let failure = door.read(&format!("{task}/{file}")).expect_err("it is gone");
            assert_eq!(failure.errno, libc::ENOENT, "{door:?}: {file}");
        }
        // An open ctl of what is gone refuses; it does not reach another task.
        assert!(held.write_all(b"start\n").is_err(), "{door:?}");
        for path in [
            "/task/0/ctl",
            "/task/-1/ctl",
            "/task/99999999999999999999/ctl",
            "/task/01/ctl",
            "/task/self/ctl",
        ] {
            let failure = door.read(path).expect_err("no such task");
            assert_eq!(failure.errno, libc::ENOENT, "{door:?}: {path}");
        }
    });
}
