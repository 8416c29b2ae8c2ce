//! read(2), write(2), truncate(2), fallocate(2), and what happens to the space.

use crate::world::*;
use vfs::*;

#[test]
fn what_is_written_is_read() {
    let w = world();
    let file = w.put("a", b"hello");
    assert_eq!(w.bytes("a"), b"hello");
    assert_eq!(done(file.write(7, b"!")).unwrap(), 1);
    assert_eq!(w.bytes("a"), b"hello\0\0!");
    assert_eq!(w.stat("a").size, 8);
}

/// `data` in buffers of `len`, of which the first is shorter by `skipped`.
fn in_buffers(data: &[u8], len: usize, skipped: usize) -> Vec<Vec<u8>> {
    let (first, rest) = data.split_at(data.len().min(len - skipped));
    let filled = |part: &[u8]| {
        let mut buffer = vfs::mem::buffer();
        buffer.extend_from_slice(part);
        buffer
    };
    std::iter::once(first).chain(rest.chunks(len)).map(filled).collect()
}

#[test]
fn what_is_written_in_buffers_is_what_is_written_in_bytes() {
    let w = world();
    let data: Vec<u8> = (0..300_000u32).map(|n| (n % 251) as u8).collect();
    let (one, other) = (w.put("one", &[9; 100_000]), w.put("other", &[9; 100_000]));
    let len = one.keeps_buffers().expect("a memory tree does");
    for offset in [0, 1, len - 1, len, 2 * len + 100, 1 << 20] {
        let lent = one.read_shared(0, 1 << 20).unwrap().concat();
        assert_eq!(lent, content(&one));
        let parts = in_buffers(&data, len, offset % len);
        assert_eq!(done(one.write_buffers(offset as u64, parts)).unwrap(), data.len());
        assert_eq!(done(other.write(offset as u64, &data)).unwrap(), data.len());
        assert!(content(&one) == content(&other), "at {offset}");
    }
    let stat = |name| (w.stat(name).size, w.stat(name).blocks);
    assert_eq!(stat("one"), stat("other"));
    drop((one, other));
    w.unlink("one").unwrap();
    w.unlink("other").unwrap();
    assert_eq!(w.tree.used_bytes(), 0);
}

#[test]
fn what_readers_were_lent_stays_when_its_buffers_are_replaced() {
    let w = world();
    let file = w.put("f", &[1; 200_000]);
    let lent = file.read_shared(0, 200_000).unwrap();
    let len = file.keeps_buffers().unwrap();
    done(file.write_buffers(0, in_buffers(&[2; 200_000], len, 0))).unwrap();
    assert_eq!(lent.concat(), [1; 200_000]);
    assert_eq!(content(&file), [2; 200_000]);
}

#[test]
fn buffers_take_no_more_space_than_there_is() {
    let options = MemOptions { max_bytes: 160 << 10, ..MemOptions::default() };
    let w = world_of(options, Caller::new(Uid(0), Gid(0)));
    let file = w.create("f").unwrap();
    let len = file.keeps_buffers().unwrap();
    let data = vec![3; 300_000];
    assert_eq!(done(file.write_buffers(0, in_buffers(&data, len, 0))).unwrap(), 2 * len);
    fails(done(file.write_buffers(2 * len as u64, in_buffers(&data, len, 0))), Errno::ENOSPC);
    assert_eq!(content(&file), data[..2 * len]);
    let reader = w.open("f", OpenFlags::READ).unwrap();
    fails(done(reader.write_buffers(0, in_buffers(&data, len, 0))), Errno::EBADF);
}

#[test]
fn a_file_lives_on_without_a_name_while_it_is_open() {
    let w = world();
    let file = w.put("a", &[7; 100_000]);
    w.unlink("a").unwrap();
    fails(w.at("a"), Errno::ENOENT);
    assert_eq!(content(&file), [7; 100_000]);
    assert_eq!(done(file.node().stat()).unwrap().nlink, 0);
    assert!(w.tree.used_bytes() >= 100_000);
    drop(file);
    assert_eq!((w.tree.used_bytes(), w.tree.used_inodes()), (0, 1));
}

#[test]
fn a_byte_beyond_four_gib_makes_a_large_file_that_holds_little() {
    let w = world();
    let file = w.put("big", b"start");
    done(file.write(5 << 30, b"end")).unwrap();
    let stat = w.stat("big");
    assert_eq!(stat.size, (5 << 30) + 3);
    assert!(stat.blocks * 512 <= 16 << 10, "{} blocks", stat.blocks);
    let mut buf = [1; 8];
    assert_eq!(done(file.read((5 << 30) - 3, &mut buf)).unwrap(), 6);
    assert_eq!(&buf[..6], b"\0\0\0end");
}

#[test]
fn nothing_reaches_beyond_the_largest_offset() {
    let w = world();
    let file = w.create("f").unwrap();
    let max = i64::MAX as u64;
    fails(done(file.write(max, b"x")), Errno::EINVAL);
    fails(done(file.write(u64::MAX, b"x")), Errno::EINVAL);
    fails(done(file.write(max - 1, b"xyz")), Errno::EINVAL);
    assert_eq!(done(file.write(max - 1, b"x")).unwrap(), 1);
    assert_eq!(w.stat("f").size, max);
    fails(done(file.set_size(max + 1)), Errno::EFBIG);
    fails(w.truncate("f", u64::MAX), Errno::EFBIG);
    fails(done(file.allocate(max, 1, Allocate::empty())), Errno::EFBIG);
    assert_eq!(done(file.read(max - 4, &mut [0; 4])).unwrap(), 4);
    assert_eq!(done(file.read(max - 3, &mut [0; 4])).unwrap(), 3);
    fails(done(file.read(u64::MAX, &mut [0; 4])), Errno::EINVAL);
}

#[test]
fn a_file_that_is_cut_and_lengthened_has_zeroes_behind_the_cut() {
    let w = world();
    w.put("f", b"abcdef");
    w.truncate("f", 3).unwrap();
    w.truncate("f", 6).unwrap();
    assert_eq!(w.bytes("f"), b"abc\0\0\0");
    w.mkdir("d").unwrap();
    fails(w.truncate("d", 0), Errno::EISDIR);
}

#[test]
fn opening_with_truncate_empties_the_file() {
    let w = world();
    w.put("f", b"abcdef");
    w.open("f", OpenFlags::WRITE | OpenFlags::TRUNCATE).unwrap();
    assert_eq!(w.stat("f").size, 0);
}

#[test]
fn appending_goes_to_the_end_whatever_the_offset() {
    let w = world();
    w.put("f", b"one");
    let one = w.open("f", OpenFlags::WRITE | OpenFlags::APPEND).unwrap();
    let two = w.open("f", OpenFlags::WRITE).unwrap();
    done(one.write(0, b" two")).unwrap();
    assert_eq!(done(two.append(b" three")).unwrap(), (6, 13));
    done(one.write(1, b" four")).unwrap();
    assert_eq!(w.bytes("f"), b"one two three four");
}

#[test]
fn a_file_does_only_what_it_was_opened_for() {
    let w = world();
    w.put("f", b"abc");
    let reader = w.open("f", OpenFlags::READ).unwrap();
    fails(done(reader.write(0, b"x")), Errno::EBADF);
    fails(done(reader.append(b"x")), Errno::EBADF);
    fails(done(reader.set_size(0)), Errno::EINVAL);
    fails(done(reader.allocate(0, 1, Allocate::empty())), Errno::EBADF);
    let writer = w.open("f", OpenFlags::WRITE).unwrap();
    fails(done(writer.read(0, &mut [0; 1])), Errno::EBADF);
    w.mkdir("d").unwrap();
    fails(w.open("d", OpenFlags::WRITE), Errno::EISDIR);
    let dir = w.open("d", OpenFlags::READ).unwrap();
    fails(done(dir.read(0, &mut [0; 1])), Errno::EISDIR);
    fails(w.open("f", OpenFlags::READ | OpenFlags::DIRECTORY), Errno::ENOTDIR);
}

#[test]
fn a_hole_reads_as_zeroes_and_gives_its_space_back() {
    let w = world();
    let file = w.put("f", &[7; 1 << 20]);
    let before = w.stat("f").blocks;
    done(file.allocate(4096, (1 << 20) - 8192, Allocate::PUNCH_HOLE | Allocate::KEEP_SIZE)).unwrap();
    assert!(w.stat("f").blocks < before / 8);
    assert_eq!(w.stat("f").size, 1 << 20);
    let bytes = w.bytes("f");
    assert!(bytes.iter().enumerate().all(|(i, b)| (*b == 7) != (4096..(1 << 20) - 4096).contains(&i)));
    fails(done(file.allocate(0, 0, Allocate::empty())), Errno::EINVAL);
}

#[test]
fn a_full_tree_takes_what_fits_and_then_nothing_until_space_is_freed() {
    let w = world_of(
        MemOptions { max_bytes: 64 << 10, max_inodes: 3, ..MemOptions::default() },
        Caller::new(Uid(0), Gid(0)),
    );
    let file = w.put("a", &[1; 40 << 10]);
    let other = w.create("b").unwrap();
    assert_eq!(done(other.write(0, &[2; 20 << 10])).unwrap(), 20 << 10);
    fails(done(other.write(20 << 10, &[2; 8 << 10])), Errno::ENOSPC);
    fails(done(file.allocate(0, 1 << 20, Allocate::empty())), Errno::ENOSPC);
    let stat = done(w.root.statfs()).unwrap();
    assert_eq!((stat.blocks, stat.bfree, stat.files, stat.ffree), (16, 1, 3, 0));
    fails(w.create("c"), Errno::ENOSPC);
    fails(w.mkdir("c"), Errno::ENOSPC);
    w.unlink("a").unwrap();
    drop(file);
    assert_eq!(done(other.write(20 << 10, &[2; 8 << 10])).unwrap(), 8 << 10);
    w.mkdir("c").unwrap();
}

#[test]
fn allocating_reserves_the_space_that_later_writes_need() {
    let w =
        world_of(MemOptions { max_bytes: 64 << 10, ..MemOptions::default() }, Caller::new(Uid(0), Gid(0)));
    let file = w.create("a").unwrap();
    done(file.allocate(0, 48 << 10, Allocate::empty())).unwrap();
    assert_eq!(w.stat("a").size, 48 << 10);
    w.put("b", &[1; 16 << 10]);
    assert_eq!(done(file.write(0, &[3; 48 << 10])).unwrap(), 48 << 10);
}

#[test]
fn every_change_of_content_is_a_new_version_and_looking_is_none() {
    let w = world();
    let file = w.put("f", b"a");
    let version = || w.stat("f").qid.version;
    let first = version();
    w.bytes("f");
    w.chmod("f", 0o600);
    assert_eq!(version(), first);
    done(file.write(0, b"b")).unwrap();
    let second = version();
    done(file.set_size(0)).unwrap();
    assert!(first < second && second < version());
}

#[test]
fn a_mere_users_write_takes_the_set_id_bits_away() {
    let root = world();
    root.put("f", b"");
    root.chmod("f", 0o6777);
    root.open("f", RW).unwrap().write(0, b"x").now().unwrap().unwrap();
    assert_eq!(root.stat("f").mode, Mode::new(0o6777));
    let user = root.seen_by(1000, 1000);
    user.open("f", RW).unwrap().write(0, b"").now().unwrap().unwrap();
    assert_eq!(root.stat("f").mode, Mode::new(0o6777));
    user.open("f", RW).unwrap().write(0, b"x").now().unwrap().unwrap();
    assert_eq!(root.stat("f").mode, Mode::new(0o777));
    // Without group execution setgid is no privilege, and who is of the group leaves it.
    let group = root.stat("f").gid.0;
    for (gid, left) in [(group, 0o2666), (group + 1, 0o666)] {
        root.chmod("f", 0o2666);
        root.seen_by(1000, gid).truncate("f", 0).unwrap();
        assert_eq!(root.stat("f").mode, Mode::new(left), "group {gid}");
    }
}
