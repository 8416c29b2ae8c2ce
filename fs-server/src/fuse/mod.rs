//! A namespace as a file system of the Linux kernel, over FUSE (crate fuser).
//!
//! ```text
//! program ─ system call ─► kernel ─ /dev/fuse ─► session thread ─► Place ─► tree
//!                                                     └── what waits: a task, watched for signals
//! ```
//!
//! Session threads take requests off the device, one of them unless that is too few (`readers`); none ever waits for a tree. The superuser mounts by
//! himself, everyone else through the setuid program fusermount3.

mod attr;
mod buffer;
mod capabilities;
mod counts;
mod device;
mod files;
mod gate;
mod handles;
mod inodes;
mod interrupt;
mod list;
mod locks;
mod looking;
mod mountpoint;
mod names;
mod notices;
mod opening;
mod origin;
mod passthrough;
mod poll;
pub(crate) mod readers;
mod reply;
mod requests;
mod session;
mod status;
mod xattr;

#[cfg(test)]
mod tests;

pub use counts::{Counts, Held};

use device::Device;
use fuser::{BackgroundSession, Config, MountOption, SessionACL};
pub use gate::unheard;
use handles::Handles;
use inodes::Inodes;
use interrupt::Watcher;
use notices::Notices;
use readers::Readers;
use rustix::fd::AsFd;
use session::Session;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tracing::{debug, warn};
use vfs::Namespace;

/// How to mount.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many threads take requests off the kernel.
    pub threads: usize,
    /// May others than the mounting user come in? By default where the machine lets us: as root, or with
    /// `user_allow_other` in /etc/fuse.conf.
    pub allow_other: Option<bool>,
    /// How long the kernel may believe names, sizes and times of a host directory, which others may change. Zero, the default,
    /// shows what they do at once. Else it is seen when inotify(7) has told of it, some milliseconds later, and at the latest
    /// after this time. The memory tree is always believed until it tells of a change.
    pub cache: Duration,
    /// Where the requests are counted.
    pub counts: Arc<Counts>,
}

impl Default for Options {
    fn default() -> Options {
        let threads = std::thread::available_parallelism().map_or(2, usize::from).clamp(3, 8);
        Options { threads, allow_other: None, cache: Duration::ZERO, counts: Arc::default() }
    }
}

/// A mounted namespace. Dropping it unmounts.
pub struct Mount {
    dir: PathBuf,
    watcher: Arc<Watcher>,
    notices: Arc<Notices>,
    readers: Arc<Readers>,
    session: Option<BackgroundSession>,
    /// Which mount it is, for this process's mount namespace.
    id: Option<u64>,
}

/// Mounts `ns` at the directory `dir`; what waits is driven by `runtime`. A dead mount left there by a server that was
/// killed is taken away first.
///
/// Errors name the directory: it is missing, is no directory, the machine has no /dev/fuse, or may not be mounted on.
pub fn mount(
    ns: Namespace,
    dir: &Path,
    options: &Options,
    runtime: tokio::runtime::Handle,
) -> io::Result<Mount> {
    let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", dir.display()));
    mountpoint::clear_stale(dir).map_err(named)?;
    let dir = dir.canonicalize().map_err(named)?;
    if !dir.is_dir() {
        return Err(named(io::ErrorKind::NotADirectory.into()));
    }
    if !Path::new("/dev/fuse").exists() {
        return Err(io::Error::new(
            io::ErrorKind::NotFound,
            "/dev/fuse: not there; load the kernel module fuse (modprobe fuse), or give it to the container",
        ));
    }

    let mut config = Config::default();
    config.mount_options = vec![
        MountOption::FSName("taskfs".into()),
        MountOption::Subtype("taskfs".into()),
        // The kernel checks mode bits itself, knowing the caller's groups, which requests do not tell.
        MountOption::DefaultPermissions,
    ];
    let others = options.allow_other.unwrap_or_else(mountpoint::may_allow_other);
    config.acl = if others { SessionACL::All } else { SessionACL::Owner };
    config.n_threads = Some(options.threads.max(1));

    static CLIENTS: AtomicU64 = AtomicU64::new(1);
    let watcher = Arc::new(Watcher::start()?);
    // Apart from the numbers of 9P connections, which count from 1 too.
    let client = (1 << 63) | CLIENTS.fetch_add(1, Ordering::Relaxed);
    let inodes = Inodes::new(ns, client, options.cache);
    let (notices, known) = (inodes.notices.clone(), inodes.clone());
    let handles = Arc::new(Handles::default());
    options.counts.mounted(&inodes, &handles);
    let counts = options.counts.clone();
    let device = Arc::new(Device::default());
    let readers = Readers::of_a_mount(device.clone(), options.threads.max(1));
    let session = Session {
        inodes,
        handles,
        watcher: watcher.clone(),
        runtime,
        client,
        counts,
        readers: readers.clone(),
        device: device.clone(),
    };
    let session = fuser::Session::new(session, &dir, &config).map_err(named)?;
    // All its threads read from this one (not `clone_fd`), so that each may answer there.
    device.is(session.as_fd()).map_err(named)?;
    let session = session.spawn().map_err(named)?;
    notices.start(session.notifier(), move || known.everything())?;
    debug!(dir = %dir.display(), threads = options.threads, others, "mounted");
    let id = mountpoint::seen_at(&dir);
    Ok(Mount { dir, watcher, notices, readers, session: Some(session), id })
}

impl Mount {
    /// Where it is mounted.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Done when somebody else has unmounted it. The kernel tells nobody but the session threads, which end.
    pub async fn ended(&self) {
        while self.session.as_ref().is_some_and(|session| !session.guard.is_finished()) {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Unmounts, at once even where the mount is busy: requests that wait are ended, files that are still open fail from
    /// then on (ENOTCONN, ENODEV).
    pub fn unmount(mut self) -> io::Result<()> {
        self.end()
    }

    fn end(&mut self) -> io::Result<()> {
        let Some(session) = self.session.take() else { return Ok(()) };
        self.watcher.stop();
        self.readers.end();
        self.notices.stop();
        let ended = session.guard.is_finished();
        let covered = !ended && self.id.is_some() && mountpoint::seen_at(&self.dir) != self.id;
        let unmounted = if covered {
            // Ours was detached while it is busy, or another server has mounted there since, maybe the one that takes our place: to
            // unmount `dir` would take what is not ours. Our own ends with this process.
            warn!(dir = %self.dir.display(), "what is seen there now is not our mount: left as it is");
            Ok(())
        } else if ended {
            // By itself, since somebody else has unmounted; what is at `dir` now is not ours.
            Ok(())
        } else {
            mountpoint::detach(&self.dir)
        };
        // A mount that a user's program keeps busy lives on, detached, until the program or we end: as an ordinary user
        // there is no way to cut it off. Its threads are left to it.
        let patience = Instant::now() + Duration::from_millis(500);
        while !covered && !session.guard.is_finished() && Instant::now() < patience {
            std::thread::sleep(Duration::from_millis(2));
        }
        if !session.guard.is_finished() {
            debug!(dir = %self.dir.display(), "still in use after unmounting");
        }
        // fuser 0.18 would unmount once more what is at `dir` by then, when it is dropped: it takes POLLERR, which says that the
        // mount is gone, for the word that it is there.
        std::mem::forget(session);
        unmounted.map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", self.dir.display())))
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            warn!(%error, "not unmounted");
        }
    }
}
