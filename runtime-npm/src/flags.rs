//! Why a package is there: for development only, as an option, for its surroundings; as lock files tell it.

use crate::tree::{Id, Tree};
use serde_json::{Map, Value};

/// What is true of all ways that lead to a package.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Flags {
    pub dev: bool,
    pub optional: bool,
    /// For development, or as an option.
    pub dev_optional: bool,
    pub peer: bool,
    /// Nothing leads to it.
    pub extraneous: bool,
}

impl Flags {
    pub const NONE: Flags =
        Flags { dev: false, optional: false, dev_optional: false, peer: false, extraneous: false };
    pub const ALL: Flags =
        Flags { dev: true, optional: true, dev_optional: true, peer: true, extraneous: true };

    /// As an entry of a lock file has them.
    pub fn write(self, entry: &mut Map<String, Value>) {
        let either = self.dev_optional && !self.dev && !self.optional;
        let all =
            [("peer", self.peer), ("dev", self.dev), ("optional", self.optional), ("devOptional", either)];
        for (name, _) in all.into_iter().filter(|(_, is)| *is) {
            entry.insert(name.to_owned(), Value::Bool(true));
        }
    }
}

/// Finds them for all packages: each begins with all of them, and loses what a way to it does not have.
pub fn find(tree: &mut Tree) {
    let packages: Vec<Id> = tree.packages().collect();
    for id in packages {
        tree.node_mut(id).flags = Flags::ALL;
    }
    let mut queue = vec![Tree::ROOT];
    while let Some(id) = queue.pop() {
        let from = tree.node(id).flags;
        if !from.extraneous {
            // What something lies in is needed, too.
            let mut above = tree.above(id);
            while let Some(at) = above {
                tree.node_mut(at).flags.extraneous = false;
                above = tree.above(at);
            }
        }
        let ways: Vec<(Id, bool, bool, bool)> = tree
            .edges(id)
            .filter_map(|edge| {
                let kind = edge.want.kind;
                Some((edge.to?, kind.is_peer(), kind.is_optional(), kind == crate::manifest::Kind::Dev))
            })
            .collect();
        for (to, peer, optional, dev) in ways {
            let flags = &mut tree.node_mut(to).flags;
            let before = *flags;
            flags.extraneous &= from.extraneous || (peer && optional);
            flags.dev &= from.dev || dev;
            flags.optional &= from.optional || optional;
            flags.dev_optional &= from.dev_optional || from.dev || from.optional || dev || optional;
            flags.peer &= from.peer || peer;
            if *flags != before {
                queue.push(to);
            }
        }
    }
}
