//! Whatever a client asks, in whatever order, with whatever tags and fids: each request is answered once or flushed,
//! nothing hangs that does not have to, and nothing is left behind.

mod memory;
mod peer;

use std::collections::HashSet;

use memory::Memory;
use nine::wire::*;
use peer::Peer;
use proptest::collection::vec;
use proptest::prelude::*;

/// One step: what to ask, and the numbers for it, from so few that they collide often.
type Step = (u8, u32, u32, u8);

const PATHS: [&[&str]; 8] = [
    &[],
    &["hello"],
    &["pipe"],
    &["slow"],
    &["stuck"],
    &["d", "e"],
    &["later", "e", "leaf"],
    &["d", "..", "no"],
];

fn ask(peer: &mut Peer, tag: u16, (kind, one, two, number): Step) {
    let (fid, newfid) = (Fid(one), Fid(two));
    let (offset, count) = (u64::from(number), u32::from(number) + 1);
    let name = Name(b"made");
    match kind {
        0..=4 => {
            let walk = peer::walk(one, two, PATHS[usize::from(number) % PATHS.len()]);
            peer.queue(tag, walk.as_message());
        }
        5..=7 => peer.queue(tag, Tmessage::Lopen { fid, flags: OpenFlags::RDWR }),
        8..=10 => peer.queue(tag, Tmessage::Read { fid, offset, count }),
        11 => peer.queue(tag, Tmessage::Write { fid, offset, data: Data(b"some data") }),
        12 => peer.queue(tag, Tmessage::Clunk { fid }),
        13 => peer.queue(tag, Tmessage::Getattr { fid, mask: AttrMask::ALL }),
        14 => peer.queue(tag, Tmessage::Readdir { fid, offset: 0, count: 4096 }),
        15 => peer.queue(tag, Tmessage::Mkdir { dfid: fid, name, mode: Mode(0o755), gid: Gid(0) }),
        16 => peer.queue(
            tag,
            Tmessage::Renameat { olddirfid: fid, oldname: name, newdirfid: newfid, newname: Name(b"moved") },
        ),
        17 => peer.queue(tag, Tmessage::Remove { fid }),
        18 => peer.queue(tag, Tmessage::Xattrwalk { fid, newfid, name: Name(b"") }),
        _ => peer.queue(tag, Tmessage::Fsync { fid, datasync: Later(None) }),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_request_is_answered_once_or_flushed(
        steps in vec((0u8..20, 0u32..5, 0u32..5, any::<u8>()), 1..60),
        at_once in 1usize..60,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let memory = Memory::new();
            let mut peer = Peer::attached(memory.clone()).await;
            // Tags are unique here, so that each answer can be told.
            for (i, chunk) in steps.chunks(at_once).enumerate() {
                for (j, step) in chunk.iter().enumerate() {
                    ask(&mut peer, (i * at_once + j) as u16, *step);
                }
                peer.send().await;
            }
            // Every one is flushed; the flush is answered after, or instead of, the request.
            for i in 0..steps.len() {
                peer.queue(1000 + i as u16, Tmessage::Flush { oldtag: Tag(i as u16) });
            }
            peer.send().await;
            let mut answered = HashSet::new();
            let mut flushed = 0;
            while flushed < steps.len() {
                let (tag, reply) = peer.next().await;
                if tag >= 1000 {
                    assert!(reply.starts_with("Rflush"), "{reply}");
                    flushed += 1;
                    answered.insert(tag - 1000);
                } else {
                    assert!(answered.insert(tag), "tag {tag} was answered twice, or after its flush: {reply}");
                }
            }
            assert_eq!(memory.pending(), 0, "all is flushed");
            // It still works, and a Tversion leaves nothing.
            peer.ask(5000, Tmessage::Clunk { fid: Fid(99) }).await;
            peer.expect_kind(5000, "Rlerror").await;
            peer.version(Dialect::P9P2000L, 8192).await;
            assert_eq!(memory.alive(), 0);
        });
    }

    #[test]
    fn tags_that_collide_and_versions_in_between_leave_nothing_behind(
        steps in vec((0u8..20, 0u32..5, 0u32..5, any::<u8>()), 1..60),
        tags in vec(0u16..4, 60),
        reset in 0usize..60,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let memory = Memory::new();
            let mut peer = Peer::attached(memory.clone()).await;
            for (i, (step, tag)) in steps.iter().zip(&tags).enumerate() {
                if i == reset {
                    let version = Name(b"9P2000.L");
                    peer.queue(0xffff, Tmessage::Version { msize: Msize(8192), version });
                }
                ask(&mut peer, *tag, *step);
            }
            let version = Name(b"9P2000.L");
            peer.queue(0xffff, Tmessage::Version { msize: Msize(7777), version });
            peer.send().await;
            while !peer.next().await.1.contains("7777") {}
            assert_eq!((memory.pending(), memory.alive()), (0, 0));
        });
    }
}
