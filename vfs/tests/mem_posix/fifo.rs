//! fifo(7): both ends of a named pipe in one tree.

use crate::world::*;
use futures_util::FutureExt;
use vfs::*;

fn fifo() -> World {
    let w = world();
    done(w.root.mknod(&w.who, name("p"), Kind::Fifo, Mode::new(0o666), Device::default())).unwrap();
    w
}

fn both(w: &World) -> (FileRef, FileRef) {
    let reader = w.open("p", OpenFlags::READ | OpenFlags::NONBLOCK).unwrap();
    (reader, w.open("p", OpenFlags::WRITE).unwrap())
}

#[test]
fn an_open_waits_for_the_other_side() {
    let w = fifo();
    let p = w.at("p").unwrap();
    let mut reader = p.open(&w.who, OpenFlags::READ);
    assert!((&mut reader).now_or_never().is_none());
    let writer = done(p.open(&w.who, OpenFlags::WRITE)).unwrap();
    let reader = reader.now_or_never().unwrap().unwrap();
    assert_eq!(done(writer.write(0, b"hi")).unwrap(), 2);
    assert_eq!(done(reader.read(0, &mut [0; 8])).unwrap(), 2);
}

#[test]
fn an_open_that_is_given_up_is_no_reader() {
    let w = fifo();
    let p = w.at("p").unwrap();
    let mut reader = p.open(&w.who, OpenFlags::READ);
    assert!((&mut reader).now_or_never().is_none());
    drop(reader);
    fails(w.open("p", OpenFlags::WRITE | OpenFlags::NONBLOCK), Errno::ENXIO);
}

#[test]
fn a_read_waits_for_bytes_and_ends_with_the_last_writer() {
    let w = fifo();
    let (reader, writer) = both(&w);
    let mut buf = [0; 8];
    {
        let mut read = reader.read(0, &mut buf);
        assert!((&mut read).now_or_never().is_none());
        done(writer.write(99, b"abc")).unwrap();
        assert_eq!(read.now_or_never().unwrap().unwrap(), 3);
    }
    assert_eq!(&buf[..3], b"abc");
    let mut read = reader.read(0, &mut buf);
    assert!((&mut read).now_or_never().is_none());
    drop(writer);
    assert_eq!(read.now_or_never().unwrap().unwrap(), 0);
}

#[test]
fn a_cancelled_read_takes_nothing() {
    let w = fifo();
    let (reader, writer) = both(&w);
    let mut buf = [0; 8];
    let mut read = reader.read(0, &mut buf);
    assert!((&mut read).now_or_never().is_none());
    drop(read);
    done(writer.write(0, b"abc")).unwrap();
    assert_eq!(done(reader.read(0, &mut buf)).unwrap(), 3);
}

#[test]
fn a_full_pipe_takes_small_writes_whole_or_not_yet() {
    let w = fifo();
    let (reader, writer) = both(&w);
    assert_eq!(done(writer.write(0, &[1; 100_000])).unwrap(), 65536);
    let mut write = writer.write(0, &[2; 4096]);
    assert!((&mut write).now_or_never().is_none());
    let mut buf = [0; 4095];
    assert_eq!(done(reader.read(0, &mut buf)).unwrap(), 4095);
    assert!((&mut write).now_or_never().is_none());
    assert_eq!(done(reader.read(0, &mut buf[..1])).unwrap(), 1);
    assert_eq!(write.now_or_never().unwrap().unwrap(), 4096);
    assert!(matches!(writer.ready(Interest::Write), Op::Later(_)));
    assert!(matches!(reader.ready(Interest::Read), Op::Done(Ok(()))));
}

#[test]
fn a_write_without_readers_is_a_broken_pipe_and_old_bytes_are_gone() {
    let w = fifo();
    let (reader, writer) = both(&w);
    done(writer.write(0, b"old")).unwrap();
    drop(reader);
    fails(done(writer.write(0, b"x")), Errno::EPIPE);
    drop(writer);
    let (reader, writer) = both(&w);
    drop(writer);
    assert_eq!(done(reader.read(0, &mut [0; 8])).unwrap(), 0);
}
