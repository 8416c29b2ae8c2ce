//! A guest's linear memory, as calls read and write it: in place, every pointer checked against its size (EFAULT).

use vfs::{Errno, Result};

/// The memory for the length of one call. Shared memories are refused when a module is loaded, so nobody else writes it.
pub(crate) struct GuestMemory<'m>(&'m mut [u8]);

impl<'m> GuestMemory<'m> {
    pub fn new(bytes: &'m mut [u8]) -> GuestMemory<'m> {
        GuestMemory(bytes)
    }

    pub fn bytes(&self, at: u32, len: usize) -> Result<&[u8]> {
        let at = at as usize;
        at.checked_add(len).and_then(|end| self.0.get(at..end)).ok_or_else(|| Errno::EFAULT.into())
    }
    pub fn bytes_mut(&mut self, at: u32, len: usize) -> Result<&mut [u8]> {
        let at = at as usize;
        at.checked_add(len).and_then(|end| self.0.get_mut(at..end)).ok_or_else(|| Errno::EFAULT.into())
    }
    pub fn put(&mut self, at: u32, bytes: &[u8]) -> Result<()> {
        self.bytes_mut(at, bytes.len())?.copy_from_slice(bytes);
        Ok(())
    }
    pub fn put_words<const N: usize>(&mut self, at: u32, words: [u64; N]) -> Result<()> {
        write_words(self.bytes_mut(at, 8 * N)?, words);
        Ok(())
    }
    pub fn put_u32(&mut self, at: u32, n: u32) -> Result<()> {
        self.put(at, &n.to_le_bytes())
    }
    pub fn put_u64(&mut self, at: u32, n: u64) -> Result<()> {
        self.put(at, &n.to_le_bytes())
    }
    pub fn u32_at(&self, at: u32) -> Result<u32> {
        Ok(u32::from_le_bytes(self.bytes(at, 4)?.try_into().expect("four bytes")))
    }
    pub fn u64_at(&self, at: u32) -> Result<u64> {
        Ok(u64::from_le_bytes(self.bytes(at, 8)?.try_into().expect("eight bytes")))
    }

    /// Entry `index` of an array of `iovec` or `ciovec`: where its buffer is, and how long.
    #[inline]
    pub fn iovec(&self, array: u32, index: u32) -> Result<(u32, usize)> {
        let at = index.checked_mul(8).and_then(|offset| array.checked_add(offset)).ok_or(Errno::EFAULT)?;
        let pair = self.bytes(at, 8)?;
        let word = |i: usize| u32::from_le_bytes(pair[i..i + 4].try_into().expect("four bytes"));
        Ok((word(0), word(4) as usize))
    }

    /// A path, where it lies. Paths are bytes, as the namespace has them.
    pub fn path(&self, at: u32, len: u32) -> Result<&[u8]> {
        if len > MAX_PATH {
            return Errno::ENAMETOOLONG.into();
        }
        self.bytes(at, len as usize)
    }
}

/// Writes `words` to as many bytes.
#[inline]
pub(crate) fn write_words<const N: usize>(to: &mut [u8], words: [u64; N]) {
    for (to, word) in to.as_chunks_mut::<8>().0.iter_mut().zip(words) {
        *to = word.to_le_bytes();
    }
}

/// PATH_MAX, which counts a NUL behind.
pub(crate) const MAX_PATH: u32 = 4095;
