//! A file, stdout or stderr as an `output-stream`.

use super::Guest;
use crate::p1::{ProcExit, broken_pipe};
use bytes::Bytes;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use task::{Trace, Usage};
use vfs::{Errno, FileRef, Interest, Nature, Result};
use wasmtime_wasi_io::async_trait;
use wasmtime_wasi_io::poll::Pollable;
use wasmtime_wasi_io::streams::{OutputStream, StreamError, StreamResult};

/// Where the next write goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Position {
    At(u64),
    /// The end, wherever that is then.
    End,
}

pub(super) struct FileOutput {
    file: FileRef,
    /// The handle it came from; 1 and 2 are stdout and stderr.
    number: u32,
    position: Position,
    /// It is the program's own: see [`failed`].
    stdio: bool,
    /// What was taken from the guest and could not be written at once.
    late: Option<Late>,
    /// What came of that, until the guest asks.
    failed: Option<vfs::Error>,
    trace: Trace,
    usage: Arc<Usage>,
}

type Late = Pin<Box<dyn Future<Output = Result<Position>> + Send>>;

/// Bytes that a guest may write without waiting: as many the server holds for it where the file does not take them.
const PERMIT: usize = 1 << 20;
/// The same for what may have to wait: a pipe, a log that is full, a peer.
const PERMIT_LATE: usize = 64 << 10;

/// Writes once; gives the bytes taken and where the next go.
async fn write_some(file: &FileRef, position: Position, data: &[u8]) -> Result<(usize, Position)> {
    let (n, position) = match position {
        Position::At(offset) => {
            let n = file.write(offset, data).await?;
            (n, Position::At(offset + n as u64))
        }
        Position::End => (file.append(data).await?.0, Position::End),
    };
    if n == 0 { Errno::EIO.into() } else { Ok((n, position)) }
}

async fn write_all(file: FileRef, mut position: Position, mut data: Bytes) -> Result<Position> {
    while !data.is_empty() {
        let (n, next) = write_some(&file, position, &data).await?;
        let _ = data.split_to(n.min(data.len()));
        position = next;
    }
    Ok(position)
}

fn failed(error: vfs::Error, stdio: bool) -> StreamError {
    // The reader is gone, and with it the stream; and the program, where its own output is read no more, as by SIGPIPE.
    if error.is(Errno::EPIPE) && stdio {
        StreamError::Trap(wasmtime::Error::new(ProcExit(broken_pipe())))
    } else if error.is(Errno::EPIPE) {
        StreamError::Closed
    } else {
        StreamError::LastOperationFailed(wasmtime::Error::new(error))
    }
}

impl FileOutput {
    pub fn new(guest: &Guest, file: FileRef, number: u32, position: Position) -> FileOutput {
        let (trace, usage) = (guest.trace.clone(), guest.usage.clone());
        FileOutput { file, number, position, stdio: false, late: None, failed: None, trace, usage }
    }

    /// The program's own standard output or error.
    pub fn of_stdio(self) -> FileOutput {
        FileOutput { stdio: true, ..self }
    }

    fn say(&self, data: &[u8], result: &Result<()>) {
        let (number, length) = (self.number, data.len());
        match result {
            Ok(()) => self.trace.say(format_args!("output-stream.write({number}, {length}) = 0")),
            Err(error) => {
                let errno = error.errno();
                self.trace.say(format_args!("output-stream.write({number}, {length}) = {errno:?} ({error})"));
            }
        }
    }

    /// Writes what is written at once where nothing has to be waited for, and leaves the rest. Of what is asked of others and not
    /// awaited nobody knows how much was done, so they are not asked here.
    fn write_at_once(&mut self, data: &mut Bytes) -> Result<()> {
        let stores = self.file.nature() == Nature::Storage && !self.file.is_remote();
        while stores && !data.is_empty() {
            let written = match self.position {
                Position::At(offset) => {
                    let written = self.file.write(offset, data).now();
                    written.map(|written| written.map(|n| (n, Position::At(offset + n as u64))))
                }
                Position::End => {
                    self.file.append(data).now().map(|written| written.map(|(n, _)| (n, Position::End)))
                }
            };
            let Some(written) = written else { break };
            let (n, position) = written?;
            if n == 0 {
                return Errno::EIO.into();
            }
            self.position = position;
            let _ = data.split_to(n.min(data.len()));
        }
        Ok(())
    }

    fn told(&mut self) -> StreamResult<()> {
        match self.failed.take() {
            Some(error) => Err(failed(error, self.stdio)),
            None => Ok(()),
        }
    }

    fn finish(&mut self, result: Result<Position>) {
        self.late = None;
        match result {
            Ok(position) => self.position = position,
            Err(error) => self.failed = Some(error),
        }
    }

    /// Waits until nothing is left of earlier writes.
    async fn settled(&mut self) {
        if let Some(late) = &mut self.late {
            let result = late.await;
            self.finish(result);
        }
    }

    /// Goes on with what is late, as far as that goes now.
    fn look(&mut self) {
        use std::task::{Context, Poll, Waker};
        let Some(late) = &mut self.late else { return };
        // Whoever waits for it polls again with a waker of his own.
        if let Poll::Ready(result) = late.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            self.finish(result);
        }
    }
}

#[async_trait]
impl Pollable for FileOutput {
    async fn ready(&mut self) {
        self.settled().await;
        if self.failed.is_none() && !self.file.is_remote() {
            // An error is told by the write that follows.
            let _ = self.file.ready(Interest::Write).await;
        }
    }
}

#[async_trait]
impl OutputStream for FileOutput {
    fn check_write(&mut self) -> StreamResult<usize> {
        self.look();
        self.told()?;
        if self.late.is_some() {
            return Ok(0);
        }
        if self.file.nature() == Nature::Storage && !self.file.is_remote() {
            return Ok(PERMIT);
        }
        let ready = self.file.is_remote() || self.file.ready(Interest::Write).now().is_some();
        Ok(if ready { PERMIT_LATE } else { 0 })
    }

    fn write(&mut self, mut data: Bytes) -> StreamResult<()> {
        self.told()?;
        if self.late.is_some() || data.len() > PERMIT {
            return Err(StreamError::trap("written without the permit of check-write"));
        }
        if data.is_empty() {
            return Ok(());
        }
        Usage::add(&self.usage.written_bytes, data.len() as u64);
        if self.trace.is_on() {
            self.say(&data, &Ok(()));
        }
        if let Err(error) = self.write_at_once(&mut data) {
            self.failed = Some(error);
        } else if !data.is_empty() {
            self.late = Some(Box::pin(write_all(self.file.clone(), self.position, data)));
            self.look();
        }
        self.told()
    }

    fn flush(&mut self) -> StreamResult<()> {
        self.look();
        self.told()
    }

    /// Straight to the file, as long as that takes.
    async fn blocking_write_and_flush(&mut self, data: Bytes) -> StreamResult<()> {
        self.settled().await;
        self.told()?;
        let mut rest = &data[..];
        let result = loop {
            if rest.is_empty() {
                break Ok(());
            }
            match write_some(&self.file, self.position, rest).await {
                Ok((n, position)) => {
                    rest = &rest[n.min(rest.len())..];
                    self.position = position;
                }
                Err(error) => break Err(error),
            }
        };
        Usage::add(&self.usage.written_bytes, (data.len() - rest.len()) as u64);
        if self.trace.is_on() {
            self.say(&data, &result);
        }
        result.map_err(|error| failed(error, self.stdio))
    }

    /// A stream that is dropped has taken what it took.
    async fn cancel(&mut self) {
        self.settled().await;
    }
}
