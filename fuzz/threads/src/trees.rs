//! The memory tree's directories under changes from all sides, its locks, and those who watch it.

use crate::{fickle, in_many_schedules, join, thread};
use parking_lot::Mutex;
use std::sync::Arc;
use vfs::lock::{Lock, LockKind, LockOwner, LockSort, LockTable};
use vfs::{
    Caller, Device, Errno, Follow, Kind, MemTree, Mode, Name, Namespace, Notices, Place, RenameFlags,
    WatchRoom,
};

fn name(text: &'static str) -> Name<'static> {
    Name::new(text.as_bytes()).expect("a name")
}

fn tree(directories: &[&'static str]) -> (Place, Caller) {
    let who = Caller::me();
    let root = Namespace::new(MemTree::new().root(), "mem").root();
    for path in directories {
        let (above, last) = path.rsplit_once('/').unwrap_or(("", path));
        let above = at(&root, &who, above).expect("made before");
        above.mkdir(&who, name(last), Mode::new(0o777)).now().expect("at once").expect("made");
    }
    (root, who)
}

fn at(root: &Place, who: &Caller, path: &str) -> Option<Place> {
    match path {
        "" => Some(root.clone()),
        path => root.resolve(who, path.as_bytes(), Follow::No).now().expect("at once").ok(),
    }
}

#[test]
fn directories_that_are_moved_into_each_other_at_once_end_up_in_a_tree() {
    in_many_schedules(|| {
        let (root, who) = tree(&["a", "b", "a/x", "b/y"]);
        let moves = [("", "a", "b/y", "a"), ("", "b", "a/x", "b")].map(|(from, old, to, new)| {
            (at(&root, &who, from).expect("made"), old, at(&root, &who, to).expect("made"), new)
        });
        let moves = moves.map(|(from, old, to, new)| {
            let who = who.clone();
            thread(async move {
                let moved = from.rename(&who, name(old), &to, name(new), RenameFlags::empty()).await;
                if let Err(error) = moved {
                    assert!(error.is(Errno::EINVAL) || error.is(Errno::ENOENT), "{error}");
                }
            })
        });
        join(moves.into());
        // One of the two has moved: the other would have cut both off.
        let [a, b] = ["a", "b"].map(|path| at(&root, &who, path).is_some());
        assert!(a != b, "a: {a}, b: {b}");
    });
}

#[test]
fn a_directory_is_removed_or_gets_an_entry_and_never_both() {
    in_many_schedules(|| {
        let (root, who) = tree(&["d"]);
        let d = at(&root, &who, "d").expect("made");
        let (parent, remover) = (root.clone(), who.clone());
        let removed = Arc::new(Mutex::new(None));
        let outcome = removed.clone();
        let removes = thread(async move {
            *outcome.lock() = Some(parent.rmdir(&remover, name("d")).await.is_ok());
        });
        let (maker, made) = (who.clone(), Arc::new(Mutex::new(None)));
        let outcome = made.clone();
        let makes = thread(async move {
            let made = d.mknod(&maker, name("f"), Kind::File, Mode::new(0o666), Device::default()).await;
            *outcome.lock() = Some(made.is_ok());
        });
        join(vec![removes, makes]);
        let (removed, made) = (removed.lock().expect("tried"), made.lock().expect("tried"));
        assert!(removed != made, "removed: {removed}, made: {made}");
        assert_eq!(at(&root, &who, "d/f").is_some(), made);
    });
}

#[test]
fn a_name_that_is_replaced_is_there_at_every_moment() {
    in_many_schedules(|| {
        let (root, who) = tree(&["d"]);
        for file in ["d/old", "d/new"] {
            let dir = at(&root, &who, "d").expect("made");
            let (_, last) = file.split_once('/').expect("a path");
            let made = dir.mknod(&who, name(last), Kind::File, Mode::new(0o666), Device::default()).now();
            made.expect("at once").expect("made");
        }
        let (dir, mover) = (at(&root, &who, "d").expect("made"), who.clone());
        let moves = thread(async move {
            dir.rename(&mover, name("new"), &dir, name("old"), RenameFlags::empty()).await.expect("moved");
        });
        let (looked, looker) = (root.clone(), who.clone());
        let looks = thread(async move {
            for _ in 0..2 {
                assert!(at(&looked, &looker, "d/old").is_some(), "it was gone");
            }
        });
        join(vec![moves, looks]);
        assert!(at(&root, &who, "d/new").is_none());
    });
}

fn owner(number: u64) -> LockOwner {
    LockOwner { client: number, owner: number, pid: number as u32, sort: LockSort::Record }
}

#[test]
fn a_lock_goes_to_each_who_waits_for_it_and_is_held_by_one_at_a_time() {
    in_many_schedules(|| {
        let table = Arc::new(LockTable::new());
        let held = Arc::new(Mutex::new(None::<u64>));
        /// Whoever leaves gives up what he has, as a closed file does.
        struct Gives(Arc<LockTable>, u64, Arc<Mutex<Option<u64>>>);
        impl Drop for Gives {
            fn drop(&mut self) {
                {
                    let mut held = self.2.lock();
                    if *held == Some(self.1) {
                        *held = None;
                    }
                }
                self.0.release(7, owner(self.1));
            }
        }
        let take = |number| {
            let (table, held) = (table.clone(), held.clone());
            async move {
                let gives = Gives(table.clone(), number, held.clone());
                let lock = Lock { kind: LockKind::Write, start: 0, end: 10 };
                table.lock(7, owner(number), lock, true).await.expect("there is no deadlock");
                assert_eq!(held.lock().replace(number), None, "nobody else has it");
                tokio::task::yield_now().await;
                drop(gives);
            }
        };
        let threads = [1, 3].map(|number| thread(take(number)));
        fickle(take(2)).leave();
        join(threads.into());
        let lock = Lock { kind: LockKind::Write, start: 0, end: u64::MAX };
        assert!(table.getlock(7, owner(9), lock).is_none(), "nothing is left");
    });
}

#[test]
fn two_who_wait_for_each_other_are_told_so() {
    in_many_schedules(|| {
        let table = Arc::new(LockTable::new());
        let told = Arc::new(Mutex::new(0));
        let threads = [(1, 0, 10), (2, 10, 0)].map(|(number, first, second)| {
            let (table, told) = (table.clone(), told.clone());
            thread(async move {
                for start in [first, second] {
                    let lock = Lock { kind: LockKind::Write, start, end: start + 10 };
                    if let Err(error) = table.lock(7, owner(number), lock, true).await {
                        assert!(error.is(Errno::EDEADLK), "{error}");
                        *told.lock() += 1;
                        break;
                    }
                }
                table.release(7, owner(number));
            })
        });
        join(threads.into());
        assert!(*told.lock() < 2, "one of them gets on");
    });
}

#[test]
fn whoever_watches_a_directory_hears_of_what_two_threads_make_there() {
    in_many_schedules(|| {
        let (root, who) = tree(&["d"]);
        let dir = at(&root, &who, "d").expect("made");
        let room = WatchRoom::new(16);
        let notices =
            shuttle::future::block_on(Notices::open(dir.clone(), &who, true, &room)).expect("watched");
        let makes = ["one", "two"].map(|file| {
            let (dir, who) = (dir.clone(), who.clone());
            thread(async move {
                let made = dir.mknod(&who, name(file), Kind::File, Mode::new(0o666), Device::default()).await;
                made.expect("made");
            })
        });
        let hears = thread(async move {
            let mut missing = vec![b"one".to_vec(), b"two".to_vec()];
            while !missing.is_empty() {
                notices.wait().await;
                while let Some(notice) = notices.take() {
                    missing.retain(|path| *path != notice.path);
                }
            }
        });
        join(makes.into());
        join(vec![hears]);
    });
}
