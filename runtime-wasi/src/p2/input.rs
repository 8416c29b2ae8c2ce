//! A file's or stdin's bytes as an `input-stream`.

use super::Guest;
use super::files::MAX_READ;
use bytes::Bytes;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use task::{Trace, Usage};
use vfs::{FileRef, Interest, Result};
use wasmtime_wasi_io::async_trait;
use wasmtime_wasi_io::poll::Pollable;
use wasmtime_wasi_io::streams::{InputStream, StreamError, StreamResult};

pub(super) struct FileInput {
    file: FileRef,
    /// The handle it came from; 0 is stdin.
    number: u32,
    offset: u64,
    /// What was asked of a peer, and answered, or not yet.
    asked: Asked,
    trace: Trace,
    usage: Arc<Usage>,
}

/// A peer that was asked and is not awaited may lose what it had to give: so the question is kept until it is answered, and
/// the answer until the guest takes it.
enum Asked {
    Nothing,
    Waiting(Pin<Box<dyn Future<Output = Result<Vec<u8>>> + Send>>),
    Answered(Result<Vec<u8>>),
}

/// As much is asked of a peer before the guest has said how much it wants.
const ASK: usize = 64 << 10;

impl FileInput {
    pub fn new(guest: &Guest, file: FileRef, number: u32, offset: u64) -> FileInput {
        let (trace, usage) = (guest.trace.clone(), guest.usage.clone());
        FileInput { file, number, offset, asked: Asked::Nothing, trace, usage }
    }

    /// What the guest gets: nothing at all is the end.
    fn give(&mut self, wanted: usize, result: Result<Vec<u8>>) -> StreamResult<Bytes> {
        if self.trace.is_on() {
            let (number, trace) = (self.number, &self.trace);
            match &result {
                Ok(data) => trace.say(format_args!("input-stream.read({number}, {wanted}) = {}", data.len())),
                Err(error) => {
                    let errno = error.errno();
                    trace.say(format_args!("input-stream.read({number}, {wanted}) = {errno:?} ({error})"));
                }
            }
        }
        match result {
            Ok(data) if data.is_empty() && wanted > 0 => Err(StreamError::Closed),
            Ok(data) => {
                self.offset += data.len() as u64;
                Usage::add(&self.usage.read_bytes, data.len() as u64);
                Ok(data.into())
            }
            Err(error) => Err(StreamError::LastOperationFailed(wasmtime::Error::new(error))),
        }
    }

    /// Takes `wanted` bytes of what a peer answered; the rest stays.
    fn take_answer(&mut self, wanted: usize) -> Option<Result<Vec<u8>>> {
        match std::mem::replace(&mut self.asked, Asked::Nothing) {
            Asked::Answered(Ok(mut data)) if data.len() > wanted => {
                let rest = data.split_off(wanted);
                self.asked = Asked::Answered(Ok(rest));
                Some(Ok(data))
            }
            Asked::Answered(result) => Some(result),
            other => {
                self.asked = other;
                None
            }
        }
    }

    async fn answer(&mut self) {
        if let Asked::Nothing = self.asked {
            let (file, offset) = (self.file.clone(), self.offset);
            self.asked = Asked::Waiting(Box::pin(async move {
                let mut data = vec![0; ASK];
                let n = file.read(offset, &mut data).await?;
                data.truncate(n);
                Ok(data)
            }));
        }
        if let Asked::Waiting(answer) = &mut self.asked {
            let answer = answer.await;
            self.asked = Asked::Answered(answer);
        }
    }
}

#[async_trait]
impl Pollable for FileInput {
    async fn ready(&mut self) {
        if self.file.is_remote() {
            self.answer().await;
        } else {
            // An error is told by the read that follows.
            let _ = self.file.ready(Interest::Read).await;
        }
    }
}

#[async_trait]
impl InputStream for FileInput {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        let wanted = size.min(MAX_READ);
        if wanted == 0 {
            return Ok(Bytes::new());
        }
        if self.file.is_remote() {
            return match self.take_answer(wanted) {
                Some(result) => self.give(wanted, result),
                None => Ok(Bytes::new()),
            };
        }
        let mut data = vec![0; wanted];
        match self.file.read(self.offset, &mut data).now() {
            Some(result) => self.give(
                wanted,
                result.map(|n| {
                    data.truncate(n);
                    data
                }),
            ),
            None => Ok(Bytes::new()),
        }
    }

    /// Straight from the file, as long as that takes.
    async fn blocking_read(&mut self, size: usize) -> StreamResult<Bytes> {
        let wanted = size.min(MAX_READ);
        if wanted == 0 {
            return Ok(Bytes::new());
        }
        if let Asked::Waiting(_) = self.asked {
            self.answer().await;
        }
        let result = match self.take_answer(wanted) {
            Some(result) => result,
            None => {
                let mut data = vec![0; wanted];
                self.file.read(self.offset, &mut data).await.map(|n| {
                    data.truncate(n);
                    data
                })
            }
        };
        self.give(wanted, result)
    }
}
