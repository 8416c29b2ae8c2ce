//! Many threads at one tree: it never hangs, and afterwards every count is what is there.

use crate::counts::check_counts;
use crate::world::*;
use std::sync::atomic::{AtomicUsize, Ordering};
use vfs::*;

/// A small generator of numbers, so that every thread does something else and every run the same.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

#[test]
fn threads_that_move_directories_into_each_other_leave_a_tree() {
    let w = world();
    let dirs = ["a", "b", "c", "a/d", "b/e", "c/f"];
    for dir in dirs {
        w.mkdir(dir).unwrap();
    }
    let done_ops = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for seed in 1..=8 {
            let (w, done_ops) = (w.seen_by(0, 0), &done_ops);
            scope.spawn(move || {
                let mut dice = Dice(seed * 0x9e37_79b9);
                // Each thread keeps hold of places, wherever they move.
                let mut held = vec![w.root.clone()];
                held.extend(dirs.iter().filter_map(|dir| w.at(dir).ok()));
                for _ in 0..5000 {
                    let from = held[dice.roll(held.len() as u64) as usize].clone();
                    let to = held[dice.roll(held.len() as u64) as usize].clone();
                    let (one, two) = (dice.roll(6).to_string(), dice.roll(6).to_string());
                    let who = &w.who;
                    let outcome = match dice.roll(8) {
                        0 => done(from.create(who, name(&one), Mode::new(0o644), RW)).map(|_| ()),
                        1 => done(from.mkdir(who, name(&one), Mode::new(0o755))).map(|_| ()),
                        2 => done(from.unlink(who, name(&one))),
                        3 => done(from.rmdir(who, name(&one))),
                        4 => done(from.rename(who, name(&one), &to, name(&two), RenameFlags::EXCHANGE)),
                        5 => match done(from.walk(who, one.as_bytes())) {
                            Ok(target) => done(to.link(who, &target, name(&two))),
                            Err(error) => Err(error),
                        },
                        6 => match done(from.walk(who, one.as_bytes())) {
                            Ok(place) if place.kind().is_dir() && held.len() < 30 => {
                                held.push(place);
                                Ok(())
                            }
                            Ok(_) => Ok(()),
                            Err(error) => Err(error),
                        },
                        _ => done(from.rename(who, name(&one), &to, name(&two), RenameFlags::empty())),
                    };
                    done_ops.fetch_add(usize::from(outcome.is_ok()), Ordering::Relaxed);
                }
            });
        }
    });
    assert!(done_ops.load(Ordering::Relaxed) > 1000);
    check_counts(&w);
}

#[test]
fn appends_of_many_threads_all_arrive_whole() {
    let w = world();
    w.put("log", b"");
    std::thread::scope(|scope| {
        for thread in 0..8u8 {
            let file = w.open("log", OpenFlags::WRITE | OpenFlags::APPEND).unwrap();
            scope.spawn(move || {
                for _ in 0..1000 {
                    assert_eq!(done(file.write(0, &[thread; 16])).unwrap(), 16);
                }
            });
        }
    });
    let bytes = w.bytes("log");
    assert_eq!(bytes.len(), 8 * 1000 * 16);
    assert!(bytes.chunks(16).all(|line| line.iter().all(|b| *b == line[0])));
    assert!((0..8).all(|thread| bytes.iter().filter(|b| **b == thread).count() == 16_000));
}

#[test]
fn only_one_of_many_exclusive_creates_succeeds() {
    let w = world();
    for round in 0..200 {
        let path = round.to_string();
        let made = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let flags = RW | OpenFlags::EXCLUSIVE;
                    let result = done(w.root.create(&w.who, name(&path), Mode::new(0o644), flags));
                    made.fetch_add(usize::from(result.is_ok()), Ordering::Relaxed);
                });
            }
        });
        assert_eq!(made.load(Ordering::Relaxed), 1);
    }
    check_counts(&w);
}
