//! What listens in a container, and the ways in: the gateway, the files of its ports, and no other.

use nine::wire::OpenFlags;
use std::io::{Read, Write};
use std::net::{TcpListener, UdpSocket};
use std::process::Command;
use tests::door::Opened;
use tests::inside::{Inside, get, hello, request, server};
use tests::{cannot_run, guests, taskfs};

#[test]
fn two_containers_serve_the_same_port_without_meeting() {
    let Some((_server, door)) = server("two containers on one port") else { return };
    let (mut one, mut two) = (Inside::new(&door), Inside::new(&door));
    one.run(&hello(3000, "one"));
    two.run(&hello(3000, "two"));
    one.opened(3000);
    two.opened(3000);
    for (inside, word) in [(&one, "one"), (&two, "two")] {
        let (host, gateway) = inside.url(3000);
        assert!(host.starts_with(&format!("3000--{}.localhost:", inside.id)), "{host}");
        let answer = get(gateway, &host, "/a?b");
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains(&format!("{word} /a?b")), "{answer}");
        let answer = get(gateway, "localhost", &format!("/container/{}/3000/c", inside.id));
        assert!(answer.contains(&format!("{word} /c")), "{answer}");
    }
}

#[test]
fn a_taken_port_is_told_and_one_that_is_closed_is_gone() {
    let Some((_server, door)) = server("a taken port") else { return };
    let mut inside = Inside::new(&door);
    let first = inside.run(&hello(3000, "hello"));
    let line = inside.until(|line| line.starts_with("port "));
    assert_eq!(line, format!("port 3000 open {first}"));
    let (host, gateway) = inside.url(3000);
    assert_eq!(inside.until(|_| true), format!("server-ready 3000 http://{host}/"));
    assert!(
        inside.door.text(&inside.path("ports/3000/status")).starts_with(&format!("open\ntask {first}\n"))
    );
    let second =
        inside.run("require('http').createServer().on('error', e => { console.log(e.code) }).listen(3000)");
    assert_eq!(inside.said(&second), "EADDRINUSE\n");
    inside.door.say(&format!("/task/{first}/ctl"), "kill\n");
    assert_eq!(inside.until(|line| line.starts_with("port ")), "port 3000 closed");
    assert!(inside.door.read(&inside.path("ports/3000/status")).is_err());
    let answer = get(gateway, &host, "/");
    assert!(answer.starts_with("HTTP/1.1 502"), "{answer}");
    assert!(answer.contains(&format!("nobody listens at port 3000 of container {}", inside.id)), "{answer}");
}

#[test]
fn a_stranger_is_told_what_is_wrong() {
    let Some((_server, door)) = server("the gateway's own answers") else { return };
    let mut inside = Inside::new(&door);
    inside.run(&hello(3000, "hello"));
    inside.opened(3000);
    let (_, gateway) = inside.url(3000);
    for (host, path, status, words) in [
        ("evil.example", "/container/1/3000/", 421, "host \"evil.example\" is no port of a container"),
        ("3000--99.localhost", "/", 404, "there is no container 99"),
        ("localhost", "/x", 404, "path \"/x\" is no port of a container"),
        ("localhost", "/container/1/3000", 307, "it is /container/1/3000/"),
    ] {
        let answer = get(gateway, host, path);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")) && answer.contains(words), "{answer}");
    }
    let answer = get(gateway, "localhost", &format!("/container/1/3000/{}", "x".repeat(100_000)));
    assert!(answer.starts_with("HTTP/1.1 414") || answer.starts_with("HTTP/1.1 431"), "{answer}");
    let mut garbage = request(gateway, "\x01\x02\x03\n\n\n");
    let mut answer = String::new();
    garbage.read_to_string(&mut answer).expect("it is closed");
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
}

#[test]
fn a_gateway_that_others_could_reach_is_refused() {
    let done =
        Command::new(taskfs()).args(["serve", "--gateway", "0.0.0.0:0"]).output().expect("taskfs runs");
    let said = String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(64), "{said}");
    assert!(said.contains("nothing is served there without authentication"), "{said}");
}

/// Every way that a program may try to call this machine's loopback, or another's, by.
fn attempts(ports: &[u16]) -> String {
    format!(
        "const net = require('net');
        const hosts = ['127.0.0.1', 'localhost', '0.0.0.0', '::1', '::', '::ffff:127.0.0.1', '127.9.9.9'];
        let left = 0;
        for (const port of {ports:?}) for (const host of hosts) {{
          left++;
          const end = word => {{ console.log(host, word); if (--left == 0) process.exit() }};
          net.connect(port, host).on('connect', () => end('REACHED ' + port)).on('error', e => end(e.code));
        }}"
    )
}

#[test]
fn no_container_gets_to_another_ones_loopback_nor_to_the_servers() {
    let Some((_server, door)) = server("attacks on loopbacks") else { return };
    let mut other = Inside::new(&door);
    other.run(&hello(3456, "other"));
    other.opened(3456);
    let (_, gateway) = other.url(3456);
    let host = TcpListener::bind("127.0.0.1:0").expect("a port");
    let ports = [3456, gateway, host.local_addr().expect("bound").port()];
    let mut attacker = Inside::new(&door);
    // All that can be given does not help.
    attacker.ctl("cap net:connect *:*");
    attacker.ctl("cap net:listen *:*");
    let id = attacker.run(&attempts(&ports));
    let said = attacker.said(&id);
    assert_eq!(said.lines().count(), 21, "{said}");
    assert!(!said.contains("REACHED"), "{said}");
    // Its own it reaches.
    attacker.run(&hello(3456, "own"));
    attacker.opened(3456);
    let id = attacker.run(&attempts(&[3456]));
    let said = attacker.said(&id);
    assert_eq!(said.matches("REACHED").count(), 7, "{said}");
}

/// A listener at an address of this machine that is not its loopback, where it has one.
fn elsewhere() -> std::io::Result<TcpListener> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    // Nothing is sent: the kernel only chooses an address. That of the peer is nobody's (RFC 5737).
    socket.connect("192.0.2.1:9")?;
    TcpListener::bind((socket.local_addr()?.ip(), 0))
}

#[test]
fn what_goes_out_is_what_the_capabilities_say_now() {
    let Some((_server, door)) = server("capabilities of a container") else { return };
    let mut inside = Inside::new(&door);
    let program = "
        const net = require('net');
        net.createServer(c => c.once('data', d => {
          const [host, port] = String(d).trim().split(' ');
          net.connect(+port, host).on('error', e => c.end(e.code)).on('connect', () => c.end('connected'));
        })).listen(7)";
    inside.run(program);
    inside.opened(7);
    let ask = |question: &str| {
        let file = door.open(&inside.path("ports/7/data"), OpenFlags::RDWR).expect("it listens");
        file.write_all(question.as_bytes()).expect("it takes questions");
        String::from_utf8(file.read(0, 100).expect("an answer")).expect("text")
    };
    let listener = elsewhere();
    let (there, known) = match &listener {
        Ok(listener) => (listener.local_addr().expect("bound"), true),
        Err(_) => ("192.0.2.1:9".parse().expect("an address"), false),
    };
    let question = format!("{} {}", there.ip(), there.port());
    assert_eq!(ask(&question), "EACCES");
    inside.ctl(&format!("cap net:connect {}:{}", there.ip(), there.port() ^ 1));
    assert_eq!(ask(&question), "EACCES", "another port");
    inside.ctl(&format!("cap net:connect {there}"));
    if known {
        assert_eq!(ask(&question), "connected");
    }
    inside.ctl(&format!("cap net:deny {}:*", there.ip()));
    assert_eq!(ask(&question), "EACCES", "what is denied counts more");
}

#[test]
fn what_is_sent_outside_is_counted_and_limited() {
    let what = "network bytes of a container";
    let Some((_server, door)) = server(what) else { return };
    let Ok(listener) = elsewhere() else {
        return cannot_run(what, "this machine has no address but its loopback");
    };
    let there = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut stream = stream;
            let _all_read = std::io::copy(&mut stream, &mut std::io::sink());
        }
    });
    let mut inside = Inside::new(&door);
    inside.ctl(&format!("cap net:connect {there}"));
    inside.ctl("limit network=150K");
    let (ip, port) = (there.ip(), there.port());
    let program = format!(
        "require('net').connect({port}, '{ip}').on('error', e => console.log(e.code, e.message))
           .end(Buffer.alloc(100_000)).on('close', () => console.log('closed'))"
    );
    let counted = |inside: &Inside| {
        let usage = inside.door.text(&inside.path("usage"));
        let line = usage.lines().find_map(|line| line.strip_prefix("network ")).expect("a line").to_owned();
        line.parse::<u64>().expect("a number")
    };
    let until = |inside: &Inside, bytes: u64| {
        // The kernel tells when it has put the connection away.
        while counted(inside) < bytes {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    };
    let first = inside.run(&program);
    assert_eq!(inside.said(&first), "closed\n");
    until(&inside, 100_000);
    assert!(counted(&inside) < 100_100);
    let second = inside.run(&program);
    assert_eq!(inside.said(&second), "closed\n", "it is looked at when it begins");
    until(&inside, 200_000);
    let third = inside.run(&program);
    let said = inside.said(&third);
    let words = "limit network=150K of container 1 reached";
    assert!(said.starts_with("EACCES ") && said.ends_with("closed\n"), "{said}");
    assert!(said.contains(words), "the program is told of the limit: {said}");
    assert!(inside.door.text(&inside.path("status")).contains(&format!("limit '{words}'\n")));
    assert!(inside.limits.contains(&format!("limit network '{words}'")), "{:?}", inside.limits);
}

#[test]
fn a_component_listens_and_connects_on_its_containers_loopback_and_is_among_its_ports() {
    let what = "sockets of a component in a container";
    let Some((server, door)) = server(what) else { return };
    let component = guests().join("component-py.wasm");
    if !component.exists() {
        return cannot_run(what, "componentize-py could not be set up");
    }
    let mut inside = Inside::new(&door);
    inside.put("/home/c.wasm", &std::fs::read(component).expect("the program"));
    inside.compile(&server, "/home/c.wasm about");
    let id = inside.spawn("/home/c.wasm serve 9");
    let opened = inside.until(|line| line.starts_with("port "));
    assert_eq!(opened, format!("port 9 open {id}"));
    assert_eq!(door.list(&inside.path("ports")), ["9"]);
    assert!(door.text(&inside.path("ports/9/status")).contains(&format!("task {id}\n")));
    let data = door.open(&inside.path("ports/9/data"), OpenFlags::RDWR).expect("it listens");
    data.write_all(b"ping\n").expect("sent");
    assert_eq!(data.read(0, 100).expect("an answer"), b"pong\n");
    assert_eq!(inside.said(&id), "listening\nheard ping from 127.0.0.1\n");

    // The other way: to servers of another kind of program, by socket and by request.
    inside.run("require('net').createServer(c => c.on('data', d => c.end('heard ' + d))).listen(7)");
    inside.opened(7);
    inside.run(&hello(3000, "hello"));
    inside.opened(3000);
    for (words, answer) in [
        ("tcp 127.0.0.1 7", "got heard ping\n"),
        ("http localhost:3000", "got 200 hello /greeting\n"),
        ("http 127.0.0.1:3000", "got 200 hello /greeting\n"),
        ("tcp 127.0.0.1 8", "failed ConnectionRefusedError\n"),
        ("http example.org:80", "failed HttpRequestDenied\n"),
    ] {
        let id = inside.spawn(&format!("/home/c.wasm {words}"));
        assert_eq!(inside.said(&id), answer, "{words}");
    }
    // In another container nobody listens there.
    let mut other = Inside::new(&door);
    other.put("/home/c.wasm", &door.read(&inside.path("mount/home/c.wasm")).expect("the program"));
    let id = other.spawn("/home/c.wasm tcp 127.0.0.1 7");
    assert_eq!(other.said(&id), "failed ConnectionRefusedError\n");
}

#[test]
fn two_hundred_wait_at_once_and_all_are_answered() {
    let Some((_server, door)) = server("200 connections at once") else { return };
    let mut inside = Inside::new(&door);
    inside.run(
        "const held = [];
        require('http').createServer((q, r) => {
          held.push([q.url, r]);
          if (held.length == 200) for (const [url, r] of held) r.end('answer ' + url);
        }).listen(3000)",
    );
    inside.opened(3000);
    let (host, gateway) = inside.url(3000);
    let clients: Vec<_> = (0..200)
        .map(|n| request(gateway, &format!("GET /{n}. HTTP/1.1\nHost: {host}\nConnection: close\n\n")))
        .collect();
    for (n, mut client) in clients.into_iter().enumerate() {
        let mut answer = String::new();
        client.read_to_string(&mut answer).expect("an answer");
        assert!(answer.contains(&format!("answer /{n}.")), "{answer}");
    }
}

#[test]
fn who_reads_slowly_holds_nobody_up_and_gets_it_all() {
    let Some((_server, door)) = server("a slow reader") else { return };
    const LENGTH: usize = 24 << 20;
    let mut inside = Inside::new(&door);
    inside.run(&format!(
        "require('http').createServer((q, r) => r.end(q.url == '/big' ? Buffer.alloc({LENGTH}, 'x') : 'small')).listen(3000)"
    ));
    inside.opened(3000);
    let (host, gateway) = inside.url(3000);
    let mut slow = request(gateway, &format!("GET /big HTTP/1.1\nHost: {host}\nConnection: close\n\n"));
    for _ in 0..50 {
        assert!(get(gateway, &host, "/").ends_with("small"));
    }
    let mut all = Vec::new();
    slow.read_to_end(&mut all).expect("the rest");
    let head = all.windows(4).position(|end| end == b"\r\n\r\n").expect("a head") + 4;
    assert_eq!(all.len() - head, LENGTH);
    assert!(all[head..].iter().all(|byte| *byte == b'x'));
}

#[test]
fn the_data_of_a_port_is_a_connection_for_each_who_opens_it() {
    let Some((_server, door)) = server("the data of a port") else { return };
    let mut inside = Inside::new(&door);
    inside.run(
        "require('net').createServer({ allowHalfOpen: true }, c => {
          const all = [];
          c.on('data', d => { all.push(d); if (String(d).endsWith('\\n')) c.end('line: ' + Buffer.concat(all)) });
          c.on('end', () => c.end('all: ' + Buffer.concat(all)));
        }).listen(9)",
    );
    inside.opened(9);
    let data = inside.path("ports/9/data");
    let read_all = |file: &Opened| {
        let mut text = Vec::new();
        loop {
            let more = file.read(text.len() as u64, 4096).expect("it can be read");
            if more.is_empty() {
                return String::from_utf8(text).expect("text");
            }
            text.extend(more);
        }
    };
    let open = || door.open(&data, OpenFlags::RDWR).expect("it listens");
    let (one, two) = (open(), open());
    one.write_all(b"first\n").expect("sent");
    two.write_all(b"second\n").expect("sent");
    assert_eq!(read_all(&two), "line: second\n");
    assert_eq!(read_all(&one), "line: first\n");
    // A shell's way: written and closed, which ends what is sent; then read, in the order it was written.
    for word in ["third", "fourth"] {
        door.write(&data, word.as_bytes()).expect("sent");
    }
    assert_eq!(door.text(&data), "all: third");
    assert_eq!(door.text(&data), "all: fourth");
}

#[test]
fn a_web_socket_goes_through_the_gateway() {
    let what = "WebSockets through the gateway";
    let Some((_server, door)) = server(what) else { return };
    let package = guests().with_file_name("node-packages").join("node_modules/ws");
    if !package.exists() {
        return cannot_run(what, "the packages could not be installed");
    }
    let mut inside = Inside::new(&door);
    // Its files name each other and nothing else.
    for entry in std::fs::read_dir(package.join("lib")).expect("the package") {
        let path = entry.expect("a file").path();
        let name = path.file_name().expect("a name").to_str().expect("text").to_owned();
        door.put(&inside.path(&format!("mount/tmp/{name}")), &std::fs::read(&path).expect("its text"));
    }
    inside.run(
        "const WebSocketServer = require('/tmp/websocket-server.js');
        new WebSocketServer({ port: 3000 }).on('connection', c => c.on('message', m => c.send('echo ' + m)))",
    );
    inside.opened(3000);
    let (host, gateway) = inside.url(3000);
    let mut socket = request(
        gateway,
        &format!(
            "GET /chat HTTP/1.1\nHost: {host}\nConnection: keep-alive, Upgrade\nUpgrade: websocket\n\
             Sec-WebSocket-Version: 13\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\n\n"
        ),
    );
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        socket.read_exact(&mut byte).expect("a head");
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).expect("text").to_lowercase();
    assert!(head.starts_with("http/1.1 101"), "{head}");
    // The key of RFC 6455, section 1.3, and its answer there.
    assert!(head.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="), "{head}");
    for word in ["hello", "again"] {
        // A text in one frame, masked with zeros.
        let mut frame = vec![0x81, 0x80 | word.len() as u8, 0, 0, 0, 0];
        frame.extend(word.as_bytes());
        socket.write_all(&frame).expect("sent");
        let expected = format!("echo {word}");
        let mut answer = vec![0; 2 + expected.len()];
        socket.read_exact(&mut answer).expect("an answer");
        assert_eq!(&answer[2..], expected.as_bytes());
    }
}
