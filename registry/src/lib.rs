//! A mirror of npm's registry that the server keeps for its containers: what one of them installed, the next one installs
//! without the network. The server alone writes the cache, and nothing is handed out whose hash is not the one that the
//! registry named: what a container does spoils nothing for another. Where it listens, and who may connect, is for others to
//! decide.
//!
//! ```text
//! npm ── GET /express ───────────────────► Mirror ── fresh? ── the cache        packuments/
//!                                                 └─ else ──── If-None-Match ──► the registry
//!     ── GET /express/-/express-1.0.tgz ─► Mirror ── by its hash ── the cache   tarballs/
//!                                                 └─ else ── fetched whole, its hash compared
//! ```
//!
//! Names of packages and tarballs are all that leaves by it: no header, query or body of a client's goes on.

mod answer;
mod integrity;
mod mirror;
mod name;
mod packument;
mod proxy;
mod store;
mod substitute;
mod upstream;

pub use mirror::Mirror;
pub use url::Url;

use std::path::PathBuf;

/// Where clients find the mirror, on their loopback.
pub const PORT: u16 = 4873;

/// The host that stands for "the registry in use" in lock files: npm itself puts its own setting in its place.
const CANONICAL: &str = "https://registry.npmjs.org/";

pub struct Config {
    /// The registry: http or https.
    pub upstream: Url,
    /// Where packages are kept.
    pub cache: PathBuf,
    /// The most bytes that are kept; what was not used for the longest time goes first.
    pub cache_bytes: u64,
    /// Whose certificate the registry must show (PEM), besides the authorities that this machine trusts.
    pub ca: Option<PathBuf>,
    /// An HTTP proxy on the way to the registry.
    pub proxy: Option<Url>,
    /// Packages that are machine code are those of the same version that are WebAssembly.
    pub wasm: bool,
}
