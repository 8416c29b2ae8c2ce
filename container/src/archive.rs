//! A container's files out and in, as tar streams.
//!
//! What goes out is what the files were when it was asked for, whatever is written meanwhile. What comes in becomes theirs in
//! one step when the archive is whole and good, or not at all.

use crate::Container;
use parking_lot::Mutex;
use std::sync::Arc;
use task::group::Event;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::watch;
use vfs::archive::{Bounds, pack, unpack};
use vfs::{Caller, Errno, Error, Gid, Result, Uid};

/// Bytes on their way between whoever reads or writes the file and the archive.
const PIPE: usize = 256 << 10;

/// Who reads files that are the container's, whatever their mode bits keep the owner himself from.
pub(crate) fn keeper() -> Caller {
    Caller { checked: true, ..Caller::new(Uid(0), Gid(0)) }
}

type End = Option<Result<()>>;

async fn end_of(mut end: watch::Receiver<End>) -> Result<()> {
    match end.wait_for(Option::is_some).await {
        Ok(end) => end.clone().unwrap_or(Ok(())),
        Err(_) => Err(Error::new(Errno::EIO, "the server stops")),
    }
}

/// A tar archive on its way out.
pub struct Outgoing {
    stream: tokio::sync::Mutex<DuplexStream>,
    end: watch::Receiver<End>,
}

impl Container {
    /// The files as they are now, without what lies in the namespaces of all containers.
    pub fn export(self: &Arc<Container>) -> Result<Outgoing> {
        self.must_be_there()?;
        let files = self.files().fork()?;
        let (read, mut write) = duplex(PIPE);
        let (ending, end) = watch::channel(None);
        self.table()?.config.handle.spawn(async move {
            let root = files.bare("export").root();
            let done = pack(&keeper(), &root, &mut write).await;
            // Whoever reads may have gone: then nobody asks.
            ending.send_replace(Some(done));
            drop(write);
        });
        Ok(Outgoing { stream: tokio::sync::Mutex::new(read), end })
    }

    /// Takes an archive's bytes, to be made files when it ends.
    pub fn import(self: &Arc<Container>) -> Result<Incoming> {
        self.must_be_there()?;
        let (read, write) = duplex(PIPE);
        let (ending, end) = watch::channel(None);
        let container = self.clone();
        self.table()?.config.handle.spawn(async move {
            let done = container.take(read).await;
            if let Err(error) = &done {
                container.remember(error);
                container.say(Event::Error { what: "import".into(), message: error.text().to_owned() });
            }
            ending.send_replace(Some(done));
        });
        let stream = tokio::sync::Mutex::new(Some(write));
        Ok(Incoming { stream, taken: Mutex::new(0), end })
    }

    async fn take(&self, from: DuplexStream) -> Result<()> {
        let root = self.files().bare("import").root();
        let unpacked = unpack(self.identity(), from, &root, self.import_bounds()).await;
        let unpacked = unpacked.map_err(|error| error.context("import"))?;
        self.must_be_there()?;
        self.say_life(&["import", &unpacked.entries.to_string(), &unpacked.bytes.to_string()]);
        Ok(())
    }

    /// No more than there is room for.
    fn import_bounds(&self) -> Bounds {
        let (limits, (bytes, inodes), whole) = (self.limits(), self.files().usage(), Bounds::default());
        let left = |limit: Option<u64>, used: u64, most: u64| {
            limit.map_or(most, |limit| limit.saturating_sub(used).min(most))
        };
        Bounds {
            bytes: left(limits.disk, bytes, whole.bytes),
            inodes: left(limits.inodes, inodes, whole.inodes),
            ..whole
        }
    }
}

impl Outgoing {
    /// The next bytes; 0 is the end of a whole archive.
    pub async fn read(&self, buf: &mut [u8]) -> Result<usize> {
        let count = self.stream.lock().await.read(buf).await?;
        if count == 0 && !buf.is_empty() {
            end_of(self.end.clone()).await?;
        }
        Ok(count)
    }
}

/// A tar archive on its way in.
pub struct Incoming {
    stream: tokio::sync::Mutex<Option<DuplexStream>>,
    taken: Mutex<u64>,
    end: watch::Receiver<End>,
}

impl Incoming {
    /// Takes bytes that follow those that came before.
    pub async fn write(&self, offset: u64, data: &[u8]) -> Result<()> {
        let mut stream = self.stream.lock().await;
        if *self.taken.lock() != offset {
            let text = "import: an archive is written from its beginning to its end, by one";
            return Err(Error::new(Errno::EINVAL, text));
        }
        let Some(open) = &mut *stream else {
            return Err(Error::new(Errno::EINVAL, "import: this archive has ended: open it again"));
        };
        let sent = open.write_all(data).await;
        if sent.is_err() {
            // It takes no more: it was refused, or has what it wants.
            *stream = None;
            drop(stream);
            end_of(self.end.clone()).await?;
        }
        *self.taken.lock() += data.len() as u64;
        Ok(())
    }

    /// There is no more: gives what has become of it. Nothing was written yet: nothing has ended.
    pub async fn finish(&self) -> Result<()> {
        if *self.taken.lock() == 0 && self.end.borrow().is_none() {
            return Ok(());
        }
        drop(self.stream.lock().await.take());
        end_of(self.end.clone()).await
    }
}
