//! What the mode bits, the sticky bit and ownership leave to whom, where it takes a tree to show.

use crate::world::*;
use vfs::*;

/// A world of root's whose `/` everybody may write to, and a user in it.
fn shared() -> (World, World) {
    let root = world();
    root.chmod("/", 0o777);
    let user = root.seen_by(1000, 1000);
    (root, user)
}

#[test]
fn a_file_in_a_directory_that_may_not_be_searched_is_not_opened_by_creating_it() {
    let (root, user) = shared();
    root.mkdir("d").unwrap();
    root.put("d/f", b"secret");
    root.chmod("d/f", 0o666);
    root.chmod("d", 0o644);
    let d = user.at("d").unwrap();
    fails(done(d.create(&user.who, name("f"), Mode::new(0o644), RW)), Errno::EACCES);
    root.chmod("d", 0o711);
    done(d.create(&user.who, name("f"), Mode::new(0o644), RW)).unwrap();
    fails(done(d.create(&user.who, name("g"), Mode::new(0o644), RW)), Errno::EACCES);
    let f = root.at("d/f").unwrap();
    fails(done(f.create(&user.who, name("x"), Mode::new(0o644), RW)), Errno::ENOTDIR);
}

#[test]
fn moving_a_directory_elsewhere_takes_the_right_to_write_to_it() {
    let (root, user) = shared();
    for dir in ["theirs", "mine", "target"] {
        user.mkdir(dir).unwrap();
    }
    root.set("theirs", SetStat { uid: Some(Uid(7)), ..SetStat::default() }).unwrap();
    fails(user.mv("theirs", "target/theirs"), Errno::EACCES);
    user.mv("theirs", "renamed").unwrap();
    user.mkdir("target/t").unwrap();
    fails(user.rename("target/t", "renamed", RenameFlags::EXCHANGE), Errno::EACCES);
    user.mv("mine", "target/mine").unwrap();
    root.mv("renamed", "target/theirs").unwrap();
}

#[test]
fn a_sticky_directory_keeps_everybodys_files_from_everybody_else() {
    let (root, user) = shared();
    root.chmod("/", 0o1777);
    let other = root.seen_by(2000, 2000);
    user.put("f", b"");
    other.put("g", b"");
    fails(other.unlink("f"), Errno::EPERM);
    fails(other.mv("f", "h"), Errno::EPERM);
    fails(other.mv("g", "f"), Errno::EPERM);
    user.mv("f", "h").unwrap();
    user.unlink("h").unwrap();
}

#[test]
fn trusted_and_security_attributes_are_the_superusers() {
    let (root, user) = shared();
    user.put("f", b"");
    let f = root.at("f").unwrap();
    let set = |w: &World, name: &str| done(f.setxattr(&w.who, name.as_bytes(), b"1", SetXattr::empty()));
    for name in ["trusted.a", "security.a"] {
        fails(set(&user, name), Errno::EPERM);
        set(&root, name).unwrap();
        fails(done(f.removexattr(&user.who, name.as_bytes())), Errno::EPERM);
    }
    set(&user, "user.a").unwrap();
    fails(done(f.getxattr(&user.who, b"trusted.a")), Errno::ENODATA);
    assert_eq!(done(f.listxattr(&user.who)).unwrap().len(), 2);
    assert_eq!(done(f.listxattr(&root.who)).unwrap().len(), 3);
}
