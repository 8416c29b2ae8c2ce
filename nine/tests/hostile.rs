//! What a session does with peers that break the protocol, or mean harm.

mod memory;
mod peer;

use memory::Memory;
use nine::server::Config;
use nine::wire::*;
use peer::Peer;

/// Sends these bytes on a good connection; says how the connection ended.
async fn sent(bytes: &[u8]) -> String {
    let memory = Memory::new();
    let mut peer = Peer::attached(memory.clone()).await;
    peer.open(5, &["pipe"], OpenFlags::empty()).await;
    peer.ask(1, Tmessage::Read { fid: Fid(5), offset: 0, count: 10 }).await;
    let mut other = Peer::attached(memory.clone()).await;
    peer.send_bytes(bytes).await;
    let fault = peer.thrown_out().await.to_string();
    assert_eq!((memory.pending(), memory.alive()), (0, 0), "nothing is left behind");
    other.ask(1, Tmessage::Getattr { fid: Fid(0), mask: AttrMask::BASIC }).await;
    other.expect_kind(1, "Rgetattr").await;
    fault
}

#[tokio::test]
async fn frames_of_impossible_sizes_end_the_connection_with_the_size_named() {
    assert!(sent(&[4, 0, 0, 0]).await.contains("it is 4 bytes long"));
    assert!(sent(&[0, 0, 0, 0, 0, 0, 0, 0]).await.contains("it is 0 bytes long"));
    assert!(sent(&[0xff; 64]).await.contains("it is 4294967295 bytes long; the agreed msize is 1048576"));
    let just_over = (1u32 << 20) + 1;
    assert!(sent(&just_over.to_le_bytes()).await.contains("1048577"));
}

#[tokio::test]
async fn replies_sent_as_requests_end_the_connection() {
    assert!(sent(&[7, 0, 0, 0, 121, 1, 0]).await.contains("type 121 is a reply"));
    assert!(sent(&[7, 0, 0, 0, 7, 1, 0]).await.contains("type 7 is a reply"));
}

#[tokio::test]
async fn bodies_that_do_not_fit_their_frame_end_the_connection_and_say_which_field() {
    assert!(
        sent(&[9, 0, 0, 0, 120, 1, 0, 5, 0]).await.contains("Tclunk: field fid needs 4 bytes, 2 are left")
    );
    assert!(sent(&[12, 0, 0, 0, 120, 1, 0, 5, 0, 0, 0, 0]).await.contains("Tclunk: 1 bytes after"));
    // A Twrite whose count is larger than what follows.
    let mut write = vec![24, 0, 0, 0, 118, 1, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    write.extend([0xff, 0xff, 0xff, 0xff, b'x']);
    assert!(sent(&write).await.contains("Twrite: field data needs 4294967295 bytes, 1 are left"));
}

#[tokio::test]
async fn a_walk_of_seventeen_names_ends_the_connection() {
    let mut walk = vec![0, 0, 0, 0, 110, 1, 0, 0, 0, 0, 0, 9, 0, 0, 0, 17, 0];
    walk.extend([1, 0, b'd'].repeat(17));
    walk[0] = walk.len() as u8;
    assert!(sent(&walk).await.contains("17 names"));
}

#[tokio::test]
async fn the_fault_is_told_to_the_peer_before_it_is_thrown_out() {
    let mut peer = Peer::attached(Memory::new()).await;
    peer.send_bytes(&[9, 0, 0, 0, 120, 44, 0, 5, 0]).await;
    // EPROTO.
    peer.expect(44, Rmessage::Lerror { ecode: DotlError(71) }).await;
    assert!(peer.rest().await.is_empty());
}

#[tokio::test]
async fn requests_of_other_dialects_and_of_none_are_refused_and_the_connection_lives() {
    let mut peer = Peer::attached(Memory::new()).await;
    peer.send_bytes(&[11, 0, 0, 0, 124, 1, 0, 0, 0, 0, 0]).await;
    peer.expect(1, Rmessage::Lerror { ecode: DotlError(95) }).await;
    peer.send_bytes(&[7, 0, 0, 0, 200, 1, 0]).await;
    peer.expect(1, Rmessage::Lerror { ecode: DotlError(95) }).await;
}

#[tokio::test]
async fn nothing_but_tversion_comes_first() {
    let mut peer = Peer::fresh(Memory::new(), Config::default());
    peer.ask(1, Tmessage::Clunk { fid: Fid(0) }).await;
    assert!(peer.thrown_out().await.to_string().contains("Tclunk before Tversion"));
    let mut peer = Peer::fresh(Memory::new(), Config::default());
    peer.ask(1, Tmessage::Getattr { fid: Fid(0), mask: AttrMask::BASIC }).await;
    assert!(peer.thrown_out().await.to_string().contains("Tgetattr before Tversion"));
}

#[tokio::test]
async fn unknown_versions_and_tiny_msizes_are_answered_with_unknown_and_large_ones_cut() {
    let mut peer = Peer::fresh(Memory::new(), Config::default());
    let mut ask = async |msize, version: &'static [u8], agreed, spoken: &'static [u8]| {
        peer.ask(0xffff, Tmessage::Version { msize: Msize(msize), version: Name(version) }).await;
        peer.expect(0xffff, Rmessage::Version { msize: Msize(agreed), version: Name(spoken) }).await;
    };
    ask(8192, b"9P1999", 8192, b"unknown").await;
    ask(8192, b"", 8192, b"unknown").await;
    ask(10, b"9P2000.L", 10, b"unknown").await;
    ask(8192, b"9P2000.e", 8192, b"9P2000").await;
    ask(8192, b"9P2000.L.Google.7", 8192, b"9P2000.L").await;
    ask(8192, b"9P2000.u.", 8192, b"9P2000.u").await;
    ask(8192, b"9P20001.L", 8192, b"unknown").await;
    ask(u32::MAX, b"9P2000.L", (1 << 20) + 24, b"9P2000.L").await;
    ask(256, b"9P2000.L", 256, b"9P2000.L").await;
}

#[tokio::test]
async fn a_peer_that_does_not_read_is_not_listened_to_for_ever() {
    let config = Config { unread: 64 << 10, ..Config::default() };
    let mut peer = Peer::fresh(Memory::new(), config);
    peer.version(Dialect::P9P2000L, 1 << 20).await;
    peer.attach().await;
    peer.open(5, &["big"], OpenFlags::empty()).await;
    // 60 MB of replies are asked for by 46 kB of requests (under Miri half a megabyte). What is not taken stays with us: the
    // duplex holds 64 kB, the session 64 kB and one reply.
    let asked = if cfg!(miri) { 16 } else { 2000 };
    for _ in 0..asked {
        peer.queue(1, Tmessage::Read { fid: Fid(5), offset: 0, count: 30_000 });
    }
    peer.send().await;
    for _ in 0..asked {
        peer.expect_kind(1, "Rread").await;
    }
}

#[tokio::test]
async fn fids_and_requests_in_flight_are_bounded() {
    let config = Config { fids: 4, in_flight: 3, ..Config::default() };
    let mut peer = Peer::fresh(Memory::new(), config);
    peer.version(Dialect::P9P2000L, 8192).await;
    peer.attach().await;
    peer.open(1, &["stuck"], OpenFlags::empty()).await;
    for fid in 2..4 {
        peer.ask(1, peer::walk(0, fid, &[]).as_message()).await;
        peer.expect_walk(1, 0).await;
    }
    peer.ask(1, peer::walk(0, 9, &[]).as_message()).await;
    peer.expect(1, Rmessage::Lerror { ecode: DotlError(24) }).await;
    for tag in 1..4 {
        peer.ask(tag, Tmessage::Read { fid: Fid(1), offset: 0, count: 1 }).await;
    }
    peer.ask(4, Tmessage::Read { fid: Fid(1), offset: 0, count: 1 }).await;
    peer.expect(4, Rmessage::Lerror { ecode: DotlError(105) }).await;
    // What need not wait is answered, and a flush makes room.
    peer.ask(5, Tmessage::Getattr { fid: Fid(0), mask: AttrMask::BASIC }).await;
    peer.expect_kind(5, "Rgetattr").await;
    peer.ask(5, Tmessage::Flush { oldtag: Tag(2) }).await;
    peer.expect(5, Rmessage::Flush {}).await;
    peer.ask(2, Tmessage::Read { fid: Fid(1), offset: 0, count: 1 }).await;
    peer.expect_silence().await;
}

#[tokio::test]
async fn frames_that_come_byte_by_byte_are_served_like_any_other() {
    let mut peer = Peer::attached(Memory::new()).await;
    let mut bytes = Vec::new();
    let getattr = Tmessage::Getattr { fid: Fid(0), mask: AttrMask::BASIC };
    getattr.encode(Dialect::P9P2000L, Tag(1), &mut bytes).expect("encodes");
    for byte in bytes {
        peer.send_bytes(&[byte]).await;
        tokio::task::yield_now().await;
    }
    peer.expect_kind(1, "Rgetattr").await;
}

#[tokio::test]
async fn a_write_larger_than_the_usual_buffer_arrives_whole() {
    let memory = Memory::new();
    let mut peer = Peer::attached(memory.clone()).await;
    peer.open(5, &["hello"], OpenFlags::RDWR).await;
    peer.open(6, &["slow"], OpenFlags::RDWR).await;
    let content: Vec<u8> = (0..700_000u32).map(|i| (i % 251) as u8).collect();
    let mut served = tokio::task::JoinSet::new();
    served.spawn(async move {
        for fid in [5, 6] {
            // The second answers late, and keeps the buffer it came in meanwhile.
            peer.queue(1, Tmessage::Write { fid: Fid(fid), offset: 0, data: Data(&content) });
            peer.queue(2, Tmessage::Getattr { fid: Fid(0), mask: AttrMask::BASIC });
            peer.send().await;
            let mut tags = [peer.next().await.0, peer.next().await.0];
            tags.sort_unstable();
            assert_eq!(tags, [1, 2]);
            peer.ask(1, Tmessage::Read { fid: Fid(fid), offset: 0, count: 1 << 20 }).await;
            peer.expect(1, Rmessage::Read { data: Data(&content) }).await;
        }
    });
    served.join_next().await.expect("one task").expect("no panic");
}
