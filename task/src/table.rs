//! All tasks of a server, by number.

use crate::lineage::{Lineage, MAX_DEPTH};
use crate::{Caps, Exit, Group, Limits, Registry, Spec, Task};
use parking_lot::{Mutex, RwLock};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use tokio::runtime::Handle;
use vfs::{Caller, Errno, Error, Namespace, NodeRef, Op, Result, TaskId, TreeTag, Watchers};

/// Where the trees come from that a `mount` line may name besides those that the namespace has already.
pub trait Attach: Send + Sync {
    fn attach<'a>(&'a self, who: &'a Caller, spec: &'a str) -> Op<'a, NodeRef>;
}

/// What a table is made from.
pub struct Config {
    pub registry: Registry,
    /// Where the ends of tasks are awaited.
    pub handle: Handle,
    /// Tasks in the table at most.
    pub max_tasks: usize,
    /// What a task made from outside starts with.
    pub limits: Limits,
    pub attach: Option<Arc<dyn Attach>>,
}

impl Config {
    /// More than one server can run at once; a task that only sits in the table costs about two kilobytes.
    pub const MAX_TASKS: usize = 32768;

    /// On the runtime that the caller runs in.
    pub fn new(registry: Registry) -> Config {
        Config {
            registry,
            handle: Handle::current(),
            max_tasks: Config::MAX_TASKS,
            limits: Limits::default(),
            attach: None,
        }
    }
}

/// What a new task starts with.
pub struct Template {
    pub group: Option<Arc<Group>>,
    pub ns: Namespace,
    pub spec: Spec,
    pub limits: Limits,
    pub caps: Arc<Caps>,
}

pub struct TaskTable {
    pub(crate) config: Config,
    pub(crate) tag: TreeTag,
    tasks: Mutex<Tasks>,
    /// What a task made from outside gets a copy of.
    home: RwLock<Option<Namespace>>,
    pub(crate) watchers: Watchers,
}

struct Tasks {
    by_id: BTreeMap<u32, Arc<Task>>,
    next: u32,
}

impl TaskTable {
    /// Fails where the process has no tree number left.
    pub fn new(config: Config) -> Result<Arc<TaskTable>> {
        let tag = TreeTag::take().ok_or_else(|| Error::new(Errno::ENFILE, "too many trees"))?;
        let tasks = Mutex::new(Tasks { by_id: BTreeMap::new(), next: 1 });
        Ok(Arc::new(TaskTable { config, tag, tasks, home: RwLock::new(None), watchers: Watchers::default() }))
    }

    /// Tasks made from outside from now on get a copy of `ns`.
    pub fn set_home(&self, ns: Namespace) {
        *self.home.write() = Some(ns);
    }
    /// The server's own namespace.
    pub fn home(&self) -> Option<Namespace> {
        self.home.read().clone()
    }
    /// What a task made from outside starts with.
    pub fn default_limits(&self) -> Limits {
        self.config.limits
    }
    pub fn registry(&self) -> &Registry {
        &self.config.registry
    }

    pub fn get(&self, id: TaskId) -> Option<Arc<Task>> {
        self.tasks.lock().by_id.get(&id.0).cloned()
    }
    pub fn len(&self) -> usize {
        self.tasks.lock().by_id.len()
    }
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Up to `count` tasks whose number is greater than `after`, in order.
    pub fn after(&self, after: u32, count: usize) -> Vec<Arc<Task>> {
        let tasks = self.tasks.lock();
        let range = (std::ops::Bound::Excluded(after), std::ops::Bound::Unbounded);
        tasks.by_id.range::<u32, _>(range).take(count).map(|(_, task)| task.clone()).collect()
    }

    /// Makes a task for `who`. A task's own child starts with its maker's namespace, limits, capabilities, environment and
    /// directory.
    pub fn make(self: &Arc<TaskTable>, who: &Caller) -> Result<Arc<Task>> {
        let parent = match who.task {
            None => None,
            Some(id) => Some(self.get(id).ok_or_else(|| {
                Error::new(Errno::ESRCH, format!("task {id} is gone and can make no tasks"))
            })?),
        };
        let bounds = parent.as_ref().map(|parent| parent.caps()).or_else(|| Caps::of(who));
        if bounds.is_some_and(|caps| !caps.spawn()) {
            return Err(Error::new(Errno::EACCES, "permission denied: no capability \"spawn\""));
        }
        let template = match &parent {
            Some(parent) => parent.template(),
            None => self.template_from_home(who)?,
        };
        self.make_from(who, parent, template)
    }

    fn template_from_home(&self, who: &Caller) -> Result<Template> {
        let home = self.home().ok_or_else(|| Error::new(Errno::ENXIO, "the server has no namespace yet"))?;
        Ok(Template {
            group: None,
            ns: home.fork(),
            spec: Spec::default(),
            limits: self.config.limits,
            caps: Caps::of(who).unwrap_or_else(|| Arc::new(Caps::fresh())),
        })
    }

    /// Makes a task that has no maker among the tasks: `who` comes from outside, and may make tasks.
    pub fn make_with(self: &Arc<TaskTable>, who: &Caller, template: Template) -> Result<Arc<Task>> {
        self.make_from(who, None, template)
    }

    fn make_from(
        self: &Arc<TaskTable>,
        who: &Caller,
        parent: Option<Arc<Task>>,
        template: Template,
    ) -> Result<Arc<Task>> {
        let mut tasks = self.tasks.lock();
        self.has_room(&tasks, parent.as_deref())?;
        let group = template.group.clone();
        if let Some(group) = &group {
            group.has_room()?;
        }
        let id = TaskId(tasks.next);
        // Numbers are not used again: a client that holds an old one must not meet another's task.
        tasks.next = tasks.next.checked_add(1).ok_or(Errno::EAGAIN)?;
        let task = Arc::new(Task::new(self, id, who, parent.as_deref(), template));
        task.lineage.enter();
        if let Some(group) = &group {
            group.enter(&task);
        }
        tasks.by_id.insert(id.0, task.clone());
        Ok(task)
    }

    fn has_room(&self, tasks: &Tasks, parent: Option<&Task>) -> Result<()> {
        let max = self.config.max_tasks;
        if tasks.by_id.len() >= max {
            return Err(Error::new(Errno::EAGAIN, format!("too many tasks: this server holds {max}")));
        }
        let Some(parent) = parent else { return Ok(()) };
        let makers: Vec<&Lineage> =
            std::iter::once(&*parent.lineage).chain(parent.lineage.ancestors()).collect();
        if makers.len() as u32 >= MAX_DEPTH {
            return Err(Error::new(Errno::EAGAIN, format!("tasks may be {MAX_DEPTH} deep at most")));
        }
        for maker in makers {
            let limit = tasks.by_id.get(&maker.id.0).and_then(|task| task.limits().tasks);
            if limit.is_some_and(|limit| maker.below() >= limit) {
                let text = format!("limit tasks={} of task {} reached", maker.below(), maker.id);
                return Err(Error::new(Errno::EAGAIN, text));
            }
        }
        Ok(())
    }

    /// The identity of the file numbered `file` (below 65 536) that belongs to no task.
    pub fn file_path(&self, file: u64) -> u64 {
        self.tag.path(file)
    }

    /// Kills every task and waits until all have ended: a server's last act.
    pub async fn stop(&self) {
        let all: Vec<Arc<Task>> = self.tasks.lock().by_id.values().cloned().collect();
        for task in &all {
            // Those that do not run need no end.
            let _ = task.life.kill(Exit::killed(128 + 9, "killed: the server stops"));
        }
        for task in &all {
            if task.life.running().is_some() {
                task.life.ended().await;
            }
        }
        for runtime in self.registry().iter() {
            // A server that ends has nobody to tell.
            let _settled = runtime.settle().await;
        }
    }

    /// Takes a task that is new or has exited out of the table. Open files of it stay good.
    pub fn remove(&self, id: TaskId) -> Result<()> {
        let task = self.get(id).ok_or(Errno::ENOENT)?;
        task.life.retire(|exit| task.wait_line(exit, std::time::Duration::ZERO))?;
        let mine = self.tasks.lock().by_id.remove(&id.0).is_some();
        task.stdio.remove();
        task.trace_log.remove();
        if mine {
            task.lineage.leave();
            if let Some(group) = &task.group {
                group.left(task.id);
            }
            task.leave(&self.watchers);
        }
        Ok(())
    }
}

impl fmt::Debug for TaskTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TaskTable({} tasks)", self.len())
    }
}
