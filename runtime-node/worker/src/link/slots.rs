//! Who waits for which tag.

use nine::wire::Tag;
use std::collections::HashMap;
use std::task::Waker;

/// A request that was sent.
enum Slot {
    /// Somebody waits; in a runtime if there is a waker.
    Waiting(Option<Waker>),
    Answered(Vec<u8>),
    /// Nobody waits any more.
    Forgotten,
    /// A Tflush of that tag, which is free once this is answered.
    Flush(Tag),
}

/// All requests in flight.
#[derive(Default)]
pub struct Slots {
    slots: HashMap<u16, Slot>,
    next: u16,
}

impl Slots {
    fn put(&mut self, slot: Slot) -> Option<Tag> {
        for _ in 0..u16::MAX {
            let tag = self.next;
            self.next = if tag >= u16::MAX - 1 { 0 } else { tag + 1 };
            if let std::collections::hash_map::Entry::Vacant(free) = self.slots.entry(tag) {
                free.insert(slot);
                return Some(Tag(tag));
            }
        }
        None
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
        self.slots.remove(&tag.0);
    }

    /// Gives up waiting: nothing to do if the answer is there, else the tag of a Tflush to be sent.
    pub fn abandon(&mut self, tag: Tag) -> Option<Tag> {
        match self.slots.get_mut(&tag.0) {
            Some(slot @ Slot::Waiting(_)) => {
                *slot = Slot::Forgotten;
                self.put(Slot::Flush(tag))
            }
            Some(Slot::Answered(_)) => {
                self.slots.remove(&tag.0);
                None
            }
            _ => None,
        }
    }

    pub fn answer(&mut self, tag: Tag, frame: &[u8], wakers: &mut Vec<Waker>) {
        match self.slots.get_mut(&tag.0) {
            Some(slot @ Slot::Waiting(_)) => {
                let was = std::mem::replace(slot, Slot::Answered(frame.to_vec()));
                if let Slot::Waiting(Some(waker)) = was {
                    wakers.push(waker);
                }
            }
            Some(Slot::Forgotten) => {
                self.slots.remove(&tag.0);
            }
            Some(Slot::Flush(old)) => {
                let old = *old;
                self.slots.remove(&tag.0);
                if matches!(self.slots.get(&old.0), Some(Slot::Forgotten)) {
                    self.slots.remove(&old.0);
                }
            }
            Some(Slot::Answered(_)) | None => {}
        }
    }

    /// Whether all of them are answered; otherwise who is to be woken when the last of them is.
    pub fn are_answered(&mut self, tags: &[Tag], waker: Option<&Waker>) -> bool {
        let mut all = true;
        // Answers come in order more often than not: waiting for the last wakes once.
        for tag in tags.iter().rev() {
            if let Some(Slot::Waiting(wanted)) = self.slots.get_mut(&tag.0) {
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
        match self.slots.remove(&tag.0) {
            Some(Slot::Answered(frame)) => Some(frame),
            _ => None,
        }
    }
}
