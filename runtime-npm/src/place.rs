//! What a tree lacks, or all of it: each package as near to the project as nothing speaks against it, in the order in which npm goes
//! about it. Where npm would move a package, or nest it anew, that is left to npm; what takes the place of another is in `renew`.
//! What a package wants of its surroundings (peers) comes with it, and both lie at the top; where they cannot, that is npm's, too.

use crate::manifest::{Kind, Manifest, Want};
use crate::order;
use crate::pick::List;
use crate::platform::Here;
use crate::stock::Stock;
use crate::tree::{Edge, Id, Tree};
use crate::unusual::{Plain, Unusual};
use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Whether a package can lie in a `node_modules`.
#[derive(PartialEq, Eq, Debug)]
enum Fits {
    Yes,
    /// What is there already will do.
    Kept,
    /// What is there makes room, since all can use the newer one.
    Instead(Id),
    No,
}

pub struct Placing<'a> {
    pub tree: Tree,
    here: &'a Here,
    stock: &'a mut Stock,
    lists: HashMap<String, List>,
    /// By name and package, and which of its versions were found.
    manifests: HashMap<(String, String), Arc<Manifest>>,
    /// What is wanted as an option, by whom, and not to be had.
    missing: HashSet<(Id, String)>,
}

/// Places what is missing in `tree`, and what the project asks for by name (`asked`), though something of that name may be there.
pub async fn grow(tree: Tree, asked: &[&str], here: &Here, stock: &mut Stock) -> Plain<Tree> {
    let (lists, manifests, missing) = (HashMap::new(), HashMap::new(), HashSet::new());
    let mut placing = Placing { tree, here, stock, lists, manifests, missing };
    let lacks = |id: &Id| placing.tree.edges(*id).any(|edge| !placing.tree.is_settled(&edge));
    let mut queue = vec![Tree::ROOT];
    queue.extend(placing.tree.packages().filter(lacks));
    let mut seen = HashSet::new();
    for name in asked {
        let want = placing.tree.want(Tree::ROOT, name).expect("the project wants what it asks for");
        placing.stock.order_list(&want.package);
    }
    while let Some(id) = placing.next(&mut queue) {
        if placing.tree.is_gone(id) || !seen.insert(id) {
            continue;
        }
        if placing.tree.is_large() {
            return Err(Unusual::new("very many packages"));
        }
        tokio::task::yield_now().await;
        placing.order_lists(id);
        for name in placing.open(id, asked) {
            let is_there = id == Tree::ROOT && placing.tree.node(id).children.contains_key(&name);
            let placed = match is_there {
                true => placing.renew(&name).await?,
                false => placing.put(id, &name).await?,
            };
            for placed in placed {
                seen.remove(&placed);
                placing.order_lists(placed);
                queue.push(placed);
                // What it hides from others they get anew.
                for from in placing.robbed(placed) {
                    seen.remove(&from);
                    queue.push(from);
                }
            }
        }
    }
    placing.finish()
}

impl Placing<'_> {
    /// Nearest to the project first, then by where they lie.
    fn next(&self, queue: &mut Vec<Id>) -> Option<Id> {
        let order = |a: Id, b: Id| {
            let (a, b) = (self.tree.node(a), self.tree.node(b));
            a.depth.cmp(&b.depth).then_with(|| order::compare(&a.location, &b.location))
        };
        let first = queue.iter().enumerate().min_by(|a, b| order(*a.1, *b.1))?.0;
        Some(queue.swap_remove(first))
    }

    fn order_lists(&mut self, id: Id) {
        for edge in self.tree.edges(id).filter(|edge| !self.tree.is_settled(edge)) {
            if !self.lists.contains_key(&edge.want.package) {
                self.stock.order_list(&edge.want.package);
            }
        }
    }

    /// What a package wants and has not, or asks for anew, in the order in which it gets it.
    fn open(&self, id: Id, asked: &[&str]) -> Vec<String> {
        let is_asked = |name: &str| id == Tree::ROOT && asked.contains(&name);
        let open =
            self.tree.edges(id).filter(|edge| !self.tree.is_settled(edge) || is_asked(&edge.want.name));
        let names = open.map(|edge| edge.want.name.clone());
        let mut names: Vec<String> =
            names.filter(|name| !self.missing.contains(&(id, name.clone()))).collect();
        names.sort_by(|a, b| order::compare(a, b));
        names
    }

    /// Who finds what he cannot use since `placed` is there.
    fn robbed(&self, placed: Id) -> Vec<Id> {
        let found = self.tree.edges_in(placed);
        found.filter(|edge| !self.tree.is_valid(edge)).map(|edge| edge.from).collect()
    }

    /// The manifest of what is wanted; none where there is no such version.
    pub async fn manifest(&mut self, want: &Want) -> Plain<Option<Arc<Manifest>>> {
        if !self.lists.contains_key(&want.package) {
            let list = List::parse(self.stock.list(&want.package).await?)?;
            self.lists.insert(want.package.clone(), list);
            // Lists are long.
            tokio::task::yield_now().await;
        }
        let Some(manifest) = self.lists[&want.package].pick(want, self.here)? else { return Ok(None) };
        let key = (want.name.clone(), manifest.shown());
        Ok(Some(self.manifests.entry(key).or_insert_with(|| Arc::new(manifest)).clone()))
    }

    /// What a package that `from` wants, wants of its surroundings, and what that does in turn; as `from` wants it, where it does.
    /// All of it must have its place at the top; what must be there and is not comes back.
    pub async fn peers(&mut self, from: Id, of: &Arc<Manifest>) -> Plain<Vec<Arc<Manifest>>> {
        let unusual = |name: &str| Unusual::new(format!("{name}: a peer of {}", of.name));
        let owner = self.tree.node(from).manifest.clone();
        let mut set = vec![of.clone()];
        let mut next = 0;
        while let Some(asks) = set.get(next).cloned() {
            next += 1;
            let wants = || asks.wants.iter().filter(|want| want.kind.is_peer());
            for want in wants().filter(|want| !self.lists.contains_key(&want.package)) {
                self.stock.order_list(&want.package);
            }
            for want in wants() {
                let known = set.iter().find(|peer| peer.name == want.name).cloned();
                let peer = match known {
                    Some(peer) => peer,
                    None => {
                        let by = owner.wants.iter().find(|by| by.name == want.name);
                        match self.manifest(by.unwrap_or(want)).await? {
                            Some(peer) => {
                                set.push(peer.clone());
                                peer
                            }
                            None if want.kind == Kind::PeerOptional => continue,
                            None => return Err(unusual(&want.name)),
                        }
                    }
                };
                if !want.spec.takes(peer.version()) {
                    return Err(unusual(&want.name));
                }
            }
        }
        for peer in &set[1..] {
            let all = set.iter().flat_map(|asks| &asks.wants);
            let wants: Vec<&Want> =
                all.filter(|want| want.kind.is_peer() && want.name == peer.name).collect();
            self.must_fit(peer, &wants, from)?;
        }
        // What is not only welcome.
        let top = &self.tree.node(Tree::ROOT).children;
        let mut must: Vec<Arc<Manifest>> = vec![of.clone()];
        let mut next = 0;
        while let Some(asks) = must.get(next).cloned() {
            next += 1;
            for want in asks.wants.iter().filter(|want| want.kind == Kind::Peer) {
                let peer = set.iter().find(|peer| peer.name == want.name).expect("found, or an error, above");
                // What is there will do, and brought along what it needs.
                if !top.contains_key(&peer.name) && must.iter().all(|known| known.name != peer.name) {
                    must.push(peer.clone());
                }
            }
        }
        Ok(must.into_iter().skip(1).collect())
    }

    /// That nothing speaks against a peer from `from` to the top, or what is there will do for all who want it.
    fn must_fit(&self, peer: &Manifest, wants: &[&Want], from: Id) -> Plain<()> {
        let has_it_as_peer = |target: &Id| {
            let want = self.tree.want(*target, &peer.name);
            *target != Tree::ROOT && want.is_some_and(|want| want.kind.is_peer())
        };
        for target in self.tree.ancestry(from).filter(|target| !has_it_as_peer(target)) {
            let fits = match self.tree.node(target).children.get(&peer.name).copied() {
                None => self.fits_where_none_is(peer, from, target),
                Some(there) if self.is_same(there, peer) => true,
                Some(there) => {
                    let version = self.tree.node(there).manifest.version();
                    target == Tree::ROOT && wants.iter().all(|want| want.spec.takes(version))
                }
            };
            if !fits {
                return Err(Unusual::new(format!("{}: a peer, and something else is there", peer.name)));
            }
        }
        Ok(())
    }

    /// Gives `from` what it wants; what was placed for it.
    async fn put(&mut self, from: Id, name: &str) -> Plain<Vec<Id>> {
        let unusual = |what: &str| Unusual::new(format!("{name}: {what}"));
        let owner = self.tree.node(from).manifest.clone();
        let want = owner.wants.iter().find(|want| want.name == name).expect("it was found there");
        if want.kind.is_peer() {
            return Err(unusual("a peer that is not what is there"));
        }
        let Some(manifest) = self.manifest(want).await? else {
            if want.kind != Kind::Optional {
                return Err(unusual("no version that will do"));
            }
            self.missing.insert((from, name.to_owned()));
            return Ok(Vec::new());
        };
        let to = self.tree.resolve(from, name);
        let edge = Edge { from, want, to };
        if to.is_some() && self.tree.is_valid(&edge) {
            return Ok(Vec::new());
        }
        let mut place = None;
        for target in self.tree.ancestry(from) {
            if target != Tree::ROOT && self.tree.want(target, name).is_some_and(|want| want.kind.is_peer()) {
                continue;
            }
            match self.fits(&manifest, &edge, target)? {
                Fits::No => break,
                fits => place = Some((target, fits)),
            }
        }
        let (target, fits) = place.ok_or_else(|| unusual("no place for it"))?;
        if fits == Fits::Kept {
            self.nothing_is_double_below(target)?;
            return Ok(Vec::new());
        }
        if let Fits::Instead(current) = fits {
            let placed = self.replace(current, manifest).await?;
            return match self.tree.resolve(from, name) == Some(current) {
                true => Ok(placed),
                false => Err(unusual("something lies between")),
            };
        }
        let peers = self.peers(from, &manifest).await?;
        if target != Tree::ROOT && manifest.wants.iter().any(|want| want.kind == Kind::Peer) {
            return Err(unusual("peers of what is not at the top"));
        }
        let mut placed = vec![self.add(target, manifest)?];
        if self.tree.resolve(from, name) != Some(placed[0]) {
            return Err(unusual("something lies between"));
        }
        for peer in peers {
            placed.push(self.add(Tree::ROOT, peer)?);
        }
        Ok(placed)
    }

    pub fn add(&mut self, target: Id, manifest: Arc<Manifest>) -> Plain<Id> {
        let name = manifest.name.clone();
        let unusual = |what: &str| Unusual::new(format!("{name}: {what}"));
        if self.tree.ancestry(target).any(|at| at != Tree::ROOT && self.is_same(at, &manifest)) {
            return Err(unusual("it wants itself"));
        }
        if !order::is_sortable(&self.tree.location(target, &name)) {
            return Err(unusual("its name"));
        }
        let placed = self.tree.add(target, &name, manifest);
        self.makes_none_needless(target, &name)?;
        Ok(placed)
    }

    /// That no package of that name is below `target` that npm would take away now.
    pub fn makes_none_needless(&self, target: Id, name: &str) -> Plain<()> {
        let of_name = |id: &Id| self.tree.name(*id) == name && self.tree.is_below(*id, target);
        let is_needless = |id: &Id| {
            self.is_double(*id) || self.tree.node(*id).children.values().any(|child| self.is_double(*child))
        };
        match self.tree.packages().filter(of_name).any(|id| is_needless(&id)) {
            true => Err(Unusual::new(format!("{name}: what it makes needless"))),
            false => Ok(()),
        }
    }

    pub fn is_same(&self, id: Id, manifest: &Manifest) -> bool {
        let node = &self.tree.node(id).manifest;
        node.name == manifest.name && node.integrity == manifest.integrity
    }

    fn fits(&self, manifest: &Manifest, edge: &Edge<'_>, target: Id) -> Plain<Fits> {
        let name = &edge.want.name;
        let Some(current) = self.tree.node(target).children.get(name).copied() else {
            let fits = self.fits_where_none_is(manifest, edge.from, target);
            return Ok(if fits { Fits::Yes } else { Fits::No });
        };
        let takes = edge.want.spec.takes(self.tree.node(current).manifest.version());
        if self.is_same(current, manifest) && takes {
            return Ok(Fits::Kept);
        }
        if self.takes_its_place(manifest, current) {
            let all_take = self.tree.edges_in(current).all(|edge| edge.want.spec.takes(manifest.version()));
            if target == Tree::ROOT && edge.from != target && all_take {
                return Ok(Fits::Instead(current));
            }
            return Err(Unusual::new(format!("{name}: one takes the place of another")));
        }
        if takes {
            return Ok(Fits::Kept);
        }
        if target == edge.from {
            return Err(Unusual::new(format!("{name}: one takes the place of another")));
        }
        Ok(Fits::No)
    }

    /// Whether npm would put it where `current` is, or might: it is newer, and all take it.
    fn takes_its_place(&self, manifest: &Manifest, current: Id) -> bool {
        let takes = |edge: &Edge<'_>| edge.want.spec.takes(manifest.version());
        let mut refusing = self.tree.edges_in(current).filter(|edge| !takes(edge));
        let within = self.reach(current);
        // Others that do not refuse it are those that only itself brought along.
        let is_newer = manifest.version() >= self.tree.node(current).manifest.version();
        is_newer && refusing.all(|edge| within.contains(&edge.from))
    }

    /// Whether nothing speaks against it in the `node_modules` of `target`, for the sake of `from`.
    fn fits_where_none_is(&self, manifest: &Manifest, from: Id, target: Id) -> bool {
        let name = &manifest.name;
        let refuses = |want: &Want| !want.spec.takes(manifest.version());
        if target == from {
            return true;
        }
        if self.tree.want(target, name).is_some_and(refuses) {
            return false;
        }
        let Some(above) = self.tree.resolve(target, name) else { return true };
        let mut found = self.tree.edges_in(above);
        !found.any(|edge| {
            self.tree.is_below(edge.from, target) && self.tree.is_valid(&edge) && refuses(edge.want)
        })
    }

    /// All that `id` leads to.
    fn reach(&self, id: Id) -> HashSet<Id> {
        let (mut reached, mut queue) = (HashSet::from([id]), vec![id]);
        while let Some(at) = queue.pop() {
            queue.extend(self.tree.edges(at).filter_map(|edge| edge.to).filter(|to| reached.insert(*to)));
        }
        reached
    }

    /// Whether npm would take it away for another one that is nearer to the project, or might.
    pub fn is_double(&self, id: Id) -> bool {
        let Some(above) = self.tree.above(id).and_then(|parent| self.tree.above(parent)) else {
            return false;
        };
        let Some(other) = self.tree.resolve(above, self.tree.name(id)) else { return false };
        let (mine, others) = (&self.tree.node(id).manifest, &self.tree.node(other).manifest);
        if self.is_same(other, mine) {
            return true;
        }
        let within = self.reach(id);
        if self.tree.edges_in(id).next().is_none() {
            return true;
        }
        let mut refusing = self.tree.edges_in(id).filter(|edge| !edge.want.spec.takes(others.version()));
        others.version().cmp(mine.version()) != Ordering::Less
            && refusing.all(|edge| within.contains(&edge.from))
    }

    fn nothing_is_double_below(&self, target: Id) -> Plain<()> {
        match self.tree.packages().find(|id| self.tree.is_below(*id, target) && self.is_double(*id)) {
            Some(id) => Err(Unusual::new(format!("{}: it is there twice", self.tree.node(id).location))),
            None => Ok(()),
        }
    }

    /// All must have what they want, and nobody what is not to be had.
    fn finish(self) -> Plain<Tree> {
        let tree = self.tree;
        for id in tree.ids() {
            for edge in tree.edges(id) {
                let name = &edge.want.name;
                let is_missing = self.missing.contains(&(id, name.clone()));
                let is_there = || tree.packages().any(|id| tree.name(id) == name);
                let is_open = if is_missing { is_there() } else { !tree.is_settled(&edge) };
                if is_open || tree.is_mistaken(&edge) {
                    return Err(Unusual::new(format!("{name}: not found as it is wanted")));
                }
            }
        }
        Ok(tree)
    }
}
