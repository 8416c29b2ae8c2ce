//! The file that a guest was shown last. A library's stat(2) is two calls, one for what the file is and one for its identity
//! (`metadata-hash`, the inode number), in either order; both are to be of one file, even where another has its name by the second.
//! It need not be looked for again either. It is known until the guest's next call of `wasi:filesystem` but that, or a tick of
//! the clock that finds it computing.

use super::descriptor::Handle;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    DescriptorStat, DescriptorType, MetadataHashValue, PathFlags,
};

#[derive(Default)]
pub(super) struct Looked {
    /// What was shown, and how many calls the guest had made before it was.
    shown: Option<(u64, Shown)>,
    dir: u32,
    flags: PathFlags,
    path: String,
    is_link: bool,
}

/// Half of what is asked of a file; the other half is what is known.
enum Shown {
    Stat(MetadataHashValue),
    Identity(DescriptorStat),
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
    /// The guest, which has made so many calls, is told what `subject` is.
    pub fn told(
        &mut self,
        calls: u64,
        subject: Subject<'_>,
        stat: &DescriptorStat,
        identity: MetadataHashValue,
    ) {
        self.at(calls, subject, stat.type_, Shown::Stat(identity));
    }

    /// The same of its identity.
    pub fn told_identity(&mut self, calls: u64, subject: Subject<'_>, stat: DescriptorStat) {
        self.at(calls, subject, stat.type_, Shown::Identity(stat));
    }

    /// The same of an entry of the directory `dir`, by itself.
    pub fn listed(&mut self, calls: u64, dir: u32, name: &str, identity: MetadataHashValue) {
        let subject = Subject { dir, flags: PathFlags::empty(), path: name };
        // What a link leads to was not looked at.
        self.at(calls, subject, DescriptorType::SymbolicLink, Shown::Stat(identity));
    }

    fn at(&mut self, calls: u64, subject: Subject<'_>, kind: DescriptorType, shown: Shown) {
        self.shown = Some((calls, shown));
        self.is_link = kind == DescriptorType::SymbolicLink;
        (self.dir, self.flags) = (subject.dir, subject.flags);
        self.path.clear();
        self.path.push_str(subject.path);
    }

    fn last(&self, calls: u64, subject: Subject<'_>) -> Option<&Shown> {
        let (before, shown) = self.shown.as_ref()?;
        // What was not followed and is no link is the same followed.
        let same_way = self.flags == subject.flags || (self.flags == PathFlags::empty() && !self.is_link);
        let same = same_way && (self.dir, &*self.path) == (subject.dir, subject.path);
        (same && before + 1 == calls).then_some(shown)
    }

    /// The identity of `subject`, where the guest's last call told what it is.
    pub fn identity(&self, calls: u64, subject: Subject<'_>) -> Option<MetadataHashValue> {
        match self.last(calls, subject)? {
            Shown::Stat(identity) => Some(*identity),
            Shown::Identity(_) => None,
        }
    }

    /// What `subject` is, where the guest's last call told its identity.
    pub fn stat(&self, calls: u64, subject: Subject<'_>) -> Option<DescriptorStat> {
        match self.last(calls, subject)? {
            Shown::Identity(stat) => Some(*stat),
            Shown::Stat(_) => None,
        }
    }

    pub fn forget(&mut self) {
        self.shown = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stat(kind: DescriptorType, size: u64) -> DescriptorStat {
        DescriptorStat {
            type_: kind,
            link_count: 1,
            size,
            data_access_timestamp: None,
            data_modification_timestamp: None,
            status_change_timestamp: None,
        }
    }

    const FILE: DescriptorType = DescriptorType::RegularFile;
    const IDENTITY: MetadataHashValue = MetadataHashValue { lower: 1, upper: 2 };

    #[test]
    fn what_was_shown_is_known_until_the_next_call_or_tick_and_by_the_same_name_only() {
        let (follow, no_follow) = (PathFlags::SYMLINK_FOLLOW, PathFlags::empty());
        let (dir, other) = (Handle::new_borrow(7), Handle::new_borrow(8));
        let mut looked = Looked::default();
        let known = |looked: &Looked, calls, subject| looked.identity(calls, subject).map(|it| it.lower);
        assert_eq!(known(&looked, 1, Subject::named(&dir, follow, "f")), None, "nothing was shown yet");

        looked.told(5, Subject::named(&dir, follow, "f"), &stat(FILE, 0), IDENTITY);
        assert_eq!(known(&looked, 6, Subject::named(&dir, follow, "f")), Some(1));
        assert_eq!(known(&looked, 7, Subject::named(&dir, follow, "f")), None, "another call came between");
        looked.listed(6, 7, "g", MetadataHashValue { lower: 3, upper: 2 });
        assert_eq!(known(&looked, 7, Subject::named(&dir, no_follow, "g")), Some(3));
        assert_eq!(known(&looked, 7, Subject::named(&dir, follow, "g")), None, "it may be a link");

        looked.told(5, Subject::named(&dir, follow, "f"), &stat(FILE, 0), IDENTITY);
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

    #[test]
    fn each_half_is_known_once_the_other_was_told_and_never_the_same_one() {
        let dir = Handle::new_borrow(7);
        let f = Subject::named(&dir, PathFlags::empty(), "f");
        let mut looked = Looked::default();
        looked.told(1, f, &stat(FILE, 3), IDENTITY);
        assert!(looked.stat(2, f).is_none() && looked.identity(2, f).is_some());
        looked.told_identity(2, f, stat(FILE, 3));
        assert_eq!(looked.stat(3, f).map(|stat| stat.size), Some(3));
        assert!(looked.identity(3, f).is_none());
    }

    #[test]
    fn what_is_no_link_is_the_same_followed() {
        let (dir, follow) = (Handle::new_borrow(7), PathFlags::SYMLINK_FOLLOW);
        let f = Subject::named(&dir, PathFlags::empty(), "f");
        let mut looked = Looked::default();
        looked.told_identity(1, f, stat(FILE, 3));
        assert!(looked.stat(2, Subject::named(&dir, follow, "f")).is_some());
        looked.told_identity(2, f, stat(DescriptorType::SymbolicLink, 3));
        assert!(looked.stat(3, Subject::named(&dir, follow, "f")).is_none());
    }
}
