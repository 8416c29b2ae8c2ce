//! 9P over sockets: the server with its memory tree, beside a server of the same library that does nothing (the limit), and
//! beside diod, unpfs and p9ufs on tmpfs where they are on the path. Those that wait for answers are also asked by plain threads
//! (`plain.rs`).

use crate::floor;
use crate::plain::{self, Manner};
use crate::process::{Server, me, there_is, tmpfs};
use crate::report::{Goal, Report, median, percentile};
use nine::client::{Client, ClientError, Fid};
use nine::wire::{Dialect, Mode, Msize, OpenFlags};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tokio::net::{TcpStream, UnixStream};

/// The first argument that makes this program the server that does nothing.
pub const NOTHING: &str = "nothing";

const ROUNDS: usize = 3;
/// Large messages are over in a moment, and scatter: of them the median counts.
const ROUNDS_OF_LARGE: usize = 15;
/// Where a thread is woken, on its own processor or on another, is a throw of the dice that lasts for a round.
const ROUNDS_OF_PLAIN: usize = 9;
const REQUESTS: usize = 4000;
const CLIENTS: usize = 64;
const OF_EACH: usize = 400;
const MIB: usize = 1 << 20;
const TRANSFERS: usize = 200;
/// The file that all of them serve.
const FILE: &str = "data";

/// Connects to `unix:PATH` or `tcp:HOST:PORT` and attaches to the tree `aname`.
pub async fn attach(address: &str, dialect: Dialect, aname: &str) -> Result<Fid, ClientError> {
    let msize = Msize(MIB as u32 + 24);
    let client = match address.split_once(':') {
        Some(("unix", path)) => Client::connect(UnixStream::connect(path).await?, dialect, msize).await?,
        Some(("tcp", address)) => {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            Client::connect(stream, dialect, msize).await?
        }
        _ => panic!("{address}: neither unix: nor tcp:"),
    };
    let uid = rustix::process::geteuid().as_raw();
    client.attach(b"root", Some(nine::wire::Uid(uid)), aname.as_bytes()).await
}

/// A server under test, and its tree.
struct Target {
    address: String,
    process: u32,
    aname: String,
    /// It knows only the file that it has.
    fixed: bool,
    /// It answers requests that name one fid in the order in which they came.
    pipelines: bool,
}

/// What one server took, in the order of [`TIMES`] and [`RATES`].
#[derive(Default)]
struct Figures {
    times: [Vec<Duration>; TIMES.len()],
    rates: [f64; RATES.len()],
}

const TIMES: [&str; 3] = [
    "read of 1 byte, there and back",
    "walk, open, read 4 KiB, clunk, one by one",
    "the same four in one write",
];
const RATES: [(&str, &str); 5] = [
    ("64 clients, one request each in flight", "thousand/s"),
    ("64 clients: walk, open, read 4 KiB, clunk, one by one", "thousand/s"),
    ("one client, 64 requests in flight", "thousand/s"),
    ("reads of 1 MiB", "MB/s"),
    ("writes of 1 MiB", "MB/s"),
];

/// What is wanted of ours beside another: for each of [`TIMES`] of its median and its 99th percentile, and for each of
/// [`RATES`].
struct Goals {
    times: [(Option<Goal>, Option<Goal>); TIMES.len()],
    rates: [Option<Goal>; RATES.len()],
}

/// Beside a server that does nothing: 1.2 times its times and 1 / 1.2 of its rates; 1 / 1.1 where the data is what counts.
const OF_NOTHING: Goals = Goals {
    times: [
        (Some(Goal::AtMost(1.2)), None),
        (Some(Goal::AtMost(1.2)), Some(Goal::AtMost(2.0))),
        (None, None),
    ],
    rates: [
        Some(Goal::AtLeast(0.83)),
        Some(Goal::AtLeast(0.83)),
        None,
        Some(Goal::AtLeast(0.91)),
        Some(Goal::AtLeast(0.91)),
    ],
};

/// So many times the speed of another server, at the median and with 64 clients.
const fn times_faster(time: f64, rate: f64) -> Goals {
    Goals {
        times: [(None, None), (Some(Goal::AtMost(time)), None), (None, None)],
        rates: [Some(Goal::AtLeast(rate)), Some(Goal::AtLeast(rate)), None, None, None],
    }
}
const NO_GOALS: Goals = Goals { times: [(None, None); TIMES.len()], rates: [None; RATES.len()] };
const OF_DIOD: Goals = times_faster(0.33, 3.0);
const OF_UNPFS: Goals = times_faster(0.2, 5.0);
const OF_P9UFS: Goals = times_faster(1.0, 1.0);

/// The transports, and what a server's address on them begins with.
const TRANSPORTS: [(&str, &str); 2] = [("a unix socket", "unix"), ("loopback TCP", "tcp")];

pub fn run(report: &mut Report) {
    let ours = Server::start(&["--listen", "tcp://127.0.0.1:0"]);
    let process = ours.pid();
    let of_ours = |scheme: &str| {
        let address = if scheme == "unix" { ours.unix() } else { ours.tcp() };
        Target { address, process, aname: "/tmp".into(), fixed: false, pipelines: true }
    };
    let dir = ours.dir.path();
    let free = |scheme: &str, name: &str| match scheme {
        "unix" => format!("unix:{}/{name}", dir.display()),
        _ => format!("tcp:127.0.0.1:{}", free_port()),
    };
    let fixed = |running: &Running, address, pipelines| Target {
        address,
        process: running.0.id(),
        aname: String::new(),
        fixed: true,
        pipelines,
    };
    for (transport, scheme) in TRANSPORTS {
        report.section(&format!(
            "9P2000.L over {transport}: the memory tree beside a server that does nothing"
        ));
        let address = free(scheme, "nothing");
        let running = Running::start(me().arg(NOTHING).arg(&address));
        let nothing = fixed(&running, address, true);
        compare(report, &of_ours(scheme), "nothing", &nothing, &OF_NOTHING);
        report.section(&format!(
            "9P2000.L over {transport}, asked by a client that does not sleep: the memory tree beside a server that does nothing"
        ));
        compare_plain(report, &of_ours(scheme), "nothing", &nothing, &OF_NOTHING, Manner::Awake);
    }
    for (transport, scheme) in TRANSPORTS {
        for (manner, who, second) in [
            (Manner::Asleep, "plain threads", ""),
            (Manner::Awake, "a client that does not sleep", floor::AWAKE),
        ] {
            report.section(&format!(
                "9P2000.L over {transport}, asked by {who}: the memory tree beside sockets alone"
            ));
            let address = free(scheme, &format!("floor{second}"));
            let running = Running::start(me().arg(floor::FLOOR).arg(&address).arg(second));
            let floor = fixed(&running, address, false);
            compare_plain(report, &of_ours(scheme), "sockets alone", &floor, &NO_GOALS, manner);
        }
    }
    for (name, goals) in [("diod", &OF_DIOD), ("unpfs", &OF_UNPFS), ("p9ufs", &OF_P9UFS)] {
        for (transport, scheme) in TRANSPORTS {
            beside_peer(report, &of_ours(scheme), (name, goals), (transport, free(scheme, name)));
        }
    }
}

/// A peer that is on the path, serving a directory of tmpfs at `address`, asked in each way.
fn beside_peer(
    report: &mut Report,
    ours: &Target,
    (name, goals): (&str, &Goals),
    (transport, address): (&str, String),
) {
    report.section(&format!("9P2000.L over {transport}, beside {name} on tmpfs"));
    if !there_is(name) {
        report.note(name, "not run: not on the path");
        return;
    }
    let dir = tmpfs();
    // Made here: unpfs makes none where Tlcreate lacks O_CREAT, which only Linux repeats there.
    std::fs::write(dir.path().join(FILE), vec![7; MIB]).expect("tmpfs takes it");
    let path = dir.path().to_str().expect("a UTF-8 path").to_owned();
    let (scheme, at) = address.split_once(':').expect("an address of ours");
    // diod writes to peers that have hung up, and over a unix socket is killed for it where that is not ignored.
    let mut command = Command::new("sh");
    command.args(["-c", r#"trap "" PIPE; exec "$0" "$@""#, name]);
    // diod's tree goes by the name that it was exported by, the others' have none. unpfs puts what is behind the last `!` to the
    // path of its socket.
    let (aname, address) = match (name, scheme) {
        ("diod", _) => {
            command.args(["-f", "-n", "-N", "-l", at, "-e", &path]);
            (path, address.clone())
        }
        ("p9ufs", _) => {
            command.args(if scheme == "unix" { &["-unix"][..] } else { &[] }).args(["-root", &path, at]);
            (String::new(), address.clone())
        }
        (_, "unix") => {
            command.args([&format!("unix!{at}!0"), &path]);
            (String::new(), format!("{address}:0"))
        }
        _ => {
            command.args([&format!("tcp!{}", at.replace(':', "!")), &path]);
            (String::new(), address.clone())
        }
    };
    let peer = Running::start(&mut command);
    let target = Target { address, process: peer.0.id(), aname, fixed: false, pipelines: false };
    compare(report, ours, name, &target, goals);
    for (manner, who) in [(Manner::Asleep, "plain threads"), (Manner::Awake, "a client that does not sleep")]
    {
        report.section(&format!("9P2000.L over {transport}, asked by {who}, beside {name} on tmpfs"));
        compare_plain(report, ours, name, &target, goals, manner);
    }
}

/// As [`compare`], with a client of plain threads, for what waits for answers.
fn compare_plain(
    report: &mut Report,
    ours: &Target,
    name: &str,
    other: &Target,
    goals: &Goals,
    manner: Manner,
) {
    wait_for(&other.address);
    let mut taken = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS_OF_PLAIN {
        for (target, into) in [ours, other].into_iter().zip(&mut taken) {
            let at = (target.address.as_str(), target.process);
            match plain::measure(at, (&target.aname, FILE), REQUESTS, CLIENTS, manner) {
                Ok(one) => into.push(one),
                Err(error) => {
                    return report.note(name, &format!("not measured: {}: {error}", target.address));
                }
            }
        }
    }
    let [mine, theirs] = taken;
    type Times = fn(&plain::Taken) -> &Vec<Duration>;
    let of: [Times; 2] = [|one| &one.bytes, |one| &one.fours];
    for ((what, times), (half, most)) in TIMES.iter().zip(of).zip(goals.times) {
        let all =
            |taken: &[plain::Taken]| taken.iter().flat_map(|one| times(one).clone()).collect::<Vec<_>>();
        let (mine, theirs) = (all(&mine), all(&theirs));
        for (part, goal) in [(50, half), (99, most)] {
            let what = format!("{what}: p{part}");
            report.times(&what, percentile(&mine, part), name, percentile(&theirs, part), goal);
        }
    }
    for (i, (what, unit)) in RATES[..2].iter().enumerate() {
        let best = |taken: &[plain::Taken]| taken.iter().map(|one| one.of_many[i].rate).fold(0.0, f64::max);
        report.rates(what, unit, best(&mine), (name, best(&theirs)), goals.rates[i]);
        // The rate is bounded by both, and only one of them is the server's.
        type Part = fn(&plain::OfMany) -> Duration;
        let parts: [(&str, Part); 2] =
            [("the server's", |one| one.server), ("the client's", |one| one.client)];
        for (whose, part) in parts {
            let of = |taken: &[plain::Taken]| {
                median(&taken.iter().map(|one| part(&one.of_many[i])).collect::<Vec<_>>())
            };
            report.beside(&format!("{what}: processor time of each, {whose}"), of(&mine), name, of(&theirs));
        }
    }
}

/// Serves at `address` until killed.
pub fn serve_nothing(address: &str) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("threads");
    runtime.block_on(crate::nothing::listen(address)).expect(address);
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback");
    listener.local_addr().expect("a bound socket has one").port()
}

/// Until a server that was just started listens, or for five seconds.
fn wait_for(address: &str) {
    let (scheme, at) = address.split_once(':').expect("an address of ours");
    let began = Instant::now();
    let listens = || match scheme {
        "unix" => std::os::unix::net::UnixStream::connect(at).is_ok(),
        _ => std::net::TcpStream::connect(at).is_ok(),
    };
    while !listens() && began.elapsed() < Duration::from_secs(5) {
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A process that is killed when dropped.
struct Running(Child);

impl Running {
    fn start(command: &mut Command) -> Running {
        Running(
            command
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .expect("it starts"),
        )
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself, which its client has noticed.
        let _ended = self.0.kill();
        let _waited = self.0.wait();
    }
}

fn compare(report: &mut Report, ours: &Target, name: &str, other: &Target, goals: &Goals) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("threads");
    let (mut mine, mut theirs) = (Figures::default(), Figures::default());
    for _ in 0..ROUNDS {
        for (target, into) in [(ours, &mut mine), (other, &mut theirs)] {
            let one = match runtime.block_on(measure(target)) {
                Ok(one) => one,
                Err(error) => {
                    return report.note(name, &format!("not measured: {}: {error}", target.address));
                }
            };
            for (all, times) in into.times.iter_mut().zip(one.times) {
                all.extend(times);
            }
            for (best, rate) in into.rates.iter_mut().zip(one.rates) {
                *best = best.max(rate);
            }
        }
    }
    let mut large = [(); 4].map(|()| Vec::new());
    for _ in 0..ROUNDS_OF_LARGE {
        for (target, into) in [(ours, 0), (other, 2)] {
            match runtime.block_on(transfers(target)) {
                Ok((read, written)) => {
                    large[into].push(read);
                    large[into + 1].push(written);
                }
                Err(error) => {
                    return report.note(name, &format!("not measured: {}: {error}", target.address));
                }
            }
        }
    }
    let [read, written, their_read, their_written] = large.map(middle);
    (mine.rates[3], mine.rates[4]) = (read, written);
    (theirs.rates[3], theirs.rates[4]) = (their_read, their_written);
    for (i, what) in TIMES.iter().enumerate() {
        let (mine, theirs) = (&mine.times[i], &theirs.times[i]);
        if mine.is_empty() || theirs.is_empty() {
            continue;
        }
        for (part, goal) in [(50, goals.times[i].0), (99, goals.times[i].1)] {
            let what = format!("{what}: p{part}");
            report.times(&what, percentile(mine, part), name, percentile(theirs, part), goal);
        }
    }
    for (i, (what, unit)) in RATES.iter().enumerate() {
        report.rates(what, unit, mine.rates[i], (name, theirs.rates[i]), goals.rates[i]);
    }
}

fn middle(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

async fn measure(target: &Target) -> Result<Figures, ClientError> {
    let (address, aname) = (target.address.clone(), target.aname.clone());
    let Target { fixed, pipelines, .. } = *target;
    // On a worker: what runs on the main thread itself is woken from another.
    let work = tokio::spawn(async move {
        let root = attach_in_time(&address, &aname).await?;
        if !fixed {
            make(&root).await?;
        }
        let file = opened(&root).await?;
        let (root, file) = (&root, &file);
        let mut figures = Figures::default();
        figures.times[0] = timed(|| async move { file.read(0, 1).await.map(drop) }).await?;
        figures.times[1] = timed(|| walk_open_read_clunk(root)).await?;
        if pipelines {
            figures.times[2] =
                timed(|| async move { root.read_at_once([FILE], 4096).await.map(drop) }).await?;
        }
        figures.rates[0] = of_many_clients(&address, &aname).await?;
        figures.rates[1] = of_many_that_open(&address, &aname).await?;
        figures.rates[2] = of_one_client(opened(root).await?.into()).await?;
        Ok(figures)
    });
    work.await.map_err(std::io::Error::other)?
}

/// A server that was just started may not listen yet.
async fn attach_in_time(address: &str, aname: &str) -> Result<Fid, ClientError> {
    let began = Instant::now();
    loop {
        match attach(address, Dialect::P9P2000L, aname).await {
            Err(ClientError::Io(_)) if began.elapsed() < Duration::from_secs(5) => {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            attached => return attached,
        }
    }
}

/// Makes the file, one transfer long.
async fn make(root: &Fid) -> Result<(), ClientError> {
    if root.walk([FILE]).await.is_ok() {
        return Ok(());
    }
    let mut file = root.walk::<&str>([]).await?;
    file.create(FILE.as_bytes(), OpenFlags::RDWR, Mode(0o600)).await?;
    file.write_all(0, &vec![7; MIB]).await?;
    file.clunk().await
}

async fn opened(root: &Fid) -> Result<Fid, ClientError> {
    let mut file = root.walk([FILE]).await?;
    file.open(OpenFlags::RDWR).await?;
    Ok(file)
}

async fn timed<F>(work: impl Fn() -> F) -> Result<Vec<Duration>, ClientError>
where
    F: Future<Output = Result<(), ClientError>>,
{
    let mut times = Vec::with_capacity(REQUESTS);
    for _ in 0..REQUESTS {
        let began = Instant::now();
        work().await?;
        times.push(began.elapsed());
    }
    Ok(times)
}

async fn walk_open_read_clunk(root: &Fid) -> Result<(), ClientError> {
    let mut file = root.walk([FILE]).await?;
    file.open(OpenFlags::empty()).await?;
    file.read(0, 4096).await?;
    file.clunk().await
}

/// Runs `work` in as many tasks as there are clients; gives thousands a second of what each does so many times.
async fn rate<F>(times: usize, work: impl Fn() -> F) -> Result<f64, ClientError>
where
    F: Future<Output = Result<(), ClientError>> + Send + 'static,
{
    let began = Instant::now();
    let all: Vec<_> = (0..CLIENTS).map(|_| tokio::spawn(work())).collect();
    for one in all {
        one.await.map_err(std::io::Error::other)??;
    }
    Ok((CLIENTS * times) as f64 / began.elapsed().as_secs_f64() / 1e3)
}

async fn of_many_clients(address: &str, aname: &str) -> Result<f64, ClientError> {
    let mut files = Vec::new();
    for _ in 0..CLIENTS {
        files.push(opened(&attach(address, Dialect::P9P2000L, aname).await?).await?);
    }
    let files = std::sync::Mutex::new(files);
    rate(OF_EACH, || {
        let file = files.lock().expect("no one panics with it").pop().expect("one for each client");
        async move {
            for _ in 0..OF_EACH {
                file.read(0, 1).await?;
            }
            Ok(())
        }
    })
    .await
}

async fn of_many_that_open(address: &str, aname: &str) -> Result<f64, ClientError> {
    let mut roots = Vec::new();
    for _ in 0..CLIENTS {
        roots.push(attach(address, Dialect::P9P2000L, aname).await?);
    }
    let roots = std::sync::Mutex::new(roots);
    rate(OF_EACH / 2, || {
        let root = roots.lock().expect("no one panics with it").pop().expect("one for each client");
        async move {
            for _ in 0..OF_EACH / 2 {
                walk_open_read_clunk(&root).await?;
            }
            Ok(())
        }
    })
    .await
}

async fn of_one_client(file: std::sync::Arc<Fid>) -> Result<f64, ClientError> {
    rate(OF_EACH, || {
        let file = file.clone();
        async move {
            for _ in 0..OF_EACH {
                file.read(0, 1).await?;
            }
            Ok(())
        }
    })
    .await
}

async fn transfers(target: &Target) -> Result<(f64, f64), ClientError> {
    let (address, aname) = (target.address.clone(), target.aname.clone());
    let work = tokio::spawn(async move {
        let root = attach_in_time(&address, &aname).await?;
        transfer(&opened(&root).await?).await
    });
    work.await.map_err(std::io::Error::other)?
}

/// Megabytes a second, read and written; a server may agree to less than a megabyte a message.
async fn transfer(file: &Fid) -> Result<(f64, f64), ClientError> {
    let rate = |began: Instant| (TRANSFERS * MIB) as f64 / began.elapsed().as_secs_f64() / 1e6;
    let began = Instant::now();
    for _ in 0..TRANSFERS {
        let mut offset = 0;
        while offset < MIB {
            offset += file.read(offset as u64, MIB - offset).await?.len();
        }
    }
    let read = rate(began);
    let data = vec![7; MIB];
    let began = Instant::now();
    for _ in 0..TRANSFERS {
        file.write_all(0, &data).await?;
    }
    Ok((read, rate(began)))
}
