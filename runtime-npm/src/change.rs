//! What differs between the packages that lie in a project and those that shall: which come, which go, and which make room for
//! another of their name.

use crate::installed::Installed;
use crate::manifest::Manifest;
use crate::tree::{Id, Tree};
use crate::unusual::{Plain, Unusual};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Default)]
pub struct Change {
    /// Packages that are laid; of the changed ones another lies there.
    pub added: Vec<Id>,
    pub changed: Vec<Id>,
    /// Where packages lie that go.
    pub removed: Vec<String>,
    /// Where packages lie that stay as they are.
    pub kept: BTreeSet<String>,
    /// Links to programs of what goes or makes room.
    pub old_links: Vec<String>,
    /// Links that must be there, or npm would lay the package anew.
    pub links: Vec<String>,
}

/// Where the links to a package's programs are.
fn links<'m>(location: &str, manifest: &'m Manifest) -> impl Iterator<Item = String> + use<'m> {
    let above = location.strip_suffix(&manifest.name).expect("it lies by its name").to_owned();
    manifest.bins.iter().map(move |(program, _)| format!("{above}.bin/{program}"))
}

/// Whether it lies in another of these.
fn is_below<'l>(location: &str, mut others: impl Iterator<Item = &'l String>) -> bool {
    others.any(|other| location.strip_prefix(other.as_str()).is_some_and(|rest| rest.starts_with('/')))
}

impl Change {
    /// # Errors
    /// Where npm would leave out links that it made before.
    pub fn between(installed: &Installed, tree: &Tree) -> Plain<Change> {
        let mut change = Change::default();
        let mut there = BTreeMap::new();
        for id in tree.packages().filter(|id| !tree.node(*id).is_inert) {
            let node = tree.node(id);
            there.insert(node.location.as_str(), &*node.manifest);
            match installed.packages.get(&node.location) {
                None => change.added.push(id),
                Some(old)
                    if old.kept.get("version") == node.manifest.kept.get("version")
                        && old.integrity == node.manifest.integrity =>
                {
                    change.kept.insert(node.location.clone());
                    change.links.extend(links(&node.location, &node.manifest));
                }
                Some(_) => change.changed.push(id),
            }
        }
        let is_gone = |location: &&String| !there.contains_key(location.as_str());
        change.removed = installed.packages.keys().filter(is_gone).cloned().collect();
        if installed.packages.is_empty() || change.is_nothing() {
            return Ok(change);
        }
        let touched: BTreeSet<String> = change.changed(tree).chain(change.removed.iter().cloned()).collect();
        let old = installed.packages.iter().map(|(location, manifest)| (location.as_str(), manifest));
        let mut owners: BTreeMap<String, &str> = BTreeMap::new();
        for (location, manifest) in old.chain(there) {
            let is_old = installed.packages.get(location).is_some_and(|old| std::ptr::eq(old, manifest));
            for link in links(location, manifest) {
                if is_below(location, touched.iter()) {
                    return Err(Unusual::new(format!("{location}: programs below what changes")));
                }
                if *owners.entry(link.clone()).or_insert(location) != location {
                    return Err(Unusual::new(format!("{link}: two of a name")));
                }
                if is_old && touched.contains(location) {
                    change.old_links.push(link);
                }
            }
        }
        Ok(change)
    }

    pub fn is_nothing(&self) -> bool {
        self.added.is_empty() && self.changed.is_empty() && self.removed.is_empty()
    }

    fn changed<'c>(&'c self, tree: &'c Tree) -> impl Iterator<Item = String> + 'c {
        self.changed.iter().map(|id| tree.node(*id).location.clone())
    }

    /// What is taken away before anything is laid: no directory of it lies in another one.
    pub fn emptied(&self, tree: &Tree) -> Vec<String> {
        let all: Vec<String> = self.changed(tree).chain(self.removed.iter().cloned()).collect();
        all.iter().filter(|location| !is_below(location, all.iter())).cloned().collect()
    }

    /// How npm sums it up.
    pub fn said(&self) -> String {
        let count = |count: usize| format!("{count} package{}", if count == 1 { "" } else { "s" });
        let counts =
            [("added", self.added.len()), ("removed", self.removed.len()), ("changed", self.changed.len())];
        let parts: Vec<_> = counts.into_iter().filter(|(_, number)| *number > 0).collect();
        let mut text = String::new();
        for (at, (what, number)) in parts.iter().enumerate() {
            let is_last = at + 1 == parts.len();
            let between = match at {
                0 => "",
                _ if is_last => ", and ",
                _ => ", ",
            };
            text.push_str(&format!("{between}{what} {}", count(*number)));
        }
        if text.is_empty() { "up to date".to_owned() } else { text }
    }
}
