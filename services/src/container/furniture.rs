//! What is mounted in the namespaces of containers, besides their own files: /dev, /task and /etc for processes, and /bin and /lib
//! for everyone who looks.

use ::container::Furnish;
use std::sync::Arc;
use task::Group;
use vfs::{BindFlags, Caller, Errno, Error, Follow, Namespace, NodeRef, Result};

pub(crate) struct Furniture {
    /// Without what a server's /dev tells of the server.
    pub dev: NodeRef,
    pub task: NodeRef,
    pub bin: NodeRef,
    pub lib: NodeRef,
    pub etc: NodeRef,
}

/// Mounts `tree` where the files have a directory for it; where they have something else of that name, it is that.
fn mount(ns: &Namespace, who: &Caller, path: &str, tree: &NodeRef, flags: BindFlags) -> Result<()> {
    let owner = Caller { checked: false, guard: None, task: None, ..who.clone() };
    // A container's files are memory: they answer at once.
    let found = ns.root().resolve(&owner, path.as_bytes(), Follow::No).now();
    match found.unwrap_or_else(|| Errno::EAGAIN.into()) {
        Ok(place) if place.kind().is_dir() => {
            ns.mount(tree.clone(), &path.replacen('/', "#", 1), &place, flags)
        }
        Ok(_) => Ok(()),
        Err(error) if error.is(Errno::ENOENT) || error.is(Errno::EACCES) => Ok(()),
        Err(error) => Err(Error::context(error, path)),
    }
}

impl Furnish for Furniture {
    fn furnish(&self, ns: &Namespace, _group: &Arc<Group>, who: &Caller) -> Result<()> {
        mount(ns, who, "/dev", &self.dev, BindFlags::empty())?;
        // Of /task a process sees those of its group: the tasks themselves see to that.
        mount(ns, who, "/task", &self.task, BindFlags::empty())?;
        mount(ns, who, "/etc", &self.etc, BindFlags::AFTER)?;
        self.furnish_outside(ns, who)
    }
    fn furnish_outside(&self, ns: &Namespace, who: &Caller) -> Result<()> {
        mount(ns, who, "/bin", &self.bin, BindFlags::AFTER)?;
        mount(ns, who, "/lib", &self.lib, BindFlags::AFTER)
    }
}
