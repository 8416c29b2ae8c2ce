//! The file that a guest was shown last: libraries ask for its identity next (`metadata-hash`, the inode number of stat(2)),
//! and are to get that of the file they were shown, even where another has its name by then. It need not be looked for again.
//! It is known until the guest's next call of `wasi:filesystem`, or a tick of the clock that finds it computing.

use super::descriptor::Handle;
use wasmtime_wasi::p2::bindings::filesystem::types::{MetadataHashValue, PathFlags};

#[derive(Default)]
pub(super) struct Looked {
    /// What was shown, and how many calls the guest had made before it was.
    shown: Option<(u64, MetadataHashValue)>,
    dir: u32,
    flags: PathFlags,
    path: String,
}

/// What is looked at: what a path means below a descriptor, or with no path the descriptor itself.
#[derive(Clone, Copy)]
pub(super) struct Subject<'p> {
    dir: u32,
    flags: PathFlags,
    path: &'p str,
}

impl<'p> Subject<'p> {
    pub fn itself(this: &Handle) -> Subject<'static> {
        Subject { dir: this.rep(), flags: PathFlags::empty(), path: "" }
    }
    pub fn named(this: &Handle, flags: PathFlags, path: &'p str) -> Subject<'p> {
        Subject { dir: this.rep(), flags, path }
    }
}

impl Looked {
    /// The guest, which has made so many calls, is shown `subject`.
    pub fn at(&mut self, calls: u64, subject: Subject<'_>, identity: MetadataHashValue) {
        self.shown = Some((calls, identity));
        (self.dir, self.flags) = (subject.dir, subject.flags);
        self.path.clear();
        self.path.push_str(subject.path);
    }

    /// The identity of `subject`, where the guest's last call showed it.
    pub fn identity(&self, calls: u64, subject: Subject<'_>) -> Option<MetadataHashValue> {
        let (before, identity) = self.shown.as_ref()?;
        let same = (self.dir, self.flags, &*self.path) == (subject.dir, subject.flags, subject.path);
        (same && before + 1 == calls).then_some(*identity)
    }

    pub fn forget(&mut self) {
        self.shown = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_shown_is_known_until_the_next_call_or_tick_and_by_the_same_name_only() {
        let (follow, no_follow) = (PathFlags::SYMLINK_FOLLOW, PathFlags::empty());
        let (dir, other) = (Handle::new_borrow(7), Handle::new_borrow(8));
        let identity = MetadataHashValue { lower: 1, upper: 2 };
        let mut looked = Looked::default();
        let known = |looked: &Looked, calls, subject| looked.identity(calls, subject).map(|it| it.lower);
        assert_eq!(known(&looked, 1, Subject::named(&dir, follow, "f")), None, "nothing was shown yet");

        looked.at(5, Subject::named(&dir, follow, "f"), identity);
        assert_eq!(known(&looked, 6, Subject::named(&dir, follow, "f")), Some(1));
        assert_eq!(known(&looked, 7, Subject::named(&dir, follow, "f")), None, "another call came between");
        for another in [
            Subject::named(&other, follow, "f"),
            Subject::named(&dir, no_follow, "f"),
            Subject::named(&dir, follow, "g"),
            Subject::itself(&dir),
        ] {
            assert_eq!(known(&looked, 6, another), None);
        }
        looked.forget();
        assert_eq!(known(&looked, 6, Subject::named(&dir, follow, "f")), None, "a tick came between");
    }
}
