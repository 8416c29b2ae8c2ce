//! How much memory all guests together may take: a share of the machine's, so that guests which allocate for ever are told
//! that there is no more before the kernel ends the server.
//!
//! The first [`FREE`] bytes of each guest are not counted: most guests never touch most of them, and it is the number of
//! guests that bounds them.

use std::sync::atomic::{AtomicU64, Ordering};

/// What every guest has for nothing.
pub(crate) const FREE: u64 = 16 << 20;

pub(crate) struct Budget {
    taken: AtomicU64,
    max: u64,
}

impl Budget {
    /// `max` bytes, or three quarters of the machine's memory, or of what its control group leaves us.
    pub fn new(max: Option<u64>) -> Budget {
        let max = max.or_else(|| machine().map(|bytes| bytes / 4 * 3)).unwrap_or(u64::MAX);
        Budget { taken: AtomicU64::new(0), max }
    }
    pub fn max(&self) -> u64 {
        self.max
    }
    pub fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    fn counted(bytes: u64) -> u64 {
        bytes.saturating_sub(FREE)
    }

    /// One guest goes from `before` to `after` bytes: whether that fits. Less always does.
    pub fn change(&self, before: u64, after: u64) -> bool {
        let (before, after) = (Budget::counted(before), Budget::counted(after));
        let change = |taken: u64| {
            let taken = (taken - before).saturating_add(after);
            (taken <= self.max || after <= before).then_some(taken)
        };
        self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, change).is_ok()
    }
}

/// The least of what /proc/meminfo and the control groups (version 2 and 1) say there is.
fn machine() -> Option<u64> {
    let read = |path: &str| std::fs::read_to_string(path).ok();
    let total = read("/proc/meminfo").and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
        line.trim().strip_suffix(" kB")?.parse::<u64>().ok()?.checked_mul(1024)
    });
    let group = read("/proc/self/cgroup")
        .and_then(|text| text.lines().find_map(|line| line.strip_prefix("0::").map(str::to_owned)));
    let groups = [
        format!("/sys/fs/cgroup{}/memory.max", group.as_deref().unwrap_or_default().trim_end_matches('/')),
        "/sys/fs/cgroup/memory.max".to_owned(),
        "/sys/fs/cgroup/memory/memory.limit_in_bytes".to_owned(),
    ];
    // "max", or a number beyond all memory, is no limit.
    let limits = groups.iter().filter_map(|path| read(path)?.trim().parse().ok());
    limits.chain(total).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guests_share_what_there_is_and_what_one_gives_back_another_can_have() {
        let budget = Budget::new(Some(100 << 20));
        assert!(budget.change(0, FREE), "small guests are free");
        assert_eq!(budget.taken(), 0);
        assert!(budget.change(FREE, FREE + (60 << 20)));
        assert!(!budget.change(0, FREE + (41 << 20)));
        assert!(budget.change(0, FREE + (40 << 20)));
        assert!(!budget.change(FREE, FREE + 1));
        assert!(budget.change(FREE + (60 << 20), 0));
        assert_eq!(budget.taken(), 40 << 20);
        assert!(budget.change(0, FREE + (60 << 20)));
    }

    #[test]
    fn the_machine_says_what_it_has() {
        let budget = Budget::new(None);
        assert!(budget.max() > 64 << 20 && budget.max() < 1 << 50, "{}", budget.max());
    }
}
