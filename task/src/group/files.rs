//! The open files of a group's programs, counted together: each runtime keeps its program's part up to date and asks before it
//! opens one more.

use super::Group;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use vfs::{Errno, Error, Result};

/// One program's part. Dropping it gives back what it has.
#[derive(Debug, Default)]
pub struct OpenFiles {
    group: Option<Arc<Group>>,
    open: AtomicU64,
}

impl OpenFiles {
    /// Of a program that has none open yet; without a group nothing is counted.
    pub fn of(group: Option<Arc<Group>>) -> OpenFiles {
        OpenFiles { group, open: AtomicU64::new(0) }
    }

    /// Fails with EMFILE, and tells of it, where the group has as many open as it may.
    pub fn room(&self) -> Result<()> {
        let Some(group) = &self.group else { return Ok(()) };
        if group.files.load(Ordering::Relaxed) < group.most_files.load(Ordering::Relaxed) {
            return Ok(());
        }
        Err(group.out_of_files())
    }

    /// So many are open now.
    pub fn set(&self, count: u64) {
        let Some(group) = &self.group else { return };
        let before = self.open.swap(count, Ordering::Relaxed);
        // Wraps around and back where it is less.
        group.files.fetch_add(count.wrapping_sub(before), Ordering::Relaxed);
    }

    /// Counts one more, where it may be open; told of its end by [`OpenFiles::closed`].
    pub fn opening(&self) -> Result<()> {
        if let Some(group) = &self.group
            && group.files.fetch_add(1, Ordering::Relaxed) >= group.most_files.load(Ordering::Relaxed)
        {
            group.files.fetch_sub(1, Ordering::Relaxed);
            return Err(group.out_of_files());
        }
        self.open.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
    pub fn closed(&self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
        if let Some(group) = &self.group {
            group.files.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Drop for OpenFiles {
    fn drop(&mut self) {
        self.set(0);
    }
}

impl Group {
    fn out_of_files(&self) -> Error {
        let most = self.most_files.load(Ordering::Relaxed);
        let text = format!("limit files={most} of container {} reached", self.id);
        self.tell_struck("files", &text);
        Error::new(Errno::EMFILE, text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::group::Bounds;

    #[test]
    fn programs_of_a_group_have_as_many_files_open_together_as_its_limit_says() {
        let group = Group::new(1);
        group.set_limits(Bounds { files: Some(5), ..Bounds::default() });
        let (one, two) = (OpenFiles::of(Some(group.clone())), OpenFiles::of(Some(group.clone())));
        one.set(3);
        two.opening().expect("the fourth");
        two.opening().expect("the fifth");
        for refused in [one.room(), two.room(), two.opening()] {
            let error = refused.expect_err("the sixth");
            assert!(error.is(Errno::EMFILE));
            assert_eq!(error.text(), "limit files=5 of container 1 reached");
        }
        assert_eq!(group.struck().as_deref(), Some("limit files=5 of container 1 reached"));
        two.closed();
        one.room().expect("there is room again");
        drop(one);
        for _ in 0..4 {
            two.opening().expect("what a program had is given back at its end");
        }
        assert!(two.opening().is_err());
        group.set_limits(Bounds::default());
        two.opening().expect("without a limit there is room");
    }

    #[test]
    fn a_program_of_no_group_has_no_other_to_share_with() {
        let alone = OpenFiles::of(None);
        alone.set(1 << 40);
        alone.room().expect("nobody counts");
        alone.opening().expect("nobody counts");
    }
}
