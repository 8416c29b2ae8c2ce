//! What a namespace is, said as plainly as can be: files in a list, a mount table by file and view, and walks that look at
//! everything anew each time.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;
use vfs::{BindFlags, Errno, Kind};

/// A file, and through which bind it is seen (0: none).
type File = (usize, u64);

#[derive(Clone)]
pub enum Body {
    Dir,
    File,
    Link(String),
}

struct Node {
    body: Body,
    names: BTreeMap<String, usize>,
    above: usize,
    tree: usize,
    gone: bool,
}

#[derive(Clone)]
struct Member {
    file: File,
    create: bool,
    stays: Stays,
}

/// Whether an unmount leaves a member.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stays {
    No,
    /// It is what was there before anything was bound.
    Itself,
    /// It is the namespace's first tree.
    First,
}

pub struct World {
    nodes: Vec<Node>,
    tables: Vec<HashMap<File, Vec<Member>>>,
    views: u64,
    trees: usize,
}

/// A place: what is at a name, and what was seen there when it was reached.
#[derive(Clone, Debug)]
pub struct Spot(Rc<Inner>);

#[derive(Debug)]
struct Inner {
    space: usize,
    under: File,
    seen: File,
    above: Option<(Spot, String)>,
}

impl Spot {
    /// `/` of the first namespace.
    pub fn root() -> Spot {
        Spot::root_of(0)
    }
    fn root_of(space: usize) -> Spot {
        Spot(Rc::new(Inner { space, under: (0, 0), seen: (0, 0), above: None }))
    }
    fn above(&self) -> Spot {
        self.0.above.as_ref().map_or_else(|| self.clone(), |(above, _)| above.clone())
    }
}

impl World {
    pub fn new() -> World {
        let mut world = World { nodes: Vec::new(), tables: vec![HashMap::new()], views: 0, trees: 0 };
        let root = world.tree();
        world.tables[0]
            .insert((root, 0), vec![Member { file: (root, 0), create: true, stays: Stays::First }]);
        world
    }

    fn tree(&mut self) -> usize {
        self.trees += 1;
        self.node(Body::Dir, self.nodes.len(), self.trees)
    }

    fn node(&mut self, body: Body, above: usize, tree: usize) -> usize {
        self.nodes.push(Node { body, names: BTreeMap::new(), above, tree, gone: false });
        self.nodes.len() - 1
    }

    pub fn fork(&mut self, spot: &Spot) -> Spot {
        self.tables.push(self.tables[spot.0.space].clone());
        self.top(self.tables.len() - 1)
    }

    fn top(&self, space: usize) -> Spot {
        let root = Spot::root_of(space);
        let seen = self.bound(&root).map_or(root.0.under, |members| members[0].file);
        Spot(Rc::new(Inner { space, under: root.0.under, seen, above: None }))
    }

    pub fn kind(&self, node: usize) -> Kind {
        match self.nodes[node].body {
            Body::Dir => Kind::Dir,
            Body::File => Kind::File,
            Body::Link(_) => Kind::Symlink,
        }
    }

    pub fn seen(&self, spot: &Spot) -> File {
        spot.0.seen
    }

    pub fn path(&self, spot: &Spot) -> String {
        match &spot.0.above {
            None => "/".to_owned(),
            Some((above, name)) => format!("{}/{name}", self.path(above).trim_end_matches('/')),
        }
    }

    /// What is bound there now.
    fn bound(&self, spot: &Spot) -> Option<&Vec<Member>> {
        self.tables[spot.0.space].get(&spot.0.under)
    }

    fn union(&self, spot: &Spot) -> Option<&Vec<Member>> {
        self.bound(spot).filter(|members| members.len() > 1)
    }

    /// The directories that a walk from there searches.
    fn searched(&self, spot: &Spot) -> Vec<File> {
        match self.bound(spot) {
            Some(members) => members.iter().map(|member| member.file).collect(),
            None => vec![spot.0.seen],
        }
    }

    fn is_dir(&self, spot: &Spot) -> bool {
        self.kind(spot.0.seen.0) == Kind::Dir
    }

    fn find(&self, spot: &Spot, name: &str) -> Option<(File, File)> {
        self.searched(spot).into_iter().find_map(|dir| {
            let node = self.nodes[dir.0].names.get(name)?;
            Some((dir, (*node, dir.1)))
        })
    }

    fn walk(&self, spot: &Spot, name: &str) -> Result<Spot, Errno> {
        if !self.is_dir(spot) {
            return Err(Errno::ENOTDIR);
        }
        match name {
            "." => return Ok(spot.clone()),
            ".." => return Ok(spot.above()),
            _ => {}
        }
        let (_, under) = self.find(spot, name).ok_or(Errno::ENOENT)?;
        let space = spot.0.space;
        let above = Some((spot.clone(), name.to_owned()));
        let seen = self.tables[space].get(&under).map_or(under, |members| members[0].file);
        Ok(Spot(Rc::new(Inner { space, under, seen, above })))
    }

    pub fn resolve(&self, from: &Spot, path: &str, follow: bool) -> Result<Spot, Errno> {
        self.follow(from, path, follow, &mut 0)
    }

    fn follow(&self, from: &Spot, path: &str, follow: bool, links: &mut u32) -> Result<Spot, Errno> {
        if path.is_empty() {
            return Err(Errno::ENOENT);
        }
        let must_be_dir = path.ends_with('/');
        let names: Vec<&str> = path.split('/').filter(|name| !name.is_empty()).collect();
        let mut here = if path.starts_with('/') { self.top(from.0.space) } else { from.clone() };
        for (index, name) in names.iter().enumerate() {
            let next = self.walk(&here, name)?;
            let through = index + 1 < names.len() || follow || must_be_dir;
            here = match &self.nodes[next.0.seen.0].body {
                Body::Link(target) if through => {
                    *links += 1;
                    if *links > 40 {
                        return Err(Errno::ELOOP);
                    }
                    self.follow(&here, target, true, links)?
                }
                _ => next,
            };
        }
        if must_be_dir && !self.is_dir(&here) { Err(Errno::ENOTDIR) } else { Ok(here) }
    }

    /// The names of an open directory, sorted: of all members of a union, else of what the place was reached as.
    pub fn list(&self, spot: &Spot) -> Vec<String> {
        let dirs = match self.union(spot) {
            Some(members) => members.iter().map(|member| member.file).collect(),
            None => vec![spot.0.seen],
        };
        let names: BTreeSet<&String> = dirs.iter().flat_map(|dir| self.nodes[dir.0].names.keys()).collect();
        names.into_iter().cloned().collect()
    }

    /// Where a new name goes.
    fn taker(&self, spot: &Spot) -> Result<usize, Errno> {
        if !self.is_dir(spot) {
            return Err(Errno::ENOTDIR);
        }
        let dir = match self.union(spot) {
            Some(members) => members.iter().find(|member| member.create).ok_or(Errno::EPERM)?.file.0,
            None => self.searched(spot)[0].0,
        };
        Ok(dir)
    }

    pub fn make(&mut self, spot: &Spot, name: &str, body: Body) -> Result<(), Errno> {
        let dir = self.taker(spot)?;
        if self.find(spot, name).is_some() {
            return Err(Errno::EEXIST);
        }
        if self.nodes[dir].gone {
            return Err(Errno::ENOENT);
        }
        let node = self.node(body, dir, self.nodes[dir].tree);
        self.nodes[dir].names.insert(name.to_owned(), node);
        Ok(())
    }

    /// O_CREAT and O_EXCL: what is there is found before it is asked who takes new names.
    pub fn create(&mut self, spot: &Spot, name: &str) -> Result<(), Errno> {
        if self.is_dir(spot) && self.find(spot, name).is_some() {
            return Err(Errno::EEXIST);
        }
        self.make(spot, name, Body::File)
    }

    /// The directory that has the name, and the entry, unless something is bound over it.
    fn removable(&self, spot: &Spot, name: &str) -> Result<(usize, usize), Errno> {
        if !self.is_dir(spot) {
            return Err(Errno::ENOTDIR);
        }
        let (dir, entry) = self.find(spot, name).ok_or(Errno::ENOENT)?;
        if self.tables[spot.0.space].contains_key(&entry) {
            return Err(Errno::EBUSY);
        }
        Ok((dir.0, entry.0))
    }

    pub fn remove(&mut self, spot: &Spot, name: &str, as_dir: bool) -> Result<(), Errno> {
        let (dir, entry) = self.removable(spot, name)?;
        match (self.kind(entry).is_dir(), as_dir) {
            (false, true) => return Err(Errno::ENOTDIR),
            (true, false) => return Err(Errno::EISDIR),
            (true, true) if !self.nodes[entry].names.is_empty() => return Err(Errno::ENOTEMPTY),
            _ => {}
        }
        self.nodes[entry].gone = true;
        self.nodes[dir].names.remove(name);
        Ok(())
    }

    /// To a name that is not there.
    pub fn rename(&mut self, spot: &Spot, name: &str, to: &Spot, to_name: &str) -> Result<(), Errno> {
        let (dir, entry) = self.removable(spot, name)?;
        let to_dir = self.taker(to)?;
        if self.nodes[dir].tree != self.nodes[to_dir].tree {
            return Err(Errno::EXDEV);
        }
        if self.nodes[to_dir].gone {
            return Err(Errno::ENOENT);
        }
        let mut above = to_dir;
        loop {
            if above == entry {
                return Err(Errno::EINVAL);
            }
            match self.nodes[above].above {
                next if next == above => break,
                next => above = next,
            }
        }
        self.nodes[dir].names.remove(name);
        self.nodes[to_dir].names.insert(to_name.to_owned(), entry);
        self.nodes[entry].above = to_dir;
        Ok(())
    }

    pub fn bind(&mut self, new: &Spot, old: &Spot, flags: BindFlags) -> Result<(), Errno> {
        if new.0.under == old.0.under {
            return Err(Errno::EINVAL);
        }
        self.views += 1;
        let view = self.views;
        let create = flags.contains(BindFlags::CREATE);
        let members = match self.union(new) {
            Some(members) => members
                .iter()
                .map(|member| Member {
                    file: (member.file.0, view),
                    create: member.create && create,
                    stays: Stays::No,
                })
                .collect(),
            None => vec![Member { file: (new.0.seen.0, view), create, stays: Stays::No }],
        };
        self.attach(members, old, flags)
    }

    pub fn mount(&mut self, old: &Spot, flags: BindFlags) -> Result<(), Errno> {
        let file = (self.tree(), 0);
        let create = flags.contains(BindFlags::CREATE);
        self.attach(vec![Member { file, create, stays: Stays::No }], old, flags)
    }

    fn attach(&mut self, new: Vec<Member>, old: &Spot, flags: BindFlags) -> Result<(), Errno> {
        let dirs = new.iter().all(|member| self.kind(member.file.0).is_dir());
        let union = flags.intersects(BindFlags::BEFORE | BindFlags::AFTER);
        if dirs != self.is_dir(old) || (union && !dirs) {
            return Err(Errno::ENOTDIR);
        }
        let there = match self.bound(old) {
            _ if !union => Vec::new(),
            Some(members) => members.clone(),
            None => vec![Member { file: old.0.under, create: true, stays: Stays::Itself }],
        };
        let before = flags.contains(BindFlags::BEFORE);
        let members = if before { [new, there].concat() } else { [there, new].concat() };
        self.tables[old.0.space].insert(old.0.under, members);
        Ok(())
    }

    pub fn unmount(&mut self, new: Option<&Spot>, old: &Spot) -> Result<(), Errno> {
        let members = self.bound(old).ok_or(Errno::EINVAL)?.clone();
        let goes = |member: &Member| {
            member.stays == Stays::No && new.is_none_or(|new| member.file.0 == new.0.seen.0)
        };
        if !members.iter().any(goes) {
            return Err(Errno::EINVAL);
        }
        let left: Vec<Member> = members.into_iter().filter(|member| !goes(member)).collect();
        let (space, under) = (old.0.space, old.0.under);
        if left.iter().all(|member| member.stays == Stays::Itself) {
            self.tables[space].remove(&under);
        } else {
            self.tables[space].insert(under, left);
        }
        Ok(())
    }
}

impl Default for World {
    fn default() -> World {
        World::new()
    }
}
