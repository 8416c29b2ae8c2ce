//! Tasks of a container that start while it is stopped, continued, killed, or while they are removed.

use crate::{in_many_schedules, join, thread};
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use std::sync::Arc;
use task::group::Hold;
use task::{
    Capability, Caps, Config, Exit, Fit, Group, Limits, Program, Registry, Running, Runtime, Spec, Start,
    State, Task, TaskTable, Template,
};
use tokio::sync::watch;
use vfs::{Caller, Device, Kind, MemTree, Mode, Name, Namespace, Op};

/// Runs anything until it is killed.
struct Engine;

struct Run {
    end: watch::Sender<Option<Exit>>,
    stopped: Mutex<bool>,
}

impl Running for Run {
    fn stop(&self) {
        *self.stopped.lock() = true;
    }
    fn cont(&self) {
        *self.stopped.lock() = false;
    }
    fn kill(&self, exit: Exit) {
        self.end.send_replace(Some(exit));
    }
    fn set_limits(&self, _: Limits) {}
    fn wait(&self) -> BoxFuture<'static, Exit> {
        let mut end = self.end.subscribe();
        Box::pin(async move {
            loop {
                if let Some(exit) = end.borrow_and_update().clone() {
                    return exit;
                }
                if end.changed().await.is_err() {
                    return Exit::killed(1, "it was dropped");
                }
            }
        })
    }
}

impl Runtime for Engine {
    fn name(&self) -> &'static str {
        "engine"
    }
    fn version(&self) -> String {
        "engine 1".into()
    }
    fn capabilities(&self) -> Vec<Capability> {
        Vec::new()
    }
    fn detect(&self, _: Program<'_>) -> Fit {
        Fit::ByMagic
    }
    fn start(&self, _: Start) -> Op<'_, Arc<dyn Running>> {
        Op::later(async {
            tokio::task::yield_now().await;
            Ok(Arc::new(Run { end: watch::channel(None).0, stopped: Mutex::new(false) }) as Arc<dyn Running>)
        })
    }
}

fn caller() -> Caller {
    Caller { checked: true, ..Caller::new(vfs::Uid(0), vfs::Gid(0)) }
}

/// A container with tasks that can be started.
fn container(tasks: usize) -> (Arc<TaskTable>, Arc<Group>, Vec<Arc<Task>>) {
    let ns = Namespace::new(MemTree::new().root(), "mem");
    let (root, program) = (ns.root(), Name::new(b"program").expect("a name"));
    let made = root.mknod(&caller(), program, Kind::File, Mode::new(0o777), Device::default()).now();
    made.expect("at once").expect("made");
    let engine: Arc<dyn Runtime> = Arc::new(Engine);
    let table = TaskTable::new(Config::new(Registry::new(vec![engine]))).expect("numbers are left");
    let group = Group::new(1);
    let made = (0..tasks).map(|_| {
        let template = Template {
            group: Some(group.clone()),
            ns: ns.fork(),
            spec: Spec::default(),
            limits: Limits::default(),
            caps: Arc::new(Caps::everything()),
        };
        let task = table.make_with(&caller(), template).expect("there is room");
        task.set_cmd(b"/program").expect("a command");
        task
    });
    let tasks = made.collect();
    (table, group, tasks)
}

fn starts(tasks: &[Arc<Task>]) -> Vec<shuttle::thread::JoinHandle<()>> {
    let start = |task: &Arc<Task>| {
        let task = task.clone();
        thread(async move { drop(task.start(&caller()).await) })
    };
    tasks.iter().map(start).collect()
}

/// Ends what runs, and waits for it: a scene leaves nobody behind.
fn end(group: &Group, tasks: &[Arc<Task>]) {
    group.shut(&Exit::killed(137, "the scene is over"));
    for task in tasks.iter().filter(|task| task.life.state() != State::New) {
        shuttle::future::block_on(async { drop(task.life.ended().await) });
    }
}

#[test]
fn a_container_that_is_killed_while_its_tasks_start_has_none_that_runs() {
    in_many_schedules(|| {
        let (_table, group, tasks) = container(2);
        let threads = starts(&tasks);
        group.shut(&Exit::killed(137, "killed"));
        join(threads);
        for task in &tasks {
            // Told to end, or never started: whoever waits for one that ran is told.
            if task.life.state() != State::New {
                shuttle::future::block_on(async { drop(task.life.ended().await) });
            }
        }
    });
}

#[test]
fn a_container_that_was_stopped_and_continued_while_its_task_starts_has_none_that_is_stopped() {
    in_many_schedules(|| {
        let (_table, group, tasks) = container(1);
        let threads = starts(&tasks);
        let turned = group.clone();
        let turns = thread(async move {
            assert!(turned.freeze(), "it was open");
            assert!(turned.thaw(), "it was frozen");
        });
        join(threads);
        join(vec![turns]);
        assert_eq!(group.hold(), Hold::Open);
        for task in &tasks {
            assert_ne!(task.life.state(), State::Stopped, "nobody will continue it");
        }
        end(&group, &tasks);
    });
}

#[test]
fn a_task_that_is_removed_while_it_starts_runs_or_is_gone_and_never_both() {
    in_many_schedules(|| {
        let (table, group, tasks) = container(1);
        let threads = starts(&tasks);
        let removed = table.remove(tasks[0].id).is_ok();
        join(threads);
        let state = tasks[0].life.state();
        assert!(!removed || state == State::Exited, "removed, and {state}");
        assert_eq!(table.get(tasks[0].id).is_none(), removed);
        end(&group, &tasks);
    });
}
