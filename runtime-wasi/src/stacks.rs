//! The stacks that guests' fibers run on: cut from slabs, used again, each with a guard page below.
//!
//! wasmtime's own would be mapped one by one, between the guests' memories, and so cost each guest a mapping more: the
//! guard regions of two memories are one mapping only where nothing lies between them.

use parking_lot::Mutex;
use std::ops::Range;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use wasmtime::{Error, StackCreator, StackMemory};

/// Stacks in a slab: few enough that a small server does not notice, as only touched pages count.
const SLAB: usize = 64;

/// Makes stacks of one size.
pub(crate) struct Stacks(Arc<Pool>);

struct Pool {
    /// Of one stack, without its guard.
    size: usize,
    guard: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    slabs: Vec<Slab>,
    /// The lowest addresses (the guards') of stacks that nobody uses.
    free: Vec<usize>,
}

/// A mapping of `SLAB` stacks.
struct Slab {
    base: NonNull<libc::c_void>,
    len: usize,
}

// SAFETY: a slab is an address and a length; the memory behind it is handed out stack by stack, each to one fiber.
unsafe impl Send for Slab {}

impl Slab {
    fn map(stride: usize, guard: usize) -> std::io::Result<Slab> {
        let len = stride * SLAB;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        // SAFETY: a new anonymous mapping at an address of the kernel's choice touches no memory that is in use.
        let base = unsafe { libc::mmap(ptr::null_mut(), len, libc::PROT_NONE, flags, -1, 0) };
        if base == libc::MAP_FAILED {
            return Err(std::io::Error::last_os_error());
        }
        let base = NonNull::new(base).expect("mmap without MAP_FIXED maps no null page");
        let slab = Slab { base, len };
        for index in 0..SLAB {
            let stack = slab.base.as_ptr().wrapping_byte_add(index * stride + guard);
            // SAFETY: the range lies in the mapping made above, which nobody uses yet.
            let changed =
                unsafe { libc::mprotect(stack, stride - guard, libc::PROT_READ | libc::PROT_WRITE) };
            if changed != 0 {
                return Err(std::io::Error::last_os_error());
            }
        }
        Ok(slab)
    }
}

impl Drop for Slab {
    fn drop(&mut self) {
        // SAFETY: the mapping is this slab's own; its stacks hold the pool, so none is left when its slabs are dropped.
        unsafe { libc::munmap(self.base.as_ptr(), self.len) };
    }
}

impl Stacks {
    /// For stacks of `size` bytes, a multiple of the page size.
    pub fn new(size: usize) -> Stacks {
        Stacks(Arc::new(Pool { size, guard: rustix::param::page_size(), state: Mutex::default() }))
    }
}

// SAFETY: a stack is page-aligned, of the size asked for, zero-filled (fresh anonymous memory, or given back to the kernel
// with MADV_DONTNEED since its last use), used by one fiber at a time, and has a page without access below it.
unsafe impl StackCreator for Stacks {
    fn new_stack(&self, size: usize, _zeroed: bool) -> Result<Box<dyn StackMemory>, Error> {
        let pool = &self.0;
        if size != pool.size {
            return Err(Error::msg(format!("a stack of {size} bytes was asked for, not of {}", pool.size)));
        }
        let mut state = pool.state.lock();
        let base = match state.free.pop() {
            Some(base) => base,
            None => {
                let stride = pool.size + pool.guard;
                let slab = Slab::map(stride, pool.guard)?;
                let first = slab.base.as_ptr() as usize;
                state.slabs.push(slab);
                // The lowest is taken first: a slab is used from its start.
                state.free.extend((1..SLAB).rev().map(|index| first + index * stride));
                first
            }
        };
        drop(state);
        Ok(Box::new(Stack { pool: pool.clone(), base }))
    }
}

/// One stack in use.
struct Stack {
    pool: Arc<Pool>,
    /// Where its guard starts.
    base: usize,
}

// SAFETY: as said of `Stacks`; the ranges are those of the stack and of its guard.
unsafe impl StackMemory for Stack {
    fn top(&self) -> *mut u8 {
        self.range().end as *mut u8
    }
    fn range(&self) -> Range<usize> {
        let start = self.base + self.pool.guard;
        start..start + self.pool.size
    }
    fn guard_range(&self) -> Range<*mut u8> {
        let start = self.base as *mut u8;
        start..start.wrapping_byte_add(self.pool.guard)
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        let range = self.range();
        // SAFETY: the range is this stack's own, and no fiber runs on it any more.
        let emptied =
            unsafe { libc::madvise(range.start as *mut libc::c_void, range.len(), libc::MADV_DONTNEED) };
        // A stack whose old content would be seen is not used again.
        if emptied == 0 {
            self.pool.state.lock().free.push(self.base);
        }
    }
}
