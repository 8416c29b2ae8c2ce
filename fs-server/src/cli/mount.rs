//! `taskfs mount`: a server's files on a directory of this machine.
//!
//! The kernel's own 9P client is the first choice. Where it is not there, or the user may not mount, FUSE serves the same
//! files out of our client, in a process of its own.

use super::say;
use super::signals::Unless;
use crate::addr::{Addr, is_loopback};
use crate::auth::ClientTls;
use crate::bridge::Bridge;
use crate::fault::Fault;
use crate::fuse;
use crate::remote;
use clap::{Args, ValueEnum as _};
use nine::wire::{Dialect, Msize};
use rustix::mount::MountFlags;
use std::ffi::CString;
use std::io::{BufRead, BufReader};
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use tokio::signal::unix::{SignalKind, signal};
use vfs::import::Import;

const MSIZE: Msize = Msize(1 << 20);

#[derive(Args, Debug)]
pub struct Mount {
    /// The server: unix:///PATH, tcp://HOST:PORT or tls://HOST:PORT
    addr: Addr,
    /// The directory to mount on
    dir: PathBuf,
    /// Which client: the kernel's 9P, FUSE, or the kernel's where it works
    #[arg(long, value_enum, default_value_t = With::Auto)]
    with: With,
    /// Options for the kernel's client, as mount -o takes them (msize=, cache=, access= …)
    #[arg(short, long, value_name = "OPTIONS", default_value = "")]
    options: String,
    /// Serve a FUSE mount, or the bridge to a TLS server, in the foreground
    #[arg(short, long)]
    foreground: bool,
    /// It was started by a `taskfs mount` that waits for its first line
    #[arg(long, hide = true)]
    detached: bool,
    #[command(flatten)]
    tls: ClientTls,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum With {
    Auto,
    Kernel,
    Fuse,
}

impl Mount {
    pub fn run(self) -> Result<ExitCode, Fault> {
        if !self.dir.is_dir() {
            return Err(Fault::no_input(format!("{}: not a directory", self.dir.display())));
        }
        // What the kernel's client reaches by itself needs no process of ours. TLS it does not know.
        let direct = !matches!(self.addr, Addr::Tls { .. });
        if self.with != With::Fuse && !self.foreground && direct {
            match self.kernel(&self.addr) {
                Ok(()) => return Ok(ExitCode::SUCCESS),
                Err(fault) if self.with == With::Kernel => return Err(fault),
                Err(fault) => tracing::info!("{fault}: FUSE instead"),
            }
        }
        if self.foreground { self.serve() } else { self.detach() }
    }

    fn kernel(&self, addr: &Addr) -> Result<(), Fault> {
        let fault = |what: String| Fault::unavailable(format!("{}: {what}", self.dir.display()));
        let (source, transport) = match addr {
            Addr::Unix(path) => (path.display().to_string(), "trans=unix".to_owned()),
            Addr::Tcp { port, .. } | Addr::Tls { port, .. } => {
                // The kernel takes numbers only.
                let found = addr.lookup().map_err(|e| Fault::no_host(format!("{addr}: {e}")))?;
                let ip = found.iter().find(|a| is_loopback(a)).or(found.first());
                let ip = ip.ok_or_else(|| Fault::no_host(format!("{addr}: no address")))?.ip();
                (ip.to_string(), format!("trans=tcp,port={port}"))
            }
        };
        let user = nix::unistd::User::from_uid(nix::unistd::geteuid()).ok().flatten();
        let user = user.map_or_else(|| "nobody".to_owned(), |u| u.name);
        let more = if self.options.is_empty() { String::new() } else { format!(",{}", self.options) };
        let data = format!("{transport},version=9p2000.L,msize=1048576,access=user,uname={user}{more}");
        let text =
            |s: String| CString::new(s).map_err(|_| fault("a NUL byte in the address or options".to_owned()));
        let dir = text(self.dir.display().to_string())?;
        let flags = MountFlags::NOSUID | MountFlags::NODEV;
        rustix::mount::mount(text(source)?.as_c_str(), dir.as_c_str(), c"9p", flags, text(data)?.as_c_str())
            .map_err(|e| {
                fault(match e {
                    rustix::io::Errno::NODEV => "this kernel has no 9p file system (modprobe 9p)".to_owned(),
                    rustix::io::Errno::PERM => "only root may mount with the kernel's 9P client".to_owned(),
                    e => format!("mount -t 9p {addr}: {e}"),
                })
            })
    }

    /// Starts this command again in a session of its own, and returns when the mount is there.
    fn detach(&self) -> Result<ExitCode, Fault> {
        let exe = std::env::current_exe().map_err(|e| Fault::os(format!("our own executable: {e}")))?;
        let mut command = Command::new(exe);
        command.arg("mount").args(["--foreground", "--detached"]).arg(self.addr.to_string()).arg(&self.dir);
        command.arg("--with").arg(self.with.to_possible_value().expect("none is hidden").get_name());
        command.arg(format!("--options={}", self.options));
        self.tls.hand_on(&mut command);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|e| Fault::os(format!("a process for the mount: {e}")))?;
        let stdout = child.stdout.take().expect("stdout is piped");
        match BufReader::new(stdout).lines().next() {
            Some(Ok(line)) if line.starts_with("mounted on ") => Ok(ExitCode::SUCCESS),
            // It has said on stderr what is wrong.
            _ => match child.wait() {
                Ok(status) => Ok(ExitCode::from(status.code().map_or(1, |c| c as u8))),
                Err(error) => Err(Fault::os(error.to_string())),
            },
        }
    }

    /// Says so. One that is detached has nothing to say after it, and keeps nobody's terminal or pipe open.
    fn mounted(&self) {
        say::out(format_args!("mounted on {}", self.dir.display()));
        if self.detached
            && let Ok(nowhere) = std::fs::OpenOptions::new().write(true).open("/dev/null")
        {
            // SAFETY: both are open, and nobody else of this process keeps either.
            unsafe { libc::dup2(nowhere.as_raw_fd(), libc::STDERR_FILENO) };
        }
    }

    fn serve(self) -> Result<ExitCode, Fault> {
        if self.detached {
            // It is no leader of a process group: it was started a moment ago.
            let _session = rustix::process::setsid();
        }
        let runtime = super::tokio()?;
        let result = runtime.block_on(async {
            if matches!(self.addr, Addr::Tls { .. }) && self.with != With::Fuse {
                match self.bridge().await {
                    Ok(()) => return Ok(()),
                    Err(fault) if self.with == With::Kernel => return Err(fault),
                    Err(fault) => tracing::info!("{fault}: FUSE instead"),
                }
            }
            self.fuse().await
        });
        runtime.shutdown_timeout(std::time::Duration::from_secs(1));
        result.map(|()| ExitCode::SUCCESS)
    }

    /// The kernel's client on a unix socket of ours, whose other end is the server; until it is unmounted.
    async fn bridge(&self) -> Result<(), Fault> {
        let Addr::Tls { host, port } = &self.addr else { unreachable!("asked for with a TLS address only") };
        let bridge = Bridge::connect(&self.addr, host, *port, &self.tls).await?;
        let local = bridge.local();
        let carried = tokio::spawn(bridge.carry());
        tokio::task::block_in_place(|| self.kernel(&local))?;
        self.mounted();
        match carried.await {
            Ok(Err(error)) => tracing::warn!("{}: unmounted: {error}", self.dir.display()),
            // Unmounted, which is how it should end.
            Ok(Ok(())) => {}
            Err(error) => return Err(Fault::software(format!("the bridge: {error}"))),
        }
        Ok(())
    }

    async fn fuse(&self) -> Result<(), Fault> {
        let mut terminate = signal(SignalKind::terminate()).map_err(|e| Fault::os(e.to_string()))?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(|e| Fault::os(e.to_string()))?;
        let mut hangup = Unless::ignored(SignalKind::hangup())?;
        let client = remote::connect(&self.addr, &self.tls, Dialect::P9P2000L, MSIZE).await?;
        let uid = rustix::process::geteuid().as_raw();
        let import = Import::attach_to(&self.addr.to_string(), client, b"", Some(uid), b"/").await;
        let import = import.map_err(|e| Fault::unavailable(format!("{}: {e}", self.addr)))?;
        let ns = vfs::Namespace::new(import.root(), &self.addr.to_string());
        let handle = tokio::runtime::Handle::current();
        let mount = fuse::mount(ns, &self.dir, &fuse::Options::default(), handle)
            .map_err(|e| Fault::unavailable(format!("{}: {e}", self.dir.display())))?;
        self.mounted();
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            () = hangup.came() => {}
            () = mount.ended() => {}
            why = import.ended() => tracing::warn!("{}: unmounted: {why}", self.dir.display()),
        }
        let unmounted = tokio::task::spawn_blocking(move || drop(mount)).await;
        unmounted.map_err(|e| Fault::software(format!("unmounting: {e}")))
    }
}
