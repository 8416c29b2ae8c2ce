//! npm for containers: the package itself, its settings there, and the mirror of the registry that all of them share
//! (`--npm-registry`; crate `registry`).

use crate::fault::Fault;
use crate::world::{default_cache, host};
use clap::Args;
use loopback::Loopback;
use registry::{Config, Mirror, PORT, Url};
use runtime_node::Neighbour;
use runtime_sh::Sh;
use rustix::net::{AddressFamily, SocketType, bind, listen};
use services::Npm;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use task::Runtime;
use tokio::net::TcpListener;
use vfs::{Caller, Name};

/// What a package brings along does not run by being installed; and no log is kept of each run, hundreds of writes long.
const SETTINGS: &str = "ignore-scripts=true\naudit=false\nfund=false\nupdate-notifier=false\nlogs-max=0\n";
/// Connections that wait for the mirror.
const BACKLOG: i32 = 1024;

/// What `taskfs serve` is given.
#[derive(Args, Debug)]
pub struct Registry {
    /// Let containers install packages of this registry, as https://registry.npmjs.org/, through a cache that they share
    #[arg(long, value_name = "URL")]
    npm_registry: Option<Url>,
    /// Where the packages are kept (default: npm in the cache of compiled programs)
    #[arg(long, value_name = "DIR", requires = "npm_registry")]
    npm_cache: Option<PathBuf>,
    /// The most that is kept of them
    #[arg(long, value_name = "SIZE", default_value = "8G", value_parser = task::parse_size)]
    npm_cache_size: u64,
    /// Whose certificate the registry may show (PEM), besides the authorities that this machine trusts
    #[arg(long, value_name = "FILE", requires = "npm_registry")]
    npm_ca: Option<PathBuf>,
    /// The HTTP proxy on the way to the registry, as http://USER:PASSWORD@proxy.example:3128/
    #[arg(long, value_name = "URL", requires = "npm_registry")]
    npm_proxy: Option<Url>,
    /// Give containers esbuild-wasm as esbuild, and @rollup/wasm-node as rollup, each of the same version: those of
    /// their own name are machine code, which does not run here
    #[arg(long, requires = "npm_registry")]
    npm_wasm: bool,
}

/// The mirror, and where containers find it.
#[derive(Clone)]
pub struct Started {
    pub mirror: Arc<Mirror>,
    pub neighbour: Neighbour,
}

impl fmt::Debug for Started {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.neighbour.fmt(f)
    }
}

impl Registry {
    /// Starts the mirror, in a network of its own: only who is let in comes there.
    pub fn start(&self) -> Result<Option<Started>, Fault> {
        let Some(upstream) = self.npm_registry.clone() else { return Ok(None) };
        let cache = self.npm_cache.clone().or_else(|| default_cache().map(|dir| dir.join("npm")));
        let cache = cache.ok_or_else(|| Fault::usage("--npm-registry: no HOME; give --npm-cache DIR"))?;
        let config = Config {
            upstream,
            cache,
            cache_bytes: self.npm_cache_size,
            ca: self.npm_ca.clone(),
            proxy: self.npm_proxy.clone(),
            wasm: self.npm_wasm,
        };
        let mirror = Mirror::new(config).map_err(|e| Fault::no_input(format!("--npm-registry: {e}")))?;
        let (network, listener) =
            place().map_err(|e| Fault::unavailable(format!("--npm-registry: a network of its own: {e}")))?;
        tokio::spawn(mirror.clone().serve(listener));
        Ok(Some(Started { mirror, neighbour: Neighbour { network, port: PORT } }))
    }
}

/// The package npm, where there is one.
#[derive(Default)]
pub struct Found {
    pub package: Npm,
    pub version: Option<String>,
}

fn place() -> io::Result<(Arc<Loopback>, TcpListener)> {
    let network = Arc::new(Loopback::new()?);
    let socket = network.socket(AddressFamily::INET, SocketType::STREAM)?;
    bind(&socket, &SocketAddr::from((Ipv4Addr::LOCALHOST, PORT)))?;
    listen(&socket, BACKLOG)?;
    Ok((network, TcpListener::from_std(socket.into())?))
}

/// The package npm, for reading: `given`, or what lies beside this program or in ../lib/taskfs. With a mirror it is npm's
/// registry.
pub fn find(given: Option<&Path>, has_mirror: bool) -> Result<Found, Fault> {
    let found = || {
        let program = std::env::current_exe().ok()?;
        let beside = program.parent()?;
        let places = [beside.join("npm"), beside.join("../lib/taskfs/npm")];
        places.into_iter().find(|dir| dir.join("bin/npm-cli.js").is_file())
    };
    let (given, found) = (given.map(Path::to_owned), if given.is_none() { found() } else { None });
    if let Some(dir) = given.as_ref().filter(|dir| !dir.join("bin/npm-cli.js").is_file()) {
        return Err(Fault::no_input(format!("--npm {}: it has no bin/npm-cli.js", dir.display())));
    }
    let Some(dir) = given.or(found) else { return Ok(Found::default()) };
    let wrong = |error: String| Fault::no_input(format!("--npm {}: {error}", dir.display()));
    let tree = host(&dir, true).map_err(|e| wrong(e.to_string()))?;
    let mut files = Vec::new();
    for entry in std::fs::read_dir(&dir).map_err(|e| wrong(e.to_string()))? {
        let name = entry.map_err(|e| wrong(e.to_string()))?.file_name();
        // For as long as the server lives, and there are ten.
        let name: &'static str = name.to_string_lossy().into_owned().leak();
        let node = Name::new(name.as_bytes()).map(|name| tree.walk(&Caller::me(), name).now());
        if let Ok(Some(Ok(node))) = node
            && name != "npmrc"
        {
            files.push((name, node));
        }
    }
    files.sort_by_key(|(name, _)| *name);
    let mut settings = SETTINGS.to_owned();
    if has_mirror {
        // It tries again itself, and says at once what is wrong.
        settings += &format!("registry=http://127.0.0.1:{PORT}/\nfetch-retries=0\n");
    }
    let manifest = std::fs::read_to_string(dir.join("package.json")).unwrap_or_default();
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap_or_default();
    let version = manifest["version"].as_str().unwrap_or_default().to_owned();
    Ok(Found { package: Npm { files, settings }, version: Some(version) })
}

/// What installs plain projects in the server itself, and hands everything else to npm in `node`.
pub fn installer(
    found: &Found,
    registry: Option<&Started>,
    node: Option<&Arc<dyn Runtime>>,
    shell: &Arc<Sh>,
) -> Option<Arc<dyn Runtime>> {
    let npm = runtime_npm::Npm::new(runtime_npm::Config {
        program: runtime_node::script("npm"),
        node: node?.clone(),
        version: found.version.clone()?,
        mirror: registry?.mirror.clone(),
        shell: shell.clone(),
        handle: tokio::runtime::Handle::current(),
    });
    npm.map(|npm| Arc::new(npm) as Arc<dyn Runtime>)
}
