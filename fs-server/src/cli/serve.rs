//! `taskfs serve`: puts a server together from the command line and runs it until it is told to stop.

use super::bounds::Bounds;
use super::say;
use super::signals::Unless;
use crate::addr::{Addr, is_loopback};
use crate::auth::ServerTls;
use crate::fault::Fault;
use crate::fuse;
use crate::gateway;
use crate::listen::Listener;
use crate::memory;
use crate::npm::{Registry, Started};
use crate::observe::{Target, TraceFile};
use crate::open_files;
use crate::serving;
use crate::stall;
use crate::world::{BindSpec, NodeSpec, RootSpec, World};
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

#[derive(Args, Debug)]
pub struct Serve {
    /// Listen for 9P here: unix:///PATH, tcp://HOST:PORT on loopback, or tls://HOST:PORT. Default: this user's own socket
    #[arg(short, long, value_name = "ADDR")]
    listen: Vec<Addr>,
    #[command(flatten)]
    gateway: gateway::Options,
    /// Mount the namespace on this directory with FUSE
    #[arg(short, long, value_name = "DIR")]
    mount: Vec<PathBuf>,
    /// How long the kernel may believe names and attributes of host directories that it was told of, as 1s or 500ms. What others
    /// change there is then seen through --mount some milliseconds later, and after this time at the latest
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = task::parse_time)]
    fuse_cache: Duration,
    /// Show the messages of all 9P connections in words, a line each, on stderr or at the end of FILE
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, default_missing_value = "-")]
    trace_9p: Option<Target>,
    /// Workers for Node programs that are kept warm
    #[arg(long, value_name = "N", default_value_t = 2)]
    node_pool: usize,
    #[command(flatten)]
    registry: Registry,
    #[command(flatten)]
    tls: ServerTls,
    #[command(flatten)]
    pub world: WorldArgs,
    #[command(flatten)]
    bounds: Bounds,
}

/// What the namespace is made of; the same for `serve` and `run`.
#[derive(Args, Clone, Debug)]
pub struct WorldArgs {
    /// What / is: mem, host:DIR, or overlay:DIR[:DIR]... (host directories that are only read, and memory over them)
    #[arg(long, value_name = "SPEC", default_value = "mem")]
    root: RootSpec,
    /// Show a host file or directory at DST of the namespace; with :ro nothing of it can be changed
    #[arg(short, long, value_name = "SRC:DST[:ro]")]
    pub bind: Vec<BindSpec>,
    /// Where compiled programs are kept between runs
    #[arg(long, value_name = "DIR", env = "TASKFS_CACHE")]
    cache: Option<PathBuf>,
    /// The most tasks at once
    #[arg(long, value_name = "N")]
    tasks: Option<usize>,
    /// The most memory of all tasks together, as 512M or 8G (default: three quarters of the machine's)
    #[arg(long, value_name = "SIZE", value_parser = task::parse_size)]
    memory: Option<u64>,
    /// What runs Node programs (default: taskfs-node-v8, taskfs-node-quickjs beside this program, in ../lib/taskfs or on PATH)
    #[arg(long, value_name = "FILE", env = "TASKFS_NODE")]
    node: Option<PathBuf>,
    /// The directory of the package npm, for /bin/npm and /bin/npx (default: npm beside this program or in ../lib/taskfs)
    #[arg(long, value_name = "DIR", env = "TASKFS_NPM")]
    npm: Option<PathBuf>,
    /// Run Node programs also where this machine cannot wall them off completely
    #[arg(long)]
    weak_walls: bool,
}

impl WorldArgs {
    /// With `pool` workers for Node programs kept warm, and npm's registry.
    pub async fn make(&self, pool: usize, registry: Option<Started>) -> Result<World, Fault> {
        let config = runtime_node::Config { pool, weak_walls: self.weak_walls, ..Default::default() };
        let node = NodeSpec { executable: self.node.clone(), npm: self.npm.clone(), registry, config };
        World::new(&self.root, &self.bind, self.cache.as_deref(), self.tasks, self.memory, &node).await
    }
}

impl Serve {
    pub fn run(self) -> Result<ExitCode, Fault> {
        memory::give_back_when_idle();
        open_files::as_many_as_allowed();
        let runtime = stall::runtime(super::builder()).map_err(super::no_threads)?;
        let result = runtime.block_on(self.serve());
        stall::dismiss();
        // A task that does not end, or a blocking call that hangs, must not keep the process.
        runtime.shutdown_timeout(std::time::Duration::from_secs(1));
        result
    }

    async fn serve(self) -> Result<ExitCode, Fault> {
        // Installed first: a signal during start-up ends what has been started.
        let mut terminate = signal(SignalKind::terminate()).map_err(|e| Fault::os(e.to_string()))?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(|e| Fault::os(e.to_string()))?;
        let mut hangup = Unless::ignored(SignalKind::hangup())?;

        let mut addrs = self.listen;
        if addrs.is_empty() && self.mount.is_empty() {
            addrs.push(Addr::Unix(Addr::default_socket()));
        }
        let tls = match addrs.iter().any(|addr| matches!(addr, Addr::Tls { .. })) {
            true => Some(self.tls.acceptor()?),
            false => None,
        };
        let mut listeners = Vec::new();
        for addr in &addrs {
            listeners.extend(Listener::bind(addr).await?);
        }
        let gateway = self.gateway.bind().await?;
        let world = self.world.make(self.node_pool, self.registry.start()?).await?;
        for listener in &listeners {
            let addr = listener.local_addr();
            if matches!(&addr, Addr::Tcp { .. }) && addr.lookup().is_ok_and(|a| a.iter().all(is_loopback)) {
                say::err(format_args!("taskfs: warning: {addr}: every user of this machine can reach it"));
            }
            say::out(format_args!("listening on {addr}"));
        }
        let gateway = gateway.map(|gateway| {
            say::out(format_args!("gateway on {}://{}/", gateway.scheme(), gateway.address()));
            world.containers.set_gateway(gateway.scheme(), gateway.address());
            let containers = world.containers.clone();
            gateway.start(Arc::new(move |id| Some(containers.get(id)?.group().clone())))
        });
        let gateway = gateway.transpose()?;
        let export = world.export();
        let trace = match &self.trace_9p {
            None => None,
            Some(target) => Some(
                TraceFile::start(world.observer.messages(), target)
                    .map_err(|e| Fault::cannot_create(format!("--trace-9p={target}: {e}")))?,
            ),
        };
        let serving = serving::start(listeners, export, self.bounds.limits(tls));

        let mut mounts = Vec::new();
        for dir in &self.mount {
            let counts = world.observer.fuse.clone();
            let options = fuse::Options { cache: self.fuse_cache, counts, ..Default::default() };
            let mount = fuse::mount(world.ns.clone(), dir, &options, tokio::runtime::Handle::current())
                .map_err(|e| Fault::unavailable(format!("--mount {}: {e}", dir.display())))?;
            say::out(format_args!("mounted on {}", dir.display()));
            mounts.push(mount);
        }
        say::out("ready");

        tokio::select! {
            _ = terminate.recv() => tracing::info!("SIGTERM"),
            _ = interrupt.recv() => tracing::info!("SIGINT"),
            () = hangup.came() => tracing::info!("SIGHUP"),
        }
        let ended = async {
            drop(gateway);
            serving.stop().await;
            if let Some(trace) = trace {
                trace.stop().await;
            }
            world.stop().await;
            let unmounted = tokio::task::spawn_blocking(move || drop(mounts)).await;
            if let Err(error) = unmounted {
                tracing::error!("unmounting: {error}");
            }
        };
        // A second signal means now.
        tokio::select! {
            () = ended => Ok(ExitCode::SUCCESS),
            _ = terminate.recv() => Err(Fault::software("ended before everything was put away")),
            _ = interrupt.recv() => Err(Fault::software("ended before everything was put away")),
        }
    }
}
