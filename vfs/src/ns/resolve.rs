//! From a path to a place: component by component, through links and binds (path_resolution(7)).

use crate::ns::steps::Steps;
use crate::ns::{Recall, View, mix};
use crate::*;

/// Whether a symlink in the last component is followed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Follow {
    Yes,
    No,
}

/// The directory that a path's last component is in, and that component: what creating and removing need.
#[derive(Clone)]
pub struct Parent {
    pub dir: Place,
    pub name: NameBuf,
    /// The path ended in a slash: only a directory will do.
    pub must_be_dir: bool,
}

/// ELOOP beyond this many links (SYMLOOP as Linux has it).
const MAX_LINKS: u32 = 40;
/// ENAMETOOLONG beyond this many bytes (PATH_MAX, which counts a NUL behind).
pub(super) const MAX_PATH: usize = 4095;

/// What is left to walk: the paths of links on top, the caller's own at the bottom.
struct Todo {
    /// Components in reverse order.
    components: Vec<Vec<u8>>,
    links: u32,
}

impl Todo {
    fn push(&mut self, path: &[u8]) {
        self.components
            .extend(path.split(|b| *b == b'/').filter(|c| !c.is_empty()).rev().map(<[u8]>::to_vec));
    }
}

impl Place {
    /// The place that `path` names: from here, or from `/` where it starts with a slash.
    pub fn resolve<'a>(&'a self, who: &'a Caller, path: &'a [u8], follow: Follow) -> Op<'a, Place> {
        match self.resolve_at_once(who, path, follow) {
            Some(result) => result.into(),
            None => Op::started(self.resolve_slowly(who, path, follow)),
        }
    }

    /// The common case, without a future or a list of components: no link on the way, and nothing to wait for. None where it
    /// is not that.
    pub(super) fn resolve_at_once(&self, who: &Caller, path: &[u8], follow: Follow) -> Option<Result<Place>> {
        if path.is_empty() || path.len() > MAX_PATH {
            return None;
        }
        let must_be_dir = path.ends_with(b"/");
        let mut here = if path.starts_with(b"/") { self.namespace().root() } else { self.clone() };
        let mut components = path.split(|b| *b == b'/').filter(|c| !c.is_empty()).peekable();
        while let Some(component) = components.next() {
            let next = match here.walk_on(who, component)? {
                Ok(next) => next,
                Err(error) => return Some(Err(error)),
            };
            let through = components.peek().is_some() || follow == Follow::Yes || must_be_dir;
            if through && next.kind() == Kind::Symlink {
                return None;
            }
            here = next;
        }
        if must_be_dir && !here.kind().is_dir() {
            return Some(Errno::ENOTDIR.into());
        }
        Some(Ok(here))
    }

    /// What `path` names and its stat, as [`Place::resolve`] and [`Place::stat`] give them, for who goes no further: the node's
    /// own identity, and what clients see. A host directory's file has no birth here, which [`Place::stat`] tells.
    pub fn look<'a>(&'a self, who: &'a Caller, path: &'a [u8], follow: Follow) -> Op<'a, (Qid, Stat)> {
        let mut stat = None;
        match self.look_at_once(who, path, follow, &mut Recall::default(), &mut stat) {
            Some(looked) => looked.map(|node| (node, stat.expect("it was looked at"))).into(),
            None => Op::started(async move {
                let place = self.resolve(who, path, follow).await?;
                let stat = place.stat(who).await?;
                Ok((place.node().qid(), stat))
            }),
        }
    }

    /// The common case, from node to node and without a place on the way: no link, no dots, no portal, nothing to wait for, and
    /// nobody who must know the path. None where it is not that. The stat is told to `stat`.
    #[inline]
    pub fn look_at_once(
        &self,
        who: &Caller,
        path: &[u8],
        follow: Follow,
        recall: &mut Recall,
        stat: &mut Option<Stat>,
    ) -> Option<Result<Qid>> {
        if path.is_empty() || path.len() > MAX_PATH || who.guard.is_some() {
            return None;
        }
        if let Some(looked) = self.look_again(who, path, follow, recall, stat) {
            return Some(looked);
        }
        self.look_from_here(who, path, follow, stat)
    }

    fn look_from_here(
        &self,
        who: &Caller,
        path: &[u8],
        follow: Follow,
        stat: &mut Option<Stat>,
    ) -> Option<Result<Qid>> {
        let table = self.namespace().table();
        let mut steps = Steps::start(self, &table, path)?;
        let must_be_dir = path.ends_with(b"/");
        let mut components = path.split(|b| *b == b'/').filter(|c| !c.is_empty()).peekable();
        while let Some(component) = components.next() {
            let name = match steps.may(who, component)? {
                Ok(name) => name,
                Err(error) => return Some(Err(error)),
            };
            let last = components.peek().is_none();
            let through = !last || follow == Follow::Yes || must_be_dir;
            if last && let Some(looked) = steps.look(who, name, stat) {
                match looked {
                    Ok(node) if node.kind == Kind::Symlink && through => {}
                    Ok(node) if must_be_dir && !node.kind.is_dir() => {
                        return Some(Errno::ENOTDIR.into());
                    }
                    looked => return Some(looked),
                }
            }
            if let Err(error) = steps.go(who, name)? {
                return Some(Err(error));
            }
            if through && steps.here().0.kind() == Kind::Symlink {
                return None;
            }
        }
        let (node, view) = steps.here();
        if must_be_dir && !node.kind().is_dir() {
            return Some(Errno::ENOTDIR.into());
        }
        match node.stat().now()? {
            Ok(seen) => {
                *stat = Some(seen);
                Some(Ok(see(stat, view)))
            }
            Err(error) => Some(Err(error)),
        }
    }

    /// The same of a path into a directory that is known. None where the long way is to be gone.
    #[inline(always)]
    fn look_again(
        &self,
        who: &Caller,
        path: &[u8],
        follow: Follow,
        recall: &mut Recall,
        stat: &mut Option<Stat>,
    ) -> Option<Result<Qid>> {
        let (way, name) = Name::last_of(path)?;
        let (dir, view) = recall.dir(self, who, way)?;
        if !(who.checked || who.is_root() || dir.checks(who)) {
            return None;
        }
        match look(dir, view, who, name, stat)? {
            Ok(node) if node.kind == Kind::Symlink && follow == Follow::Yes => None,
            looked => Some(looked),
        }
    }

    /// The directory and last name of `path`, for creating or removing it. EINVAL where the path ends in `.` or `..`.
    pub fn resolve_parent<'a>(&'a self, who: &'a Caller, path: &'a [u8]) -> Op<'a, Parent> {
        let trimmed = match path.iter().rposition(|b| *b != b'/') {
            Some(last) => &path[..=last],
            None if path.is_empty() => return Op::err(Errno::ENOENT),
            None => return Op::err(Error::new(Errno::EEXIST, "/: is the root")),
        };
        let must_be_dir = trimmed.len() < path.len();
        let (dir, last) = match trimmed.iter().rposition(|b| *b == b'/') {
            Some(0) => (&b"/"[..], &trimmed[1..]),
            Some(at) => (&trimmed[..at], &trimmed[at + 1..]),
            None => (&b""[..], trimmed),
        };
        let name = match Name::new(last) {
            Ok(name) => name.to_owned(),
            Err(error) => return Op::err(error),
        };
        if dir.is_empty() {
            return Op::ok(Parent { dir: self.clone(), name, must_be_dir });
        }
        self.resolve(who, dir, Follow::Yes).map(move |dir| Parent { dir, name, must_be_dir })
    }

    async fn resolve_slowly(&self, who: &Caller, path: &[u8], follow: Follow) -> Result<Place> {
        if path.is_empty() {
            return Errno::ENOENT.into();
        }
        if path.len() > MAX_PATH {
            return Errno::ENAMETOOLONG.into();
        }
        let mut must_be_dir = path.ends_with(b"/");
        let root = self.namespace().root();
        let mut here = if path.starts_with(b"/") { root.clone() } else { self.clone() };
        let mut todo = Todo { components: Vec::new(), links: 0 };
        todo.push(path);
        while let Some(component) = todo.components.pop() {
            let next = here.walk(who, &component).await?;
            let last = todo.components.is_empty();
            let through = !last || follow == Follow::Yes || must_be_dir;
            if next.kind() != Kind::Symlink || !through {
                here = next;
                continue;
            }
            todo.links += 1;
            if todo.links > MAX_LINKS {
                return Errno::ELOOP.into();
            }
            let target = next.readlink().await?;
            if target.is_empty() {
                return Errno::ENOENT.into();
            }
            if target.starts_with(b"/") {
                here = root.clone();
            }
            // What a link says is a path like any other: with a slash at its end it names a directory.
            must_be_dir |= last && target.ends_with(b"/");
            todo.push(&target);
        }
        if must_be_dir && !here.kind().is_dir() {
            return Errno::ENOTDIR.into();
        }
        Ok(here)
    }
}

impl Steps<'_> {
    fn look(&self, who: &Caller, name: Name<'_>, stat: &mut Option<Stat>) -> Option<Result<Qid>> {
        let (dir, view) = self.plain()?;
        look(dir, view, who, name, stat)
    }
}

/// The stat of the entry `name` of `dir`, in which nothing is mounted, without a node: the entry's own identity, and what clients
/// see.
#[inline]
fn look(
    dir: &NodeRef,
    view: View,
    who: &Caller,
    name: Name<'_>,
    stat: &mut Option<Stat>,
) -> Option<Result<Qid>> {
    Some(dir.look(who, name, stat)?.map(|()| see(stat, view)))
}

/// Makes a node's stat the one that clients see; gives the node's own identity.
#[inline]
fn see(stat: &mut Option<Stat>, view: View) -> Qid {
    let stat = stat.as_mut().expect("it was looked at");
    let node = stat.qid;
    stat.qid.path = mix(node.path, view);
    node
}
