//! An open file description (open(2)): what several descriptors, and the programs that were started with it, share is where it
//! stands.
//!
//! It is an [`OpenFile`] itself, a stream: whoever reads or writes it does so where it stands, whatever offset he has in mind.
//! What was read too far comes back to it, so that `read` and the commands behind it, and a script and what it runs, find every
//! byte in its turn. A shell that another has started goes on with the other's.

use crate::process::Counted;
use parking_lot::Mutex;
use std::any::Any;
use std::sync::Arc;
use vfs::{Errno, FileRef, Interest, Nature, NodeRef, Op, OpenFile, Result, Stat, Terminal};

/// See the module.
pub(crate) struct Description {
    file: FileRef,
    node: NodeRef,
    reads: bool,
    writes: bool,
    append: bool,
    at: Mutex<At>,
    _counted: Option<Counted>,
}

#[derive(Default)]
struct At {
    offset: u64,
    /// Read already of what cannot be read twice, and given back: what comes next.
    back: Vec<u8>,
}

impl Description {
    pub fn new(file: FileRef, reads: bool, writes: bool, append: bool) -> Arc<Description> {
        Description::counted(file, reads, writes, append, None)
    }
    /// One that counts among its task's open files.
    pub fn counted(
        file: FileRef,
        reads: bool,
        writes: bool,
        append: bool,
        counted: Option<Counted>,
    ) -> Arc<Description> {
        let node = file.node().clone();
        Arc::new(Description { file, node, reads, writes, append, at: Mutex::default(), _counted: counted })
    }
    /// What a task was given to read: the description of the shell that started it, where one did, else a new one.
    pub fn inherited(file: FileRef) -> Arc<Description> {
        let any: Arc<dyn Any + Send + Sync> = file.clone();
        any.downcast().unwrap_or_else(|_| Description::new(file, true, false, false))
    }
    /// What was read last and not used: it is read again first.
    pub fn give_back(&self, bytes: &[u8]) {
        let mut at = self.at.lock();
        if self.file.nature() == Nature::Storage {
            // Whoever writes next does so behind what was used.
            at.offset = at.offset.saturating_sub(bytes.len() as u64);
        } else {
            at.back.splice(0..0, bytes.iter().copied());
        }
    }
    /// Reads where it stands.
    pub async fn take(&self, buf: &mut [u8]) -> Result<usize> {
        OpenFile::read(self, 0, buf).await
    }
    pub async fn put(&self, mut data: &[u8]) -> Result<()> {
        while !data.is_empty() {
            let count = OpenFile::write(self, 0, data).await?;
            data = &data[count.min(data.len())..];
        }
        Ok(())
    }
    /// Whether it is a terminal's.
    pub fn is_terminal(&self) -> bool {
        self.terminal().is_some()
    }
}

impl OpenFile for Description {
    fn node(&self) -> &NodeRef {
        &self.node
    }
    fn nature(&self) -> Nature {
        Nature::Stream
    }
    fn terminal(&self) -> Option<&dyn Terminal> {
        self.file.terminal()
    }
    fn stat(&self) -> Op<'_, Stat> {
        self.file.stat()
    }
    fn read<'a>(&'a self, _offset: u64, buf: &'a mut [u8]) -> Op<'a, usize> {
        if !self.reads {
            return Op::err(Errno::EBADF);
        }
        let offset = {
            let mut at = self.at.lock();
            if !at.back.is_empty() {
                let count = at.back.len().min(buf.len());
                buf[..count].copy_from_slice(&at.back[..count]);
                at.back.drain(..count);
                return Op::ok(count);
            }
            at.offset
        };
        self.file.read(offset, buf).map(|count| {
            self.at.lock().offset += count as u64;
            count
        })
    }
    fn write<'a>(&'a self, _offset: u64, data: &'a [u8]) -> Op<'a, usize> {
        if !self.writes {
            return Op::err(Errno::EBADF);
        }
        if self.append {
            return self.file.append(data).map(|(count, _)| count);
        }
        let offset = self.at.lock().offset;
        self.file.write(offset, data).map(|count| {
            self.at.lock().offset += count as u64;
            count
        })
    }
    fn ready(&self, interest: Interest) -> Op<'_, ()> {
        if interest == Interest::Read && !self.at.lock().back.is_empty() {
            return Op::ok(());
        }
        self.file.ready(interest)
    }
    fn set_size(&self, size: u64) -> Op<'_, ()> {
        self.file.set_size(size)
    }
    fn fsync(&self, data_only: bool) -> Op<'_, ()> {
        self.file.fsync(data_only)
    }
    fn flush(&self) -> Op<'_, ()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::pipe;

    #[tokio::test]
    async fn what_was_read_too_far_is_there_for_any_program_that_inherits_the_file() {
        let (reader, writer) = pipe().expect("a pipe");
        writer.put(b"one\ntwo\nthree\n").await.expect("room");
        let mut buf = [0; 64];
        assert_eq!(reader.take(&mut buf).await.expect("read"), 14);
        reader.give_back(b"two\nthree\n");
        // As a program gets it: a file like any other, read at an offset of its own.
        let file: FileRef = reader.clone();
        assert!(file.ready(Interest::Read).now().is_some(), "poll(2) tells of it");
        assert_eq!(file.read(4, &mut buf[..4]).await.expect("read"), 4);
        assert_eq!(&buf[..4], b"two\n");
        let shell = Description::inherited(file);
        assert!(Arc::ptr_eq(&shell, &reader), "a shell goes on where the other stands");
        assert_eq!(shell.take(&mut buf).await.expect("read"), 6);
        assert_eq!(&buf[..6], b"three\n");
    }
}
