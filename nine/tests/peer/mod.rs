//! The other end of a session, frame by frame.

#![allow(dead_code, reason = "each test crate uses its part")]

use std::sync::Arc;
use std::time::Duration;

use nine::server::{Config, Observed, ServeError, serve_observed};
use nine::wire::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::memory::Memory;

const PATIENCE: Duration = Duration::from_secs(if cfg!(miri) { 600 } else { 5 });

pub struct Peer {
    stream: DuplexStream,
    served: JoinHandle<Result<(), ServeError>>,
    dialect: Dialect,
    queued: Vec<u8>,
}

/// A Twalk with names of its own.
pub struct Walk(Fid, Fid, NamesBuf);

pub fn walk(fid: u32, newfid: u32, names: &[&str]) -> Walk {
    Walk(Fid(fid), Fid(newfid), NamesBuf::new(names).expect("at most sixteen"))
}

impl Walk {
    pub fn as_message(&self) -> Tmessage<'_> {
        Tmessage::Walk { fid: self.0, newfid: self.1, names: self.2.as_names() }
    }
}

impl Peer {
    /// Before Tversion.
    pub fn fresh(memory: Arc<Memory>, config: Config) -> Self {
        Self::observed(memory, config, Arc::default())
    }

    pub fn observed(memory: Arc<Memory>, config: Config, observed: Arc<Observed>) -> Self {
        let (stream, theirs) = tokio::io::duplex(1 << 16);
        let served = tokio::spawn(serve_observed(memory, Arc::new(42), theirs, config, observed));
        Self { stream, served, dialect: Dialect::P9P2000L, queued: Vec::new() }
    }

    pub async fn with(memory: Arc<Memory>, dialect: Dialect, msize: u32) -> Self {
        let mut peer = Self::fresh(memory, Config::default());
        peer.version(dialect, msize).await;
        peer
    }

    /// .L, with fid 0 for the root.
    pub async fn attached(memory: Arc<Memory>) -> Self {
        let mut peer = Self::with(memory, Dialect::P9P2000L, 1 << 20).await;
        peer.attach().await;
        peer
    }

    pub async fn version(&mut self, dialect: Dialect, msize: u32) {
        self.dialect = dialect;
        let version = Name(dialect.version().as_bytes());
        self.ask(0xffff, Tmessage::Version { msize: Msize(msize), version }).await;
        self.expect(0xffff, Rmessage::Version { msize: Msize(msize), version }).await;
    }

    pub async fn attach(&mut self) {
        let (uname, aname, n_uname) = (Name(b"glenda"), Name(b""), Extension(Some(Uid(1000))));
        self.ask(0, Tmessage::Attach { fid: Fid(0), afid: Fid::NONE, uname, aname, n_uname }).await;
        self.expect_kind(0, "Rattach").await;
    }

    pub async fn open(&mut self, fid: u32, names: &[&str], flags: OpenFlags) {
        self.queue(900, walk(0, fid, names).as_message());
        self.queue(901, Tmessage::Lopen { fid: Fid(fid), flags });
        self.send().await;
        self.expect_walk(900, names.len()).await;
        self.expect_kind(901, "Rlopen").await;
    }

    /// In whichever dialect is spoken.
    pub async fn open_for_reading(&mut self, fid: u32, names: &[&str]) {
        if self.dialect == Dialect::P9P2000L {
            return self.open(fid, names, OpenFlags::empty()).await;
        }
        self.queue(900, walk(0, fid, names).as_message());
        self.queue(901, Tmessage::Open { fid: Fid(fid), mode: OpenMode::empty() });
        self.send().await;
        self.expect_walk(900, names.len()).await;
        self.expect_kind(901, "Ropen").await;
    }

    pub fn queue(&mut self, tag: u16, message: Tmessage<'_>) {
        message.encode(self.dialect, Tag(tag), &mut self.queued).expect("a message of the dialect");
    }

    pub async fn send(&mut self) {
        let bytes = std::mem::take(&mut self.queued);
        self.send_bytes(&bytes).await;
    }

    /// Sends the first `len` bytes of what is queued, and no more of it.
    pub async fn send_part(&mut self, len: usize) {
        let bytes = std::mem::take(&mut self.queued);
        self.send_bytes(&bytes[..len]).await;
    }

    pub async fn send_bytes(&mut self, bytes: &[u8]) {
        timeout(PATIENCE, self.stream.write_all(bytes)).await.expect("in time").expect("the stream takes it");
    }

    pub async fn ask(&mut self, tag: u16, message: Tmessage<'_>) {
        self.queue(tag, message);
        self.send().await;
    }

    pub async fn next_frame(&mut self) -> Vec<u8> {
        timeout(PATIENCE, async {
            let mut frame = vec![0; 4];
            self.stream.read_exact(&mut frame).await.expect("a reply");
            let size = u32::from_le_bytes(frame[..4].try_into().expect("four bytes"));
            frame.resize(size as usize, 0);
            self.stream.read_exact(&mut frame[4..]).await.expect("a whole reply");
            frame
        })
        .await
        .expect("a reply in time")
    }

    /// The next reply's tag, and the reply as debugging shows it (with its data as text).
    pub async fn next(&mut self) -> (u16, String) {
        let frame = self.next_frame().await;
        let (tag, message) = Rmessage::decode(self.dialect, &frame).expect("a good reply");
        let text = match message {
            Rmessage::Read { data } => format!("Rread {}", data.0.escape_ascii()),
            other => format!("{} {other:?}", other.name()),
        };
        (tag.0, text)
    }

    pub async fn expect(&mut self, tag: u16, message: Rmessage<'_>) {
        let frame = self.next_frame().await;
        let decoded = Rmessage::decode(self.dialect, &frame).expect("a good reply");
        assert_eq!(decoded, (Tag(tag), message));
    }

    pub async fn expect_kind(&mut self, tag: u16, name: &str) {
        let frame = self.next_frame().await;
        let (got, message) = Rmessage::decode(self.dialect, &frame).expect("a good reply");
        assert_eq!((got, message.name()), (Tag(tag), name), "{message:?}");
    }

    /// The next reply is of that kind, whatever its tag.
    pub async fn expect_kind_of_any(&mut self, name: &str) {
        let (_, reply) = self.next().await;
        assert!(reply.starts_with(name), "{reply}");
    }

    pub async fn expect_walk(&mut self, tag: u16, names: usize) {
        let frame = self.next_frame().await;
        match Rmessage::decode(self.dialect, &frame) {
            Ok((got, Rmessage::Walk { qids })) => {
                assert_eq!((got, qids.as_slice().len()), (Tag(tag), names));
            }
            other => panic!("no Rwalk: {other:?}"),
        }
    }

    pub async fn expect_silence(&mut self) {
        let mut byte = [0];
        let silence = timeout(Duration::from_millis(50), self.stream.read(&mut byte)).await;
        assert!(silence.is_err(), "something came");
    }

    /// What is left to read until the server closes.
    pub async fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        timeout(PATIENCE, self.stream.read_to_end(&mut rest))
            .await
            .expect("the end in time")
            .expect("an end");
        rest
    }

    pub async fn hang_up(self) -> Result<(), ServeError> {
        drop(self.stream);
        timeout(PATIENCE, self.served).await.expect("the session ends").expect("it does not panic")
    }

    /// Waits for the server to throw us out.
    pub async fn thrown_out(mut self) -> ServeError {
        self.rest().await;
        let served = timeout(PATIENCE, self.served).await.expect("the session ends");
        served.expect("it does not panic").expect_err("a fault")
    }
}
