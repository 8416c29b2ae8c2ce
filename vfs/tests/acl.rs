//! Access control lists decide at every place, for callers whom nobody has checked (9P clients and guests): on the memory tree
//! and on a host directory alike, whose lists are the host's own.

mod host_support;

use host_support::{host_in_memory, n, now};
use vfs::host::HostOptions;
use vfs::{
    Access, Acl, AclKind, Caller, Errno, Follow, Gid, MemTree, Mode, Name, Namespace, OpenFlags, Place,
    Result, SetStat, SetTime, SetXattr, Time, Uid,
};

const ACCESS: &[u8] = AclKind::Access.attribute().as_bytes();
const DEFAULT: &[u8] = AclKind::Default.attribute().as_bytes();

/// The attribute's value: tag, permissions and number of each entry.
fn value(entries: &[(u16, u16, u32)]) -> Vec<u8> {
    let mut value = 2u32.to_le_bytes().to_vec();
    for (tag, may, number) in entries {
        value.extend(tag.to_le_bytes());
        value.extend(may.to_le_bytes());
        value.extend(number.to_le_bytes());
    }
    value
}

const NOBODY: u32 = u32::MAX;
/// user::7 user:UID:named group::0 mask::mask other::0
fn for_user(uid: u32, named: u16, mask: u16) -> Vec<u8> {
    value(&[(1, 7, NOBODY), (2, named, uid), (4, 0, NOBODY), (0x10, mask, NOBODY), (0x20, 0, NOBODY)])
}

fn user(uid: u32) -> Caller {
    Caller::new(Uid(uid), Gid(uid))
}

/// The superuser where the process is he, else whoever runs it: owner of all that is made.
fn owner() -> Caller {
    Caller::me()
}

/// Does `test` in a directory of either tree.
fn everywhere(test: impl Fn(&Place)) {
    let host = host_in_memory(HostOptions::default());
    for root in [MemTree::new().root(), host.root.clone()] {
        let all = SetStat { mode: Some(Mode::new(0o755)), ..SetStat::default() };
        now(root.setstat(&owner(), all)).unwrap();
        test(&Namespace::new(root, "test").root());
    }
}

fn file(dir: &Place, name: &str, mode: u32) -> Place {
    let flags = OpenFlags::READ | OpenFlags::WRITE;
    now(dir.create(&owner(), n(name), Mode::new(mode), flags)).unwrap().place
}

fn set(place: &Place, who: &Caller, name: &[u8], value: &[u8]) -> Result<()> {
    now(place.setxattr(who, name, value, SetXattr::empty()))
}

fn may(place: &Place, who: &Caller, want: Access) -> bool {
    match now(place.access(who, want)) {
        Ok(()) => true,
        Err(error) if error.is(Errno::EACCES) => false,
        Err(error) => panic!("{error:?}"),
    }
}

fn mode(place: &Place) -> u32 {
    now(place.stat(&owner())).unwrap().mode.bits()
}

#[test]
fn a_named_user_may_what_his_entry_and_the_mask_give_him_by_every_way_in() {
    everywhere(|dir| {
        let (write, read) = (Access::WRITE, Access::READ);
        let shared = now(dir.mkdir(&owner(), n("d"), Mode::new(0o700))).unwrap();
        let f = file(&shared, "f", 0o600);
        let (he, another) = (user(4001), user(4002));
        assert!(now(shared.walk(&he, b"f")).err().unwrap().is(Errno::EACCES));
        set(&shared, &owner(), ACCESS, &for_user(4001, 7, 7)).unwrap();
        set(&f, &owner(), ACCESS, &for_user(4001, 6, 4)).unwrap();
        assert_eq!((mode(&shared), mode(&f)), (0o770, 0o740));
        // By resolving, by looking, and by walking and opening.
        assert!(now(dir.resolve(&he, b"d/f", Follow::Yes)).is_ok());
        assert!(now(dir.look(&he, b"d/f", Follow::Yes)).is_ok());
        assert!(now(dir.look(&another, b"d/f", Follow::Yes)).unwrap_err().is(Errno::EACCES));
        let walked = now(shared.walk(&he, b"f")).unwrap();
        assert!(now(walked.open(&he, OpenFlags::READ)).is_ok());
        assert!(now(walked.open(&he, OpenFlags::WRITE)).err().unwrap().is(Errno::EACCES), "masked");
        assert!(may(&f, &he, read) && !may(&f, &he, write) && !may(&f, &another, read));
        // chmod(2) sets the mask.
        now(f.setstat(&owner(), SetStat { mode: Some(Mode::new(0o660)), ..SetStat::default() })).unwrap();
        assert!(may(&f, &he, write));
        let cut = SetStat { size: Some(0), mtime: Some(SetTime::Now), ..SetStat::default() };
        now(f.setstat(&he, cut)).unwrap();
        assert!(now(f.setstat(&another, cut)).unwrap_err().is(Errno::EACCES));
        let back = SetStat { mtime: Some(SetTime::To(Time::EPOCH)), ..SetStat::default() };
        assert!(now(f.setstat(&he, back)).unwrap_err().is(Errno::EPERM), "a list makes nobody the owner");
        // What is left of a list that is taken away is the mode.
        now(f.removexattr(&owner(), ACCESS)).unwrap();
        assert_eq!(mode(&f), 0o660);
        assert!(!may(&f, &he, read) && now(f.getxattr(&owner(), ACCESS)).unwrap_err().is(Errno::ENODATA));
        now(f.removexattr(&owner(), ACCESS)).unwrap();
    });
}

#[test]
fn who_is_not_the_owner_sees_a_list_and_cannot_change_it() {
    everywhere(|dir| {
        let f = file(dir, "f", 0o644);
        let list = for_user(4001, 7, 7);
        for name in [ACCESS, DEFAULT] {
            assert!(set(&f, &user(4001), name, &list).is_err(), "{name:?}");
        }
        set(&f, &owner(), ACCESS, &list).unwrap();
        assert_eq!(&*now(f.getxattr(&user(4002), ACCESS)).unwrap(), &list[..]);
        assert!(now(f.removexattr(&user(4001), ACCESS)).unwrap_err().is(Errno::EPERM));
        assert!(set(&f, &user(4001), ACCESS, &list).unwrap_err().is(Errno::EPERM));
        assert!(set(&f, &owner(), ACCESS, &list[..20]).unwrap_err().is(Errno::EINVAL));
        assert!(set(&f, &owner(), DEFAULT, &list).unwrap_err().is(Errno::EACCES), "no directory");
        assert_eq!(&*now(f.getxattr(&owner(), ACCESS)).unwrap(), &list[..]);
        let names = now(f.listxattr(&user(4002))).unwrap();
        assert_eq!(names, [Box::from(ACCESS)]);
    });
}

#[test]
fn what_is_made_in_a_directory_begins_with_its_default_list_whatever_the_umask() {
    everywhere(|dir| {
        let d = now(dir.mkdir(&owner(), n("d"), Mode::new(0o755))).unwrap();
        set(&d, &owner(), DEFAULT, &for_user(4001, 6, 7)).unwrap();
        assert_eq!(mode(&d), 0o755);
        let strict = Caller { umask: 0o077, ..owner() };
        let flags = OpenFlags::READ | OpenFlags::WRITE;
        let made = now(d.create(&strict, n("f"), Mode::new(0o666), flags)).unwrap().place;
        assert_eq!(mode(&made), 0o660);
        assert!(
            may(&made, &user(4001), Access::READ | Access::WRITE) && !may(&made, &user(4002), Access::READ)
        );
        let below = now(d.mkdir(&strict, n("below"), Mode::new(0o777))).unwrap();
        assert_eq!(
            now(below.getxattr(&owner(), DEFAULT)).unwrap(),
            now(d.getxattr(&owner(), DEFAULT)).unwrap()
        );
        assert_eq!(mode(&below), 0o770);
        let fifo =
            now(d.mknod(&strict, n("p"), vfs::Kind::Fifo, Mode::new(0o600), Default::default())).unwrap();
        assert_eq!(mode(&fifo), 0o600);
        let link = now(d.symlink(&strict, n("l"), b"f")).unwrap();
        assert!(now(link.getxattr(&owner(), ACCESS)).unwrap_err().is(Errno::ENODATA));
        // Without one, the umask counts.
        let plain = now(dir.create(&strict, n("f"), Mode::new(0o666), flags)).unwrap().place;
        let wide = Caller { umask: 0, ..owner() };
        let public = now(dir.create(&wide, n("g"), Mode::new(0o666), flags)).unwrap().place;
        let below = now(dir.mkdir(&strict, n("e"), Mode::new(0o777))).unwrap();
        assert_eq!((mode(&plain), mode(&public), mode(&below)), (0o600, 0o666, 0o700));
    });
}

#[test]
fn a_list_that_says_what_the_mode_says_is_not_kept_and_takes_setgid_from_strangers_to_the_group() {
    let tree = MemTree::new();
    let ns = Namespace::new(tree.root(), "mem");
    let root = user(0);
    let f = now(ns.root().create(&root, n("f"), Mode::new(0o755), OpenFlags::READ)).unwrap().place;
    let owned = SetStat { uid: Some(Uid(4001)), gid: Some(Gid(60)), ..SetStat::default() };
    now(f.setstat(&root, owned)).unwrap();
    now(f.setstat(&root, SetStat { mode: Some(Mode::new(0o6755)), ..SetStat::default() })).unwrap();
    let plain = value(&[(1, 7, NOBODY), (4, 5, NOBODY), (0x20, 1, NOBODY)]);
    let member = Caller { groups: [Gid(60)].into(), ..user(4001) };
    set(&f, &member, ACCESS, &plain).unwrap();
    assert_eq!(now(f.stat(&root)).unwrap().mode.bits(), 0o6751);
    assert!(now(f.getxattr(&root, ACCESS)).unwrap_err().is(Errno::ENODATA));
    set(&f, &user(4001), ACCESS, &for_user(4002, 4, 4)).unwrap();
    assert_eq!(now(f.stat(&root)).unwrap().mode.bits(), 0o4740);
    // Lists take of the tree's space, and give it back.
    let used = tree.used_bytes();
    let many: Vec<_> = (0..8000).map(|uid| (2, 4, uid)).collect();
    let large =
        [&[(1, 7, NOBODY)], &many[..], &[(4, 0, NOBODY), (0x10, 4, NOBODY), (0x20, 0, NOBODY)]].concat();
    set(&f, &root, ACCESS, &value(&large)).unwrap();
    assert!(tree.used_bytes() > used + 60_000);
    assert!(Acl::parse(&value(&large)).unwrap().is_some());
    now(ns.root().unlink(&root, Name::new(b"f").unwrap())).unwrap();
    drop(f);
    assert_eq!(tree.used_bytes(), 0);
}

#[test]
fn trusted_and_security_attributes_are_the_superusers_to_change() {
    everywhere(|dir| {
        let f = file(dir, "f", 0o666);
        for name in [&b"trusted.t"[..], b"security.s"] {
            assert!(set(&f, &user(4001), name, b"1").unwrap_err().is(Errno::EPERM));
            assert!(now(f.removexattr(&user(4001), name)).unwrap_err().is(Errno::EPERM));
        }
        let root = user(0);
        match set(&f, &root, b"trusted.t", b"1") {
            Ok(()) => {}
            // A host directory of a server that is not the superuser.
            Err(error) if error.is(Errno::EPERM) && !owner().is_root() => return,
            Err(error) => panic!("{error:?}"),
        }
        assert_eq!(&*now(f.getxattr(&root, b"trusted.t")).unwrap(), b"1");
        assert!(now(f.getxattr(&user(4001), b"trusted.t")).unwrap_err().is(Errno::ENODATA));
        set(&f, &root, b"security.s", b"2").unwrap();
        assert_eq!(&*now(f.getxattr(&user(4001), b"security.s")).unwrap(), b"2");
        let names = |who: &Caller| {
            let mut names = now(f.listxattr(who)).unwrap();
            names.sort();
            names
        };
        assert_eq!(names(&root), [Box::from(&b"security.s"[..]), Box::from(&b"trusted.t"[..])]);
        assert_eq!(names(&user(4001)), [Box::from(&b"security.s"[..])]);
    });
}
