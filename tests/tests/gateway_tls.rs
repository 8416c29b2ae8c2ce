//! The gateway for people on other machines: HTTPS and a token. On loopback here, with a real TLS client.

use nine::wire::Dialect;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tests::door::Door;
use tests::engines::engines;
use tests::inside::Inside;
use tests::{Server, cannot_run, finish, sh, taskfs, text};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

const TOKEN: &str = "5ff1d2c9a0b3847e6655d0c1b2a39485";
const LIMIT: Duration = Duration::from_secs(30);

/// ca.pem, server.pem, server.key and token, in a directory.
fn files() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let write = |name: &str, text: String| std::fs::write(dir.path().join(name), text).expect("written");
    let mut params = CertificateParams::new([]).expect("no names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    write("ca.pem", params.self_signed(&key).expect("signed").pem());
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().expect("a key");
    let mut params =
        CertificateParams::new(["localhost".to_owned(), "box.example".to_owned()]).expect("names");
    // OpenSSL takes two of one name for one.
    params.distinguished_name.push(DnType::CommonName, "box.example");
    write("server.pem", params.signed_by(&key, &issuer).expect("signed").pem());
    write("server.key", key.serialize_pem());
    write("token", format!("{TOKEN}\n"));
    dir
}

type Tls = StreamOwned<ClientConnection, TcpStream>;

struct Client {
    config: Arc<ClientConfig>,
    port: u16,
}

impl Client {
    fn new(dir: &std::path::Path, port: u16) -> Client {
        let mut roots = RootCertStore::empty();
        let cert = CertificateDer::from_pem_file(dir.join("ca.pem")).expect("a certificate");
        roots.add(cert).expect("an authority");
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Client { config: Arc::new(config), port }
    }

    /// A connection on which this was asked.
    fn ask(&self, host: &str, path: &str, headers: &str) -> Tls {
        let name = ServerName::try_from("localhost").expect("a name");
        let tls = ClientConnection::new(self.config.clone(), name).expect("a client");
        let stream = TcpStream::connect(("127.0.0.1", self.port)).expect("the gateway listens");
        stream.set_read_timeout(Some(LIMIT)).expect("a time");
        let mut stream = StreamOwned::new(tls, stream);
        let head = format!("GET {path} HTTP/1.1\nHost: {host}\n{headers}\n").replace('\n', "\r\n");
        stream.write_all(head.as_bytes()).expect("it takes requests");
        stream
    }

    /// The whole answer.
    fn get(&self, host: &str, path: &str, headers: &str) -> String {
        let mut answer = Vec::new();
        let mut stream = self.ask(host, path, &format!("{headers}Connection: close\n"));
        // A server that closes without a word of TLS has said all the same.
        let _closed = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }
}

/// Answers with what it was asked, and gives back what comes over a WebSocket's connection.
const PROGRAM: &str = "
    const server = require('http').createServer((ask, answer) => answer.end(JSON.stringify([ask.url, ask.headers])));
    server.on('upgrade', (ask, socket) => {
        socket.write('HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\n\\r\\n');
        socket.write(JSON.stringify([ask.url, ask.headers.cookie]) + '\\n');
        socket.pipe(socket);
    });
    server.listen(3000);";

#[test]
fn over_tls_whoever_says_the_token_comes_in_and_no_program_hears_it() {
    let Some(engine) = engines("a gateway with TLS and a token").into_iter().next() else { return };
    let dir = files();
    let file = |name: &str| dir.path().join(name).display().to_string();
    let server = Server::start(&[
        "--node",
        engine.worker(),
        "--gateway",
        "127.0.0.1:0",
        "--gateway-tls",
        &file("server.pem"),
        &file("server.key"),
        "--gateway-token-file",
        &file("token"),
    ]);
    let door = Door::nine(&server, Dialect::P9P2000U);
    let mut inside = Inside::new(&door);
    inside.run(PROGRAM);
    inside.opened(3000);
    let url = door.text(&inside.path("ports/3000/url"));
    let host = url.trim().strip_prefix("https://3000--1.").and_then(|rest| rest.strip_suffix('/'));
    let host = format!("3000--1.{}", host.unwrap_or_else(|| panic!("{url}")));
    let port = host.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
    let client = Client::new(dir.path(), port);

    let answer = client.get(&host, "/", "");
    assert!(answer.starts_with("HTTP/1.1 401 ") && answer.contains("token is missing"), "{answer}");
    assert!(answer.to_lowercase().contains("www-authenticate: bearer"), "{answer}");
    for wrong in [format!("Authorization: Bearer {TOKEN}0\n"), format!("Cookie: taskfs-gateway={TOKEN}\n")] {
        let answer = client.get(&host, "/", &wrong);
        assert!(answer.starts_with("HTTP/1.1 401 "), "{wrong}{answer}");
    }
    let answer = client.get(&host, "/?token=wrong", "");
    assert!(answer.starts_with("HTTP/1.1 401 ") && answer.contains("not the gateway's token"), "{answer}");

    let answer = client.get(&host, "/a?b=c", &format!("Authorization: Bearer {TOKEN}\nX-Own: kept\n"));
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("[\"/a?b=c\","), "{answer}");
    assert!(
        answer.contains("\"x-own\":\"kept\"") && answer.contains("\"x-forwarded-proto\":\"https\""),
        "{answer}"
    );
    assert!(!answer.contains(TOKEN) && !answer.contains("authorization"), "{answer}");
    // Any name will do for whoever has the token.
    let bearer = format!("Authorization: Bearer {TOKEN}\n");
    let answer = client.get("box.example", "/container/1/3000/x", &bearer);
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("[\"/x\","), "{answer}");
    let answer = client.get("3000--1.box.example", "/y", &bearer);
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("[\"/y\","), "{answer}");

    // A browser: the link, then the cookie.
    let answer = client.get(&host, &format!("/page?x=1&token={TOKEN}"), "");
    let header = |name: &str| {
        let line = answer.lines().find(|line| line.to_lowercase().starts_with(name));
        line.and_then(|line| line.split_once(": "))
            .unwrap_or_else(|| panic!("no {name}: {answer}"))
            .1
            .to_owned()
    };
    assert!(answer.starts_with("HTTP/1.1 303 ") && header("location") == "/page?x=1", "{answer}");
    let cookie = header("set-cookie");
    assert!(
        cookie.contains("; HttpOnly") && cookie.contains("; Secure") && !cookie.contains(TOKEN),
        "{cookie}"
    );
    let cookie = format!("Cookie: mine=1; {}\n", cookie.split(';').next().expect("a pair"));
    let answer = client.get(&host, "/page?x=1", &cookie);
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("\"cookie\":\"mine=1\""), "{answer}");

    // A WebSocket of that page.
    let upgrade = "Connection: Upgrade\nUpgrade: websocket\nSec-WebSocket-Version: 13\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\n";
    let mut stream = client.ask(&host, "/socket", &format!("{cookie}{upgrade}"));
    let mut came = String::new();
    let mut until = |stream: &mut Tls, end: &str| {
        while !came.ends_with(end) {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap_or_else(|e| panic!("{e} after {came}"));
            came.push(char::from(byte[0]));
        }
        came.clone()
    };
    let head = until(&mut stream, "[\"/socket\",\"mine=1\"]\n");
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    stream.write_all(b"there and back\n").expect("it is open");
    until(&mut stream, "there and back\n");
    let answer = client.get(&host, "/socket", upgrade);
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");

    // HTTP/2, as curl speaks it over TLS.
    if Command::new("curl").arg("--version").stdout(Stdio::null()).status().is_err() {
        return cannot_run("HTTP/2 through the gateway with TLS", "curl is not installed");
    }
    let line = "curl -sS --cacert $D/ca.pem -H \"Authorization: Bearer $T\" -w '\\n%{http_version} %{http_code}' \
        https://localhost:$P/container/1/3000/two";
    let (port, here) = (port.to_string(), dir.path().display().to_string());
    let said = text(sh(line, &[("D", &here), ("T", TOKEN), ("P", &port), ("no_proxy", "*")], LIMIT));
    assert!(said.starts_with("[\"/two\",") && said.ends_with("\n2 200"), "{said}");
}

#[test]
fn without_both_tls_and_a_token_no_other_machine_is_let_near() {
    let dir = files();
    let file = |name: &str| dir.path().join(name).display().to_string();
    std::fs::write(dir.path().join("two words"), "two words").expect("written");
    let refused = |args: &[&str]| {
        let mut command = Command::new(taskfs());
        command.args(["serve", "--listen", &format!("unix://{}/sock", dir.path().display())]).args(args);
        command.env("TASKFS_CACHE", dir.path().join("cache"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let done = finish(command.spawn().expect("taskfs starts"), &args.join(" "), LIMIT);
        (done.status.code(), String::from_utf8_lossy(&done.stderr).into_owned())
    };
    let open = ["--gateway", "0.0.0.0:0"];
    let tls = ["--gateway-tls", &file("server.pem"), &file("server.key")];
    let token = ["--gateway-token-file", &file("token")];
    for some in [&open[..], &[&open[..], &tls].concat(), &[&open[..], &token].concat()] {
        let (code, said) = refused(some);
        assert_eq!(code, Some(64), "{some:?}: {said}");
        assert!(said.contains("--gateway-tls and --gateway-token-file"), "{said}");
    }
    let here = ["--gateway", "127.0.0.1:0"];
    for (name, words) in [("missing", "No such file"), ("two words", "one word of printable characters")] {
        let (code, said) = refused(&[&here[..], &["--gateway-token-file", &file(name)]].concat());
        assert!(code == Some(66) && said.contains(name) && said.contains(words), "{said}");
    }
    let (code, said) =
        refused(&[&here[..], &["--gateway-tls", &file("token"), &file("server.key")]].concat());
    assert!(code == Some(66) && said.contains("token"), "{said}");
}
