//! From an archive into a staging overlay, and from there into the place.

use super::header::{Entry, What, check_target, names, shown};
use super::read::Archive;
use super::squeezed::Plain;
use super::{Bounds, Unpacked};
use crate::overlay::graft;
use crate::*;
use std::collections::HashMap;
use tokio::io::AsyncRead;

/// How much is read at a time, and how much without a look at what else there is to do.
const PIECE: usize = 64 << 10;
const TURN: u64 = 4 << 20;
/// Files that are made without such a look.
const FILES: u64 = 64;

/// Makes in `onto`, a directory of an [`Overlay`], what is in the archive that `reader` gives: all of it at once, or nothing.
/// Directories that are there are merged with the archive's and stay what they are; other files give way to files of their
/// name. Owners are the archive's where `who` is the superuser, and else `who`.
///
/// Refused, with the name of the entry: names that lead out (absolute, by `..`, through a symlink), links that do, devices,
/// sparse files, more than the `bounds` say, and whatever is damaged or cut off.
pub async fn unpack(
    who: &Caller,
    reader: impl AsyncRead + Unpin + Send,
    onto: &Place,
    bounds: Bounds,
) -> Result<Unpacked> {
    onto.access(who, Access::WRITE | Access::EXEC).await?;
    let mut archive = Archive::new(Plain::of(reader, &bounds).await?);
    let mut stage = Stage::new(who, onto.path(), bounds)?;
    while let Some(entry) = archive.next().await? {
        let made = stage.make(&entry, &mut archive).await;
        made.map_err(|error| error.context(shown(&entry.path)))?;
    }
    let unpacked = stage.finish().await?;
    graft(who, stage.overlay, onto.node()).await?;
    Ok(unpacked)
}

struct Stage<'w> {
    who: &'w Caller,
    /// Where it will be.
    onto: Vec<u8>,
    bounds: Bounds,
    overlay: Overlay,
    /// The directories, by name: what is in the archive lies mostly beside what came before.
    dirs: HashMap<Vec<u8>, NodeRef>,
    /// Directories' times are set last, since what is made in them changes them.
    times: Vec<(NodeRef, Time)>,
    done: Unpacked,
    /// Bytes since others had a turn.
    busy: u64,
}

/// Who makes things in the stage, where nothing is to be checked.
fn maker() -> Caller {
    Caller { checked: true, ..Caller::new(Uid(0), Gid(0)) }
}

fn joined(names: &[&[u8]]) -> Vec<u8> {
    names.join(&b'/')
}

impl<'w> Stage<'w> {
    fn new(who: &'w Caller, onto: Vec<u8>, bounds: Bounds) -> Result<Stage<'w>> {
        let options = MemOptions {
            max_bytes: bounds.bytes,
            // Its root is none of the archive's.
            max_inodes: bounds.inodes.saturating_add(1),
            mode: Mode::new(0o755),
            uid: who.uid,
            gid: who.gid,
        };
        let overlay = Overlay::new(Vec::new(), options)?;
        let dirs = HashMap::from([(Vec::new(), overlay.root())]);
        let done = Unpacked::default();
        Ok(Stage { who, onto, bounds, overlay, dirs, times: Vec::new(), done, busy: 0 })
    }

    /// What the limits of the stage say is said of the archive.
    fn bounded<T>(&self, result: Result<T>) -> Result<T> {
        result.map_err(|error| match error.errno() {
            Errno::ENOSPC => {
                let Bounds { bytes, inodes, .. } = self.bounds;
                let what = format!("the archive has more than {bytes} bytes or {inodes} files");
                Error::new(Errno::EFBIG, what)
            }
            _ => error,
        })
    }

    /// The directory of these names, made where it is missing.
    async fn dir(&mut self, names: &[&[u8]]) -> Result<NodeRef> {
        let mut known = names.len();
        let mut dir = loop {
            match self.dirs.get(&joined(&names[..known])) {
                Some(dir) => break dir.clone(),
                None => known -= 1,
            }
        };
        for at in known..names.len() {
            let (who, name) = (maker(), Name::new(names[at])?);
            dir = match dir.walk(&who, name).await {
                Ok(node) if node.kind().is_dir() => node,
                Ok(node) => {
                    let kind = if node.kind() == Kind::Symlink { "a symbolic link" } else { "no directory" };
                    let path = joined(&names[..=at]);
                    let what = format!("{} is {kind} in this archive", shown(&path));
                    return Err(Error::new(Errno::ENOTDIR, what));
                }
                Err(_) => {
                    let made = dir.mkdir(&who, name, Mode::new(0o755)).await;
                    let made = self.bounded(made)?;
                    let owner =
                        SetStat { uid: Some(self.who.uid), gid: Some(self.who.gid), ..SetStat::default() };
                    made.setstat(&who, owner).await?;
                    made
                }
            };
            self.dirs.insert(joined(&names[..=at]), dir.clone());
        }
        Ok(dir)
    }

    async fn make(&mut self, entry: &Entry, archive: &mut Archive<'_>) -> Result<()> {
        self.done.entries += 1;
        if self.done.entries.is_multiple_of(FILES) {
            tokio::task::yield_now().await;
        }
        let names = names(&entry.path)?;
        let Some((last, above)) = names.split_last() else {
            // The archive's root is the place itself, and stays what it is.
            return match entry.what {
                What::Dir => Ok(()),
                _ => Err(Error::new(Errno::EISDIR, "the root of an archive is a directory")),
            };
        };
        if let Some(guard) = &self.who.guard {
            let onto = if self.onto == b"/" { &[][..] } else { &self.onto[..] };
            guard.allow(&[onto, b"/", &joined(&names)].concat(), Access::WRITE)?;
        }
        if let What::Dir = entry.what {
            let dir = self.dir(&names).await?;
            self.dress(&dir, entry).await?;
            self.times.push((dir, entry.mtime));
            return Ok(());
        }
        let who = maker();
        let (dir, name) = (self.dir(above).await?, Name::new(last)?);
        match dir.walk(&who, name).await {
            Ok(there) if there.kind().is_dir() => return Errno::EISDIR.into(),
            // A later entry of a name takes the place of an earlier one.
            Ok(_) if !self.is_itself(entry, &names) => dir.unlink(&who, name).await?,
            _ => {}
        }
        let node = match &entry.what {
            What::Dir => unreachable!("done above"),
            What::Link(target) => return self.link(&dir, name, target).await,
            What::File(size) => {
                let flags = OpenFlags::WRITE | OpenFlags::EXCLUSIVE;
                let made = dir.create(&who, name, Mode::new(0o600), flags).await;
                let (node, file) = self.bounded(made)?;
                self.fill(&file, *size, archive).await?;
                node
            }
            What::Symlink(target) => {
                check_target(target, above.len(), self.bounds.absolute_links)?;
                let made = dir.symlink(&who, name, target).await;
                self.bounded(made)?
            }
            What::Fifo => {
                let made = dir.mknod(&who, name, Kind::Fifo, Mode::new(0o600), Device::default()).await;
                self.bounded(made)?
            }
        };
        self.dress(&node, entry).await?;
        let times = SetTime::To(entry.mtime);
        let set = SetStat { atime: Some(times), mtime: Some(times), ..SetStat::default() };
        node.setstat(&who, set).await
    }

    /// A link to itself leaves what is there.
    fn is_itself(&self, entry: &Entry, path: &[&[u8]]) -> bool {
        matches!(&entry.what, What::Link(target) if names(target).is_ok_and(|target| target == path))
    }

    async fn link(&mut self, dir: &NodeRef, name: Name<'_>, target: &[u8]) -> Result<()> {
        let who = maker();
        let context = |error: Error| error.context(format_args!("link to {}", shown(target)));
        let names = names(target).map_err(context)?;
        let mut node = self.overlay.root();
        for part in names {
            if node.kind() == Kind::Symlink {
                return Err(context(Error::new(Errno::EACCES, "it leads through a symbolic link")));
            }
            let part = Name::new(part).map_err(context)?;
            // Only what came before it in the archive: nothing else is there.
            node = node.walk(&who, part).await.map_err(context)?;
        }
        match dir.link(&who, &node, name).await {
            Err(error) if error.is(Errno::EEXIST) => Ok(()),
            done => done.map_err(context),
        }
    }

    async fn fill(&mut self, file: &FileRef, size: u64, archive: &mut Archive<'_>) -> Result<()> {
        let used = self.overlay.usage().0;
        if used.saturating_add(size) > self.bounds.bytes {
            return self.bounded(Errno::ENOSPC.into());
        }
        let mut piece = vec![0; PIECE.min(usize::try_from(size).unwrap_or(PIECE))];
        let mut at = 0;
        while at < size {
            let read = archive.content(&mut piece).await?;
            let wrote = file.write(at, &piece[..read]).await;
            if self.bounded(wrote)? < read {
                return self.bounded(Errno::ENOSPC.into());
            }
            at += read as u64;
            self.busy += read as u64;
            if self.busy > TURN {
                self.busy = 0;
                tokio::task::yield_now().await;
            }
        }
        self.done.bytes += size;
        Ok(())
    }

    /// Owner, mode and attributes, as far as `who` may give them.
    async fn dress(&self, node: &NodeRef, entry: &Entry) -> Result<()> {
        let who = maker();
        let root = self.who.is_root();
        for (name, value) in &entry.xattrs {
            if root || name.starts_with(b"user.") {
                let set = node.setxattr(name, value, SetXattr::empty()).await;
                match self.bounded(set) {
                    // Attributes of systems that this is none of.
                    Err(error) if error.is(Errno::EOPNOTSUPP) || error.is(Errno::EPERM) => {}
                    done => done?,
                }
            }
        }
        let (uid, gid) = if root { (Uid(entry.uid), Gid(entry.gid)) } else { (self.who.uid, self.who.gid) };
        let mode = (node.kind() != Kind::Symlink).then_some(Mode::new(entry.mode));
        let set = SetStat { uid: Some(uid), gid: Some(gid), mode, ..SetStat::default() };
        node.setstat(&who, set).await
    }

    async fn finish(&mut self) -> Result<Unpacked> {
        let who = maker();
        for (dir, mtime) in self.times.drain(..) {
            let time = SetTime::To(mtime);
            let set = SetStat { atime: Some(time), mtime: Some(time), ..SetStat::default() };
            dir.setstat(&who, set).await?;
        }
        self.dirs.clear();
        Ok(self.done)
    }
}
