//! HTTP through the gateway to a program in a container, beside the same program run by `node` and asked directly; and the
//! latter through a relay that copies bytes and does nothing else, which is what a process in between costs.

use crate::ninep::attach;
use crate::process::{Server, there_is};
use crate::report::{Report, median};
use crate::task::write;
use nine::client::ClientError;
use nine::wire::Dialect;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Each side is asked so often, in turn.
const RUNS: usize = 5;
const ANSWER: &str = "hello world\n";
/// Requests at once and in all, and how many times as long as the direct way they may take.
const LOADS: [(usize, usize, f64); 2] = [(1, 2000, 2.0), (16, 16_000, 2.0)];

/// Says which port it was given.
fn program(port: u16) -> String {
    format!(
        "const s = require(\"http\").createServer((q, r) => r.end({ANSWER:?})); \
         s.listen({port}, \"127.0.0.1\", () => console.log(s.address().port))"
    )
}

pub fn run(report: &mut Report) {
    report.section("HTTP through the gateway");
    let worker =
        std::env::current_exe().expect("a running program has a path").with_file_name("taskfs-node-v8");
    if !worker.exists() || !there_is("node") {
        report.note("all of it", "not run: V8 was not built, or there is no node");
        return;
    }
    let server =
        Server::start(&["--node", worker.to_str().expect("a UTF-8 path"), "--gateway", "127.0.0.1:0"]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let host = runtime.block_on(serve(&server)).expect("the server answers");
    let gateway = host.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
    let (node, direct) = node();
    let relay = relay(direct).expect("a free port");
    for (clients, requests, goal) in LOADS {
        let (mut ours, mut theirs, mut copied) = (Vec::new(), Vec::new(), Vec::new());
        for run in 0..=RUNS {
            let took = [(gateway, &*host), (direct, "localhost"), (relay, "localhost")]
                .map(|(port, host)| ask(port, host, clients, requests));
            // The first is for what is compiled when it is used.
            if run > 0 {
                ours.push(took[0]);
                theirs.push(took[1]);
                copied.push(took[2]);
            }
        }
        let what = format!("{requests} requests over {clients} kept connections");
        report.beat(&what, median(&ours), "node, directly", median(&theirs), goal);
        let what = format!("{what}: node through a relay that only copies");
        report.beside(&what, median(&copied), "node, directly", median(&theirs));
    }
    drop(node);
}

/// Starts the program in a container; the host that the gateway knows it by.
async fn serve(server: &Server) -> Result<String, ClientError> {
    let root = attach(&server.unix(), Dialect::P9P2000U, "/").await?;
    let id = root.read_file(["web", "container", "new"]).await?;
    let id = String::from_utf8_lossy(&id).trim().to_owned();
    write(&root, &format!("/web/container/{id}/ctl"), &format!("spawn node -e '{}'", program(3000))).await?;
    loop {
        if let Ok(url) = root.read_file(["web", "container", &id, "ports", "3000", "url"]).await {
            let url = String::from_utf8_lossy(&url).trim().to_owned();
            return Ok(url.trim_start_matches("http://").trim_end_matches('/').to_owned());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

struct Node(Child);

impl Drop for Node {
    fn drop(&mut self) {
        let _gone = self.0.kill().and_then(|()| self.0.wait());
    }
}

fn node() -> (Node, u16) {
    let mut child =
        Command::new("node").args(["-e", &program(0)]).stdout(Stdio::piped()).spawn().expect("node starts");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("it says its port");
    (Node(child), line.trim().parse().expect("a port"))
}

/// Listens, and copies what comes to `port`, and what is answered back: a thread for each connection, which waits for the one
/// and then for the other. Gives its own port.
fn relay(port: u16) -> std::io::Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let own = listener.local_addr()?.port();
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            // Ends with an error when the client goes.
            std::thread::spawn(move || copy(client, port));
        }
    });
    Ok(own)
}

fn copy(mut client: TcpStream, port: u16) -> std::io::Result<()> {
    let mut server = TcpStream::connect(("127.0.0.1", port))?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let mut bytes = [0; 4096];
    // Both are less than that, and come at once.
    loop {
        let count = client.read(&mut bytes)?;
        if count == 0 {
            return Ok(());
        }
        server.write_all(&bytes[..count])?;
        let count = server.read(&mut bytes)?;
        client.write_all(&bytes[..count])?;
    }
}

/// How long `clients` take for `requests`, each over a connection that is kept.
fn ask(port: u16, host: &str, clients: usize, requests: usize) -> Duration {
    let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..clients {
            scope.spawn(|| {
                let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
                stream.set_nodelay(true).expect("a socket");
                let mut answer = Vec::new();
                for _ in 0..requests / clients {
                    stream.write_all(request.as_bytes()).expect("it takes requests");
                    answer.clear();
                    while !answer.ends_with(ANSWER.as_bytes()) {
                        let mut bytes = [0; 4096];
                        let count = stream.read(&mut bytes).expect("an answer");
                        assert!(count > 0, "{}", String::from_utf8_lossy(&answer));
                        answer.extend(&bytes[..count]);
                    }
                }
            });
        }
    });
    began.elapsed()
}
