//! The directory that a program's paths led to last: most lead there again.
//!
//! What is kept is good as long as nothing was bound anywhere, and no name has changed in a directory on the way (each counts
//! its changes: [`Node::stamp`]). That is seen in a few loads, where the walk itself takes a lock and a table for each
//! name. A way that leads through something that does not count is walked anew each time.

use crate::ns::View;
use crate::ns::steps::Steps;
use crate::*;

/// Of one caller.
#[derive(Default)]
pub struct Recall {
    kept: Option<Kept>,
    /// Where the last path led that did not lead to what is kept: a way is learned when it is gone a second time.
    missed: Vec<u8>,
    /// That way cannot be kept.
    hopeless: bool,
}

struct Kept {
    from: Place,
    /// As the caller wrote it, with the slash at its end.
    way: Vec<u8>,
    /// Of the namespace.
    changes: u64,
    /// The directories on the way, and their stamps.
    passed: Vec<(NodeRef, u64)>,
    dir: NodeRef,
    view: View,
}

impl Kept {
    fn learn(from: &Place, who: &Caller, way: &[u8]) -> Option<Kept> {
        // What changes from here on is seen as a change.
        let changes = from.namespace().changes();
        let table = from.namespace().table();
        let mut steps = Steps::start(from, &table, way)?;
        let mut passed = Vec::new();
        for component in way.split(|b| *b == b'/').filter(|c| !c.is_empty()) {
            let name = steps.may(who, component)?.ok()?;
            for dir in steps.searched() {
                passed.push((dir.clone(), dir.stamp()?));
                if dir.walk(who, name).now()?.is_ok() {
                    // The others of a union are not asked.
                    break;
                }
            }
            steps.go(who, name)?.ok()?;
        }
        let (dir, view) = steps.plain()?;
        let (dir, from, way) = (dir.clone(), from.clone(), way.to_vec());
        dir.kind().is_dir().then_some(Kept { from, way, changes, passed, dir, view })
    }

    fn is_of(&self, from: &Place, way: &[u8]) -> bool {
        self.way == way && self.from.is(from)
    }

    fn holds(&self) -> bool {
        self.changes == self.from.namespace().changes()
            && self.passed.iter().all(|(dir, stamp)| dir.stamp() == Some(*stamp))
    }
}

impl Recall {
    /// The directory that `way` leads to from `from`, where that is known: one in which nothing is mounted, in its view.
    pub(super) fn dir(&mut self, from: &Place, who: &Caller, way: &[u8]) -> Option<(&NodeRef, View)> {
        if !self.kept.as_ref().is_some_and(|kept| kept.is_of(from, way) && kept.holds()) {
            self.kept = self.miss(way).then(|| Kept::learn(from, who, way)).flatten();
            self.hopeless = self.kept.is_none() && self.hopeless;
        }
        self.kept.as_ref().map(|kept| (&kept.dir, kept.view))
    }

    /// Whether `way` is to be learned.
    fn miss(&mut self, way: &[u8]) -> bool {
        if self.missed != way {
            self.missed.clear();
            self.missed.extend(way);
            self.hopeless = false;
            return false;
        }
        // If this goes wrong it is not tried again.
        !std::mem::replace(&mut self.hopeless, true)
    }
}
