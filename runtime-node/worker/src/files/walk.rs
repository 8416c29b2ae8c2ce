//! From a path to a fid, and what is asked of it, in one round trip where no symbolic link is in the way.

use super::Tree;
use crate::link::{Batch, Frame, Handle, Link, TASK, unexpected};
use nine::wire::{Fid, MAX_NAMES, NamesBuf, Qid, QidKind, Rmessage, Tmessage};
use std::cell::Cell;
use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// How many links one path may lead through: Linux's MAXSYMLINKS.
struct Links(Cell<usize>);

impl Links {
    fn most() -> Links {
        Links(Cell::new(40))
    }

    fn follow_one(&self) -> io::Result<()> {
        let left = self.0.get().checked_sub(1).ok_or_else(|| errno(libc::ELOOP))?;
        self.0.set(left);
        Ok(())
    }
}

/// What a symbolic link at a path's end stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Follow {
    /// What it says.
    Yes,
    /// Itself.
    No,
}

/// Whether the fid is of use after the batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Keep {
    Yes,
    No,
}

/// How the last name is walked to, which decides what the messages behind the walk meet where it is not there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Step {
    /// By a walk of its own from the directory's fid to another: they meet no file, and the walk says why.
    Apart,
    /// By a walk of its own that takes the directory's fid along: they meet the directory, and the walk says why. Two
    /// messages fewer, for those that look at nothing but a fid's attributes.
    Along,
    /// With all other names: they meet no file, and a second round trip finds out why. For names that are there mostly.
    Together,
}

/// Where a path led.
pub(super) struct Reached {
    /// What answered the requests after the walk.
    pub replies: Vec<Frame>,
    /// The file, with [`Keep::Yes`].
    pub handle: Option<Handle>,
    /// Names from the root, none of them a link but perhaps the last.
    pub names: Vec<Vec<u8>>,
    pub kind: QidKind,
}

impl Reached {
    pub fn path(&self) -> PathBuf {
        path_of(&self.names)
    }

    /// The answer to the only request after the walk.
    pub fn reply(&self) -> io::Result<Rmessage<'_>> {
        self.replies.first().ok_or(io::ErrorKind::UnexpectedEof)?.reply()
    }

    fn a_dir(self) -> io::Result<Reached> {
        if self.kind.contains(QidKind::DIR) { Ok(self) } else { Err(errno(libc::ENOTDIR)) }
    }

    pub fn handle(self) -> Handle {
        self.handle.expect("kept as the caller asked")
    }
}

pub(super) fn path_of(names: &[Vec<u8>]) -> PathBuf {
    let mut path = Vec::new();
    for name in names {
        path.push(b'/');
        path.extend_from_slice(name);
    }
    if path.is_empty() {
        path.push(b'/');
    }
    OsString::from_vec(path).into()
}

/// What a path ends in, where that says more than its last name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Ending {
    /// A name that may be of anything.
    Name,
    /// A name and a `/`: a directory.
    Slash,
    /// `.`: a directory, which cannot be made or removed by this name.
    Dot,
    /// `..`, likewise.
    Above,
    /// Nothing but slashes.
    Root,
}

impl Ending {
    pub fn of(path: &Path) -> Ending {
        let path = path.as_os_str().as_bytes();
        let end = path.iter().rposition(|b| *b != b'/').map_or(0, |last| last + 1);
        match path[..end].rsplit(|b| *b == b'/').next() {
            Some(b".") => Ending::Dot,
            Some(b"..") => Ending::Above,
            Some(b"") | None if !path.is_empty() => Ending::Root,
            _ if end < path.len() => Ending::Slash,
            _ => Ending::Name,
        }
    }

    /// It is followed, and has to be a directory.
    fn is_of_dir(self) -> bool {
        matches!(self, Ending::Slash | Ending::Dot)
    }
}

pub(super) fn errno(number: i32) -> io::Error {
    io::Error::from_raw_os_error(number)
}

impl Tree {
    /// Walks to `path` and sends what `then` adds along.
    pub(super) async fn at(
        &self,
        path: &Path,
        follow: Follow,
        keep: Keep,
        then: &dyn Fn(&mut Batch, Fid),
    ) -> io::Result<Reached> {
        self.at_by(Step::Apart, path, follow, keep, then).await
    }

    /// The same, where the last name is walked to otherwise.
    pub(super) async fn at_by(
        &self,
        step: Step,
        path: &Path,
        follow: Follow,
        keep: Keep,
        then: &dyn Fn(&mut Batch, Fid),
    ) -> io::Result<Reached> {
        let links = Links::most();
        let is_of_dir = Ending::of(path).is_of_dir();
        let names = self.names_within(&links, path).await?;
        let follow = if is_of_dir { Follow::Yes } else { follow };
        let reached = self.reach(&links, step, names, follow, keep, then).await?;
        if is_of_dir { reached.a_dir() } else { Ok(reached) }
    }

    /// That a path that has to lead to a directory does. [`Tree::at`] says so too, but after the file was changed.
    pub(super) async fn must_lead_there(&self, path: &Path) -> io::Result<()> {
        if Ending::of(path).is_of_dir() {
            self.at_by(Step::Along, path, Follow::Yes, Keep::No, &|_, _| {}).await?;
        }
        Ok(())
    }

    /// Walks to the directory of `path` and sends what `then` adds with the last name, which it is to change. EBUSY where the
    /// path leads to a directory but does not end in a name of its: nothing is made or removed in its place.
    pub(super) async fn beside(
        &self,
        path: &Path,
        keep: Keep,
        then: &dyn Fn(&mut Batch, Fid, &[u8]),
    ) -> io::Result<(Reached, Vec<u8>)> {
        self.changed();
        if !matches!(Ending::of(path), Ending::Name | Ending::Slash) {
            self.at_by(Step::Along, path, Follow::Yes, Keep::No, &|_, _| {}).await?;
            return Err(errno(libc::EBUSY));
        }
        let links = Links::most();
        let mut names = self.names_within(&links, path).await?;
        let name = names.pop().ok_or_else(|| errno(libc::EBUSY))?;
        let reached = self
            .reach(&links, Step::Together, names, Follow::Yes, keep, &|batch: &mut Batch, dir: Fid| {
                then(batch, dir, &name);
            })
            .await?;
        Ok((reached, name))
    }

    /// The names of a path from the root on. `..` leaves the directory that the names before it lead to, links followed.
    pub(super) async fn names(&self, path: &Path) -> io::Result<Vec<Vec<u8>>> {
        self.names_within(&Links::most(), path).await
    }

    async fn names_within(&self, links: &Links, path: &Path) -> io::Result<Vec<Vec<u8>>> {
        let bytes = path.as_os_str().as_bytes();
        if bytes.is_empty() {
            return Err(errno(libc::ENOENT));
        }
        if bytes.contains(&0) {
            return Err(errno(libc::EINVAL));
        }
        let mut names: Vec<Vec<u8>> = Vec::new();
        if bytes[0] != b'/' {
            let cwd = self.cwd();
            names.extend(parts(cwd.as_os_str().as_bytes()).map(<[u8]>::to_vec));
        }
        for part in parts(bytes) {
            if part != b".." {
                names.push(part.to_vec());
            } else if !names.is_empty() {
                names = Box::pin(self.dir(links, names)).await?;
                names.pop();
            }
        }
        Ok(names)
    }

    /// Where the directory is that the names lead to.
    async fn dir(&self, links: &Links, names: Vec<Vec<u8>>) -> io::Result<Vec<Vec<u8>>> {
        let reached = self.reach(links, Step::Along, names, Follow::Yes, Keep::No, &|_, _| {}).await?;
        Ok(reached.a_dir()?.names)
    }

    async fn reach(
        &self,
        links: &Links,
        step: Step,
        mut names: Vec<Vec<u8>>,
        follow: Follow,
        keep: Keep,
        then: &dyn Fn(&mut Batch, Fid),
    ) -> io::Result<Reached> {
        loop {
            let link = self.link();
            let fid = link.fids.take();
            let mut batch = link.batch();
            let walks = Walks::push(&mut batch, step, fid, &names)?;
            then(&mut batch, fid);
            let asked = batch.len() - walks.count();
            if keep == Keep::No {
                batch.push(&Tmessage::Clunk { fid });
            }
            walks.push_clunks(&mut batch);
            // From here on the fid may be a file, and is clunked by whoever drops the handle.
            let handle = Handle::new(link.clone(), fid);
            let mut replies = batch.send()?.await;
            let mut rest = replies.split_off(walks.count());
            rest.truncate(asked);
            walks.over(link);
            let (qids, fault) = walked(&replies, &names)?;
            let is_file = qids.len() == names.len() && fault.is_none();
            let handle = match keep {
                Keep::Yes if is_file => Some(handle),
                // It may have come to the directory.
                Keep::Yes if step == Step::Along => {
                    handle.clunk_later();
                    None
                }
                _ => {
                    handle.was_clunked();
                    None
                }
            };
            let last = qids.len();
            let is_link = qids.last().is_some_and(|qid| qid.kind.contains(QidKind::SYMLINK));
            if is_link && (last < names.len() || follow == Follow::Yes) {
                drop(handle);
                links.follow_one()?;
                names = self.through_link(links, names, last - 1).await?;
                continue;
            }
            if is_file {
                let kind = qids.last().map_or(QidKind::DIR, |qid| qid.kind);
                return Ok(Reached { replies: rest, handle, names, kind });
            }
            if qids.last().is_some_and(|qid| !qid.is_dir()) {
                return Err(errno(libc::ENOTDIR));
            }
            return Err(match fault {
                Some(fault) => fault,
                None => self.why_not(&names[..=last]).await,
            });
        }
    }

    /// The names where the link `names[at]` is replaced by what it says.
    async fn through_link(&self, links: &Links, names: Vec<Vec<u8>>, at: usize) -> io::Result<Vec<Vec<u8>>> {
        let said = self
            .reach_boxed(names[..=at].to_vec(), &|batch, fid| batch.push(&Tmessage::Readlink { fid }))
            .await?;
        let target = match said.reply()? {
            Rmessage::Readlink { target } => target.0.to_vec(),
            other => return Err(unexpected(&other)),
        };
        if target.is_empty() {
            return Err(errno(libc::ENOENT));
        }
        let mut path = if target[0] == b'/' { PathBuf::new() } else { path_of(&names[..at]) };
        path.push(OsString::from_vec(target));
        let mut resolved = Box::pin(self.names_within(links, &path)).await?;
        if Ending::of(&path).is_of_dir() {
            // Looked at before anything is done with it.
            resolved = Box::pin(self.dir(links, resolved)).await?;
        }
        resolved.extend_from_slice(&names[at + 1..]);
        Ok(resolved)
    }

    async fn reach_boxed(&self, names: Vec<Vec<u8>>, then: &dyn Fn(&mut Batch, Fid)) -> io::Result<Reached> {
        Box::pin(self.reach(&Links::most(), Step::Along, names, Follow::No, Keep::No, then)).await
    }

    /// The error of the last of `names`, which a walk of several did not reach: 9P says only how far it came.
    async fn why_not(&self, names: &[Vec<u8>]) -> io::Error {
        let found = self.reach_boxed(names.to_vec(), &|_, _| {}).await;
        found.err().unwrap_or_else(|| errno(libc::ENOENT))
    }
}

fn parts(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|b| *b == b'/').filter(|part| !matches!(*part, b"" | b"."))
}

/// Twalks from the root to a fid, mostly each to a fid of its own: where one does not come to its end, the fid is none, and
/// nothing that was sent along takes effect in a directory on the way.
pub(super) struct Walks {
    on_the_way: Vec<Fid>,
    count: usize,
}

impl Walks {
    pub fn push(batch: &mut Batch, step: Step, fid: Fid, names: &[Vec<u8>]) -> io::Result<Walks> {
        let alone = usize::from(step != Step::Together && !names.is_empty());
        let (before, last) = names.split_at(names.len() - alone);
        let mut parts: Vec<_> = before.chunks(MAX_NAMES).chain((alone > 0).then_some(last)).collect();
        if parts.is_empty() {
            parts.push(&[]);
        }
        let mut walks = Walks { on_the_way: Vec::new(), count: parts.len() };
        let mut from = TASK;
        for (at, part) in parts.iter().enumerate() {
            let left = parts.len() - 1 - at;
            let newfid = if left == 0 || (left == 1 && step == Step::Along) {
                fid
            } else {
                let newfid = batch.link().fids.take();
                walks.on_the_way.push(newfid);
                newfid
            };
            let names = NamesBuf::new(*part).map_err(|_| errno(libc::ENAMETOOLONG))?;
            batch.push(&Tmessage::Walk { fid: from, newfid, names: names.as_names() });
            from = newfid;
        }
        Ok(walks)
    }

    /// How many messages they are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// To be sent last.
    pub fn push_clunks(&self, batch: &mut Batch) {
        self.on_the_way.iter().for_each(|fid| batch.push(&Tmessage::Clunk { fid: *fid }));
    }

    /// They have been answered.
    pub fn over(self, link: &Link) {
        self.on_the_way.into_iter().for_each(|fid| link.fids.give_back(fid));
    }
}

/// How far the walks came, and why the last name was not found.
fn walked(replies: &[Frame], names: &[Vec<u8>]) -> io::Result<(Vec<Qid>, Option<io::Error>)> {
    let mut qids = Vec::with_capacity(names.len());
    let before = names.len().saturating_sub(1);
    for (i, frame) in replies.iter().enumerate() {
        let wanted = if i + 1 == replies.len() { names.len() } else { before.min((i + 1) * MAX_NAMES) };
        match frame.reply() {
            Ok(Rmessage::Walk { qids: walked }) => qids.extend_from_slice(walked.as_slice()),
            Ok(other) => return Err(unexpected(&other)),
            Err(fault) => return Ok((qids, Some(fault))),
        }
        if qids.len() < wanted {
            break;
        }
    }
    Ok((qids, None))
}
