//! One version of a package takes the place of another in the project's own `node_modules`; what only the old one led to goes.

use crate::manifest::{Kind, Manifest};
use crate::place::Placing;
use crate::tree::{Edge, Id, Tree};
use crate::unusual::{Plain, Unusual};
use std::sync::Arc;

impl Placing<'_> {
    /// Gives the project what it wants by a name that is taken; what was placed for that. Who else uses what is there must be able to
    /// use the new one.
    pub async fn renew(&mut self, name: &str) -> Plain<Vec<Id>> {
        let unusual = |what: &str| Unusual::new(format!("{name}: {what}"));
        let current = self.tree.node(Tree::ROOT).children[name];
        let project = self.tree.node(Tree::ROOT).manifest.clone();
        let want = project.wants.iter().find(|want| want.name == name).expect("it was found there");
        let manifest = self.manifest(want).await?.ok_or_else(|| unusual("no version that will do"))?;
        self.replace(current, manifest).await
    }

    /// Puts another version where `current` is, in the project's own `node_modules`.
    pub async fn replace(&mut self, current: Id, manifest: Arc<Manifest>) -> Plain<Vec<Id>> {
        let name = manifest.name.clone();
        let unusual = |what: &str| Unusual::new(format!("{name}: {what}"));
        if self.tree.edges_in(current).any(|edge| !edge.want.spec.takes(manifest.version())) {
            return Err(unusual("others want what is there"));
        }
        if self.is_same(current, &manifest) {
            self.tree.node_mut(current).manifest = manifest;
            self.makes_none_needless(Tree::ROOT, &name)?;
            return Ok(vec![current]);
        }
        let there = |name: &str| self.tree.node(Tree::ROOT).children.get(name).copied();
        let (mut lacks, mut refuses) = (false, false);
        for peer in manifest.wants.iter().filter(|want| want.kind.is_peer()) {
            match there(&peer.name) {
                Some(there) => refuses |= !peer.spec.takes(self.tree.node(there).manifest.version()),
                None => lacks |= peer.kind == Kind::Peer,
            }
        }
        if refuses {
            return Err(unusual("a peer of another version is there"));
        }
        let peers = if lacks { self.peers(Tree::ROOT, &manifest).await? } else { Vec::new() };

        let is_wanted = |name: &str| manifest.wants.iter().any(|want| want.name == name);
        let left = self.tree.edges(current).filter(|edge| !is_wanted(&edge.want.name));
        let left: Vec<Id> = left.filter_map(|edge| edge.to).collect();
        let old: Vec<Id> =
            left.iter().flat_map(|to| alone(&self.tree, vec![*to], |edge| edge.to != Some(*to))).collect();
        self.tree.node_mut(current).manifest = manifest.clone();
        let tree = &self.tree;
        let wrong = tree.edges(current).filter(|edge| !tree.is_valid(edge)).filter_map(|edge| edge.to);
        let mut needless: Vec<Id> = wrong.collect();
        for id in old.into_iter().filter(|id| *id != current) {
            needless.extend(alone(tree, vec![id], |edge| edge.to != Some(id) && tree.is_valid(edge)));
        }
        let is_others =
            |edge: &Edge<'_>| edge.from != current && edge.to != Some(current) && tree.is_valid(edge);
        let needless = alone(tree, needless, is_others);
        if needless.contains(&current) || needless.contains(&Tree::ROOT) {
            return Err(unusual("it leads to itself"));
        }
        for id in needless {
            if !self.tree.is_gone(id) {
                self.tree.remove(id);
            }
        }
        self.makes_none_needless(Tree::ROOT, &name)?;
        let mut placed = vec![current];
        for peer in peers {
            placed.push(self.add(Tree::ROOT, peer)?);
        }
        Ok(placed)
    }
}

/// These packages and all that they lead to, but for what is also led to from elsewhere. Ways that do not count lead nowhere.
fn alone(tree: &Tree, from: Vec<Id>, counts: impl Fn(&Edge<'_>) -> bool) -> Vec<Id> {
    let mut set: Vec<Id> = Vec::new();
    let mut open = from;
    while let Some(id) = open.pop() {
        if !set.contains(&id) {
            set.push(id);
            open.extend(tree.edges(id).filter(|edge| counts(edge)).filter_map(|edge| edge.to));
        }
    }
    loop {
        let is_used = |id: &Id| tree.edges_in(*id).any(|edge| !set.contains(&edge.from) && counts(&edge));
        let Some(at) = set.iter().position(is_used) else { return set };
        set.remove(at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn manifest(name: &str, wants: &[&str]) -> Arc<Manifest> {
        let wants: serde_json::Map<_, _> =
            wants.iter().map(|want| ((*want).to_owned(), json!("1"))).collect();
        let entry = json!({"version": "1.0.0", "dependencies": wants, "integrity": "sha512-x",
            "resolved": "https://registry.npmjs.org/x/-/x.tgz"});
        Arc::new(Manifest::of_entry(entry.as_object().expect("one"), name).expect("plain"))
    }

    #[test]
    fn what_is_led_to_from_elsewhere_is_not_alone() {
        let project = json!({"name": "app", "dependencies": {"a": "1", "d": "1"}});
        let mut tree =
            Tree::new(Manifest::of_project(project.as_object().expect("one"), "app").expect("plain"));
        let mut add = |name: &str, wants: &[&str]| tree.add(Tree::ROOT, name, manifest(name, wants));
        let (a, b, c, d) = (add("a", &["b", "c"]), add("b", &["e"]), add("c", &["b"]), add("d", &["e"]));
        let e = add("e", &[]);
        let sorted = |mut ids: Vec<Id>| {
            ids.sort();
            ids
        };
        assert_eq!(sorted(alone(&tree, vec![b], |edge| edge.from != a)), [], "c leads there");
        assert_eq!(sorted(alone(&tree, vec![b, c], |edge| edge.from != a)), [b, c]);
        assert_eq!(sorted(alone(&tree, vec![d], |edge| edge.from != Tree::ROOT)), [d], "b leads to {e:?}");
        assert_eq!(sorted(alone(&tree, vec![a], |edge| edge.from != Tree::ROOT)), [a, b, c]);
    }
}
