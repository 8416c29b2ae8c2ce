//! The network of Node tasks: what a capability names, and nothing else, whatever a worker tries. Its own loopback is its own.

use nine::wire::{Dialect, OpenFlags};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use tests::Server;
use tests::door::Door;

const FAKE: &str = env!("CARGO_BIN_EXE_fake_worker");

fn server() -> (Server, Door) {
    let server = Server::start(&["--node", FAKE]);
    let door = Door::nine(&server, Dialect::P9P2000U);
    (server, door)
}

/// Runs `lines` with `caps` to the end; what it said.
fn run(door: &Door, lines: &str, caps: &[&str]) -> String {
    let task = start(door, lines, caps);
    assert_eq!(door.end_of(&task), "");
    let said = door.text(&format!("{task}/stdio/1"));
    door.remove(&task).expect("a finished task can be removed");
    said
}

fn start(door: &Door, lines: &str, caps: &[&str]) -> String {
    let id = door.text("/task/new").trim().to_owned();
    let (program, task) = (format!("/tmp/{id}.js"), format!("/task/{id}"));
    door.put(&program, lines.as_bytes());
    door.say(&format!("{task}/cmd"), &format!("{program}\n"));
    for cap in caps {
        door.say(&format!("{task}/ctl"), &format!("cap {cap}\n"));
    }
    door.say(&format!("{task}/ctl"), "start\n");
    task
}

/// A TCP server of this machine, which answers each who comes with "host"; its address.
fn host() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound").to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            // Peers that go at once are part of the tests.
            let _gone = stream.read(&mut [0; 64]).and_then(|_| stream.write_all(b"host"));
        }
    });
    address
}

#[test]
fn without_a_capability_nothing_goes_out_and_the_missing_one_is_named() {
    let (_server, door) = server();
    let said = run(
        &door,
        "connect 192.0.2.1:80\ndial 192.0.2.1:80\nconnect [2001:db8::1]:80\ndatagram 192.0.2.1:53\nlisten 0.0.0.0:8080",
        &[],
    );
    let expected = [
        "connect: errno 13 connect 192.0.2.1:80: permission denied: no capability \"net:connect 192.0.2.1:80\"",
        "dial: errno 13 connect 192.0.2.1:80: permission denied: no capability \"net:connect 192.0.2.1:80\"",
        "connect: errno 13 connect [2001:db8::1]:80: permission denied: no capability \"net:connect [2001:db8::1]:80\"",
        "datagram: errno 13 send 192.0.2.1:53: permission denied: no capability \"net:connect 192.0.2.1:53\"",
        "listen: errno 13 bind 0.0.0.0:8080: permission denied: no capability \"net:listen 0.0.0.0:8080\"",
    ];
    assert_eq!(said.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn the_machines_loopback_is_reached_only_where_a_capability_names_it() {
    let (_server, door) = server();
    let host = host();
    let lines = format!("connect {host}\ndial {host}");
    assert_eq!(
        run(&door, &lines, &[]),
        "connect: errno 111 \ndial: errno 111 \n",
        "nobody listens on its own"
    );
    let cap = format!("net:connect {host}");
    let said = run(&door, &lines, &[&cap]);
    assert_eq!(said, format!("connect: {host} says host\ndial: {host} says host\n"));
}

#[test]
fn a_name_is_good_for_the_addresses_that_it_was_found_to_have() {
    let (_server, door) = server();
    let said = run(
        &door,
        "resolve localhost\nresolve localhost 4\nresolve 10.0.0.1\nresolve example.org\nresolve x y z",
        &[],
    );
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines[..4], ["127.0.0.1", "::1", "127.0.0.1", "10.0.0.1"]);
    assert!(lines[4].contains("os error 13") && lines[5].contains("os error 22"), "{said}");
    // A name of this machine, as its hosts file has it.
    let said = run(&door, "resolve no.such.name.invalid", &["net:connect *:80"]);
    assert!(said.contains("os error 2") || said.contains("os error 11"), "{said}");
}

#[test]
fn a_program_listens_where_it_may_and_others_reach_it() {
    let (_server, door) = server();
    let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port();
    let cap = format!("net:listen 127.0.0.1:{port}");
    let task = start(&door, &format!("listen 127.0.0.1:{port}"), &[&cap]);
    let said = door.open(&format!("{task}/stdio/1"), OpenFlags::empty()).expect("its output");
    let first = String::from_utf8(said.read(0, 4096).expect("its output")).expect("text");
    assert_eq!(first, format!("listening on 127.0.0.1:{port}\n"));
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    stream.write_all(b"hello").expect("it is there");
    let mut back = String::new();
    stream.read_to_string(&mut back).expect("it answers");
    assert_eq!(back, "hello");
    assert_eq!(door.end_of(&task), "");
    assert_eq!(door.text(&format!("{task}/stdio/1")), format!("{first}listen: hello\n"));
}

#[test]
fn a_loopback_of_its_own_needs_no_capability_and_nobody_else_is_there() {
    let (_server, door) = server();
    let task = start(&door, "listen 127.0.0.1:8080", &[]);
    let said = door.open(&format!("{task}/stdio/1"), OpenFlags::empty()).expect("its output");
    assert_eq!(said.read(0, 4096).expect("its output"), b"listening on 127.0.0.1:8080\n");
    assert_eq!(
        run(&door, "connect 127.0.0.1:8080", &[]),
        "connect: errno 111 \n",
        "another task's is another"
    );
    assert!(
        TcpStream::connect("127.0.0.1:8080").is_err() || std::env::var_os("TASKFS_PORT_8080").is_some(),
        "the machine's is not the task's"
    );
    door.say(&format!("{task}/ctl"), "kill\n");
}

#[test]
fn datagrams_go_where_a_capability_says() {
    let (_server, door) = server();
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let address = socket.local_addr().expect("bound");
    std::thread::spawn(move || {
        let mut text = [0; 64];
        while let Ok((count, from)) = socket.recv_from(&mut text) {
            let _gone = socket.send_to(&text[..count], from);
        }
    });
    let cap = format!("net:connect {address}");
    let said = run(&door, &format!("datagram {address}\ndatagram 192.0.2.1:53"), &[&cap]);
    let (first, second) = said.split_once('\n').expect("two lines");
    assert_eq!(first, format!("datagram: {address} says from a task"));
    assert!(second.starts_with("datagram: errno 13 send 192.0.2.1:53"), "{second}");
}

#[test]
fn no_trick_gets_a_worker_where_it_may_not_go() {
    let (_server, door) = server();
    let (allowed, other) = (host(), TcpListener::bind("127.0.0.1:0").expect("a port"));
    let address = other.local_addr().expect("bound");
    other.set_nonblocking(true).expect("a listener");
    let cap = format!("net:connect {allowed}");
    let said = run(&door, &format!("ask {allowed} {address}"), &[&cap]);
    assert_eq!(said, "ask: through where it may\n");
    assert!(other.accept().is_err(), "nobody came to where it may not go");
}

#[test]
fn a_connect_that_takes_its_time_holds_nobody_up_and_can_be_killed() {
    let (_server, door) = server();
    // A listener whose queue is full answers no further connection.
    let full = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = full.local_addr().expect("bound");
    let queue: Vec<_> = (0..4200)
        .map_while(|_| TcpStream::connect_timeout(&address, std::time::Duration::from_millis(300)).ok())
        .collect();
    let cap = format!("net:connect {address}");
    let slow = start(&door, &format!("print up\nconnect {address}"), &[&cap]);
    let said = door.open(&format!("{slow}/stdio/1"), OpenFlags::empty()).expect("its output");
    assert_eq!(said.read(0, 4096).expect("its output"), b"up\n");
    let host = host();
    let cap = format!("net:connect {host}");
    assert_eq!(run(&door, &format!("connect {host}"), &[&cap]), format!("connect: {host} says host\n"));
    door.say(&format!("{slow}/ctl"), "kill\n");
    assert_eq!(door.end_of(&slow), "killed by SIGKILL");
    drop(queue);
}
