//! 9P2000 and .u, frame by frame: what has no counterpart in .L.

mod memory;
mod peer;

use memory::Memory;
use nine::wire::*;
use peer::Peer;

async fn classic(dialect: Dialect) -> (std::sync::Arc<Memory>, Peer) {
    let memory = Memory::new();
    let mut peer = Peer::with(memory.clone(), dialect, 8192).await;
    peer.attach().await;
    (memory, peer)
}

async fn walked(peer: &mut Peer, fid: u32, names: &[&str]) {
    peer.ask(1, peer::walk(0, fid, names).as_message()).await;
    peer.expect_walk(1, names.len()).await;
}

/// The stat records of an Rread, and how many bytes they are.
async fn entries(peer: &mut Peer, dialect: Dialect) -> (Vec<String>, u64) {
    let frame = peer.next_frame().await;
    let Ok((_, Rmessage::Read { data })) = Rmessage::decode(dialect, &frame) else { panic!("{frame:?}") };
    let mut names = Vec::new();
    let mut left = data.0;
    while !left.is_empty() {
        let (stat, rest) = Stat::decode(dialect, left).expect("whole records");
        names.push(String::from_utf8_lossy(stat.name.0).into_owned());
        left = rest;
    }
    (names, data.0.len() as u64)
}

async fn stat(peer: &mut Peer, dialect: Dialect, fid: u32) -> OwnedStat {
    peer.ask(1, Tmessage::Stat { fid: Fid(fid) }).await;
    let frame = peer.next_frame().await;
    match Rmessage::decode(dialect, &frame) {
        Ok((_, Rmessage::Stat { stat })) => stat.to_owned(),
        other => panic!("no Rstat: {other:?}"),
    }
}

#[tokio::test]
async fn errors_are_words_and_in_the_unix_dialect_a_number_too() {
    for (dialect, errno) in [(Dialect::P9P2000, None), (Dialect::P9P2000U, Some(UnixErrno(2)))] {
        let (_, mut peer) = classic(dialect).await;
        peer.ask(1, peer::walk(0, 1, &["nothing"]).as_message()).await;
        let ename = Name(b"file does not exist");
        peer.expect(1, Rmessage::Error { ename, errno: Extension(errno) }).await;
    }
}

#[tokio::test]
async fn a_directory_reads_as_whole_stats_and_only_on_from_where_the_last_read_ended() {
    for dialect in [Dialect::P9P2000, Dialect::P9P2000U] {
        let (_, mut peer) = classic(dialect).await;
        walked(&mut peer, 1, &[]).await;
        peer.ask(1, Tmessage::Open { fid: Fid(1), mode: OpenMode::empty() }).await;
        peer.expect_kind(1, "Ropen").await;
        let (mut all, mut offset) = (Vec::new(), 0);
        loop {
            peer.ask(1, Tmessage::Read { fid: Fid(1), offset, count: 150 }).await;
            let (names, len) = entries(&mut peer, dialect).await;
            if len == 0 {
                break;
            }
            offset += len;
            all.extend(names);
        }
        assert_eq!(all, ["big", "d", "hello", "link", "pipe", "slow", "stuck"]);
        peer.ask(1, Tmessage::Read { fid: Fid(1), offset: 5, count: 150 }).await;
        peer.expect_kind(1, "Rerror").await;
        peer.ask(1, Tmessage::Read { fid: Fid(1), offset: 0, count: 20 }).await;
        peer.expect_kind(1, "Rerror").await;
        // From 0 it starts again.
        peer.ask(1, Tmessage::Read { fid: Fid(1), offset: 0, count: 8000 }).await;
        assert_eq!(entries(&mut peer, dialect).await.0.len(), 7);
    }
}

/// As Linux reads a directory: it asks for the rest of its buffer before it looks at what it got.
#[tokio::test]
async fn whoever_asks_for_the_rest_of_a_count_gets_what_fits_or_nothing_and_goes_on() {
    for dialect in [Dialect::P9P2000, Dialect::P9P2000U] {
        let (_, mut peer) = classic(dialect).await;
        walked(&mut peer, 1, &[]).await;
        peer.ask(1, Tmessage::Open { fid: Fid(1), mode: OpenMode::empty() }).await;
        peer.expect_kind(1, "Ropen").await;
        let (mut all, mut offset) = (Vec::new(), 0);
        loop {
            let (before, mut left) = (offset, 250);
            while left > 0 {
                peer.ask(1, Tmessage::Read { fid: Fid(1), offset, count: left }).await;
                let (names, len) = entries(&mut peer, dialect).await;
                if len == 0 {
                    break;
                }
                all.extend(names);
                offset += len;
                left -= len as u32;
            }
            if offset == before {
                break;
            }
        }
        assert_eq!(all, ["big", "d", "hello", "link", "pipe", "slow", "stuck"]);
    }
}

#[tokio::test]
async fn stats_tell_names_kinds_and_where_links_lead() {
    let (_, mut peer) = classic(Dialect::P9P2000U).await;
    let root = stat(&mut peer, Dialect::P9P2000U, 0).await;
    assert_eq!(root.as_stat().name, Name(b"/"));
    assert!(root.as_stat().mode.contains(Perm::DIR));
    walked(&mut peer, 1, &["d", "e", "leaf"]).await;
    let leaf = stat(&mut peer, Dialect::P9P2000U, 1).await;
    let leaf = leaf.as_stat();
    assert_eq!((leaf.name, leaf.length, leaf.n_uid), (Name(b"leaf"), 5, Extension(Some(Uid(7)))));
    walked(&mut peer, 2, &["link"]).await;
    let link = stat(&mut peer, Dialect::P9P2000U, 2).await;
    assert!(link.as_stat().mode.contains(Perm::SYMLINK));
    assert_eq!(link.as_stat().extension, Extension(Some(Name(b"hello"))));
    walked(&mut peer, 3, &["d", "e", ".."]).await;
    assert_eq!(stat(&mut peer, Dialect::P9P2000U, 3).await.as_stat().name, Name(b"d"));
}

#[tokio::test]
async fn create_makes_files_directories_and_in_the_unix_dialect_links() {
    let (_, mut peer) = classic(Dialect::P9P2000U).await;
    let create = |fid, name: &'static str, perm, extension: &'static str| Tmessage::Create {
        fid: Fid(fid),
        name: Name(name.as_bytes()),
        perm,
        mode: OpenMode::empty(),
        extension: Extension(Some(Name(extension.as_bytes()))),
    };
    walked(&mut peer, 1, &[]).await;
    peer.ask(1, create(1, "dir", Perm::DIR | Perm::from_bits_retain(0o755), "")).await;
    peer.expect_kind(1, "Rcreate").await;
    // It is open now, and empty.
    peer.ask(1, Tmessage::Read { fid: Fid(1), offset: 0, count: 8000 }).await;
    peer.expect(1, Rmessage::Read { data: Data(b"") }).await;
    walked(&mut peer, 2, &[]).await;
    peer.ask(1, create(2, "sym", Perm::SYMLINK, "over/there")).await;
    peer.expect_kind(1, "Rcreate").await;
    let sym = stat(&mut peer, Dialect::P9P2000U, 2).await;
    assert_eq!(
        (sym.as_stat().name, sym.as_stat().extension),
        (Name(b"sym"), Extension(Some(Name(b"over/there"))))
    );
    // A hard link names the file's fid.
    walked(&mut peer, 3, &["hello"]).await;
    walked(&mut peer, 4, &[]).await;
    peer.ask(1, create(4, "hard", Perm::LINK, "3\n")).await;
    peer.expect_kind(1, "Rcreate").await;
    walked(&mut peer, 5, &["hard"]).await;
    let (hello, hard) =
        (stat(&mut peer, Dialect::P9P2000U, 3).await, stat(&mut peer, Dialect::P9P2000U, 5).await);
    assert_eq!(hello.as_stat().qid, hard.as_stat().qid);
    // What exists is not made again, and a device has numbers.
    walked(&mut peer, 6, &[]).await;
    peer.ask(1, create(6, "hello", Perm::from_bits_retain(0o644), "")).await;
    peer.expect_kind(1, "Rerror").await;
    peer.ask(1, create(6, "dev", Perm::DEVICE, "c one two")).await;
    peer.expect_kind(1, "Rerror").await;
}

#[tokio::test]
async fn a_file_opened_to_be_removed_is_gone_after_its_clunk() {
    let (memory, mut peer) = classic(Dialect::P9P2000).await;
    walked(&mut peer, 1, &["hello"]).await;
    peer.ask(1, Tmessage::Open { fid: Fid(1), mode: OpenMode::RCLOSE }).await;
    peer.expect_kind(1, "Ropen").await;
    peer.ask(1, Tmessage::Clunk { fid: Fid(1) }).await;
    peer.expect(1, Rmessage::Clunk {}).await;
    assert_eq!(memory.alive(), 0);
    peer.ask(1, peer::walk(0, 1, &["hello"]).as_message()).await;
    peer.expect_kind(1, "Rerror").await;
}

#[tokio::test]
async fn the_end_of_the_connection_removes_such_a_file_too() {
    let (memory, mut peer) = classic(Dialect::P9P2000U).await;
    walked(&mut peer, 1, &["hello"]).await;
    peer.ask(1, Tmessage::Open { fid: Fid(1), mode: OpenMode::RCLOSE }).await;
    peer.expect_kind(1, "Ropen").await;
    peer.hang_up().await.expect("closing is no error");
    let mut other = Peer::attached(memory).await;
    other.ask(1, peer::walk(0, 1, &["hello"]).as_message()).await;
    other.expect_kind(1, "Rlerror").await;
}

#[tokio::test]
async fn wstat_renames_truncates_and_refuses_to_make_a_directory_of_a_file() {
    let dialect = Dialect::P9P2000;
    let (_, mut peer) = classic(dialect).await;
    walked(&mut peer, 1, &["hello"]).await;
    let wstat = |stat| Tmessage::Wstat { fid: Fid(1), stat };
    peer.ask(1, wstat(Stat { name: Name(b"bye"), length: 3, ..Stat::UNCHANGED })).await;
    peer.expect(1, Rmessage::Wstat {}).await;
    let bye = stat(&mut peer, dialect, 1).await;
    assert_eq!((bye.as_stat().name, bye.as_stat().length), (Name(b"bye"), 3));
    peer.ask(1, wstat(Stat { mode: Perm::DIR, ..Stat::UNCHANGED })).await;
    peer.expect_kind(1, "Rerror").await;
    peer.ask(1, wstat(Stat { length: 1 << 63, ..Stat::UNCHANGED })).await;
    peer.expect_kind(1, "Rerror").await;
    for name in ["a/b", "..", "."] {
        peer.ask(1, wstat(Stat { name: Name(name.as_bytes()), ..Stat::UNCHANGED })).await;
        peer.expect_kind(1, "Rerror").await;
    }
    peer.ask(1, wstat(Stat::UNCHANGED)).await;
    peer.expect(1, Rmessage::Wstat {}).await;
}

#[tokio::test]
async fn directories_are_not_opened_for_writing() {
    let (_, mut peer) = classic(Dialect::P9P2000).await;
    walked(&mut peer, 1, &["d"]).await;
    for mode in [OpenMode::WRITE, OpenMode::RDWR, OpenMode::TRUNC, OpenMode::RCLOSE] {
        peer.ask(1, Tmessage::Open { fid: Fid(1), mode }).await;
        peer.expect_kind(1, "Rerror").await;
    }
}
