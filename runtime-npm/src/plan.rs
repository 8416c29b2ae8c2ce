//! One install, from what was asked to what is printed.

use crate::asked::Asked;
use crate::flags;
use crate::lay::Laying;
use crate::lock;
use crate::manifest::{Manifest, is_name};
use crate::order;
use crate::place;
use crate::platform::Here;
use crate::stock::Stock;
use crate::tree::{Id, Tree};
use crate::unpack::unpack;
use crate::unusual::{Plain, Unusual};
use runtime_sh::Memory;
use std::time::Duration;
use vfs::{Caller, Place};

/// Packages between two words of how far it is.
const STEP: usize = 50;
/// Tarballs that are fetched ahead of the one that is unpacked.
const AHEAD: usize = 32;

/// What is to be there in the end.
pub struct Plan {
    tree: Tree,
    /// The project's lock file, where it has to be written.
    own: Option<String>,
    hidden: String,
    /// The packages that are laid.
    packages: Vec<Id>,
}

/// What npm would print.
pub struct Said {
    pub out: String,
    pub err: String,
}

/// As npm's `ms` has it.
fn shown(took: Duration) -> String {
    let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    match ms {
        0..1000 => format!("{ms}ms"),
        1000..60_000 => format!("{}s", (ms + 500) / 1000),
        _ => format!("{}m", (ms + 30_000) / 60_000),
    }
}

impl Plan {
    pub async fn make(asked: Asked, here: &Here, stock: &mut Stock) -> Plain<Plan> {
        if !asked.project.contains_key("name") && !is_name(&asked.folder) {
            return Err(Unusual::new("a project without a name"));
        }
        let project = Manifest::of_project(&asked.project, &asked.folder)?;
        let mut tree = match &asked.lock {
            Some(text) => lock::read(text, project)?,
            None => {
                let mut tree = place::tree(project, here, stock).await?;
                flags::find(&mut tree);
                tree
            }
        };
        here.leave_out(&mut tree)?;
        // What was there is what npm would write; if it would not, it is npm's to write it.
        let text = order::text(&lock::own(&tree))?;
        let own = match asked.lock {
            Some(lock) if asked.is_ci || lock == text => None,
            Some(_) => return Err(Unusual::new("package-lock.json: npm would write it otherwise")),
            None => Some(text),
        };
        let mut packages: Vec<Id> = tree.packages().filter(|id| !tree.node(*id).is_inert).collect();
        packages.sort_by(|a, b| {
            let (a, b) = (tree.node(*a), tree.node(*b));
            a.depth.cmp(&b.depth).then_with(|| order::compare(&a.location, &b.location))
        });
        Ok(Plan { hidden: lock::hidden(&tree)?, own, packages, tree })
    }

    /// Lays all of it, and tells how far it is. Where that fails nothing is left of it.
    pub async fn lay(
        &self,
        (who, project): (&Caller, &Place),
        memory: &Memory,
        stock: &mut Stock,
        tell: &(dyn Fn(String) + Sync),
    ) -> Plain<()> {
        let mut laying = Laying::new(who, project);
        let laid = self.lay_all(&mut laying, memory, stock, tell).await;
        if laid.is_err() {
            laying.undo(self.own.is_some()).await?;
        }
        laid
    }

    async fn lay_all(
        &self,
        laying: &mut Laying<'_>,
        memory: &Memory,
        stock: &mut Stock,
        tell: &(dyn Fn(String) + Sync),
    ) -> Plain<()> {
        let source = |id: Id| {
            let manifest = &self.tree.node(id).manifest;
            (manifest.resolved.as_str(), manifest.integrity.as_str())
        };
        let mut ahead = self.packages.iter();
        ahead.by_ref().take(AHEAD).for_each(|id| stock.order_tarball(source(*id).0));
        for (done, id) in self.packages.iter().enumerate() {
            if done.is_multiple_of(STEP) {
                tell(format!("{done} of {} packages", self.packages.len()));
            }
            let (url, integrity) = source(*id);
            let tarball = stock.tarball(url, integrity).await?;
            if let Some(next) = ahead.next() {
                stock.order_tarball(source(*next).0);
            }
            let mut held = memory.hold(tarball.len())?;
            let files = unpack(&tarball)?;
            held.grow(files.values().map(|file| file.data.len()).sum())?;
            laying.package(&self.tree, *id, files).await?;
        }
        laying.finish(self.own.as_deref(), &self.hidden).await
    }

    pub fn said(&self, took: Duration) -> Said {
        let count = self.packages.len();
        let s = if count == 1 { "" } else { "s" };
        let out = format!("\nadded {count} package{s} in {}\n", shown(took));
        let manifests = self.packages.iter().map(|id| &self.tree.node(*id).manifest);
        let warned = manifests.filter_map(|manifest| {
            let why = manifest.deprecated()?;
            Some(format!("npm warn deprecated {}: {why}\n", manifest.shown()))
        });
        Said { err: warned.collect(), out }
    }
}
