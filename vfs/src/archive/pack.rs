//! From a place to an archive.

use super::header::{XATTR, record, shown};
use crate::*;
use std::collections::HashMap;
use std::sync::Arc;
use tar::{EntryType, Header};
use tokio::io::{AsyncWrite, AsyncWriteExt};

const BLOCK: u64 = 512;
const PIECE: usize = 256 << 10;
/// Archives end in blocks of zeroes, and are as long as so many blocks (tar's blocking factor).
const RECORD: u64 = 20 * BLOCK;
/// What ustar's fields hold: names and targets, numbers of users, sizes.
const SHORT: usize = 100;
const SMALL_ID: u32 = 0o7_777_777;
const SMALL_SIZE: u64 = 0o77_777_777_777;

/// Writes all that is below the directory `from` to `sink`, as a tar archive that is not compressed: names relative to it,
/// hard links, symlinks, devices and pipes, modes, owners, times and extended attributes. What is made when it is read
/// (synthetic files), and sockets are left out.
///
/// Files that change meanwhile keep the length that they had when their turn came; an archive of one moment is one of an
/// [`Overlay::fork`].
pub async fn pack(who: &Caller, from: &Place, sink: impl AsyncWrite + Unpin + Send) -> Result<()> {
    pack_into(Packer::new(who, sink), from).await
}

/// [`pack`] by a packer that has been told more.
pub async fn pack_into<W: AsyncWrite + Unpin + Send>(mut packer: Packer<'_, W>, from: &Place) -> Result<()> {
    let who = packer.who;
    // What is in a directory comes right behind it: tar sets a directory's times when it leaves it.
    let mut todo = vec![(from.clone(), Vec::new(), names_in(who, from).await?.into_iter())];
    while let Some((dir, above, names)) = todo.last_mut() {
        let Some(name) = names.next() else {
            todo.pop();
            continue;
        };
        let mut path: Vec<u8> = [&above[..], &name].concat();
        let place = match dir.walk(who, &name).await {
            Ok(place) => place,
            // It went meanwhile.
            Err(error) if error.is(Errno::ENOENT) => continue,
            Err(error) => return Err(error.context(shown(&path))),
        };
        packer.add(&place, &path).await.map_err(|error| error.context(shown(&path)))?;
        if place.kind().is_dir() && place.nature() == Nature::Storage {
            let names = names_in(who, &place).await.map_err(|error| error.context(shown(&path)))?;
            path.push(b'/');
            todo.push((place, path, names.into_iter()));
        }
    }
    packer.end().await.map(drop)
}

async fn names_in(who: &Caller, dir: &Place) -> Result<Vec<NameBuf>> {
    let open = dir.open(who, OpenFlags::READ | OpenFlags::DIRECTORY).await?;
    let mut names: Vec<(NameBuf, u64)> = Vec::new();
    loop {
        let (before, last) = (names.len(), names.last().map_or(0, |(_, cookie)| *cookie));
        let mut sink = |entry: DirEntry<'_>| {
            names.push((entry.name.to_owned(), entry.cookie));
            true
        };
        open.readdir(last, &mut sink).await?;
        if names.len() == before {
            let mut names: Vec<NameBuf> = names.into_iter().map(|(name, _)| name).collect();
            names.sort();
            return Ok(names);
        }
    }
}

/// Name and value.
type Xattr = (Box<[u8]>, Arc<[u8]>);

/// An archive that is written file by file, each under the name it is to have. What [`pack`] leaves out it leaves out, too.
pub struct Packer<'w, W> {
    who: &'w Caller,
    sink: W,
    written: u64,
    /// The first names of files that have several.
    linked: HashMap<u64, Vec<u8>>,
    piece: Vec<u8>,
    devices: bool,
}

impl<'w, W: AsyncWrite + Unpin + Send> Packer<'w, W> {
    /// Reads as `who`, writes to `sink`.
    pub fn new(who: &'w Caller, sink: W) -> Packer<'w, W> {
        Packer { who, sink, written: 0, linked: HashMap::new(), piece: vec![0; PIECE], devices: true }
    }

    /// Leaves device files out.
    #[must_use]
    pub fn without_devices(self) -> Packer<'w, W> {
        Packer { devices: false, ..self }
    }

    async fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.sink.write_all(bytes).await?;
        self.written += bytes.len() as u64;
        Ok(())
    }

    async fn pad(&mut self, to: u64) -> Result<()> {
        let zeroes = [0; RECORD as usize];
        let missing = self.written.next_multiple_of(to) - self.written;
        self.put(&zeroes[..missing as usize]).await
    }

    /// Adds what is at `place` as `path`, without a slash behind it; of a directory nothing that is in it.
    pub async fn add(&mut self, place: &Place, path: &[u8]) -> Result<()> {
        let stat = place.stat(self.who).await?;
        let kind = stat.kind();
        if matches!(kind, Kind::CharDevice | Kind::BlockDevice) && !self.devices {
            return Ok(());
        }
        if kind == Kind::Socket || (place.nature() != Nature::Storage && kind != Kind::Fifo) {
            return Ok(());
        }
        if stat.nlink > 1 && !kind.is_dir() {
            if let Some(first) = self.linked.get(&stat.qid.path).cloned() {
                return self.header(EntryType::Link, path, &first, &stat, 0, &[]).await;
            }
            self.linked.insert(stat.qid.path, path.to_vec());
        }
        let xattrs = self.xattrs(place).await?;
        match kind {
            Kind::File => return self.file(place, path, &stat, &xattrs).await,
            Kind::Dir => {
                let path = [path, b"/"].concat();
                self.header(EntryType::Directory, &path, b"", &stat, 0, &xattrs).await
            }
            Kind::Symlink => {
                let target = place.readlink().await?;
                self.header(EntryType::Symlink, path, &target, &stat, 0, &xattrs).await
            }
            Kind::Fifo => self.header(EntryType::Fifo, path, b"", &stat, 0, &xattrs).await,
            Kind::CharDevice => self.header(EntryType::Char, path, b"", &stat, 0, &xattrs).await,
            Kind::BlockDevice => self.header(EntryType::Block, path, b"", &stat, 0, &xattrs).await,
            Kind::Socket => Ok(()),
        }
    }

    async fn xattrs(&self, place: &Place) -> Result<Vec<Xattr>> {
        let mut xattrs = Vec::new();
        for name in place.listxattr(self.who).await.unwrap_or_default() {
            // Lists are not attributes in an archive, and who may not read one leaves it out.
            if !name.starts_with(b"system.")
                && let Ok(value) = place.getxattr(self.who, &name).await
            {
                xattrs.push((name, value));
            }
        }
        Ok(xattrs)
    }

    async fn file(&mut self, place: &Place, path: &[u8], stat: &Stat, xattrs: &[Xattr]) -> Result<()> {
        let file = place.open(self.who, OpenFlags::READ).await?;
        self.header(EntryType::Regular, path, b"", stat, stat.size, xattrs).await?;
        let mut at = 0;
        while at < stat.size {
            let len = (stat.size - at).min(PIECE as u64) as usize;
            let mut piece = std::mem::take(&mut self.piece);
            let read = file.read(at, &mut piece[..len]).await;
            if let Ok(0) = read {
                // It has become shorter: the header has said how long it is.
                piece[..len].fill(0);
            }
            let len = match read? {
                0 => len,
                read => read,
            };
            let put = self.put(&piece[..len]).await;
            self.piece = piece;
            put?;
            at += len as u64;
        }
        self.pad(BLOCK).await
    }

    async fn header(
        &mut self,
        kind: EntryType,
        path: &[u8],
        link: &[u8],
        stat: &Stat,
        size: u64,
        xattrs: &[Xattr],
    ) -> Result<()> {
        let mut extended = Vec::new();
        if path.len() > SHORT {
            record(&mut extended, b"path", path);
        }
        if link.len() > SHORT {
            record(&mut extended, b"linkpath", link);
        }
        if size > SMALL_SIZE {
            record(&mut extended, b"size", size.to_string().as_bytes());
        }
        for (keyword, id) in [(&b"uid"[..], stat.uid.0), (b"gid", stat.gid.0)] {
            if id > SMALL_ID {
                record(&mut extended, keyword, id.to_string().as_bytes());
            }
        }
        // A fraction alone is not worth a header, which is as long as the smallest files.
        if !(0..=SMALL_SIZE as i64).contains(&stat.mtime.secs) {
            record(&mut extended, b"mtime", stat.mtime.secs.to_string().as_bytes());
        }
        for (name, value) in xattrs {
            record(&mut extended, &[XATTR, name].concat(), value);
        }
        if !extended.is_empty() {
            let mut header = Header::new_ustar();
            header.set_entry_type(EntryType::XHeader);
            fill(&mut header, b"././@PaxHeader", b"");
            header.set_mode(0o644);
            header.set_size(extended.len() as u64);
            header.set_mtime(0);
            header.set_uid(0);
            header.set_gid(0);
            header.set_cksum();
            self.put(header.as_bytes()).await?;
            self.put(&extended).await?;
            self.pad(BLOCK).await?;
        }
        let mut header = Header::new_ustar();
        header.set_entry_type(kind);
        fill(&mut header, path, link);
        header.set_mode(stat.mode.bits());
        header.set_uid(u64::from(stat.uid.0.min(SMALL_ID)));
        header.set_gid(u64::from(stat.gid.0.min(SMALL_ID)));
        header.set_size(size.min(SMALL_SIZE));
        header.set_mtime(u64::try_from(stat.mtime.secs).unwrap_or(0).min(SMALL_SIZE));
        if let Some(fields) = header.as_ustar_mut() {
            fields.set_device_major(stat.rdev.major);
            fields.set_device_minor(stat.rdev.minor);
        }
        header.set_cksum();
        self.put(header.as_bytes()).await
    }

    /// Writes the end mark, and gives the sink back.
    pub async fn end(mut self) -> Result<W> {
        self.put(&[0; 2 * BLOCK as usize]).await?;
        self.pad(RECORD).await?;
        self.sink.flush().await?;
        Ok(self.sink)
    }
}

/// The names, as much of them as there is room for: what is longer was said before.
fn fill(header: &mut Header, path: &[u8], link: &[u8]) {
    let fields = header.as_old_mut();
    let (path, link) = (&path[..path.len().min(SHORT)], &link[..link.len().min(SHORT)]);
    fields.name[..path.len()].copy_from_slice(path);
    fields.linkname[..link.len()].copy_from_slice(link);
}
