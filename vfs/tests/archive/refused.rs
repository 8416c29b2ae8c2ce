//! Archives that are refused, each with the name of what was wrong, and with nothing done.

use crate::gnu::{packed, shown, unpacked, wait};
use crate::world::*;
use async_compression::tokio::bufread::{GzipEncoder, ZstdEncoder};
use proptest::prelude::*;
use tar::{EntryType, Header};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use vfs::archive::{Bounds, unpack};
use vfs::*;

/// An entry; names and targets as given, however bad.
fn entry(kind: EntryType, path: &[u8], link: &[u8], data: &[u8]) -> Vec<u8> {
    let mut header = Header::new_gnu();
    header.as_old_mut().name[..path.len()].copy_from_slice(path);
    header.as_old_mut().linkname[..link.len()].copy_from_slice(link);
    header.set_entry_type(kind);
    header.set_mode(0o755);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(1);
    header.set_size(data.len() as u64);
    header.set_cksum();
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend_from_slice(data);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

fn archive(entries: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = entries.concat();
    bytes.extend_from_slice(&[0; 1024]);
    bytes
}

/// Where something is already, which stays as it is.
fn there() -> World {
    let w = world();
    w.mkdir("dir").unwrap();
    w.put("dir/f", b"there");
    w.put("file", b"there");
    w
}

#[track_caller]
fn refused(bytes: &[u8], words: &[&str]) {
    let w = there();
    let before = (shown(&w), w.tree.0.usage());
    let Err(error) = unpacked(&w, bytes) else { panic!("this should have been refused: {words:?}") };
    for word in words {
        assert!(error.text().contains(word), "{error} does not say {word:?}");
    }
    assert_eq!((shown(&w), w.tree.0.usage()), before);
}

fn file(path: &[u8]) -> Vec<u8> {
    entry(EntryType::Regular, path, b"", b"data")
}

#[test]
fn names_that_lead_out_are_refused() {
    let good = file(b"good");
    for bad in [&b"../x"[..], b"a/../../x", b"a/..", b"..", b"./../x"] {
        refused(&archive(&[good.clone(), file(bad)]), &[&bad.escape_ascii().to_string(), ".."]);
    }
    refused(&archive(&[good.clone(), file(b"/etc/passwd")]), &["/etc/passwd", "absolute"]);
    refused(&archive(&[good, entry(EntryType::Directory, b"d/../../e", b"", b"")]), &["d/../../e"]);
}

#[test]
fn names_through_links_are_refused() {
    let link = |target: &[u8]| entry(EntryType::Symlink, b"l", target, b"");
    refused(&archive(&[link(b"dir"), file(b"l/x")]), &["l/x", "symbolic link"]);
    refused(&archive(&[link(b"."), entry(EntryType::Directory, b"l/d", b"", b"")]), &["l/d"]);
    refused(&archive(&[file(b"f"), file(b"f/x")]), &["f/x", "no directory"]);
    let through = entry(EntryType::Link, b"h", b"l/f", b"");
    refused(
        &archive(&[entry(EntryType::Directory, b"d", b"", b""), file(b"d/f"), link(b"d"), through]),
        &["h"],
    );
}

#[test]
fn links_that_lead_out_are_refused() {
    for (path, target) in [
        (&b"l"[..], &b"../x"[..]),
        (b"a/l", b"../../x"),
        (b"a/b/l", b"../../../x"),
        (b"l", b"a/../../x"),
        (b"l", b"/etc/passwd"),
    ] {
        refused(
            &archive(&[entry(EntryType::Symlink, path, target, b"")]),
            &[&path.escape_ascii().to_string(), "link"],
        );
    }
    // Hard links lead to what came before in the archive, and nowhere else.
    for target in [&b"../file"[..], b"/file", b"file", b"later"] {
        let link = entry(EntryType::Link, b"h", target, b"");
        refused(&archive(&[link, file(b"later")]), &["h", &target.escape_ascii().to_string()]);
    }
    let w = there();
    let absolute = archive(&[entry(EntryType::Symlink, b"l", b"/lib/x", b"")]);
    let bounds = Bounds { absolute_links: true, ..Bounds::default() };
    wait(unpack(&w.who, &absolute[..], &w.root, bounds)).unwrap();
    assert_eq!(&*done(w.at("l").unwrap().readlink()).unwrap(), b"/lib/x");
}

#[test]
fn what_is_no_file_is_refused() {
    for kind in
        [EntryType::Char, EntryType::Block, EntryType::GNUSparse, EntryType::new(b'M'), EntryType::new(b'?')]
    {
        refused(&archive(&[file(b"good"), entry(kind, b"odd", b"", b"")]), &["odd", "not taken"]);
    }
    let sparse = b"22 GNU.sparse.major=1\n";
    refused(&archive(&[entry(EntryType::XHeader, b"x", b"", sparse), file(b"f")]), &["sparse"]);
}

#[test]
fn what_is_in_the_way_is_not_replaced_by_another_kind() {
    refused(&archive(&[file(b"new"), file(b"dir")]), &["dir", "directory"]);
    refused(
        &archive(&[file(b"new"), entry(EntryType::Directory, b"file", b"", b"")]),
        &["file", "no directory"],
    );
    refused(&archive(&[file(b"d/f"), file(b"d")]), &["d", "directory"]);
    refused(&archive(&[entry(EntryType::Regular, b".", b"", b"x")]), &["root"]);
}

#[test]
fn an_archive_that_is_cut_off_anywhere_is_refused() {
    let long = "n".repeat(150);
    let made = world();
    made.put(&long, &[7; 3000]);
    made.put("second", b"");
    let bytes = packed(&made);
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap() / 512 * 512 + 512;
    for len in (0..end).step_by(61).chain([end - 512, end - 1, end]) {
        let w = there();
        assert!(unpacked(&w, &bytes[..len]).is_err(), "{len} bytes of {end}");
        assert_eq!(w.names("/"), ["dir", "file"]);
    }
    assert!(unpacked(&there(), &bytes[..end + 512]).is_ok(), "tar wants two blocks of zeroes, and takes one");
    refused(b"", &["empty"]);
    refused(&[1; 100], &["cut off"]);
    refused(&[b'x'; 4096], &["header"]);
    let mut long = bytes.clone();
    long.resize(bytes.len() + (8 << 20), 0);
    refused(&long, &["behind its end"]);
}

#[test]
fn too_much_is_refused_before_it_is_read() {
    let huge = {
        let mut header = Header::new_gnu();
        header.as_old_mut().name[..4].copy_from_slice(b"huge");
        header.set_entry_type(EntryType::Regular);
        for set in [Header::set_uid, Header::set_gid, Header::set_mtime] {
            set(&mut header, 0);
        }
        header.set_mode(0o644);
        header.set_size(10 << 40);
        header.set_cksum();
        header.as_bytes().to_vec()
    };
    refused(&archive(&[file(b"good"), huge]), &["huge", "more than"]);
    let many: Vec<Vec<u8>> = (0..100).map(|n| file(n.to_string().as_bytes())).collect();
    let w = there();
    let bounds = Bounds { inodes: 99, ..Bounds::default() };
    let error = wait(unpack(&w.who, &archive(&many)[..], &w.root, bounds)).unwrap_err();
    assert!(error.text().contains("99: ") && error.text().contains("99 files"), "{error}");
    let bounds = Bounds { inodes: 100, ..Bounds::default() };
    wait(unpack(&w.who, &archive(&many)[..], &w.root, bounds)).unwrap();
    // The tree's own room counts too.
    let w = there();
    w.tree.0.set_room(None, Some(50));
    let before = shown(&w);
    fails(unpacked(&w, &archive(&many)), Errno::ENOSPC);
    assert_eq!((shown(&w), w.tree.0.usage().1), (before, 4));
}

#[test]
fn next_to_nothing_that_becomes_very_much_is_a_bomb() {
    let zeroes = archive(&[entry(EntryType::Regular, b"zeroes", b"", &vec![0; 200 << 20])]);
    let (mut gzip, mut zstd) = (Vec::new(), Vec::new());
    wait(async {
        GzipEncoder::new(&zeroes[..]).read_to_end(&mut gzip).await.unwrap();
        ZstdEncoder::new(&zeroes[..]).read_to_end(&mut zstd).await.unwrap();
    });
    refused(&gzip, &["zeroes", "bomb"]);
    refused(&zstd, &["zeroes", "bomb"]);
    // Behind the end mark too.
    let mut behind = archive(&[file(b"f")]);
    behind.resize(200 << 20, 0);
    let mut gzip = Vec::new();
    wait(GzipEncoder::new(&behind[..]).read_to_end(&mut gzip)).unwrap();
    refused(&gzip, &["end"]);
}

#[test]
fn who_gives_up_in_the_middle_has_done_nothing() {
    let w = there();
    let before = shown(&w);
    let bytes = archive(&[file(b"one"), file(b"two")]);
    wait(async {
        let (mut sink, reader) = tokio::io::duplex(1 << 20);
        sink.write_all(&bytes[..1500]).await.unwrap();
        let unpacking = unpack(&w.who, reader, &w.root, Bounds::default());
        assert!(futures_util::FutureExt::now_or_never(unpacking).is_none());
    });
    assert_eq!(shown(&w), before);
}

#[test]
fn only_an_overlay_takes_archives() {
    let memory = MemTree::new();
    let root = Namespace::new(memory.root(), "memory").root();
    let who = Caller::new(Uid(0), Gid(0));
    let error = wait(unpack(&who, &archive(&[file(b"f")])[..], &root, Bounds::default())).unwrap_err();
    assert_eq!(error.errno(), Errno::EOPNOTSUPP);
    assert_eq!(memory.used_inodes(), 1);
}

proptest! {
    /// Whatever is damaged: all of it is there, or nothing.
    #[test]
    fn a_damaged_archive_does_all_or_nothing(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        squeeze in any::<bool>(),
    ) {
        let made = there();
        made.put(&"n".repeat(120), &[9; 2000]);
        made.symlink("l", "dir/f").unwrap();
        made.link("file", "linked").unwrap();
        let mut bytes = packed(&made);
        if squeeze {
            let mut gzip = Vec::new();
            wait(GzipEncoder::new(&bytes[..]).read_to_end(&mut gzip)).unwrap();
            bytes = gzip;
        }
        for (at, byte) in &changes {
            let at = at.index(bytes.len());
            bytes[at] = *byte;
        }
        let w = world();
        let entries = unpacked(&w, &bytes).map(|brought| brought.entries);
        let count = shown(&w).len() as u64;
        prop_assert!(entries.is_ok_and(|entries| count > 0 && count <= entries) || count == 0);
    }
}
