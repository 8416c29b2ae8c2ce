//! Making and removing names: mkdir(2), mknod(2), link(2), symlink(2), unlink(2), rmdir(2).

use crate::world::*;
use vfs::*;

#[test]
fn what_is_not_there_is_not_found() {
    let w = world();
    w.put("a", b"");
    fails(w.at("b"), Errno::ENOENT);
    for below in ["a/b", "a/.", "a/..", "a/", "a/../a"] {
        fails(w.at(below), Errno::ENOTDIR);
    }
    fails(w.unlink("b"), Errno::ENOENT);
    fails(w.rmdir("b"), Errno::ENOENT);
    fails(w.mv("b", "c"), Errno::ENOENT);
}

#[test]
fn an_exclusive_create_fails_where_the_name_is_taken_and_others_open_it() {
    let w = world();
    w.put("f", b"abc");
    let make = |flags| done(w.root.create(&w.who, name("f"), Mode::new(0o600), flags));
    fails(make(RW | OpenFlags::EXCLUSIVE), Errno::EEXIST);
    assert_eq!(content(&make(RW).unwrap().file), b"abc");
    assert_eq!(content(&make(RW | OpenFlags::TRUNCATE).unwrap().file), b"");
    fails(w.mkdir("f"), Errno::EEXIST);
    fails(w.symlink("f", "x"), Errno::EEXIST);
}

#[test]
fn creating_over_what_another_has_just_made_is_subject_to_its_mode() {
    let root = world();
    root.chmod("/", 0o777);
    root.put("secret", b"abc");
    root.chmod("secret", 0o600);
    let user = root.seen_by(1000, 1000);
    // The node itself is asked, as after a lost race: the namespace would have found the file.
    let node = root.tree.root();
    let made = done(node.create(&user.who, name("secret"), Mode::new(0o666), RW));
    fails(made, Errno::EACCES);
}

#[test]
fn subdirectories_count_as_links() {
    let w = world();
    w.mkdir("d").unwrap();
    w.mkdir("d/e").unwrap();
    w.put("d/f", b"");
    assert_eq!((w.stat("d").nlink, w.stat("d/e").nlink), (3, 2));
    fails(w.rmdir("d"), Errno::ENOTEMPTY);
    fails(w.unlink("d/e"), Errno::EISDIR);
    fails(w.rmdir("d/f"), Errno::ENOTDIR);
    w.rmdir("d/e").unwrap();
    assert_eq!(w.stat("d").nlink, 2);
}

#[test]
fn a_removed_directory_that_is_still_held_takes_no_entries() {
    let w = world();
    let dir = w.mkdir("d").unwrap();
    w.rmdir("d").unwrap();
    fails(done(dir.mkdir(&w.who, name("x"), Mode::new(0o755))), Errno::ENOENT);
    w.put("f", b"");
    fails(done(w.root.rename(&w.who, name("f"), &dir, name("f"), RenameFlags::empty())), Errno::ENOENT);
    fails(done(dir.link(&w.who, &w.at("f").unwrap(), name("x"))), Errno::ENOENT);
    assert_eq!(done(dir.stat(&w.who)).unwrap().nlink, 0);
}

#[test]
fn hard_links_are_names_of_one_file() {
    let w = world();
    w.put("a", b"abc");
    w.mkdir("d").unwrap();
    w.link("a", "d/b").unwrap();
    assert_eq!(w.stat("a").qid, w.stat("d/b").qid);
    assert_eq!(w.stat("a").nlink, 2);
    w.open("d/b", RW).unwrap().write(0, b"X").now().unwrap().unwrap();
    assert_eq!(w.bytes("a"), b"Xbc");
    w.unlink("a").unwrap();
    assert_eq!((w.bytes("d/b"), w.stat("d/b").nlink), (b"Xbc".to_vec(), 1));
    fails(w.link("d", "e"), Errno::EPERM);
    w.put("c", b"");
    fails(w.link("d/b", "c"), Errno::EEXIST);
}

#[test]
fn a_file_without_a_name_gets_none_again() {
    let w = world();
    w.put("a", b"");
    let a = w.at("a").unwrap();
    w.unlink("a").unwrap();
    fails(done(w.root.link(&w.who, &a, name("b"))), Errno::ENOENT);
}

#[test]
fn links_do_not_leave_their_tree() {
    let (w, other) = (world(), world());
    w.put("a", b"");
    let node = w.at("a").unwrap().node().clone();
    fails(done(other.tree.root().link(&w.who, &node, name("a"))), Errno::EXDEV);
    let there = other.tree.root();
    let moved = w.tree.root().rename(&w.who, name("a"), &there, name("a"), RenameFlags::empty()).now();
    fails(moved.unwrap(), Errno::EXDEV);
}

#[test]
fn symlinks_keep_their_target_and_are_followed_by_name() {
    let w = world();
    w.mkdir("d").unwrap();
    w.put("d/f", b"abc");
    let link = w.symlink("l", "d/f").unwrap();
    assert_eq!(&*done(link.readlink()).unwrap(), b"d/f");
    assert_eq!(w.stat("l").size, 3);
    assert_eq!((w.stat("l").kind(), w.stat("l").mode), (Kind::Symlink, Mode::new(0o777)));
    let found = done(w.root.resolve(&w.who, b"l", Follow::Yes)).unwrap();
    assert_eq!(found.qid().path, w.stat("d/f").qid.path);
    fails(w.open("l", OpenFlags::READ), Errno::ELOOP);
    // In the middle of a path, too, and `..` goes back by name.
    w.symlink("e", "d").unwrap();
    assert_eq!(w.bytes("e/f"), b"abc");
    assert_eq!(w.bytes("e/../d/./f"), b"abc");
    assert_eq!(w.at("e/").unwrap().kind(), Kind::Dir);
    fails(w.symlink("m", ""), Errno::ENOENT);
    fails(w.symlink("m", &"x".repeat(4096)), Errno::ENAMETOOLONG);
    w.symlink("m", &"x".repeat(4095)).unwrap();
    fails(done(w.at("d/f").unwrap().readlink()), Errno::EINVAL);
    w.symlink("loop", "loop").unwrap();
    fails(done(w.root.resolve(&w.who, b"loop", Follow::Yes)), Errno::ELOOP);
}

#[test]
fn special_files_are_inodes_with_their_numbers() {
    let w = world();
    let device = Device { major: 1, minor: 3 };
    for (at, kind) in [("c", Kind::CharDevice), ("b", Kind::BlockDevice), ("s", Kind::Socket)] {
        done(w.root.mknod(&w.who, name(at), kind, Mode::new(0o600), device)).unwrap();
        assert_eq!(w.stat(at).kind(), kind);
        fails(w.open(at, OpenFlags::READ), Errno::ENXIO);
    }
    assert_eq!(w.stat("c").rdev, device);
    assert_eq!(w.stat("s").rdev, Device::default());
    done(w.root.mknod(&w.who, name("f"), Kind::File, Mode::new(0o640), device)).unwrap();
    assert_eq!((w.stat("f").kind(), w.stat("f").mode), (Kind::File, Mode::new(0o640)));
    fails(done(w.root.mknod(&w.who, name("d"), Kind::Dir, Mode::new(0o755), device)), Errno::EINVAL);
}

#[test]
fn names_are_bytes_up_to_255_of_them() {
    let w = world();
    let long = [0xff; 255];
    done(w.root.create(&w.who, Name::new(&long).unwrap(), Mode::new(0o600), RW)).unwrap();
    done(w.root.walk(&w.who, &long)).unwrap();
    fails(done(w.root.walk(&w.who, &[b'x'; 256])), Errno::ENAMETOOLONG);
}

#[test]
fn identities_are_never_used_twice() {
    let w = world();
    let mut seen = std::collections::HashSet::new();
    for _ in 0..1000 {
        w.put("f", b"");
        assert!(seen.insert(w.stat("f").qid.path));
        w.unlink("f").unwrap();
    }
}

#[test]
fn a_tree_of_directories_deeper_than_any_stack_is_dropped() {
    let w = world();
    let mut dir = w.root.clone();
    for _ in 0..200_000 {
        dir = done(dir.mkdir(&w.who, name("d"), Mode::new(0o755))).unwrap();
    }
    // Neither the chain of places that leads there, nor the tree below.
    drop(dir);
    let tree = w.tree.clone();
    assert_eq!(tree.used_inodes(), 200_001);
    done(w.root.rename(&w.who, name("d"), &w.root, name("e"), RenameFlags::empty())).unwrap();
    drop(w);
    drop(tree);
}
