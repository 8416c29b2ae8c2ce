//! A program that tries every way out of its worker that is known (tests/node/hostile.cjs), on the real engines: what it is told,
//! and, under strace(1), what its process asked of the kernel from the moment that the program began. Nothing of the machine is
//! opened, executed, signalled or connected to.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use tests::engines::{Engine, Ran, engines};
use tests::{cannot_run, top};

/// What is refused, by name, and how. The names that are not here only must not leak.
const REFUSED: &[(&str, &[&str])] = &[
    ("fs", &["ENOENT"]),
    ("fs proc", &["ENOENT"]),
    ("fs dotdot", &["ENOENT"]),
    ("fs link", &["ENOENT"]),
    ("fs watch", &["ENOENT"]),
    ("fs fd", &["EBADF"]),
    ("import", &["ERR_MODULE_NOT_FOUND"]),
    ("require", &["MODULE_NOT_FOUND"]),
    ("Deno.readTextFile", &["ENOENT"]),
    ("Deno.open", &["ENOENT"]),
    ("loadEnvFile", &["ENOENT"]),
    ("tls certificates", &["ENOENT"]),
    ("system certificates", &["none"]),
    ("chdir", &["ENOENT"]),
    ("environment", &["", "PWD"]),
    ("Deno.env", &["", "PWD"]),
    ("interfaces", &["lo"]),
    ("kill init", &["ESRCH"]),
    ("kill parent", &["ESRCH"]),
    ("kill all", &["ESRCH"]),
    ("spawn", &["EACCES"]),
    ("spawnSync", &["EACCES"]),
    ("setuid", &["EPERM"]),
    ("setgid", &["EPERM"]),
    ("seteuid", &["EPERM"]),
    ("setegid", &["EPERM"]),
    ("connect", &["EACCES"]),
    ("connect mapped", &["EACCES"]),
    ("connect host", &["ECONNREFUSED"]),
    ("unix connect", &["EACCES"]),
    ("unix abstract", &["EACCES"]),
    ("unix listen", &["EACCES"]),
    ("listen all", &["EACCES"]),
    ("listen all six", &["EACCES"]),
    ("dns lookup", &["EACCES"]),
    ("fetch", &["EACCES"]),
    ("fetch metadata", &["EACCES"]),
    ("fetch proxy", &["EACCES"]),
    ("websocket", &["refused"]),
    ("http2", &["EACCES"]),
    ("Deno.connect", &["EACCES"]),
    ("Deno.listen", &["EACCES"]),
    ("Deno.serve", &["EACCES"]),
    ("internalBinding", &["nothing"]),
    ("main hooks", &["taken away"]),
    ("polluted", &["refused"]),
];

/// node:vm's contexts are V8's own: on QuickJS they end the worker, and with it all further tries.
fn hostile(engine: &Engine) -> Ran {
    let script = top().join("tests/node/hostile.cjs");
    let script = script.to_str().expect("a UTF-8 path");
    if engine.is_v8() { engine.run(&[script]) } else { engine.run(&[script, "vm"]) }
}

/// What came of each try.
fn told(ran: &Ran) -> BTreeMap<&str, &str> {
    ran.out.lines().filter_map(|line| line.split_once(": ")).collect()
}

fn judge(engine: &Engine, ran: &Ran) {
    let told = told(ran);
    let leaks: Vec<_> = told.iter().filter(|(_, said)| said.contains("LEAK")).collect();
    assert!(leaks.is_empty(), "{}: {leaks:?}", engine.name);
    let wrong: Vec<_> = REFUSED
        .iter()
        .filter(|(name, expected)| !told.get(name).is_some_and(|said| expected.contains(said)))
        .map(|(name, expected)| (name, told.get(name), expected))
        .collect();
    assert!(wrong.is_empty(), "{}: {wrong:?}\n{}\n{}", engine.name, ran.out, ran.err);
    assert_eq!(
        ran.code,
        Some(7),
        "{}: a program that spoils everything ends as it wants: {}",
        engine.name,
        ran.err
    );
}

#[test]
fn whatever_a_program_tries_it_is_refused_with_the_right_error() {
    for engine in engines("a hostile program") {
        let ran = hostile(&engine);
        judge(&engine, &ran);
    }
}

/// The engine's worker, whose system calls are written into `log`.
fn traced(engine: &Engine, dir: &Path, log: &Path) -> Engine {
    let wrapper = dir.join(format!("traced-{}", engine.name));
    // The tracer steps aside (-D): the server waits for its own child.
    let text = format!(
        "#!/bin/sh\ncase \"$*\" in ''|--parent) exec strace -D -f -qq -s 80 -o {log} {worker} \"$@\" ;; esac\n\
         exec {worker} \"$@\"\n",
        worker = engine.worker(),
        log = log.display(),
    );
    std::fs::write(&wrapper, text).expect("room for a script");
    std::fs::set_permissions(&wrapper, PermissionsExt::from_mode(0o755)).expect("it is ours");
    Engine { name: engine.name, worker: wrapper }
}

fn can_trace() -> Result<(), String> {
    match std::process::Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).output() {
        Ok(done) if done.status.success() => Ok(()),
        Ok(done) => Err(String::from_utf8_lossy(&done.stderr).trim().to_owned()),
        Err(error) => Err(format!("strace: {error}")),
    }
}

/// Calls that a name, a signal or a new process goes by: each has to have failed.
const NEVER: &[&str] = &[
    "open",
    "openat",
    "openat2",
    "creat",
    "stat",
    "lstat",
    "statx",
    "newfstatat",
    "access",
    "faccessat",
    "faccessat2",
    "readlink",
    "readlinkat",
    "execve",
    "execveat",
    "fork",
    "vfork",
    "kill",
    "tkill",
    "ptrace",
    "mount",
    "umount2",
    "unlink",
    "unlinkat",
    "rename",
    "renameat",
    "renameat2",
    "mkdir",
    "mkdirat",
    "rmdir",
    "chdir",
    "symlink",
    "symlinkat",
    "link",
    "linkat",
    "chmod",
    "chown",
    "mknod",
    "mknodat",
    "truncate",
    "statfs",
    "setuid",
    "setgid",
    "setresuid",
    "setresgid",
    "setgroups",
    "io_uring_setup",
    "bpf",
    "inotify_init1",
    "fanotify_init",
    "userfaultfd",
    "process_vm_readv",
    "process_vm_writev",
    "pidfd_open",
    "pidfd_getfd",
    "pidfd_send_signal",
    "memfd_create",
    "perf_event_open",
    "keyctl",
    "unshare",
    "setns",
    "name_to_handle_at",
    "open_by_handle_at",
    "sendmmsg",
];

/// Why a line of strace's is a way out; none where it is not.
fn fault(line: &str) -> Option<&'static str> {
    let call = line.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ');
    let (name, rest) = call.split_once('(')?;
    // One whose end was not seen got through.
    let failed = rest.rsplit_once(" = ").is_some_and(|(_, result)| result.starts_with(['-', '?']));
    let by_descriptor = name == "newfstatat" && rest.contains("AT_EMPTY_PATH");
    if NEVER.contains(&name) && !failed && !by_descriptor {
        return Some("a name, a process or a signal");
    }
    let thread = ["clone", "clone3"].contains(&name) && !rest.contains("CLONE_THREAD");
    if thread && !failed {
        return Some("a new process");
    }
    let inet = rest.starts_with("AF_INET,") || rest.starts_with("AF_INET6,");
    if name == "socket" && !inet && !failed {
        return Some("a socket of another sort");
    }
    let own = ["127.0.0.1", "\"::1\"", "\"::ffff:127.0.0.1\""].iter().any(|own| rest.contains(own));
    if ["connect", "sendto"].contains(&name) && rest.contains("sa_family=AF_INET") && !own && !failed {
        return Some("a peer");
    }
    // Of its own network, where a port of the kernel's choice on all addresses is asked for before connecting.
    let begins = rest.contains("htons(0)") && (rest.contains("\"0.0.0.0\"") || rest.contains("\"::\""));
    if name == "bind" && !own && !begins && !failed {
        return Some("an address");
    }
    None
}

/// strace's lines with those put together that another thread's came between.
fn whole(lines: &str) -> Vec<String> {
    let (mut calls, mut begun) = (Vec::new(), BTreeMap::new());
    for line in lines.lines() {
        let (thread, call) = line.split_once(' ').unwrap_or((line, ""));
        let call = call.trim_start();
        match (call.strip_suffix("<unfinished ...>"), call.split_once(" resumed>")) {
            (Some(head), _) => drop(begun.insert(thread, head)),
            (None, Some((_, rest))) => {
                calls.push(format!("{thread} {}{rest}", begun.remove(thread).unwrap_or_default()));
            }
            (None, None) => calls.push(line.to_owned()),
        }
    }
    // Those that nobody saw the end of.
    calls.extend(begun.into_iter().map(|(thread, head)| format!("{thread} {head}")));
    calls
}

#[test]
fn from_the_programs_first_word_on_its_process_reaches_nothing_of_the_machine() {
    if let Err(why) = can_trace() {
        return cannot_run("a hostile program's system calls", &why);
    }
    for engine in engines("a hostile program's system calls") {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let log = dir.path().join("calls");
        let ran = hostile(&traced(&engine, dir.path(), &log));
        judge(&engine, &ran);
        let calls = std::fs::read_to_string(&log).expect("what strace wrote");
        let begin = calls.find("htons(54321)").unwrap_or_else(|| panic!("{}: it did not begin", engine.name));
        // A parent runs nobody's program: what it does is its own.
        let first = calls.split_once(' ').map_or("", |(thread, _)| thread);
        let parent = (!engine.is_v8()).then(|| format!("{first} "));
        // The end of strace's first line with that port.
        let calls = &calls[begin..][calls[begin..].find('\n').unwrap_or(0)..];
        let mut calls = whole(calls);
        calls.retain(|call| parent.as_ref().is_none_or(|parent| !call.starts_with(parent)));
        assert!(calls.len() > 500, "{}: {} calls", engine.name, calls.len());
        let faults: Vec<String> =
            calls.iter().filter_map(|line| fault(line).map(|why| format!("{why}: {line}"))).collect();
        assert!(
            faults.is_empty(),
            "{}: {} calls got through:\n{}",
            engine.name,
            faults.len(),
            faults.join("\n")
        );
    }
}

#[test]
fn what_strace_shows_of_a_way_out_is_seen() {
    for line in [
        "12 openat(AT_FDCWD, \"/etc/passwd\", O_RDONLY|O_CLOEXEC) = 5",
        "12 kill(1, SIGTERM) = 0",
        "12 socket(AF_UNIX, SOCK_STREAM, 0) = 4",
        "12 connect(4, {sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr(\"192.0.2.1\")}, 16) = 0",
        "12 bind(4, {sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr(\"0.0.0.0\")}, 16) = 0",
        "12 clone(child_stack=NULL, flags=SIGCHLD) = 13",
        "12 execve(\"/bin/sh\", [\"sh\"], 0x0 <unfinished ...>",
    ] {
        assert!(fault(line).is_some(), "{line}");
    }
    for line in [
        "12 openat(AT_FDCWD, \"/etc/resolv.conf\", O_RDONLY) = -1 ENOENT (No such file or directory)",
        "12 socket(AF_INET, SOCK_DGRAM, IPPROTO_IP) = 11",
        "12 connect(4, {sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr(\"127.0.0.1\")}, 16) = 0",
        "12 <... futex resumed>) = 0",
        "12 +++ killed by SIGKILL +++",
    ] {
        assert_eq!(fault(line), None, "{line}");
    }
}
