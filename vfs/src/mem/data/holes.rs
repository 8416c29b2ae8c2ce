//! Where a file has data and where holes, and fallocate(2)'s ways of changing that.

use super::{CHUNK, Data, MAX_SIZE, PAGE, Space, locate};
use crate::{Allocate, Errno, Extent, Result};

impl Data {
    /// fallocate(2), all or nothing but for the content that ZERO_RANGE clears last.
    pub(crate) fn fallocate(&mut self, space: &Space, offset: u64, len: u64, how: Allocate) -> Result<()> {
        let Some(end) = offset.checked_add(len).filter(|end| *end <= MAX_SIZE) else {
            return Errno::EFBIG.into();
        };
        if how.contains(Allocate::PUNCH_HOLE) {
            self.punch(space, offset, len);
            return Ok(());
        }
        // No chunk reaches beyond the size: space there can be had or not, but not kept.
        let kept = if how.contains(Allocate::KEEP_SIZE) { end.min(self.size) } else { end };
        if end - kept > space.free_bytes() {
            return Errno::ENOSPC.into();
        }
        if kept > offset {
            self.allocate(space, offset, kept - offset)?;
        }
        if how.contains(Allocate::ZERO_RANGE) {
            self.clear(offset, kept);
        }
        Ok(())
    }

    /// Zeroes the bytes of [offset, end) that chunks hold.
    fn clear(&mut self, offset: u64, end: u64) {
        if offset >= end {
            return;
        }
        let ((first, from), (last, to)) = (locate(offset), locate(end - 1));
        if first == 0 {
            let upto = if last == 0 { to + 1 } else { CHUNK };
            clear_part(&mut self.first, from, upto);
        }
        for (index, chunk) in self.rest.range_mut(first..=last) {
            let start = if *index == first { from } else { 0 };
            clear_part(chunk, start, if *index == last { to + 1 } else { CHUNK });
        }
    }

    /// The first offset from `offset` on that lies in data, or in a hole; none at the end of the file, or without data. What a
    /// chunk holds is data to the end of its page, as on every file system with pages.
    pub(crate) fn seek(&self, offset: u64, extent: Extent) -> Option<u64> {
        if offset >= self.size {
            return None;
        }
        let held = |index: u64| (self.chunk(index).len() as u64).next_multiple_of(PAGE);
        let (index, at) = locate(offset);
        let inside = (at as u64) < held(index);
        match extent {
            Extent::Data if inside => Some(offset),
            Extent::Data => {
                let (index, _) = self.rest.range(index + 1..).find(|(_, chunk)| !chunk.is_empty())?;
                Some(index * CHUNK as u64)
            }
            Extent::Hole if !inside => Some(offset),
            Extent::Hole => {
                let mut index = index;
                while held(index) == CHUNK as u64 {
                    index += 1;
                }
                Some((index * CHUNK as u64 + held(index)).min(self.size))
            }
        }
    }
}

fn clear_part(chunk: &mut [u8], from: usize, to: usize) {
    let to = to.min(chunk.len());
    if from < to {
        chunk[from..to].fill(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const K: u64 = CHUNK as u64;

    fn written(at: &[(u64, usize)]) -> (Space, Data) {
        let (space, mut data) = (Space::new(1 << 30, 1), Data::default());
        for (offset, len) in at {
            data.write(&space, *offset, &vec![7; *len]).unwrap();
        }
        (space, data)
    }

    #[test]
    fn data_and_holes_are_found_from_anywhere() {
        let (_, mut data) = written(&[(0, 3 * CHUNK), (10 * K, 100)]);
        let space = Space::new(1, 1);
        data.set_size(&space, 20 * K).unwrap();
        assert_eq!(data.seek(5, Extent::Data), Some(5));
        assert_eq!(data.seek(5, Extent::Hole), Some(3 * K));
        assert_eq!(data.seek(4 * K + 1, Extent::Hole), Some(4 * K + 1));
        assert_eq!(data.seek(4 * K + 1, Extent::Data), Some(10 * K));
        assert_eq!(data.seek(10 * K + 1, Extent::Hole), Some(10 * K + PAGE));
        assert_eq!(data.seek(11 * K, Extent::Data), None);
        assert_eq!(data.seek(20 * K, Extent::Hole), None);
        assert_eq!(written(&[(0, 10)]).1.seek(0, Extent::Hole), Some(10));
    }

    #[test]
    fn a_cleared_range_keeps_its_space_and_its_neighbours() {
        let (space, mut data) = written(&[(0, 3 * CHUNK)]);
        let held = data.held();
        data.fallocate(&space, 100, 2 * K, Allocate::ZERO_RANGE | Allocate::KEEP_SIZE).unwrap();
        let mut bytes = vec![1; 3 * CHUNK];
        data.read(0, &mut bytes);
        let zeroes = 100..100 + 2 * CHUNK;
        assert!(bytes.iter().enumerate().all(|(at, byte)| (*byte == 0) == zeroes.contains(&at)));
        assert_eq!(data.held(), held);
        data.fallocate(&space, 3 * K - 10, 20, Allocate::ZERO_RANGE).unwrap();
        assert_eq!(data.size(), 3 * K + 10);
    }

    #[test]
    fn keep_size_fills_holes_up_to_the_end_and_asks_for_room_behind_it() {
        let (space, mut data) = written(&[(0, 1)]);
        data.set_size(&space, K).unwrap();
        data.fallocate(&space, 0, 2 * K, Allocate::KEEP_SIZE).unwrap();
        assert_eq!((data.size(), data.held()), (K, K));
        let error = data.fallocate(&space, 0, 2 << 30, Allocate::KEEP_SIZE).unwrap_err();
        assert!(error.is(Errno::ENOSPC));
        let error = data.fallocate(&space, MAX_SIZE, 1, Allocate::PUNCH_HOLE).unwrap_err();
        assert!(error.is(Errno::EFBIG));
    }
}
