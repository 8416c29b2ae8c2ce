//! Who takes a connection's time or memory without using it is bounded, and who uses it does not notice.

mod memory;
mod peer;

use std::sync::Arc;
use std::time::Duration;

use memory::Memory;
use nine::server::{Buffers, Config, serve};
use nine::wire::*;
use peer::Peer;
use tokio::io::AsyncWriteExt;
use tokio::time::{sleep, timeout};

const SHORT: Duration = Duration::from_millis(50);
/// Many times as long as the limits that are tested.
const LONG: Duration = Duration::from_millis(400);
const PATIENCE: Duration = Duration::from_secs(20);

fn read(fid: u32, count: u32) -> Tmessage<'static> {
    Tmessage::Read { fid: Fid(fid), offset: 0, count }
}

async fn attached(memory: Arc<Memory>, config: Config) -> Peer {
    let mut peer = Peer::fresh(memory, config);
    peer.version(Dialect::P9P2000L, 1 << 20).await;
    peer.attach().await;
    peer
}

#[tokio::test]
async fn who_does_not_say_tversion_in_time_is_thrown_out_and_who_has_said_it_may_be_silent() {
    let config = Config { handshake: Some(SHORT), ..Config::default() };
    let silent = Peer::fresh(Memory::new(), config.clone());
    assert_eq!(silent.thrown_out().await.to_string(), "the peer was thrown out: no Tversion within 50ms");
    let mut half = Peer::fresh(Memory::new(), config.clone());
    half.send_bytes(&[19, 0, 0, 0, 100]).await;
    assert!(half.thrown_out().await.to_string().contains("no Tversion"));
    let mut good = Peer::fresh(Memory::new(), config);
    good.version(Dialect::P9P2000L, 8192).await;
    sleep(LONG).await;
    good.attach().await;
}

#[tokio::test]
async fn who_stops_in_the_middle_of_a_frame_or_drips_it_is_thrown_out() {
    let config = Config { stalled: Some(SHORT), ..Config::default() };
    let memory = Memory::new();
    let mut half = attached(memory.clone(), config.clone()).await;
    half.open(5, &["pipe"], OpenFlags::empty()).await;
    half.ask(1, read(5, 10)).await;
    half.send_bytes(&[0xff, 0xff, 0, 0, 118, 1, 0]).await;
    assert!(half.thrown_out().await.to_string().contains("the rest of a frame did not come within 50ms"));
    assert_eq!((memory.pending(), memory.alive()), (0, 0), "nothing is left behind");

    let (mut ours, theirs) = tokio::io::duplex(1 << 16);
    let served = tokio::spawn(serve(memory, Arc::new(42), theirs, config));
    ours.write_all(&[0xff, 0xff, 0, 0, 118, 1, 0]).await.expect("it is taken");
    // A byte now and again is no progress; at the end there is nobody to take one.
    while ours.write_all(&[0]).await.is_ok() {
        sleep(SHORT / 10).await;
    }
    let ended = timeout(PATIENCE, served).await.expect("it ends").expect("it does not panic");
    assert!(ended.expect_err("a fault").to_string().contains("rest of a frame"));
}

#[tokio::test]
async fn who_waits_for_an_answer_is_not_stalled() {
    let config =
        Config { stalled: Some(SHORT), handshake: Some(SHORT), idle: Some(SHORT), ..Config::default() };
    let memory = Memory::new();
    let mut peer = attached(memory.clone(), config).await;
    peer.open(5, &["pipe"], OpenFlags::empty()).await;
    peer.ask(1, read(5, 10)).await;
    sleep(LONG).await;
    memory.feed(b"at last");
    peer.expect(1, Rmessage::Read { data: Data(b"at last") }).await;
}

#[tokio::test]
async fn who_does_not_read_replies_is_thrown_out_and_who_reads_slowly_is_not() {
    let config = Config { stalled: Some(Duration::from_millis(200)), unread: 64 << 10, ..Config::default() };
    let (mut ours, theirs) = tokio::io::duplex(1 << 16);
    let memory = Memory::new();
    let served = tokio::spawn(serve(memory.clone(), Arc::new(42), theirs, config.clone()));
    let mut bytes = Vec::new();
    let version = Tmessage::Version { msize: Msize(1 << 20), version: Name(b"9P2000.L") };
    let (uname, aname, n_uname) = (Name(b""), Name(b""), Extension(Some(Uid(0))));
    let attach = Tmessage::Attach { fid: Fid(0), afid: Fid::NONE, uname, aname, n_uname };
    let walk = peer::walk(0, 5, &["big"]);
    let open = Tmessage::Lopen { fid: Fid(5), flags: OpenFlags::empty() };
    for message in [version, attach, walk.as_message(), open] {
        message.encode(Dialect::P9P2000L, Tag(1), &mut bytes).expect("a message");
    }
    for _ in 0..100 {
        read(5, 30_000).encode(Dialect::P9P2000L, Tag(1), &mut bytes).expect("a message");
    }
    ours.write_all(&bytes).await.expect("requests are small");
    let ended = timeout(PATIENCE, served).await.expect("it ends").expect("it does not panic");
    assert!(ended.expect_err("a fault").to_string().contains("replies were not read for 200ms"));
    assert_eq!(memory.alive(), 0);

    let mut slow = attached(memory, config).await;
    slow.open(5, &["big"], OpenFlags::empty()).await;
    for _ in 0..30 {
        slow.queue(1, read(5, 30_000));
    }
    slow.send().await;
    for _ in 0..30 {
        slow.expect_kind(1, "Rread").await;
        sleep(SHORT / 2).await;
    }
}

#[tokio::test]
async fn who_asks_nothing_and_waits_for_nothing_is_idle() {
    let config = Config { idle: Some(SHORT), ..Config::default() };
    let memory = Memory::new();
    let mut peer = attached(memory.clone(), config).await;
    peer.open(5, &["pipe"], OpenFlags::empty()).await;
    peer.ask(1, read(5, 10)).await;
    sleep(LONG).await;
    peer.ask(2, Tmessage::Flush { oldtag: Tag(1) }).await;
    peer.expect(2, Rmessage::Flush {}).await;
    assert!(peer.thrown_out().await.to_string().contains("nothing was asked for 50ms"));
    assert_eq!(memory.alive(), 0);
}

#[tokio::test]
async fn without_limits_nobody_is_thrown_out() {
    let mut peer = Peer::fresh(Memory::new(), Config::default());
    peer.send_bytes(&[19, 0]).await;
    sleep(LONG).await;
    peer.expect_silence().await;
    peer.send_bytes(&[0, 0, 100, 0xff, 0xff, 0, 32, 0, 0, 6, 0]).await;
    peer.send_bytes(b"9P2000").await;
    peer.expect_kind(0xffff, "Rversion").await;
}

#[tokio::test]
async fn requests_that_came_together_are_all_answered_however_little_may_be_unread() {
    let config = Config { unread: 1, ..Config::default() };
    let mut peer = attached(Memory::new(), config).await;
    for tag in 0..100 {
        peer.queue(tag, Tmessage::Getattr { fid: Fid(0), mask: AttrMask::BASIC });
    }
    peer.send().await;
    for tag in 0..100 {
        peer.expect_kind(tag, "Rgetattr").await;
    }
}

#[tokio::test]
async fn what_all_keep_together_is_bounded_and_those_who_keep_little_do_not_notice() {
    let shared = Buffers::new(4 << 20);
    let config = Config { shared: Some(shared.clone()), ..Config::default() };
    let memory = Memory::new();
    let mut hogs = Vec::new();
    for _ in 0..3 {
        let mut hog = attached(memory.clone(), config.clone()).await;
        hog.open(5, &["stuck"], OpenFlags::empty()).await;
        for tag in 0..100 {
            hog.queue(tag, read(5, 60_000));
        }
        // What waits is not answered: the getattr's answer says that all were looked at.
        hog.queue(1000, Tmessage::Getattr { fid: Fid(0), mask: AttrMask::BASIC });
        hog.send().await;
        let mut refused = 0;
        while let (tag, reply) = hog.next().await
            && tag != 1000
        {
            assert!(reply.contains("105"), "{reply}");
            refused += 1;
        }
        hogs.push((hog, refused));
    }
    let most = (4 << 20) + 3 * Buffers::FREE;
    assert!(shared.kept() <= most, "{} bytes are kept", shared.kept());
    assert!(hogs[0].1 > 0 && hogs[2].1 > hogs[0].1, "the last finds the least room");
    let mut modest = attached(memory.clone(), config).await;
    modest.open(5, &["pipe"], OpenFlags::empty()).await;
    modest.ask(1, read(5, 10)).await;
    modest.open(6, &["hello"], OpenFlags::empty()).await;
    modest.ask(2, read(6, 100)).await;
    modest.expect(2, Rmessage::Read { data: Data(b"hello, world\n") }).await;
    memory.feed(b"x");
    modest.expect(1, Rmessage::Read { data: Data(b"x") }).await;
    for (hog, _) in hogs {
        hog.hang_up().await.expect("they go");
    }
    modest.hang_up().await.expect("it goes");
    assert_eq!(shared.kept(), 0, "what has ended keeps nothing");
}
