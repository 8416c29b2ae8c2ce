//! Requests that a client sends along with a walk: they need no answer to it, nor a server that keeps them in order.

mod memory;

use std::sync::Arc;
use std::time::Duration;

use memory::Memory;
use nine::client::{Client, ClientError};
use nine::server::{Config, serve};
use nine::wire::{
    AttrMask, Dialect, DotlError, HEADER, Mode, Msize, Name, OpenFlags, Qid, QidList, Rmessage, Tag, Tmessage,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::timeout;

const L: Dialect = Dialect::P9P2000L;

async fn connect(memory: &Arc<Memory>, dialect: Dialect) -> Client {
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    tokio::spawn(serve(memory.clone(), Arc::new(42), theirs, Config::default()));
    Client::connect(ours, dialect, Msize(65536)).await.expect("the server speaks it")
}

#[tokio::test]
async fn a_walk_brings_attributes_an_open_file_or_a_new_one_in_every_dialect() {
    for dialect in Dialect::ALL {
        let root = connect(&Memory::new(), dialect).await.attach(b"", None, b"").await.expect("a root");
        let (hello, attr) = root.walk_getattr(b"hello", AttrMask::BASIC).await.expect("there");
        assert_eq!((attr.size, attr.qid.path), (13, hello.qid().path), "{dialect}");
        let open = hello.opened(OpenFlags::empty()).await.expect("opens");
        assert_eq!(open.read(0, 5).await.expect("readable")[..], b"hello"[..]);
        assert_eq!(hello.walk::<&[u8]>([]).await.expect("is not open itself").qid(), hello.qid());
        let new = root.created(b"new", OpenFlags::RDWR, Mode(0o644)).await.expect("made");
        assert_eq!(new.write(0, b"abc").await.expect("writable"), 3);
        assert_eq!(root.read_file(["new"]).await.expect("readable"), b"abc", "{dialect}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_refused_and_its_fid_used_again() {
    let root = connect(&Memory::new(), L).await.attach(b"", None, b"").await.expect("a root");
    for _ in 0..100 {
        let refused = root.walk_getattr(b"missing", AttrMask::BASIC).await.expect_err("not there");
        assert_eq!(refused.errno(), Some(2));
    }
    root.walk(["hello"]).await.expect("a fid that the server takes");
    // A name that no message holds leaves the walk that it went with without a use.
    let long = vec![b'x'; 70_000];
    let refused = timeout(Duration::from_secs(5), root.created(&long, OpenFlags::empty(), Mode(0o644))).await;
    assert!(matches!(refused.expect("at once"), Err(ClientError::Unsayable(_))));
    for _ in 0..100 {
        root.walk(["hello"]).await.expect("a fid that the server takes");
    }
}

#[tokio::test]
async fn an_open_that_is_given_up_leaves_nothing_open() {
    let memory = Memory::new();
    let root = connect(&memory, L).await.attach(b"", None, b"").await.expect("a root");
    let slow = root.walk(["slow"]).await.expect("there");
    for turns in 0..50 {
        let open = slow.opened(OpenFlags::empty());
        let some_turns = async {
            for _ in 0..turns % 10 {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! { biased; _ = open => {}, () = some_turns => {} }
    }
    let closed = async {
        while memory.alive() > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(Duration::from_secs(5), closed).await.expect("all are closed in time");
    for _ in 0..100 {
        slow.opened(OpenFlags::empty()).await.expect("a fid that the server takes");
    }
}

async fn frame(stream: &mut DuplexStream) -> Vec<u8> {
    let mut frame = vec![0; HEADER];
    stream.read_exact(&mut frame).await.expect("a header");
    let size = u32::from_le_bytes([frame[0], frame[1], frame[2], frame[3]]) as usize;
    frame.resize(size, 0);
    stream.read_exact(&mut frame[HEADER..]).await.expect("the rest");
    frame
}

async fn reply(stream: &mut DuplexStream, tag: Tag, message: Rmessage<'_>) {
    let mut out = Vec::new();
    message.encode(L, tag, &mut out).expect("can be said");
    stream.write_all(&out).await.expect("the client reads");
}

/// A server that does what came last first.
async fn serve_backwards(mut stream: DuplexStream) {
    let version = frame(&mut stream).await;
    let Ok((tag, Tmessage::Version { msize, .. })) = Tmessage::decode(L, &version) else {
        panic!("no Tversion")
    };
    reply(&mut stream, tag, Rmessage::Version { msize, version: Name(b"9P2000.L") }).await;
    let attach = frame(&mut stream).await;
    let (tag, _) = Tmessage::decode(L, &attach).expect("Tattach");
    reply(&mut stream, tag, Rmessage::Attach { qid: Qid::default() }).await;
    let (walk, open) = (frame(&mut stream).await, frame(&mut stream).await);
    let Ok((tag, Tmessage::Lopen { fid: early, .. })) = Tmessage::decode(L, &open) else {
        panic!("no Tlopen")
    };
    // EBADF: nobody has walked there yet.
    reply(&mut stream, tag, Rmessage::Lerror { ecode: DotlError(9) }).await;
    let Ok((tag, Tmessage::Walk { newfid, .. })) = Tmessage::decode(L, &walk) else { panic!("no Twalk") };
    assert_eq!(newfid, early);
    reply(&mut stream, tag, Rmessage::Walk { qids: QidList::default() }).await;
    let open = frame(&mut stream).await;
    let Ok((tag, Tmessage::Lopen { fid, .. })) = Tmessage::decode(L, &open) else {
        panic!("no other Tlopen")
    };
    assert_eq!(fid, newfid);
    reply(&mut stream, tag, Rmessage::Lopen { qid: Qid { path: 7, ..Qid::default() }, iounit: 0 }).await;
    // The rest is clunked.
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.expect("the end");
}

#[tokio::test]
async fn a_request_that_a_server_let_overtake_its_walk_is_asked_again() {
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let server = tokio::spawn(serve_backwards(theirs));
    let client = Client::connect(ours, L, Msize(8192)).await.expect("connects");
    let root = client.attach(b"", None, b"").await.expect("a root");
    let open = timeout(Duration::from_secs(5), root.opened(OpenFlags::empty())).await.expect("in time");
    assert_eq!(open.expect("opens").qid().path, 7);
    let ended = client.ended();
    drop((root, client));
    assert!(matches!(timeout(Duration::from_secs(5), ended).await.expect("in time"), ClientError::Closed));
    server.await.expect("it was asked what it expects");
}
