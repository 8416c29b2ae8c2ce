//! All containers of a server, by number.

use crate::container::Origin;
use crate::{Container, Files, Furnish, Snapshots};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, OnceLock};
use task::group::Bounds;
use task::{Caps, TaskTable};
use tokio::runtime::Handle;
use vfs::{Caller, Errno, Error, Result, TreeTag, Watchers};

/// What a table is made from.
pub struct Config {
    /// The tasks of containers are among all others.
    pub tasks: Arc<TaskTable>,
    /// What is mounted in a container's namespace.
    pub furnish: Arc<dyn Furnish>,
    pub snapshots: Snapshots,
    /// Containers at once.
    pub max: usize,
    /// What a container made from outside starts with.
    pub limits: Bounds,
    /// Where lives end and limits are looked after.
    pub handle: Handle,
}

impl Config {
    /// A container in which nothing runs costs about ten kilobytes.
    pub const MAX: usize = 4096;

    /// On the runtime that the caller runs in.
    pub fn new(tasks: &Arc<TaskTable>, furnish: Arc<dyn Furnish>) -> Config {
        Config {
            tasks: tasks.clone(),
            furnish,
            snapshots: Snapshots::in_memory(),
            max: Config::MAX,
            limits: Bounds::default(),
            handle: Handle::current(),
        }
    }
}

pub struct ContainerTable {
    pub(crate) config: Config,
    tag: TreeTag,
    ports: TreeTag,
    /// What the server's gateway speaks (http, https) and where it listens, once it does.
    gateway: OnceLock<(&'static str, SocketAddr)>,
    containers: Mutex<Containers>,
    pub(crate) watchers: Watchers,
}

struct Containers {
    by_id: BTreeMap<u32, Arc<Container>>,
    /// Those that are being made.
    coming: usize,
    next: u32,
}

impl ContainerTable {
    /// Fails where the process has no tree number left.
    pub fn new(config: Config) -> Result<Arc<ContainerTable>> {
        let tag = || TreeTag::take().ok_or_else(|| Error::new(Errno::ENFILE, "too many trees"));
        let containers = Mutex::new(Containers { by_id: BTreeMap::new(), coming: 0, next: 1 });
        Ok(Arc::new(ContainerTable {
            config,
            tag: tag()?,
            ports: tag()?,
            gateway: OnceLock::new(),
            containers,
            watchers: Watchers::default(),
        }))
    }

    pub fn snapshots(&self) -> &Snapshots {
        &self.config.snapshots
    }
    pub fn tasks(&self) -> &Arc<TaskTable> {
        &self.config.tasks
    }

    /// Where lives end and limits are looked after.
    pub fn handle(&self) -> &Handle {
        &self.config.handle
    }

    /// The server has a gateway, which speaks `scheme` at `address`.
    pub fn set_gateway(&self, scheme: &'static str, address: SocketAddr) {
        // There is one, and it stays.
        let _first = self.gateway.set((scheme, address));
    }
    /// Where `port` of container `id` is shown by the gateway, where there is one. Only names of the usual loopback lead to
    /// a host of its own for each port; what listens everywhere listens there, too.
    pub fn url(&self, id: u32, port: u16) -> Option<String> {
        let (scheme, gateway) = self.gateway.get()?;
        let usual = [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()];
        Some(match usual.contains(&gateway.ip()) || gateway.ip().is_unspecified() {
            true => format!("{scheme}://{port}--{id}.localhost:{}/", gateway.port()),
            false => format!("{scheme}://{gateway}/container/{id}/{port}/"),
        })
    }

    pub fn get(&self, id: u32) -> Option<Arc<Container>> {
        self.containers.lock().by_id.get(&id).cloned()
    }
    pub fn len(&self) -> usize {
        self.containers.lock().by_id.len()
    }
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Up to `count` containers whose number is greater than `after`, in order.
    pub fn after(&self, after: u32, count: usize) -> Vec<Arc<Container>> {
        let containers = self.containers.lock();
        let range = (std::ops::Bound::Excluded(after), std::ops::Bound::Unbounded);
        containers.by_id.range::<u32, _>(range).take(count).map(|(_, container)| container.clone()).collect()
    }

    /// Makes an empty container for `who`. Tasks make none: what one has made would have to be bound by what it is bound by.
    pub async fn make(self: &Arc<ContainerTable>, who: &Caller) -> Result<Arc<Container>> {
        may_make(who)?;
        let files = Files::new(Vec::new(), who)?;
        self.insert(who, files, None).await
    }

    /// Makes one that goes on from what `origin` has now.
    pub(crate) async fn make_fork(
        self: &Arc<ContainerTable>,
        who: &Caller,
        origin: &Container,
    ) -> Result<Arc<Container>> {
        may_make(who)?;
        let files = origin.files().fork()?;
        self.insert(who, files, Some(origin.origin())).await
    }

    async fn insert(
        self: &Arc<ContainerTable>,
        who: &Caller,
        files: Files,
        origin: Option<Origin>,
    ) -> Result<Arc<Container>> {
        let id = {
            let mut containers = self.containers.lock();
            let max = self.config.max;
            if containers.by_id.len() + containers.coming >= max {
                return Err(Error::new(
                    Errno::EAGAIN,
                    format!("too many containers: this server holds {max}"),
                ));
            }
            let id = containers.next;
            // Numbers are not used again: a client that holds an old one must not meet another's container.
            containers.next = id.checked_add(1).ok_or(Errno::EAGAIN)?;
            containers.coming += 1;
            id
        };
        let _coming = Coming(self);
        let container = Container::new(self, id, who, files, origin).await?;
        self.containers.lock().by_id.insert(id, container.clone());
        Ok(container)
    }

    pub(crate) fn forget(&self, id: u32) -> bool {
        self.containers.lock().by_id.remove(&id).is_some()
    }

    /// The identity of the file numbered `file` (below 65 536) of container `id`; 0 is none.
    pub fn file_path(&self, id: u32, file: u64) -> u64 {
        self.tag.path(u64::from(id) << 16 | file)
    }
    /// The identity of the file numbered `file` (below 4) of a port of container `id`. Of two containers whose numbers are
    /// 2^30 apart one is long gone.
    pub(crate) fn port_path(&self, id: u32, port: u16, file: u16) -> u64 {
        self.ports.path(u64::from(id) << 18 | u64::from(port) << 2 | u64::from(file))
    }
}

/// One that is being made, whether it comes to be or not.
struct Coming<'a>(&'a ContainerTable);

impl Drop for Coming<'_> {
    fn drop(&mut self) {
        self.0.containers.lock().coming -= 1;
    }
}

fn may_make(who: &Caller) -> Result<()> {
    if let Some(id) = who.task {
        return Err(Error::new(
            Errno::EACCES,
            format!("permission denied: task {id} is a task, and tasks make no containers"),
        ));
    }
    if Caps::of(who).is_some_and(|caps| !caps.spawn()) {
        return Err(Error::new(Errno::EACCES, "permission denied: no capability \"spawn\""));
    }
    Ok(())
}

impl fmt::Debug for ContainerTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ContainerTable({} containers)", self.len())
    }
}
