//! 9P by plain threads and blocking calls: a client that adds as little of its own to what a server takes as a program
//! can, and a server that answers the same bytes without looking at them. That one is the floor: what is left is the
//! kernel's, the socket and waking the other side.

use crate::process::{own_processor_time, processor_time};
use nine::wire::{Dialect, Extension, Fid, Msize, Name, NamesBuf, OpenFlags, Tag, Tmessage, Uid};
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::{Duration, Instant};

/// The first argument that makes this program the floor.
pub const FLOOR: &str = "floor";

const MSIZE: u32 = 64 << 10;

trait Stream: Read + Write + Send {}
impl<S: Read + Write + Send> Stream for S {}

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
        let mut have = 0;
        loop {
            let n = self.stream.read(&mut self.reply[have..])?;
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
    /// Thousands of reads of a byte a second, by as many connections as were asked for.
    pub rate: f64,
    /// The processor time of each of these, the server's and the client's.
    pub server: Duration,
    pub client: Duration,
}

/// Asks the server at `address`, which is process `server`, for its file `name`: `times` of each, and then by `clients` threads
/// at once.
pub fn measure(
    (address, server): (&str, u32),
    aname: &str,
    name: &str,
    times: usize,
    clients: usize,
) -> io::Result<Taken> {
    let asked = Asked::of(name);
    let mut connection = Connection::attached(address, aname)?;
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
    let each = times / 10;
    let (server_had, client_had) = (processor_time(server), own_processor_time());
    let began = Instant::now();
    std::thread::scope(|scope| {
        let threads: Vec<_> = all
            .iter_mut()
            .map(|connection| scope.spawn(|| (0..each).try_for_each(|_| connection.call(&asked.read_byte))))
            .collect();
        threads.into_iter().try_for_each(|thread| thread.join().expect("a client does not panic"))
    })?;
    taken.rate = (clients * each) as f64 / began.elapsed().as_secs_f64() / 1e3;
    taken.server = (processor_time(server) - server_had) / (clients * each) as u32;
    taken.client = (own_processor_time() - client_had) / (clients * each) as u32;
    Ok(taken)
}

/// Serves the floor at `address` until killed: a thread for each connection.
pub fn serve_floor(address: &str) -> io::Result<()> {
    match address.split_once(':') {
        Some(("unix", path)) => {
            for stream in UnixListener::bind(path)?.incoming() {
                let stream = stream?;
                std::thread::spawn(move || answer(stream));
            }
        }
        Some(("tcp", address)) => {
            for stream in TcpListener::bind(address)?.incoming() {
                let stream = stream?;
                stream.set_nodelay(true)?;
                std::thread::spawn(move || answer(stream));
            }
        }
        _ => panic!("{address}: neither unix: nor tcp:"),
    }
    Ok(())
}

/// Answers every request with as many bytes as a server would.
fn answer(mut stream: impl Stream) -> io::Result<()> {
    const TVERSION: u8 = 100;
    const TATTACH: u8 = 104;
    const TWALK: u8 = 110;
    const TLOPEN: u8 = 12;
    const TREAD: u8 = 116;
    let mut request = [0; 256];
    let mut reply = vec![0; MSIZE as usize];
    loop {
        let n = stream.read(&mut request)?;
        if n < 7 {
            return Ok(());
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
        stream.write_all(&reply[..size])?;
    }
}
