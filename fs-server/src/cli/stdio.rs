//! Standard input and output, whatever they are. Whether a read or write of them waits is the open file's own flag (O_NONBLOCK), which
//! is shared with whoever else has it, and set by some of them (node, ssh): who is told to come again waits until it is worth it.

use crate::fault::Fault;
use rustix::event::{PollFd, PollFlags, poll};
use std::io::{self, ErrorKind, IsTerminal, Read, Write, stdin};
use std::os::fd::AsFd;
use tokio::sync::mpsc::{Receiver, channel};

/// Waits where others would be told to come again.
pub(super) struct Patient<T>(pub T);

impl<T: AsFd> Patient<T> {
    fn patiently<R>(
        &mut self,
        ready: PollFlags,
        mut what: impl FnMut(&mut T) -> io::Result<R>,
    ) -> io::Result<R> {
        loop {
            match what(&mut self.0) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    match poll(&mut [PollFd::new(&self.0, ready)], None) {
                        Ok(_) | Err(rustix::io::Errno::INTR) => {}
                        Err(error) => return Err(error.into()),
                    }
                }
                done => return done,
            }
        }
    }
}

impl<T: AsFd + Read> Read for Patient<T> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.patiently(PollFlags::IN, |from| from.read(buf))
    }
}

impl<T: AsFd + Write> Write for Patient<T> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.patiently(PollFlags::OUT, |to| to.write(data))
    }
    fn flush(&mut self) -> io::Result<()> {
        self.patiently(PollFlags::OUT, T::flush)
    }
}

/// What comes on standard input, until its end or an error. It is read on a thread of its own: it may be a terminal that nobody types
/// at, and nothing wakes who reads that.
pub(super) fn input() -> Receiver<Result<Vec<u8>, Fault>> {
    let (blocks, came) = channel(1);
    std::thread::spawn(move || {
        let mut input = Patient(stdin().lock());
        loop {
            let mut buf = vec![0; 64 * 1024];
            let block = match input.read(&mut buf) {
                Ok(0) => break,
                Ok(count) => {
                    buf.truncate(count);
                    Ok(buf)
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                // A terminal that is not ours any more, or is gone: nobody types there.
                Err(error) if error.raw_os_error() == Some(libc::EIO) && stdin().is_terminal() => break,
                Err(error) => Err(Fault::io(format!("standard input: {error}"))),
            };
            let is_last = block.is_err();
            if blocks.blocking_send(block).is_err() || is_last {
                break;
            }
        }
    });
    came
}
