//! The common case of opening, making and removing by name or path, without a future and with nothing looked up twice: one
//! directory, in which nothing is mounted, and a caller whom the mode bits do not bind or the tree itself does.
//!
//! Each gives None where it is not that, or where there is something to wait for, and has then done nothing; what is asked
//! goes the long way (`files.rs`, `resolve.rs`), which knows every case and every error.

use crate::ns::resolve::MAX_PATH;
use crate::ns::steps::Steps;
use crate::ns::{Recall, View, mix};
use crate::*;

/// A regular file that was opened by its path, of which nothing is kept.
pub struct Opened {
    pub file: FileRef,
    pub aspect: Aspect,
}

impl Opened {
    /// The path of its [`Place::qid`] there.
    pub fn identity(&self) -> u64 {
        self.aspect.identity(self.file.qid())
    }
}

/// How a node is identified where it was found.
#[derive(Clone, Copy)]
pub struct Aspect(View);

impl Aspect {
    /// The path of the qid that clients see there, where the node has that one.
    pub fn identity(self, node: Qid) -> u64 {
        mix(node.path, self.0)
    }
}

impl Place {
    /// The only directory that this place is, in its view, where entries can be used by name.
    fn plain(&self, who: &Caller) -> Option<(&NodeRef, View)> {
        if who.guard.is_some() {
            return None;
        }
        let (node, view) = self.sole()?;
        let free = who.checked || who.is_root() || node.checks(who);
        let plain = free && node.kind().is_dir() && !self.namespace().mounts_in(node.qid().path);
        plain.then_some((node, view))
    }

    /// The regular file that `path` names, opened, as [`Place::resolve`] and [`Place::open`] do it one after the other.
    #[inline]
    pub fn open_at_once(
        &self,
        who: &Caller,
        path: &[u8],
        flags: OpenFlags,
        recall: &mut Recall,
    ) -> Option<Result<Opened>> {
        if flags.contains(OpenFlags::EXEC) {
            return None;
        }
        self.at_entry(who, path, recall, |dir, name| {
            Some(dir.open(who, name, flags)?.map(|file| dir.opened(file)))
        })
    }

    /// The same of a file that is made where there is none, by the name that `path` ends in.
    #[inline]
    pub fn open_or_create_at_once(
        &self,
        who: &Caller,
        path: &[u8],
        mode: Mode,
        flags: OpenFlags,
        recall: &mut Recall,
    ) -> Option<Result<Opened>> {
        self.at_entry(who, path, recall, |dir, name| {
            let file = match dir.node.create_open(who, name, mode, flags)? {
                Ok(file) => file,
                Err(_) if flags.contains(OpenFlags::EXCLUSIVE) => return None,
                Err(_) => dir.open(who, name, flags)?.ok()?,
            };
            Some(Ok(dir.opened(file)))
        })
    }

    /// Removes what `path` names, which is no directory. Who is not bound by the mode bits is not by the sticky bit either.
    #[inline]
    pub fn remove_at_once(&self, who: &Caller, path: &[u8], recall: &mut Recall) -> Option<Result<()>> {
        self.at_entry(who, path, recall, |dir, name| {
            if let Some(steps) = dir.mounted_in
                && let Err(error) = steps.bare(who, name)?
            {
                return Some(Err(error));
            }
            dir.node.unlink(who, name).now()
        })
    }

    /// Does something with the last name of `path`, in the directory that it is in: one that is no union, whose entries `who` may
    /// use.
    #[inline]
    fn at_entry<T>(
        &self,
        who: &Caller,
        path: &[u8],
        recall: &mut Recall,
        work: impl FnOnce(&Dir<'_>, Name<'_>) -> Option<Result<T>>,
    ) -> Option<Result<T>> {
        if who.guard.is_some() || path.len() > MAX_PATH {
            return None;
        }
        let (way, name) = Name::last_of(path)?;
        let (table, mut steps);
        let dir = match recall.dir(self, who, way) {
            Some((node, view)) => Dir { node, view, mounted_in: None },
            None => {
                table = self.namespace().table();
                steps = Steps::start(self, &table, path)?;
                if let Err(error) = steps.along(who, way)? {
                    return Some(Err(error));
                }
                let (node, view) = steps.sole()?;
                Dir { node, view, mounted_in: steps.plain().is_none().then_some(&steps) }
            }
        };
        work(&dir.usable(who)?, name)
    }

    /// Makes and opens a file that is not there yet. An error is left to the long way as well: None.
    pub fn create_at_once(
        &self,
        who: &Caller,
        name: Name<'_>,
        mode: Mode,
        flags: OpenFlags,
    ) -> Option<Created> {
        let (dir, view) = self.plain(who)?;
        let (node, file) = dir.create(who, name, mode, flags | OpenFlags::EXCLUSIVE).now()?.ok()?;
        Some(Created { place: self.child(name.to_owned(), node, view), file })
    }

    /// Removes the entry `name`, which is no directory. Who is not bound by the mode bits is not by the sticky bit either.
    pub fn unlink_at_once(&self, who: &Caller, name: Name<'_>) -> Option<Result<()>> {
        self.plain(who)?.0.unlink(who, name).now()
    }
}

/// The directory of an entry.
struct Dir<'a> {
    node: &'a NodeRef,
    view: View,
    /// The way here, where something is mounted in its tree, perhaps over the entry.
    mounted_in: Option<&'a Steps<'a>>,
}

impl Dir<'_> {
    /// None where it is no directory, or `who` may not use what is in it as far as anybody knows.
    fn usable(self, who: &Caller) -> Option<Self> {
        let free = who.checked || who.is_root() || self.node.checks(who);
        (free && self.node.kind().is_dir()).then_some(self)
    }

    /// The regular file `name`.
    fn open(&self, who: &Caller, name: Name<'_>, flags: OpenFlags) -> Option<Result<FileRef>> {
        let Some(steps) = self.mounted_in else { return self.node.walk_open(who, name, flags) };
        match steps.bare(who, name)? {
            Ok(node) if node.kind() == Kind::File => node.open(who, flags).now(),
            Ok(_) => None,
            Err(error) => Some(Err(error)),
        }
    }

    /// `file`, which is an entry here.
    fn opened(&self, file: FileRef) -> Opened {
        Opened { file, aspect: Aspect(self.view) }
    }
}
