//! Real mounts in temporary directories, used through the system calls that programs use.

mod coherence;
mod cost;
mod forgets;
mod large;
mod mounts;
mod passthrough;
mod posix;
mod signals;
mod streams;
mod toy;

use super::{Mount, Options, mount};
use std::io::Write;
use std::path::PathBuf;
use tokio::runtime::Runtime;
use vfs::{BindFlags, Caller, Follow, MemTree, Namespace};

/// A mounted memory tree with the toy devices at /dev.
struct Rig {
    // Unmounted before the directory goes.
    mount: Option<Mount>,
    ns: Namespace,
    toys: toy::Toys,
    dir: tempfile::TempDir,
    runtime: Runtime,
}

fn cannot_run(what: &str) {
    println!("{what}");
    if let Some(file) = std::env::var_os("TASKFS_SKIPPED") {
        let mut skipped = std::fs::OpenOptions::new().append(true).create(true).open(file).unwrap();
        writeln!(skipped, "{what}").unwrap();
    }
}

/// None where this machine cannot mount: said, and noted in the file that TASKFS_SKIPPED names.
fn rig() -> Option<Rig> {
    rig_with(&Options::default())
}

fn rig_with(options: &Options) -> Option<Rig> {
    if !std::path::Path::new("/dev/fuse").exists() {
        cannot_run("fuse: no /dev/fuse");
        return None;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let ns = Namespace::new(MemTree::new().root(), "mem");
    let me = Caller::me();
    let root = ns.root();
    let name = vfs::Name::new(b"dev").unwrap();
    root.mkdir(&me, name, vfs::Mode::new(0o755)).now().unwrap().unwrap();
    let dev = root.resolve(&me, b"/dev", Follow::No).now().unwrap().unwrap();
    let toys = toy::Toys::new(&ns);
    ns.mount(toys.root(), "#toy", &dev, BindFlags::empty()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let mount = mount(ns.clone(), dir.path(), options, runtime.handle().clone()).expect("mounts");
    Some(Rig { mount: Some(mount), ns, toys, dir, runtime })
}

impl Rig {
    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Does something to the tree behind the kernel's back, as a guest would.
    fn inside(&self, path: &str, content: &[u8]) {
        let me = Caller::me();
        let parent = self.ns.root().resolve_parent(&me, path.as_bytes()).now().unwrap().unwrap();
        let flags = vfs::OpenFlags::WRITE | vfs::OpenFlags::TRUNCATE;
        let made = parent.dir.create(&me, parent.name.as_name(), vfs::Mode::new(0o644), flags);
        made.now().unwrap().unwrap().file.write(0, content).now().unwrap().unwrap();
        self.heard();
    }

    /// What was done to the namespace itself is known to the kernel: whoever answers a client waits for that too.
    fn heard(&self) {
        if let Some(heard) = super::unheard() {
            self.runtime.block_on(heard);
        }
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        if let Some(mount) = self.mount.take() {
            mount.unmount().expect("unmounts");
        }
    }
}
