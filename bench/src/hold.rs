//! What clients cost a server that do nothing but stay: ten thousand connections, and fids that are open.
//!
//! Both are differences of the server's resident memory, so what the allocator had at hand is not counted, and what it
//! rounds up is.

use crate::process::Server;
use crate::report::Report;
use futures_util::{StreamExt, stream};
use nine::client::{ClientError, Fid};
use nine::wire::{Dialect, Fid as FidNumber, Mode, Msize, Name, OpenFlags, Tag, Tmessage, Uid};
use rustix::process::{Resource, getrlimit, setrlimit};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Instant;

const CONNECTIONS: usize = 10_000;
/// Of one connection, which may have 65536.
const FIDS: usize = 50_000;
const IN_FLIGHT: usize = 64;
const KIB: f64 = 1024.0;

pub fn run(report: &mut Report) {
    report.section("What stays open, over a unix socket");
    let mut files = getrlimit(Resource::Nofile);
    files.current = files.maximum;
    // Where it is refused, the connections say so.
    let _as_many_as_there_are = setrlimit(Resource::Nofile, files);
    connections(report);
    fids(report);
}

fn connections(report: &mut Report) {
    let server = Server::start(&[]);
    let path = server.unix().trim_start_matches("unix:").to_owned();
    // What a first client makes the server allocate once is no connection's.
    let _first = idle(&path).expect("the server answers");
    let before = server.memory();
    let began = Instant::now();
    let mut held = Vec::new();
    let refused = (0..CONNECTIONS).find_map(|_| match idle(&path) {
        Ok(connection) => {
            held.push(connection);
            None
        }
        Err(error) => Some(error),
    });
    let took = began.elapsed();
    if let Some(error) = refused {
        return report.note(&format!("connection {}", held.len() + 1), &format!("refused: {error}"));
    }
    report.time(&format!("{CONNECTIONS} connections, each attached, one after the other"), took);
    let each = (server.memory() - before) as f64 / CONNECTIONS as f64 / KIB;
    report.limit("an idle connection, resident", each, "KiB", 64.0);
    let began = Instant::now();
    let one_more = idle(&path);
    assert!(one_more.is_ok(), "one more: {one_more:?}");
    report.time("one more, beside them", began.elapsed());
}

/// A connection that has attached: Tversion and Tattach, by a client that keeps nothing itself.
fn idle(path: &str) -> std::io::Result<UnixStream> {
    let mut stream = UnixStream::connect(path)?;
    let dialect = Dialect::P9P2000L;
    let version = Tmessage::Version { msize: Msize(1 << 20), version: Name(dialect.version().as_bytes()) };
    ask(&mut stream, Tag::NONE, &version)?;
    let uid = Uid(rustix::process::geteuid().as_raw());
    let attach = Tmessage::Attach {
        fid: FidNumber(0),
        afid: FidNumber::NONE,
        uname: Name(b"root"),
        aname: Name(b"/tmp"),
        n_uname: nine::wire::Extension(Some(uid)),
    };
    ask(&mut stream, Tag(0), &attach)?;
    Ok(stream)
}

fn ask(stream: &mut UnixStream, tag: Tag, message: &Tmessage<'_>) -> std::io::Result<()> {
    const RLERROR: u8 = 7;
    let mut frame = Vec::new();
    message.encode(Dialect::P9P2000L, tag, &mut frame).map_err(std::io::Error::other)?;
    stream.write_all(&frame)?;
    let mut header = [0; nine::wire::HEADER];
    stream.read_exact(&mut header)?;
    let size = u32::from_le_bytes([header[0], header[1], header[2], header[3]]) as usize;
    let mut body = vec![0; size - header.len()];
    stream.read_exact(&mut body)?;
    if header[4] == RLERROR {
        return Err(std::io::Error::other(format!("{} was refused: {body:?}", message.name())));
    }
    Ok(())
}

fn fids(report: &mut Report) {
    let server = Server::start(&[]);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let measured = runtime.expect("threads").block_on(open_fids(&server));
    let each = measured.expect("the server answers");
    report.limit(&format!("an open fid, of {FIDS} of one connection, resident"), each, "bytes", 2048.0);
}

/// Bytes of the server for each fid.
async fn open_fids(server: &Server) -> Result<f64, ClientError> {
    let root = crate::ninep::attach(&server.unix(), Dialect::P9P2000L, "/tmp").await?;
    let mut file = root.walk::<&str>([]).await?;
    file.create(b"data", OpenFlags::RDWR, Mode(0o600)).await?;
    let before = server.memory();
    let root = &root;
    let opened = stream::iter(0..FIDS).map(|_| async move {
        let mut fid = root.walk(["data"]).await?;
        fid.open(OpenFlags::RDWR).await?;
        Ok::<Fid, ClientError>(fid)
    });
    let opened: Vec<_> = opened.buffer_unordered(IN_FLIGHT).collect().await;
    let opened = opened.into_iter().collect::<Result<Vec<_>, _>>()?;
    let each = (server.memory() - before) as f64 / opened.len() as f64;
    drop(opened);
    Ok(each)
}
