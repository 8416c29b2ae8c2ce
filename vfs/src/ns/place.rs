//! A place: a node, and the name by which it was reached in a namespace.
//!
//! 9P fids, FUSE inodes and a guest's descriptors hold places. A place knows its way back (`..` goes by name, as in Plan 9),
//! its identity for clients (the node's, mixed with the binds and foreign roots that lie on the way), and what is bound
//! over it.

use crate::access::check;
use crate::ns::{Member, Mount, Table, View, mix};
use crate::*;
use std::fmt;
use std::sync::Arc;

/// A node at a name in a namespace. Cheap to clone.
#[derive(Clone)]
pub struct Place(Arc<Inner>);

struct Inner {
    ns: Namespace,
    /// What the tree has at this name, before binds.
    under: NodeRef,
    under_view: View,
    /// What was bound over it when the place was reached, and the namespace's count of changes then.
    mount: Option<Arc<Mount>>,
    looked: u64,
    /// Mixed in for everything behind a portal into this namespace.
    outer: View,
    parent: Option<(Place, NameBuf)>,
    /// What stands for what is here: see [`Node::behind_portal`].
    shut: Option<NodeRef>,
}

impl Inner {
    /// What is seen: `under`, or the first that was bound over it when the place was reached, or what stands for it.
    fn seen(&self) -> (&NodeRef, View) {
        let (node, view) = match self.mount.as_deref().and_then(|mount| mount.members.first()) {
            Some(member) => (&member.node, member.view),
            None => (&self.under, self.under_view),
        };
        (self.shut.as_ref().unwrap_or(node), view)
    }
}

impl Drop for Inner {
    /// Without recursion: a guest may walk deeper than any stack.
    fn drop(&mut self) {
        let mut above = self.parent.take();
        while let Some((Place(inner), _)) = above {
            above = Arc::into_inner(inner).and_then(|mut inner| inner.parent.take());
        }
    }
}

/// What [`Place::create`] made or found.
pub struct Created {
    pub place: Place,
    pub file: FileRef,
}

impl Place {
    pub(super) fn root(ns: Namespace, root: NodeRef) -> Place {
        Place::reached(ns, root, 0, 0, None)
    }

    fn reached(
        ns: Namespace,
        under: NodeRef,
        under_view: View,
        outer: View,
        parent: Option<(Place, NameBuf)>,
    ) -> Place {
        let (mount, looked) = ns.mount_at(mix(under.qid().path, under_view));
        let mut inner = Inner { ns, under, under_view, mount, looked, outer, parent, shut: None };
        if outer != 0 {
            inner.shut = inner.seen().0.behind_portal();
        }
        Place(Arc::new(inner))
    }

    /// The child that `node` is when it is found as `name` in the member of this place that is seen in `view`.
    pub(super) fn child(&self, name: NameBuf, node: NodeRef, view: View) -> Place {
        self.clone().into_child(name, node, view)
    }

    pub(super) fn into_child(self, name: NameBuf, node: NodeRef, view: View) -> Place {
        let (ns, outer) = (self.0.ns.clone(), self.0.outer);
        let parent = Some((self, name));
        // A portal behind a portal stays shut: two tasks that see each other's roots would make the tree endless.
        if outer == 0
            && let Some(portal) = node.portal()
        {
            let outer = mix(mix(node.qid().path, view) | 1, mix(outer, 1));
            let Inner { ns, under, under_view, .. } = &*portal.0;
            return Place::reached(ns.clone(), under.clone(), *under_view, outer, parent);
        }
        Place::reached(ns, node, view, outer, parent)
    }

    /// Whether this is the same place, and not only one of the same name.
    pub(super) fn is(&self, other: &Place) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
    pub fn node(&self) -> &NodeRef {
        self.0.seen().0
    }
    pub fn namespace(&self) -> &Namespace {
        &self.0.ns
    }
    pub fn kind(&self) -> Kind {
        self.node().kind()
    }
    pub fn nature(&self) -> Nature {
        self.node().nature()
    }
    pub(crate) fn under(&self) -> &NodeRef {
        &self.0.under
    }
    pub(crate) fn under_view(&self) -> View {
        self.0.under_view
    }

    /// The identity under which binds over this place are kept: the mounted-upon node's.
    pub fn key(&self) -> u64 {
        mix(self.0.under.qid().path, self.0.under_view)
    }
    /// What is bound over this place now.
    pub(crate) fn mount(&self) -> Option<Arc<Mount>> {
        if self.0.shut.is_some() {
            return None;
        }
        if self.0.ns.changes() == self.0.looked {
            return self.0.mount.clone();
        }
        self.0.ns.mount_at(self.key()).0
    }
    /// What a walk from here searches, where more than this place's own node.
    pub(super) fn union(&self) -> Option<Arc<Mount>> {
        self.mount().filter(|m| m.members.len() > 1)
    }
    /// The only node that a walk from here searches (where it is no union), in its view.
    pub(super) fn only(&self) -> (NodeRef, View) {
        match self.mount().as_deref().map(|m| m.members.as_slice()) {
            Some([Member { node, view, .. }]) => (node.clone(), *view),
            _ => {
                let (node, view) = self.0.seen();
                (node.clone(), view)
            }
        }
    }

    /// The same, where nobody has to look whether it is still so; none for a union.
    pub(super) fn sole(&self) -> Option<(&NodeRef, View)> {
        if self.0.shut.is_some() || self.0.ns.changes() != self.0.looked {
            return None;
        }
        match self.0.mount.as_deref().map_or(&[][..], |mount| &mount.members) {
            [] => Some((&self.0.under, self.0.under_view)),
            [only] => Some((&only.node, only.view)),
            _ => None,
        }
    }

    /// The node's identity as clients see it here: its path is unique and stable for this node at this place.
    pub fn qid(&self) -> Qid {
        self.entry_qid(self.node().qid())
    }

    /// The identity that the entry `qid` of this directory has, as far as it is known without walking to it.
    pub fn entry_qid(&self, qid: Qid) -> Qid {
        Qid { path: mix(mix(qid.path, self.0.seen().1), self.0.outer), ..qid }
    }

    /// The path of [`Place::entry_qid`] by an entry's own, for who asks for many.
    pub fn entry_paths(&self) -> impl Fn(u64) -> u64 + use<> {
        let (view, outer) = (self.0.seen().1, self.0.outer);
        move |path| mix(mix(path, view), outer)
    }

    pub(super) fn is_behind_portal(&self) -> bool {
        self.0.outer != 0
    }

    /// The directory this place was reached through; `/` is its own.
    pub fn parent(&self) -> Place {
        self.0.parent.as_ref().map_or_else(|| self.clone(), |(parent, _)| parent.clone())
    }

    /// The name it was reached by; none at `/`.
    pub fn name(&self) -> Option<&NameBuf> {
        self.0.parent.as_ref().map(|(_, name)| name)
    }

    /// The path it was reached by, absolute.
    pub fn path(&self) -> Vec<u8> {
        let mut names = Vec::new();
        let mut here = self;
        while let Some((parent, name)) = &here.0.parent {
            names.push(name);
            here = parent;
        }
        if names.is_empty() {
            return b"/".to_vec();
        }
        let mut path = Vec::with_capacity(names.iter().map(|n| n.len() + 1).sum());
        for name in names.iter().rev() {
            path.push(b'/');
            path.extend_from_slice(name);
        }
        path
    }

    /// The path, for messages.
    pub fn shown(&self) -> String {
        String::from_utf8_lossy(&self.path()).into_owned()
    }

    /// One step: to the entry `name`, to the parent (`..`), or nowhere (`.`).
    pub fn walk<'a>(&'a self, who: &'a Caller, name: &'a [u8]) -> Op<'a, Place> {
        if !self.kind().is_dir() {
            return Op::err(Errno::ENOTDIR);
        }
        match name {
            b"." => return Op::ok(self.clone()),
            b".." => return Op::ok(self.parent()),
            _ => {}
        }
        let name = match Name::new(name) {
            Ok(name) => name,
            Err(error) => return Op::err(error),
        };
        self.permitted(who, Access::EXEC, move || self.walk_unchecked(who, name))
    }

    pub(super) fn walk_unchecked<'a>(&'a self, who: &'a Caller, name: Name<'a>) -> Op<'a, Place> {
        let mount = self.mount();
        let (seen, view) = self.0.seen();
        match mount.as_deref().map(|mount| mount.members.as_slice()) {
            None | Some([]) => seen.walk(who, name).map(move |node| self.child(name.to_owned(), node, view)),
            // What the place was reached as is what it is still, as a rule.
            Some([Member { node, view, .. }]) if Arc::ptr_eq(node, seen) => {
                let view = *view;
                seen.walk(who, name).map(move |node| self.child(name.to_owned(), node, view))
            }
            Some(members) => match Place::find_at_once(members, who, name) {
                Some(found) => {
                    found.map(|(at, node)| self.child(name.to_owned(), node, members[at].view)).into()
                }
                None => Op::started(async move {
                    let mount = mount.as_deref().expect("just looked into");
                    let (index, node) = Place::find(mount, who, name).await?;
                    Ok(self.child(name.to_owned(), node, mount.members[index].view))
                }),
            },
        }
    }

    /// [`Place::walk`] for who is done with the place, which the child takes along: no future, no reference counted twice. None
    /// where something is to be waited for.
    pub(super) fn walk_on(self, who: &Caller, name: &[u8]) -> Option<Result<Place>> {
        if !self.kind().is_dir() {
            return Some(Errno::ENOTDIR.into());
        }
        let name = match name {
            b"." => return Some(Ok(self)),
            b".." => return Some(Ok(self.parent())),
            name => match Name::new(name) {
                Ok(name) => name,
                Err(error) => return Some(Err(error)),
            },
        };
        if let Err(error) = self.permitted(who, Access::EXEC, || Op::ok(())).now()? {
            return Some(Err(error));
        }
        let found = {
            let changed;
            let mount = match &self.0.mount {
                _ if self.0.shut.is_some() => None,
                mount if self.0.ns.changes() == self.0.looked => mount.as_deref(),
                _ => {
                    changed = self.mount();
                    changed.as_deref()
                }
            };
            match mount.map(|mount| mount.members.as_slice()) {
                None | Some([]) => {
                    let (seen, view) = self.0.seen();
                    seen.walk(who, name).now()?.map(|node| (node, view))
                }
                Some(members) => {
                    Place::find_at_once(members, who, name)?.map(|(at, node)| (node, members[at].view))
                }
            }
        };
        Some(found.map(|(node, view)| self.into_child(name.to_owned(), node, view)))
    }

    /// Where a walk by nodes alone may start: the node under this place and its view; none behind a portal, or where what this
    /// place was reached as is no longer bound.
    pub(super) fn start(&self, table: &Table) -> Option<(&NodeRef, View)> {
        let unbound = self.0.mount.is_some() && !table.mounts.contains_key(&self.key());
        (self.0.outer == 0 && !unbound).then_some((&self.0.under, self.0.under_view))
    }

    /// [`Place::find`] without a future; none where a member does not answer at once. Looking changes nothing, so that it can
    /// be done again.
    pub(super) fn find_at_once(
        members: &[Member],
        who: &Caller,
        name: Name<'_>,
    ) -> Option<Result<(usize, NodeRef)>> {
        // The last member's words are as good as any: a lone one's are the ones to tell.
        let mut missing = Error::from(Errno::ENOENT);
        for (index, member) in members.iter().enumerate() {
            match member.node.walk(who, name).now()? {
                Ok(node) => return Some(Ok((index, node))),
                Err(error) if error.is(Errno::ENOENT) => missing = error,
                Err(error) => return Some(Err(error)),
            }
        }
        Some(Err(missing))
    }

    /// The first member of a union that has `name` (its index), and what it has there.
    pub(super) async fn find(mount: &Mount, who: &Caller, name: Name<'_>) -> Result<(usize, NodeRef)> {
        // The last member's words are as good as any: a lone one's are the ones to tell.
        let mut missing = Error::from(Errno::ENOENT);
        for (index, member) in mount.members.iter().enumerate() {
            match member.node.walk(who, name).await {
                Ok(node) => return Ok((index, node)),
                Err(error) if error.is(Errno::ENOENT) => missing = error,
                Err(error) => return Err(error),
            }
        }
        Err(missing)
    }

    /// Goes on with `then` where the mode bits or an access control list give `who` all of `want` here.
    pub(super) fn permitted<'a, T: Send + 'a>(
        &'a self,
        who: &'a Caller,
        want: Access,
        then: impl FnOnce() -> Op<'a, T> + Send + 'a,
    ) -> Op<'a, T> {
        let nothing_to_check =
            who.checked || (who.is_root() && !want.contains(Access::EXEC)) || want.is_empty();
        // The superuser may search every directory.
        if nothing_to_check || (who.is_root() && self.kind().is_dir()) {
            return then();
        }
        let checked = self.node().stat().and_then(move |stat| check(&**self.node(), who, &stat, want));
        checked.and_then(move |()| then())
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Place({})", self.shown())
    }
}
