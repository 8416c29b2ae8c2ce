//! The component model's canonical ABI, as far as WASI's calls need it: what goes in as numbers and pointers, and what comes
//! out in the guest's memory.
//!
//! What has no room of its own there, strings and lists, waits in [`Rooms`] until the guest has made some.

use super::Guest;
use crate::memory::GuestMemory;
use crate::p2::guest::MAX_HANDLES;
use std::collections::VecDeque;
use std::sync::Arc;
use wasmtime::component::Resource;
use wasmtime::{Caller, Error, Result};
use wasmtime_wasi::p2::bindings::clocks::wall_clock::Datetime;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    Advice, DescriptorFlags, DescriptorStat, DescriptorType, DirectoryEntry, ErrorCode, MetadataHashValue,
    NewTimestamp, OpenFlags, PathFlags,
};
use wasmtime_wasi_io::bindings::wasi::io::streams::StreamError;

/// The words that a call which gives something answers with: it is done, it was not done at once, or else how much room is wanted
/// next, `alignment << 32 | bytes`.
pub(super) const DONE: i64 = 0;
pub(super) const NOT_AT_ONCE: i64 = -1;

/// A call copies at most this many bytes: they are the server's while it lasts.
const MAX_COPIED: u32 = 16 << 20;

/// One call of a guest: its memory, and what the host keeps for it.
pub(super) struct Call<'c> {
    pub memory: GuestMemory<'c>,
    pub guest: &'c mut Guest,
}

impl<'c> Call<'c> {
    /// One that is not of `wasi:filesystem`: what was looked at before may be something else behind it.
    pub fn begin(caller: &'c mut Caller<'_, Guest>) -> Result<Call<'c>> {
        caller.data_mut().looked.forget();
        Call::of_files(caller)
    }

    #[inline(always)]
    pub fn of_files(caller: &'c mut Caller<'_, Guest>) -> Result<Call<'c>> {
        let Some(memory) = caller.data().memory else { return Err(Error::msg("no memory yet")) };
        let (bytes, guest) = memory.data_and_store_mut(caller);
        Ok(Call { memory: GuestMemory::new(bytes), guest })
    }

    pub fn bytes(&self, at: u32, len: u32) -> Result<&[u8]> {
        self.memory.bytes(at, len as usize).map_err(|_| out_of_bounds())
    }

    /// The same, to keep. What is longer than a call has any use for is not copied.
    pub fn copied(&self, at: u32, len: u32) -> Result<Vec<u8>> {
        let bytes = self.bytes(at, len)?;
        if len > MAX_COPIED {
            return Err(Error::msg(format!("{len} bytes given at once, of {MAX_COPIED} allowed")));
        }
        Ok(bytes.to_vec())
    }

    pub fn text(&self, at: u32, len: u32) -> Result<String> {
        Ok(String::from_utf8(self.copied(at, len)?)?)
    }

    pub fn handles<T: 'static>(&self, at: u32, count: u32) -> Result<Vec<Resource<T>>> {
        aligned(at, 4)?;
        let size = count.checked_mul(4).ok_or_else(out_of_bounds)?;
        if count as usize > MAX_HANDLES {
            return Err(Error::msg(format!("{count} handles given at once, of {MAX_HANDLES} allowed")));
        }
        let words = self.bytes(at, size)?.as_chunks::<4>().0;
        words.iter().map(|word| handle(u32::from_le_bytes(*word))).collect()
    }

    /// Writes `answer` where the guest wants it, and says whether that was all.
    #[inline]
    pub fn give<T: Lower>(&mut self, to: u32, answer: T) -> Result<i64> {
        aligned(to, T::ALIGN)?;
        self.guest.rooms.0.clear();
        answer.lower(&mut Target { memory: &mut self.memory, rooms: &mut self.guest.rooms }, to)?;
        Ok(self.guest.rooms.wanted())
    }

    /// The guest has made the room that was wanted.
    pub fn take(&mut self, room: u32) -> Result<i64> {
        let Some(Room { align, size, pointer, content }) = self.guest.rooms.0.pop_front() else {
            return Err(Error::msg("room was made that nobody asked for"));
        };
        aligned(room, align)?;
        self.bytes(room, size)?;
        let mut target = Target { memory: &mut self.memory, rooms: &mut self.guest.rooms };
        target.put_u32(pointer, room)?;
        match content {
            Content::Bytes(bytes) => target.put(room, &bytes)?,
            Content::Shared(bytes) => target.put(room, &bytes)?,
            Content::Items(lower) => lower(&mut target, room)?,
        }
        Ok(self.guest.rooms.wanted())
    }
}

fn out_of_bounds() -> Error {
    Error::msg("pointer out of bounds")
}

fn aligned(at: u32, align: u32) -> Result<()> {
    if at.is_multiple_of(align) { Ok(()) } else { Err(Error::msg("pointer not aligned")) }
}

/// What a number stands for in the table: guests count handles from 1.
pub(super) fn handle<T: 'static>(number: u32) -> Result<Resource<T>> {
    number.checked_sub(1).map(Resource::new_borrow).ok_or_else(|| Error::msg("unknown handle index 0"))
}

/// The same, of what the guest gives away.
pub(super) fn own<T: 'static>(number: u32) -> Result<Resource<T>> {
    Ok(Resource::new_own(handle::<T>(number)?.rep()))
}

pub(super) fn number<T: 'static>(resource: &Resource<T>) -> u32 {
    resource.rep() + 1
}

pub(super) fn advice(word: u32) -> Result<Advice> {
    Ok(match word {
        0 => Advice::Normal,
        1 => Advice::Sequential,
        2 => Advice::Random,
        3 => Advice::WillNeed,
        4 => Advice::DontNeed,
        5 => Advice::NoReuse,
        _ => return Err(Error::msg("invalid discriminant of advice")),
    })
}

pub(super) fn timestamp(case: u32, seconds: u64, nanoseconds: u32) -> Result<NewTimestamp> {
    Ok(match case {
        0 => NewTimestamp::NoChange,
        1 => NewTimestamp::Now,
        2 => NewTimestamp::Timestamp(Datetime { seconds, nanoseconds }),
        _ => return Err(Error::msg("invalid discriminant of new-timestamp")),
    })
}

/// What waits for room in the guest's memory, in the order in which it is asked for.
#[derive(Default)]
pub(in crate::p2) struct Rooms(VecDeque<Room>);

struct Room {
    align: u32,
    size: u32,
    /// Where the guest looks for it.
    pointer: u32,
    content: Content,
}

enum Content {
    Bytes(Vec<u8>),
    Shared(Arc<Vec<u8>>),
    Items(Items),
}

/// Writes the items of a list there.
type Items = Box<dyn FnOnce(&mut Target<'_, '_>, u32) -> Result<()> + Send + Sync>;

impl Rooms {
    fn wanted(&self) -> i64 {
        self.0.front().map_or(DONE, |room| i64::from(room.align) << 32 | i64::from(room.size))
    }
}

/// Where answers are written.
pub(super) struct Target<'t, 'm> {
    memory: &'t mut GuestMemory<'m>,
    rooms: &'t mut Rooms,
}

impl Target<'_, '_> {
    fn put(&mut self, at: u32, bytes: &[u8]) -> Result<()> {
        self.memory.put(at, bytes).map_err(|_| out_of_bounds())
    }
    fn put_u32(&mut self, at: u32, word: u32) -> Result<()> {
        self.put(at, &word.to_le_bytes())
    }
    /// Whole words: what is between fields is written too.
    fn put_words<const N: usize>(&mut self, at: u32, words: [u64; N]) -> Result<()> {
        self.memory.put_words(at, words).map_err(|_| out_of_bounds())
    }
    /// A pointer, for which there is room later, and how many things are there.
    fn put_later(&mut self, at: u32, align: u32, each: u32, count: usize, content: Content) -> Result<()> {
        let sizes = u32::try_from(count).ok().and_then(|count| Some((count, count.checked_mul(each)?)));
        let (count, size) = sizes.ok_or_else(|| Error::msg("a list is longer than memory"))?;
        self.put_words(at, [u64::from(count) << 32])?;
        self.rooms.0.push_back(Room { align, size, pointer: at, content });
        Ok(())
    }
}

/// What a call can give, and how it lies in memory.
pub(super) trait Lower: Sized {
    const SIZE: u32;
    const ALIGN: u32;
    fn lower(self, to: &mut Target<'_, '_>, at: u32) -> Result<()>;
}

const fn larger(a: u32, b: u32) -> u32 {
    if a > b { a } else { b }
}

impl Lower for () {
    const SIZE: u32 = 0;
    const ALIGN: u32 = 1;
    fn lower(self, _to: &mut Target<'_, '_>, _at: u32) -> Result<()> {
        Ok(())
    }
}

/// Numbers, and what is told by one.
macro_rules! lower_numbers {
    ($($ty:ty as $word:ty: $it:ident => $number:expr;)*) => {$(
        impl Lower for $ty {
            const SIZE: u32 = size_of::<$word>() as u32;
            const ALIGN: u32 = Self::SIZE;
            #[inline(always)]
            fn lower(self, to: &mut Target<'_, '_>, at: u32) -> Result<()> {
                let $it = self;
                let number: $word = $number;
                to.put(at, &number.to_le_bytes())
            }
        }
    )*};
}

lower_numbers! {
    bool as u8: it => it.into();
    u32 as u32: it => it;
    u64 as u64: it => it;
    ErrorCode as u8: it => it as u8;
    DescriptorType as u8: it => it as u8;
    DescriptorFlags as u8: it => it.as_array()[0] as u8;
}

impl<T: 'static> Lower for Resource<T> {
    const SIZE: u32 = 4;
    const ALIGN: u32 = 4;
    fn lower(self, to: &mut Target<'_, '_>, at: u32) -> Result<()> {
        to.put_u32(at, number(&self))
    }
}

/// Strings and lists of bytes.
macro_rules! lower_bytes {
    ($($ty:ty: $it:ident => $content:expr;)*) => {$(
        impl Lower for $ty {
            const SIZE: u32 = 8;
            const ALIGN: u32 = 4;
            fn lower(self, to: &mut Target<'_, '_>, at: u32) -> Result<()> {
                let $it = self;
                to.put_later(at, 1, 1, $it.len(), $content)
            }
        }
    )*};
}

lower_bytes! {
    String: it => Content::Bytes(it.into_bytes());
    Vec<u8>: it => Content::Bytes(it);
    Arc<Vec<u8>>: it => Content::Shared(it);
}

/// A list of what is not bytes.
pub(super) struct List<T>(pub Vec<T>);

impl<T: Lower + Send + Sync + 'static> Lower for List<T> {
    const SIZE: u32 = 8;
    const ALIGN: u32 = 4;
    fn lower(self, to: &mut Target<'_, '_>, at: u32) -> Result<()> {
        let count = self.0.len();
        let items = Content::Items(Box::new(move |to, base| {
            (0..).zip(self.0).try_for_each(|(index, item)| item.lower(to, base + T::SIZE * index))
        }));
        to.put_later(at, T::ALIGN, T::SIZE, count, items)
    }
}

/// Two things in a row, of which the second needs no more alignment than the first.
impl<A: Lower, B: Lower> Lower for (A, B) {
    const SIZE: u32 = (A::SIZE + B::SIZE).next_multiple_of(A::ALIGN);
    const ALIGN: u32 = {
        assert!(B::ALIGN <= A::ALIGN && A::SIZE.is_multiple_of(B::ALIGN));
        A::ALIGN
    };
    fn lower(self, to: &mut Target<'_, '_>, at: u32) -> Result<()> {
        self.0.lower(to, at)?;
        self.1.lower(to, at + A::SIZE)
    }
}

impl<T: Lower> Lower for Option<T> {
    const SIZE: u32 = T::ALIGN + T::SIZE;
    const ALIGN: u32 = T::ALIGN;
    fn lower(self, to: &mut Target<'_, '_>, at: u32) -> Result<()> {
        match self {
            None => to.put(at, &[0]),
            Some(it) => {
                to.put(at, &[1])?;
                it.lower(to, at + T::ALIGN)
            }
        }
    }
}

impl<T: Lower, E: Lower> Lower for Result<T, E> {
    const SIZE: u32 = (Self::ALIGN + larger(T::SIZE, E::SIZE)).next_multiple_of(Self::ALIGN);
    const ALIGN: u32 = larger(T::ALIGN, E::ALIGN);
    #[inline(always)]
    fn lower(self, to: &mut Target<'_, '_>, at: u32) -> Result<()> {
        match self {
            Ok(it) => {
                to.put(at, &[0])?;
                it.lower(to, at + Self::ALIGN)
            }
            Err(it) => {
                to.put(at, &[1])?;
                it.lower(to, at + Self::ALIGN)
            }
        }
    }
}

impl Lower for StreamError {
    const SIZE: u32 = 8;
    const ALIGN: u32 = 4;
    fn lower(self, to: &mut Target<'_, '_>, at: u32) -> Result<()> {
        match self {
            StreamError::LastOperationFailed(error) => {
                to.put(at, &[0])?;
                error.lower(to, at + 4)
            }
            StreamError::Closed => to.put(at, &[1]),
        }
    }
}

impl Lower for Datetime {
    const SIZE: u32 = 16;
    const ALIGN: u32 = 8;
    fn lower(self, to: &mut Target<'_, '_>, at: u32) -> Result<()> {
        to.put_words(at, [self.seconds, self.nanoseconds.into()])
    }
}

impl Lower for MetadataHashValue {
    const SIZE: u32 = 16;
    const ALIGN: u32 = 8;
    #[inline(always)]
    fn lower(self, to: &mut Target<'_, '_>, at: u32) -> Result<()> {
        to.put_words(at, [self.lower, self.upper])
    }
}

/// Written as words at once: a processor waits for what it has put together of smaller pieces.
impl Lower for DescriptorStat {
    const SIZE: u32 = 96;
    const ALIGN: u32 = 8;
    #[inline(always)]
    fn lower(self, to: &mut Target<'_, '_>, at: u32) -> Result<()> {
        let time = |time: Option<Datetime>| match time {
            Some(Datetime { seconds, nanoseconds }) => [1, seconds, nanoseconds.into()],
            None => [0; 3],
        };
        let [a, a_secs, a_nanos] = time(self.data_access_timestamp);
        let [m, m_secs, m_nanos] = time(self.data_modification_timestamp);
        let [c, c_secs, c_nanos] = time(self.status_change_timestamp);
        let (kind, links, size) = (self.type_ as u64, self.link_count, self.size);
        to.put_words(at, [kind, links, size, a, a_secs, a_nanos, m, m_secs, m_nanos, c, c_secs, c_nanos])
    }
}

impl Lower for DirectoryEntry {
    const SIZE: u32 = 12;
    const ALIGN: u32 = 4;
    fn lower(self, to: &mut Target<'_, '_>, at: u32) -> Result<()> {
        self.type_.lower(to, at)?;
        self.name.lower(to, at + 4)
    }
}

/// Flags, by their bits from the lowest; those that nothing is known of are passed over.
macro_rules! flags {
    ($($name:ident: $ty:ty = $($flag:ident)*;)*) => {$(
        pub(super) fn $name(word: u32) -> $ty {
            let mut flags = <$ty>::empty();
            let known = [$(<$ty>::$flag),*];
            for (_, flag) in known.into_iter().enumerate().filter(|(bit, _)| word & (1 << bit) != 0) {
                flags |= flag;
            }
            flags
        }
    )*};
}

flags! {
    path_flags: PathFlags = SYMLINK_FOLLOW;
    open_flags: OpenFlags = CREATE DIRECTORY EXCLUSIVE TRUNCATE;
    descriptor_flags: DescriptorFlags = READ WRITE FILE_INTEGRITY_SYNC DATA_INTEGRITY_SYNC REQUESTED_WRITE_SYNC
        MUTATE_DIRECTORY;
}
