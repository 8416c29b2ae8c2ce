//! A task's input and output, and pipes of the memory tree.

use crate::{fickle, in_many_schedules, join, thread};
use parking_lot::Mutex;
use std::sync::Arc;
use task::stdio::{Full, Log, Pipe};
use vfs::{Caller, Follow, Kind, MemTree, Mode, Name, Namespace, OpenFlags, Place};

/// As much as a pipe holds (pipe(7)).
const FULL: usize = 64 << 10;

#[test]
fn what_two_threads_write_into_a_full_pipe_comes_out_whole_and_one_that_leaves_has_written_all_or_nothing() {
    in_many_schedules(|| {
        let pipe = Arc::new(Pipe::new());
        pipe.write(&[b'.'; FULL]).now().expect("there is room").expect("it is taken");
        let wrote = Arc::new(Mutex::new([0; 2]));
        let write = |which: usize, byte: u8| {
            let (pipe, wrote) = (pipe.clone(), wrote.clone());
            async move {
                let count = pipe.write(&[byte; 4096]).await.expect("it is open");
                wrote.lock()[which] = count;
            }
        };
        let stays = thread(write(0, b'a'));
        let leaves = fickle(write(1, b'b'));
        let reader = pipe.clone();
        let reads = shuttle::thread::spawn(move || {
            shuttle::future::block_on(async move {
                let (mut buf, mut got) = (vec![0; 48 << 10], Vec::new());
                while got.len() < FULL + 4096 {
                    let count = reader.read(&mut buf).await.expect("it is open");
                    got.extend_from_slice(&buf[..count]);
                }
                got
            })
        });
        leaves.leave();
        join(vec![stays]);
        let mut got = reads.join().expect("it did not panic");
        let mut rest = vec![0; FULL];
        if let Some(left) = pipe.read(&mut rest).now() {
            got.extend_from_slice(&rest[..left.expect("it is open")]);
        }
        let wrote = *wrote.lock();
        assert_eq!(wrote[0], 4096);
        for (byte, wrote) in [b'a', b'b'].into_iter().zip(wrote) {
            let count = got.iter().filter(|b| **b == byte).count();
            // Whoever left may have written before he could say so.
            assert!(count == wrote || (byte == b'b' && count == 4096), "{wrote} written, {count} read");
        }
    });
}

#[test]
fn the_end_of_a_pipe_reaches_whoever_waits_at_either_side() {
    in_many_schedules(|| {
        let [empty, full] = [Arc::new(Pipe::new()), Arc::new(Pipe::new())];
        full.write(&[b'.'; FULL]).now().expect("there is room").expect("it is taken");
        let (reader, writer) = (empty.clone(), full.clone());
        let reads = thread(async move { assert_eq!(reader.read(&mut [0; 10]).await, Ok(0)) });
        let writes = thread(async move { assert!(writer.write(b"more").await.is_err()) });
        empty.end();
        full.finish();
        join(vec![reads, writes]);
    });
}

#[test]
fn a_log_that_waits_loses_nothing_for_the_reader_who_stays_while_the_other_leaves() {
    in_many_schedules(|| {
        let said = b"0123456789";
        let log = Arc::new(Log::new(4, Full::Wait));
        // Readers are there before anything is written, as open files are.
        let [stays, leaves] = [log.add_reader(), log.add_reader()];
        let writer = log.clone();
        let writes = thread(async move {
            let mut at = 0;
            while at < said.len() {
                at += writer.append(&said[at..], true).await.expect("it is open");
            }
            writer.finish();
        });
        let reader = log.clone();
        let reads = thread(async move {
            let (mut at, mut got) = (0, Vec::new());
            loop {
                let mut buf = [0; 3];
                let (from, count) = reader.read(stays, at, &mut buf).await.expect("it is open");
                if count == 0 {
                    break;
                }
                assert_eq!(from, at, "nothing that it has not read was dropped");
                at += count as u64;
                got.extend_from_slice(&buf[..count]);
            }
            assert_eq!(got, said);
        });
        let reader = log.clone();
        let other = fickle(async move {
            let _first = reader.read(leaves, 0, &mut [0; 2]).await;
        });
        other.leave();
        log.remove_reader(leaves);
        join(vec![writes, reads]);
    });
}

#[test]
fn a_log_ends_when_its_task_and_the_last_of_those_who_write_to_it_too_have_ended() {
    in_many_schedules(|| {
        let log = Arc::new(Log::new(64, Full::Auto));
        log.add_foreign_writer();
        let [own, foreign, reader] = [log.clone(), log.clone(), log.clone()];
        let number = log.add_reader();
        let reads = thread(async move {
            let (mut at, mut buf) = (0, [0; 64]);
            loop {
                let (_, count) = reader.read(number, at, &mut buf).await.expect("it is open");
                if count == 0 {
                    break;
                }
                at += count as u64;
            }
            assert_eq!(at, 6, "both were heard before the end");
        });
        let writes = thread(async move {
            own.append(b"own", true).await.expect("it is open");
            own.finish();
        });
        let writes_too = thread(async move {
            foreign.append(b"too", false).await.expect("it is open");
            foreign.remove_foreign_writer();
        });
        join(vec![reads, writes, writes_too]);
    });
}

/// A fifo of the memory tree, and who may use it.
fn fifo() -> (Place, Caller) {
    let who = Caller::me();
    let root = Namespace::new(MemTree::new().root(), "mem").root();
    let name = Name::new(b"fifo").expect("a name");
    let made = root.mknod(&who, name, Kind::Fifo, Mode::new(0o666), vfs::Device::default()).now();
    made.expect("at once").expect("a fifo");
    let place = root.resolve(&who, b"fifo", Follow::No).now().expect("at once").expect("it is there");
    (place, who)
}

#[test]
fn the_two_sides_of_a_fifo_meet_and_everything_arrives() {
    in_many_schedules(|| {
        let (place, who) = fifo();
        let (reading, reader) = (place.clone(), who.clone());
        let reads = thread(async move {
            let file = reading.open(&reader, OpenFlags::READ).await.expect("it opens");
            let (mut all, mut buf) = (Vec::new(), [0; 3]);
            loop {
                match file.read(0, &mut buf).await.expect("it reads") {
                    0 => break,
                    count => all.extend_from_slice(&buf[..count]),
                }
            }
            assert_eq!(all, b"said and done");
        });
        let writes = thread(async move {
            let file = place.open(&who, OpenFlags::WRITE).await.expect("it opens");
            for words in [&b"said "[..], b"and ", b"done"] {
                assert_eq!(file.write(0, words).await, Ok(words.len()));
            }
        });
        join(vec![reads, writes]);
    });
}

#[test]
fn an_open_of_a_fifo_that_is_given_up_leaves_nobody_for_a_writer_to_find() {
    in_many_schedules(|| {
        let (place, who) = fifo();
        let waiting: Vec<_> = (0..2)
            .map(|_| {
                let (place, who) = (place.clone(), who.clone());
                // There is no writer: it waits, and can only leave.
                fickle(async move { drop(place.open(&who, OpenFlags::READ).await) })
            })
            .collect();
        waiting.into_iter().for_each(crate::Fickle::leave);
        let writer = place.open(&who, OpenFlags::WRITE | OpenFlags::NONBLOCK).now().expect("at once");
        assert!(writer.err().is_some_and(|error| error.is(vfs::Errno::ENXIO)));
    });
}
