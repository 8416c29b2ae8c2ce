//! An archive's entries, one after the other, as they come in.

use super::Bounds;
use super::header::{Entry, What, XATTR, number, records, shown, time};
use super::squeezed::Plain;
use crate::{Errno, Error, Result, Time};
use tar::{EntryType, Header};
use tokio::io::AsyncRead;

const BLOCK: usize = 512;
/// The longest header of headers: a pax header, whose values may be extended attributes of 64 KiB each.
const MAX_EXTENDED: u64 = 1 << 20;
/// What may follow the end mark: the rest of the last record of the largest blocking factor that tar writes.
const MAX_PADDING: usize = 4 << 20;

/// An archive that is read entry by entry.
pub struct Archive<'a> {
    from: Plain<'a>,
    /// Of the current entry: bytes of content, and what fills its last block.
    left: u64,
    padding: usize,
    offset: u64,
}

/// What headers before an entry's own say of it.
#[derive(Default)]
struct Extended {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
    uid: Option<u64>,
    gid: Option<u64>,
    mtime: Option<Time>,
    xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

fn truncated() -> Error {
    Error::new(Errno::EIO, "the archive is cut off")
}

impl<'a> Archive<'a> {
    /// The archive in `from`: plain, gzip or zstd. Of `bounds` only the ratio counts here.
    pub async fn open(from: impl AsyncRead + Unpin + Send + 'a, bounds: &Bounds) -> Result<Archive<'a>> {
        Ok(Archive::new(Plain::of(from, bounds).await?))
    }

    pub(super) fn new(from: Plain<'a>) -> Archive<'a> {
        Archive { from, left: 0, padding: 0, offset: 0 }
    }

    fn damaged(&self, what: impl std::fmt::Display) -> Error {
        Error::new(Errno::EIO, format!("no header at byte {}: {what}", self.offset - BLOCK as u64))
    }

    async fn exactly(&mut self, buf: &mut [u8]) -> Result<()> {
        let read = self.from.fill(buf).await?;
        self.offset += read as u64;
        if read < buf.len() { Err(truncated()) } else { Ok(()) }
    }

    /// The next entry; none behind the last, where all has been read and found good.
    pub async fn next(&mut self) -> Result<Option<Entry>> {
        while self.left > 0 {
            self.content(&mut [0; 4096]).await?;
        }
        let mut extended = Extended::default();
        loop {
            let mut block = [0; BLOCK];
            let read = self.from.fill(&mut block).await?;
            if read == 0 && self.offset == 0 {
                return Err(Error::new(Errno::EIO, "this is no archive: it is empty"));
            }
            self.offset += read as u64;
            if read < BLOCK {
                return Err(truncated());
            }
            if block.iter().all(|byte| *byte == 0) {
                self.end().await?;
                return Ok(None);
            }
            let header = Header::from_byte_slice(&block);
            self.check(header)?;
            let size = header.entry_size().map_err(|error| self.damaged(error))?;
            let kind = header.entry_type();
            match kind {
                EntryType::GNULongName => extended.path = Some(self.long_name(size).await?),
                EntryType::GNULongLink => extended.link = Some(self.long_name(size).await?),
                // What holds for all entries that follow is of no use here: comments, as a rule.
                EntryType::XGlobalHeader => drop(self.extension(size).await?),
                EntryType::XHeader => extended.add(&self.extension(size).await?)?,
                _ if kind.as_byte() == b'V' => self.follow(size),
                _ => return self.entry(header, extended).map(Some),
            }
            while self.left > 0 {
                self.content(&mut [0; 4096]).await?;
            }
        }
    }

    fn check(&self, header: &Header) -> Result<()> {
        let said = header.cksum().map_err(|error| self.damaged(error))?;
        let bytes = header.as_bytes().iter().enumerate();
        let bytes = bytes.map(|(at, byte)| if (148..156).contains(&at) { b' ' } else { *byte });
        let sum: u32 = bytes.clone().map(u32::from).sum();
        // Some old programs took the bytes for signed ones.
        let signed: i32 = bytes.map(|byte| i32::from(byte as i8)).sum();
        if said == sum || i64::from(said) == i64::from(signed) {
            return Ok(());
        }
        Err(self.damaged("its checksum is wrong"))
    }

    fn follow(&mut self, size: u64) {
        self.left = size;
        self.padding = (BLOCK - (size % BLOCK as u64) as usize) % BLOCK;
    }

    /// Reads some of the content of the entry that came last; none at its end.
    pub async fn content(&mut self, buf: &mut [u8]) -> Result<usize> {
        let len = usize::try_from(self.left).map_or(buf.len(), |left| left.min(buf.len()));
        self.exactly(&mut buf[..len]).await?;
        self.left -= len as u64;
        if self.left == 0 && self.padding > 0 {
            let padding = std::mem::take(&mut self.padding);
            self.exactly(&mut [0; BLOCK][..padding]).await?;
        }
        Ok(len)
    }

    async fn extension(&mut self, size: u64) -> Result<Vec<u8>> {
        if size > MAX_EXTENDED {
            return Err(self.damaged(format_args!("{size} bytes of headers for one entry")));
        }
        self.follow(size);
        let mut data = vec![0; size as usize];
        let mut done = 0;
        while done < data.len() {
            done += self.content(&mut data[done..]).await?;
        }
        Ok(data)
    }

    async fn long_name(&mut self, size: u64) -> Result<Vec<u8>> {
        let mut name = self.extension(size).await?;
        let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
        name.truncate(end);
        Ok(name)
    }

    /// Reads on behind the end mark, so that what a compression says at its end is checked.
    async fn end(&mut self) -> Result<()> {
        let mut buf = vec![0; 64 << 10];
        let mut behind = 0;
        loop {
            match self.from.fill(&mut buf).await? {
                0 => return Ok(()),
                read => behind += read,
            }
            if behind > MAX_PADDING {
                return Err(Error::new(Errno::EIO, "the archive goes on behind its end"));
            }
        }
    }

    fn entry(&mut self, header: &Header, extended: Extended) -> Result<Entry> {
        let path = extended.path.unwrap_or_else(|| header.path_bytes().into_owned());
        let context = |error: Error| error.context(shown(&path));
        let link = || {
            let link = extended.link.clone();
            link.unwrap_or_else(|| header.link_name_bytes().unwrap_or_default().into_owned())
        };
        let number = |said: Option<u64>, field: std::io::Result<u64>| {
            let field = field.map_err(|error| self.damaged(error));
            said.map_or(field, Ok)
        };
        let id = |said, field| {
            let id = number(said, field)?;
            let refused = || Error::new(Errno::EINVAL, format!("there is no user or group {id}"));
            u32::try_from(id).map_err(|_| context(refused()))
        };
        let size = number(extended.size, header.entry_size())?;
        let refuse = |what: &str| Err(context(Error::new(Errno::EPERM, what.to_owned())));
        let what = match header.entry_type() {
            // Before ustar, directories were files whose names end in a slash.
            EntryType::Regular | EntryType::Continuous if path.ends_with(b"/") => What::Dir,
            EntryType::Regular | EntryType::Continuous => What::File(size),
            EntryType::Directory => What::Dir,
            EntryType::Fifo => What::Fifo,
            EntryType::Symlink => What::Symlink(link()),
            EntryType::Link => What::Link(link()),
            EntryType::Char | EntryType::Block => return refuse("device nodes are not taken"),
            EntryType::GNUSparse => return refuse("sparse entries are not taken"),
            other => {
                let kind = other.as_byte().escape_ascii();
                return refuse(&format!("entries of type '{kind}' are not taken"));
            }
        };
        let entry = Entry {
            what,
            mode: header.mode().map_err(|error| self.damaged(error))? & 0o7777,
            uid: id(extended.uid, header.uid())?,
            gid: id(extended.gid, header.gid())?,
            mtime: match extended.mtime {
                Some(time) => time,
                None => {
                    let secs = header.mtime().map_err(|error| self.damaged(error))?;
                    Time { secs: i64::try_from(secs).unwrap_or(i64::MAX), nanos: 0 }
                }
            },
            user: header.username_bytes().unwrap_or_default().to_vec(),
            group: header.groupname_bytes().unwrap_or_default().to_vec(),
            xattrs: extended.xattrs,
            path: path.clone(),
        };
        if let What::File(size) = entry.what {
            self.follow(size);
        }
        Ok(entry)
    }
}

impl Extended {
    fn add(&mut self, data: &[u8]) -> Result<()> {
        let bad = |keyword: &[u8]| {
            let what = format!("a pax header is damaged: {}", shown(keyword));
            Error::new(Errno::EIO, what)
        };
        for (keyword, value) in records(data)? {
            let as_number = || number(value).map(Some).ok_or_else(|| bad(keyword));
            match keyword {
                b"path" => self.path = Some(value.to_vec()),
                b"linkpath" => self.link = Some(value.to_vec()),
                b"size" => self.size = as_number()?,
                b"uid" => self.uid = as_number()?,
                b"gid" => self.gid = as_number()?,
                b"mtime" => self.mtime = Some(time(value).ok_or_else(|| bad(keyword))?),
                _ if keyword.starts_with(b"GNU.sparse.") => {
                    return Err(Error::new(Errno::EPERM, "sparse entries are not taken"));
                }
                _ => {
                    if let Some(name) = keyword.strip_prefix(XATTR) {
                        self.xattrs.push((name.to_vec(), value.to_vec()));
                    }
                }
            }
        }
        Ok(())
    }
}
