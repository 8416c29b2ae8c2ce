//! The session's rules, at the level of frames: what is sent, and exactly what comes back.

mod memory;
mod peer;

use std::sync::Arc;

use memory::Memory;
use nine::wire::*;
use peer::Peer;

fn data(bytes: &[u8]) -> Rmessage<'_> {
    Rmessage::Read { data: Data(bytes) }
}

fn error(errno: u32) -> Rmessage<'static> {
    Rmessage::Lerror { ecode: DotlError(errno) }
}

#[tokio::test]
async fn an_open_says_how_much_of_a_message_is_left_for_data() {
    let mut peer = Peer::with(Memory::new(), Dialect::P9P2000L, 8192).await;
    peer.attach().await;
    peer.ask(1, peer::walk(0, 5, &["hello"]).as_message()).await;
    peer.expect_walk(1, 1).await;
    peer.ask(2, Tmessage::Lopen { fid: Fid(5), flags: OpenFlags::empty() }).await;
    let reply = peer.next_frame().await;
    let Ok((_, Rmessage::Lopen { iounit, .. })) = Rmessage::decode(Dialect::P9P2000L, &reply) else {
        panic!("{reply:?}");
    };
    assert_eq!(iounit, 8192 - IO_HEADER);
}

#[tokio::test]
async fn a_walk_an_open_a_read_and_a_clunk_sent_in_one_write_are_answered_in_order() {
    let mut peer = Peer::attached(Memory::new()).await;
    peer.queue(1, peer::walk(0, 5, &["d", "e", "leaf"]).as_message());
    peer.queue(2, Tmessage::Lopen { fid: Fid(5), flags: OpenFlags::empty() });
    peer.queue(3, Tmessage::Read { fid: Fid(5), offset: 0, count: 100 });
    peer.queue(4, Tmessage::Clunk { fid: Fid(5) });
    peer.send().await;
    peer.expect_walk(1, 3).await;
    peer.expect_kind(2, "Rlopen").await;
    peer.expect(3, data(b"leaf\n")).await;
    peer.expect(4, Rmessage::Clunk {}).await;
}

#[tokio::test]
async fn the_same_holds_for_a_file_that_answers_late() {
    let mut peer = Peer::attached(Memory::new()).await;
    peer.queue(1, peer::walk(0, 5, &["slow"]).as_message());
    peer.queue(2, Tmessage::Lopen { fid: Fid(5), flags: OpenFlags::RDWR });
    peer.queue(3, Tmessage::Write { fid: Fid(5), offset: 0, data: Data(b"SLOW") });
    peer.queue(4, Tmessage::Read { fid: Fid(5), offset: 0, count: 100 });
    peer.queue(5, Tmessage::Clunk { fid: Fid(5) });
    peer.send().await;
    peer.expect_walk(1, 1).await;
    peer.expect_kind(2, "Rlopen").await;
    peer.expect(3, Rmessage::Write { count: 4 }).await;
    peer.expect(4, data(b"SLOWly\n")).await;
    peer.expect(5, Rmessage::Clunk {}).await;
}

#[tokio::test]
async fn a_walk_that_waits_holds_up_what_names_its_newfid_and_nothing_else() {
    let mut peer = Peer::attached(Memory::new()).await;
    peer.queue(1, peer::walk(0, 5, &["later", "e", "leaf"]).as_message());
    peer.queue(2, Tmessage::Lopen { fid: Fid(5), flags: OpenFlags::empty() });
    peer.queue(3, peer::walk(0, 6, &["hello"]).as_message());
    peer.send().await;
    peer.expect_walk(3, 1).await;
    peer.expect_walk(1, 3).await;
    peer.expect_kind(2, "Rlopen").await;
}

#[tokio::test]
async fn a_blocked_read_stalls_nobody_and_two_can_be_pending_on_one_fid() {
    let memory = Memory::new();
    let mut peer = Peer::attached(memory.clone()).await;
    peer.open(5, &["pipe"], OpenFlags::RDWR).await;
    peer.ask(1, Tmessage::Read { fid: Fid(5), offset: 0, count: 3 }).await;
    peer.ask(2, Tmessage::Read { fid: Fid(5), offset: 0, count: 3 }).await;
    peer.open(6, &["hello"], OpenFlags::empty()).await;
    peer.ask(3, Tmessage::Read { fid: Fid(6), offset: 7, count: 5 }).await;
    peer.expect(3, data(b"world")).await;
    assert_eq!(memory.pending(), 2);
    // Both are full, so nothing is left of either to be asked for.
    peer.ask(4, Tmessage::Write { fid: Fid(5), offset: 0, data: Data(b"onetwo") }).await;
    let mut replies = vec![peer.next().await, peer.next().await, peer.next().await];
    replies.sort();
    assert!(replies[0].1.contains("one") || replies[0].1.contains("two"), "{replies:?}");
    assert_eq!(replies.iter().map(|(tag, _)| *tag).collect::<Vec<_>>(), [1, 2, 4]);
    assert_eq!(memory.pending(), 0);
}

#[tokio::test]
async fn a_flush_drops_the_blocked_read_and_only_the_flush_is_answered() {
    let memory = Memory::new();
    let mut peer = Peer::attached(memory.clone()).await;
    peer.open(5, &["stuck"], OpenFlags::empty()).await;
    peer.ask(1, Tmessage::Read { fid: Fid(5), offset: 0, count: 10 }).await;
    peer.ask(2, Tmessage::Getattr { fid: Fid(5), mask: AttrMask::BASIC }).await;
    peer.expect_kind(2, "Rgetattr").await;
    assert_eq!(memory.pending(), 1);
    peer.ask(3, Tmessage::Flush { oldtag: Tag(1) }).await;
    peer.expect(3, Rmessage::Flush {}).await;
    assert_eq!(memory.pending(), 0, "the future is gone before Rflush is sent");
    // The tag can be used again.
    peer.ask(1, Tmessage::Clunk { fid: Fid(5) }).await;
    peer.expect(1, Rmessage::Clunk {}).await;
    assert_eq!(memory.alive(), 0);
}

#[tokio::test]
async fn a_flush_of_an_unknown_tag_of_itself_and_of_a_flush_are_answered() {
    let mut peer = Peer::attached(Memory::new()).await;
    for old in [99, 3, 0xffff] {
        peer.ask(3, Tmessage::Flush { oldtag: Tag(old) }).await;
        peer.expect(3, Rmessage::Flush {}).await;
    }
}

#[tokio::test]
async fn a_flush_of_a_request_that_waits_its_turn_takes_it_out_of_the_queue() {
    let memory = Memory::new();
    let mut peer = Peer::attached(memory.clone()).await;
    peer.open(5, &["stuck"], OpenFlags::empty()).await;
    peer.ask(1, Tmessage::Read { fid: Fid(5), offset: 0, count: 10 }).await;
    peer.ask(2, Tmessage::Clunk { fid: Fid(5) }).await;
    peer.ask(3, Tmessage::Flush { oldtag: Tag(2) }).await;
    peer.expect(3, Rmessage::Flush {}).await;
    peer.ask(4, Tmessage::Flush { oldtag: Tag(1) }).await;
    peer.expect(4, Rmessage::Flush {}).await;
    peer.ask(5, Tmessage::Clunk { fid: Fid(5) }).await;
    peer.expect(5, Rmessage::Clunk {}).await;
}

#[tokio::test]
async fn flushing_what_is_in_the_way_lets_the_next_one_go() {
    let mut peer = Peer::attached(Memory::new()).await;
    peer.open(5, &["stuck"], OpenFlags::empty()).await;
    peer.ask(1, Tmessage::Read { fid: Fid(5), offset: 0, count: 10 }).await;
    peer.ask(2, Tmessage::Clunk { fid: Fid(5) }).await;
    peer.ask(3, Tmessage::Flush { oldtag: Tag(1) }).await;
    peer.expect(3, Rmessage::Flush {}).await;
    peer.expect(2, Rmessage::Clunk {}).await;
}

#[tokio::test]
async fn a_clunk_of_a_stream_ends_its_blocked_reads_with_eintr() {
    let memory = Memory::new();
    let mut peer = Peer::attached(memory.clone()).await;
    peer.open(5, &["pipe"], OpenFlags::empty()).await;
    peer.ask(1, Tmessage::Read { fid: Fid(5), offset: 0, count: 10 }).await;
    peer.ask(2, Tmessage::Clunk { fid: Fid(5) }).await;
    peer.expect(1, error(4)).await;
    peer.expect(2, Rmessage::Clunk {}).await;
    assert_eq!((memory.pending(), memory.alive()), (0, 0));
}

/// Begins a connection as a mount of Linux does: the root is fid 0, and looked at before anything else.
async fn linux(memory: Arc<Memory>, dialect: Dialect, msize: u32) -> Peer {
    let mut peer = Peer::with(memory, dialect, msize).await;
    peer.attach().await;
    match dialect {
        Dialect::P9P2000L => {
            let mask = AttrMask::BASIC | AttrMask::GEN;
            peer.ask(0, Tmessage::Getattr { fid: Fid(0), mask }).await;
            peer.expect_kind(0, "Rgetattr").await;
        }
        Dialect::P9P2000 | Dialect::P9P2000U => {
            peer.ask(0, Tmessage::Stat { fid: Fid(0) }).await;
            peer.expect_kind(0, "Rstat").await;
        }
    }
    peer
}

#[tokio::test]
async fn the_rest_of_a_short_read_of_a_stream_is_nothing_once() {
    let memory = Memory::new();
    let mut peer = linux(memory.clone(), Dialect::P9P2000L, 8192).await;
    peer.open(5, &["pipe"], OpenFlags::empty()).await;
    memory.feed(b"line\n");
    peer.ask(1, Tmessage::Read { fid: Fid(5), offset: 0, count: 4096 }).await;
    peer.expect(1, data(b"line\n")).await;
    peer.ask(2, Tmessage::Read { fid: Fid(5), offset: 5, count: 4091 }).await;
    peer.expect(2, data(b"")).await;
    // The same again is a real read.
    peer.ask(3, Tmessage::Read { fid: Fid(5), offset: 5, count: 4091 }).await;
    memory.feed(b"more");
    peer.expect(3, data(b"more")).await;
    // So is one that is not exactly the rest.
    memory.feed(b"!");
    peer.ask(4, Tmessage::Read { fid: Fid(5), offset: 9, count: 4096 }).await;
    peer.expect(4, data(b"!")).await;
}

#[tokio::test]
async fn the_rest_for_a_kernels_buffer_that_is_larger_than_a_message_is_nothing_once() {
    for dialect in [Dialect::P9P2000L, Dialect::P9P2000U, Dialect::P9P2000] {
        let memory = Memory::new();
        let mut peer = linux(memory.clone(), dialect, 8192).await;
        let full = 8192 - IO_HEADER;
        peer.open_for_reading(5, &["pipe"]).await;
        memory.feed(b"line\n");
        peer.ask(1, Tmessage::Read { fid: Fid(5), offset: 0, count: full }).await;
        peer.expect(1, data(b"line\n")).await;
        peer.ask(2, Tmessage::Read { fid: Fid(5), offset: 5, count: full }).await;
        peer.expect(2, data(b"")).await;
        peer.ask(3, Tmessage::Read { fid: Fid(5), offset: 5, count: full }).await;
        memory.feed(b"more");
        peer.expect(3, data(b"more")).await;
        // A smaller buffer is filled in every dialect too.
        peer.ask(4, Tmessage::Read { fid: Fid(5), offset: 9, count: full - 4 }).await;
        peer.expect(4, data(b"")).await;
        memory.feed(b"!");
        peer.ask(5, Tmessage::Read { fid: Fid(5), offset: 9, count: 10 }).await;
        peer.expect(5, data(b"!")).await;
        peer.ask(6, Tmessage::Read { fid: Fid(5), offset: 10, count: 9 }).await;
        peer.expect(6, data(b"")).await;
    }
}

#[tokio::test]
async fn a_reader_of_full_messages_that_is_no_kernel_means_what_it_asks() {
    let memory = Memory::new();
    let mut peer = Peer::attached(memory.clone()).await;
    let full = (1 << 20) - IO_HEADER;
    peer.open(6, &["pipe"], OpenFlags::empty()).await;
    memory.feed(b"ab");
    peer.ask(4, Tmessage::Read { fid: Fid(6), offset: 0, count: full }).await;
    peer.expect(4, data(b"ab")).await;
    memory.feed(b"cd");
    peer.ask(5, Tmessage::Read { fid: Fid(6), offset: 2, count: full }).await;
    peer.expect(5, data(b"cd")).await;
}

#[tokio::test]
async fn a_kernels_reader_that_does_not_block_is_not_taken_to_fill_its_buffer() {
    let memory = Memory::new();
    let mut peer = linux(memory.clone(), Dialect::P9P2000L, 8192).await;
    let full = 8192 - IO_HEADER;
    peer.open(5, &["pipe"], OpenFlags::NONBLOCK).await;
    memory.feed(b"ab");
    peer.ask(1, Tmessage::Read { fid: Fid(5), offset: 0, count: full }).await;
    peer.expect(1, data(b"ab")).await;
    memory.feed(b"cd");
    peer.ask(2, Tmessage::Read { fid: Fid(5), offset: 2, count: full }).await;
    peer.expect(2, data(b"cd")).await;
}

#[tokio::test]
async fn others_than_the_kernel_wait_for_the_rest_of_a_stream() {
    for dialect in [Dialect::P9P2000L, Dialect::P9P2000U, Dialect::P9P2000] {
        let memory = Memory::new();
        let mut peer = Peer::with(memory.clone(), dialect, 8192).await;
        peer.attach().await;
        peer.open_for_reading(5, &["pipe"]).await;
        memory.feed(b"ab");
        peer.ask(1, Tmessage::Read { fid: Fid(5), offset: 0, count: 10 }).await;
        peer.expect(1, data(b"ab")).await;
        peer.ask(1, Tmessage::Read { fid: Fid(5), offset: 2, count: 8 }).await;
        peer.expect_silence().await;
        memory.feed(b"cd");
        peer.expect(1, data(b"cd")).await;
    }
}

#[tokio::test]
async fn a_tag_in_use_is_refused_and_the_connection_lives() {
    let memory = Memory::new();
    let mut peer = Peer::attached(memory.clone()).await;
    peer.open(5, &["pipe"], OpenFlags::empty()).await;
    peer.ask(1, Tmessage::Read { fid: Fid(5), offset: 0, count: 10 }).await;
    peer.ask(1, Tmessage::Getattr { fid: Fid(0), mask: AttrMask::BASIC }).await;
    peer.expect(1, error(22)).await;
    memory.feed(b"x");
    peer.expect(1, data(b"x")).await;
}

#[tokio::test]
async fn fids_that_are_unknown_or_in_use_are_refused() {
    let mut peer = Peer::attached(Memory::new()).await;
    peer.ask(1, Tmessage::Clunk { fid: Fid(77) }).await;
    peer.expect(1, error(9)).await;
    peer.ask(1, Tmessage::Read { fid: Fid(0), offset: 0, count: 1 }).await;
    peer.expect(1, error(9)).await;
    peer.open(5, &["hello"], OpenFlags::empty()).await;
    for fid in [5, u32::MAX] {
        peer.ask(1, peer::walk(0, fid, &["d"]).as_message()).await;
        assert!(peer.next().await.1.starts_with("Rlerror"));
    }
    peer.ask(1, Tmessage::Lopen { fid: Fid(5), flags: OpenFlags::empty() }).await;
    peer.expect(1, error(22)).await;
    peer.ask(1, peer::walk(5, 5, &[]).as_message()).await;
    peer.expect(1, error(22)).await;
    peer.ask(1, Tmessage::Write { fid: Fid(5), offset: 0, data: Data(b"x") }).await;
    peer.expect(1, error(9)).await;
}

#[tokio::test]
async fn a_fid_can_be_walked_onto_itself() {
    let mut peer = Peer::attached(Memory::new()).await;
    peer.ask(1, peer::walk(0, 5, &["d"]).as_message()).await;
    peer.expect_walk(1, 1).await;
    peer.ask(1, peer::walk(5, 5, &["e", "leaf"]).as_message()).await;
    peer.expect_walk(1, 2).await;
    peer.ask(1, Tmessage::Lopen { fid: Fid(5), flags: OpenFlags::empty() }).await;
    peer.expect_kind(1, "Rlopen").await;
}

#[tokio::test]
async fn a_walk_that_ends_early_says_how_far_it_came_and_makes_no_fid() {
    let mut peer = Peer::attached(Memory::new()).await;
    peer.ask(1, peer::walk(0, 5, &["d", "nothing", "leaf"]).as_message()).await;
    peer.expect_walk(1, 1).await;
    peer.ask(1, Tmessage::Clunk { fid: Fid(5) }).await;
    peer.expect(1, error(9)).await;
    peer.ask(1, peer::walk(0, 5, &["nothing"]).as_message()).await;
    peer.expect(1, error(2)).await;
}

#[tokio::test]
async fn names_that_no_file_has_are_not_found_and_dot_dot_stays_at_the_root() {
    let mut peer = Peer::attached(Memory::new()).await;
    for name in ["", "a/b", "../x", "a\0b", "/"] {
        peer.ask(1, peer::walk(0, 5, &[name]).as_message()).await;
        peer.expect(1, error(2)).await;
        let name = Name(name.as_bytes());
        peer.ask(1, Tmessage::Mkdir { dfid: Fid(0), name, mode: Mode(0o755), gid: Gid(0) }).await;
        assert!(peer.next().await.1.starts_with("Rlerror"));
    }
    peer.ask(1, peer::walk(0, 5, &["..", "..", "..", "d", "..", "hello"]).as_message()).await;
    peer.expect_walk(1, 6).await;
    peer.ask(1, peer::walk(0, 7, &[".", "d", ".", ".", "e", "."]).as_message()).await;
    peer.expect_walk(1, 6).await;
    peer.ask(1, peer::walk(5, 8, &["."]).as_message()).await;
    peer.expect(1, error(20)).await;
    peer.ask(1, peer::walk(0, 6, &["\u{fffd}\u{7f}"]).as_message()).await;
    peer.expect(1, error(2)).await;
}

#[tokio::test]
async fn offsets_beyond_what_a_file_can_have_are_refused_and_counts_are_cut_to_the_frame() {
    let mut peer = Peer::with(Memory::new(), Dialect::P9P2000L, 4096).await;
    peer.attach().await;
    peer.open(5, &["big"], OpenFlags::RDWR).await;
    peer.ask(1, Tmessage::Read { fid: Fid(5), offset: 1 << 63, count: 1 }).await;
    peer.expect(1, error(22)).await;
    peer.ask(1, Tmessage::Write { fid: Fid(5), offset: u64::MAX, data: Data(b"x") }).await;
    peer.expect(1, error(22)).await;
    peer.ask(1, Tmessage::Write { fid: Fid(5), offset: i64::MAX as u64, data: Data(b"x") }).await;
    peer.expect(1, error(22)).await;
    peer.ask(1, Tmessage::Read { fid: Fid(5), offset: 0, count: u32::MAX }).await;
    let expected: Vec<u8> = (0..4096 - 11).map(|i| i as u8).collect();
    peer.expect(1, data(&expected)).await;
}

#[tokio::test]
async fn a_second_tversion_clunks_and_cancels_everything() {
    let memory = Memory::new();
    let mut peer = Peer::attached(memory.clone()).await;
    peer.open(5, &["pipe"], OpenFlags::empty()).await;
    peer.ask(1, Tmessage::Read { fid: Fid(5), offset: 0, count: 10 }).await;
    peer.version(Dialect::P9P2000L, 8192).await;
    assert_eq!((memory.pending(), memory.alive()), (0, 0));
    peer.ask(1, Tmessage::Clunk { fid: Fid(0) }).await;
    peer.expect(1, error(9)).await;
}

#[tokio::test]
async fn a_connection_that_ends_leaves_nothing_behind() {
    let memory = Memory::new();
    let mut peer = Peer::attached(memory.clone()).await;
    peer.open(5, &["pipe"], OpenFlags::empty()).await;
    peer.open(6, &["stuck"], OpenFlags::empty()).await;
    peer.ask(1, Tmessage::Read { fid: Fid(5), offset: 0, count: 10 }).await;
    peer.ask(2, Tmessage::Read { fid: Fid(6), offset: 0, count: 10 }).await;
    peer.ask(3, Tmessage::Getattr { fid: Fid(0), mask: AttrMask::BASIC }).await;
    peer.expect_kind(3, "Rgetattr").await;
    assert_eq!((memory.pending(), memory.alive()), (2, 2));
    peer.hang_up().await.expect("closing is no error");
    assert_eq!((memory.pending(), memory.alive()), (0, 0));
}

#[tokio::test]
async fn xattrs_are_read_set_and_removed_and_absurd_sizes_refused() {
    let mut peer = Peer::attached(Memory::new()).await;
    let name = Name(b"user.a");
    let create = |attr_size, flags| Tmessage::Xattrcreate { fid: Fid(5), name, attr_size, flags };
    let clone = peer::walk(0, 5, &["hello"]);
    peer.ask(1, clone.as_message()).await;
    peer.expect_walk(1, 1).await;
    for size in [1 << 60, u64::MAX, 65537] {
        peer.ask(1, create(size, XattrFlags::empty())).await;
        peer.expect(1, error(7)).await;
    }
    peer.ask(1, create(3, XattrFlags::empty())).await;
    peer.expect(1, Rmessage::Xattrcreate {}).await;
    peer.ask(1, Tmessage::Write { fid: Fid(5), offset: 0, data: Data(b"four") }).await;
    peer.expect(1, error(22)).await;
    peer.ask(1, Tmessage::Write { fid: Fid(5), offset: 0, data: Data(b"val") }).await;
    peer.expect(1, Rmessage::Write { count: 3 }).await;
    peer.ask(1, Tmessage::Clunk { fid: Fid(5) }).await;
    peer.expect(1, Rmessage::Clunk {}).await;
    peer.ask(1, clone.as_message()).await;
    peer.expect_walk(1, 1).await;
    peer.ask(1, Tmessage::Xattrwalk { fid: Fid(5), newfid: Fid(6), name }).await;
    peer.expect(1, Rmessage::Xattrwalk { size: 3 }).await;
    peer.ask(1, Tmessage::Read { fid: Fid(6), offset: 1, count: 100 }).await;
    peer.expect(1, data(b"al")).await;
    peer.ask(1, create(0, XattrFlags::REPLACE)).await;
    peer.expect(1, Rmessage::Xattrcreate {}).await;
    peer.ask(1, Tmessage::Clunk { fid: Fid(5) }).await;
    peer.expect(1, Rmessage::Clunk {}).await;
    peer.ask(1, Tmessage::Xattrwalk { fid: Fid(0), newfid: Fid(7), name }).await;
    peer.expect(1, error(61)).await;
}

#[tokio::test]
async fn a_readdir_gives_whole_entries_and_goes_on_after_the_last_one() {
    let mut peer = Peer::attached(Memory::new()).await;
    peer.open(5, &[], OpenFlags::DIRECTORY).await;
    let mut seen = Vec::new();
    let mut offset = 0;
    loop {
        peer.ask(1, Tmessage::Readdir { fid: Fid(5), offset, count: 64 }).await;
        let frame = peer.next_frame().await;
        let Ok((_, Rmessage::Readdir { data })) = Rmessage::decode(Dialect::P9P2000L, &frame) else {
            panic!("{frame:?}")
        };
        if data.0.is_empty() {
            break;
        }
        for entry in DirEntries::new(data.0) {
            let entry = entry.expect("whole entries");
            seen.push(String::from_utf8(entry.name.to_vec()).expect("our names are text"));
            offset = entry.offset;
        }
    }
    assert_eq!(seen, ["big", "d", "hello", "link", "pipe", "slow", "stuck"]);
    peer.ask(1, Tmessage::Readdir { fid: Fid(5), offset: 0, count: 10 }).await;
    peer.expect(1, error(22)).await;
}

#[tokio::test]
async fn a_client_that_asks_to_authenticate_is_told_that_it_need_not() {
    let mut peer = Peer::with(Memory::new(), Dialect::P9P2000L, 8192).await;
    let (uname, aname, n_uname) = (Name(b""), Name(b"/"), Extension(Some(Uid(0))));
    peer.ask(1, Tmessage::Auth { afid: Fid(7), uname, aname, n_uname }).await;
    // diod's clients take ENOENT, and only that, for "not required".
    peer.expect(1, error(2)).await;
    peer.ask(1, Tmessage::Attach { fid: Fid(0), afid: Fid(7), uname, aname, n_uname }).await;
    peer.expect(1, error(22)).await;
    peer.attach().await;
}
