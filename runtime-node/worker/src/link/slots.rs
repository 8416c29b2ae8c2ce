//! Who waits for which tag.

use nine::wire::Tag;
use std::task::Waker;

/// A request that was sent.
enum Slot {
    /// Somebody waits; in a runtime if there is a waker.
    Waiting(Option<Waker>),
    Answered(Vec<u8>),
    /// Nobody waits any more.
    Forgotten,
    /// Nobody waits any more, and a Tflush says so: the tag stays taken until that is answered, lest it mean another request.
    Flushed,
    /// A Tflush of that tag.
    Flush(Tag),
}

/// All requests in flight: a tag is a place here.
#[derive(Default)]
pub struct Slots {
    slots: Vec<Option<Slot>>,
    free: Vec<u16>,
}

impl Slots {
    fn put(&mut self, slot: Slot) -> Option<Tag> {
        if let Some(tag) = self.free.pop() {
            self.slots[usize::from(tag)] = Some(slot);
            return Some(Tag(tag));
        }
        // The last number means no tag.
        let tag = u16::try_from(self.slots.len()).ok().filter(|tag| *tag < u16::MAX)?;
        self.slots.push(Some(slot));
        Some(Tag(tag))
    }

    fn get(&mut self, tag: Tag) -> Option<&mut Slot> {
        self.slots.get_mut(usize::from(tag.0))?.as_mut()
    }

    fn remove(&mut self, tag: Tag) -> Option<Slot> {
        let slot = self.slots.get_mut(usize::from(tag.0))?.take()?;
        self.free.push(tag.0);
        Some(slot)
    }

    /// A tag for somebody who will wait.
    pub fn wait(&mut self) -> Option<Tag> {
        self.put(Slot::Waiting(None))
    }

    /// A tag for a request whose answer is of no interest.
    pub fn forget(&mut self) -> Option<Tag> {
        self.put(Slot::Forgotten)
    }

    /// The request was never sent.
    pub fn cancel(&mut self, tag: Tag) {
        self.remove(tag);
    }

    /// Gives up waiting: nothing to do if the answer is there, else the tag of a Tflush to be sent.
    pub fn abandon(&mut self, tag: Tag) -> Option<Tag> {
        match self.get(tag) {
            Some(slot @ Slot::Waiting(_)) => {
                *slot = Slot::Flushed;
                let flush = self.put(Slot::Flush(tag));
                if flush.is_none()
                    && let Some(slot) = self.get(tag)
                {
                    *slot = Slot::Forgotten;
                }
                flush
            }
            Some(Slot::Answered(_)) => {
                self.remove(tag);
                None
            }
            _ => None,
        }
    }

    pub fn answer(&mut self, tag: Tag, frame: &[u8], wakers: &mut Vec<Waker>) {
        match self.get(tag) {
            Some(slot @ Slot::Waiting(_)) => {
                let was = std::mem::replace(slot, Slot::Answered(frame.to_vec()));
                if let Slot::Waiting(Some(waker)) = was {
                    wakers.push(waker);
                }
            }
            Some(Slot::Forgotten) => {
                self.remove(tag);
            }
            Some(Slot::Flush(old)) => {
                let old = *old;
                self.remove(tag);
                if matches!(self.get(old), Some(Slot::Flushed)) {
                    self.remove(old);
                }
            }
            Some(Slot::Answered(_) | Slot::Flushed) | None => {}
        }
    }

    /// Whether all of them are answered; otherwise who is to be woken when the last of them is.
    pub fn are_answered(&mut self, tags: &[Tag], waker: Option<&Waker>) -> bool {
        let mut all = true;
        // Answers come in order more often than not: waiting for the last wakes once.
        for tag in tags.iter().rev() {
            if let Some(Slot::Waiting(wanted)) = self.get(*tag) {
                all = false;
                if let Some(waker) = waker {
                    *wanted = Some(waker.clone());
                }
                break;
            }
        }
        all
    }

    /// The frame that answers a tag, which is free then.
    pub fn take(&mut self, tag: Tag) -> Option<Vec<u8>> {
        match self.remove(tag) {
            Some(Slot::Answered(frame)) => Some(frame),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_free_when_it_is_answered_and_a_flushed_one_when_its_flush_is() {
        let (mut slots, mut woken) = (Slots::default(), Vec::new());
        let first = slots.wait().expect("a tag");
        slots.answer(first, b"answer", &mut woken);
        assert_eq!(slots.take(first).as_deref(), Some(&b"answer"[..]));
        let second = slots.wait().expect("a tag");
        assert_eq!(second, first);
        let flush = slots.abandon(second).expect("a tag for the flush");
        slots.answer(second, b"too late", &mut woken);
        let third = slots.wait().expect("a tag");
        assert!(third != second && third != flush);
        slots.answer(flush, b"", &mut woken);
        let taken = [slots.wait(), slots.wait()].map(|tag| tag.expect("a tag"));
        assert!(taken.contains(&second) && taken.contains(&flush));
    }

    #[test]
    fn there_are_as_many_tags_as_numbers_less_the_one_that_means_none() {
        let mut slots = Slots::default();
        let all: Vec<_> = std::iter::from_fn(|| slots.forget()).collect();
        assert_eq!(all.len(), usize::from(u16::MAX));
        assert!(!all.contains(&Tag::NONE));
    }
}
