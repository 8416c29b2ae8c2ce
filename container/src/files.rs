//! The files of a container: an overlay of its own, and the two namespaces that show it: the one its processes are given a
//! copy of, and the one that is seen from outside, which has only the files.

use std::sync::Arc;
use task::Group;
use vfs::mem::MemOptions;
use vfs::overlay::Overlay;
use vfs::{Caller, Errno, Mode, Name, Namespace, NodeRef, Place, Result};

/// Mounts in a container's namespace what its processes find there besides their own files: devices, tasks, commands.
pub trait Furnish: Send + Sync {
    /// `ns` is what processes will see; all of [`DIRECTORIES`] are there, unless the files have something else of that name.
    fn furnish(&self, ns: &Namespace, group: &Arc<Group>, who: &Caller) -> Result<()>;
    /// The same for what is seen through `mount/`.
    fn furnish_outside(&self, ns: &Namespace, who: &Caller) -> Result<()>;
}

/// What every container has, to put files in or to mount on: directory and mode.
pub const DIRECTORIES: [(&str, u32); 7] = [
    ("bin", 0o755),
    ("dev", 0o755),
    ("etc", 0o755),
    ("home", 0o755),
    ("lib", 0o755),
    ("task", 0o755),
    ("tmp", 0o1777),
];

#[derive(Clone)]
pub struct Files {
    overlay: Overlay,
}

impl Files {
    /// `layers`, the first one topmost, under an empty one that is written to and is `owner`'s.
    pub fn new(layers: Vec<NodeRef>, owner: &Caller) -> Result<Files> {
        let options =
            MemOptions { mode: Mode::new(0o755), uid: owner.uid, gid: owner.gid, ..MemOptions::default() };
        Ok(Files { overlay: Overlay::new(layers, options)? })
    }

    /// What goes on from the same files.
    pub fn fork(&self) -> Result<Files> {
        Ok(Files { overlay: self.overlay.fork()? })
    }
    /// Bytes and files of its own.
    pub fn usage(&self) -> (u64, u64) {
        self.overlay.usage()
    }
    /// Tells `group` of what there is no room for.
    pub(crate) fn tell_full(&self, group: &Arc<Group>) {
        let group = Arc::downgrade(group);
        self.overlay.when_full(move |full| {
            if let Some(group) = group.upgrade() {
                group.tell_full(full);
            }
        });
    }
    pub fn set_room(&self, bytes: Option<u64>, inodes: Option<u64>) {
        self.overlay.set_room(bytes, inodes);
    }
    /// The files and nothing else.
    pub fn bare(&self, spec: &str) -> Namespace {
        Namespace::new(self.overlay.root(), spec)
    }

    /// Makes the directories that are not there.
    pub async fn make_directories(&self, owner: &Caller) -> Result<()> {
        let root = self.bare("files").root();
        // Whose the files are decides, and not who he is elsewhere.
        let owner = Caller { checked: false, guard: None, task: None, umask: 0, ..owner.clone() };
        for (name, mode) in DIRECTORIES {
            directory(&root, &owner, name.as_bytes(), Mode::new(mode)).await?;
        }
        Ok(())
    }
}

async fn directory(dir: &Place, who: &Caller, name: &[u8], mode: Mode) -> Result<()> {
    match dir.walk(who, name).await {
        Err(error) if error.is(Errno::ENOENT) => {
            dir.mkdir(who, Name::new(name)?, mode).await?;
            Ok(())
        }
        // A file or a link of that name: nothing is mounted there.
        _ => Ok(()),
    }
}
