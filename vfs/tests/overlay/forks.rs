//! Forks: the same files twice, of which each goes its own way.

use crate::counts::check_counts;
use crate::layers::{of, over, over_in};
use crate::world::*;
use futures_util::FutureExt;
use std::sync::atomic::{AtomicBool, Ordering};
use vfs::*;

fn fork(w: &World) -> World {
    of(w.tree.overlay().fork().unwrap())
}

#[test]
fn each_side_sees_what_was_there_and_only_its_own_changes() {
    let w = over(&[]);
    w.mkdir("d").unwrap();
    w.put("d/f", b"before");
    w.put("d/g", b"g");
    let other = fork(&w);
    w.put("d/mine", b"");
    done(w.open("d/f", RW).unwrap().write(0, b"parent")).unwrap();
    w.mv("d/g", "g").unwrap();
    other.put("d/its", b"");
    other.unlink("d/f").unwrap();
    assert_eq!((w.names("d"), w.names("/")), (vec!["f".into(), "mine".into()], vec!["d".into(), "g".into()]));
    assert_eq!((other.names("d"), other.names("/")), (vec!["g".into(), "its".into()], vec!["d".into()]));
    assert_eq!(w.bytes("d/f"), b"parent");
    assert_eq!(other.bytes("d/g"), b"g");
}

#[test]
fn who_has_a_file_open_writes_to_his_side_alone() {
    let w = over(&[]);
    let file = w.put("f", &[1; 200_000]);
    let dir = w.mkdir("d").unwrap();
    let lent = file.read_shared(0, 1000).unwrap();
    let (one, two) = (fork(&w), fork(&w));
    done(file.write(100_000, b"parent")).unwrap();
    done(file.set_size(100_003)).unwrap();
    done(dir.create(&w.who, name("late"), Mode::new(0o644), RW)).unwrap();
    assert_eq!(one.bytes("f"), [1; 200_000]);
    assert_eq!(two.names("d"), Vec::<String>::new());
    assert_eq!(content(&file).len(), 100_003);
    assert_eq!(lent.concat(), [1; 1000]);
    done(two.open("f", RW).unwrap().write(0, b"two")).unwrap();
    assert_eq!(one.bytes("f"), [1; 200_000]);
    assert_eq!(content(&file)[..3], [1; 3]);
}

#[test]
fn identities_stay_on_one_side_and_are_others_on_the_other() {
    let w = over(&[]);
    let file = w.put("f", b"x");
    let before = w.stat("f").qid;
    let other = fork(&w);
    done(file.write(0, b"y")).unwrap();
    assert_eq!(w.stat("f").qid.path, before.path);
    assert_ne!(other.stat("f").qid.path, before.path);
}

#[test]
fn what_only_somebody_holds_is_not_in_the_fork_and_not_counted_there() {
    let w = over(&[]);
    let file = w.put("f", &[1; 8192]);
    w.put("g", b"g");
    w.unlink("f").unwrap();
    let other = fork(&w);
    assert_eq!(w.tree.overlay().usage(), (12288, 3));
    assert_eq!(other.tree.overlay().usage(), (4096, 2));
    drop(file);
    assert_eq!(w.tree.overlay().usage(), (4096, 2));
    other.unlink("g").unwrap();
    assert_eq!(other.tree.overlay().usage(), (0, 1));
    assert_eq!(w.bytes("g"), b"g");
}

#[test]
fn a_fork_has_the_bounds_and_the_use_of_its_origin() {
    let w = over_in(&[], MemOptions { max_bytes: 8192, ..MemOptions::default() });
    w.put("f", &[1; 8192]);
    let other = fork(&w);
    fails(done(other.create("g").unwrap().write(0, b"x")), Errno::ENOSPC);
    // What is shared is written without more room: it takes the place of what it was.
    done(other.open("f", RW).unwrap().write(0, b"x")).unwrap();
    other.tree.overlay().set_room(Some(16384), None);
    done(other.open("g", RW).unwrap().write(0, b"x")).unwrap();
    fails(done(w.create("g").unwrap().write(0, b"x")), Errno::ENOSPC);
}

#[test]
fn pipes_and_locks_are_each_sides_own() {
    let w = over(&[]);
    let who = &w.who;
    done(w.root.mknod(who, name("pipe"), Kind::Fifo, Mode::new(0o600), Device::default())).unwrap();
    let other = fork(&w);
    let pipe = w.at("pipe").unwrap();
    let mut read = pipe.open(who, OpenFlags::READ);
    let there = other.at("pipe").unwrap();
    let mut write = there.open(&other.who, OpenFlags::WRITE);
    assert!((&mut read).now_or_never().is_none() && (&mut write).now_or_never().is_none());
    let meets = pipe.open(who, OpenFlags::WRITE).now().unwrap().unwrap();
    let read = read.now_or_never().unwrap().unwrap();
    done(meets.write(0, b"here")).unwrap();
    let mut buf = [0; 10];
    assert_eq!(done(read.read(0, &mut buf)).unwrap(), 4);
    assert!(write.now_or_never().is_none());
}

#[test]
fn a_fork_is_a_layer_like_any_other() {
    let w = over(&[]);
    w.mkdir("d").unwrap();
    w.put("d/f", b"frozen");
    let frozen = fork(&w);
    let above = over(&[&frozen]);
    done(above.open("d/f", RW).unwrap().write(0, b"above!")).unwrap();
    assert_eq!(frozen.bytes("d/f"), b"frozen");
    assert_eq!(above.bytes("d/f"), b"above!");
}

#[test]
fn names_and_files_found_in_a_layer_are_found_for_all_forks() {
    let bottom = world();
    bottom.mkdir("d").unwrap();
    bottom.put("d/f", b"below");
    let w = over(&[&bottom]);
    let early = fork(&w);
    assert_eq!(w.bytes("d/f"), b"below");
    let late = fork(&w);
    done(late.open("d/f", RW).unwrap().write(0, b"L")).unwrap();
    early.unlink("d/f").unwrap();
    assert_eq!((w.bytes("d/f"), late.bytes("d/f")), (b"below".to_vec(), b"Lelow".to_vec()));
    assert_eq!(early.names("d"), Vec::<String>::new());
}

#[test]
fn hundreds_of_snapshots_each_have_their_moment() {
    let w = over(&[]);
    let snapshots: Vec<World> = (0..300)
        .map(|n| {
            w.put(&format!("f{n}"), b"");
            done(w.open("f0", RW).unwrap().append(b".")).unwrap();
            fork(&w)
        })
        .collect();
    for (n, snapshot) in snapshots.iter().enumerate() {
        assert_eq!(snapshot.names("/").len(), n + 1);
        assert_eq!(snapshot.stat("f0").size, n as u64 + 1);
    }
}

#[test]
fn a_fork_in_the_middle_of_changes_is_a_whole_tree() {
    let w = over(&[]);
    for dir in ["0", "1", "2", "0/3", "1/4"] {
        w.mkdir(dir).unwrap();
    }
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for seed in 1..=3u64 {
            let (w, stop) = (w.seen_by(0, 0), &stop);
            scope.spawn(move || {
                let mut dice = seed * 0x9e37_79b9;
                let mut roll = |sides: u64| {
                    dice ^= dice << 13;
                    dice ^= dice >> 7;
                    dice ^= dice << 17;
                    dice % sides
                };
                while !stop.load(Ordering::Relaxed) {
                    let dirs = ["0", "1", "2", "0/3", "1/4"];
                    let (from, to) = (w.at(dirs[roll(5) as usize]), w.at(dirs[roll(5) as usize]));
                    let (Ok(from), Ok(to)) = (from, to) else { continue };
                    let (one, two) = (roll(6).to_string(), roll(6).to_string());
                    // What does not go does not: the tree is whole either way.
                    let _ = match roll(6) {
                        0 => done(from.create(&w.who, name(&one), Mode::new(0o644), RW)).and_then(|made| {
                            // Held open, and perhaps without a name by then.
                            let _ = done(from.unlink(&w.who, name(&one)));
                            done(made.file.write(0, b"x")).map(|_| ())
                        }),
                        1 => done(from.create(&w.who, name(&one), Mode::new(0o644), RW)).map(|_| ()),
                        2 => done(from.unlink(&w.who, name(&one))),
                        3 => done(from.walk(&w.who, one.as_bytes()))
                            .and_then(|target| done(to.link(&w.who, &target, name(&two)))),
                        4 => done(from.rename(&w.who, name(&one), &to, name(&two), RenameFlags::EXCHANGE)),
                        _ => done(from.rename(&w.who, name(&one), &to, name(&two), RenameFlags::empty())),
                    };
                }
            });
        }
        for _ in 0..300 {
            check_counts(&fork(&w));
        }
        stop.store(true, Ordering::Relaxed);
    });
    check_counts(&w);
    check_counts(&fork(&w));
}
