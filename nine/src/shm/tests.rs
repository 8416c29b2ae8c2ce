use super::*;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::sync::Arc;
use std::time::Duration;

fn pair() -> (End, End) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let memory = Memory::new().unwrap();
    (End::of_maker(&memory, ours).unwrap(), End::of_guest(&memory, theirs).unwrap())
}

fn would_block<T: std::fmt::Debug>(result: io::Result<T>) -> bool {
    result.unwrap_err().kind() == ErrorKind::WouldBlock
}

fn is_rung(end: &End) -> bool {
    let mut waited = [PollFd::new(&end.socket, PollFlags::IN)];
    poll(&mut waited, Some(&Timespec::default())).unwrap() > 0
}

/// Sends all of it, and sleeps where there is no room.
fn send_all(end: &End, mut data: &[u8]) {
    while !data.is_empty() {
        match end.send(&[IoSlice::new(data)]) {
            Ok(sent) => data = &data[sent..],
            Err(_) => sleep(end, false, true),
        }
    }
}

fn sleep(end: &End, to_receive: bool, to_send: bool) {
    if end.sleeps(to_receive, to_send) {
        let patience = Timespec { tv_sec: 10, tv_nsec: 0 };
        assert!(
            poll(&mut [PollFd::new(&end.socket, PollFlags::IN)], Some(&patience)).unwrap() > 0,
            "not woken"
        );
        end.wakes();
    }
}

#[test]
fn what_is_sent_arrives_as_it_was_sent_with_no_bell_where_nobody_sleeps() {
    let (ours, theirs) = pair();
    let mut buf = [0; 100];
    assert!(would_block(theirs.receive(&mut buf)));
    assert_eq!(ours.send(&[IoSlice::new(b"one "), IoSlice::new(b""), IoSlice::new(b"two")]).unwrap(), 7);
    assert!(theirs.can_receive());
    assert_eq!(theirs.receive(&mut buf[..5]).unwrap(), 5);
    assert_eq!(theirs.receive(&mut buf[5..]).unwrap(), 2);
    assert_eq!(&buf[..7], b"one two");
    assert!(!theirs.can_receive() && would_block(theirs.receive(&mut buf)));
    assert!(!is_rung(&theirs) && !is_rung(&ours));
}

#[test]
fn a_full_ring_takes_no_more_until_something_is_received() {
    let (ours, theirs) = pair();
    assert_eq!(ours.send(&[IoSlice::new(&vec![1; 2 * RING])]).unwrap(), RING);
    assert!(!ours.can_send() && would_block(ours.send(&[IoSlice::new(b"x")])));
    assert!(ours.sleeps(false, true));
    assert_eq!(theirs.receive(&mut [0; 10]).unwrap(), 10);
    assert!(is_rung(&ours));
    assert_eq!(ours.send(&[IoSlice::new(&[2; 20])]).unwrap(), 10);
}

#[test]
fn who_sleeps_is_woken_once_and_who_need_not_sleep_is_told() {
    let (ours, theirs) = pair();
    assert!(theirs.sleeps(true, false));
    for _ in 0..3 {
        ours.send(&[IoSlice::new(b"x")]).unwrap();
    }
    let mut bells = [0; 10];
    assert_eq!(recv(&theirs.socket, &mut bells, RecvFlags::DONTWAIT).unwrap().1, 1);
    assert!(!theirs.sleeps(true, false));
}

#[test]
fn the_end_comes_after_what_was_said_last() {
    let (ours, theirs) = pair();
    ours.send(&[IoSlice::new(b"bye")]).unwrap();
    drop(ours);
    theirs.wakes();
    let mut buf = [0; 10];
    assert_eq!(theirs.receive(&mut buf).unwrap(), 3);
    assert_eq!(theirs.receive(&mut buf).unwrap(), 0);
    assert_eq!(theirs.send(&[IoSlice::new(b"x")]).unwrap_err().kind(), ErrorKind::BrokenPipe);
}

#[test]
fn streams_in_both_directions_arrive_whole_however_they_are_cut() {
    let (ours, theirs) = pair();
    let (ours, theirs) = (Arc::new(ours), Arc::new(theirs));
    let data: Arc<Vec<u8>> = Arc::new((0..5_000_000u32).map(|n| (n * 7 + n / 251) as u8).collect());
    // Each end echoes or sends in one thread and is the only one to wait on its socket.
    let echo = std::thread::spawn({
        let len = data.len();
        move || {
            let (mut buf, mut done) = (vec![0; 40_001], 0);
            while done < len {
                match theirs.receive(&mut buf) {
                    Ok(got) => {
                        send_all(&theirs, &buf[..got]);
                        done += got;
                    }
                    Err(_) => sleep(&theirs, true, false),
                }
            }
        }
    });
    let (mut sent, mut back, mut buf) = (0, Vec::new(), vec![0; 10_007]);
    while back.len() < data.len() {
        if sent < data.len() {
            let upto = (sent + 1 + sent % 30_011).min(data.len());
            sent += ours.send(&[IoSlice::new(&data[sent..upto])]).unwrap_or(0);
        }
        match ours.receive(&mut buf) {
            Ok(got) => back.extend_from_slice(&buf[..got]),
            Err(_) => sleep(&ours, true, sent < data.len()),
        }
    }
    echo.join().unwrap();
    assert!(back == *data);
}

#[test]
fn numbers_that_cannot_be_end_the_connection_and_nothing_else() {
    for wrong in [RING as u32 + 1, 1 << 31, u32::MAX - RING as u32] {
        let (ours, theirs) = pair();
        theirs.map.number(1, Number::Head).store(wrong, Ordering::Relaxed);
        assert_eq!(ours.receive(&mut [0; 10]).unwrap_err().kind(), ErrorKind::InvalidData);
        assert!(ours.can_receive(), "the fault is there to be seen");
        theirs.map.number(0, Number::Tail).store(wrong, Ordering::Relaxed);
        assert_eq!(ours.send(&[IoSlice::new(b"x")]).unwrap_err().kind(), ErrorKind::InvalidData);
    }
}

#[test]
fn a_flood_of_bells_blocks_nobody() {
    let (ours, theirs) = pair();
    while send(&theirs.socket, &[0; 1000], SendFlags::DONTWAIT).is_ok() {}
    for _ in 0..100_000 {
        assert!(ours.sleeps(true, false));
        theirs.send(&[IoSlice::new(b"x")]).unwrap();
        assert_eq!(ours.receive(&mut [0; 10]).unwrap(), 1);
    }
    ours.wakes();
    assert!(!is_rung(&ours));
}

#[test]
fn the_memory_cannot_be_made_smaller_and_other_memory_is_refused() {
    let memory = Memory::new().unwrap();
    rustix::fs::ftruncate(&memory, 0).unwrap_err();
    let other = std::fs::File::open("/dev/null").unwrap();
    assert!(End::of_guest(&other, UnixStream::pair().unwrap().0).is_err());
}

#[test]
fn a_word_that_comes_while_its_reader_goes_to_sleep_is_not_missed() {
    let (ours, theirs) = pair();
    let rounds = 20_000;
    let other = std::thread::spawn(move || {
        for _ in 0..rounds {
            while would_block_or(&theirs) {
                sleep(&theirs, true, false);
            }
            theirs.send(&[IoSlice::new(b"x")]).unwrap();
        }
    });
    for n in 0..rounds {
        ours.send(&[IoSlice::new(b"x")]).unwrap();
        if n % 1000 == 0 {
            std::thread::sleep(Duration::from_micros(100));
        }
        while would_block_or(&ours) {
            sleep(&ours, true, false);
        }
    }
    other.join().unwrap();
}

/// Receives one byte, or says that there is none.
fn would_block_or(end: &End) -> bool {
    match end.receive(&mut [0; 1]) {
        Ok(got) => {
            assert_eq!(got, 1);
            false
        }
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::WouldBlock);
            true
        }
    }
}
