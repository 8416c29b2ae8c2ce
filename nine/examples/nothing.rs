//! A server that does nothing: one directory, in it one file `data`, a gigabyte of nothing in particular, which takes
//! all writes and keeps none. What is measured against it is the protocol, not a file system.
//!
//! `nothing tcp:127.0.0.1:5640` or `nothing unix:/tmp/nothing.sock`

use std::sync::Arc;

use nine::server::{Answer, Config, Entry, Error, FileServer, Listing, Opened, Peer, serve};
use nine::wire::{Attr, AttrMask, DirEntryKind, Gid, Mode, OpenFlags, Qid, QidKind};
use tokio::net::{TcpListener, UnixListener};

/// The length of `data`.
const SIZE: u64 = 1 << 30;

struct Nothing;

#[derive(Clone, Copy, PartialEq, Eq)]
enum File {
    Root,
    Data,
}

impl File {
    fn qid(self) -> Qid {
        match self {
            Self::Root => Qid { kind: QidKind::DIR, version: 0, path: 1 },
            Self::Data => Qid { kind: QidKind::empty(), version: 0, path: 2 },
        }
    }
}

impl FileServer for Nothing {
    type Context = ();
    type Node = File;
    type Open = File;

    fn attach<'a>(&'a self, _: &'a Peer<'a, ()>) -> Answer<'a, File> {
        Answer::ok(File::Root)
    }

    fn qid(&self, node: &File) -> Qid {
        node.qid()
    }

    fn walk<'a>(&'a self, _: &'a File, name: &'a [u8]) -> Answer<'a, File> {
        match name {
            b"data" => Answer::ok(File::Data),
            b".." => Answer::ok(File::Root),
            _ => Error::NOT_FOUND.into(),
        }
    }

    fn open<'a>(&'a self, node: &'a File, _: OpenFlags) -> Answer<'a, Opened<File, File>> {
        Answer::ok(Opened { file: *node, node: None, is_stream: false, iounit: 0 })
    }

    fn create<'a>(
        &'a self,
        _: &'a File,
        _: &'a [u8],
        _: OpenFlags,
        _: Mode,
        _: Gid,
    ) -> Answer<'a, Opened<File, File>> {
        Error::PERMISSION.into()
    }

    /// The buffer is sent as it is: it holds zeros, or what an earlier reply of this connection left there.
    fn read<'a>(&'a self, _: &'a File, offset: u64, buf: &'a mut [u8]) -> Answer<'a, usize> {
        Answer::ok(buf.len().min(SIZE.saturating_sub(offset) as usize))
    }

    fn write<'a>(&'a self, _: &'a File, _: u64, data: &'a [u8]) -> Answer<'a, usize> {
        Answer::ok(data.len())
    }

    fn readdir<'a>(&'a self, _: &'a File, offset: u64, into: &'a mut Listing) -> Answer<'a, ()> {
        if offset == 0 {
            let (qid, kind) = (File::Data.qid(), DirEntryKind::REGULAR);
            // One entry fits whatever the client asks for, or the session says that it does not.
            let _fits = into.push(&Entry { qid, offset: 1, kind, name: b"data" });
        }
        Answer::ok(())
    }

    fn getattr<'a>(&'a self, node: &'a File, _: Option<&'a File>, _: AttrMask) -> Answer<'a, Attr> {
        let (mode, size) = match node {
            File::Root => (Mode(Mode::DIRECTORY | 0o755), 0),
            File::Data => (Mode(Mode::REGULAR | 0o666), SIZE),
        };
        Answer::ok(Attr { valid: AttrMask::BASIC, qid: node.qid(), mode, size, nlink: 1, ..Attr::default() })
    }
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "tcp:127.0.0.1:5640".into());
    listen(&address).await
}

pub async fn listen(address: &str) -> std::io::Result<()> {
    let config = Config::default();
    let files = Arc::new(Nothing);
    match address.split_once(':') {
        Some(("tcp", address)) => {
            let listener = TcpListener::bind(address).await?;
            loop {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                tokio::spawn(serve(files.clone(), Arc::new(()), stream, config.clone()));
            }
        }
        Some(("unix", path)) => {
            let listener = UnixListener::bind(path)?;
            loop {
                let (stream, _) = listener.accept().await?;
                tokio::spawn(serve(files.clone(), Arc::new(()), stream, config.clone()));
            }
        }
        _ => Err(std::io::Error::other(format!("neither tcp:HOST:PORT nor unix:PATH: {address}"))),
    }
}
