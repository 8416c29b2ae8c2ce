//! The synthetic trees, and the skeleton that they are mounted on.
//!
//! ```text
//! /            the root tree, and behind it the skeleton: empty directories where a root tree has none
//! /task        #task      tasks                        task/
//! /runtime     #runtime   what this server can run     runtimes.rs
//! /bin         #bin       the runtimes' own programs, behind what the root tree has   bin.rs
//! /lib         #lib       node: packages that come with the server, behind it as well   packages.rs
//! /dev         #dev       null, zero, random …, ns, watch, metrics, trace9   dev.rs
//! /web         #web       containers                   container/
//! /n /srv      empty, for what is imported and posted
//! ```
//!
//! Services show; what they show is decided in the crates `task` and `container`. How synthetic files behave is in `synth/`.

mod bin;
mod container;
mod dev;
mod messages;
mod packages;
mod runtimes;
mod server_ns;
mod synth;
mod task;
mod trace9;
mod watch;

pub use dev::Observation;
pub use messages::{Messages, Watch};
pub use packages::Npm;
pub use trace9::shows_messages;

use crate::synth::{Attr, Dir};
use ::container::{ContainerTable, Furnish};
use ::task::TaskTable;
use std::sync::Arc;
use vfs::{BindFlags, Caller, Errno, Error, Follow, Kind, Namespace, NodeRef, Result, TreeTag};

/// Directories that a namespace has even where its root tree has them not.
const SKELETON: [&str; 8] = ["bin", "dev", "lib", "n", "runtime", "srv", "task", "web"];

/// The trees of one server.
pub struct Services {
    table: Arc<TaskTable>,
    tag: TreeTag,
    dev: TreeTag,
    dev_inside: TreeTag,
    runtime: TreeTag,
    bin: TreeTag,
    lib: TreeTag,
    etc: TreeTag,
    npm: Npm,
    observation: Option<Observation>,
    containers: Option<Arc<ContainerTable>>,
}

impl Services {
    /// Fails where the process has no tree number left.
    pub fn new(table: &Arc<TaskTable>) -> Result<Services> {
        let tag = || TreeTag::take().ok_or_else(|| Error::new(Errno::ENFILE, "too many trees"));
        let (bin, lib, dev, dev_inside, runtime) = (tag()?, tag()?, tag()?, tag()?, tag()?);
        let (table, etc, tag) = (table.clone(), tag()?, tag()?);
        Ok(Services {
            table,
            tag,
            dev,
            dev_inside,
            runtime,
            bin,
            lib,
            etc,
            npm: Npm::default(),
            observation: None,
            containers: None,
        })
    }

    /// With what `/dev` is to show of the server's work.
    pub fn observed(self, observation: Observation) -> Services {
        Services { observation: Some(observation), ..self }
    }

    /// With npm in /lib/node.
    pub fn with_npm(self, npm: Npm) -> Services {
        Services { npm, ..self }
    }

    /// With containers, which are to be furnished with [`Services::furniture`].
    pub fn containing(self, containers: &Arc<ContainerTable>) -> Services {
        Services { containers: Some(containers.clone()), ..self }
    }
    /// What containers find in their namespaces besides their files.
    pub fn furniture(&self) -> Arc<dyn Furnish> {
        let dev = dev::tree_inside(&self.dev_inside);
        Arc::new(container::Furniture {
            dev,
            task: self.task_tree(),
            bin: self.bin_tree(),
            lib: self.lib_tree(),
            etc: container::etc_tree(&self.etc),
        })
    }

    /// `#task`.
    pub fn task_tree(&self) -> NodeRef {
        task::tree(&self.table)
    }
    /// `#runtime`.
    pub fn runtime_tree(&self) -> NodeRef {
        runtimes::tree(&self.runtime, self.table.registry())
    }
    /// `#dev`.
    pub fn dev_tree(&self) -> NodeRef {
        dev::tree(&self.dev, &self.table, self.observation.as_ref())
    }
    /// `#bin`.
    pub fn bin_tree(&self) -> NodeRef {
        bin::tree(&self.bin, self.table.registry())
    }
    /// `#lib`.
    pub fn lib_tree(&self) -> NodeRef {
        packages::tree(&self.lib, &self.npm)
    }
    /// `#skeleton`: empty directories to mount on.
    pub fn skeleton(&self) -> NodeRef {
        let entries = SKELETON.iter().enumerate().map(|(index, name)| {
            let attr = Attr::of_server(Kind::Dir, self.tag.path(index as u64 + 2), 0o555);
            (*name, Dir::new(attr, Vec::new()) as NodeRef)
        });
        Dir::new(Attr::of_server(Kind::Dir, self.tag.path(1), 0o555), entries.collect())
    }

    /// Mounts all of it in `ns`, whose root tree is there already.
    pub fn mount(self, ns: &Namespace) -> Result<()> {
        ns.mount(self.skeleton(), "#skeleton", &ns.root(), BindFlags::AFTER)?;
        let me = Caller::me();
        let mut trees = vec![
            ("#task", self.task_tree(), BindFlags::empty()),
            ("#runtime", self.runtime_tree(), BindFlags::empty()),
            ("#dev", self.dev_tree(), BindFlags::empty()),
            ("#bin", self.bin_tree(), BindFlags::AFTER),
            ("#lib", self.lib_tree(), BindFlags::AFTER),
        ];
        if let Some(containers) = &self.containers {
            trees.push(("#web", container::tree(containers), BindFlags::empty()));
        }
        for (spec, tree, flags) in trees {
            let path = spec.replace('#', "/");
            // Synthetic and memory trees answer at once; a root tree that does not is of no use as one.
            let place =
                ns.root().resolve(&me, path.as_bytes(), Follow::No).now().unwrap_or(Errno::EAGAIN.into());
            ns.mount(tree, spec, &place.map_err(|e| e.context(&path))?, flags)?;
        }
        // The numbers are the trees' for as long as the process lives: nodes of theirs may be held anywhere.
        std::mem::forget((self.tag, self.dev, self.dev_inside, self.runtime, self.bin, self.lib));
        Ok(())
    }
}

/// Mounts the trees of `table`'s server in `ns`.
pub fn mount_all(ns: &Namespace, table: &Arc<TaskTable>) -> Result<()> {
    Services::new(table)?.mount(ns)
}
