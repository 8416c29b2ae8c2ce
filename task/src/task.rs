//! One task: all that its directory shows, and who may change it when.

use crate::life::Life;
use crate::lineage::Lineage;
use crate::spec::{self, Spec};
use crate::stdio::{Full, Log, Stdio};
use crate::tty::Tty;
use crate::{Caps, Exit, Group, Limits, TaskTable, Template, Trace, Usage};
use parking_lot::{Mutex, RwLock};
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Once, Weak};
use std::time::Duration;
use vfs::{
    Caller, Change, Device, Errno, Error, FileRef, Gid, Guard, Mark, Mode, Namespace, Qid, Result, Stat,
    TaskId, Time, Uid, Watch, Watcher, Watchers,
};

/// Lines of a trace that nobody has read yet, in bytes.
const TRACE_BOUND: usize = 256 << 10;

pub struct Task {
    pub id: TaskId,
    pub(crate) lineage: Arc<Lineage>,
    table: Weak<TaskTable>,
    pub(crate) group: Option<Arc<Group>>,
    /// Who made it: its guest acts as this user.
    uid: Uid,
    gid: Gid,
    groups: Arc<[Gid]>,
    born: Time,
    pub(crate) spec: Mutex<Spec>,
    ns: RwLock<Namespace>,
    limits: Mutex<Limits>,
    caps: RwLock<Arc<Caps>>,
    pub usage: Arc<Usage>,
    pub(crate) trace: Trace,
    pub trace_log: Arc<Log>,
    /// Held while the trace is turned on or off.
    tracing: Mutex<()>,
    pub stdio: Stdio,
    pub tty: Tty,
    /// Open files that its maker gave it for stdio/0, 1 and 2, until it is started.
    given: Mutex<[Option<FileRef>; 3]>,
    /// Signals that its maker ignores, a bit each.
    ignored: AtomicU64,
    pub life: Life,
    /// Its group has told of its start, and of its end.
    pub(crate) announced: Once,
    pub(crate) mourned: Once,
    /// Open ctl files, and whether the last one's close ends the task.
    ctl_files: AtomicUsize,
    killonclose: AtomicBool,
    last_error: Mutex<Option<String>>,
    /// It is in its table no more.
    removed: AtomicBool,
    /// Set by whoever would have to hear of that.
    mark: Mark,
    /// The same, of its directory in its container.
    mark_aside: Mark,
}

impl Task {
    pub(crate) fn new(
        table: &Arc<TaskTable>,
        id: TaskId,
        who: &Caller,
        parent: Option<&Task>,
        template: Template,
    ) -> Task {
        let Template { group, ns, spec, limits, caps } = template;
        Task {
            id,
            lineage: Lineage::new(id, parent.map(|p| p.lineage.clone())),
            table: Arc::downgrade(table),
            group,
            uid: who.uid,
            gid: who.gid,
            groups: who.groups.clone(),
            born: Time::now(),
            spec: Mutex::new(spec),
            ns: RwLock::new(ns),
            limits: Mutex::new(limits),
            caps: RwLock::new(caps),
            usage: Arc::default(),
            trace: Trace::default(),
            tracing: Mutex::new(()),
            trace_log: Arc::new(Log::new(TRACE_BOUND, Full::Drop)),
            stdio: Stdio::new(),
            tty: Tty::default(),
            given: Mutex::default(),
            ignored: AtomicU64::new(0),
            life: Life::new(id),
            announced: Once::new(),
            mourned: Once::new(),
            ctl_files: AtomicUsize::new(0),
            killonclose: AtomicBool::new(false),
            last_error: Mutex::new(None),
            removed: AtomicBool::new(false),
            mark: Mark::default(),
            mark_aside: Mark::default(),
        }
    }

    /// What a child of it starts with: its environment and directory, and all that it may.
    pub(crate) fn template(&self) -> Template {
        let theirs = self.spec.lock();
        let (env, cwd) = (theirs.env.clone(), theirs.cwd.clone());
        drop(theirs);
        Template {
            group: self.group.clone(),
            ns: self.namespace().fork(),
            spec: Spec { env, cwd, ..Spec::default() },
            limits: self.limits(),
            caps: self.caps(),
        }
    }

    pub fn table(&self) -> Result<Arc<TaskTable>> {
        self.table.upgrade().ok_or_else(|| Error::new(Errno::ENXIO, "the server has gone"))
    }
    /// The task that made this one; none where it was made from outside.
    pub fn ppid(&self) -> Option<TaskId> {
        self.lineage.parent.as_ref().map(|l| l.id)
    }
    /// Those it lives together with, where it is in a container.
    pub fn group(&self) -> Option<&Arc<Group>> {
        self.group.as_ref()
    }
    /// Tasks in the table that it made, directly or not.
    pub fn tasks_below(&self) -> u32 {
        self.lineage.below()
    }
    pub fn born(&self) -> Time {
        self.born
    }
    pub fn owner(&self) -> (Uid, Gid) {
        (self.uid, self.gid)
    }

    /// Added to the number of a file of its directory as its container shows it: see [`Task::file_path`].
    pub const ASIDE: u64 = 0x8000;
    /// The number of its directory among its files.
    pub const DIRECTORY: u64 = 16;

    /// The identity of the file numbered `file` (below 65 536; 1 to 3 are its stdio) of the task's directory.
    pub fn file_path(&self, file: u64) -> u64 {
        // The table outlives every node that a client can reach, but for the moments of a shutdown.
        self.table.upgrade().map_or(0, |t| t.tag.path(u64::from(self.id.0) << 16 | file))
    }
    /// The stat of one of its files: the maker's, empty.
    pub fn stat(&self, qid: Qid, mode: Mode) -> Stat {
        Stat {
            qid,
            mode,
            uid: self.uid,
            gid: self.gid,
            nlink: 1,
            size: 0,
            blocks: 0,
            blksize: 4096,
            rdev: Device::default(),
            atime: self.born,
            mtime: self.born,
            ctime: self.born,
            btime: self.born,
        }
    }

    /// Is it gone from its table? Those of its files that are open stay good; its names lead nowhere.
    pub fn was_removed(&self) -> bool {
        self.removed.load(Ordering::SeqCst)
    }
    /// Asks that `watcher` be told when it is removed.
    pub fn watch(&self, watcher: &Weak<dyn Watcher>) {
        if let Some(table) = self.table.upgrade() {
            table.watchers.add(watcher);
            self.mark.set(Watch::STATUS);
            self.mark_aside.set(Watch::STATUS);
        }
    }
    pub(crate) fn leave(&self, watchers: &Watchers) {
        self.removed.store(true, Ordering::SeqCst);
        self.mark.tell(watchers, self.file_path(Task::DIRECTORY), Change::Removed);
        self.mark_aside.tell(watchers, self.file_path(Task::DIRECTORY | Task::ASIDE), Change::Removed);
    }

    /// Who its guest is.
    pub fn guest(&self) -> Caller {
        let caps = self.caps();
        let guard: Option<Arc<dyn Guard>> = if caps.all_files() { None } else { Some(caps) };
        Caller { groups: self.groups.clone(), task: Some(self.id), guard, ..Caller::new(self.uid, self.gid) }
    }

    /// Fails where `who` is a task that neither is this one nor made it. Those of one group reach each other, if they may
    /// make tasks: else a task that was given less would do by another what it may not itself.
    pub fn reachable_by(&self, who: &Caller) -> Result<()> {
        match who.task {
            Some(asker) if !self.lineage.is_within(asker) && !self.is_fellow_of(asker) => Err(Error::new(
                Errno::EACCES,
                format!("permission denied: task {asker} did not make task {}", self.id),
            )),
            _ => Ok(()),
        }
    }

    fn is_fellow_of(&self, asker: TaskId) -> bool {
        let Some(group) = &self.group else { return false };
        let asker = self.table.upgrade().and_then(|table| table.get(asker));
        asker.is_some_and(|asker| {
            asker.group.as_ref().is_some_and(|theirs| Arc::ptr_eq(theirs, group)) && asker.caps().spawn()
        })
    }

    pub fn namespace(&self) -> Namespace {
        self.ns.read().clone()
    }
    pub(crate) fn set_namespace(&self, ns: Namespace) -> Result<()> {
        self.life.must_be_new("ns")?;
        *self.ns.write() = ns;
        Ok(())
    }

    pub fn spec(&self) -> Spec {
        self.spec.lock().clone()
    }
    /// Changes what is to be run, as long as the task is new. An error changes nothing.
    pub fn change_spec(&self, what: &str, change: impl FnOnce(&mut Spec) -> Result<()>) -> Result<()> {
        let mut spec = self.spec.lock();
        self.life.must_be_new(what)?;
        let mut changed = spec.clone();
        change(&mut changed)?;
        *spec = changed;
        Ok(())
    }
    pub fn set_kind(&self, kind: &str) -> Result<()> {
        self.table()?.registry().check(kind)?;
        self.change_spec("type", |spec| {
            spec.kind = kind.to_owned();
            Ok(())
        })
    }
    pub fn set_cmd(&self, text: &[u8]) -> Result<()> {
        let argv = spec::parse_cmd(text)?;
        self.change_spec("cmd", |spec| {
            (spec.argv, spec.program) = (argv, None);
            Ok(())
        })
    }
    /// A name for people; one line, any time.
    pub fn set_alias(&self, alias: &str) {
        self.spec.lock().alias = alias.to_owned();
    }

    pub fn limits(&self) -> Limits {
        *self.limits.lock()
    }
    /// Its limits, and no more than its group has for all.
    pub(crate) fn bounded_limits(&self) -> Limits {
        let limits = self.limits();
        match &self.group {
            Some(group) => group.limits().of_one(limits),
            None => limits,
        }
    }
    /// Sets limits by words (`memory=64M`); a task gives neither itself nor another more than it has.
    pub fn set_limits(&self, who: &Caller, words: &[&str]) -> Result<()> {
        self.life.must_not_be_over("limit")?;
        let outer = self.asker(who)?.map(|asker| asker.limits());
        let mut limits = self.limits.lock();
        let mut changed = *limits;
        words.iter().try_for_each(|word| changed.set(word))?;
        if let Some(outer) = outer {
            changed.within(&outer)?;
        }
        *limits = changed;
        drop(limits);
        self.life.tell_limits(self.bounded_limits());
        Ok(())
    }

    /// Gives it open files for its stdio, in place of its own streams and of what is bound there.
    pub fn give_stdio(&self, files: [FileRef; 3]) -> Result<()> {
        self.life.must_be_new("stdio")?;
        *self.given.lock() = files.map(Some);
        Ok(())
    }
    /// Gives it one of them.
    pub fn give_stream(&self, number: usize, file: FileRef) -> Result<()> {
        self.life.must_be_new("stdio")?;
        let mut given = self.given.lock();
        *given.get_mut(number).ok_or(Errno::EBADF)? = Some(file);
        Ok(())
    }
    /// Signals that it is to ignore from its start on, as a process does what its maker ignored (execve(2)): a bit each. A runtime
    /// that delivers signals minds them.
    pub fn ignore_signals(&self, signals: u64) -> Result<()> {
        self.life.must_be_new("signals")?;
        self.ignored.store(signals, Ordering::Relaxed);
        Ok(())
    }
    pub fn ignored_signals(&self) -> u64 {
        self.ignored.load(Ordering::Relaxed)
    }
    pub(crate) fn take_given(&self) -> [Option<FileRef>; 3] {
        std::mem::take(&mut *self.given.lock())
    }

    pub fn caps(&self) -> Arc<Caps> {
        self.caps.read().clone()
    }
    /// Changes the capabilities; a task gives neither itself nor another more than it has.
    pub fn change_caps(&self, who: &Caller, change: impl FnOnce(&mut Caps) -> Result<()>) -> Result<()> {
        self.life.must_be_new("cap")?;
        let outer = self.bounds(who)?;
        let mut caps = self.caps.write();
        let mut changed = Caps::clone(&caps);
        change(&mut changed)?;
        if let Some(outer) = outer {
            changed.within(&outer)?;
        }
        if let Some(group) = &self.group {
            changed.within(&group.caps())?;
        }
        *caps = Arc::new(changed);
        Ok(())
    }
    /// Its group's ceiling may have come down since.
    pub(crate) fn keep_within_ceiling(&self) {
        let Some(group) = &self.group else { return };
        let (mut caps, ceiling) = (self.caps.write(), group.caps());
        if caps.within(&ceiling).is_err() {
            *caps = Arc::new(caps.bounded_by(&ceiling));
        }
    }

    /// The task that asks, where one does.
    pub(crate) fn asker(&self, who: &Caller) -> Result<Option<Arc<Task>>> {
        match who.task {
            None => Ok(None),
            Some(id) => self
                .table()?
                .get(id)
                .map(Some)
                .ok_or_else(|| Error::new(Errno::ESRCH, format!("task {id} is gone"))),
        }
    }

    /// What `who` may give at most: the capabilities of the task that asks, or those that a user from outside is bound by.
    pub(crate) fn bounds(&self, who: &Caller) -> Result<Option<Arc<Caps>>> {
        Ok(self.asker(who)?.map(|asker| asker.caps()).or_else(|| Caps::of(who)))
    }

    pub fn set_killonclose(&self) {
        self.killonclose.store(true, Ordering::SeqCst);
    }
    pub fn ctl_opened(&self) {
        self.ctl_files.fetch_add(1, Ordering::SeqCst);
    }
    /// The last close of ctl ends a task with killonclose: one that runs is killed, one that never ran is removed.
    pub fn ctl_closed(&self) {
        let last = self.ctl_files.fetch_sub(1, Ordering::SeqCst) == 1;
        if !last || !self.killonclose.load(Ordering::SeqCst) {
            return;
        }
        if self.life.kill(Exit::killed(128 + 1, "killed: its ctl was closed")).is_err()
            && self.life.must_be_new("close").is_ok()
            && let Ok(table) = self.table()
        {
            // Someone else may have removed it in between.
            let _ = table.remove(self.id);
        }
    }

    /// A reader of the trace: from the first to the last such close, the runtime says a line a call.
    pub fn open_trace(&self) -> u64 {
        let _turn = self.tracing.lock();
        let log = Arc::downgrade(&self.trace_log);
        self.trace.listen(Some(Arc::new(move |line: &str| {
            if let Some(log) = log.upgrade() {
                // A log that drops takes everything at once, until the task is over.
                let _ = log.append(format!("{line}\n").as_bytes(), true).now();
            }
        })));
        self.trace_log.add_reader()
    }
    pub fn close_trace(&self, reader: u64) {
        let _turn = self.tracing.lock();
        self.trace_log.remove_reader(reader);
        if self.trace_log.readers() == 0 {
            self.trace.listen(None);
        }
    }

    pub fn last_error(&self) -> Option<String> {
        self.last_error.lock().clone()
    }
    pub(crate) fn remember(&self, error: &Error) {
        // A name with a line end in it must not make two of it.
        let line = crate::ctl::language::on_one_line(error.text());
        *self.last_error.lock() = Some(line);
    }

    /// `pid user-ms sys-ms real-ms 'message'` (cmd(3)).
    pub(crate) fn wait_line(&self, exit: &Exit, real: Duration) -> Vec<u8> {
        let ms = |ns: u64| ns / 1_000_000;
        let user = ms(self.usage.user_ns.load(Ordering::Relaxed));
        let sys = ms(self.usage.sys_ns.load(Ordering::Relaxed));
        let message = exit.message.replace('\'', "''").replace('\n', " ");
        format!("{} {user} {sys} {} '{message}'\n", self.id, real.as_millis()).into_bytes()
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Task({} {})", self.id, self.life.state())
    }
}
