//! Names made, moved and removed.

use super::Tree;
use super::walk::{Ending, Follow, Keep, Step, Walks, errno, path_of};
use crate::link::{Batch, Handle, TASK, unexpected};
use nine::wire::{DirEntryKind, Fid, Gid, Mode, Name, NamesBuf, QidKind, Rmessage, Tmessage, UnlinkFlags};
use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// How many requests of one kind go out together.
const TOGETHER: usize = 256;

/// Whether a path has no name that anything could be made or removed by; it leads to a directory, then.
fn is_nameless(error: &io::Error, path: &Path) -> bool {
    let has_name = matches!(Ending::of(path), Ending::Name | Ending::Slash);
    !has_name && error.raw_os_error() == Some(libc::EBUSY)
}

/// What was to be made is there, where it has no name.
fn exists(error: io::Error, path: &Path) -> io::Error {
    if is_nameless(&error, path) { errno(libc::EEXIST) } else { error }
}

impl Tree {
    pub async fn mkdir(&self, path: &Path, mode: u32) -> io::Result<()> {
        let mode = self.masked(mode & 0o1777);
        let made = self
            .beside(path, Keep::No, &|batch, dfid, name| {
                batch.push(&Tmessage::Mkdir { dfid, name: Name(name), mode, gid: Gid::NONE });
            })
            .await;
        made.map_err(|e| exists(e, path))?.0.replies[0].done()
    }

    /// With every directory above it that is missing; one that is there is fine. Gives the first that was made.
    pub async fn mkdir_all(&self, path: &Path, mode: u32) -> io::Result<Option<PathBuf>> {
        // The directory of a path that is one name: where we are.
        if path.as_os_str().is_empty() {
            return Ok(None);
        }
        let names = self.names(path).await?;
        if let Some(made) = self.mkdir_each(&names, mode).await? {
            return Ok(made.map(|at| path_of(&names[..=at])));
        }
        self.mkdir_upwards(path, mode).await
    }

    /// Makes each of the directories below the last in one round trip, where none of them is a link (None). The fid of one that
    /// is not there stays none, and so nothing is made in another's place.
    async fn mkdir_each(&self, names: &[Vec<u8>], mode: u32) -> io::Result<Option<Option<usize>>> {
        let link = self.link();
        let fids: Vec<Fid> = names.iter().map(|_| link.fids.take()).collect();
        let mut batch = link.batch();
        let mut dfid = TASK;
        for (name, fid) in names.iter().zip(&fids) {
            let walked = NamesBuf::new([name]).map_err(|_| errno(libc::ENAMETOOLONG))?;
            batch.push(&Tmessage::Mkdir {
                dfid,
                name: Name(name),
                mode: self.masked(mode & 0o1777),
                gid: Gid::NONE,
            });
            batch.push(&Tmessage::Walk { fid: dfid, newfid: *fid, names: walked.as_names() });
            dfid = *fid;
        }
        fids.iter().for_each(|fid| batch.push(&Tmessage::Clunk { fid: *fid }));
        self.changed();
        let replies = batch.send()?.await;
        fids.into_iter().for_each(|fid| link.fids.give_back(fid));
        let mut first = None;
        for (at, pair) in replies[..2 * names.len()].chunks(2).enumerate() {
            let made = pair[0].done();
            let kind = match pair[1].reply() {
                Ok(Rmessage::Walk { qids }) => qids.as_slice().first().map(|qid| qid.kind),
                _ => None,
            };
            match (made, kind) {
                (Ok(()), _) => {
                    first.get_or_insert(at);
                }
                (Err(_), Some(kind)) if kind.contains(QidKind::DIR) => {}
                (Err(_), Some(kind)) if kind.contains(QidKind::SYMLINK) => return Ok(None),
                (Err(e), Some(_)) if at + 1 == names.len() => return Err(e),
                (Err(_), Some(_)) => return Err(errno(libc::ENOTDIR)),
                (Err(e), None) => return Err(e),
            }
        }
        Ok(Some(first))
    }

    async fn mkdir_upwards(&self, path: &Path, mode: u32) -> io::Result<Option<PathBuf>> {
        let mut missing: Vec<&Path> = Vec::new();
        let mut at = path;
        let mut first = None;
        loop {
            match self.mkdir(at, mode).await {
                Ok(()) => {
                    first.get_or_insert(at);
                }
                Err(e) if e.raw_os_error() == Some(libc::ENOENT) => {
                    missing.push(at);
                    match at.parent().filter(|above| !above.as_os_str().is_empty()) {
                        Some(above) => at = above,
                        None => return Err(e),
                    }
                    continue;
                }
                Err(e) => {
                    if !self.stat(at, Follow::Yes).await.is_ok_and(|meta| meta.is_dir()) {
                        return Err(e);
                    }
                }
            }
            match missing.pop() {
                Some(below) => at = below,
                None => return Ok(first.map(|made| self.cwd().join(made))),
            }
        }
    }

    async fn unlink_at(&self, path: &Path, flags: UnlinkFlags) -> io::Result<()> {
        let (reached, _) = self
            .beside(path, Keep::No, &|batch, dirfid, name| {
                batch.push(&Tmessage::Unlinkat { dirfid, name: Name(name), flags });
            })
            .await?;
        reached.replies[0].done()
    }

    pub async fn unlink(&self, path: &Path) -> io::Result<()> {
        if Ending::of(path) == Ending::Slash {
            let is_dir = self.stat_named(path).await?.is_dir();
            return Err(errno(if is_dir { libc::EISDIR } else { libc::ENOTDIR }));
        }
        match self.unlink_at(path, UnlinkFlags::empty()).await {
            Err(e) if is_nameless(&e, path) => Err(errno(libc::EISDIR)),
            done => done,
        }
    }

    pub async fn rmdir(&self, path: &Path) -> io::Result<()> {
        match (self.unlink_at(path, UnlinkFlags::REMOVEDIR).await, Ending::of(path)) {
            (Err(e), Ending::Dot) if is_nameless(&e, path) => Err(errno(libc::EINVAL)),
            (Err(e), Ending::Above) if is_nameless(&e, path) => Err(errno(libc::ENOTEMPTY)),
            (done, _) => done,
        }
    }

    /// What has the path's last name, also where slashes follow it.
    async fn stat_named(&self, path: &Path) -> io::Result<super::Meta> {
        let path = path.as_os_str().as_bytes();
        let end = path.iter().rposition(|b| *b != b'/').map_or(0, |last| last + 1);
        self.stat(Path::new(std::ffi::OsStr::from_bytes(&path[..end])), Follow::No).await
    }

    /// That nothing but a directory is made by a name with a slash behind it.
    async fn must_be_no_dir(&self, path: &Path) -> io::Result<()> {
        if Ending::of(path) == Ending::Slash {
            self.stat_named(path).await?;
            return Err(errno(libc::EEXIST));
        }
        Ok(())
    }

    /// A file, a link or an empty directory; with `all`, a directory and what is in it.
    pub async fn remove(&self, path: &Path, all: bool) -> io::Result<()> {
        match self.unlink(path).await {
            Err(e) if matches!(e.raw_os_error(), Some(libc::EISDIR | libc::EPERM)) => {}
            done => return done,
        }
        match self.rmdir(path).await {
            Err(e) if all && matches!(e.raw_os_error(), Some(libc::ENOTEMPTY | libc::EEXIST)) => {}
            done => return done,
        }
        self.remove_dir(path).await
    }

    /// Removes a directory and everything in it: its own names in one round trip, if there are not too many.
    async fn remove_dir(&self, path: &Path) -> io::Result<()> {
        let entries = self.list(path).await?;
        let (dirs, files): (Vec<_>, Vec<_>) =
            entries.into_iter().partition(|entry| entry.kind == DirEntryKind::DIRECTORY);
        for dir in dirs {
            match Box::pin(self.remove_dir(&path.join(dir.name))).await {
                Err(e) if e.raw_os_error() != Some(libc::ENOENT) => return Err(e),
                _ => {}
            }
        }
        for names in files.chunks(TOGETHER) {
            let reached = self
                .at(path, Follow::Yes, Keep::No, &|batch, dirfid| {
                    for entry in names {
                        let (name, flags) = (Name(entry.name.as_bytes()), UnlinkFlags::empty());
                        batch.push(&Tmessage::Unlinkat { dirfid, name, flags });
                    }
                })
                .await?;
            for answer in &reached.replies[..names.len()] {
                match answer.done() {
                    // Somebody else was quicker.
                    Err(e) if e.raw_os_error() != Some(libc::ENOENT) => return Err(e),
                    _ => {}
                }
            }
        }
        self.rmdir(path).await
    }

    /// The directory of `path`, and the name in it.
    async fn parent(&self, path: &Path) -> io::Result<(Handle, Vec<u8>)> {
        let (reached, name) = self.beside(path, Keep::Yes, &|_, _, _| {}).await?;
        Ok((reached.handle(), name))
    }

    pub async fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let endings = [Ending::of(from), Ending::of(to)];
        if endings.contains(&Ending::Slash) && !self.stat_named(from).await?.is_dir() {
            return Err(errno(libc::ENOTDIR));
        }
        let are_names = endings.iter().all(|ending| matches!(ending, Ending::Name | Ending::Slash));
        if are_names && self.rename_at_once(from, to).await? {
            return Ok(());
        }
        let (old, oldname) = self.parent(from).await?;
        let (new, newname) = self.parent(to).await?;
        let request = Tmessage::Renameat {
            olddirfid: old.fid(),
            oldname: Name(&oldname),
            newdirfid: new.fid(),
            newname: Name(&newname),
        };
        self.link().ask(&request).await?.done()
    }

    /// The same in one round trip. Where it fails, nothing was renamed: a link may be in the way, or the reason is to be found.
    async fn rename_at_once(&self, from: &Path, to: &Path) -> io::Result<bool> {
        let (mut old, mut new) = (self.names(from).await?, self.names(to).await?);
        let (Some(oldname), Some(newname)) = (old.pop(), new.pop()) else { return Ok(false) };
        let link = self.link();
        let (olddirfid, newdirfid) = (link.fids.take(), link.fids.take());
        let mut batch = link.batch();
        let step = Step::Together;
        let walks = [
            Walks::push(&mut batch, step, olddirfid, &old)?,
            Walks::push(&mut batch, step, newdirfid, &new)?,
        ];
        let renamed = walks.iter().map(Walks::count).sum::<usize>();
        let (oldname, newname) = (Name(&oldname), Name(&newname));
        batch.push(&Tmessage::Renameat { olddirfid, oldname, newdirfid, newname });
        for fid in [olddirfid, newdirfid] {
            batch.push(&Tmessage::Clunk { fid });
        }
        walks.iter().for_each(|walks| walks.push_clunks(&mut batch));
        self.changed();
        let replies = batch.send()?.await;
        walks.into_iter().for_each(|walks| walks.over(link));
        for fid in [olddirfid, newdirfid] {
            link.fids.give_back(fid);
        }
        Ok(replies[renamed].done().is_ok())
    }

    pub async fn link_file(&self, from: &Path, to: &Path) -> io::Result<()> {
        let file = self.at(from, Follow::No, Keep::Yes, &|_, _| {}).await?.handle();
        let fid = file.fid();
        self.must_be_no_dir(to).await?;
        let made = self
            .beside(to, Keep::No, &|batch: &mut Batch, dfid: Fid, name: &[u8]| {
                batch.push(&Tmessage::Link { dfid, fid, name: Name(name) });
            })
            .await;
        made.map_err(|e| exists(e, to))?.0.replies[0].done()
    }

    pub async fn symlink(&self, target: &Path, path: &Path) -> io::Result<()> {
        let target = target.as_os_str().as_bytes();
        self.must_be_no_dir(path).await?;
        let made = self
            .beside(path, Keep::No, &|batch, dfid, name| {
                let (name, target, gid) = (Name(name), Name(target), Gid::NONE);
                batch.push(&Tmessage::Symlink { dfid, name, target, gid });
            })
            .await;
        made.map_err(|e| exists(e, path))?.0.replies[0].done()
    }

    pub async fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        let reached = self
            .at_by(Step::Along, path, Follow::No, Keep::No, &|batch, fid| {
                batch.push(&Tmessage::Readlink { fid })
            })
            .await?;
        if !reached.kind.contains(nine::wire::QidKind::SYMLINK) {
            return Err(errno(libc::EINVAL));
        }
        match reached.reply()? {
            Rmessage::Readlink { target } => Ok(OsString::from_vec(target.0.to_vec()).into()),
            other => Err(unexpected(&other)),
        }
    }

    /// The path without links, `.` and `..`. The walk says it: a name that is no link stands for itself.
    pub async fn real_path(&self, path: &Path) -> io::Result<PathBuf> {
        Ok(self.at_by(Step::Along, path, Follow::Yes, Keep::No, &|_, _| {}).await?.path())
    }

    pub async fn chdir(&self, path: &Path) -> io::Result<()> {
        let reached = self.at_by(Step::Along, path, Follow::Yes, Keep::No, &|_, _| {}).await?;
        if !reached.kind.contains(nine::wire::QidKind::DIR) {
            return Err(errno(libc::ENOTDIR));
        }
        self.set_cwd(reached.path());
        Ok(())
    }

    /// A tree with everything in it; links stay links.
    pub async fn copy_all(&self, from: &Path, to: &Path) -> io::Result<()> {
        let meta = self.stat(from, Follow::No).await?;
        match meta.kind() {
            Mode::DIRECTORY => {
                self.mkdir_all(to, meta.0.mode.permissions()).await?;
                for entry in self.list(from).await? {
                    Box::pin(self.copy_all(&from.join(&entry.name), &to.join(&entry.name))).await?;
                }
                Ok(())
            }
            Mode::SYMLINK => self.symlink(&self.read_link(from).await?, to).await,
            _ => self.copy_file(from, to).await,
        }
    }

    pub async fn truncate(&self, path: &Path, len: u64) -> io::Result<()> {
        self.set(path, Follow::Yes, super::attr::Change::size(len)).await
    }
}
