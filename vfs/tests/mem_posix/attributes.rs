//! Owners, modes, times, extended attributes and locks.

use crate::tree::NOTES_ALL_READS;
use crate::world::*;
use std::thread::sleep;
use std::time::Duration;
use vfs::lock::{Lock, LockKind, LockOwner, LockSort};
use vfs::*;

/// Longer than a tick of the clock that stamps files.
fn tick() {
    sleep(Duration::from_millis(15));
}

#[test]
fn new_files_belong_to_their_maker_and_in_setgid_directories_to_its_group() {
    let root = world();
    root.chmod("/", 0o777);
    let user = root.seen_by(1000, 100);
    user.mkdir("d").unwrap();
    user.put("f", b"");
    assert_eq!((root.stat("f").uid, root.stat("f").gid), (Uid(1000), Gid(100)));
    root.set("d", SetStat { gid: Some(Gid(7)), ..SetStat::default() }).unwrap();
    root.chmod("d", 0o2777);
    user.put("d/f", b"");
    user.mkdir("d/e").unwrap();
    assert_eq!((root.stat("d/f").uid, root.stat("d/f").gid), (Uid(1000), Gid(7)));
    assert_eq!((root.stat("d/e").gid, root.stat("d/e").mode), (Gid(7), Mode::new(0o2755)));
    // A group that its maker is not in does not run as that group.
    let d = user.at("d").unwrap();
    done(d.create(&user.who, name("g"), Mode::new(0o2775), RW)).unwrap();
    assert_eq!(root.stat("d/g").mode, Mode::new(0o775));
}

#[test]
fn each_operation_marks_the_times_that_posix_says() {
    let w = world();
    let file = w.put("f", b"abc");
    w.mkdir("d").unwrap();
    let times = |path: &str| {
        let stat = w.stat(path);
        (stat.atime, stat.mtime, stat.ctime)
    };
    let born = w.stat("f").btime;

    let before = times("f");
    tick();
    content(&file);
    let after = times("f");
    assert_eq!(after.0 > before.0, NOTES_ALL_READS, "a read");
    assert!(after.1 == before.1 && after.2 == before.2, "a read");

    tick();
    done(file.write(0, b"x")).unwrap();
    let written = times("f");
    assert!(written.0 == after.0 && written.1 > after.1 && written.2 == written.1, "a write");

    tick();
    w.chmod("f", 0o600);
    let changed = times("f");
    assert!(changed.1 == written.1 && changed.2 > written.2, "a chmod");

    tick();
    let dir = times("d");
    w.link("f", "d/f").unwrap();
    let linked = times("f");
    assert!(linked.1 == changed.1 && linked.2 > changed.2, "a link");
    assert!(times("d").1 > dir.1 && times("d").2 > dir.2, "a new entry");

    tick();
    let dir = times("d");
    w.mv("d/f", "d/g").unwrap();
    assert!(times("f").2 > linked.2 && times("d").1 > dir.1, "a rename");

    tick();
    let (dir, file_before) = (times("d"), times("f"));
    w.unlink("d/g").unwrap();
    assert!(times("d").1 > dir.1 && times("f").2 > file_before.2, "an unlink");

    tick();
    let dir = times("d");
    w.names("d");
    assert_eq!(times("d").0 > dir.0, NOTES_ALL_READS, "a listing");
    assert_eq!(times("d").1, dir.1, "a listing");
    assert_eq!(w.stat("f").btime, born);
}

#[test]
fn times_are_set_as_given() {
    let w = world();
    w.put("f", b"");
    let old = Time { secs: -1, nanos: 999_999_999 };
    let far = Time { secs: 1 << 40, nanos: 1 };
    let set = SetStat { atime: Some(SetTime::To(far)), mtime: Some(SetTime::To(old)), ..SetStat::default() };
    w.set("f", set).unwrap();
    assert_eq!((w.stat("f").atime, w.stat("f").mtime), (far, old));
    w.set("f", SetStat { mtime: Some(SetTime::Now), ..SetStat::default() }).unwrap();
    assert!(w.stat("f").mtime > old && w.stat("f").atime == far);
}

#[test]
fn giving_a_program_away_takes_its_set_id_bits() {
    let w = world();
    w.put("f", b"");
    w.chmod("f", 0o6755);
    let owner = SetStat { uid: Some(Uid(5)), ..SetStat::default() };
    w.set("f", owner).unwrap();
    assert_eq!(w.stat("f").mode, Mode::new(0o755));
    w.set("f", SetStat { mode: Some(Mode::new(0o4755)), ..owner }).unwrap();
    assert_eq!(w.stat("f").mode, Mode::new(0o4755));
}

#[test]
fn a_change_of_several_things_happens_whole_or_not() {
    let w = world();
    w.mkdir("d").unwrap();
    let set = SetStat { mode: Some(Mode::new(0)), size: Some(0), ..SetStat::default() };
    fails(w.set("d", set), Errno::EISDIR);
    assert_eq!(w.stat("d").mode, Mode::new(0o755));
}

fn get(place: &Place, who: &Caller, name: &str) -> Result<Vec<u8>> {
    done(place.getxattr(who, name.as_bytes())).map(|value| value.to_vec())
}

#[test]
fn extended_attributes_are_made_replaced_listed_and_removed() {
    let w = world();
    w.put("f", b"");
    let f = w.at("f").unwrap();
    let set = |name: &str, value: &[u8], how| done(f.setxattr(&w.who, name.as_bytes(), value, how));
    set("user.a", b"1", SetXattr::CREATE).unwrap();
    fails(set("user.a", b"2", SetXattr::CREATE), Errno::EEXIST);
    fails(set("user.b", b"2", SetXattr::REPLACE), Errno::ENODATA);
    set("user.a", b"22", SetXattr::REPLACE).unwrap();
    set("security.x", b"", SetXattr::empty()).unwrap();
    assert_eq!(get(&f, &w.who, "user.a").unwrap(), b"22");
    assert_eq!(get(&f, &w.who, "security.x").unwrap(), b"");
    let names = done(f.listxattr(&w.who)).unwrap();
    assert_eq!(names, [b"security.x".to_vec().into(), Box::<[u8]>::from(&b"user.a"[..])]);
    done(f.removexattr(&w.who, b"user.a")).unwrap();
    fails(done(f.removexattr(&w.who, b"user.a")), Errno::ENODATA);
    fails(get(&f, &w.who, "user.a"), Errno::ENODATA);
}

#[test]
fn a_file_without_a_label_says_that_there_are_no_labels() {
    let w = world();
    w.put("f", b"");
    let f = w.at("f").unwrap();
    fails(get(&f, &w.who, "security.selinux"), Errno::EOPNOTSUPP);
    fails(get(&f, &w.who, "security.other"), Errno::ENODATA);
    done(f.setxattr(&w.who, b"security.selinux", b"label", SetXattr::empty())).unwrap();
    assert_eq!(get(&f, &w.who, "security.selinux").unwrap(), b"label");
}

#[test]
fn extended_attributes_have_their_limits_and_count_as_space() {
    let w = world();
    w.put("f", b"");
    w.symlink("l", "f").unwrap();
    let f = w.at("f").unwrap();
    let set = |name: &str, value: &[u8]| done(f.setxattr(&w.who, name.as_bytes(), value, SetXattr::empty()));
    set("user.big", &vec![1; 65536]).unwrap();
    assert!(w.tree.used_bytes() >= 65536);
    fails(set("user.big", &vec![1; 65537]), Errno::E2BIG);
    fails(set(&format!("user.{}", "x".repeat(251)), b""), Errno::ERANGE);
    set(&format!("user.{}", "x".repeat(250)), b"").unwrap();
    fails(set("user.", b""), Errno::EINVAL);
    fails(set("system.nfs4_acl", b""), Errno::EOPNOTSUPP);
    fails(set("nonsense", b""), Errno::EOPNOTSUPP);
    let l = w.at("l").unwrap();
    fails(done(l.setxattr(&w.who, b"user.a", b"", SetXattr::empty())), Errno::EPERM);
    drop((f, l));
    w.unlink("f").unwrap();
    assert_eq!(w.tree.used_bytes(), 0);
}

#[test]
fn record_locks_exclude_other_owners_and_go_with_their_last_close() {
    let w = world();
    let (one, two) = (w.put("f", b""), w.open("f", RW).unwrap());
    let owner = |owner| LockOwner { client: 1, owner, sort: LockSort::Record, pid: owner as u32 };
    let lock = Lock { kind: LockKind::Write, start: 0, end: 10 };
    done(one.lock(owner(1), lock, false)).unwrap();
    fails(done(two.lock(owner(2), lock, false)), Errno::EAGAIN);
    assert_eq!(done(two.getlock(owner(2), lock)).unwrap(), Some((owner(1), lock)));
    let other_file = w.put("g", b"");
    done(other_file.lock(owner(2), lock, false)).unwrap();
    let waiting = two.lock(owner(2), lock, true);
    assert!(matches!(waiting, Op::Later(_)));
    one.release(owner(1));
    assert!(futures_util::FutureExt::now_or_never(waiting).unwrap().is_ok());
    assert_eq!(done(one.getlock(owner(1), lock)).unwrap(), Some((owner(2), lock)));
}
