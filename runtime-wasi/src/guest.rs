//! What the host keeps for one module: the data of its wasmtime store. The calls of `p1` work on it. Components have their
//! own (`p2`), and are given the same directories.

use crate::budget::Budget;
use crate::control::Control;
use crate::descriptor::{Descriptor, Descriptors};
use crate::limits::{MemoryLimiter, Parts};
use crate::p1::newer::Alarms;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;
use task::{OpenFiles, Start, Trace, Usage};
use vfs::{Caller, DirEntry, OpenFlags, Place, Recall, Result};
use wasmtime::Memory;

pub(crate) struct Guest {
    /// The export `memory`, once a call has needed it.
    pub memory: Option<Memory>,
    pub fds: Descriptors,
    /// Those of its container.
    together: OpenFiles,
    pub args: Vec<Vec<u8>>,
    /// `KEY=value` each.
    pub env: Vec<Vec<u8>>,
    pub who: Caller,
    /// Where its paths lead.
    pub recall: Recall,
    pub control: Arc<Control>,
    pub usage: Arc<Usage>,
    /// What is to be added to that.
    pub tally: Tally,
    /// It has done something since it gave way that can have woken others.
    pub heard: bool,
    pub trace: Trace,
    pub limiter: MemoryLimiter,
    /// What the monotonic clock counts from.
    pub began: Instant,
    pub alarms: Alarms,
}

/// What a guest did since its task was told: told before it waits, at every tick of those that do not, and at its end. A count
/// that others read lies further away than those which only the guest's thread knows.
#[derive(Default)]
pub(crate) struct Tally {
    pub calls: u64,
    pub read_bytes: u64,
    pub written_bytes: u64,
}

/// A directory that a guest finds open at its start, and the name it is told.
pub(crate) struct Given {
    pub place: Place,
    pub name: Vec<u8>,
}

impl Given {
    /// What a guest with this namespace and current directory is given: `/`, and where it starts elsewhere that too, as `.`.
    ///
    /// WASI has no current directory, and wasi-libc (C, Rust, CPython) does not tell `/x` and `x` apart: it looks for the
    /// given directory with the longest name that fits, and the last of equals. So that absolute paths stay absolute, the
    /// directories in `/` are given too. What lies in `/` itself is found in `.` then, by such programs; Go asks PWD, and
    /// tells them apart.
    pub async fn find(start: &Start) -> Result<Vec<Given>> {
        let root = start.ns.root();
        let mut given = vec![Given { place: root.clone(), name: b"/".to_vec() }];
        if start.cwd.path() == b"/" {
            return Ok(given);
        }
        let mut names = Vec::new();
        let mut directories = |entry: DirEntry<'_>| {
            if entry.qid.kind.is_dir() {
                names.push(entry.name.to_owned());
            }
            true
        };
        // A guest that may not list `/` is given no more than it could find there.
        if let Ok(listing) = root.open(&start.who, OpenFlags::READ | OpenFlags::DIRECTORY).await {
            listing.readdir(0, &mut directories).await?;
        }
        for name in names {
            if let Ok(place) = root.walk(&start.who, &name).await {
                given.push(Given { place, name: [b"/", &name[..]].concat() });
            }
        }
        given.push(Given { place: start.cwd.clone(), name: b".".to_vec() });
        Ok(given)
    }
}

impl Guest {
    /// The guest as it is before its first instruction: stdio, the directories that it is given, and its environment.
    pub fn new(start: Start, given: Vec<Given>, control: Arc<Control>, budget: Arc<Budget>) -> Guest {
        let mut fds = Descriptors::default();
        let [stdin, stdout, stderr] = start.stdio;
        fds.insert(Descriptor::stdio(stdin, false));
        fds.insert(Descriptor::stdio(stdout, true));
        fds.insert(Descriptor::stdio(stderr, true));
        for Given { place, name } in given {
            fds.insert(Descriptor::preopen(place, &name));
        }
        let mut env: Vec<Vec<u8>> =
            start.env.into_iter().map(|(key, value)| [&key[..], b"=", &value[..]].concat()).collect();
        let cwd = start.cwd.path();
        if cwd != b"/" && !env.iter().any(|entry| entry.starts_with(b"PWD=")) {
            env.push([b"PWD=", &cwd[..]].concat());
        }
        let limiter =
            MemoryLimiter::new(control.limits.clone(), start.usage.clone(), budget, Parts::OF_MODULE);
        let guest = Guest {
            memory: None,
            fds,
            together: OpenFiles::of(start.group),
            args: start.argv,
            env,
            who: start.who,
            recall: Recall::default(),
            control,
            usage: start.usage,
            tally: Tally::default(),
            heard: false,
            trace: start.trace,
            limiter,
            began: Instant::now(),
            alarms: Alarms::default(),
        };
        guest.count_files();
        guest
    }

    pub fn count_files(&self) {
        let open = self.fds.open() as u64;
        self.usage.files.store(open, Ordering::Relaxed);
        self.together.set(open);
    }

    /// Tells the task what the guest did since it was told last.
    pub fn tell_tally(&mut self) {
        let Tally { calls, read_bytes, written_bytes } = std::mem::take(&mut self.tally);
        let counts = [
            (&self.usage.calls, calls),
            (&self.usage.read_bytes, read_bytes),
            (&self.usage.written_bytes, written_bytes),
        ];
        for (counter, more) in counts.into_iter().filter(|(_, more)| *more > 0) {
            Usage::add(counter, more);
        }
    }

    /// Fails with EMFILE where it, or its container, has as many files open as may be.
    pub fn room(&self) -> Result<()> {
        self.fds.room(self.control.limits.files())?;
        self.together.room()
    }

    /// Gives what was opened the lowest free number; EMFILE at the limit.
    pub fn insert(&mut self, descriptor: Descriptor) -> Result<u32> {
        self.room()?;
        Ok(self.insert_in_room(descriptor))
    }
    /// The same where there was found to be room.
    pub fn insert_in_room(&mut self, descriptor: Descriptor) -> u32 {
        let fd = self.fds.insert(descriptor);
        self.count_files();
        fd
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.tell_tally();
        self.usage.files.store(0, Ordering::Relaxed);
        self.usage.memory.store(0, Ordering::Relaxed);
    }
}
