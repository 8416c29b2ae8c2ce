//! The common case of opening, making and removing by name, without a future and with nothing looked up twice: one
//! directory, in which nothing is mounted, and a caller whom the mode bits do not bind or the tree itself does.
//!
//! Each gives None where it is not that, or where there is something to wait for, and has then done nothing; what is asked
//! goes the long way (`files.rs`, `resolve.rs`), which knows every case and every error.

use crate::ns::View;
use crate::*;

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

    /// What `path` names, opened: [`Place::resolve`] and [`Place::open`] in one. None where it is for these two to be done.
    pub fn open_at_once(
        &self,
        who: &Caller,
        path: &[u8],
        flags: OpenFlags,
    ) -> Option<Result<(Place, FileRef)>> {
        if flags.contains(OpenFlags::EXEC) {
            return None;
        }
        let (dir, last) = match path.iter().rposition(|b| *b == b'/') {
            Some(at) => (&path[..=at], &path[at + 1..]),
            None => (&b""[..], path),
        };
        let name = Name::new(last).ok()?;
        let dir = match dir {
            b"" => self.clone(),
            dir => match self.resolve_at_once(who, dir, Follow::Yes)? {
                Ok(dir) => dir,
                Err(error) => return Some(Err(error)),
            },
        };
        let (node, view) = dir.plain(who)?;
        let opened = node.walk_open(who, name, flags)?;
        Some(opened.map(|(node, file)| (dir.into_child(name.to_owned(), node, view), file)))
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
