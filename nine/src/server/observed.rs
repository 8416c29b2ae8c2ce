//! What can be seen of a connection from outside: what it has done so far, in figures, and, while somebody watches, its
//! messages in words.
//!
//! Only the connection's own task writes the figures, so that counting is a plain load and a plain store, without a locked
//! instruction or a line that two cores fight over; anybody may read them. Who adds them up, and for whom, is left to the
//! embedding server.

use std::fmt;
use std::ops::AddAssign;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use parking_lot::RwLock;

use crate::wire::Tmessage;

/// A figure with one writer.
#[derive(Default)]
struct Count(AtomicU64);

impl Count {
    fn add(&self, more: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(more), Relaxed);
    }
    fn set(&self, value: u64) {
        self.0.store(value, Relaxed);
    }
    fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Requests are counted by their number, which is even and at most 126.
const KINDS: usize = 64;
/// Errors by errno; what is beyond Linux's last is counted as 0.
const ERRNOS: usize = 134;

/// The upper bounds of the classes of [`Figures::answered`].
pub const ANSWER_TIMES: [Duration; 16] = [
    Duration::from_micros(5),
    Duration::from_micros(10),
    Duration::from_micros(25),
    Duration::from_micros(50),
    Duration::from_micros(100),
    Duration::from_micros(250),
    Duration::from_micros(500),
    Duration::from_millis(1),
    Duration::from_micros(2500),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(25),
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_secs(1),
    Duration::from_secs(10),
];

/// One connection, as it is seen from outside.
pub struct Observed {
    connection: u64,
    messages: Messages,
    requests: [Count; KINDS],
    errors: [Count; ERRNOS],
    received: Count,
    sent: Count,
    fids: Count,
    in_flight: Count,
    buffered: Count,
    answered: [Count; ANSWER_TIMES.len() + 1],
    answer_nanos: Count,
}

impl Default for Observed {
    fn default() -> Self {
        Self::new(0, Messages::default())
    }
}

impl Observed {
    /// A connection by that number, whose messages are shown to those who watch `messages`.
    pub fn new(connection: u64, messages: Messages) -> Self {
        Self {
            connection,
            messages,
            requests: [const { Count(AtomicU64::new(0)) }; KINDS],
            errors: [const { Count(AtomicU64::new(0)) }; ERRNOS],
            received: Count::default(),
            sent: Count::default(),
            fids: Count::default(),
            in_flight: Count::default(),
            buffered: Count::default(),
            answered: Default::default(),
            answer_nanos: Count::default(),
        }
    }

    /// What it has done so far. The figures are read one after the other while the connection goes on.
    pub fn figures(&self) -> Figures {
        Figures {
            requests: std::array::from_fn(|kind| self.requests[kind].get()),
            errors: std::array::from_fn(|errno| self.errors[errno].get()),
            received: self.received.get(),
            sent: self.sent.get(),
            fids: self.fids.get(),
            in_flight: self.in_flight.get(),
            buffered: self.buffered.get(),
            answered: std::array::from_fn(|class| self.answered[class].get()),
            answer_nanos: self.answer_nanos.get(),
        }
    }

    pub(super) fn requested(&self, kind: u8) {
        self.requests[usize::from(kind / 2) % KINDS].add(1);
    }
    pub(super) fn failed(&self, errno: u32) {
        self.errors[usize::try_from(errno).ok().filter(|errno| *errno < ERRNOS).unwrap_or(0)].add(1);
    }
    pub(super) fn received(&self, bytes: usize) {
        self.received.add(bytes as u64);
    }
    pub(super) fn sent(&self, bytes: u64) {
        self.sent.set(bytes);
    }
    /// What it holds now.
    pub(super) fn holds(&self, fids: usize, in_flight: usize, buffered: usize) {
        self.fids.set(fids as u64);
        self.in_flight.set(in_flight as u64);
        self.buffered.set(buffered as u64);
    }
    /// `count` requests had their answers after so long.
    pub(super) fn answered(&self, count: u64, took: Duration) {
        let class = ANSWER_TIMES.iter().position(|most| took <= *most).unwrap_or(ANSWER_TIMES.len());
        self.answered[class].add(count);
        self.answer_nanos.add(count.saturating_mul(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX)));
    }

    /// Whether anybody watches its messages: ask before words are made.
    #[inline]
    pub(super) fn is_watched(&self) -> bool {
        self.messages.is_watched()
    }
    pub(super) fn say(&self, way: Way, words: fmt::Arguments<'_>) {
        self.messages.say(&Spoken { connection: self.connection, way, words });
    }
}

/// What one connection, or several together, have done and hold.
#[derive(Clone, Debug)]
pub struct Figures {
    requests: [u64; KINDS],
    errors: [u64; ERRNOS],
    /// Bytes that came.
    pub received: u64,
    /// Bytes of replies that the stream has taken.
    pub sent: u64,
    /// Fids now.
    pub fids: u64,
    /// Requests now that have not been answered.
    pub in_flight: u64,
    /// Bytes now that wait to be written, or that pending requests keep.
    pub buffered: u64,
    /// How many requests were answered within each of [`ANSWER_TIMES`] (and not within the one before), and later.
    /// From the arrival of the request to the reply's being ready; not counted are requests that wait for something
    /// to happen (reads of streams, locks), Tversion and Tflush.
    pub answered: [u64; ANSWER_TIMES.len() + 1],
    /// All those times together.
    pub answer_nanos: u64,
}

impl Default for Figures {
    fn default() -> Self {
        Observed::default().figures()
    }
}

impl Figures {
    /// How many requests of each type came, by the manual's name.
    pub fn requests(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        let by_kind = self.requests.iter().enumerate();
        by_kind.filter_map(|(half, count)| Some((Tmessage::name_of(half as u8 * 2)?, *count)))
    }

    /// How many requests failed with each errno, of those that any did.
    pub fn errors(&self) -> impl Iterator<Item = (u32, u64)> + '_ {
        let by_errno = self.errors.iter().enumerate().filter(|(_, count)| **count > 0);
        by_errno.map(|(errno, count)| (errno as u32, *count))
    }

    /// What is left of it when the connection has ended: it holds nothing any more.
    pub fn ended(self) -> Self {
        Self { fids: 0, in_flight: 0, buffered: 0, ..self }
    }
}

impl AddAssign<&Figures> for Figures {
    fn add_assign(&mut self, other: &Figures) {
        fn add(sums: &mut [u64], more: &[u64]) {
            sums.iter_mut().zip(more).for_each(|(sum, more)| *sum = sum.wrapping_add(*more));
        }
        add(&mut self.requests, &other.requests);
        add(&mut self.errors, &other.errors);
        add(&mut self.answered, &other.answered);
        for (sum, more) in [
            (&mut self.received, other.received),
            (&mut self.sent, other.sent),
            (&mut self.fids, other.fids),
            (&mut self.in_flight, other.in_flight),
            (&mut self.buffered, other.buffered),
            (&mut self.answer_nanos, other.answer_nanos),
        ] {
            *sum = sum.wrapping_add(more);
        }
    }
}

/// Which way a message goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// From the client to the server.
    In,
    /// From the server to the client.
    Out,
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Way::In { "<-" } else { "->" })
    }
}

/// A message, as it is told to those who watch; shown, it is `7 <- Tread tag 4 fid 5 offset 0 count 8192`.
#[derive(Clone, Copy, Debug)]
pub struct Spoken<'a> {
    /// The number that the connection was given.
    pub connection: u64,
    /// From whom to whom.
    pub way: Way,
    words: fmt::Arguments<'a>,
}

impl fmt::Display for Spoken<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.connection, self.way, self.words)
    }
}

type Listener = Arc<dyn Fn(&Spoken<'_>) + Send + Sync>;

/// The messages of many connections, as one stream for whoever watches. While nobody does, a message costs one load of a
/// value that does not change.
#[derive(Clone, Default)]
pub struct Messages(Arc<Watched>);

#[derive(Default)]
struct Watched {
    on: AtomicBool,
    listener: RwLock<Option<Listener>>,
}

impl Messages {
    /// Tells every message to `listener`, on the task of its connection, until told otherwise. It must not wait.
    pub fn listen(&self, listener: Option<Listener>) {
        let mut place = self.0.listener.write();
        self.0.on.store(listener.is_some(), Relaxed);
        *place = listener;
    }

    #[inline]
    fn is_watched(&self) -> bool {
        self.0.on.load(Relaxed)
    }

    fn say(&self, spoken: &Spoken<'_>) {
        let listener = self.0.listener.read().clone();
        if let Some(listener) = listener {
            listener(spoken);
        }
    }
}

impl fmt::Debug for Messages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Messages(watched: {})", self.is_watched())
    }
}

impl fmt::Debug for Observed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Observed({}, {:?})", self.connection, self.figures())
    }
}
