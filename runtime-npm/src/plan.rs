//! One install, from what was asked to what is printed.

use crate::asked::Asked;
use crate::change::Change;
use crate::command::Command;
use crate::document::{Document, Style};
use crate::flags;
use crate::lay::{Laying, Texts};
use crate::lock;
use crate::manifest::{Manifest, is_name};
use crate::order;
use crate::pick::List;
use crate::place;
use crate::platform::Here;
use crate::spec::Spec;
use crate::stock::Stock;
use crate::tree::{Id, Tree};
use crate::unpack::unpack;
use crate::unusual::{Plain, Unusual};
use crate::wish;
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
    change: Change,
    texts: Texts,
    is_ci: bool,
    /// Whether there are packages already.
    is_update: bool,
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

/// Asks the registry which versions the tags stand for that are asked for.
async fn follow_tags(command: &mut Command, stock: &mut Stock) -> Plain<()> {
    let Command::Install(asked, _) = command else { return Ok(()) };
    for asking in asked {
        if let Spec::Tag(tag) = Spec::parse(&asking.spec)? {
            let list = List::parse(stock.list(&asking.name).await?)?;
            let version =
                list.tagged(&tag).ok_or_else(|| Unusual::new(format!("{}: no {tag}", asking.name)))?;
            version.clone_into(&mut asking.spec);
        }
    }
    Ok(())
}

/// What is to be there of a project whose fields are `project`, which may want more or less than its lock file has.
async fn tree(asked: &Asked, project: Manifest, here: &Here, stock: &mut Stock) -> Plain<Tree> {
    let mut tree = match &asked.lock {
        None => Tree::new(project),
        Some(text) => {
            let mut tree = lock::read(text, &asked.folder)?;
            let is_same = tree.node(Tree::ROOT).manifest.kept == project.kept;
            if asked.command == Command::Ci && !is_same {
                return Err(Unusual::new("package-lock.json: not in step"));
            }
            let is_all = matches!(&asked.command, Command::Install(asked, _) if asked.is_empty()) && is_same;
            tree.node_mut(Tree::ROOT).manifest = project.into();
            if is_all || asked.command == Command::Ci {
                return Ok(tree);
            }
            tree
        }
    };
    let names: Vec<&str> = match &asked.command {
        Command::Install(asked, _) => asked.iter().map(|asking| asking.name.as_str()).collect(),
        _ => Vec::new(),
    };
    tree = place::grow(tree, &names, here, stock).await?;
    flags::find(&mut tree);
    if asked.lock.is_some() {
        let extraneous: Vec<Id> = tree.packages().filter(|id| tree.node(*id).flags.extraneous).collect();
        for id in extraneous {
            if !tree.is_gone(id) {
                tree.remove(id);
            }
        }
    }
    Ok(tree)
}

impl Plan {
    pub async fn make(mut asked: Asked, here: &Here, stock: &mut Stock) -> Plain<Plan> {
        if !asked.project.contains_key("name") && !is_name(&asked.folder) {
            return Err(Unusual::new("a project without a name"));
        }
        let is_ci = asked.command == Command::Ci;
        follow_tags(&mut asked.command, stock).await?;
        let mut project = asked.project.clone();
        wish::said(&mut project, &asked.command)?;
        let manifest = Manifest::of_project(&project, &asked.folder)?;
        let is_plain = matches!(&asked.command, Command::Install(asked, _) if asked.is_empty());
        if (is_plain || is_ci) && manifest.wants.is_empty() {
            return Err(Unusual::new("nothing to install"));
        }
        let mut document = match &asked.manifest {
            Some(text) => Document::parse(text)?,
            None => Document::new(),
        };
        let style = document.style();
        let mut tree = tree(&asked, manifest, here, stock).await?;
        here.leave_out(&mut tree)?;
        wish::saved(&mut project, &asked.command, &tree)?;
        let manifest = Manifest::of_project(&project, &asked.folder)?;
        tree.node_mut(Tree::ROOT).manifest = manifest.into();
        let mut texts = Texts::default();
        if !is_plain && !is_ci {
            wish::write(&mut document, &project);
            texts.manifest = changed(asked.manifest, document.text());
        }
        texts.of_lock(&tree, asked.lock, is_ci, &style)?;
        let is_update = asked.installed.is_some();
        let installed = asked.installed.unwrap_or_default();
        let change = Change::between(&installed, &tree)?;
        texts.hidden = lock::hidden(&tree, &style)?;
        texts.is_same_hidden = texts.hidden == installed.lock;
        let mut packages: Vec<Id> = change.added.iter().chain(&change.changed).copied().collect();
        packages.sort_by(|a, b| {
            let (a, b) = (tree.node(*a), tree.node(*b));
            a.depth.cmp(&b.depth).then_with(|| order::compare(&a.location, &b.location))
        });
        Ok(Plan { tree, change, texts, is_ci, is_update, packages })
    }

    /// Lays all of it, and tells how far it is. Where that fails nothing is left of it, but that what made room for it is gone.
    pub async fn lay(
        &self,
        (who, project): (&Caller, &Place),
        memory: &Memory,
        stock: &mut Stock,
        tell: &(dyn Fn(String) + Sync),
    ) -> Plain<()> {
        let mut laying = Laying::new(who, project);
        if self.is_update {
            if !self.is_ci {
                laying.links_must_be_there(&self.change.links).await?;
            }
            // Before anything goes, all that is to come must be there, and be what it should.
            self.fetch(memory, stock).await?;
            match self.is_ci {
                true => laying.clear().await?,
                false => laying.make_room(&self.change, &self.tree).await?,
            }
        }
        let laid = self.lay_all(&mut laying, memory, stock, tell).await;
        if laid.is_err() {
            let locations = self.packages.iter().map(|id| self.tree.node(*id).location.as_str());
            let added = (self.is_update && !self.is_ci).then(|| locations.collect());
            laying.undo(&self.texts, added).await?;
        }
        laid
    }

    fn source(&self, id: Id) -> (&str, &str) {
        let manifest = &self.tree.node(id).manifest;
        (manifest.resolved.as_str(), manifest.integrity.as_str())
    }

    async fn fetch(&self, memory: &Memory, stock: &mut Stock) -> Plain<()> {
        let mut ahead = self.packages.iter();
        ahead.by_ref().take(AHEAD).for_each(|id| stock.order_tarball(self.source(*id).0));
        for id in &self.packages {
            let (url, integrity) = self.source(*id);
            let tarball = stock.tarball(url, integrity).await?;
            if let Some(next) = ahead.next() {
                stock.order_tarball(self.source(*next).0);
            }
            let mut held = memory.hold(tarball.len())?;
            held.grow(unpack(&tarball)?.values().map(|file| file.data.len()).sum())?;
        }
        Ok(())
    }

    async fn lay_all(
        &self,
        laying: &mut Laying<'_>,
        memory: &Memory,
        stock: &mut Stock,
        tell: &(dyn Fn(String) + Sync),
    ) -> Plain<()> {
        let mut ahead = self.packages.iter();
        ahead.by_ref().take(AHEAD).for_each(|id| stock.order_tarball(self.source(*id).0));
        for (done, id) in self.packages.iter().enumerate() {
            if done.is_multiple_of(STEP) {
                tell(format!("{done} of {} packages", self.packages.len()));
            }
            let (url, integrity) = self.source(*id);
            let tarball = stock.tarball(url, integrity).await?;
            if let Some(next) = ahead.next() {
                stock.order_tarball(self.source(*next).0);
            }
            let mut held = memory.hold(tarball.len())?;
            let files = unpack(&tarball)?;
            held.grow(files.values().map(|file| file.data.len()).sum())?;
            laying.package(&self.tree, *id, files).await?;
        }
        laying.finish(&self.texts).await
    }

    pub fn said(&self, took: Duration) -> Said {
        let out = format!("\n{} in {}\n", self.change.said(), shown(took));
        let manifests = self.packages.iter().map(|id| &self.tree.node(*id).manifest);
        let warned = manifests.filter_map(|manifest| {
            let why = manifest.deprecated()?;
            Some(format!("npm warn deprecated {}: {why}\n", manifest.shown()))
        });
        Said { err: warned.collect(), out }
    }
}

/// A file's text, and what it was before, where npm writes it: what differs by nothing but the space around it stays.
fn changed(before: Option<String>, after: String) -> Option<(Option<String>, String)> {
    match before {
        Some(before) if before.trim() == after.trim() => None,
        before => Some((before, after)),
    }
}

impl Texts {
    fn of_lock(&mut self, tree: &Tree, lock: Option<String>, is_ci: bool, style: &Style) -> Plain<()> {
        let text = order::text(&lock::own(tree), style)?;
        if !is_ci && lock.as_ref() != Some(&text) {
            self.lock = Some((lock, text));
        }
        Ok(())
    }
}
