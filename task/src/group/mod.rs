//! Tasks that live together, as those of a container do: they are stopped and killed as one, share limits and a ceiling of
//! capabilities, see each other, and tell of their lives in one stream of events. What they see as files is not decided
//! here.
//!
//! ```text
//!            thaw                    A task that is made by a task of a group is of that group, for ever. While the group
//!   open ◄─────────► frozen          is frozen or shut no task of it starts; one whose start is under way strikes as soon
//!    ▲ │               │             as it runs.
//!    │ └─── shut ◄─────┘
//!    └─ reopen ┘
//! ```

mod bounds;
mod event;
mod events;
mod files;
mod ports;
mod sum;
mod warden;

pub use bounds::Bounds;
pub use event::Event;
pub use events::{Events, Reader};
pub use files::OpenFiles;
pub use sum::Sum;

use crate::{Caps, Exit, Limits, Task};
use parking_lot::{Mutex, RwLock};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use vfs::overlay::Full;
use vfs::{Errno, Error, Result, TaskId};

/// Whether tasks of a group may run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hold {
    Open,
    Frozen,
    Shut,
}

pub struct Group {
    pub id: u32,
    events: Events,
    members: Mutex<Members>,
    hold: watch::Sender<Hold>,
    bounds: Mutex<Bounds>,
    caps: RwLock<Arc<Caps>>,
    /// What was added to them since its first task may have been made.
    granted: RwLock<Caps>,
    /// Bytes to and from outside that runtimes told of.
    network: AtomicU64,
    /// Open files of all its programs, and how many they may be.
    files: AtomicU64,
    most_files: AtomicU64,
    /// What those used that have ended.
    past: Mutex<Sum>,
    /// Since it was opened first.
    since: Mutex<Option<Instant>>,
    /// Counts what shows that it is in use: starts, ends, network traffic, and what [`Group::touch`] is told of.
    activity: AtomicU64,
    /// Limits that were reached, for who looks later: the words of the latest.
    struck: Mutex<Option<String>>,
    /// A warden looks after it.
    guarded: AtomicBool,
    ports: ports::Ports,
}

#[derive(Default)]
struct Members {
    tasks: BTreeMap<u32, Weak<Task>>,
    /// Those that have not ended.
    alive: BTreeMap<u32, Weak<Task>>,
    /// Those that the group stopped, and not somebody else before.
    frozen: Vec<u32>,
}

impl Group {
    pub fn new(id: u32) -> Arc<Group> {
        Arc::new(Group {
            id,
            events: Events::new(),
            members: Mutex::default(),
            hold: watch::Sender::new(Hold::Open),
            bounds: Mutex::default(),
            caps: RwLock::new(Arc::new(Caps::everything())),
            granted: RwLock::default(),
            network: AtomicU64::new(0),
            files: AtomicU64::new(0),
            most_files: AtomicU64::new(u64::MAX),
            past: Mutex::default(),
            since: Mutex::new(None),
            activity: AtomicU64::new(0),
            struck: Mutex::new(None),
            guarded: AtomicBool::new(false),
            ports: ports::Ports::default(),
        })
    }

    /// Tells everyone who reads its events.
    pub fn say(&self, event: Event) {
        self.events.say(&event);
    }
    pub fn events(&self) -> &Events {
        &self.events
    }

    /// The most that its tasks may do, whatever they were given themselves. Asked at each use of the network, so that a
    /// change holds at once.
    pub fn caps(&self) -> Arc<Caps> {
        self.caps.read().clone()
    }
    pub fn set_caps(&self, caps: Caps) {
        let mut now = self.caps.write();
        caps.beyond(&now).append_to(&mut self.granted.write());
        *now = Arc::new(caps);
    }
    /// What was added to its ceiling since it was made: its tasks have that beside their own, as far as they have a use for
    /// it while they run, which is the network.
    pub(crate) fn granted(&self) -> Caps {
        self.granted.read().clone()
    }

    pub fn limits(&self) -> Bounds {
        *self.bounds.lock()
    }
    pub fn set_limits(self: &Arc<Group>, bounds: Bounds) {
        *self.bounds.lock() = bounds;
        self.most_files.store(bounds.files.map_or(u64::MAX, u64::from), Ordering::Relaxed);
        for task in self.alive() {
            task.life.tell_limits(task.bounded_limits());
        }
        self.hold.send_modify(|_| ());
    }
    /// The limit that was reached last, in words.
    pub fn struck(&self) -> Option<String> {
        self.struck.lock().clone()
    }

    /// Something happened that shows that it is in use, so that no idle time-out strikes.
    pub fn touch(&self) {
        self.activity.fetch_add(1, Ordering::Relaxed);
    }
    /// Counts `bytes` to or from outside; fails beyond the limit.
    pub fn charge_network(&self, bytes: u64) -> Result<()> {
        let before = self.network.fetch_add(bytes, Ordering::Relaxed);
        self.touch();
        let Some(limit) = self.limits().network else { return Ok(()) };
        if before.saturating_add(bytes) <= limit {
            return Ok(());
        }
        let text =
            format!("limit network={} of container {} reached", crate::limits::show_size(limit), self.id);
        if before <= limit {
            self.tell_struck("network", &text);
        }
        Err(Error::new(Errno::EACCES, text))
    }

    /// All that its tasks use and have used.
    pub fn usage(&self) -> Sum {
        let mut sum = *self.past.lock();
        for task in self.alive() {
            sum.add_living(&task);
        }
        sum.network = self.network.load(Ordering::Relaxed);
        sum
    }

    /// Time since the first of its tasks started.
    pub fn real(&self) -> Duration {
        self.since.lock().map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// Its tasks in the table, in order.
    pub fn tasks(&self) -> Vec<Arc<Task>> {
        self.members.lock().tasks.values().filter_map(Weak::upgrade).collect()
    }
    /// Those of its tasks that have not ended.
    pub fn alive(&self) -> Vec<Arc<Task>> {
        self.members.lock().alive.values().filter_map(Weak::upgrade).collect()
    }
    pub fn hold(&self) -> Hold {
        *self.hold.borrow()
    }
    /// Told of every change of [`Group::hold`] from now on.
    pub fn watch(&self) -> watch::Receiver<Hold> {
        self.hold.subscribe()
    }

    /// Stops every task that runs; none starts until [`Group::thaw`]. False where it was not open.
    pub fn freeze(&self) -> bool {
        let turned = self.turn(Hold::Open, Hold::Frozen);
        if turned {
            for task in self.alive() {
                self.freeze_one(&task);
            }
            self.say_life("stopped");
        }
        turned
    }
    /// Goes on with those that were stopped by [`Group::freeze`].
    pub fn thaw(&self) -> bool {
        let turned = self.turn(Hold::Frozen, Hold::Open);
        if turned {
            let frozen = std::mem::take(&mut self.members.lock().frozen);
            for task in self.alive().iter().filter(|task| frozen.contains(&task.id.0)) {
                // It may have been continued, or have ended, by itself.
                let _ = task.life.cont();
            }
            self.say_life("running");
        }
        turned
    }
    /// Kills every task; none starts until [`Group::reopen`].
    pub fn shut(&self, exit: &Exit) {
        let before = self.hold.send_replace(Hold::Shut);
        self.members.lock().frozen.clear();
        if before != Hold::Shut {
            self.say_life("exited");
        }
        for task in self.alive() {
            // Those that never ran need no end.
            let _ = task.life.kill(exit.clone());
        }
    }
    pub fn reopen(&self) -> bool {
        let turned = self.turn(Hold::Shut, Hold::Open);
        if turned {
            self.say_life("running");
        }
        turned
    }
    fn say_life(&self, word: &str) {
        self.say(Event::Life(vec![word.to_owned()]));
    }
    /// Kills what runs now and leaves the group as it is.
    pub fn kill_all(&self, exit: &Exit) {
        for task in self.alive() {
            let _ = task.life.kill(exit.clone());
        }
    }
    /// Done when those of its tasks have ended that run now.
    pub async fn quiet(&self) {
        for task in self.alive() {
            if task.life.running().is_some() {
                task.life.ended().await;
            }
        }
    }

    fn turn(&self, from: Hold, to: Hold) -> bool {
        self.hold.send_if_modified(|hold| {
            let fits = *hold == from;
            if fits {
                *hold = to;
            }
            fits
        })
    }
    fn freeze_one(&self, task: &Task) {
        let mut members = self.members.lock();
        // Whoever goes on with the group takes the list under this lock, when it is no longer frozen: nobody is put on it later.
        if self.hold() == Hold::Frozen && task.life.stop().is_ok() {
            members.frozen.push(task.id.0);
        }
    }

    /// Whether one more task may be made.
    pub(crate) fn has_room(&self) -> Result<()> {
        if self.hold() == Hold::Shut {
            return Err(self.shut_error("new"));
        }
        let Some(limit) = self.limits().tasks else { return Ok(()) };
        if self.members.lock().alive.len() < limit as usize {
            return Ok(());
        }
        let text = format!("limit tasks={limit} of container {} reached", self.id);
        self.tell_struck("tasks", &text);
        Err(Error::new(Errno::EAGAIN, text))
    }
    fn shut_error(&self, verb: &str) -> Error {
        Error::new(Errno::EBUSY, format!("{verb}: container {} was killed: start it first", self.id))
    }
    pub(crate) fn enter(&self, task: &Arc<Task>) {
        let mut members = self.members.lock();
        members.tasks.insert(task.id.0, Arc::downgrade(task));
        members.alive.insert(task.id.0, Arc::downgrade(task));
    }
    pub(crate) fn may_start(&self) -> Result<()> {
        match self.hold() {
            Hold::Open => Ok(()),
            Hold::Frozen => {
                let text = format!("start: container {} is stopped: cont it first", self.id);
                Err(Error::new(Errno::EBUSY, text))
            }
            Hold::Shut => Err(self.shut_error("start")),
        }
    }
    pub(crate) fn started(self: &Arc<Group>, task: &Arc<Task>, handle: &tokio::runtime::Handle) {
        self.touch();
        self.since.lock().get_or_insert_with(Instant::now);
        self.announce(task);
        // What was asked for while it started.
        match self.hold() {
            Hold::Open => {}
            Hold::Frozen => self.freeze_one(task),
            Hold::Shut => _ = task.life.kill(Exit::killed(128 + 9, "killed with its container")),
        }
        self.guard(handle);
    }
    /// Tells of a task's start, once, and before that of its parent's: what that has started may be here first.
    fn announce(&self, task: &Task) {
        task.announced.call_once(|| {
            let parent = task.ppid().and_then(|id| self.members.lock().alive.get(&id.0)?.upgrade());
            if let Some(parent) = parent.filter(|parent| !parent.life.is_new()) {
                self.announce(&parent);
            }
            self.say(Event::Started { task: task.id, argv: task.spec().argv });
        });
    }
    /// It has ended: told once, also where whoever waited for it has taken it out of the table already.
    pub(crate) fn ended(&self, task: &Task, exit: &Exit) {
        self.members.lock().alive.remove(&task.id.0);
        task.mourned.call_once(|| {
            self.touch();
            self.past.lock().add_ended(task);
            let struck =
                Limits::NAMES.iter().find(|name| exit.message.starts_with(&format!("{name} limit ")));
            if let Some(name) = struck {
                let message = format!("task {}: {}", task.id, exit.message);
                self.say(Event::Limit { name: (*name).to_owned(), message });
            }
            self.say(Event::Exited { task: task.id, code: exit.code, message: exit.message.clone() });
        });
        // The last one's end ends the warden's work.
        self.hold.send_modify(|_| ());
    }
    pub(crate) fn left(&self, id: TaskId) {
        let mut members = self.members.lock();
        members.tasks.remove(&id.0);
        members.alive.remove(&id.0);
    }

    /// A limit was reached: told to everyone who asks.
    pub fn tell_struck(&self, limit: &str, text: &str) {
        let before = self.struck.lock().replace(text.to_owned());
        // A guest that tries again and again says it once.
        if before.as_deref() != Some(text) {
            self.say(Event::Limit { name: limit.to_owned(), message: text.to_owned() });
        }
    }
    /// Its files have no room for more.
    pub fn tell_full(&self, full: Full) {
        let limits = self.limits();
        let reached = match full {
            Full::Bytes => limits.disk.map(|disk| ("disk", crate::limits::show_size(disk))),
            Full::Inodes => limits.inodes.map(|inodes| ("inodes", inodes.to_string())),
        };
        if let Some((name, value)) = reached {
            self.tell_struck(name, &format!("limit {name}={value} of container {} reached", self.id));
        }
    }

    /// Begins a new time: what was reached before is forgotten.
    pub fn forgive(&self) {
        *self.struck.lock() = None;
        *self.since.lock() = None;
        self.touch();
    }
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let members = self.members.lock();
        write!(f, "Group({}, {} tasks, {} alive)", self.id, members.tasks.len(), members.alive.len())
    }
}
