//! A server that gives back as many bytes as a real one would, without looking at what it was asked. That is the floor: what is
//! left is the kernel's, the socket and waking the other side.

use crate::plain::Manner;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpListener;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// The first argument that makes this program the floor.
pub const FLOOR: &str = "floor";
/// The second, that makes it one that does not sleep.
pub const AWAKE: &str = "awake";

/// How long it looks for more before it sleeps after all.
const LOOKS: Duration = Duration::from_micros(50);

type Socket = Box<dyn Stream>;
trait Stream: Read + Write + AsFd + Send {}
impl<S: Read + Write + AsFd + Send> Stream for S {}

/// Serves at `address` until killed: asleep with a thread for each connection, awake with one for each processor.
pub fn serve(address: &str, manner: Manner) -> io::Result<()> {
    let accept: Box<dyn Fn() -> io::Result<Socket>> = match address.split_once(':') {
        Some(("unix", path)) => {
            let listener = UnixListener::bind(path)?;
            Box::new(move || Ok(Box::new(listener.accept()?.0)))
        }
        Some(("tcp", address)) => {
            let listener = TcpListener::bind(address)?;
            Box::new(move || {
                let (stream, _) = listener.accept()?;
                stream.set_nodelay(true)?;
                Ok(Box::new(stream))
            })
        }
        _ => panic!("{address}: neither unix: nor tcp:"),
    };
    if manner == Manner::Asleep {
        loop {
            let mut stream = accept()?;
            std::thread::spawn(move || while answer(&mut stream).is_ok() {});
        }
    }
    let mut lanes = Vec::new();
    for _ in 0..std::thread::available_parallelism()?.get() {
        let lane = Arc::new(Lane { epoll: epoll::create(CreateFlags::CLOEXEC)?, all: Mutex::default() });
        lanes.push(lane.clone());
        std::thread::spawn(move || lane.run());
    }
    for turn in 0.. {
        lanes[turn % lanes.len()].add(accept()?)?;
    }
    Ok(())
}

/// A thread's connections.
struct Lane {
    epoll: OwnedFd,
    /// Never taken away: it does not serve long.
    all: Mutex<Vec<Arc<Mutex<Socket>>>>,
}

impl Lane {
    fn add(&self, stream: Socket) -> io::Result<()> {
        rustix::io::ioctl_fionbio(&*stream, true)?;
        let stream = Arc::new(Mutex::new(stream));
        let mut all = self.all.lock().expect("no one panics with it");
        all.push(stream.clone());
        let at = EventData::new_u64(all.len() as u64 - 1);
        let stream = stream.lock().expect("no one panics with it");
        Ok(epoll::add(&self.epoll, &**stream, at, EventFlags::IN | EventFlags::ET)?)
    }

    fn run(&self) -> io::Result<()> {
        let mut events = Vec::with_capacity(64);
        let mut known = Vec::new();
        let mut since = Instant::now();
        loop {
            events.clear();
            let timeout = (since.elapsed() < LOOKS).then(Timespec::default);
            let came =
                epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), timeout.as_ref());
            if came? == 0 {
                continue;
            }
            since = Instant::now();
            for event in &events {
                let at = event.data.u64() as usize;
                if at >= known.len() {
                    known.clone_from(&self.all.lock().expect("no one panics with it"));
                }
                let mut stream = known[at].lock().expect("no one panics with it");
                // One that has gone says nothing any more.
                let _ended = answer(&mut stream);
            }
        }
    }
}

/// Answers a request with as many bytes as a server would.
fn answer(stream: &mut Socket) -> io::Result<()> {
    const TVERSION: u8 = 100;
    const TATTACH: u8 = 104;
    const TWALK: u8 = 110;
    const TLOPEN: u8 = 12;
    const TREAD: u8 = 116;
    let mut request = [0; 256];
    let mut reply = [0; 11 + 4096];
    let n = stream.read(&mut request)?;
    if n < 7 {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    let size = match request[4] {
        TVERSION => n,
        TATTACH => 7 + 13,
        TWALK => 7 + 2 + 13,
        TLOPEN => 7 + 13 + 4,
        TREAD => 7 + 4 + u32::from_le_bytes(*request[19..].first_chunk().expect("its count")) as usize,
        _ => 7,
    };
    reply[..4].copy_from_slice(&(size as u32).to_le_bytes());
    reply[4] = request[4] + 1;
    reply[5..7].copy_from_slice(&request[5..7]);
    stream.write_all(&reply[..size])
}
