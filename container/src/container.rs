//! One container: all that its directory shows, and what may be set when.

use crate::files::Files;
use crate::{Answers, ContainerTable};
use parking_lot::Mutex;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use task::ctl::language::on_one_line;
use task::group::{Bounds, Event};
use task::{Cap, Caps, Group, Spec};
use vfs::{
    Caller, Change, Errno, Error, Gid, Mark, Namespace, NodeRef, Place, Result, Time, Uid, Watch, Watcher,
};

/// The default search path of processes: commands of the project, of the container, and of Node's own tree.
const PATH: &[u8] = b"/node_modules/.bin:/usr/local/bin:/usr/bin:/bin:/lib/node/bin";

/// What processes are made from, and what a fork takes along.
#[derive(Clone, Debug)]
pub struct Settings {
    /// env and cwd; the rest is each process's own.
    pub spec: Spec,
    pub label: String,
}

/// What the user of a container's processes is called, where he is not root.
pub const USER: &str = "task";

impl Settings {
    /// What a container begins with whose processes run as `owner`.
    fn new(owner: &Caller) -> Settings {
        let var = |name: &[u8], value: &[u8]| (name.to_vec(), value.to_vec());
        let user = if owner.is_root() { "root" } else { USER };
        let env = vec![var(b"PATH", PATH), var(b"HOME", b"/home"), var(b"USER", user.as_bytes())];
        Settings { spec: Spec { env, ..Spec::default() }, label: String::new() }
    }
}

pub struct Container {
    pub id: u32,
    table: Weak<ContainerTable>,
    pub(crate) group: Arc<Group>,
    /// Who made it: its files and processes are his.
    owner: Caller,
    born: Time,
    settings: Mutex<Settings>,
    world: Mutex<World>,
    /// It was started, and not only made.
    pub(crate) booted: AtomicBool,
    pub(crate) destroyed: AtomicBool,
    /// How many have its ctl open, and whether it goes with the last of them.
    pub(crate) ctl_files: AtomicUsize,
    pub(crate) destroy_on_close: AtomicBool,
    /// One change of its life or its files at a time.
    pub(crate) turn: tokio::sync::Mutex<()>,
    last_error: Mutex<Option<String>>,
    /// The container that was forked from it last.
    pub(crate) forked: AtomicU64,
    answers: Answers,
    mark: Mark,
}

/// Its files, and the namespaces that show them.
#[derive(Clone)]
struct World {
    files: Files,
    layers: Vec<(NodeRef, String)>,
    /// What a process gets a copy of.
    inside: Namespace,
    /// What `mount/` leads to.
    outside: Namespace,
}

/// What a fork begins with, besides the files.
pub(crate) struct Origin {
    settings: Settings,
    limits: Bounds,
    caps: Arc<Caps>,
    layers: Vec<(NodeRef, String)>,
}

/// What a container may do that nobody has said anything of: all with its own files, its own network and its own processes,
/// and nothing with the world outside.
fn fresh_caps() -> Caps {
    let lines: [&[&str]; 7] = [
        &["fs:/", "read", "write"],
        &["env", "*"],
        &["spawn"],
        &["net:listen", "*:*"],
        &["net:connect", "localhost:*"],
        &["net:connect", "127.0.0.1:*"],
        &["net:connect", "[::1]:*"],
    ];
    let mut caps = Caps::default();
    for line in lines {
        let words: Vec<Vec<u8>> = line.iter().map(|word| word.as_bytes().to_vec()).collect();
        caps.grant(Cap::parse(&words).expect("capabilities as they are written"));
    }
    caps
}

impl Container {
    /// The number of its directory among its files.
    pub const DIRECTORY: u64 = 1;

    pub(crate) async fn new(
        table: &Arc<ContainerTable>,
        id: u32,
        who: &Caller,
        files: Files,
        origin: Option<Origin>,
    ) -> Result<Arc<Container>> {
        let group = Group::new(id);
        let urls = Arc::downgrade(table);
        group.set_urls(move |port| urls.upgrade()?.url(id, port));
        let owner =
            Caller { pid: None, checked: false, umask: 0o022, task: None, guard: None, ..who.clone() };
        let mut origin = origin.unwrap_or_else(|| Origin {
            settings: Settings::new(&owner),
            limits: table.config.limits,
            caps: Arc::new(fresh_caps()),
            layers: Vec::new(),
        });
        if let Some(bounds) = Caps::of(who) {
            let mut caps = Caps::clone(&origin.caps);
            bounds.denials().for_each(|deny| caps.grant(deny.clone()));
            origin.caps = Arc::new(caps);
        }
        group.set_limits(origin.limits);
        group.set_caps(Caps::clone(&origin.caps));
        files.set_room(origin.limits.disk, origin.limits.inodes);
        let world = World::new(table, &group, &owner, files, origin.layers).await?;
        Ok(Arc::new(Container {
            id,
            table: Arc::downgrade(table),
            group,
            owner,
            born: Time::now(),
            settings: Mutex::new(origin.settings),
            world: Mutex::new(world),
            booted: AtomicBool::new(false),
            destroyed: AtomicBool::new(false),
            ctl_files: AtomicUsize::new(0),
            destroy_on_close: AtomicBool::new(false),
            turn: tokio::sync::Mutex::new(()),
            last_error: Mutex::new(None),
            forked: AtomicU64::new(0),
            answers: Answers::default(),
            mark: Mark::default(),
        }))
    }

    pub fn table(&self) -> Result<Arc<ContainerTable>> {
        self.table.upgrade().ok_or_else(|| Error::new(Errno::ENXIO, "the server has gone"))
    }
    pub fn group(&self) -> &Arc<Group> {
        &self.group
    }
    pub fn owner(&self) -> (Uid, Gid) {
        (self.owner.uid, self.owner.gid)
    }
    /// Who its processes are, and who works on its files.
    pub fn identity(&self) -> &Caller {
        &self.owner
    }
    pub fn born(&self) -> Time {
        self.born
    }

    /// Connections to its ports whose answers wait for a reader.
    pub fn answers(&self) -> &Answers {
        &self.answers
    }
    /// The identity of the file numbered `file` (below 4) of the directory of `port`.
    pub fn port_path(&self, port: u16, file: u16) -> u64 {
        self.table.upgrade().map_or(0, |table| table.port_path(self.id, port, file))
    }

    /// The identity of the file numbered `file` (below 65 536) of its directory.
    pub fn file_path(&self, file: u64) -> u64 {
        // The table outlives every node that a client can reach, but for the moments of a shutdown.
        self.table.upgrade().map_or(0, |table| table.file_path(self.id, file))
    }
    /// Is it gone? Those of its files that are open stay good; its names lead nowhere.
    pub fn was_destroyed(&self) -> bool {
        self.destroyed.load(Ordering::SeqCst)
    }
    /// Asks that `watcher` be told when it is destroyed.
    pub fn watch(&self, watcher: &Weak<dyn Watcher>) {
        if let Some(table) = self.table.upgrade() {
            table.watchers.add(watcher);
            self.mark.set(Watch::STATUS);
        }
    }
    pub(crate) fn leave(&self, table: &ContainerTable) {
        self.mark.tell(&table.watchers, self.file_path(Container::DIRECTORY), Change::Removed);
    }

    /// Fails where `who` is a task: containers are shown to those outside, and to their own processes as their world.
    pub fn reachable_by(&self, who: &Caller) -> Result<()> {
        match who.task {
            None => Ok(()),
            Some(id) => {
                Err(Error::new(Errno::EACCES, format!("permission denied: containers are not for task {id}")))
            }
        }
    }

    pub fn settings(&self) -> Settings {
        self.settings.lock().clone()
    }
    /// Changes what processes are made from, from now on. An error changes nothing.
    pub fn change_settings(&self, change: impl FnOnce(&mut Settings) -> Result<()>) -> Result<()> {
        self.must_be_there()?;
        let mut settings = self.settings.lock();
        let mut changed = settings.clone();
        change(&mut changed)?;
        *settings = changed;
        Ok(())
    }

    pub fn limits(&self) -> Bounds {
        self.group.limits()
    }
    /// Sets limits by words (`memory=64M`). All or none.
    pub fn set_limits(&self, words: &[&str]) -> Result<()> {
        self.must_be_there()?;
        let mut changed = self.limits();
        words.iter().try_for_each(|word| changed.set(word))?;
        self.group.set_limits(changed);
        self.files().set_room(changed.disk, changed.inodes);
        Ok(())
    }

    pub fn caps(&self) -> Arc<Caps> {
        self.group.caps()
    }
    /// Changes what all processes may do at most, and new ones to begin with. What is said of the network holds at once, also
    /// for those that run; the rest from their start on.
    pub fn change_caps(&self, who: &Caller, change: impl FnOnce(&mut Caps) -> Result<()>) -> Result<()> {
        self.must_be_there()?;
        // Changes come one after the other.
        let _settings = self.settings.lock();
        let mut changed = Caps::clone(&self.caps());
        change(&mut changed)?;
        if let Some(bounds) = Caps::of(who) {
            let own = fresh_caps();
            changed.beyond(&own).within(&bounds)?;
        }
        self.group.set_caps(changed);
        Ok(())
    }

    /// What processes get a copy of.
    pub(crate) fn inside(&self) -> Namespace {
        self.world.lock().inside.clone()
    }
    /// The root as it is seen from outside.
    pub fn root(&self) -> Place {
        self.world.lock().outside.root()
    }
    /// Its own files alone.
    pub fn files(&self) -> Files {
        self.world.lock().files.clone()
    }
    /// The names of the layers below its own files, the topmost first.
    pub fn layers(&self) -> Vec<String> {
        self.world.lock().layers.iter().map(|(_, name)| name.clone()).collect()
    }
    pub(crate) fn layer_trees(&self) -> Vec<(NodeRef, String)> {
        self.world.lock().layers.clone()
    }
    pub(crate) fn origin(&self) -> Origin {
        Origin {
            settings: self.settings(),
            limits: self.limits(),
            caps: self.caps(),
            layers: self.world.lock().layers.clone(),
        }
    }

    /// Goes on from other files. Nothing may run, since processes keep the ones they have.
    pub(crate) async fn set_files(&self, files: Files, layers: Option<Vec<(NodeRef, String)>>) -> Result<()> {
        let table = self.table()?;
        let limits = self.limits();
        files.set_room(limits.disk, limits.inodes);
        let layers = layers.unwrap_or_else(|| self.world.lock().layers.clone());
        let world = World::new(&table, &self.group, &self.owner, files, layers).await?;
        *self.world.lock() = world;
        Ok(())
    }

    /// Puts a read-only tree below its files, above those that are there. Only before it has files of its own.
    pub(crate) async fn add_layer(&self, root: NodeRef, name: String) -> Result<()> {
        let mut layers = self.world.lock().layers.clone();
        layers.insert(0, (root, name));
        let files = Files::new(layers.iter().map(|(root, _)| root.clone()).collect(), &self.owner)?;
        self.set_files(files, Some(layers)).await
    }

    /// ENOENT once it is destroyed.
    pub(crate) fn must_be_there(&self) -> Result<()> {
        if self.was_destroyed() {
            return Err(Error::new(Errno::ENOENT, format!("container {} is destroyed", self.id)));
        }
        Ok(())
    }

    pub fn say(&self, event: Event) {
        self.group.say(event);
    }
    pub(crate) fn say_life(&self, words: &[&str]) {
        self.say(Event::Life(words.iter().map(|word| (*word).to_owned()).collect()));
    }
    pub fn last_error(&self) -> Option<String> {
        self.last_error.lock().clone()
    }
    /// An error that somebody was told, for who reads ctl later.
    pub fn remember(&self, error: &Error) {
        *self.last_error.lock() = Some(on_one_line(error.text()));
    }
}

impl World {
    async fn new(
        table: &ContainerTable,
        group: &Arc<Group>,
        owner: &Caller,
        files: Files,
        layers: Vec<(NodeRef, String)>,
    ) -> Result<World> {
        files.make_directories(owner).await?;
        files.tell_full(group);
        let spec = format!("#container/{}", group.id);
        let (inside, outside) = (files.bare(&spec), files.bare(&spec));
        table.config.furnish.furnish(&inside, group, owner)?;
        table.config.furnish.furnish_outside(&outside, owner)?;
        Ok(World { files, layers, inside, outside })
    }
}

impl fmt::Debug for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Container({} {})", self.id, self.state())
    }
}
