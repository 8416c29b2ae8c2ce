//! Overlays: what is below is brought up once, and a fork is of one moment.

use crate::{in_many_schedules, join, thread};
use std::sync::Arc;
use vfs::{Caller, Follow, MemOptions, MemTree, Mode, Name, Namespace, OpenFlags, Overlay, Place, SetStat};

const BOTH: OpenFlags = OpenFlags::READ.union(OpenFlags::WRITE);

fn caller() -> Caller {
    Caller { checked: true, ..Caller::new(vfs::Uid(0), vfs::Gid(0)) }
}

fn name(text: &'static str) -> Name<'static> {
    Name::new(text.as_bytes()).expect("a name")
}

fn make(dir: &Place, file: &'static str, content: &[u8]) {
    let who = caller();
    let created = dir.create(&who, name(file), Mode::new(0o644), BOTH).now().expect("at once").expect("made");
    created.file.write(0, content).now().expect("at once").expect("written");
}

fn at(root: &Place, path: &str) -> Option<Place> {
    root.resolve(&caller(), path.as_bytes(), Follow::No).now().expect("at once").ok()
}

/// An overlay over a layer with one file, and its root.
fn overlay() -> (Overlay, Place) {
    let lower = MemTree::new();
    make(&Namespace::new(lower.root(), "lower").root(), "file", b"0123456789");
    let overlay = Overlay::new(vec![lower.root()], MemOptions::default()).expect("a directory");
    let root = Namespace::new(overlay.root(), "over").root();
    (overlay, root)
}

fn content(place: &Place) -> Vec<u8> {
    let file = place.open(&caller(), OpenFlags::READ).now().expect("at once").expect("it opens");
    let mut buf = vec![0; 64];
    let count = file.read(0, &mut buf).now().expect("at once").expect("it reads");
    buf.truncate(count);
    buf
}

#[test]
fn a_file_that_several_change_at_once_is_brought_up_once_and_keeps_what_each_did() {
    in_many_schedules(|| {
        let (overlay, root) = overlay();
        let [one, two, three] = [root.clone(), root.clone(), root.clone()];
        let write = |root: Place, offset: u64, data: &'static [u8]| {
            thread(async move {
                let place = at(&root, "file").expect("it is there");
                let file = place.open(&caller(), BOTH).await.expect("it opens");
                assert_eq!(file.write(offset, data).await, Ok(data.len()));
            })
        };
        let threads = vec![
            write(one, 0, b"abc"),
            write(two, 7, b"xyz"),
            thread(async move {
                let place = at(&three, "file").expect("it is there");
                let set = SetStat { mode: Some(Mode::new(0o600)), ..SetStat::default() };
                place.setstat(&caller(), set).await.expect("it is changed");
            }),
        ];
        join(threads);
        let file = at(&root, "file").expect("it is there");
        assert_eq!(content(&file), b"abc3456xyz");
        let stat = file.stat(&caller()).now().expect("at once").expect("told");
        assert_eq!(stat.mode.bits() & 0o777, 0o600);
        drop((file, root));
        assert_eq!(overlay.usage().1, 2, "the directory and one copy");
    });
}

#[test]
fn a_fork_is_of_one_moment() {
    in_many_schedules(|| {
        let (overlay, root) = overlay();
        let makes = thread(async move {
            make(&root, "first", b"1");
            make(&root, "second", b"2");
            root.rename(&caller(), name("first"), &root, name("third"), vfs::RenameFlags::empty())
                .await
                .expect("renamed");
        });
        let fork = overlay.fork().expect("numbers are left");
        join(vec![makes]);
        let root = Namespace::new(fork.root(), "fork").root();
        let there = ["first", "second", "third"].map(|name| at(&root, name).is_some());
        let moments = [[false, false, false], [true, false, false], [true, true, false], [false, true, true]];
        assert!(moments.contains(&there), "{there:?}");
        assert_eq!(content(&at(&root, "file").expect("it is there")), b"0123456789");
    });
}

#[test]
fn a_file_that_is_unlinked_while_it_is_open_and_forked_leaves_no_room_taken() {
    in_many_schedules(|| {
        let (overlay, root) = overlay();
        make(&root, "gone", b"bytes");
        let (held, remover) = (root.clone(), root.clone());
        let holds = thread(async move {
            let Some(place) = at(&held, "gone") else { return };
            let Ok(file) = place.open(&caller(), OpenFlags::READ).await else { return };
            assert_eq!(file.read(0, &mut [0; 16]).await, Ok(5));
        });
        let removes = thread(async move {
            remover.unlink(&caller(), name("gone")).await.expect("it is removed");
        });
        let fork = overlay.fork().expect("numbers are left");
        join(vec![holds, removes]);
        drop(root);
        assert_eq!(overlay.usage(), (0, 1), "only the directory is left");
        let kept = {
            let root = Namespace::new(fork.root(), "fork").root();
            at(&root, "gone").is_some()
        };
        assert_eq!(fork.usage(), if kept { (4096, 2) } else { (0, 1) });
    });
}

#[test]
fn forks_of_forks_change_apart() {
    in_many_schedules(|| {
        let (overlay, root) = overlay();
        let fork = overlay.fork().expect("numbers are left");
        let forked = Namespace::new(fork.root(), "fork").root();
        let ours = [(root, b"our"), (forked, b"its")].map(|(root, data)| {
            let root = Arc::new(root);
            let writing = root.clone();
            let thread = thread(async move {
                let place = at(&writing, "file").expect("it is there");
                let file = place.open(&caller(), BOTH).await.expect("it opens");
                assert_eq!(file.write(0, data).await, Ok(3));
            });
            (root, data, thread)
        });
        let again = overlay.fork().expect("numbers are left");
        for (root, data, thread) in ours {
            join(vec![thread]);
            assert_eq!(content(&at(&root, "file").expect("it is there")), [&data[..], b"3456789"].concat());
        }
        let third = content(&at(&Namespace::new(again.root(), "again").root(), "file").expect("it is there"));
        assert!(third == b"0123456789" || third == b"our3456789", "{third:?}");
    });
}
