//! The holes of other servers, one by one, at the level of messages: qemu's 9pfs, crosvm's p9, diod, lib9p. Which is which
//! stands in docs/hostile.md.

mod memory;
mod peer;

use memory::Memory;
use nine::wire::*;
use peer::{Peer, walk};

const EBADF: u32 = 9;
const E2BIG: u32 = 7;
const EBUSY: u32 = 16;
const EINVAL: u32 = 22;

async fn refused(peer: &mut Peer, message: Tmessage<'_>, errno: u32) {
    peer.ask(1, message).await;
    peer.expect(1, Rmessage::Lerror { ecode: DotlError(errno) }).await;
}

/// .u, with fid 0 for the root; errors carry their number.
async fn unix(memory: &std::sync::Arc<Memory>) -> Peer {
    let mut peer = Peer::with(memory.clone(), Dialect::P9P2000U, 1 << 20).await;
    peer.attach().await;
    peer
}

async fn refused_with_words(peer: &mut Peer, message: Tmessage<'_>) -> String {
    peer.ask(1, message).await;
    let (tag, reply) = peer.next().await;
    assert!(tag == 1 && reply.starts_with("Rerror"), "{reply}");
    reply
}

#[tokio::test]
async fn a_fid_that_was_clunked_is_unknown_to_every_request_even_of_the_same_write() {
    let memory = Memory::new();
    let mut peer = Peer::attached(memory.clone()).await;
    let one = walk(5, 6, &["hello"]);
    let name = Name(b"made");
    let (fid, mode, gid) = (Fid(5), Mode(0o644), Gid(0));
    let range = LockedRange { start: 0, length: 0, proc_id: 1, client_id: b"x" };
    let all = [
        one.as_message(),
        Tmessage::Lopen { fid, flags: OpenFlags::empty() },
        Tmessage::Lcreate { fid, name, flags: OpenFlags::RDWR, mode, gid },
        Tmessage::Read { fid, offset: 0, count: 10 },
        Tmessage::Write { fid, offset: 0, data: Data(b"x") },
        Tmessage::Readdir { fid, offset: 0, count: 100 },
        Tmessage::Getattr { fid, mask: AttrMask::ALL },
        Tmessage::Setattr { fid, attr: SetAttrFields::default() },
        Tmessage::Readlink { fid },
        Tmessage::Statfs { fid },
        Tmessage::Fsync { fid, datasync: Later(None) },
        Tmessage::Lock { fid, kind: LockKind::READ, flags: LockFlags::empty(), range },
        Tmessage::Getlock { fid, kind: LockKind::READ, range },
        Tmessage::Xattrwalk { fid, newfid: Fid(6), name: Name(b"") },
        Tmessage::Xattrcreate { fid, name, attr_size: 1, flags: XattrFlags::empty() },
        Tmessage::Mkdir { dfid: fid, name, mode, gid },
        Tmessage::Symlink { dfid: fid, name, target: name, gid },
        Tmessage::Mknod { dfid: fid, name, mode, major: 0, minor: 0, gid },
        Tmessage::Link { dfid: fid, fid: Fid(0), name },
        Tmessage::Link { dfid: Fid(0), fid, name },
        Tmessage::Rename { fid, dfid: Fid(0), name },
        Tmessage::Rename { fid: Fid(0), dfid: fid, name },
        Tmessage::Renameat { olddirfid: fid, oldname: name, newdirfid: Fid(0), newname: name },
        Tmessage::Renameat { olddirfid: Fid(0), oldname: name, newdirfid: fid, newname: name },
        Tmessage::Unlinkat { dirfid: fid, name, flags: UnlinkFlags::empty() },
        Tmessage::Clunk { fid },
        Tmessage::Remove { fid },
    ];
    for message in all {
        peer.queue(900, walk(0, 5, &["slow"]).as_message());
        peer.queue(901, Tmessage::Lopen { fid, flags: OpenFlags::RDWR });
        peer.queue(902, Tmessage::Clunk { fid });
        peer.queue(1, message);
        peer.send().await;
        let mut replies = std::collections::BTreeMap::new();
        for _ in 0..4 {
            let (tag, reply) = peer.next().await;
            replies.insert(tag, reply);
        }
        assert!(replies[&1].contains(&format!("DotlError({EBADF})")), "{}: {}", message.name(), replies[&1]);
        assert!(replies[&902].starts_with("Rclunk"));
    }
    assert_eq!(memory.alive(), 0, "no open file is left");
}

#[tokio::test]
async fn reading_and_writing_attributes_keeps_to_what_is_there_whatever_the_numbers() {
    let memory = Memory::new();
    let mut peer = Peer::attached(memory.clone()).await;
    let name = Name(b"user.x");
    let create =
        |attr_size| Tmessage::Xattrcreate { fid: Fid(5), name, attr_size, flags: XattrFlags::empty() };
    peer.ask(1, walk(0, 5, &["hello"]).as_message()).await;
    peer.expect_walk(1, 1).await;
    for size in [65_537, 1 << 31, 1 << 32, 1 << 60, u64::MAX] {
        refused(&mut peer, create(size), E2BIG).await;
    }
    peer.ask(1, create(4)).await;
    peer.expect(1, Rmessage::Xattrcreate {}).await;
    // It is no file any more: nothing uninitialised can be read from it, nothing made again over it.
    refused(&mut peer, Tmessage::Read { fid: Fid(5), offset: 0, count: 4 }, EBADF).await;
    refused(&mut peer, create(4), EINVAL).await;
    refused(&mut peer, Tmessage::Lopen { fid: Fid(5), flags: OpenFlags::RDWR }, EINVAL).await;
    for (offset, data) in
        [(1, &b"x"[..]), (0, b"fiver"), (u64::MAX, b"x"), (i64::MAX as u64, b"x"), (4, b"x")]
    {
        refused(&mut peer, Tmessage::Write { fid: Fid(5), offset, data: Data(data) }, EINVAL).await;
    }
    peer.ask(1, Tmessage::Write { fid: Fid(5), offset: 0, data: Data(b"four") }).await;
    peer.expect(1, Rmessage::Write { count: 4 }).await;
    refused(&mut peer, Tmessage::Write { fid: Fid(5), offset: 4, data: Data(b"x") }, EINVAL).await;
    peer.ask(1, Tmessage::Clunk { fid: Fid(5) }).await;
    peer.expect(1, Rmessage::Clunk {}).await;

    let fetch = Tmessage::Xattrwalk { fid: Fid(0), newfid: Fid(0), name };
    refused(&mut peer, fetch, EBUSY).await;
    refused(&mut peer, Tmessage::Xattrwalk { fid: Fid(0), newfid: Fid::NONE, name }, EBADF).await;
    peer.ask(1, walk(0, 5, &["hello"]).as_message()).await;
    peer.expect_walk(1, 1).await;
    peer.ask(1, Tmessage::Xattrwalk { fid: Fid(5), newfid: Fid(6), name }).await;
    peer.expect(1, Rmessage::Xattrwalk { size: 4 }).await;
    for (offset, count, data) in [
        (0, u32::MAX, &b"four"[..]),
        (3, 10, b"r"),
        (4, 10, b""),
        (5, 10, b""),
        (i64::MAX as u64, u32::MAX, b""),
    ] {
        peer.ask(1, Tmessage::Read { fid: Fid(6), offset, count }).await;
        peer.expect(1, Rmessage::Read { data: Data(data) }).await;
    }
    for offset in [1 << 63, u64::MAX - 3, u64::MAX] {
        refused(&mut peer, Tmessage::Read { fid: Fid(6), offset, count: 10 }, EINVAL).await;
    }
    refused(&mut peer, Tmessage::Write { fid: Fid(6), offset: 0, data: Data(b"x") }, EBADF).await;
}

#[tokio::test]
async fn an_attribute_that_was_not_written_in_full_is_not_set() {
    let memory = Memory::new();
    let mut peer = Peer::attached(memory.clone()).await;
    peer.ask(1, walk(0, 5, &["hello"]).as_message()).await;
    peer.expect_walk(1, 1).await;
    let (name, flags) = (Name(b"user.x"), XattrFlags::empty());
    peer.ask(1, Tmessage::Xattrcreate { fid: Fid(5), name, attr_size: 100, flags }).await;
    peer.expect(1, Rmessage::Xattrcreate {}).await;
    peer.ask(1, Tmessage::Write { fid: Fid(5), offset: 0, data: Data(b"some") }).await;
    peer.expect(1, Rmessage::Write { count: 4 }).await;
    refused(&mut peer, Tmessage::Clunk { fid: Fid(5) }, EINVAL).await;
    assert!(memory.find("hello").xattrs.lock().is_empty());
    refused(&mut peer, Tmessage::Clunk { fid: Fid(5) }, EBADF).await;
}

#[tokio::test]
async fn listings_keep_to_what_is_there_whatever_the_offset_and_count() {
    let memory = Memory::new();
    let mut peer = Peer::attached(memory.clone()).await;
    peer.open(5, &["d"], OpenFlags::DIRECTORY).await;
    for offset in [1 << 63, u64::MAX - 1, u64::MAX] {
        refused(&mut peer, Tmessage::Readdir { fid: Fid(5), offset, count: 4096 }, EINVAL).await;
    }
    for count in [0, 1, 24, 25] {
        peer.ask(1, Tmessage::Readdir { fid: Fid(5), offset: 0, count }).await;
        let (_, reply) = peer.next().await;
        assert_eq!(reply.starts_with("Rreaddir"), count == 25, "{count}: {reply}");
    }
    for (offset, names) in [(0, 1), (1, 0), (2, 0), (i64::MAX as u64, 0)] {
        peer.ask(1, Tmessage::Readdir { fid: Fid(5), offset, count: u32::MAX }).await;
        let frame = peer.next_frame().await;
        match Rmessage::decode(Dialect::P9P2000L, &frame) {
            Ok((_, Rmessage::Readdir { data })) => assert_eq!(DirEntries::new(data.0).count(), names),
            other => panic!("{offset}: {other:?}"),
        }
    }
    let mut peer = unix(&memory).await;
    peer.ask(1, walk(0, 5, &["d"]).as_message()).await;
    peer.expect_walk(1, 1).await;
    peer.ask(1, Tmessage::Open { fid: Fid(5), mode: OpenMode::empty() }).await;
    peer.expect_kind(1, "Ropen").await;
    for (offset, count) in
        [(1, 100), (i64::MAX as u64, 100), (1 << 63, 100), (u64::MAX, u32::MAX), (0, 1), (0, 0)]
    {
        peer.ask(1, Tmessage::Read { fid: Fid(5), offset, count }).await;
        let (_, reply) = peer.next().await;
        assert!(reply.starts_with("Rerror") || reply == "Rread ", "{offset} {count}: {reply}");
    }
    peer.ask(1, Tmessage::Read { fid: Fid(5), offset: 0, count: u32::MAX }).await;
    peer.expect_kind(1, "Rread").await;
}

#[tokio::test]
async fn requests_that_fail_leave_nothing_behind_however_many_they_are() {
    let memory = Memory::new();
    let mut peer = Peer::attached(memory.clone()).await;
    let (mode, gid) = (Mode(0o644), Gid(0));
    let long = vec![b'n'; 60_000];
    let data = vec![b'x'; 60_000];
    peer.open(5, &["hello"], OpenFlags::empty()).await;
    for _ in 0..if cfg!(miri) { 3 } else { 300 } {
        for message in [
            Tmessage::Write { fid: Fid(5), offset: 0, data: Data(&data) },
            Tmessage::Write { fid: Fid(77), offset: 0, data: Data(&data) },
            Tmessage::Link { dfid: Fid(0), fid: Fid(77), name: Name(&long) },
            Tmessage::Lcreate { fid: Fid(5), name: Name(&long), flags: OpenFlags::RDWR, mode, gid },
            Tmessage::Symlink { dfid: Fid(77), name: Name(b"l"), target: Name(&long), gid },
            Tmessage::Xattrcreate {
                fid: Fid(0),
                name: Name(&long),
                attr_size: 65_536,
                flags: XattrFlags::empty(),
            },
            Tmessage::Xattrwalk { fid: Fid(0), newfid: Fid(78), name: Name(b"user.none") },
        ] {
            peer.ask(1, message).await;
            peer.expect_kind(1, "Rlerror").await;
        }
    }
    assert_eq!((memory.alive(), memory.pending()), (1, 0));
    // None of the fids was taken by a failure.
    for fid in [77, 78] {
        peer.ask(1, walk(0, fid, &[]).as_message()).await;
        peer.expect_walk(1, 0).await;
    }
}

#[tokio::test]
async fn one_connection_after_another_leaves_nothing_whatever_it_had_open_or_pending() {
    let memory = Memory::new();
    for round in 0..50 {
        let mut peer = Peer::attached(memory.clone()).await;
        for (fid, name) in [(5, "hello"), (6, "pipe"), (7, "stuck"), (8, "slow")] {
            peer.open(fid, &[name], OpenFlags::empty()).await;
        }
        for fid in [6, 7, 8] {
            peer.queue(fid, Tmessage::Read { fid: Fid(fid.into()), offset: 0, count: 1 << 20 });
        }
        peer.ask(20, walk(0, 9, &["later", "e"]).as_message()).await;
        if round % 2 == 0 {
            drop(peer);
        } else {
            peer.hang_up().await.expect("it ends well");
        }
    }
    let clear = async {
        while memory.alive() + memory.pending() > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), clear).await.expect("all is dropped");
}

#[tokio::test]
async fn renames_and_removals_of_what_others_hold_break_nothing() {
    for dialect in [Dialect::P9P2000L, Dialect::P9P2000U] {
        let mut peer = Peer::with(Memory::new(), dialect, 1 << 20).await;
        peer.attach().await;
        for fid in 5..9 {
            peer.queue(900, walk(0, fid, &["d", "e", "leaf"]).as_message());
            peer.queue(901, walk(0, fid + 10, &["d", "e"]).as_message());
        }
        peer.send().await;
        for _ in 0..8 {
            peer.expect_kind_of_any("Rwalk").await;
        }
        // The directory goes from under them, and the file twice.
        for fid in [15, 5, 6] {
            peer.queue(902, Tmessage::Remove { fid: Fid(fid) });
        }
        peer.queue(903, walk(7, 30, &[]).as_message());
        peer.queue(904, walk(16, 31, &["..", "..", "hello"]).as_message());
        peer.queue(905, Tmessage::Clunk { fid: Fid(8) });
        peer.send().await;
        let mut kinds = Vec::new();
        for _ in 0..6 {
            kinds.push(peer.next().await.1);
        }
        assert!(kinds.iter().any(|reply| reply.starts_with("Rclunk")), "{kinds:?}");
        peer.ask(1, walk(0, 40, &["hello"]).as_message()).await;
        peer.expect_walk(1, 1).await;
    }
}

#[tokio::test]
async fn in_the_unix_dialect_extensions_that_are_none_are_refused() {
    let memory = Memory::new();
    let mut peer = unix(&memory).await;
    let create = |name: &'static [u8], perm, extension: &'static [u8]| Tmessage::Create {
        fid: Fid(5),
        name: Name(name),
        perm: perm | Perm::from_bits_retain(0o644),
        mode: OpenMode::empty(),
        extension: Extension(Some(Name(extension))),
    };
    peer.ask(1, walk(0, 5, &[]).as_message()).await;
    peer.expect_walk(1, 0).await;
    for extension in
        [&b"c"[..], b"c 1", b"x 1 3", b"c 1 99999999999", b"c -1 3", b"c 1 3x", b"", b"\xff\xfe", b"%n%n"]
    {
        let reply = refused_with_words(&mut peer, create(b"dev", Perm::DEVICE, extension)).await;
        assert!(reply.contains(&format!("UnixErrno({EINVAL})")), "{reply}");
    }
    for extension in [&b"99"[..], b"-1", b"", b"4294967296", b"5 6", b"0x0"] {
        refused_with_words(&mut peer, create(b"hard", Perm::LINK, extension)).await;
    }
    for name in [&b"../made"[..], b"..", b".", b"", b"a/b", b"nul\0"] {
        for perm in [Perm::empty(), Perm::DIR, Perm::SYMLINK, Perm::NAMEDPIPE] {
            refused_with_words(&mut peer, create(name, perm, b"hello")).await;
        }
        peer.ask(1, Tmessage::Wstat { fid: Fid(5), stat: Stat { name: Name(name), ..Stat::UNCHANGED } })
            .await;
        let (_, reply) = peer.next().await;
        assert!(reply.starts_with("Rerror") || name.is_empty(), "{name:?}: {reply}");
    }
    assert!(memory.alive() == 0);
}

#[tokio::test]
async fn a_string_that_begins_at_the_frames_end_is_cut_off_in_every_message_that_has_one() {
    // Tlink, Tsymlink, Tattach and Tlcreate that end with the length of a name, and nothing of it.
    for (kind, before) in [(70u8, 8), (16, 4), (104, 8), (14, 4), (72, 4), (74, 4), (76, 4), (30, 8), (32, 4)]
    {
        let memory = Memory::new();
        let mut peer = Peer::attached(memory.clone()).await;
        let size = 7 + before + 2;
        let mut frame = vec![size as u8, 0, 0, 0, kind, 1, 0];
        frame.resize(7 + before, 0);
        frame.extend([0xff, 0xff]);
        peer.send_bytes(&frame).await;
        let fault = peer.thrown_out().await.to_string();
        assert!(fault.contains("needs 65535 bytes, 0 are left"), "type {kind}: {fault}");
    }
}
