//! Clients that vanish, hang, flood, or break the protocol hurt nobody but themselves, and leave nothing behind.

use nine::wire::{AttrMask, Fid, OpenFlags, Tmessage};
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tests::bystander::Bystander;
use tests::door::Door;
use tests::wire::{Cost, Peer};
use tests::{Server, guests, has_fuse};

/// Another two thousand sockets need more descriptors than a shell gives.
fn many_files() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).expect("up to the hard limit");
}

fn serve(args: &[&str]) -> Server {
    let bind = format!("{}:/guests:ro", guests().display());
    Server::start(&[&["--bind", &bind], args].concat())
}

/// A server that is mounted, where that can be.
fn mounted(what: &str) -> Option<(Server, tempfile::TempDir)> {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = dir.path().to_str().expect("a UTF-8 path").to_owned();
    has_fuse(what).then(|| (serve(&["--mount", &path]), dir))
}

fn until(what: &str, done: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(Instant::now() < deadline, "not within 20 s: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn two_thousand_connections_that_say_half_a_word_or_nothing_keep_nobody_waiting() {
    many_files();
    let server = serve(&[]);
    let bystander = Bystander::start(&server, None);
    let before = Cost::of(server.pid());
    let version = Peer::frame(
        u16::MAX,
        Tmessage::Version { msize: nine::wire::Msize(8192), version: nine::wire::Name(b"9P2000.L") },
    );
    let half_open: Vec<Peer> = (0..2000)
        .map(|i| {
            let mut peer = Peer::connect(&server);
            // From nothing at all to all but the last byte.
            peer.send_bytes(&version[..i % version.len()]);
            peer
        })
        .collect();
    let door = Door::nine(&server, nine::wire::Dialect::P9P2000L);
    let start = Instant::now();
    let task = door.start("/guests/hello.wasm", "");
    assert_eq!(door.end_of(&task), "");
    let hello = start.elapsed();
    until("all are accepted", || Cost::of(server.pid()).files >= before.files + 2000);
    let during = Cost::of(server.pid());
    // One that finishes its word after all is served.
    let mut late = Peer { stream: half_open[7].stream.try_clone().expect("a socket") };
    late.send_bytes(&version[7 % version.len()..]);
    assert_eq!(late.kind(), 101, "Rversion");
    drop(late);
    drop(half_open);
    until("all are gone", || Cost::of(server.pid()).files <= before.files + 8);
    let after = Cost::of(server.pid());
    eprintln!("hello world beside 2000 half-open connections: {hello:?}; {before:?}, {during:?}, {after:?}");
    assert!(hello < Duration::from_secs(5), "{hello:?}");
    assert!(during.threads <= before.threads + 8, "a connection is no thread: {during:?}");
    assert!(during.resident_kib < before.resident_kib + 200 * 1024, "{during:?}");
    bystander.finish("half-open connections");
}

#[test]
fn frames_that_break_the_protocol_end_their_own_connection_only() {
    let mut server = serve(&[]);
    let bystander = Bystander::start(&server, None);
    let mut walk = vec![0, 0, 0, 0, 110, 1, 0, 0, 0, 0, 0, 9, 0, 0, 0, 17, 0];
    walk.extend([1, 0, b'd'].repeat(17));
    walk[0] = walk.len() as u8;
    let frames: [(&str, &[u8]); 8] = [
        ("of four gigabytes", &[0xff; 64]),
        ("of no bytes", &[0; 8]),
        ("without a tag", &[4, 0, 0, 0]),
        ("that are replies", &[7, 0, 0, 0, 121, 1, 0]),
        ("that end in a field", &[9, 0, 0, 0, 120, 1, 0, 5, 0]),
        ("with more than their fields", &[12, 0, 0, 0, 120, 1, 0, 5, 0, 0, 0, 0]),
        ("with seventeen names", &walk),
        ("of HTTP", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    ];
    for (what, frame) in frames {
        let mut peer = Peer::attached(&server);
        peer.send_bytes(frame);
        // Told why, perhaps, and then thrown out.
        while let Some(reply) = peer.reply() {
            assert_eq!(reply[4], 7, "frames {what}: only an Rlerror may come");
        }
        let end = peer.stream.read(&mut [0; 1]);
        assert!(
            matches!(end, Ok(0)) || end.is_err_and(|e| e.kind() == std::io::ErrorKind::ConnectionReset),
            "{what}"
        );
    }
    // What is a message and makes no sense is an error, and the connection goes on.
    let mut peer = Peer::attached(&server);
    peer.send(9, Tmessage::Getattr { fid: Fid(77), mask: AttrMask::BASIC });
    assert_eq!(peer.kind(), 7, "Rlerror");
    peer.send_bytes(&[7, 0, 0, 0, 200, 1, 0]);
    assert_eq!(peer.kind(), 7, "Rlerror");
    assert!(peer.is_served());
    bystander.finish("broken frames");
    assert!(server.is_running());
}

#[test]
fn a_client_that_never_reads_its_replies_fills_its_own_pipe_only() {
    let server = serve(&[]);
    let big = Door::nine(&server, nine::wire::Dialect::P9P2000L);
    big.put("/tmp/big", &vec![b'b'; 1 << 20]);
    let bystander = Bystander::start(&server, None);
    let before = Cost::of(server.pid());
    let mut deaf = Peer::attached(&server);
    deaf.open(5, "/tmp/big", OpenFlags::empty());
    deaf.stream.set_write_timeout(Some(Duration::from_millis(300))).expect("a time limit");
    let read = Peer::frame(6, Tmessage::Read { fid: Fid(5), offset: 0, count: 1 << 19 });
    let mut asked = 0;
    // A hundred thousand half megabytes: until the server reads no more, or all are asked for.
    for tag in 0..100_000u32 {
        let mut read = read.clone();
        read[5..7].copy_from_slice(&((tag % 60_000) as u16).to_le_bytes());
        if deaf.stream.write_all(&read).is_err() {
            break;
        }
        asked += 1;
    }
    std::thread::sleep(Duration::from_millis(500));
    let during = Cost::of(server.pid());
    eprintln!("{asked} reads of 512 KiB asked for and not taken: {before:?}, {during:?}");
    assert!(asked < 100_000, "the server reads on for one who does not listen");
    assert!(during.resident_kib < before.resident_kib + 200 * 1024, "{during:?}");
    bystander.finish("a client that never reads");
}

#[test]
fn two_hundred_clients_that_make_run_and_vanish_leave_nothing_behind() {
    let server = serve(&[]);
    let door = Door::nine(&server, nine::wire::Dialect::P9P2000L);
    let bystander = Bystander::start(&server, None);
    let round = |i: usize| {
        let mut peer = Peer::attached(&server);
        peer.open(5, "/task/clone", OpenFlags::RDWR);
        peer.send(6, Tmessage::Read { fid: Fid(5), offset: 0, count: 100 });
        let id = peer.reply().expect("an id");
        let id = String::from_utf8_lossy(&id[11..]).trim().to_owned();
        let program = ["loop.wasm", "cat.wasm", "sleep.wasm 60", "flood.wasm", "hello.wasm"][i % 5];
        for line in ["killonclose".to_owned(), format!("exec /guests/{program}")] {
            let data = nine::wire::Data(line.as_bytes());
            peer.send(7, Tmessage::Write { fid: Fid(5), offset: 0, data });
            assert_eq!(peer.kind(), 119, "Rwrite of {line}");
        }
        // Gone in the middle of something: a blocked read, half a frame, a reply that is under way, or just like that.
        match i % 4 {
            0 => {
                peer.open(8, &format!("/task/{id}/wait"), OpenFlags::empty());
                peer.send(9, Tmessage::Read { fid: Fid(8), offset: 0, count: 100 });
            }
            1 => peer.send_bytes(&[24, 0, 0, 0, 118, 1, 0, 5]),
            2 => peer.send(9, Tmessage::Getattr { fid: Fid(0), mask: AttrMask::BASIC }),
            _ => {}
        }
        drop(peer);
        let dir = format!("/task/{id}");
        let end = door.end_of(&dir);
        let by_itself = program == "hello.wasm" && end.is_empty();
        assert!(by_itself || end == "killed: its ctl was closed", "{program}: {end}");
        door.remove(&dir).expect("a finished task can be removed");
    };
    (0..40).for_each(round);
    let before = Cost::of(server.pid());
    let start = Instant::now();
    (0..200).for_each(round);
    let took = start.elapsed();
    until("descriptors come back", || Cost::of(server.pid()).files <= before.files + 4);
    let after = Cost::of(server.pid());
    eprintln!("200 rounds in {took:?}: {before:?}, {after:?}");
    assert!(after.resident_kib < before.resident_kib + 32 * 1024, "{before:?}, {after:?}");
    assert!(after.threads <= before.threads + 4, "{before:?}, {after:?}");
    bystander.finish("clients that vanish");
    assert!(door.list("/task").iter().all(|name| name.parse::<u32>().is_err()), "{:?}", door.list("/task"));
}

#[test]
fn a_thousand_tasks_are_made_and_removed_and_nothing_stays() {
    let server = serve(&[]);
    let bystander = Bystander::start(&server, None);
    let door = Door::nine(&server, nine::wire::Dialect::P9P2000L);
    let thousand = || {
        let tasks: Vec<String> = (0..1000).map(|_| door.task("/guests/hello.wasm 'a b'")).collect();
        assert!(door.list("/task").len() >= 1000);
        tasks.iter().for_each(|task| door.remove(task).expect("a new task can be removed"));
    };
    thousand();
    let before = Cost::of(server.pid());
    let start = Instant::now();
    (0..5).for_each(|_| thousand());
    let after = Cost::of(server.pid());
    eprintln!("5000 tasks made and removed in {:?}: {before:?}, {after:?}", start.elapsed());
    assert!(after.resident_kib < before.resident_kib + 16 * 1024, "{before:?}, {after:?}");
    assert!(after.files <= before.files + 4, "{before:?}, {after:?}");
    bystander.finish("a thousand tasks");
}

/// `cat` of a file that gives nothing, blocked in its read.
fn blocked_cat(file: &Path) -> Child {
    let mut cat = Command::new("cat");
    let child =
        cat.arg(file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("cat");
    // Asleep in the kernel, and there for good: it is in its read.
    let asleep = || {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap_or_default();
        let wchan = std::fs::read_to_string(format!("/proc/{}/syscall", child.id())).unwrap_or_default();
        let state = stat.rsplit(')').next().unwrap_or_default().trim_start().chars().next();
        // System call 0 is read(2) on x86-64, 63 on most others; a machine that does not say is given time.
        matches!(state, Some('S' | 'D'))
            && (wchan.is_empty() || wchan.starts_with("0 ") || wchan.starts_with("63 "))
    };
    until("cat blocks", asleep);
    std::thread::sleep(Duration::from_millis(50));
    child
}

/// How long `signal` takes to end it.
fn time_to_end(mut child: Child, signal: rustix::process::Signal) -> Duration {
    let pid = rustix::process::Pid::from_raw(child.id() as i32).expect("a pid");
    let start = Instant::now();
    rustix::process::kill_process(pid, signal).expect("a process of ours");
    until("the signal ends it", || matches!(child_state(pid), None | Some('Z')));
    let took = start.elapsed();
    child.wait().expect("a child of ours");
    took
}

fn child_state(pid: rustix::process::Pid) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    stat.rsplit(')').next()?.trim_start().chars().next()
}

#[test]
fn a_process_blocked_in_a_read_of_the_mount_dies_at_once() {
    use rustix::process::Signal;
    let Some((server, dir)) = mounted("signals to a blocked reader") else { return };
    let mount = dir.path();
    let door = Door::Mount(mount.to_owned());
    let task = door.start("/guests/sleep.wasm 600", "");
    let bystander = Bystander::start(&server, Some(mount));
    let mut worst = Duration::ZERO;
    for file in ["wait", "stdio/2"] {
        let path: PathBuf = mount.join(task.trim_start_matches('/')).join(file);
        for signal in [Signal::KILL, Signal::INT, Signal::TERM] {
            for _ in 0..5 {
                let took = time_to_end(blocked_cat(&path), signal);
                worst = worst.max(took);
                assert!(took < Duration::from_secs(2), "{signal:?} on a reader of {file}: {took:?}");
            }
        }
    }
    eprintln!("30 blocked readers ended by KILL, INT and TERM: {worst:?} at worst");
    // A hundred at once.
    let path = mount.join(task.trim_start_matches('/')).join("wait");
    let mut cats: Vec<Child> = (0..100).map(|_| blocked_cat(&path)).collect();
    let start = Instant::now();
    cats.iter_mut().for_each(|cat| cat.kill().expect("a child of ours"));
    for cat in &mut cats {
        cat.wait().expect("a child of ours");
    }
    let took = start.elapsed();
    eprintln!("a hundred blocked readers killed at once: gone in {took:?}");
    assert!(took < Duration::from_secs(5), "{took:?}");
    bystander.finish("blocked readers that are killed");
    door.say(&format!("{task}/ctl"), "kill\n");
    assert!(door.end_of(&task).contains("killed"));
}

#[test]
fn a_process_blocked_in_a_write_to_a_full_input_dies_at_once() {
    let Some((_server, dir)) = mounted("signals to a blocked writer") else { return };
    let mount = dir.path();
    let door = Door::Mount(mount.to_owned());
    let task = door.start("/guests/sleep.wasm 600", "");
    let input = mount.join(task.trim_start_matches('/')).join("stdio/0");
    let full = File::options().write(true).open(&input).expect("its input");
    (&full).write_all(&vec![b'x'; 64 << 10]).expect("what a pipe holds");
    let script = format!("exec echo more > {}", input.display());
    let child = Command::new("sh").args(["-c", &script]).stdin(Stdio::null()).spawn().expect("sh");
    std::thread::sleep(Duration::from_millis(400));
    let took = time_to_end(child, rustix::process::Signal::KILL);
    eprintln!("a blocked writer killed: {took:?}");
    assert!(took < Duration::from_secs(2), "{took:?}");
    door.say(&format!("{task}/ctl"), "kill\n");
}

#[test]
fn a_blocked_read_that_is_flushed_or_whose_fid_goes_is_answered_at_once() {
    let server = serve(&[]);
    let door = Door::nine(&server, nine::wire::Dialect::P9P2000L);
    let task = door.start("/guests/sleep.wasm 600", "");
    let mut peer = Peer::attached(&server);
    peer.open(5, &format!("{task}/wait"), OpenFlags::empty());
    let mut worst = Duration::ZERO;
    for _ in 0..50 {
        peer.send(9, Tmessage::Read { fid: Fid(5), offset: 0, count: 100 });
        let start = Instant::now();
        peer.send(10, Tmessage::Flush { oldtag: nine::wire::Tag(9) });
        assert_eq!(peer.kind(), 109, "Rflush and nothing before it");
        worst = worst.max(start.elapsed());
    }
    peer.send(9, Tmessage::Read { fid: Fid(5), offset: 0, count: 100 });
    peer.send(10, Tmessage::Clunk { fid: Fid(5) });
    let mut kinds = [peer.kind(), peer.kind()];
    kinds.sort_unstable();
    assert_eq!(kinds, [7, 121], "the read ends with an error, the clunk is done");
    eprintln!("Tflush of a blocked read: {worst:?} at worst of 50");
    assert!(worst < Duration::from_secs(2), "{worst:?}");
    door.say(&format!("{task}/ctl"), "kill\n");
}

#[test]
fn a_shell_that_is_killed_takes_its_killonclose_task_with_it() {
    let Some((server, dir)) = mounted("killonclose over FUSE") else { return };
    let bystander = Bystander::start(&server, Some(dir.path()));
    let door = Door::Mount(dir.path().to_owned());
    for _ in 0..10 {
        let script = r#"exec 3<>"$M/task/clone"; read -r id <&3; echo killonclose >&3
                        echo "exec /guests/loop.wasm" >&3; echo "$id"; exec sleep 600"#;
        let mut shell = Command::new("bash")
            .args(["-c", script])
            .env("M", dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("bash");
        let mut id = String::new();
        let mut said = std::io::BufReader::new(shell.stdout.take().expect("piped"));
        std::io::BufRead::read_line(&mut said, &mut id).expect("an id");
        let task = format!("/task/{}", id.trim());
        assert_eq!(door.text(&format!("{task}/status")), "running\n");
        let start = Instant::now();
        shell.kill().expect("a child of ours");
        shell.wait().expect("a child of ours");
        assert_eq!(door.end_of(&task), "killed: its ctl was closed");
        assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
        door.remove(&task).expect("a finished task can be removed");
    }
    bystander.finish("shells that are killed");
}
