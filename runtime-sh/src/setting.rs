//! What a shell runs in, the same for all its strands: the task, its files, and the programs that it can start.
//!
//! A program is a file along PATH. `#!taskfs sh ls` is a command of this crate and runs in the strand itself; any other is a
//! task below this one, which is killed when whoever waits for it goes, and is removed when it has ended.

use crate::commands::{self, Call, Command};
use crate::process::Process;
use crate::program;
use std::borrow::Cow;
use std::sync::{Arc, Weak};
use task::{Exit, Program, Task, TaskTable};
use tokio::runtime::Handle;
use vfs::{Access, Caller, Errno, Error, Follow, Kind, Namespace, OpenFlags, Place, Result, TaskId};

/// Where programs are looked for where nothing says otherwise.
pub(crate) const PATH: &[u8] = b"/bin";
/// What is read of a program to find out what it is.
const HEAD: usize = 256;

/// Bytes of a program's arguments and environment together (ARG_MAX).
const MAX_WORDS: usize = 1 << 20;

/// See the module.
pub(crate) struct Setting {
    pub id: TaskId,
    pub ppid: Option<TaskId>,
    pub ns: Namespace,
    pub who: Caller,
    pub table: Weak<TaskTable>,
    pub process: Arc<Process>,
    /// Signals that it was started to ignore, a bit each: a script cannot have them back.
    pub ignored: u64,
}

/// Interpreters that are scripts of interpreters … at most.
const INTERPRETERS: u32 = 4;

/// What a name on a command line leads to.
pub(crate) struct Found {
    pub what: What,
    /// What takes the name's place among the words, where an interpreter runs the file: its own words, and the file.
    through: Vec<Vec<u8>>,
}

impl Found {
    /// The words as it is to be given them.
    pub fn words<'a>(&self, argv: &'a [Vec<u8>]) -> Cow<'a, [Vec<u8>]> {
        match self.through.as_slice() {
            [] => Cow::Borrowed(argv),
            through => Cow::Owned([through, argv.get(1..).unwrap_or_default()].concat()),
        }
    }
}

pub(crate) enum What {
    Own(Command),
    Program(Place),
    /// A file that no runtime takes and that may be a script.
    Script(Place),
}

impl Setting {
    /// The file that `name` is: by its path where it has a slash, else along `path`. ENOENT where there is none, EACCES where
    /// what is there may not be run.
    pub async fn locate(&self, name: &[u8], path: &[u8], cwd: &Place) -> Result<Place> {
        if name.contains(&b'/') {
            let place = cwd.resolve(&self.who, name, Follow::Yes).await?;
            self.executable(&place).await?;
            return Ok(place);
        }
        let mut refused = Error::from(Errno::ENOENT);
        if name.is_empty() {
            return Err(refused);
        }
        for dir in path.split(|b| *b == b':') {
            let dir = if dir.is_empty() { b"." } else { dir };
            let file = [dir, b"/", name].concat();
            let found = match cwd.resolve(&self.who, &file, Follow::Yes).await {
                Ok(place) => self.executable(&place).await.map(|()| place),
                Err(error) => Err(error),
            };
            match found {
                Ok(place) => return Ok(place),
                Err(error) if error.is(Errno::EACCES) => refused = error,
                Err(_) => {}
            }
        }
        Err(refused)
    }

    async fn executable(&self, place: &Place) -> Result<()> {
        if place.kind() != Kind::File {
            return Errno::EACCES.into();
        }
        place.access(&self.who, Access::EXEC).await?;
        // The superuser is asked too: a file that nobody may execute is no program.
        let runs = place.stat(&self.who).await?.mode.bits() & 0o111 != 0;
        if runs { Ok(()) } else { Errno::EACCES.into() }
    }

    /// What `name` leads to. A command of this crate is found also where the task may not read /bin.
    pub async fn find(&self, name: &[u8], path: &[u8], cwd: &Place) -> Result<Found> {
        let (mut name, mut through) = (name.to_vec(), Vec::new());
        for _ in 0..=INTERPRETERS {
            let place = match self.locate(&name, path, cwd).await {
                Ok(place) => place,
                Err(error) => {
                    let own = match through.is_empty() {
                        true if error.is(Errno::EACCES) => commands::find(&name),
                        true => None,
                        // Scripts name interpreters where other systems keep them.
                        false => commands::find(program::last(&name)),
                    };
                    return own.map(|own| Found { what: What::Own(own), through }).ok_or(error);
                }
            };
            let file = place.open(&self.who, OpenFlags::READ).await?;
            let mut head = vec![0; HEAD];
            let count = file.read(0, &mut head).await?;
            head.truncate(count);
            if let Some(command) = program::own(&head).and_then(commands::find) {
                return Ok(Found { what: What::Own(command), through });
            }
            let table = self.table()?;
            let picked = table.registry().pick("auto", Program { path: &place.path(), head: &head });
            match (picked, program::interpreter(&head)) {
                (Ok(_), _) => return Ok(Found { what: What::Program(place), through }),
                (Err(_), Some((interpreter, argument))) => {
                    let file = if name.contains(&b'/') { name } else { place.path() };
                    let words = [interpreter, argument].into_iter().filter(|word| !word.is_empty());
                    let rest = through.split_off(through.len().min(1));
                    through = words.map(<[u8]>::to_vec).chain([file]).chain(rest).collect();
                    name = interpreter.to_vec();
                }
                (Err(_), None) if !head.contains(&0) => {
                    return Ok(Found { what: What::Script(place), through });
                }
                (Err(error), None) => return Err(error),
            }
        }
        Errno::ELOOP.into()
    }

    /// A task that this one may send signals to: itself, and those below.
    pub fn task(&self, id: TaskId) -> Option<Arc<Task>> {
        let task = self.table().ok()?.get(id)?;
        task.reachable_by(&self.who).is_ok().then_some(task)
    }

    fn table(&self) -> Result<Arc<TaskTable>> {
        self.table.upgrade().ok_or_else(|| Error::new(Errno::ENXIO, "the server has gone"))
    }

    /// Starts the program at `place` as a task below this one, which ignores the signals `ignored`; `kind` names its runtime.
    pub async fn start(&self, call: Call<'_>, place: &Place, kind: &str, ignored: u64) -> Result<Child> {
        let words = call.argv.iter().map(|word| word.len() + 1).sum::<usize>()
            + call.env.iter().map(|(name, value)| name.len() + value.len() + 2).sum::<usize>();
        if words > MAX_WORDS {
            return Errno::E2BIG.into();
        }
        let table = self.table()?;
        let handle = self.process.handle().clone();
        let child = Child { task: table.make(&self.who)?, table, handle };
        let program = place.path();
        child.task.change_spec("argv", |spec| {
            spec.kind = kind.to_owned();
            spec.program = Some(program);
            spec.argv = call.argv.to_vec();
            spec.env = call.env.iter().map(|(name, value)| (name.to_vec(), value.to_vec())).collect();
            spec.cwd = call.cwd.path();
            Ok(())
        })?;
        child.task.give_stdio(call.stdio)?;
        child.task.ignore_signals(ignored)?;
        child.task.start(&self.who).await?;
        Ok(child)
    }
}

/// A task that this one has started. Dropped, it is killed, and removed once it has ended.
pub(crate) struct Child {
    table: Arc<TaskTable>,
    pub task: Arc<Task>,
    handle: Handle,
}

impl Child {
    pub async fn ended(&self) -> Exit {
        self.task.life.ended().await.exit.clone()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let (table, task) = (self.table.clone(), self.task.clone());
        if table.remove(task.id).is_ok() {
            return;
        }
        // It may end by itself in the meantime: then there is nothing left to kill.
        let _ = task.life.kill(Exit::killed(128 + libc::SIGHUP, "killed: its shell has ended"));
        let removed = async move {
            task.life.ended().await;
            // Someone else may have removed it.
            let _ = table.remove(task.id);
        };
        self.handle.spawn(removed);
    }
}
