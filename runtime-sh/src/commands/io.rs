//! What a command reads and writes: a file, with a buffer before it.

use crate::process::{Held, Memory};
use vfs::{Caller, Errno, FileRef, Nature, Op, OpenFlags, Place, Result};

/// How much is read or written at once.
const BUFFER: usize = 32 << 10;

/// What a line may be long without being counted as memory.
const UNCOUNTED: usize = 64 << 10;

/// A file that is read from where it stands.
pub struct Input {
    file: FileRef,
    offset: u64,
    buffer: Vec<u8>,
    /// What of the buffer is taken.
    taken: usize,
    /// What whoever reads keeps of it.
    held: Option<Held>,
    /// It has been given away: nothing comes any more.
    ended: bool,
}

impl Input {
    pub fn new(file: FileRef) -> Input {
        Input { file, offset: 0, buffer: Vec::new(), taken: 0, held: None, ended: false }
    }
    /// Opens the file at `place` for reading.
    pub async fn open(place: &Place, who: &Caller) -> Result<Input> {
        Ok(Input::new(place.open(who, OpenFlags::READ).await?))
    }
    pub fn file(&self) -> &FileRef {
        &self.file
    }

    /// What comes next, at least a byte of it; nothing is the end. Stays what comes next until it is taken.
    pub async fn fill(&mut self) -> Result<&[u8]> {
        if self.taken == self.buffer.len() {
            self.buffer.resize(BUFFER, 0);
            // Nothing of it is to be given back while it waits.
            self.taken = BUFFER;
            // Dropped while it waits, the buffer holds nothing.
            let count = match self.file.read(self.offset, &mut self.buffer).await {
                Ok(count) => count,
                Err(error) => {
                    self.buffer.clear();
                    self.taken = 0;
                    return Err(error);
                }
            };
            self.offset += count as u64;
            self.buffer.truncate(count);
            self.taken = 0;
        }
        Ok(&self.buffer[self.taken..])
    }
    /// [`Input::fill`], with all of `output` on its way before there is anything to wait for.
    pub async fn fill_behind(&mut self, output: &mut Output) -> Result<&[u8]> {
        if self.taken < self.buffer.len() || self.ended {
            return Ok(&self.buffer[self.taken..]);
        }
        self.buffer.resize(BUFFER, 0);
        self.taken = BUFFER;
        let read = match self.file.read(self.offset, &mut self.buffer) {
            Op::Done(read) => read,
            // Nobody is kept from reading what is there by one who cannot take more.
            Op::Later(read) => match output.flush().await {
                Ok(()) => read.await,
                Err(error) if error.is(Errno::EPIPE) => Ok(0),
                Err(_) => read.await,
            },
        };
        match read {
            Ok(count) => {
                self.offset += count as u64;
                self.buffer.truncate(count);
                self.taken = 0;
                Ok(&self.buffer)
            }
            Err(error) => {
                self.buffer.clear();
                self.taken = 0;
                Err(error)
            }
        }
    }
    /// This input as it stands; what is left behind is at its end.
    pub fn surrender(&mut self) -> Input {
        let mut rest = Input::new(self.file.clone());
        rest.ended = true;
        std::mem::replace(self, rest)
    }
    /// Counts `bytes` that are kept of it, where they are many.
    pub fn keep(&mut self, memory: &Memory, bytes: usize) -> Result<()> {
        match &mut self.held {
            Some(held) => held.set(bytes),
            None if bytes > UNCOUNTED => {
                self.held = Some(memory.hold(bytes)?);
                Ok(())
            }
            None => Ok(()),
        }
    }
    /// Where the next byte is read.
    pub fn position(&self) -> u64 {
        self.offset - (self.buffer.len() - self.taken) as u64
    }
    /// Goes on at `offset`.
    pub fn seek(&mut self, offset: u64) {
        self.offset = offset;
        self.buffer.clear();
        self.taken = 0;
    }
    /// Takes `count` bytes of what [`Input::fill`] gave.
    pub fn take(&mut self, count: usize) {
        self.taken = (self.taken + count).min(self.buffer.len());
    }
    /// Reads into `buf`; 0 bytes is the end.
    pub async fn read(&mut self, buf: &mut [u8]) -> Result<usize> {
        if self.taken == self.buffer.len() && buf.len() >= BUFFER {
            let count = self.file.read(self.offset, buf).await?;
            self.offset += count as u64;
            return Ok(count);
        }
        let next = self.fill().await?;
        let count = next.len().min(buf.len());
        buf[..count].copy_from_slice(&next[..count]);
        self.take(count);
        Ok(count)
    }
    /// Adds the next line to `line`, up to and with `end`, or up to the end of the file; false where nothing was left. A line
    /// may be longer than memory: whoever keeps lines counts them ([`crate::Memory`]).
    pub async fn read_until(&mut self, end: u8, line: &mut Vec<u8>) -> Result<bool> {
        let mut any = false;
        loop {
            let next = self.fill().await?;
            if next.is_empty() {
                return Ok(any);
            }
            any = true;
            let at = next.iter().position(|b| *b == end);
            let count = at.map_or(next.len(), |at| at + 1);
            line.extend_from_slice(&next[..count]);
            self.take(count);
            if at.is_some() {
                return Ok(true);
            }
        }
    }
    /// [`Input::read_until`] a line end.
    pub async fn read_line(&mut self, line: &mut Vec<u8>) -> Result<bool> {
        self.read_until(b'\n', line).await
    }
}

impl Drop for Input {
    /// What was read of a shell's open file and not used is there for whoever reads it next.
    fn drop(&mut self) {
        let file: &dyn std::any::Any = &*self.file;
        if let Some(file) = file.downcast_ref::<crate::files::Description>() {
            file.give_back(&self.buffer[self.taken.min(self.buffer.len())..]);
        }
    }
}

/// A file that is written to: what is written goes out when it is much, or when it is flushed.
pub struct Output {
    file: FileRef,
    offset: u64,
    buffer: Vec<u8>,
}

impl Output {
    pub fn new(file: FileRef) -> Output {
        Output::at(file, 0)
    }
    /// What is written first stands at `offset`.
    pub fn at(file: FileRef, offset: u64) -> Output {
        Output { file, offset, buffer: Vec::new() }
    }
    pub fn file(&self) -> &FileRef {
        &self.file
    }
    /// Bytes that the end of this output stands behind, as far as they were written through it.
    pub fn written(&self) -> u64 {
        self.offset + self.buffer.len() as u64
    }

    pub async fn write(&mut self, data: &[u8]) -> Result<()> {
        if self.buffer.len() + data.len() >= BUFFER {
            self.flush().await?;
            if data.len() >= BUFFER {
                return self.send(data).await;
            }
        }
        self.buffer.extend_from_slice(data);
        Ok(())
    }
    /// Sends what has not been sent. After an error what was left is given up.
    pub async fn flush(&mut self) -> Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let data = std::mem::take(&mut self.buffer);
        let sent = self.send(&data).await;
        self.buffer = data;
        self.buffer.clear();
        sent
    }
    async fn send(&mut self, mut data: &[u8]) -> Result<()> {
        while !data.is_empty() {
            let count = self.file.write(self.offset, data).await?;
            self.offset += count as u64;
            data = &data[count.min(data.len())..];
        }
        Ok(())
    }
    /// Whether what is written can be read while it is: flush after each line then.
    pub fn is_live(&self) -> bool {
        self.file.nature() == Nature::Stream
    }
}
