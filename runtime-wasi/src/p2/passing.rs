//! Bytes on their way to a guest, in a buffer that serves its next read again.

use std::sync::Arc;

/// Longer reads have buffers of their own.
const KEPT: usize = 64 << 10;

#[derive(Default)]
pub(super) struct Passing(Arc<Vec<u8>>);

impl Passing {
    /// Room for `length` bytes, which hold whatever was there.
    pub fn room(&mut self, length: usize) -> &mut [u8] {
        let used_again = Arc::get_mut(&mut self.0).is_some_and(|bytes| bytes.capacity() <= KEPT);
        if !used_again || length > KEPT {
            self.0 = Arc::default();
        }
        let bytes = Arc::get_mut(&mut self.0).expect("nobody else has a new one");
        bytes.resize(length, 0);
        bytes
    }

    /// The first `n` bytes there, as the guest's own.
    pub fn give(&mut self, n: usize) -> Arc<Vec<u8>> {
        if let Some(bytes) = Arc::get_mut(&mut self.0) {
            bytes.truncate(n);
        }
        self.0.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_gets_what_was_read_and_nothing_of_the_read_before() {
        let mut passing = Passing::default();
        passing.room(8).copy_from_slice(b"secrets!");
        assert_eq!(*passing.give(8), b"secrets!");
        passing.room(8)[..2].copy_from_slice(b"ok");
        let short = passing.give(2);
        assert_eq!(*short, b"ok");
        // It is still on its way.
        passing.room(4).copy_from_slice(b"next");
        assert_eq!((&short[..], &passing.give(4)[..]), (&b"ok"[..], &b"next"[..]));
    }

    #[test]
    fn the_buffer_of_a_long_read_is_not_kept() {
        let mut passing = Passing::default();
        passing.room(KEPT + 1);
        passing.give(KEPT + 1);
        passing.room(1);
        assert!(passing.give(1).capacity() <= KEPT);
    }
}
