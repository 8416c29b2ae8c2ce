//! Random sequences of operations, against the simplest model of a file system there is: a map from paths to bytes.

use crate::world::*;
use proptest::prelude::*;
use std::collections::BTreeMap;
use vfs::*;

/// What the model has at a path; files by number, since several paths may be one.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Thing {
    Dir,
    File(usize),
}

#[derive(Default)]
struct Model {
    paths: BTreeMap<String, Thing>,
    files: Vec<Vec<u8>>,
}

#[derive(Clone, Debug)]
enum Step {
    Create(String),
    Mkdir(String),
    Write(String, u64, usize),
    Truncate(String, u64),
    Punch(String, u64, u64),
    Unlink(String),
    Rmdir(String),
    Rename(String, String),
    Link(String, String),
}

fn path() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(vec!["a", "b", "c"]), 1..4).prop_map(|names| names.join("/"))
}

/// Offsets around the borders of pages and chunks.
fn offset() -> impl Strategy<Value = u64> {
    let borders = prop::sample::select(vec![0u64, 4096, 65536, 131_072, 200_000]);
    (borders, 0u64..40).prop_map(|(border, more)| (border + more).saturating_sub(20))
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => path().prop_map(Step::Create),
        2 => path().prop_map(Step::Mkdir),
        3 => (path(), offset(), 1usize..70_000).prop_map(|(p, at, len)| Step::Write(p, at, len)),
        1 => (path(), offset()).prop_map(|(p, size)| Step::Truncate(p, size)),
        1 => (path(), offset(), offset()).prop_map(|(p, at, len)| Step::Punch(p, at, len + 1)),
        1 => path().prop_map(Step::Unlink),
        1 => path().prop_map(Step::Rmdir),
        3 => (path(), path()).prop_map(|(from, to)| Step::Rename(from, to)),
        1 => (path(), path()).prop_map(|(from, to)| Step::Link(from, to)),
    ]
}

impl Model {
    fn parent_is_dir(&self, path: &str) -> bool {
        path.rsplit_once('/').is_none_or(|(dir, _)| self.paths.get(dir) == Some(&Thing::Dir))
    }
    fn file(&mut self, path: &str) -> Option<&mut Vec<u8>> {
        match self.paths.get(path) {
            Some(Thing::File(n)) => Some(&mut self.files[*n]),
            _ => None,
        }
    }
    fn is_empty(&self, dir: &str) -> bool {
        let below = format!("{dir}/");
        !self.paths.keys().any(|path| path.starts_with(&below))
    }

    /// Whether it can be done; if so it is.
    fn run(&mut self, step: &Step) -> bool {
        match step {
            Step::Create(path) => {
                let free = self.parent_is_dir(path) && !self.paths.contains_key(path);
                if free {
                    self.paths.insert(path.clone(), Thing::File(self.files.len()));
                    self.files.push(Vec::new());
                }
                free
            }
            Step::Mkdir(path) => {
                let free = self.parent_is_dir(path) && !self.paths.contains_key(path);
                if free {
                    self.paths.insert(path.clone(), Thing::Dir);
                }
                free
            }
            Step::Write(path, at, len) => {
                let (at, len) = (*at as usize, *len);
                let Some(file) = self.file(path) else { return false };
                file.resize(file.len().max(at + len), 0);
                file[at..at + len].copy_from_slice(&pattern(at, len));
                true
            }
            Step::Truncate(path, size) => {
                self.file(path).map(|file| file.resize(*size as usize, 0)).is_some()
            }
            Step::Punch(path, at, len) => {
                let Some(file) = self.file(path) else { return false };
                let end = (at + len).min(file.len() as u64) as usize;
                if (*at as usize) < end {
                    file[*at as usize..end].fill(0);
                }
                true
            }
            Step::Unlink(path) => {
                let is_file = matches!(self.paths.get(path), Some(Thing::File(_)));
                is_file && self.paths.remove(path).is_some()
            }
            Step::Rmdir(path) => {
                let empty = self.paths.get(path) == Some(&Thing::Dir) && self.is_empty(path);
                empty && self.paths.remove(path).is_some()
            }
            Step::Link(from, to) => {
                let Some(thing @ Thing::File(_)) = self.paths.get(from).copied() else { return false };
                let free = self.parent_is_dir(to) && !self.paths.contains_key(to);
                if free {
                    self.paths.insert(to.clone(), thing);
                }
                free
            }
            Step::Rename(from, to) => {
                let Some(thing) = self.paths.get(from).copied() else { return false };
                if !self.parent_is_dir(to) || to.starts_with(&format!("{from}/")) {
                    return false;
                }
                match (thing, self.paths.get(to)) {
                    (Thing::File(a), Some(Thing::File(b))) if a == *b => return true,
                    (Thing::Dir, Some(Thing::Dir)) if from == to => return true,
                    (Thing::Dir, Some(Thing::Dir)) if !self.is_empty(to) => return false,
                    (Thing::Dir, Some(Thing::File(_))) | (Thing::File(_), Some(Thing::Dir)) => return false,
                    _ => {}
                }
                let below = format!("{from}/");
                let moved: Vec<String> = self
                    .paths
                    .keys()
                    .filter(|path| *path == from || path.starts_with(&below))
                    .cloned()
                    .collect();
                for path in moved {
                    let thing = self.paths.remove(&path).unwrap();
                    self.paths.insert(format!("{to}{}", &path[from.len()..]), thing);
                }
                true
            }
        }
    }
}

fn pattern(at: usize, len: usize) -> Vec<u8> {
    (at..at + len).map(|n| (n % 251) as u8 + 1).collect()
}

fn split(w: &World, path: &str) -> Result<(Place, String)> {
    let parent = done(w.root.resolve_parent(&w.who, path.as_bytes()))?;
    Ok((parent.dir, parent.name.to_string()))
}

fn run(w: &World, step: &Step) -> Result<()> {
    let who = &w.who;
    match step {
        Step::Create(path) => {
            let (dir, last) = split(w, path)?;
            done(dir.create(who, name(&last), Mode::new(0o644), RW | OpenFlags::EXCLUSIVE)).map(|_| ())
        }
        Step::Mkdir(path) => {
            let (dir, last) = split(w, path)?;
            done(dir.mkdir(who, name(&last), Mode::new(0o755))).map(|_| ())
        }
        Step::Write(path, at, len) => {
            let file = w.open(path, OpenFlags::WRITE)?;
            assert_eq!(done(file.write(*at, &pattern(*at as usize, *len)))?, *len);
            Ok(())
        }
        Step::Truncate(path, size) => w.truncate(path, *size),
        Step::Punch(path, at, len) => done(w.open(path, OpenFlags::WRITE)?.allocate(
            *at,
            *len,
            Allocate::PUNCH_HOLE | Allocate::KEEP_SIZE,
        )),
        Step::Unlink(path) => {
            let (dir, last) = split(w, path)?;
            done(dir.unlink(who, name(&last)))
        }
        Step::Rmdir(path) => {
            let (dir, last) = split(w, path)?;
            done(dir.rmdir(who, name(&last)))
        }
        Step::Link(from, to) => {
            let target = w.at(from)?;
            let (dir, last) = split(w, to)?;
            done(dir.link(who, &target, name(&last)))
        }
        Step::Rename(from, to) => {
            let ((from, from_name), (to, to_name)) = (split(w, from)?, split(w, to)?);
            done(from.rename(who, name(&from_name), &to, name(&to_name), RenameFlags::empty()))
        }
    }
}

/// Every path below `/`, as the model has it.
fn walked(w: &World, model: &Model) -> Vec<String> {
    let mut found = Vec::new();
    let mut todo = vec![String::new()];
    while let Some(dir) = todo.pop() {
        for name in w.names(if dir.is_empty() { "/" } else { &dir }) {
            let path = if dir.is_empty() { name } else { format!("{dir}/{name}") };
            if model.paths.get(&path) == Some(&Thing::Dir) {
                todo.push(path.clone());
            }
            found.push(path);
        }
    }
    found.sort();
    found
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn the_tree_agrees_with_a_map_of_paths(steps in prop::collection::vec(step(), 1..60)) {
        let (w, mut model) = (world(), Model::default());
        for step in &steps {
            let (expected, got) = (model.run(step), run(&w, step));
            prop_assert_eq!(expected, got.is_ok(), "{:?}: {:?}", step, got);
        }
        prop_assert_eq!(walked(&w, &model), model.paths.keys().cloned().collect::<Vec<_>>());
        for (path, thing) in &model.paths {
            let links = match thing {
                Thing::Dir => 2 + model.paths.iter().filter(|(p, t)| {
                    **t == Thing::Dir && p.rsplit_once('/').is_some_and(|(dir, _)| dir == path)
                }).count(),
                Thing::File(n) => {
                    prop_assert!(w.bytes(path) == model.files[*n], "content of {}", path);
                    model.paths.values().filter(|t| *t == thing).count()
                }
            };
            prop_assert_eq!(w.stat(path).nlink, links as u64, "links of {}", path);
        }
        let Model { paths, .. } = model;
        for path in paths.keys().rev() {
            w.unlink(path).or_else(|_| w.rmdir(path)).unwrap();
        }
        prop_assert_eq!((w.tree.used_bytes(), w.tree.used_inodes()), (0, 1));
    }
}
