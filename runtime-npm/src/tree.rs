//! The tree of packages: which lies in whose `node_modules`, and what a package finds by a name.

use crate::flags::Flags;
use crate::manifest::{Kind, Manifest, Want};
use std::collections::BTreeMap;
use std::sync::Arc;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Id(usize);

pub struct Node {
    pub manifest: Arc<Manifest>,
    pub parent: Option<Id>,
    pub children: BTreeMap<String, Id>,
    /// From the project on: `node_modules/a/node_modules/b`.
    pub location: String,
    pub depth: usize,
    pub flags: Flags,
    /// Optional, and not for this machine: in the lock file, and nowhere else.
    pub is_inert: bool,
    is_gone: bool,
}

pub struct Tree {
    nodes: Vec<Node>,
}

/// Of packages, and of what they want: more would take too long to look through.
const MOST: (usize, usize) = (4000, 40_000);

/// A package's want of another.
#[derive(Clone, Copy)]
pub struct Edge<'t> {
    pub from: Id,
    pub want: &'t Want,
    pub to: Option<Id>,
}

impl Tree {
    pub const ROOT: Id = Id(0);

    pub fn new(project: Manifest) -> Tree {
        let root = Node {
            manifest: Arc::new(project),
            parent: None,
            children: BTreeMap::new(),
            location: String::new(),
            depth: 0,
            flags: Flags::NONE,
            is_inert: false,
            is_gone: false,
        };
        Tree { nodes: vec![root] }
    }

    pub fn node(&self, id: Id) -> &Node {
        &self.nodes[id.0]
    }
    pub fn node_mut(&mut self, id: Id) -> &mut Node {
        &mut self.nodes[id.0]
    }
    /// All of them, the project first, and each behind the one that it lies in.
    pub fn ids(&self) -> impl Iterator<Item = Id> + '_ {
        (0..self.nodes.len()).map(Id).filter(|id| !self.nodes[id.0].is_gone)
    }
    pub fn packages(&self) -> impl Iterator<Item = Id> + '_ {
        self.ids().skip(1)
    }

    /// Whether there is more of it than is worked on here.
    pub fn is_large(&self) -> bool {
        let wants: usize = self.nodes.iter().map(|node| node.manifest.wants.len()).sum();
        self.nodes.len() > MOST.0 || wants > MOST.1
    }

    /// Where a package of that name would lie in `parent`.
    pub fn location(&self, parent: Id, name: &str) -> String {
        match &self.node(parent).location {
            above if above.is_empty() => format!("node_modules/{name}"),
            above => format!("{above}/node_modules/{name}"),
        }
    }

    /// Puts a package into the `node_modules` of `parent`, where there is none of that name.
    pub fn add(&mut self, parent: Id, name: &str, manifest: Arc<Manifest>) -> Id {
        let id = Id(self.nodes.len());
        let before = self.node_mut(parent).children.insert(name.to_owned(), id);
        debug_assert!(before.is_none());
        let node = Node {
            location: self.location(parent, name),
            depth: self.node(parent).depth + 1,
            manifest,
            parent: Some(parent),
            children: BTreeMap::new(),
            flags: Flags::ALL,
            is_inert: false,
            is_gone: false,
        };
        self.nodes.push(node);
        id
    }

    /// Takes away a package, with all that lies in it.
    pub fn remove(&mut self, id: Id) {
        let parent = self.above(id).expect("the project stays");
        let name = self.name(id).to_owned();
        self.node_mut(parent).children.remove(&name);
        let mut gone = vec![id];
        while let Some(id) = gone.pop() {
            let node = self.node_mut(id);
            node.is_gone = true;
            gone.extend(node.children.values());
        }
    }

    pub fn is_gone(&self, id: Id) -> bool {
        self.node(id).is_gone
    }

    pub fn above(&self, id: Id) -> Option<Id> {
        self.node(id).parent
    }
    /// `id`, and all that it lies in.
    pub fn ancestry(&self, id: Id) -> impl Iterator<Item = Id> + '_ {
        std::iter::successors(Some(id), |id| self.above(*id))
    }
    pub fn is_below(&self, id: Id, ancestor: Id) -> bool {
        self.ancestry(id).any(|at| at == ancestor)
    }

    /// What `require(name)` finds from there.
    pub fn resolve(&self, from: Id, name: &str) -> Option<Id> {
        self.ancestry(from).find_map(|at| self.node(at).children.get(name).copied())
    }

    pub fn edges(&self, from: Id) -> impl Iterator<Item = Edge<'_>> {
        let wants = self.node(from).manifest.wants.iter();
        wants.map(move |want| Edge { from, want, to: self.resolve(from, &want.name) })
    }
    pub fn want(&self, from: Id, name: &str) -> Option<&Want> {
        self.node(from).manifest.wants.iter().find(|want| want.name == name)
    }
    /// All that come to `id`.
    pub fn edges_in(&self, id: Id) -> impl Iterator<Item = Edge<'_>> {
        let name = self.name(id);
        let of_name =
            move |from| self.want(from, name).map(|want| Edge { from, want, to: self.resolve(from, name) });
        self.ids().filter_map(of_name).filter(move |edge| edge.to == Some(id))
    }
    pub fn name(&self, id: Id) -> &str {
        &self.node(id).manifest.name
    }

    /// Whether it leads to what it asks for, or may lead nowhere.
    pub fn is_valid(&self, edge: &Edge<'_>) -> bool {
        let Some(to) = edge.to else { return edge.want.kind.is_optional() };
        // A package cannot have what it wants of its surroundings inside.
        let is_own = edge.want.kind.is_peer() && self.above(to) == Some(edge.from) && edge.from != Tree::ROOT;
        !is_own && edge.want.spec.takes(self.node(to).manifest.version())
    }
    /// Whether one package is called as another one is wanted by.
    pub fn is_mistaken(&self, edge: &Edge<'_>) -> bool {
        edge.to.is_some_and(|to| self.node(to).manifest.package != edge.want.package)
    }
    /// Whether nothing more is to be found for it.
    pub fn is_settled(&self, edge: &Edge<'_>) -> bool {
        match edge.to {
            None => edge.want.kind == Kind::PeerOptional,
            Some(_) => self.is_valid(edge),
        }
    }
}
