//! rename(2) and renameat2(2).

use crate::world::*;
use vfs::*;

#[test]
fn a_rename_moves_and_replaces_files() {
    let w = world();
    w.put("a", b"A");
    w.put("b", b"B");
    w.mkdir("d").unwrap();
    let held = w.open("b", OpenFlags::READ).unwrap();
    w.mv("a", "b").unwrap();
    fails(w.at("a"), Errno::ENOENT);
    assert_eq!(w.bytes("b"), b"A");
    assert_eq!(content(&held), b"B");
    assert_eq!(done(held.node().stat()).unwrap().nlink, 0);
    w.mv("b", "d/c").unwrap();
    assert_eq!((w.names("/"), w.names("d")), (vec!["d".to_owned()], vec!["c".to_owned()]));
    assert_eq!(w.bytes("d/c"), b"A");
}

#[test]
fn a_directory_replaces_only_an_empty_directory() {
    let w = world();
    for dir in ["a", "a/x", "empty", "full", "full/y"] {
        w.mkdir(dir).unwrap();
    }
    w.put("f", b"");
    fails(w.mv("a", "full"), Errno::ENOTEMPTY);
    fails(w.mv("a", "f"), Errno::ENOTDIR);
    fails(w.mv("f", "a"), Errno::EISDIR);
    let root_links = w.stat("/").nlink;
    w.mv("a", "empty").unwrap();
    assert_eq!(w.names("empty"), ["x"]);
    assert_eq!(w.stat("/").nlink, root_links - 1);
    w.mv("empty", "full/y").unwrap();
    assert_eq!((w.stat("/").nlink, w.stat("full").nlink, w.stat("full/y").nlink), (3, 3, 3));
}

#[test]
fn two_names_of_one_file_stay_as_they_are() {
    let w = world();
    w.put("a", b"A");
    w.mkdir("d").unwrap();
    w.link("a", "b").unwrap();
    w.link("a", "d/c").unwrap();
    w.mv("a", "b").unwrap();
    w.mv("a", "d/c").unwrap();
    w.mv("a", "a").unwrap();
    assert_eq!(w.stat("a").nlink, 3);
    assert_eq!(w.names("/"), ["a", "b", "d"]);
}

#[test]
fn a_directory_never_moves_into_itself() {
    let w = world();
    for dir in ["a", "a/b", "a/b/c"] {
        w.mkdir(dir).unwrap();
    }
    fails(w.mv("a", "a/x"), Errno::EINVAL);
    fails(w.mv("a", "a/b/c/x"), Errno::EINVAL);
    fails(w.mv("a/b", "a/b/c"), Errno::EINVAL);
    fails(w.mv("a/b/c", "a"), Errno::ENOTEMPTY);
    fails(w.rename("a/b/c", "a", RenameFlags::EXCHANGE), Errno::EINVAL);
    fails(w.rename("a", "a/b/c", RenameFlags::EXCHANGE), Errno::EINVAL);
    // Once it has moved away, its old parent may move into it.
    w.mv("a/b/c", "c").unwrap();
    w.mv("a", "c/a").unwrap();
    assert_eq!(w.names("c/a"), ["b"]);
    fails(w.mv("c", "c/a/b/x"), Errno::EINVAL);
}

#[test]
fn noreplace_replaces_nothing() {
    let w = world();
    w.put("a", b"A");
    w.put("b", b"B");
    fails(w.rename("a", "b", RenameFlags::NOREPLACE), Errno::EEXIST);
    assert_eq!(w.bytes("b"), b"B");
    w.rename("a", "c", RenameFlags::NOREPLACE).unwrap();
    fails(w.rename("c", "b", RenameFlags::NOREPLACE | RenameFlags::EXCHANGE), Errno::EINVAL);
}

#[test]
fn exchange_swaps_whatever_there_is() {
    let w = world();
    for dir in ["d", "e", "e/sub", "e/sub/x"] {
        w.mkdir(dir).unwrap();
    }
    w.put("f", b"F");
    w.rename("f", "e/sub", RenameFlags::EXCHANGE).unwrap();
    assert_eq!(w.bytes("e/sub"), b"F");
    assert_eq!(w.names("f"), ["x"]);
    assert_eq!((w.stat("/").nlink, w.stat("e").nlink), (5, 2));
    w.rename("d", "f", RenameFlags::EXCHANGE).unwrap();
    assert_eq!((w.names("d"), w.names("f")), (vec!["x".to_owned()], vec![]));
    fails(w.rename("d", "nothing", RenameFlags::EXCHANGE), Errno::ENOENT);
    fails(w.rename("d", "e/nothing", RenameFlags::EXCHANGE), Errno::ENOENT);
    // Parents went along: neither may now move below itself.
    fails(w.mv("d", "d/x/y"), Errno::EINVAL);
}

#[test]
fn a_moved_directory_forgets_its_old_parent() {
    let w = world();
    for dir in ["a", "b", "a/d"] {
        w.mkdir(dir).unwrap();
    }
    w.mv("a/d", "b/d").unwrap();
    assert_eq!((w.stat("a").nlink, w.stat("b").nlink), (2, 3));
    w.mv("a", "b/d/a").unwrap();
    fails(w.mv("b", "b/d/a/b"), Errno::EINVAL);
    fails(w.rmdir("b/d"), Errno::ENOTEMPTY);
}
