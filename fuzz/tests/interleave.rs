//! What waits and what cancels, in every order: pipes, logs, fifos, locks, and the session's flush.
//!
//! That the orders find what they are for was tried by breaking the code. Without the wakes of `LockTable::release`, the third
//! owner of `a_lock_goes_to_each…` waits for ever, and one of `two_who_wait_for_each_other…`; with `Flights::end` leaving the
//! future in its place, the flushed read of `a_flush…` takes the bytes that the next one should have had.

use fuzz::interleave::{Fate, every_order, step};
use fuzz::session::server::Server;
use fuzz::session::stream::Served;
use nine::server::Config;
use nine::wire::*;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use task::stdio::{Full, Log, Pipe};
use vfs::lock::{Lock, LockKind, LockOwner, LockSort, LockTable};
use vfs::{Caller, Follow, Kind, MemTree, Mode, Name as FileName, Namespace, OpenFlags as Flags, Place};

#[test]
fn a_write_that_waits_for_room_gets_it_and_one_that_is_dropped_has_written_nothing() {
    let orders = every_order(|scene| {
        let pipe = Rc::new(Pipe::new());
        pipe.write(&[b'.'; 64 << 10]).now().expect("there is room").expect("it is taken");
        let wrote = Rc::new(RefCell::new([0; 2]));
        for (which, byte) in [b'a', b'b'].into_iter().enumerate() {
            let (pipe, wrote) = (pipe.clone(), wrote.clone());
            scene.fickle(async move {
                let count = pipe.write(&[byte; 4096]).await.expect("it is open");
                wrote.borrow_mut()[which] = count;
            });
        }
        let read = Rc::new(RefCell::new(Vec::new()));
        let (reader, got) = (pipe.clone(), read.clone());
        scene.actor(async move {
            for _ in 0..3 {
                let mut buf = vec![0; 20 << 10];
                let count = reader.read(&mut buf).await.expect("it is open");
                got.borrow_mut().extend_from_slice(&buf[..count]);
                step().await;
            }
        });
        scene.check(move |fates| {
            assert!(!fates.contains(&Fate::Waits), "{fates:?}");
            let mut rest = vec![0; 64 << 10];
            let left = pipe.read(&mut rest).now().expect("something is left").expect("it is open");
            read.borrow_mut().extend_from_slice(&rest[..left]);
            for (byte, wrote) in [b'a', b'b'].into_iter().zip(*wrote.borrow()) {
                let count = read.borrow().iter().filter(|b| **b == byte).count();
                assert!(
                    count == wrote && (wrote == 0 || wrote == 4096),
                    "{wrote} written, {count} read, {fates:?}"
                );
            }
        });
    });
    assert!(orders > 100, "{orders}");
}

#[test]
fn the_end_of_a_pipe_reaches_everyone_who_waits_at_either_side() {
    for full in [false, true] {
        let orders = every_order(|scene| {
            let pipe = Rc::new(Pipe::new());
            if full {
                pipe.write(&[b'.'; 64 << 10]).now().expect("there is room").expect("it is taken");
            }
            for _ in 0..2 {
                let pipe = pipe.clone();
                scene.fickle(async move {
                    if full {
                        assert!(pipe.write(b"more").await.is_err(), "nobody reads any more");
                    } else {
                        assert_eq!(pipe.read(&mut [0; 10]).await, Ok(0), "the end");
                    }
                });
            }
            scene.actor(async move {
                step().await;
                if full { pipe.finish() } else { pipe.end() }
            });
            scene.check(|fates| assert!(!fates.contains(&Fate::Waits), "{fates:?}"));
        });
        assert!(orders > 10, "{orders}");
    }
}

#[test]
fn a_log_that_waits_goes_on_when_its_slowest_reader_has_read_or_gone() {
    let orders = every_order(|scene| {
        let log = Rc::new(Log::new(4, Full::Wait));
        let said = b"0123456789";
        let writer = log.clone();
        // Readers are there before anything is written, as open files are.
        let readers = [log.add_reader(), log.add_reader()];
        scene.actor(async move {
            let mut at = 0;
            while at < said.len() {
                at += writer.append(&said[at..], true).await.expect("it is open");
            }
            writer.finish();
        });
        let whole = Rc::new(Cell::new(false));
        let (log_one, got_all) = (log.clone(), whole.clone());
        scene.actor(async move {
            let (mut at, mut got) = (0, Vec::new());
            loop {
                let mut buf = [0; 3];
                let (from, count) = log_one.read(readers[0], at, &mut buf).await.expect("it is open");
                if count == 0 {
                    break;
                }
                assert_eq!(from, at, "nothing that it has not read was dropped");
                at += count as u64;
                got.extend_from_slice(&buf[..count]);
            }
            log_one.remove_reader(readers[0]);
            got_all.set(got == said);
        });
        struct Leaves(Rc<Log>, u64);
        impl Drop for Leaves {
            fn drop(&mut self) {
                self.0.remove_reader(self.1);
            }
        }
        let leaves = Leaves(log, readers[1]);
        // The other reads once and then is gone, or is dropped before.
        scene.fickle(async move {
            let _first = leaves.0.read(leaves.1, 0, &mut [0; 2]).await;
            step().await;
            drop(leaves);
        });
        scene.check(move |fates| {
            assert!(!fates.contains(&Fate::Waits), "{fates:?}");
            assert!(whole.get(), "the reader who stayed has read everything");
        });
    });
    assert!(orders > 50, "{orders}");
}

/// A fifo of the memory tree, and who may use it.
fn fifo() -> (Place, Caller) {
    let who = Caller::me();
    let root = Namespace::new(MemTree::new().root(), "mem").root();
    let name = FileName::new(b"fifo").expect("a name");
    let made = root.mknod(&who, name, Kind::Fifo, Mode::new(0o666), vfs::Device::default()).now();
    made.expect("at once").expect("a fifo");
    let place = root.resolve(&who, b"fifo", Follow::No).now().expect("at once").expect("it is there");
    (place, who)
}

#[test]
fn the_two_sides_of_a_fifo_meet_and_everything_arrives() {
    let orders = every_order(|scene| {
        let (place, who) = fifo();
        let (reading, reader) = (place.clone(), who.clone());
        scene.actor(async move {
            let file = reading.open(&reader, Flags::READ).await.expect("it opens");
            let mut all = Vec::new();
            loop {
                let mut buf = [0; 3];
                step().await;
                match file.read(0, &mut buf).await.expect("it reads") {
                    0 => break,
                    count => all.extend_from_slice(&buf[..count]),
                }
            }
            assert_eq!(all, b"said and done");
        });
        scene.actor(async move {
            let file = place.open(&who, Flags::WRITE).await.expect("it opens");
            for words in [&b"said "[..], b"and ", b"done"] {
                step().await;
                assert_eq!(file.write(0, words).await, Ok(words.len()));
            }
        });
        scene.check(|fates| assert_eq!(fates, [Fate::Finished; 2]));
    });
    assert!(orders > 50, "{orders}");
}

#[test]
fn an_open_of_a_fifo_that_is_given_up_leaves_no_trace() {
    let orders = every_order(|scene| {
        let (place, who) = fifo();
        for flags in [Flags::READ, Flags::READ] {
            let (place, who) = (place.clone(), who.clone());
            scene.fickle(async move {
                // There is no writer: it waits, and can only be dropped.
                let _file = place.open(&who, flags).await;
                unreachable!("nobody writes");
            });
        }
        scene.check(move |fates| {
            let writer = place.open(&who, Flags::WRITE | Flags::NONBLOCK).now().expect("at once");
            let refused = writer.err().is_some_and(|error| error.is(vfs::Errno::ENXIO));
            assert_eq!(refused, !fates.contains(&Fate::Waits), "{fates:?}");
        });
    });
    assert!(orders > 4, "{orders}");
}

fn owner(number: u64) -> LockOwner {
    LockOwner { client: number, owner: number, pid: number as u32, sort: LockSort::Record }
}

#[test]
fn a_lock_goes_to_each_who_waits_for_it_and_is_held_by_one_at_a_time() {
    let orders = every_order(|scene| {
        let table = Rc::new(LockTable::new());
        let held = Rc::new(Cell::new(None::<u64>));
        for number in 1..=3 {
            let (table, held) = (table.clone(), held.clone());
            let body = async move {
                /// Whoever is dropped gives up what he has, as a closed file does.
                struct Gives(Rc<LockTable>, u64, Rc<Cell<Option<u64>>>);
                impl Drop for Gives {
                    fn drop(&mut self) {
                        if self.2.get() == Some(self.1) {
                            self.2.set(None);
                        }
                        self.0.release(7, owner(self.1));
                    }
                }
                let lock = Lock { kind: LockKind::Write, start: 0, end: 10 };
                let gives = Gives(table.clone(), number, held.clone());
                table.lock(7, owner(number), lock, true).await.expect("there is no deadlock");
                assert_eq!(held.replace(Some(number)), None, "nobody else has it");
                step().await;
                drop(gives);
            };
            if number == 2 { scene.fickle(body) } else { scene.actor(body) }
        }
        scene.check(move |fates| {
            assert!(!fates.contains(&Fate::Waits), "{fates:?}");
            let lock = Lock { kind: LockKind::Write, start: 0, end: u64::MAX };
            assert!(table.getlock(7, owner(9), lock).is_none(), "nothing is left");
        });
    });
    assert!(orders > 50, "{orders}");
}

#[test]
fn two_who_wait_for_each_other_are_told_so_in_every_order() {
    let orders = every_order(|scene| {
        let table = Rc::new(LockTable::new());
        let told = Rc::new(Cell::new(0));
        for (number, first, second) in [(1, 0, 10), (2, 10, 0)] {
            let (table, told) = (table.clone(), told.clone());
            scene.actor(async move {
                for start in [first, second] {
                    let lock = Lock { kind: LockKind::Write, start, end: start + 10 };
                    if let Err(error) = table.lock(7, owner(number), lock, true).await {
                        assert!(error.is(vfs::Errno::EDEADLK), "{error}");
                        told.set(told.get() + 1);
                        break;
                    }
                    step().await;
                }
                table.release(7, owner(number));
            });
        }
        scene.check(move |fates| {
            assert!(!fates.contains(&Fate::Waits), "{fates:?}");
            assert!(told.get() < 2, "one of them gets on");
        });
    });
    assert!(orders >= 8, "{orders}");
}

fn frame(tag: u16, message: Tmessage<'_>) -> Vec<u8> {
    let mut frame = Vec::new();
    message.encode(Dialect::P9P2000L, Tag(tag), &mut frame).expect("a message");
    frame
}

#[test]
fn a_flush_loses_no_bytes_and_what_it_flushed_is_not_answered_after_it() {
    let orders = every_order(|scene| {
        let served = Rc::new(RefCell::new(Served::new(Arc::new(Server::new(true)), Config::default())));
        let version = Name(b"9P2000.L");
        let (uname, n_uname) = (Name(b""), Extension(Some(Uid(0))));
        let pipe = NamesBuf::new(["pipe"]).expect("one");
        for message in [
            Tmessage::Version { msize: Msize(8192), version },
            Tmessage::Attach { fid: Fid(0), afid: Fid::NONE, uname, aname: uname, n_uname },
            Tmessage::Walk { fid: Fid(0), newfid: Fid(1), names: pipe.as_names() },
            Tmessage::Walk { fid: Fid(0), newfid: Fid(2), names: pipe.as_names() },
            Tmessage::Lopen { fid: Fid(1), flags: OpenFlags::empty() },
            Tmessage::Lopen { fid: Fid(2), flags: OpenFlags::WRONLY },
        ] {
            served.borrow().send(&frame(0, message), usize::MAX);
        }
        served.borrow_mut().run();
        served.borrow().take_frames();
        // One reads and thinks better of it, one writes, and the server works whenever it comes to it.
        let client = served.clone();
        scene.actor(async move {
            client
                .borrow()
                .send(&frame(1, Tmessage::Read { fid: Fid(1), offset: 0, count: 100 }), usize::MAX);
            step().await;
            client.borrow().send(&frame(2, Tmessage::Flush { oldtag: Tag(1) }), usize::MAX);
            step().await;
            client
                .borrow()
                .send(&frame(4, Tmessage::Read { fid: Fid(1), offset: 0, count: 100 }), usize::MAX);
        });
        let client = served.clone();
        scene.actor(async move {
            let write = Tmessage::Write { fid: Fid(2), offset: 0, data: Data(b"bytes") };
            client.borrow().send(&frame(3, write), usize::MAX);
        });
        let server = served.clone();
        scene.actor(async move {
            for _ in 0..3 {
                server.borrow_mut().run();
                step().await;
            }
        });
        scene.check(move |_| {
            served.borrow_mut().run();
            let frames = served.borrow().take_frames();
            let replies: Vec<(u16, Vec<u8>)> = frames
                .iter()
                .map(|frame| match Rmessage::decode(Dialect::P9P2000L, frame).expect("a reply") {
                    (tag, Rmessage::Read { data }) => (tag.0, data.0.to_vec()),
                    (tag, _) => (tag.0, Vec::new()),
                })
                .collect();
            let at = |wanted: u16| replies.iter().position(|(tag, _)| *tag == wanted);
            assert_eq!(replies.iter().filter(|(tag, _)| *tag == 2).count(), 1, "one Rflush: {replies:?}");
            if let Some(read) = at(1) {
                assert!(
                    read < at(2).expect("it is there"),
                    "answered before the flush, or not at all: {replies:?}"
                );
            }
            let got: Vec<u8> = replies.iter().flat_map(|(_, data)| data.clone()).collect();
            assert_eq!(got, b"bytes", "what was written reaches one of the reads, once: {replies:?}");
        });
    });
    assert!(orders > 20, "{orders}");
}
