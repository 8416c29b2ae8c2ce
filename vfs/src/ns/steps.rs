//! A walk from node to node, with no place made on the way: for who wants what is at its end and not how it was reached.
//!
//! Each gives None where the way is not plain: dots, links that lead on, portals, and what there is to wait for are for a walk
//! from place to place (`resolve.rs`).

use crate::access::check;
use crate::ns::{Member, Table, View, bit, mix};
use crate::*;

/// Where such a walk has come to.
pub(super) struct Steps<'t> {
    table: &'t Table,
    /// What the tree has there, before binds.
    under: Held<'t>,
    view: View,
    /// What is bound over it.
    members: &'t [Member],
}

/// The first node is the table's or the place's own.
enum Held<'t> {
    Lent(&'t NodeRef),
    Own(NodeRef),
}

impl Held<'_> {
    fn node(&self) -> &NodeRef {
        match self {
            Held::Lent(node) => node,
            Held::Own(node) => node,
        }
    }
}

impl<'t> Steps<'t> {
    /// At the place that `path` starts from.
    #[inline]
    pub fn start(from: &'t Place, table: &'t Table, path: &[u8]) -> Option<Steps<'t>> {
        let (under, view) = if path.starts_with(b"/") { (&table.root, 0) } else { from.start(table)? };
        Some(Steps { table, under: Held::Lent(under), view, members: table.bound(under, view) })
    }

    /// The node that is seen here, in its view.
    #[inline]
    pub fn here(&self) -> (&NodeRef, View) {
        match self.members.first() {
            Some(first) => (&first.node, first.view),
            None => (self.under.node(), self.view),
        }
    }

    /// What is searched for a name here, in turn.
    pub fn searched(&self) -> impl Iterator<Item = &NodeRef> {
        let under = self.members.is_empty().then(|| self.under.node());
        under.into_iter().chain(self.members.iter().map(|member| &member.node))
    }

    /// Whether `who` may go on to `component`: the name to go by.
    #[inline]
    pub fn may<'n>(&self, who: &Caller, component: &'n [u8]) -> Option<Result<Name<'n>>> {
        if matches!(component, b"." | b"..") {
            return None;
        }
        let (dir, _) = self.here();
        if !dir.kind().is_dir() {
            return Some(Errno::ENOTDIR.into());
        }
        let name = Name::new(component);
        // The superuser may search every directory.
        if name.is_err() || who.checked || who.is_root() || dir.checks(who) {
            return Some(name);
        }
        let searched = match dir.stat().now()? {
            Ok(stat) => check(&**dir, who, &stat, Access::EXEC).now()?,
            Err(error) => Err(error),
        };
        Some(searched.and(name))
    }

    /// On to the entry `name`.
    #[inline]
    pub fn go(&mut self, who: &Caller, name: Name<'_>) -> Option<Result<()>> {
        let found = match self.members {
            [] => self.under.node().walk(who, name).now()?.map(|node| (node, self.view)),
            [only] => only.node.walk(who, name).now()?.map(|node| (node, only.view)),
            members => Place::find_at_once(members, who, name)?.map(|(at, node)| (node, members[at].view)),
        };
        let (node, view) = match found {
            Ok(found) => found,
            Err(error) => return Some(Err(error)),
        };
        if node.portal().is_some() {
            return None;
        }
        self.members = self.table.bound(&node, view);
        (self.under, self.view) = (Held::Own(node), view);
        Some(Ok(()))
    }

    /// Along all of `path`, whose links lead on.
    pub fn along(&mut self, who: &Caller, path: &[u8]) -> Option<Result<()>> {
        for component in path.split(|b| *b == b'/').filter(|c| !c.is_empty()) {
            let gone = match self.may(who, component)? {
                Ok(name) => self.go(who, name)?,
                Err(error) => Err(error),
            };
            if let Err(error) = gone {
                return Some(Err(error));
            }
            if self.here().0.kind() == Kind::Symlink {
                return None;
            }
        }
        Some(Ok(()))
    }

    /// The directory that this is, where it is no union, in its view.
    pub fn sole(&self) -> Option<(&NodeRef, View)> {
        (self.members.len() < 2).then(|| self.here())
    }

    /// The same, where nothing is mounted in it: its entries are what they seem.
    pub fn plain(&self) -> Option<(&NodeRef, View)> {
        self.sole().filter(|(dir, _)| !self.table.mounted_below(dir.qid().path))
    }

    /// The entry `name` of this directory, which is no union, as it is where nothing is mounted upon it.
    pub fn bare(&self, who: &Caller, name: Name<'_>) -> Option<Result<NodeRef>> {
        let (dir, view) = self.sole()?;
        let node = match dir.walk(who, name).now()? {
            Ok(node) => node,
            Err(error) => return Some(Err(error)),
        };
        self.table.bound(&node, view).is_empty().then_some(Ok(node))
    }
}

impl Table {
    #[inline]
    fn bound(&self, under: &NodeRef, view: View) -> &[Member] {
        let key = mix(under.qid().path, view);
        if self.bits & bit(key) == 0 {
            return &[];
        }
        self.mounts.get(&key).map_or(&[], |mount| &mount.members)
    }
}
