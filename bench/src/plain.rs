//! 9P by plain threads and system calls: a client that adds as little of its own to what a server takes as a program can.
//!
//! One that sleeps until it is answered adds how long it takes to be woken, which is the same for every server and more than
//! most of them take. So there is one that does not sleep, too: that measures the servers.

use crate::process::{own_processor_time, processor_time};
use nine::wire::{Dialect, Extension, Fid, Msize, Name, NamesBuf, OpenFlags, Tag, Tmessage, Uid};
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

const MSIZE: u32 = 64 << 10;

/// How a client waits for its answers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// It sleeps in a blocking call, each connection in one of a thread of its own.
    Asleep,
    /// It asks the socket until the answer is there. Of many connections each processor has a thread, which sleeps where none
    /// of its connections has an answer.
    Awake,
}

trait Stream: Read + Write + AsFd + Send {}
impl<S: Read + Write + AsFd + Send> Stream for S {}

/// A connection, attached, its root fid 0.
struct Connection {
    stream: Box<dyn Stream>,
    reply: Vec<u8>,
}

fn frame(message: &Tmessage<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    message.encode(Dialect::P9P2000L, Tag(1), &mut bytes).expect("a message of the dialect");
    bytes
}

impl Connection {
    fn attached(address: &str, aname: &str) -> io::Result<Connection> {
        let stream: Box<dyn Stream> = match address.split_once(':') {
            Some(("unix", path)) => Box::new(UnixStream::connect(path)?),
            Some(("tcp", address)) => {
                let stream = TcpStream::connect(address)?;
                stream.set_nodelay(true)?;
                Box::new(stream)
            }
            _ => panic!("{address}: neither unix: nor tcp:"),
        };
        let mut connection = Connection { stream, reply: vec![0; MSIZE as usize] };
        let version = Name(Dialect::P9P2000L.version().as_bytes());
        connection.call(&frame(&Tmessage::Version { msize: Msize(MSIZE), version }))?;
        let uid = Extension(Some(Uid(rustix::process::geteuid().as_raw())));
        connection.call(&frame(&Tmessage::Attach {
            fid: Fid(0),
            afid: Fid::NONE,
            uname: Name(b"root"),
            aname: Name(aname.as_bytes()),
            n_uname: uid,
        }))?;
        Ok(connection)
    }

    /// Asks, and waits for the answer; an Rlerror is an error.
    fn call(&mut self, frame: &[u8]) -> io::Result<()> {
        self.stream.write_all(frame)?;
        self.answered()
    }

    fn answered(&mut self) -> io::Result<()> {
        let mut have = 0;
        loop {
            let n = match self.stream.read(&mut self.reply[have..]) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    std::hint::spin_loop();
                    continue;
                }
                read => read?,
            };
            if n == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            have += n;
            if let Some(size) = self.reply[..have].first_chunk::<4>()
                && u32::from_le_bytes(*size) as usize <= have
            {
                break;
            }
        }
        let error = self.reply[4] == 7;
        if error { Err(io::Error::other(format!("refused: {:?}", &self.reply[..have]))) } else { Ok(()) }
    }
}

/// What is asked, as bytes.
struct Asked {
    walk: Vec<u8>,
    open: Vec<u8>,
    read: Vec<u8>,
    read_byte: Vec<u8>,
    clunk: Vec<u8>,
}

impl Asked {
    fn of(name: &str) -> Asked {
        let (fid, names) = (Fid(1), NamesBuf::new([name]).expect("one name"));
        Asked {
            walk: frame(&Tmessage::Walk { fid: Fid(0), newfid: fid, names: names.as_names() }),
            open: frame(&Tmessage::Lopen { fid, flags: OpenFlags::empty() }),
            read: frame(&Tmessage::Read { fid, offset: 0, count: 4096 }),
            read_byte: frame(&Tmessage::Read { fid, offset: 0, count: 1 }),
            clunk: frame(&Tmessage::Clunk { fid }),
        }
    }
}

/// What a server took.
#[derive(Default)]
pub struct Taken {
    /// Reads of a byte.
    pub bytes: Vec<Duration>,
    /// Walk, open, read of 4 KiB, clunk, one after the other.
    pub fours: Vec<Duration>,
    /// The same two, by as many connections at once as were asked for.
    pub of_many: [OfMany; 2],
}

/// What many connections had, each with one request in flight.
#[derive(Default)]
pub struct OfMany {
    /// Thousands a second.
    pub rate: f64,
    /// The processor time of each, the server's and the client's.
    pub server: Duration,
    pub client: Duration,
}

/// Asks the server at `address`, which is process `server`, for its file `name`: `times` of each, and then by so many
/// connections at once.
pub fn measure(
    (address, server): (&str, u32),
    (aname, name): (&str, &str),
    times: usize,
    clients: usize,
    manner: Manner,
) -> io::Result<Taken> {
    let asked = Asked::of(name);
    let mut connection = Connection::attached(address, aname)?;
    rustix::io::ioctl_fionbio(&*connection.stream, manner == Manner::Awake)?;
    let mut taken = Taken::default();
    for _ in 0..times {
        let began = Instant::now();
        for frame in [&asked.walk, &asked.open, &asked.read, &asked.clunk] {
            connection.call(frame)?;
        }
        taken.fours.push(began.elapsed());
    }
    connection.call(&asked.walk)?;
    connection.call(&asked.open)?;
    for _ in 0..times {
        let began = Instant::now();
        connection.call(&asked.read_byte)?;
        taken.bytes.push(began.elapsed());
    }
    let mut all = Vec::with_capacity(clients);
    for _ in 0..clients {
        let mut connection = Connection::attached(address, aname)?;
        connection.call(&asked.walk)?;
        connection.call(&asked.open)?;
        all.push(connection);
    }
    for connection in &mut all {
        rustix::io::ioctl_fionbio(&*connection.stream, manner == Manner::Awake)?;
    }
    taken.of_many[0] = of_many(&mut all, &[&asked.read_byte], times / 10, server, manner)?;
    for connection in &mut all {
        connection.call(&asked.clunk)?;
    }
    let four = [&asked.walk[..], &asked.open, &asked.read, &asked.clunk];
    taken.of_many[1] = of_many(&mut all, &four, times / 20, server, manner)?;
    Ok(taken)
}

/// Asks the server, which is process `server`, for all of `requests`, one after the other, `each` times by each of `all`.
fn of_many(
    all: &mut [Connection],
    requests: &[&[u8]],
    each: usize,
    server: u32,
    manner: Manner,
) -> io::Result<OfMany> {
    let (server_had, client_had) = (processor_time(server), own_processor_time());
    let began = Instant::now();
    match manner {
        Manner::Asleep => by_a_thread_each(all, requests, each)?,
        Manner::Awake => by_a_thread_for_each_processor(all, requests, each)?,
    }
    let times = all.len() * each;
    Ok(OfMany {
        rate: times as f64 / began.elapsed().as_secs_f64() / 1e3,
        server: (processor_time(server) - server_had) / times as u32,
        client: (own_processor_time() - client_had) / times as u32,
    })
}

fn by_a_thread_each(all: &mut [Connection], requests: &[&[u8]], each: usize) -> io::Result<()> {
    let ask = |connection: &mut Connection| {
        (0..each).try_for_each(|_| requests.iter().try_for_each(|request| connection.call(request)))
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = all.iter_mut().map(|connection| scope.spawn(|| ask(connection))).collect();
        threads.into_iter().try_for_each(|thread| thread.join().expect("a client does not panic"))
    })
}

fn by_a_thread_for_each_processor(all: &mut [Connection], requests: &[&[u8]], each: usize) -> io::Result<()> {
    let threads = std::thread::available_parallelism()?.get();
    std::thread::scope(|scope| {
        let threads: Vec<_> = all
            .chunks_mut(all.len().div_ceil(threads))
            .map(|some| scope.spawn(|| in_turn(some, requests, each)))
            .collect();
        threads.into_iter().try_for_each(|thread| thread.join().expect("a client does not panic"))
    })
}

/// Asks by all of them, each as soon as it was answered.
fn in_turn(some: &mut [Connection], requests: &[&[u8]], each: usize) -> io::Result<()> {
    let waiting = epoll::create(CreateFlags::CLOEXEC)?;
    let mut left = vec![each * requests.len(); some.len()];
    // One that has a multiple of them left begins anew.
    let next = |left: usize| requests[(requests.len() - left % requests.len()) % requests.len()];
    for (at, connection) in some.iter_mut().enumerate() {
        epoll::add(
            &waiting,
            &*connection.stream,
            EventData::new_u64(at as u64),
            EventFlags::IN | EventFlags::ET,
        )?;
        connection.stream.write_all(requests[0])?;
    }
    let mut busy = some.len();
    let mut events = Vec::with_capacity(some.len());
    while busy > 0 {
        events.clear();
        epoll::wait(&waiting, rustix::buffer::spare_capacity(&mut events), None)?;
        for event in &events {
            let at = event.data.u64() as usize;
            some[at].answered()?;
            left[at] -= 1;
            if left[at] > 0 {
                some[at].stream.write_all(next(left[at]))?;
            } else {
                busy -= 1;
            }
        }
    }
    Ok(())
}
