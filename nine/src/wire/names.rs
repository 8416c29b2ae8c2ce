//! The names of a Twalk and the qids of its answer: at most sixteen of each.

use std::fmt;

use thiserror::Error;

use super::decode::{DecodeError, Reader};
use super::encode::{Sink, Writer};
use super::field::{Field, Name};
use super::ids::Qid;

/// The most names of one Twalk (walk(5), MAXWELEM).
pub const MAX_NAMES: usize = 16;

/// The names of a Twalk, as they stand in the frame; iterating borrows each from it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Names<'a> {
    count: u16,
    /// `count` strings, checked when this was made.
    raw: &'a [u8],
}

impl<'a> Names<'a> {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.count.into()
    }

    /// Whether the walk only clones its fid.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The names, first to last.
    pub fn iter(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut left = self.raw;
        std::iter::from_fn(move || {
            let (len, rest) = left.split_first_chunk::<2>()?;
            let (name, rest) = rest.split_at_checked(u16::from_le_bytes(*len).into())?;
            left = rest;
            Some(name)
        })
    }
}

/// Names collected for a walk to be sent.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct NamesBuf {
    count: u16,
    raw: Vec<u8>,
}

/// More than sixteen names, or one longer than 65535 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("a walk has at most 16 names of at most 65535 bytes")]
pub struct TooManyNames;

impl NamesBuf {
    /// Collects names.
    ///
    /// # Errors
    /// [`TooManyNames`] where one Twalk cannot hold them.
    pub fn new<N: AsRef<[u8]>>(names: impl IntoIterator<Item = N>) -> Result<Self, TooManyNames> {
        let mut collected = Self::default();
        for name in names {
            let name = name.as_ref();
            let len = u16::try_from(name.len()).map_err(|_| TooManyNames)?;
            if usize::from(collected.count) == MAX_NAMES {
                return Err(TooManyNames);
            }
            collected.count += 1;
            collected.raw.extend_from_slice(&len.to_le_bytes());
            collected.raw.extend_from_slice(name);
        }
        Ok(collected)
    }

    /// As a message's field.
    pub fn as_names(&self) -> Names<'_> {
        Names { count: self.count, raw: &self.raw }
    }
}

impl<'a> Field<'a> for Names<'a> {
    fn take(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let count = r.u16()?;
        if usize::from(count) > MAX_NAMES {
            return Err(DecodeError::TooManyNames { message: r.message, count });
        }
        let whole = r.rest();
        for _ in 0..count {
            r.string()?;
        }
        Ok(Self { count, raw: &whole[..whole.len() - r.rest().len()] })
    }

    fn put<S: Sink>(&self, w: &mut Writer<'_, S>) {
        w.bytes(&self.count.to_le_bytes());
        w.bytes(self.raw);
    }

    fn words(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (i, name) in self.iter().enumerate() {
            write!(f, "{}{}", if i == 0 { "" } else { " " }, Name(name))?;
        }
        f.write_str("]")
    }
}

/// The qids of an Rwalk.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct QidList {
    len: u8,
    qids: [Qid; MAX_NAMES],
}

impl QidList {
    /// Adds one; `false`, and nothing done, when there are sixteen.
    pub fn push(&mut self, qid: Qid) -> bool {
        let Some(slot) = self.qids.get_mut(usize::from(self.len)) else { return false };
        *slot = qid;
        self.len += 1;
        true
    }

    /// The qids, first to last.
    pub fn as_slice(&self) -> &[Qid] {
        &self.qids[..self.len.into()]
    }
}

impl<'a> Field<'a> for QidList {
    fn take(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let count = r.u16()?;
        let mut list = Self::default();
        for _ in 0..count {
            if !list.push(Qid::take(r)?) {
                return Err(DecodeError::TooManyNames { message: r.message, count });
            }
        }
        Ok(list)
    }

    fn put<S: Sink>(&self, w: &mut Writer<'_, S>) {
        w.bytes(&u16::from(self.len).to_le_bytes());
        for qid in self.as_slice() {
            qid.put(w);
        }
    }

    fn words(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (i, qid) in self.as_slice().iter().enumerate() {
            write!(f, "{}{qid}", if i == 0 { "" } else { " " })?;
        }
        f.write_str("]")
    }
}
