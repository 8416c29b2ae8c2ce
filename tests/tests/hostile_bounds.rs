//! The bounds of `taskfs serve`: each holds, says so to who meets it, and costs nobody else anything.

use nine::wire::{AttrMask, Fid, Msize, Name, NamesBuf, OpenFlags, Tmessage};
use std::io::{BufRead, BufReader};
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tests::bystander::Bystander;
use tests::door::Door;
use tests::wire::{Cost, Peer};
use tests::{Server, guests, taskfs};

fn serve(args: &[&str]) -> Server {
    let bind = format!("{}:/guests:ro", guests().display());
    Server::start(&[&["--bind", &bind], args].concat())
}

/// The errno of an Rlerror; none for any other reply.
fn errno(reply: &[u8]) -> Option<u32> {
    (reply[4] == 7).then(|| u32::from_le_bytes(reply[7..11].try_into().expect("four bytes")))
}

fn version() -> Tmessage<'static> {
    Tmessage::Version { msize: Msize(8192), version: Name(b"9P2000.L") }
}

/// What a new connection hears: Rversion, or an error and the end.
fn knock(server: &Server) -> (Peer, Vec<u8>) {
    let mut peer = Peer::connect(server);
    peer.send(u16::MAX, version());
    let reply = peer.reply().expect("an answer, whichever");
    (peer, reply)
}

fn fills_up_to(server: &Server) -> usize {
    let mut held = Vec::new();
    let refused = loop {
        let (peer, reply) = knock(server);
        match errno(&reply) {
            None => held.push(peer),
            Some(errno) => break (peer, errno),
        }
        assert!(held.len() < 100, "there is a bound");
    };
    let (mut refused, why) = refused;
    assert_eq!(why, libc::EBUSY as u32);
    assert!(refused.reply().is_none(), "and the connection is closed");
    // Who goes makes room.
    let count = held.len();
    held.pop();
    let deadline = Instant::now() + Duration::from_secs(20);
    while errno(&knock(server).1).is_some() {
        assert!(Instant::now() < deadline, "a place that is given back can be taken");
    }
    count
}

#[test]
fn one_connection_too_many_is_told_so_and_closed() {
    let server = serve(&["--max-connections", "12"]);
    let bystander = Bystander::start(&server, None);
    let count = fills_up_to(&server);
    assert!((8..=12).contains(&count), "{count} beside the bystander's");
    bystander.finish("too many connections");
}

#[test]
fn one_peer_takes_no_more_than_its_share_of_the_connections() {
    let server = serve(&["--max-peer-connections", "9", "--listen", "tcp://127.0.0.1:0"]);
    let bystander = Bystander::start(&server, None);
    let count = fills_up_to(&server);
    assert!((5..=9).contains(&count), "{count} beside the bystander's");
    // Another peer, as far as the server can tell, is served.
    let ls = Command::new(taskfs())
        .args(["ls", "--server", &format!("tcp://127.0.0.1:{}", server.port()), "/"])
        .output();
    assert!(ls.expect("taskfs ls runs").status.success());
    bystander.finish("one peer's connections");
}

#[test]
fn the_words_of_a_refusal_reach_the_user() {
    let server = serve(&["--max-connections", "1"]);
    let _only = knock(&server);
    let ls = Command::new(taskfs())
        .args(["ls", "--server", &server.unix(), "/"])
        .output()
        .expect("taskfs ls runs");
    let said = String::from_utf8_lossy(&ls.stderr);
    assert!(!ls.status.success() && said.contains("too many connections: this server serves 1"), "{said}");
}

#[test]
fn connections_that_never_say_tversion_stop_in_a_message_or_do_nothing_are_closed() {
    let limits = ["--handshake-timeout", "300ms", "--stall-timeout", "300ms", "--idle-timeout", "1s"];
    let server = serve(&limits);
    let bystander = Bystander::start(&server, None);
    let before = Cost::of(server.pid());
    let mut silent: Vec<Peer> = (0..50).map(|_| Peer::connect(&server)).collect();
    let mut halves: Vec<Peer> = (0..50)
        .map(|_| {
            let mut peer = Peer::attached(&server);
            peer.send_bytes(&[0xff, 0xff, 0, 0, 118, 1, 0, 0]);
            peer
        })
        .collect();
    let mut idle = Peer::attached(&server);
    for peer in silent.iter_mut().chain(&mut halves).chain([&mut idle]) {
        assert!(peer.reply().is_none(), "closed");
    }
    let deadline = Instant::now() + Duration::from_secs(20);
    while Cost::of(server.pid()).files > before.files + 8 {
        assert!(Instant::now() < deadline, "what is closed holds no descriptor");
        std::thread::sleep(Duration::from_millis(5));
    }
    bystander.finish("silent, half-open and idle connections");
}

#[test]
fn a_peer_that_reads_no_replies_is_closed_and_costs_what_it_may_have_unread() {
    let server = serve(&["--stall-timeout", "500ms", "--max-unread", "256K"]);
    let door = Door::nine(&server, nine::wire::Dialect::P9P2000L);
    door.put("/tmp/big", &vec![7; 1 << 20]);
    let bystander = Bystander::start(&server, None);
    let before = Cost::of(server.pid());
    let peers: Vec<Peer> = (0..20)
        .map(|_| {
            let mut peer = Peer::attached(&server);
            peer.open(5, "/tmp/big", OpenFlags::empty());
            let read = Peer::frame(9, Tmessage::Read { fid: Fid(5), offset: 0, count: 1 << 20 });
            peer.send_bytes(&read.repeat(500));
            peer
        })
        .collect();
    let during = Cost::of(server.pid());
    assert!(during.resident_kib < before.resident_kib + 20 * 4096, "{before:?}, {during:?}");
    let deadline = Instant::now() + Duration::from_secs(20);
    while Cost::of(server.pid()).files > before.files + 8 {
        assert!(Instant::now() < deadline, "who does not read is closed");
        std::thread::sleep(Duration::from_millis(5));
    }
    drop(peers);
    bystander.finish("peers that do not read");
}

#[test]
fn fids_requests_in_flight_and_what_they_keep_are_bounded_for_each_connection() {
    let server = serve(&["--max-fids", "40", "--max-in-flight", "10", "--max-buffered", "300K"]);
    let bystander = Bystander::start(&server, None);
    let mut peer = Peer::attached(&server);
    let none = NamesBuf::new(Vec::<&[u8]>::new()).expect("none");
    let walked = (1..100).take_while(|fid| {
        peer.send(2, Tmessage::Walk { fid: Fid(0), newfid: Fid(*fid), names: none.as_names() });
        let reply = peer.reply().expect("a reply");
        assert!(matches!(errno(&reply), None | Some(24)), "EMFILE, not {reply:?}");
        errno(&reply).is_none()
    });
    assert_eq!(walked.count(), 39, "the root is one of the forty");
    peer.send(2, Tmessage::Clunk { fid: Fid(7) });
    assert_eq!(peer.kind(), 121);
    let door = Door::nine(&server, nine::wire::Dialect::P9P2000L);
    let task = door.task("/guests/hello.wasm");
    peer.open(7, &format!("{task}/wait"), OpenFlags::empty());
    // Small ones first, as many as may wait; large ones on another connection, as much as they may keep.
    for (count, least, most) in [(10, 1, 10), (60_000, 1, 6)] {
        let mut peer = Peer::attached(&server);
        peer.open(7, &format!("{task}/wait"), OpenFlags::empty());
        for tag in 100..120 {
            peer.send(tag, Tmessage::Read { fid: Fid(7), offset: 0, count });
        }
        peer.send(99, Tmessage::Getattr { fid: Fid(0), mask: AttrMask::BASIC });
        let mut refused = 0;
        loop {
            let reply = peer.reply().expect("a reply");
            if reply[5] == 99 {
                break;
            }
            assert_eq!(errno(&reply), Some(105), "ENOBUFS, not {reply:?}");
            refused += 1;
        }
        assert!((least..=most).contains(&(20 - refused)), "{} reads of {count} wait", 20 - refused);
        assert!(peer.is_served(), "it goes on");
    }
    bystander.finish("the bounds of a connection");
}

#[test]
fn bounds_that_are_none_are_refused_by_name() {
    for (option, value) in [
        ("--handshake-timeout", "0s"),
        ("--stall-timeout", "soon"),
        ("--idle-timeout", "-1s"),
        ("--max-buffered", "lots"),
        ("--max-connections", "-1"),
        ("--max-fids", "many"),
    ] {
        let run =
            Command::new(taskfs()).args(["serve", &format!("{option}={value}")]).output().expect("it runs");
        let said = String::from_utf8_lossy(&run.stderr);
        assert_eq!(run.status.code(), Some(64), "{option}: {said}");
        assert!(said.contains(option) && said.contains(value), "{said}");
    }
}

#[test]
fn a_flood_of_broken_frames_is_a_few_lines_of_the_log() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let socket = dir.path().join("sock");
    let mut server = Command::new(taskfs())
        .args(["serve", "--listen", &format!("unix://{}", socket.display())])
        .env("TASKFS_CACHE", dir.path().join("cache"))
        .env_remove("TASKFS_LOG")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("taskfs starts");
    let stdout = BufReader::new(server.stdout.take().expect("piped"));
    assert!(stdout.lines().map_while(Result::ok).any(|line| line == "ready"));
    for _ in 0..1000 {
        let mut peer = Peer { stream: UnixStream::connect(&socket).expect("it listens") };
        peer.send_bytes(b"GET / HTTP/1.1\r\n\r\n");
        while peer.reply().is_some() {}
    }
    server.kill().expect("a child can be killed");
    let stderr = BufReader::new(server.stderr.take().expect("piped"));
    let lines: Vec<String> = stderr.lines().map_while(Result::ok).collect();
    server.wait().expect("a child can be waited for");
    let faults = lines.iter().filter(|line| line.contains("thrown out")).count();
    // Ten at once, and ten more every ten seconds that this takes.
    assert!((1..=100).contains(&faults), "{faults} lines of {}: {:?}", lines.len(), lines.last());
    assert!(lines[0].contains("user ") && lines[0].contains("bytes long"), "who, and what: {}", lines[0]);
}
