//! The locks on one file: which bytes are whose.

use super::{Lock, LockKind, LockOwner};

/// A range that is held; its kind is never Unlock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    pub owner: LockOwner,
    pub lock: Lock,
}

impl Held {
    fn overlaps(&self, lock: Lock) -> bool {
        self.lock.start < lock.end && lock.start < self.lock.end
    }
}

/// What is held on one file, ordered by start. The ranges of one owner neither overlap nor touch with the same kind.
#[derive(Default)]
pub(super) struct Ranges(Vec<Held>);

impl Ranges {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What others hold that `lock` could not be held beside, from the lowest start on.
    pub(super) fn conflicts(&self, owner: LockOwner, lock: Lock) -> impl Iterator<Item = &Held> {
        self.0.iter().filter(move |held| {
            let exclusive = held.lock.kind == LockKind::Write || lock.kind == LockKind::Write;
            lock.kind != LockKind::Unlock && exclusive && held.overlaps(lock) && held.owner.meets(owner)
        })
    }

    /// What `owner` holds of the bytes of `lock`, from the lowest start on.
    pub(super) fn of(&self, owner: LockOwner, lock: Lock) -> impl Iterator<Item = &Held> {
        self.0.iter().filter(move |held| held.owner.key() == owner.key() && held.overlaps(lock))
    }

    /// Puts `lock` in the place of what `owner` had on its bytes.
    pub(super) fn set(&mut self, owner: LockOwner, lock: Lock) {
        let (mut start, mut end) = (lock.start, lock.end);
        let mut pieces = Vec::new();
        self.0.retain(|held| {
            let Lock { kind, start: from, end: to } = held.lock;
            if held.owner.key() != owner.key() || to < lock.start || lock.end < from {
                return true;
            }
            if kind == lock.kind {
                // It overlaps or touches: the two become one.
                (start, end) = (start.min(from), end.max(to));
                return false;
            }
            if from < lock.start {
                pieces.push(Lock { kind, start: from, end: to.min(lock.start) });
            }
            if lock.end < to {
                pieces.push(Lock { kind, start: from.max(lock.end), end: to });
            }
            false
        });
        if lock.kind != LockKind::Unlock {
            pieces.push(Lock { kind: lock.kind, start, end });
        }
        for lock in pieces {
            let at = self.0.partition_point(|held| held.lock.start <= lock.start);
            self.0.insert(at, Held { owner, lock });
        }
    }

    /// Forgets all of `owner`'s; says whether there was any.
    pub(super) fn clear(&mut self, owner: LockOwner) -> bool {
        let before = self.0.len();
        self.0.retain(|held| held.owner.key() != owner.key());
        self.0.len() < before
    }
}

#[cfg(test)]
mod tests {
    use super::super::LockSort;
    use super::*;
    use proptest::prelude::*;

    fn owner(n: u64) -> LockOwner {
        LockOwner { client: 0, owner: n, sort: LockSort::Record, pid: n as u32 }
    }

    fn shown(ranges: &Ranges) -> Vec<(u64, LockKind, u64, u64)> {
        ranges.0.iter().map(|h| (h.owner.owner, h.lock.kind, h.lock.start, h.lock.end)).collect()
    }

    use LockKind::{Read, Unlock, Write};

    #[test]
    fn unlocking_the_middle_splits_and_locking_it_again_merges() {
        let mut ranges = Ranges::default();
        ranges.set(owner(1), Lock { kind: Write, start: 0, end: 30 });
        ranges.set(owner(1), Lock { kind: Unlock, start: 10, end: 20 });
        assert_eq!(shown(&ranges), [(1, Write, 0, 10), (1, Write, 20, 30)]);
        ranges.set(owner(1), Lock { kind: Read, start: 10, end: 20 });
        assert_eq!(shown(&ranges), [(1, Write, 0, 10), (1, Read, 10, 20), (1, Write, 20, 30)]);
        ranges.set(owner(1), Lock { kind: Write, start: 5, end: 25 });
        assert_eq!(shown(&ranges), [(1, Write, 0, 30)]);
    }

    proptest! {
        /// Against the simplest model there is: a kind for each byte and owner.
        #[test]
        fn ranges_agree_with_a_kind_for_each_byte(
            steps in prop::collection::vec((0u64..3, 0u8..3, 0u64..20, 1u64..12), 1..40)
        ) {
            let mut ranges = Ranges::default();
            let mut model = vec![[Unlock; 32]; 3];
            for (who, kind, start, len) in steps {
                let kind = [Read, Write, Unlock][kind as usize];
                let lock = Lock { kind, start, end: start + len };
                let bytes = start as usize..(start + len) as usize;
                let free = (0..3).filter(|o| *o != who as usize).all(|o| {
                    bytes.clone().all(|b| kind == Unlock || match model[o][b] {
                        Unlock => true,
                        Read => kind == Read,
                        Write => false,
                    })
                });
                prop_assert_eq!(ranges.conflicts(owner(who), lock).next().is_none(), free);
                if free {
                    ranges.set(owner(who), lock);
                    model[who as usize][bytes].fill(kind);
                }
                let mut seen = vec![[Unlock; 32]; 3];
                for held in &ranges.0 {
                    let row = &mut seen[held.owner.owner as usize];
                    for b in held.lock.start..held.lock.end {
                        prop_assert_eq!(row[b as usize], Unlock);
                        row[b as usize] = held.lock.kind;
                    }
                }
                prop_assert_eq!(&seen, &model);
                prop_assert!(ranges.0.is_sorted_by_key(|h| h.lock.start));
            }
        }
    }
}
