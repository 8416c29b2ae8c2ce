//! The memory: who may write where, and how it is read although another process may write at any moment.
//!
//! ```text
//! 0      64         128             192             256 .. 512      4096            4096 + RING
//! head   tail       reader sleeps   writer sleeps   the other way   bytes one way   bytes the other way
//! ```
//!
//! Numbers are atomics. Bytes are only ever copied, in or out, and looked at in the copy. Nothing here is believed to be
//! of any value: what the numbers say is for [`super::End`] to check.

use rustix::fd::{AsFd, AsRawFd, OwnedFd};
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, fstat, ftruncate, memfd_create};
use std::io;
use std::ptr::NonNull;
use std::sync::atomic::AtomicU32;

/// The bytes that are under way in one direction, at most: a power of two.
pub const RING: usize = 64 << 10;
/// Before them: a page.
const NUMBERS: usize = 4096;
const ALL: usize = NUMBERS + 2 * RING;
/// Each number has a cache line of its own: the two processes write different ones.
const LINE: usize = 64;

/// What one direction is told by.
#[derive(Clone, Copy)]
pub enum Number {
    /// So many bytes have been written, modulo 2^32.
    Head,
    /// So many have been read.
    Tail,
    /// Who reads is to be woken when something is written.
    ReaderSleeps,
    /// Who writes is to be woken when something is read.
    WriterSleeps,
}

/// Memory that two processes have mapped.
pub struct Map(NonNull<u8>);

// SAFETY: it is memory that is only touched through atomics and copies; it belongs to no thread.
unsafe impl Send for Map {}
// SAFETY: as above.
unsafe impl Sync for Map {}

impl Map {
    /// New memory, as a descriptor for another process. Nobody can make it smaller, so that no access ever faults.
    ///
    /// # Errors
    /// The system's.
    pub fn memory() -> io::Result<OwnedFd> {
        let memory = memfd_create("9p", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
        ftruncate(&memory, ALL as u64)?;
        fcntl_add_seals(&memory, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
        Ok(memory)
    }

    /// # Errors
    /// The system's; memory of another size.
    pub fn new(memory: impl AsFd) -> io::Result<Map> {
        let memory = memory.as_fd();
        if fstat(memory)?.st_size != ALL as i64 {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "shared memory of another size"));
        }
        let (protection, shared) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED);
        // SAFETY: a new mapping where the system finds room for it touches nothing else.
        let at = unsafe { libc::mmap(std::ptr::null_mut(), ALL, protection, shared, memory.as_raw_fd(), 0) };
        if at == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Map(NonNull::new(at.cast()).expect("nothing is mapped at address 0 unasked")))
    }

    /// A number of direction `way`, which is 0 or 1.
    pub fn number(&self, way: usize, number: Number) -> &AtomicU32 {
        assert!(way < 2);
        let at = way * 4 * LINE + number as usize * LINE;
        // SAFETY: it lies within the first page of the mapping, which lives as long as `self`, and is aligned; the other process,
        // too, changes it as an atomic, or harms itself alone.
        unsafe { &*self.0.as_ptr().add(at).cast::<AtomicU32>() }
    }

    /// Copies `data` into direction `way`, behind its first `position` bytes.
    pub fn put(&self, way: usize, position: u32, data: &[u8]) {
        assert!(way < 2 && data.len() <= RING);
        let (at, first) = place(position, data.len());
        let ring = self.ring(way);
        // SAFETY: `at + first` and the rest are at most RING; both lie within the ring, which no Rust reference points into.
        unsafe {
            data.as_ptr().copy_to_nonoverlapping(ring.add(at), first);
            data.as_ptr().add(first).copy_to_nonoverlapping(ring, data.len() - first);
        }
    }

    /// Fills `buf` with what lies in direction `way` behind its first `position` bytes.
    pub fn take(&self, way: usize, position: u32, buf: &mut [u8]) {
        // SAFETY: the pointer and length are those of a slice to be written.
        unsafe { self.copy(way, position, buf.as_mut_ptr(), buf.len()) }
    }

    /// Appends `len` bytes of it to `buf`.
    pub fn append(&self, way: usize, position: u32, len: usize, buf: &mut Vec<u8>) {
        buf.reserve(len);
        // SAFETY: there is room for `len` bytes behind those that the vector has, and then they are written.
        unsafe {
            self.copy(way, position, buf.as_mut_ptr().add(buf.len()), len);
            buf.set_len(buf.len() + len);
        }
    }

    /// # Safety
    /// `len` bytes can be written at `to`.
    unsafe fn copy(&self, way: usize, position: u32, to: *mut u8, len: usize) {
        assert!(way < 2 && len <= RING);
        let (at, first) = place(position, len);
        let ring = self.ring(way);
        // SAFETY: as in `put`. That the other process changes the bytes meanwhile makes them other bytes.
        unsafe {
            to.copy_from_nonoverlapping(ring.add(at), first);
            to.add(first).copy_from_nonoverlapping(ring, len - first);
        }
    }

    fn ring(&self, way: usize) -> *mut u8 {
        // SAFETY: within the mapping.
        unsafe { self.0.as_ptr().add(NUMBERS + way * RING) }
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        // SAFETY: this very mapping, which nothing refers to any more.
        let unmapped = unsafe { libc::munmap(self.0.as_ptr().cast(), ALL) };
        debug_assert_eq!(unmapped, 0);
    }
}

/// Where so many bytes begin in a ring, and how many of them lie before its end.
fn place(position: u32, len: usize) -> (usize, usize) {
    let at = position as usize % RING;
    (at, len.min(RING - at))
}
