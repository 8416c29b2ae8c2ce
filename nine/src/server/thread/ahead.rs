//! What was received before anybody asked for it: a thread that looks for the next request has it in its hands when it finds
//! it, and keeps it here until the session reads.

use super::Socket;
use parking_lot::Mutex;
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::io::ReadBuf;

/// More than a usual request, less than it takes time to copy.
pub(super) const MOST: usize = 4 << 10;

/// Of one thread: nobody else fills or reads it.
#[derive(Default)]
pub struct Ahead {
    is_there: AtomicBool,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    /// Made when it is first needed.
    bytes: Vec<u8>,
    unread: Range<usize>,
    /// Why nothing could be received: systems say so once.
    fault: Option<io::Error>,
}

impl Ahead {
    /// Receives what there is; says whether there was anything: bytes, the end, or a fault.
    pub(super) fn receive(&self, socket: &impl Socket) -> bool {
        let mut held = self.held.lock();
        if held.bytes.is_empty() {
            held.bytes = vec![0; MOST];
        }
        match socket.receive(&mut ReadBuf::new(&mut held.bytes)) {
            Ok(received) => held.unread = 0..received,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                return false;
            }
            Err(error) => held.fault = Some(error),
        }
        self.is_there.store(true, Ordering::Relaxed);
        true
    }

    /// Puts what was received into `buf`, if anything was; says whether that was all that there was to receive.
    pub(super) fn read(&self, buf: &mut ReadBuf<'_>) -> Option<io::Result<bool>> {
        if !self.is_there.load(Ordering::Relaxed) {
            return None;
        }
        let mut held = self.held.lock();
        if let Some(fault) = held.fault.take() {
            self.is_there.store(false, Ordering::Relaxed);
            return Some(Err(fault));
        }
        let Range { start, end } = held.unread;
        let len = buf.remaining().min(end - start);
        buf.put_slice(&held.bytes[start..start + len]);
        held.unread.start += len;
        let is_read = held.unread.is_empty();
        self.is_there.store(!is_read, Ordering::Relaxed);
        Some(Ok(is_read && 0 < end && end < MOST))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    fn pair() -> (UnixStream, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        (ours, theirs)
    }

    /// What one read of so many bytes gives.
    fn read(ahead: &Ahead, len: usize) -> Option<(Vec<u8>, bool)> {
        let mut bytes = vec![0; len];
        let mut buf = ReadBuf::new(&mut bytes);
        let drained = ahead.read(&mut buf)?.unwrap();
        Some((buf.filled().to_vec(), drained))
    }

    #[test]
    fn nothing_is_ahead_of_who_was_sent_nothing() {
        let (ours, _theirs) = pair();
        let ahead = Ahead::default();
        assert!(!ahead.receive(&ours));
        assert_eq!(read(&ahead, 10), None);
    }

    #[test]
    fn what_came_is_read_in_pieces_and_the_last_says_that_there_is_no_more() {
        let (ours, mut theirs) = pair();
        let ahead = Ahead::default();
        theirs.write_all(b"seven and more").unwrap();
        assert!(ahead.receive(&ours));
        assert_eq!(read(&ahead, 5), Some((b"seven".to_vec(), false)));
        assert_eq!(read(&ahead, 100), Some((b" and more".to_vec(), true)));
        assert_eq!(read(&ahead, 100), None);
    }

    #[test]
    fn who_was_sent_more_than_is_taken_ahead_has_to_ask_for_the_rest() {
        let (ours, mut theirs) = pair();
        let ahead = Ahead::default();
        theirs.write_all(&[7; MOST + 1]).unwrap();
        assert!(ahead.receive(&ours));
        assert_eq!(read(&ahead, 2 * MOST), Some((vec![7; MOST], false)));
        assert!(ahead.receive(&ours));
        assert_eq!(read(&ahead, 2 * MOST), Some((vec![7], true)));
    }

    #[test]
    fn the_end_is_told_once_it_is_ahead() {
        let (ours, theirs) = pair();
        let ahead = Ahead::default();
        drop(theirs);
        assert!(ahead.receive(&ours));
        assert_eq!(read(&ahead, 10), Some((vec![], false)));
    }

    #[test]
    fn a_fault_is_told_as_it_was() {
        use std::net::{TcpListener, TcpStream};
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut theirs, _) = listener.accept().unwrap();
        // Who closes with something unread resets the connection.
        (&ours).write_all(b"unread").unwrap();
        theirs.write_all(b"x").unwrap();
        while theirs.peek(&mut [0; 6]).unwrap() == 0 {}
        drop(theirs);
        ours.set_nonblocking(true).unwrap();
        let ahead = Ahead::default();
        let mut buf = [0; 10];
        let fault = loop {
            while !ahead.receive(&ours) {}
            match ahead.read(&mut ReadBuf::new(&mut buf)) {
                Some(Ok(_)) => {}
                told => break told.unwrap().unwrap_err(),
            }
        };
        assert_eq!(fault.kind(), ErrorKind::ConnectionReset);
        assert!(ahead.read(&mut ReadBuf::new(&mut buf)).is_none(), "it is told once");
    }
}
