//! What a server serves: the root tree, the host directories that were given, the tasks and their runtimes, and the
//! namespace that shows them all.

use crate::fault::Fault;
use crate::ninep::{Export, Reception};
use crate::npm;
use crate::observe::Observer;
use container::{ContainerTable, Snapshots};
use runtime_sh::Sh;
use runtime_wasi::WasiRuntime;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use task::{Registry, Runtime, TaskTable};
use vfs::host::{HostOptions, HostTree};
use vfs::mem::MemTree;
use vfs::{
    BindFlags, Caller, Device, Errno, Kind, MemOptions, Mode, Name, Namespace, NodeRef, Overlay, Place,
};

/// `--root`.
#[derive(Clone, Debug)]
pub enum RootSpec {
    Mem,
    Host(PathBuf),
    /// Host directories, the first one topmost, that are only read, and memory over them.
    Overlay(Vec<PathBuf>),
}

impl FromStr for RootSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<RootSpec, String> {
        match text.split_once(':') {
            None if text == "mem" => Ok(RootSpec::Mem),
            Some(("host", dir)) if !dir.is_empty() => Ok(RootSpec::Host(PathBuf::from(dir))),
            Some(("overlay", dirs)) if dirs.split(':').all(|dir| !dir.is_empty()) => {
                Ok(RootSpec::Overlay(dirs.split(':').map(PathBuf::from).collect()))
            }
            _ => Err(format!("{text}: a root is mem, host:DIR, or overlay:DIR[:DIR]...")),
        }
    }
}

/// `--bind SRC:DST[:ro]`.
#[derive(Clone, Debug)]
pub struct BindSpec {
    pub src: PathBuf,
    pub dst: String,
    pub read_only: bool,
}

impl FromStr for BindSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<BindSpec, String> {
        let wrong = || format!("{text}: a bind is SRC:DST or SRC:DST:ro, DST starting with /");
        let (rest, read_only) = match text.strip_suffix(":ro") {
            Some(rest) => (rest, true),
            None => (text, false),
        };
        let (src, dst) = rest.rsplit_once(':').ok_or_else(wrong)?;
        if src.is_empty() || !dst.starts_with('/') {
            return Err(wrong());
        }
        Ok(BindSpec { src: PathBuf::from(src), dst: dst.to_owned(), read_only })
    }
}

/// `--node` and its like.
#[derive(Clone, Debug, Default)]
pub struct NodeSpec {
    /// The one worker executable that is used; else those that are found.
    pub executable: Option<PathBuf>,
    /// The directory that is the package npm; else the one that is found, if there is one.
    pub npm: Option<PathBuf>,
    /// npm's registry, where containers have one.
    pub registry: Option<npm::Started>,
    pub config: runtime_node::Config,
}

/// Everything behind the transports.
pub struct World {
    pub ns: Namespace,
    pub observer: Observer,
    pub containers: Arc<ContainerTable>,
    table: Arc<TaskTable>,
}

/// What every memory root starts with: directory and mode.
const STANDARD: [(&str, u32); 4] = [("bin", 0o755), ("home", 0o755), ("lib", 0o755), ("tmp", 0o1777)];

impl World {
    pub async fn new(
        root: &RootSpec,
        binds: &[BindSpec],
        cache: Option<&Path>,
        tasks: Option<usize>,
        memory: Option<u64>,
        node: &NodeSpec,
    ) -> Result<World, Fault> {
        let ns = match root {
            RootSpec::Mem => {
                let ns = Namespace::new(MemTree::new().root(), "mem");
                for (dir, mode) in STANDARD {
                    make_dir(&ns.root(), dir.as_bytes(), Mode::new(mode)).await.map_err(broken)?;
                }
                ns
            }
            RootSpec::Host(dir) => {
                let root = host(dir, false)
                    .map_err(|e| Fault::no_input(format!("--root host:{}: {e}", dir.display())))?;
                Namespace::new(root, &format!("host:{}", dir.display()))
            }
            RootSpec::Overlay(dirs) => {
                let layer = |dir: &PathBuf| {
                    host(dir, false)
                        .map_err(|e| Fault::no_input(format!("--root overlay:{}: {e}", dir.display())))
                };
                let layers = dirs.iter().map(layer).collect::<Result<Vec<_>, _>>()?;
                let overlay = Overlay::new(layers, MemOptions::default()).map_err(broken)?;
                Namespace::new(overlay.root(), "overlay")
            }
        };
        let wasi = runtime_wasi::Config {
            cache_dir: cache.map(Path::to_owned).or_else(default_cache),
            guest_bytes: memory,
            ..Default::default()
        };
        let wasi = WasiRuntime::new(wasi).map_err(|e| Fault::os(format!("the WASI runtime: {e}")))?;
        let sh = Arc::new(Sh::new().map_err(|e| Fault::os(format!("the shell: {e}")))?);
        let mut runtimes: Vec<Arc<dyn Runtime>> = vec![Arc::new(wasi), sh.clone()];
        let engines = runtime_node::find_engines(node.executable.as_deref());
        let engines = engines.map_err(|e| Fault::no_input(format!("--node {e}")))?;
        let npm = npm::find(node.npm.as_deref(), node.registry.is_some())?;
        let neighbour = node.registry.as_ref().map(|registry| registry.neighbour.clone());
        let config = runtime_node::Config { npm: npm.version.is_some(), neighbour, ..node.config.clone() };
        let nodes = runtime_node::runtimes(engines, &config);
        let nodes = nodes.map_err(|e| Fault::os(format!("the Node runtime: {e}")))?;
        let installer = npm::installer(&npm, node.registry.as_ref(), nodes.first(), &sh);
        runtimes.extend(installer);
        runtimes.extend(nodes);
        let mut config = task::Config::new(Registry::new(runtimes));
        if let Some(tasks) = tasks {
            config.max_tasks = tasks;
        }
        let table = TaskTable::new(config).map_err(broken)?;
        let observer = Observer::new();
        let trees = services::Services::new(&table).map_err(broken)?.with_npm(npm.package);
        let mut containers = container::Config::new(&table, trees.furniture());
        if let RootSpec::Host(dir) = root {
            containers.snapshots = Snapshots::on_host(dir)
                .map_err(|e| Fault::no_input(format!("--root host:{}: snapshots: {e}", dir.display())))?;
        }
        let containers = ContainerTable::new(containers).map_err(broken)?;
        let trees = trees.observed(observer.observation(&table)).containing(&containers);
        trees.mount(&ns).map_err(broken)?;
        for spec in binds {
            show(&ns, spec)
                .await
                .map_err(|e| Fault::no_input(format!("--bind {}:{}: {e}", spec.src.display(), spec.dst)))?;
        }
        table.set_home(ns.clone());
        Ok(World { ns, observer, containers, table })
    }

    /// The namespace as a 9P server.
    pub fn export(&self) -> Arc<Export> {
        Arc::new(Export::new(Reception::new(self.ns.clone(), self.observer.connections.clone())))
    }

    /// Ends every task.
    pub async fn stop(&self) {
        self.table.stop().await;
    }
}

/// What cannot fail on a machine that works.
fn broken(error: vfs::Error) -> Fault {
    Fault::software(format!("the namespace: {error}"))
}

pub(crate) fn default_cache() -> Option<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME").filter(|d| !d.is_empty()).map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    cache.or_else(home).map(|dir| dir.join("taskfs"))
}

/// The node of a host file or directory. A file comes alone: nothing beside it can be reached.
pub(crate) fn host(path: &Path, read_only: bool) -> vfs::Result<NodeRef> {
    let options = HostOptions { read_only, ..Default::default() };
    let path = path.canonicalize()?;
    if path.is_dir() {
        return Ok(HostTree::open_with(&path, options)?.root());
    }
    let (Some(dir), Some(name)) = (path.parent(), path.file_name()) else {
        return Errno::ENOENT.into();
    };
    let dir = HostTree::open_with(dir, options)?.root();
    let me = Caller::me();
    let node = dir.walk(&me, Name::new(name.as_encoded_bytes())?).now();
    node.unwrap_or(Errno::EIO.into())
}

async fn make_dir(dir: &Place, name: &[u8], mode: Mode) -> vfs::Result<Place> {
    let me = Caller::me();
    match dir.walk(&me, name).await {
        Err(error) if error.is(Errno::ENOENT) => dir.mkdir(&me, Name::new(name)?, mode).await,
        found => found,
    }
}

/// An empty file to bind over. A directory that takes none, as /bin where the root has no such directory, gets one in front of it
/// that does.
async fn make_file(ns: &Namespace, dir: &Place, name: Name<'_>) -> vfs::Result<Place> {
    let me = Caller::me();
    let (mode, none) = (Mode::new(0o444), Device::default());
    match dir.mknod(&me, name, Kind::File, mode, none).await {
        Err(error) if [Errno::EACCES, Errno::EPERM, Errno::EROFS].iter().any(|errno| error.is(*errno)) => {
            ns.mount(MemTree::new().root(), "#shown", dir, BindFlags::BEFORE | BindFlags::CREATE)?;
            dir.mknod(&me, name, Kind::File, mode, none).await
        }
        made => made,
    }
}

/// Binds a host file or directory, making the way to it where there is none.
async fn show(ns: &Namespace, spec: &BindSpec) -> vfs::Result<()> {
    let node = host(&spec.src, spec.read_only)?;
    let me = Caller::me();
    let mut names: Vec<&[u8]> = spec.dst.as_bytes().split(|b| *b == b'/').filter(|n| !n.is_empty()).collect();
    let last = names.pop();
    let mut here = ns.root();
    for name in names {
        here = make_dir(&here, name, Mode::new(0o755)).await?;
    }
    let at = match last {
        None => here,
        Some(name) if node.kind().is_dir() => make_dir(&here, name, Mode::new(0o755)).await?,
        Some(name) => match here.walk(&me, name).await {
            Err(error) if error.is(Errno::ENOENT) => make_file(ns, &here, Name::new(name)?).await?,
            found => found?,
        },
    };
    ns.mount(node, &format!("host:{}", spec.src.display()), &at, BindFlags::empty())
}
