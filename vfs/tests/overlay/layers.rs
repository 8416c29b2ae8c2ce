//! Layers, merged, under what is written.

use crate::slow::slow;
use crate::world::*;
use parking_lot::Mutex;
use std::sync::{Arc, Weak};
use vfs::lock::{Lock, LockKind, LockOwner, LockSort};
use vfs::*;

/// An overlay over these layers, the first topmost, that root uses.
pub fn over(layers: &[&World]) -> World {
    over_in(layers, MemOptions::default())
}

pub fn over_in(layers: &[&World], options: MemOptions) -> World {
    let layers = layers.iter().map(|layer| layer.root.node().clone()).collect();
    of(Overlay::new(layers, options).unwrap())
}

pub fn of(overlay: Overlay) -> World {
    let root = Namespace::new(overlay.root(), "overlay").root();
    World { tree: Tree::Overlay(overlay), root, who: Caller::new(Uid(0), Gid(0)) }
}

fn base() -> World {
    let base = world();
    base.mkdir("d").unwrap();
    base.mkdir("d/sub").unwrap();
    base.put("d/sub/deep", b"deep");
    base.put("d/f", b"from below");
    base.put("d/g", b"g");
    base.link("d/g", "d/linked").unwrap();
    base.symlink("l", "d/f").unwrap();
    base
}

#[test]
fn directories_are_merged_and_the_topmost_file_is_seen() {
    let (top, bottom) = (world(), base());
    top.mkdir("d").unwrap();
    top.put("d/f", b"from above");
    top.put("d/new", b"new");
    top.put("l", b"hides a link");
    let w = over(&[&top, &bottom]);
    assert_eq!(w.names("d"), ["f", "g", "linked", "new", "sub"]);
    assert_eq!(w.names("/"), ["d", "l"]);
    assert_eq!(w.bytes("d/f"), b"from above");
    assert_eq!(w.bytes("d/sub/deep"), b"deep");
    assert_eq!(w.stat("l").kind(), Kind::File);
    assert_eq!(w.stat("d").nlink, 3);
}

#[test]
fn a_file_in_the_way_hides_the_directories_of_its_name_below() {
    let (top, middle, bottom) = (world(), world(), base());
    middle.put("d", b"a file");
    top.mkdir("d").unwrap();
    let w = over(&[&top, &middle, &bottom]);
    assert_eq!(w.names("d"), Vec::<String>::new());
}

#[test]
fn nothing_that_is_done_reaches_the_layers() {
    let bottom = base();
    let w = over(&[&bottom]);
    w.put("d/f", b"");
    w.open("d/f", OpenFlags::WRITE | OpenFlags::TRUNCATE).unwrap();
    done(w.open("d/g", RW).unwrap().write(0, b"G")).unwrap();
    w.chmod("d/sub/deep", 0o600);
    w.mv("d", "e").unwrap();
    w.unlink("e/sub/deep").unwrap();
    w.rmdir("e/sub").unwrap();
    assert_eq!(bottom.bytes("d/f"), b"from below");
    assert_eq!(bottom.bytes("d/linked"), b"g");
    assert_eq!(bottom.stat("d/sub/deep").mode, Mode::new(0o644));
    assert_eq!(bottom.names("d"), ["f", "g", "linked", "sub"]);
    assert_eq!(w.names("e"), ["f", "g", "linked"]);
    assert_eq!(w.bytes("e/linked"), b"G");
}

#[test]
fn what_was_removed_does_not_come_back_with_what_is_made_in_its_place() {
    let bottom = base();
    let w = over(&[&bottom]);
    w.unlink("d/sub/deep").unwrap();
    w.rmdir("d/sub").unwrap();
    fails(w.at("d/sub"), Errno::ENOENT);
    w.mkdir("d/sub").unwrap();
    assert_eq!(w.names("d/sub"), Vec::<String>::new());
    for name in ["f", "g", "linked"] {
        w.unlink(&format!("d/{name}")).unwrap();
    }
    w.rmdir("d/sub").unwrap();
    w.rmdir("d").unwrap();
    assert_eq!(w.names("/"), ["l"]);
}

#[test]
fn a_file_is_the_same_before_and_after_its_copy() {
    let w = over(&[&base()]);
    let (reader, before) = (w.open("d/f", OpenFlags::READ).unwrap(), w.stat("d/f"));
    assert_eq!(content(&reader), b"from below");
    let writer = w.open("d/f", RW).unwrap();
    let owner = |owner| LockOwner { client: 1, owner, sort: LockSort::Record, pid: 1 };
    let lock = Lock { kind: LockKind::Write, start: 0, end: 10 };
    done(reader.lock(owner(1), lock, false)).unwrap();
    done(writer.write(5, b"BELOW")).unwrap();
    assert_eq!(content(&reader), b"from BELOW");
    let after = w.stat("d/f");
    assert_eq!((after.qid.path, after.btime), (before.qid.path, before.btime));
    assert_ne!(after.qid.version, before.qid.version);
    fails(done(writer.lock(owner(2), lock, false)), Errno::EAGAIN);
    w.chmod("l", 0o777);
    w.mv("d/f", "moved").unwrap();
    assert_eq!(w.stat("moved").qid.path, before.qid.path);
    assert_eq!(content(&reader), b"from BELOW");
}

#[test]
fn a_listing_and_a_stat_give_one_identity() {
    let w = over(&[&base()]);
    let dir = w.open("d", OpenFlags::READ).unwrap();
    let mut listed = Vec::new();
    done(dir.readdir(0, &mut |entry| {
        listed.push((entry.name.to_string(), entry.qid.path, entry.qid.kind));
        true
    }))
    .unwrap();
    for (name, path, kind) in listed {
        let place = w.at(&format!("d/{name}")).unwrap();
        assert_eq!((place.node().qid().path, place.kind()), (path, kind), "{name}");
    }
}

#[test]
fn links_of_a_layer_stay_links() {
    let w = over(&[&base()]);
    assert_eq!(w.stat("d/g").qid.path, w.stat("d/linked").qid.path);
    assert_eq!(w.stat("d/g").nlink, 2);
    done(w.open("d/g", RW).unwrap().write(0, b"both")).unwrap();
    assert_eq!(w.bytes("d/linked"), b"both");
    w.link("d/g", "third").unwrap();
    w.unlink("d/g").unwrap();
    assert_eq!(w.stat("d/linked").nlink, 2);
    w.unlink("d/linked").unwrap();
    assert_eq!(w.bytes("third"), b"both");
}

#[test]
fn a_layers_file_that_is_removed_while_open_is_read_and_written_on() {
    let w = over(&[&base()]);
    let file = w.open("d/f", RW).unwrap();
    w.unlink("d/f").unwrap();
    assert_eq!(content(&file), b"from below");
    assert_eq!(done(file.stat()).unwrap().nlink, 0);
    done(file.write(0, b"alone")).unwrap();
    assert_eq!(content(&file), b"alonebelow");
    let (bytes, inodes) = w.tree.overlay().usage();
    assert_eq!((bytes, inodes), (4096, 3), "root, the directory, and the file");
    drop(file);
    assert_eq!(w.tree.overlay().usage(), (0, 2));
}

#[test]
fn merged_directories_are_moved_with_all_that_is_in_them() {
    let (top, bottom) = (world(), base());
    top.mkdir("d").unwrap();
    top.mkdir("d/sub").unwrap();
    top.put("d/sub/above", b"above");
    let w = over(&[&top, &bottom]);
    let sub = w.at("d/sub").unwrap();
    w.mkdir("else").unwrap();
    w.mv("d", "else/where").unwrap();
    assert_eq!(w.names("else/where/sub"), ["above", "deep"]);
    assert_eq!(w.bytes("else/where/sub/deep"), b"deep");
    fails(w.mv("else", "else/where/sub/x"), Errno::EINVAL);
    // Who holds the directory goes on with it.
    done(sub.create(&w.who, name("late"), Mode::new(0o644), RW)).unwrap();
    assert_eq!(w.names("else/where/sub"), ["above", "deep", "late"]);
    w.rename("else/where/sub", "else/where/f", RenameFlags::EXCHANGE).unwrap();
    assert_eq!(w.bytes("else/where/sub"), b"from below");
    assert_eq!(w.names("else/where/f"), ["above", "deep", "late"]);
}

#[test]
fn owners_modes_times_attributes_and_lists_are_the_layers_until_they_are_set() {
    let bottom = base();
    let far = Time { secs: 5, nanos: 7 };
    let times = SetStat { mtime: Some(SetTime::To(far)), uid: Some(Uid(7)), ..SetStat::default() };
    bottom.set("d/f", SetStat { mode: Some(Mode::new(0o4711)), ..times }).unwrap();
    let f = bottom.at("d/f").unwrap();
    done(f.setxattr(&bottom.who, b"user.a", b"below", SetXattr::empty())).unwrap();
    let acl: Vec<u8> = [2u32.to_le_bytes().to_vec()]
        .into_iter()
        .chain(
            [(1u16, 6u16, u32::MAX), (2, 4, 9), (4, 4, u32::MAX), (16, 4, u32::MAX), (32, 0, u32::MAX)].map(
                |(tag, bits, id)| {
                    [&tag.to_le_bytes()[..], &bits.to_le_bytes()[..], &id.to_le_bytes()[..]].concat()
                },
            ),
        )
        .flatten()
        .collect();
    done(bottom.at("d/g").unwrap().setxattr(
        &bottom.who,
        b"system.posix_acl_access",
        &acl,
        SetXattr::empty(),
    ))
    .unwrap();
    let w = over(&[&bottom]);
    let stat = w.stat("d/f");
    assert_eq!((stat.mtime, stat.uid, stat.mode), (far, Uid(7), Mode::new(0o4711)));
    let f = w.at("d/f").unwrap();
    assert_eq!(&*done(f.getxattr(&w.who, b"user.a")).unwrap(), b"below");
    done(f.setxattr(&w.who, b"user.a", b"above", SetXattr::empty())).unwrap();
    done(f.setxattr(&w.who, b"user.b", b"", SetXattr::empty())).unwrap();
    assert_eq!(done(f.listxattr(&w.who)).unwrap().len(), 2);
    assert_eq!(w.stat("d/f").mtime, far);
    let listed = w.seen_by(9, 9);
    assert_eq!(listed.bytes("d/g"), b"g");
    fails(w.seen_by(10, 10).open("d/g", OpenFlags::READ), Errno::EACCES);
    assert!(bottom.seen_by(9, 9).open("d/g", OpenFlags::READ).is_ok());
}

#[test]
fn cutting_a_layers_file_to_nothing_copies_nothing() {
    let bottom = world();
    bottom.put("big", &vec![1; 1 << 20]);
    let w = over_in(&[&bottom], MemOptions { max_bytes: 64 << 10, ..MemOptions::default() });
    assert_eq!(w.stat("big").size, 1 << 20);
    fails(w.truncate("big", 1 << 19), Errno::ENOSPC);
    let file = w.open("big", RW).unwrap();
    fails(done(file.write(0, b"x")), Errno::ENOSPC);
    assert_eq!(w.bytes("big"), vec![1; 1 << 20]);
    w.truncate("big", 0).unwrap();
    done(file.write(0, b"x")).unwrap();
    assert_eq!(w.bytes("big"), b"x");
}

#[test]
fn what_is_beyond_the_bounds_says_which_and_removing_needs_no_room() {
    let w = over_in(&[&base()], MemOptions { max_bytes: 8 << 10, max_inodes: 2, ..MemOptions::default() });
    w.create("one").unwrap();
    let Err(error) = w.create("two") else { panic!("there is no inode left") };
    assert_eq!(error.errno(), Errno::ENOSPC);
    assert!(error.text().contains("2 files"), "{error}");
    fails(w.set("d/f", SetStat { mode: Some(Mode::new(0)), ..SetStat::default() }), Errno::ENOSPC);
    w.unlink("d/f").unwrap();
    w.tree.overlay().set_room(Some(4096), None);
    let file = w.create("two").unwrap();
    done(file.write(0, &[1; 4096])).unwrap();
    let Err(error) = done(file.write(4096, b"x")) else { panic!("there is no byte left") };
    assert!(error.text().contains("4096 bytes"), "{error}");
    w.tree.overlay().set_room(None, None);
    done(file.write(4096, b"x")).unwrap();
}

#[test]
fn who_asked_is_told_what_there_is_no_room_for() {
    let w = over_in(&[], MemOptions { max_bytes: 4096, max_inodes: 2, ..MemOptions::default() });
    let told = Arc::new(Mutex::new(Vec::new()));
    let heard = told.clone();
    w.tree.overlay().when_full(move |full| heard.lock().push(full));
    let file = w.create("one").unwrap();
    done(file.write(0, b"x")).unwrap();
    assert!(told.lock().is_empty());
    fails(w.create("two"), Errno::ENOSPC);
    fails(done(file.write(4096, b"x")), Errno::ENOSPC);
    let mut told = told.lock().clone();
    // A call may look twice whether there is room.
    told.dedup();
    assert_eq!(told, [overlay::Full::Inodes, overlay::Full::Bytes]);
}

/// Notes what it is told.
#[derive(Default)]
struct Ear(Mutex<Vec<u64>>);

impl Watcher for Ear {
    fn changed(&self, path: u64, _: Change<'_>) -> Watch {
        self.0.lock().push(path);
        Watch::all()
    }
}

#[test]
fn who_watches_a_layers_file_is_told_when_it_is_written() {
    let w = over(&[&base()]);
    let (ear, f) = (Arc::new(Ear::default()), w.at("d/f").unwrap());
    let weak: Weak<dyn Watcher> = Arc::downgrade(&(ear.clone() as Arc<dyn Watcher>));
    assert_eq!(f.node().watch(&weak, Watch::all()), Telling::EveryChange);
    done(w.open("d/f", RW).unwrap().write(0, b"x")).unwrap();
    done(w.open("d/f", RW).unwrap().write(0, b"y")).unwrap();
    assert_eq!(*ear.0.lock(), [f.node().qid().path; 2]);
}

#[test]
fn a_layer_that_is_no_directory_is_refused() {
    let bottom = base();
    let file = bottom.at("d/f").unwrap().node().clone();
    fails(Overlay::new(vec![file], MemOptions::default()).map(|_| ()), Errno::ENOTDIR);
}

#[test]
fn layers_may_take_their_time() {
    let bottom = base();
    for n in 0..20 {
        bottom.put(&format!("d/sub/{n}"), b"many");
    }
    let w = of(Overlay::new(vec![slow(bottom.root.node().clone())], MemOptions::default()).unwrap());
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
        let at = |path: &'static str| {
            let w = &w;
            async move { w.root.resolve(&w.who, path.as_bytes(), Follow::No).await }
        };
        assert!(w.root.resolve(&w.who, b"d/sub", Follow::No).now().is_none(), "it is a slow one");
        assert_eq!(at("nothing").await.unwrap_err().errno(), Errno::ENOENT);
        let sub = at("d/sub").await.unwrap();
        let mut names = Vec::new();
        let open = sub.open(&w.who, OpenFlags::READ).await.unwrap();
        open.readdir(0, &mut |entry| {
            names.push(entry.name.to_string());
            true
        })
        .await
        .unwrap();
        assert_eq!(names.len(), 21);
        let file = at("d/f").await.unwrap().open(&w.who, RW).await.unwrap();
        let mut buf = [0; 20];
        assert_eq!(file.read(5, &mut buf).await.unwrap(), 5);
        assert_eq!(file.append(b", above").await.unwrap(), (7, 17));
        assert_eq!(file.read(0, &mut buf).await.unwrap(), 17);
        assert_eq!(&buf[..17], b"from below, above");
        w.root.rename(&w.who, name("d"), &w.root, name("e"), RenameFlags::empty()).await.unwrap();
        let e = at("e").await.unwrap();
        assert_eq!(e.unlink(&w.who, name("sub")).await.unwrap_err().errno(), Errno::EISDIR);
        assert_eq!(e.rmdir(&w.who, name("sub")).await.unwrap_err().errno(), Errno::ENOTEMPTY);
        e.unlink(&w.who, name("g")).await.unwrap();
        assert_eq!(at("e/linked").await.unwrap().stat(&w.who).await.unwrap().nlink, 1);
    });
}
