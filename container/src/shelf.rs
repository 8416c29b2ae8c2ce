//! Snapshots that last: files below a directory of a host root, `.taskfs/snapshots/<uid>/<name>.tar.zst`.
//!
//! One is written to a temporary name, brought to the disk, and then renamed: after a crash there is the old one, or the new
//! one, and never half of one. The directory may lie where guests write: it is opened below the root without following any
//! link, and belongs to the server's user alone.

use crate::Files;
use crate::archive::keeper;
use async_compression::tokio::write::ZstdEncoder;
use rustix::fs::{AtFlags, CWD, Mode, OFlags, ResolveFlags};
use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::io::AsyncWriteExt;
use vfs::archive::{Bounds, Packer, pack_into, unpack};
use vfs::{Caller, Error, Result, Uid};

const PARTS: [&str; 2] = [".taskfs", "snapshots"];
const SUFFIX: &str = ".tar.zst";
/// A name that was not given its own yet. No snapshot's name begins with a dot.
const TEMPORARY: &str = ".new-";

pub(crate) struct Shelf {
    root: OwnedFd,
    shown: PathBuf,
    next: AtomicU64,
}

fn open_dir(at: &OwnedFd, name: &str) -> io::Result<OwnedFd> {
    let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    Ok(rustix::fs::openat2(at, name, flags, Mode::empty(), resolve)?)
}

fn make_dir(at: &OwnedFd, name: &str) -> io::Result<OwnedFd> {
    match rustix::fs::mkdirat(at, name, Mode::RWXU) {
        Ok(()) | Err(rustix::io::Errno::EXIST) => open_dir(at, name),
        Err(error) => Err(error.into()),
    }
}

/// The names in a directory.
fn names(dir: &OwnedFd) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in rustix::fs::Dir::read_from(dir)? {
        names.extend(entry?.file_name().to_str().map(str::to_owned));
    }
    Ok(names)
}

impl Shelf {
    /// The shelf of the host directory `root`; what a server that was killed left unfinished is thrown away.
    pub fn open(root: &Path) -> io::Result<Shelf> {
        let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
        let shelf = Shelf {
            root: rustix::fs::openat(CWD, root, flags, Mode::empty())?,
            shown: PARTS.iter().fold(root.to_owned(), |path, part| path.join(part)),
            next: AtomicU64::new(0),
        };
        shelf.sweep()?;
        Ok(shelf)
    }

    fn named(&self, error: io::Error) -> Error {
        Error::from(error).context(self.shown.display())
    }

    /// The directory of all snapshots, where there is one.
    fn top(&self) -> io::Result<Option<OwnedFd>> {
        let found = PARTS.iter().try_fold(self.root.try_clone()?, |dir, part| open_dir(&dir, part));
        match found {
            Ok(dir) => Ok(Some(dir)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn users(&self) -> io::Result<Vec<(Uid, OwnedFd)>> {
        let Some(top) = self.top()? else { return Ok(Vec::new()) };
        let uids = names(&top)?.into_iter().filter_map(|name| name.parse().ok().map(Uid));
        uids.map(|uid: Uid| Ok((uid, open_dir(&top, &uid.0.to_string())?))).collect()
    }

    fn sweep(&self) -> io::Result<()> {
        for (_, dir) in self.users()? {
            for name in names(&dir)?.iter().filter(|name| name.starts_with(TEMPORARY)) {
                rustix::fs::unlinkat(&dir, name.as_str(), AtFlags::empty())?;
            }
        }
        Ok(())
    }

    /// Writes `files` as `name`. Done is on the disk.
    pub async fn write(&self, owner: Uid, name: &str, files: &Files) -> Result<()> {
        let dir = || {
            let top = PARTS.iter().try_fold(self.root.try_clone()?, |dir, part| make_dir(&dir, part))?;
            make_dir(&top, &owner.0.to_string())
        };
        let dir = dir().map_err(|error| self.named(error))?;
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let temporary = Temporary { dir, name: format!("{TEMPORARY}{}-{number}", std::process::id()) };
        temporary.fill(files).await.map_err(|error| error.context(self.shown.display()))?;
        temporary.rename(&format!("{name}{SUFFIX}")).await.map_err(|error| self.named(error))
    }

    /// The files that were written as `name`; none where there are none.
    pub async fn read(&self, owner: Uid, name: &str, who: &Caller) -> Result<Option<Files>> {
        let open = || -> io::Result<std::fs::File> {
            let top = self.top()?.ok_or(io::ErrorKind::NotFound)?;
            let dir = open_dir(&top, &owner.0.to_string())?;
            let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
            Ok(rustix::fs::openat(&dir, format!("{name}{SUFFIX}"), flags, Mode::empty())?.into())
        };
        let file = match open() {
            Ok(file) => tokio::fs::File::from_std(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.named(error)),
        };
        let files = Files::new(Vec::new(), who)?;
        // It was a container's once: it is as large as that was.
        let bounds = Bounds { bytes: u64::MAX, inodes: u64::MAX - 1, ratio: u64::MAX, absolute_links: true };
        unpack(&keeper(), file, &files.bare("snapshot").root(), bounds)
            .await
            .map_err(|error| error.context(self.shown.join(format!("{}/{name}", owner.0)).display()))?;
        Ok(Some(files))
    }

    pub fn remove(&self, owner: Uid, name: &str) -> Result<bool> {
        let remove = || -> io::Result<()> {
            let top = self.top()?.ok_or(io::ErrorKind::NotFound)?;
            let dir = open_dir(&top, &owner.0.to_string())?;
            rustix::fs::unlinkat(&dir, format!("{name}{SUFFIX}"), AtFlags::empty())?;
            Ok(rustix::fs::fsync(&dir)?)
        };
        match remove() {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(self.named(error)),
        }
    }

    /// Those that are there: whose, the name, and the bytes of the file.
    pub fn list(&self) -> Result<BTreeMap<(Uid, String), u64>> {
        let list = || -> io::Result<BTreeMap<(Uid, String), u64>> {
            let mut found = BTreeMap::new();
            for (uid, dir) in self.users()? {
                for file in names(&dir)? {
                    let Some(name) = file.strip_suffix(SUFFIX) else { continue };
                    let stat = rustix::fs::statat(&dir, &file, AtFlags::SYMLINK_NOFOLLOW)?;
                    found.insert((uid, name.to_owned()), stat.st_size as u64);
                }
            }
            Ok(found)
        };
        list().map_err(|error| self.named(error))
    }
}

/// A file that is not done; gone when this is dropped before it has its name.
struct Temporary {
    dir: OwnedFd,
    name: String,
}

impl Temporary {
    async fn fill(&self, files: &Files) -> Result<()> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let file = rustix::fs::openat(&self.dir, self.name.as_str(), flags, Mode::RUSR | Mode::WUSR)
            .map_err(io::Error::from)?;
        let mut encoder = ZstdEncoder::new(tokio::fs::File::from_std(file.into()));
        // What brings files back takes no device from any archive: whoever may write to the shelf could have put it there.
        let keeper = keeper();
        pack_into(Packer::new(&keeper, &mut encoder).without_devices(), &files.bare("snapshot").root())
            .await?;
        encoder.shutdown().await?;
        encoder.get_ref().sync_all().await?;
        Ok(())
    }

    async fn rename(self, name: &str) -> io::Result<()> {
        rustix::fs::renameat(&self.dir, self.name.as_str(), &self.dir, name)?;
        let dir = self.dir.try_clone()?;
        // The name is gone with the rename: nothing is left to remove.
        tokio::task::spawn_blocking(move || rustix::fs::fsync(&dir)).await??;
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // It was renamed, most likely.
        let _ = rustix::fs::unlinkat(&self.dir, self.name.as_str(), AtFlags::empty());
    }
}
