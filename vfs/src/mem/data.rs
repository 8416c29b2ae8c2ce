//! The bytes of a regular file.
//!
//! They lie in chunks of up to 64 KiB. The first is held by the file itself, so a small file is one buffer that grows by
//! doubling; the others are in an ordered map, so a hole costs nothing, wherever it is. What a chunk does not hold, up to
//! the file's size, is zeroes. No chunk holds anything beyond the file's size.

mod holes;

use super::chunk::{CHUNK, Chunk};
use super::space::{PAGE, Space};
use crate::{Errno, Result};
use bytes::Bytes;
use std::collections::BTreeMap;

/// The largest size, as off_t has it.
pub(crate) const MAX_SIZE: u64 = i64::MAX as u64;

/// EINVAL for bytes that an off_t does not reach (pread(2), pwrite(2)).
pub(crate) fn within_off_t(offset: u64, len: usize) -> Result<()> {
    match offset.checked_add(len as u64) {
        Some(end) if end <= MAX_SIZE => Ok(()),
        _ => Errno::EINVAL.into(),
    }
}

#[derive(Default)]
pub(crate) struct Data {
    size: u64,
    first: Chunk,
    rest: BTreeMap<u64, Chunk>,
    /// Pages that the chunks fill or begin to fill: what was taken from the tree's space.
    pages: u64,
}

fn pages(bytes: usize) -> u64 {
    (bytes as u64).div_ceil(PAGE)
}

/// The chunk that has `offset`, and where in it.
fn locate(offset: u64) -> (u64, usize) {
    (offset / CHUNK as u64, (offset % CHUNK as u64) as usize)
}

impl Data {
    pub(crate) fn size(&self) -> u64 {
        self.size
    }
    /// Bytes of the tree's space that it holds.
    pub(crate) fn held(&self) -> u64 {
        self.pages * PAGE
    }

    /// Another of the same content, which shares the chunks until one of the two writes to them. It holds as much of its
    /// tree's space as this one does.
    pub(crate) fn fork(&mut self) -> Data {
        let rest = self.rest.iter_mut().map(|(index, chunk)| (*index, chunk.fork())).collect();
        Data { size: self.size, first: self.first.fork(), rest, pages: self.pages }
    }

    fn chunk(&self, index: u64) -> &[u8] {
        if index == 0 {
            return &self.first;
        }
        self.rest.get(&index).map_or(&[], |chunk| chunk.as_slice())
    }

    fn chunk_mut(&mut self, index: u64) -> Option<&mut Chunk> {
        if index == 0 { Some(&mut self.first) } else { self.rest.get_mut(&index) }
    }

    pub(crate) fn read(&self, offset: u64, buf: &mut [u8]) -> usize {
        let Some(there) = self.size.checked_sub(offset) else { return 0 };
        let len = usize::try_from(there).map_or(buf.len(), |there| there.min(buf.len()));
        let mut done = 0;
        while done < len {
            let (index, at) = locate(offset + done as u64);
            let part = (CHUNK - at).min(len - done);
            let out = &mut buf[done..done + part];
            let chunk = self.chunk(index);
            let held = chunk.len().saturating_sub(at).min(part);
            if held > 0 {
                out[..held].copy_from_slice(&chunk[at..at + held]);
            }
            out[held..].fill(0);
            done += part;
        }
        len
    }

    /// Sees to it that [`Data::lend`] finds what it needs in [offset, offset+len).
    pub(crate) fn share(&mut self, offset: u64, len: usize) {
        let ((from, _), (to, _)) = (locate(offset), locate(offset.saturating_add(len as u64)));
        if from == 0 {
            self.first.share();
        }
        self.rest.range_mut(from..=to).for_each(|(_, chunk)| chunk.share());
    }

    /// What [`Data::read`] would give, in parts that are not copied. Nothing where some of it has not been shared.
    pub(crate) fn lend(&self, offset: u64, len: usize) -> Option<Vec<Bytes>> {
        static HOLE: [u8; CHUNK] = [0; CHUNK];
        let there = self.size.saturating_sub(offset);
        let len = usize::try_from(there).map_or(len, |there| there.min(len));
        let mut parts = Vec::with_capacity(len / CHUNK + 2);
        let mut done = 0;
        while done < len {
            let (index, at) = locate(offset + done as u64);
            let part = (CHUNK - at).min(len - done);
            let chunk = if index == 0 { Some(&self.first) } else { self.rest.get(&index) };
            let held = chunk.map_or(0, |chunk| chunk.len().saturating_sub(at).min(part));
            if let Some(chunk) = chunk.filter(|_| held > 0) {
                parts.push(chunk.lend(at..at + held)?);
            }
            if held < part {
                parts.push(Bytes::from_static(&HOLE[held..part]));
            }
            done += part;
        }
        Some(parts)
    }

    /// Writes as much as there is space for, and fails only where that is nothing.
    pub(crate) fn write(&mut self, space: &Space, offset: u64, data: &[u8]) -> Result<usize> {
        if data.is_empty() {
            return Ok(0);
        }
        let Some(room) = MAX_SIZE.checked_sub(offset).filter(|room| *room > 0) else {
            return Errno::EFBIG.into();
        };
        let data = &data[..usize::try_from(room).map_or(data.len(), |room| room.min(data.len()))];
        let mut done = 0;
        while done < data.len() {
            let (index, at) = locate(offset + done as u64);
            let part = (CHUNK - at).min(data.len() - done);
            match self.put(space, index, at, &data[done..done + part]) {
                Ok(()) => done += part,
                Err(error) if done == 0 => return Err(error),
                Err(_) => break,
            }
        }
        self.size = self.size.max(offset + done as u64);
        Ok(done)
    }

    /// [`Data::write`] of parts that follow each other: those that are whole chunks become the file's own.
    pub(crate) fn write_parts(&mut self, space: &Space, offset: u64, parts: Vec<Vec<u8>>) -> Result<usize> {
        let mut done = 0;
        for part in parts {
            let (at, len) = (offset + done as u64, part.len());
            let wrote = match self.adopt(space, at, part) {
                Ok(()) => Ok(len),
                Err(part) => self.write(space, at, &part),
            };
            match wrote {
                Ok(wrote) => {
                    done += wrote;
                    if wrote < len {
                        break;
                    }
                }
                Err(error) if done == 0 => return Err(error),
                Err(_) => break,
            }
        }
        Ok(done)
    }

    /// Makes `part` the chunk at `offset`, where it is one and there is space for it; else gives it back.
    fn adopt(&mut self, space: &Space, offset: u64, part: Vec<u8>) -> std::result::Result<(), Vec<u8>> {
        let (index, at) = locate(offset);
        let end = offset.saturating_add(part.len() as u64);
        if at != 0 || end > MAX_SIZE {
            return Err(part);
        }
        let chunk = Chunk::adopt(part)?;
        let more = pages(CHUNK) - pages(self.chunk(index).len());
        if more > 0 && space.take_bytes(more * PAGE).is_err() {
            // As much of it as there is space for is written the other way.
            return Err(chunk.to_vec());
        }
        self.pages += more;
        if index == 0 {
            self.first = chunk;
        } else {
            self.rest.insert(index, chunk);
        }
        self.size = self.size.max(end);
        Ok(())
    }

    fn put(&mut self, space: &Space, index: u64, at: usize, part: &[u8]) -> Result<()> {
        let end = at + part.len();
        // What is there already needs neither space nor room.
        if let Some(chunk) = self.chunk_mut(index).filter(|chunk| end <= chunk.len()) {
            chunk[at..end].copy_from_slice(part);
            return Ok(());
        }
        let chunk = self.grown(space, index, end)?;
        let old = chunk.len();
        if at >= old {
            chunk.resize(at, 0);
            chunk.extend_from_slice(part);
        } else {
            chunk[at..].copy_from_slice(&part[..old - at]);
            chunk.extend_from_slice(&part[old - at..]);
        }
        Ok(())
    }

    /// The chunk `index`, with space and capacity for `end` bytes.
    fn grown(&mut self, space: &Space, index: u64, end: usize) -> Result<&mut Chunk> {
        // Who fills one chunk after the other gets them whole; elsewhere a chunk grows as it is filled, so that scattered
        // bytes do not hold sixteen times the space that they are charged for.
        let whole = index > 0 && self.chunk(index - 1).len() == CHUNK;
        let chunk = if index == 0 { &mut self.first } else { self.rest.entry(index).or_default() };
        let more = pages(end).saturating_sub(pages(chunk.len()));
        if more > 0 {
            space.take_bytes(more * PAGE)?;
            self.pages += more;
        }
        if end > chunk.capacity()
            && let Err(error) = chunk.make_room(end, whole)
        {
            space.give_bytes(more * PAGE);
            self.pages -= more;
            return Err(error);
        }
        Ok(chunk)
    }

    /// Cuts the file, or makes it longer by a hole.
    pub(crate) fn set_size(&mut self, space: &Space, size: u64) -> Result<()> {
        if size > MAX_SIZE {
            return Errno::EFBIG.into();
        }
        if size < self.size {
            let (last, keep) = locate(size);
            let cut = self.rest.split_off(&(last + 1));
            let cut: u64 = cut.values().map(|chunk| pages(chunk.len())).sum();
            let freed = cut + self.cut_chunk(last, keep);
            self.give(space, freed);
        }
        self.size = size;
        Ok(())
    }

    /// Leaves `keep` bytes of the chunk; gives the pages that this freed.
    fn cut_chunk(&mut self, index: u64, keep: usize) -> u64 {
        let Some(chunk) = self.chunk_mut(index).filter(|chunk| chunk.len() > keep) else { return 0 };
        let before = pages(chunk.len());
        chunk.truncate(keep);
        if chunk.capacity() > 2 * keep {
            chunk.shrink_to_fit();
        }
        if keep == 0 {
            self.rest.remove(&index);
        }
        before - pages(keep)
    }

    fn give(&mut self, space: &Space, freed: u64) {
        self.pages -= freed;
        space.give_bytes(freed * PAGE);
    }

    /// Makes [offset, offset+len) a hole; the size stays (FALLOC_FL_PUNCH_HOLE). Space comes back for whole chunks and for
    /// the ends of others; in the middle of a chunk there are zeroes.
    pub(crate) fn punch(&mut self, space: &Space, offset: u64, len: u64) {
        let end = offset.saturating_add(len).min(self.size);
        if offset >= end {
            return;
        }
        let ((from, from_at), (to, to_at)) = (locate(offset), locate(end));
        if from == to {
            let freed = self.blank(from, from_at, to_at);
            return self.give(space, freed);
        }
        let mut freed = self.blank(from, from_at, CHUNK);
        let mut hole = self.rest.split_off(&(from + 1));
        let mut behind = hole.split_off(&to);
        self.rest.append(&mut behind);
        freed += hole.values().map(|chunk| pages(chunk.len())).sum::<u64>();
        freed += self.blank(to, 0, to_at);
        self.give(space, freed);
    }

    /// Zeroes bytes `from..to` of a chunk, or cuts it where it ends in them.
    fn blank(&mut self, index: u64, from: usize, to: usize) -> u64 {
        if to >= self.chunk(index).len() {
            return self.cut_chunk(index, from);
        }
        if let Some(chunk) = self.chunk_mut(index) {
            chunk[from..to].fill(0);
        }
        0
    }

    /// Makes sure that later writes to [offset, offset+len) find their space (posix_fallocate(3)).
    pub(crate) fn allocate(&mut self, space: &Space, offset: u64, len: u64) -> Result<()> {
        let Some(end) = offset.checked_add(len).filter(|end| *end <= MAX_SIZE) else {
            return Errno::EFBIG.into();
        };
        // Before anything is taken, so that what can never fit does not use up what there is on the way.
        if len > space.free_bytes().saturating_add(self.held()) {
            return Errno::ENOSPC.into();
        }
        let mut at = offset;
        while at < end {
            let (index, _) = locate(at);
            let chunk_end = (index + 1) * CHUNK as u64;
            let upto = (chunk_end.min(end) - index * CHUNK as u64) as usize;
            let chunk = self.grown(space, index, upto)?;
            if chunk.len() < upto {
                chunk.resize(upto, 0);
            }
            self.size = self.size.max(chunk_end.min(end));
            at = chunk_end;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn space() -> Space {
        Space::new(1 << 30, 1)
    }

    fn all(data: &Data) -> Vec<u8> {
        let mut buf = vec![0xff; data.size() as usize];
        assert_eq!(data.read(0, &mut buf), buf.len());
        buf
    }

    #[test]
    fn a_byte_at_five_gib_takes_one_chunk_and_the_rest_reads_as_zeroes() {
        let (space, mut data) = (space(), Data::default());
        data.write(&space, 5 << 30, b"x").unwrap();
        assert_eq!(data.size(), (5 << 30) + 1);
        assert_eq!(data.held(), PAGE);
        let mut buf = [1; 3];
        assert_eq!(data.read((5 << 30) - 2, &mut buf), 3);
        assert_eq!(&buf, b"\0\0x");
        assert_eq!(data.read((5 << 30) + 1, &mut buf), 0);
    }

    #[test]
    fn what_is_lent_is_what_a_read_gives_holes_and_the_end_included() {
        let (space, mut data) = (space(), Data::default());
        data.write(&space, 100, &[7; 70_000]).unwrap();
        data.write(&space, 300_000, &[9; 10]).unwrap();
        data.set_size(&space, 400_001).unwrap();
        for (offset, len) in
            [(0, 500_000), (65_000, 200_000), (299_999, 12), (399_999, 9), (400_001, 1), (0, 0)]
        {
            let mut read = vec![1; len];
            let n = data.read(offset, &mut read);
            data.share(offset, len);
            let lent = data.lend(offset, len).unwrap().concat();
            assert!(lent == read[..n], "{len} bytes at {offset}");
        }
    }

    #[test]
    fn what_is_lent_stays_while_the_file_is_written_over() {
        let (space, mut data) = (space(), Data::default());
        data.write(&space, 0, &[7; 2 * CHUNK]).unwrap();
        data.share(0, 2 * CHUNK);
        let lent = data.lend(0, 2 * CHUNK).unwrap();
        let held = data.held();
        assert_eq!(data.write(&space, CHUNK as u64 - 5, &[9; 10]).unwrap(), 10);
        assert!(lent.concat().iter().all(|byte| *byte == 7));
        assert_eq!(all(&data)[CHUNK - 6..CHUNK + 6], [7, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 7]);
        assert_eq!((data.held(), space.used_bytes()), (held, held), "nothing more is held");
    }

    #[test]
    fn what_was_cut_off_does_not_come_back() {
        let (space, mut data) = (space(), Data::default());
        data.write(&space, 0, &[7; 200_000]).unwrap();
        data.set_size(&space, 100_001).unwrap();
        data.set_size(&space, 200_000).unwrap();
        let bytes = all(&data);
        assert!(bytes[..100_001].iter().all(|b| *b == 7));
        assert!(bytes[100_001..].iter().all(|b| *b == 0));
        data.set_size(&space, 0).unwrap();
        assert_eq!((data.held(), space.used_bytes()), (0, 0));
    }

    #[test]
    fn a_punched_hole_frees_whole_pages_and_leaves_the_rest() {
        let (space, mut data) = (space(), Data::default());
        data.write(&space, 0, &[7; 5 * CHUNK]).unwrap();
        data.punch(&space, 1000, 4 * CHUNK as u64);
        let bytes = all(&data);
        let hole = 1000..4 * CHUNK + 1000;
        assert!(bytes.iter().enumerate().all(|(i, b)| (*b == 0) == hole.contains(&i)));
        assert!(data.held() <= CHUNK as u64 + PAGE);
        assert_eq!(data.held(), space.used_bytes());
    }

    #[test]
    fn a_write_takes_what_fits_and_fails_when_nothing_does() {
        let (space, mut data) = (Space::new(2 * CHUNK as u64, 1), Data::default());
        assert_eq!(data.write(&space, 0, &[1; 3 * CHUNK]).unwrap(), 2 * CHUNK);
        assert!(data.write(&space, 2 * CHUNK as u64, b"x").unwrap_err().is(Errno::ENOSPC));
        assert_eq!(data.size(), 2 * CHUNK as u64);
        assert!(data.write(&space, MAX_SIZE, b"x").unwrap_err().is(Errno::EFBIG));
    }

    #[test]
    fn allocating_takes_the_space_at_once_or_none_of_it() {
        let (space, mut data) = (Space::new(1 << 20, 1), Data::default());
        data.allocate(&space, 10, 100_000).unwrap();
        assert_eq!(data.size(), 100_010);
        assert!(data.held() >= 100_000);
        let held = data.held();
        assert!(data.allocate(&space, 0, 2 << 20).unwrap_err().is(Errno::ENOSPC));
        assert!(data.allocate(&space, MAX_SIZE, 1).unwrap_err().is(Errno::EFBIG));
        assert_eq!((data.held(), data.size()), (held, 100_010));
    }
}
