//! Networks of one's own: who meets whom, what is told of listeners, what is counted.

use loopback::{Carried, Change, Connection, Loopback, cookie_of};
use rustix::net::{AddressFamily, SocketType, bind, listen, sockopt};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

fn listener(network: &Loopback, address: impl Into<SocketAddr>) -> io::Result<OwnedFd> {
    let address = address.into();
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = network.socket(family, SocketType::STREAM)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    bind(&socket, &address)?;
    listen(&socket, 16)?;
    network.listened();
    Ok(socket)
}

/// Answers every connection with `word`.
fn answering(socket: OwnedFd, word: &'static str) -> tokio::task::JoinHandle<()> {
    let listener = TcpListener::from_std(socket.into()).expect("a listener that does not block");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _peer_is_gone = stream.write_all(word.as_bytes()).await;
        }
    })
}

async fn word(network: &Loopback, port: u16) -> io::Result<String> {
    let mut text = String::new();
    network.connect(port).await?.read_to_string(&mut text).await?;
    Ok(text)
}

const ANY: Ipv4Addr = Ipv4Addr::UNSPECIFIED;
const ME: Ipv4Addr = Ipv4Addr::LOCALHOST;

#[tokio::test]
async fn two_networks_listen_on_one_port_without_meeting() {
    let (one, two) = (Loopback::new().unwrap(), Loopback::new().unwrap());
    assert_ne!(one.cookie(), two.cookie());
    let _first = answering(listener(&one, (ANY, 3000)).unwrap(), "one");
    let refused = word(&two, 3000).await.unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    let _second = answering(listener(&two, (ANY, 3000)).unwrap(), "two");
    assert_eq!(word(&one, 3000).await.unwrap(), "one");
    assert_eq!(word(&two, 3000).await.unwrap(), "two");
    let taken = listener(&one, (ME, 3000)).unwrap_err();
    assert_eq!(taken.kind(), io::ErrorKind::AddrInUse);
}

#[tokio::test]
async fn a_listener_at_any_address_of_localhost_is_found() {
    let network = Loopback::new().unwrap();
    let _v6 = answering(listener(&network, (Ipv6Addr::LOCALHOST, 1)).unwrap(), "::1");
    let _low = answering(listener(&network, (ME, 80)).unwrap(), "a port below 1024");
    let _both = answering(listener(&network, (Ipv6Addr::UNSPECIFIED, 3000)).unwrap(), "::");
    assert_eq!(word(&network, 1).await.unwrap(), "::1");
    assert_eq!(word(&network, 80).await.unwrap(), "a port below 1024");
    let mut stream = network.connect_to((ME, 3000).into()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "::", "over IPv4");
    let mut ports: Vec<u16> = network.listeners().unwrap().iter().map(SocketAddr::port).collect();
    ports.sort_unstable();
    assert_eq!(ports, [1, 80, 3000]);
}

#[tokio::test]
async fn nothing_leads_out_of_it_or_into_it() {
    let outside = TcpListener::bind((ME, 0)).await.unwrap();
    let port = outside.local_addr().unwrap().port();
    let network = Loopback::new().unwrap();
    assert_eq!(word(&network, port).await.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    let away = network.connect_to("192.0.2.1:80".parse().unwrap()).await.unwrap_err();
    assert_eq!(away.kind(), io::ErrorKind::NetworkUnreachable);
    let _inside = listener(&network, (ANY, 3999)).unwrap();
    let own = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    assert_ne!(cookie_of(own.as_fd()).unwrap(), network.cookie(), "this thread is where it was");
}

#[tokio::test]
async fn ports_are_told_of_as_they_open_and_close() {
    let network = Arc::new(Loopback::new().unwrap());
    let early = listener(&network, (ANY, 1000)).unwrap();
    let mut changes = network.watch().unwrap();
    assert_eq!(changes.next().await.unwrap(), Some(Change::Opened(1000)));
    let first = listener(&network, (ANY, 3000)).unwrap();
    assert_eq!(changes.next().await.unwrap(), Some(Change::Opened(3000)));
    let second = listener(&network, (Ipv6Addr::LOCALHOST, 3000)).unwrap();
    drop(early);
    assert_eq!(changes.next().await.unwrap(), Some(Change::Closed(1000)), "a second listener opens nothing");
    // Connections come and go without a word.
    let answers = answering(first, "hello");
    for _ in 0..300 {
        assert_eq!(word(&network, 3000).await.unwrap(), "hello");
    }
    answers.abort();
    assert!(answers.await.unwrap_err().is_cancelled());
    drop(second);
    assert_eq!(changes.next().await.unwrap(), Some(Change::Closed(3000)));
    drop(network);
    assert_eq!(changes.next().await.unwrap(), None);
}

#[tokio::test]
async fn what_goes_through_is_counted() {
    let (network, other) = (Loopback::new().unwrap(), Loopback::new().unwrap());
    let listening = TcpListener::from_std(listener(&network, (ME, 5)).unwrap().into()).unwrap();
    let before = network.traffic().unwrap().bytes;
    let (sent, taken) = tokio::join!(network.connect(5), listening.accept());
    let (mut sent, (mut taken, _)) = (sent.unwrap(), taken.unwrap());
    let taker = tokio::spawn(async move {
        let mut all = Vec::new();
        taken.read_to_end(&mut all).await.map(|_| all.len())
    });
    sent.write_all(&vec![7; 1 << 20]).await.unwrap();
    drop(sent);
    assert_eq!(taker.await.unwrap().unwrap(), 1 << 20);
    let bytes = network.traffic().unwrap().bytes - before;
    assert!((1 << 20..(1 << 20) + (1 << 17)).contains(&bytes), "{bytes}");
    assert_eq!(other.traffic().unwrap().bytes, 0);
}

#[tokio::test]
async fn what_connections_of_the_machine_carry_is_counted_to_their_end() {
    let carried = Carried::new().unwrap();
    let listening = TcpListener::bind((ME, 0)).await.unwrap();
    let stream = tokio::net::TcpStream::connect(listening.local_addr().unwrap()).await.unwrap();
    let (mut peer, _) = listening.accept().await.unwrap();
    let connection = Connection::of(stream.as_fd(), listening.local_addr().unwrap()).unwrap();
    let (mut input, mut output) = stream.into_split();
    peer.write_all(&[1; 1000]).await.unwrap();
    input.read_exact(&mut [0; 1000]).await.unwrap();
    output.write_all(&[1; 50_000]).await.unwrap();
    peer.read_exact(&mut vec![0; 50_000]).await.unwrap();
    let so_far = carried.so_far(&connection).unwrap().expect("it is open");
    assert!((51_000..51_010).contains(&so_far), "{so_far}");
    output.write_all(&[1; 7000]).await.unwrap();
    peer.read_exact(&mut vec![0; 7000]).await.unwrap();
    drop((input, output));
    drop(peer);
    let last = loop {
        let gone = carried.gone().await.unwrap();
        if let Some((_, bytes)) = gone.iter().find(|(cookie, _)| *cookie == connection.cookie) {
            break *bytes;
        }
    };
    assert!((58_000..58_010).contains(&last), "{last}");
    assert_eq!(carried.so_far(&connection).unwrap(), None);
}

/// Whether this test is run again as an ordinary user; where it can be, it is.
fn as_an_ordinary_user(test: &str) -> bool {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;
    if std::env::var_os("AS_A_USER").is_some() || rustix::process::geteuid().as_raw() != 0 {
        return true;
    }
    // Where that user can get at it.
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let program = dir.path().join("networks");
    // Not by this process: a child that another test starts meanwhile would have it open for writing, and it could not be run.
    let copied =
        std::process::Command::new("cp").arg(std::env::current_exe().unwrap()).arg(&program).status();
    assert!(copied.unwrap().success());
    let mut command = std::process::Command::new(program);
    command.args(["--exact", test, "--nocapture"]).env("AS_A_USER", "1").uid(54_321).gid(54_321);
    let done = command.output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(
        done.status.success() && said.contains("1 passed"),
        "{said}{}",
        String::from_utf8_lossy(&done.stderr)
    );
    false
}

#[tokio::test]
async fn an_ordinary_user_has_networks_too() {
    if !as_an_ordinary_user("an_ordinary_user_has_networks_too") {
        return;
    }
    let (one, two) = (Loopback::new().unwrap(), Loopback::new().unwrap());
    let _answers = answering(listener(&one, (ANY, 80)).unwrap(), "one");
    assert_eq!(word(&one, 80).await.unwrap(), "one");
    assert!(word(&two, 80).await.is_err());
    assert_eq!(one.listeners().unwrap().len(), 1);
}

/// The processes whose parent is this one.
fn children() -> Vec<rustix::process::Pid> {
    let me = std::process::id();
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let of =
        |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
    let all: String = tasks.map(|task| of(task.unwrap())).collect();
    assert_ne!(me, 0);
    all.split_whitespace().filter_map(|pid| rustix::process::Pid::from_raw(pid.parse().ok()?)).collect()
}

#[tokio::test]
async fn networks_outlive_a_maker_that_is_killed() {
    // In a process of its own, since the maker is one for all tests of this one.
    if !as_an_ordinary_user("networks_outlive_a_maker_that_is_killed") {
        return;
    }
    let network = Loopback::new().unwrap();
    let _answers = answering(listener(&network, (ANY, 3000)).unwrap(), "still here");
    let makers = children();
    assert_eq!(makers.len(), 1);
    rustix::process::kill_process(makers[0], rustix::process::Signal::KILL).unwrap();
    assert_eq!(word(&network, 3000).await.unwrap(), "still here");
    let _more = listener(&network, (ANY, 3001)).unwrap();
    assert!(Loopback::new().is_ok());
    assert_eq!(children().len(), 1, "the one that was killed is buried");
}
