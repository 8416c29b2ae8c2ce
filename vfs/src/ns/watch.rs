//! Watching places: what is seen at a name changes when its node does, when a member of its union does, or when something is
//! bound there.

use crate::*;
use std::sync::Weak;

impl Namespace {
    /// From now on `watcher` is told of what is bound and unmounted here ([`Change::Bound`]).
    pub fn watch(&self, watcher: &Weak<dyn Watcher>) {
        self.0.watchers.add(watcher);
    }
}

impl Place {
    /// Shows `look` the nodes that a walk from here searches.
    pub fn searched(&self, mut look: impl FnMut(&NodeRef)) {
        match self.union() {
            Some(mount) => mount.members.iter().for_each(|member| look(&member.node)),
            None => look(&self.only().0),
        }
    }

    /// Asks that `watcher` be told of the next change, of each sort in `what`, of what is here. What a name leads to behind a
    /// portal is the matter of a namespace that tells of nothing.
    pub fn watch(&self, watcher: &Weak<dyn Watcher>, what: Watch) -> Telling {
        self.ask(what, |node, what| node.watch(watcher, what))
    }

    /// The same for a watcher who is content to hear of a change after whoever made it ([`Node::follow`]).
    pub fn follow(&self, watcher: &Weak<dyn Watcher>, what: Watch) -> Telling {
        self.ask(what, |node, what| node.follow(watcher, what))
    }

    fn ask(&self, what: Watch, ask: impl Fn(&NodeRef, Watch) -> Telling) -> Telling {
        let mut telling = Telling::EveryChange;
        let itself = what - Watch::NAMES;
        if !itself.is_empty() {
            telling = ask(self.node(), itself);
        }
        if what.contains(Watch::NAMES) && self.is_behind_portal() {
            return Telling::Nothing;
        }
        if what.contains(Watch::NAMES) {
            self.searched(|node| telling = telling.min(ask(node, Watch::NAMES)));
        }
        telling
    }
}
