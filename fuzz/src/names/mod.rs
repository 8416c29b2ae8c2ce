//! The namespace against a reference: names made, removed, bound, unmounted, forked and walked, by paths with `..`, links
//! and unions, must lead to the same files as a plain recursive model says, however the path was looked up.

mod reference;

use crate::bytes::Bytes;
use reference::{Spot, World};
use std::collections::HashMap;
use vfs::{BindFlags, Caller, Errno, Error, Follow, Gid, MemTree, Mode, Name, Namespace, Op, Place, Uid};

const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];

/// A namespace and its fork, and what the model has of both.
struct Both {
    who: Caller,
    spaces: Vec<Namespace>,
    model: World,
    /// Places that are held while things change, with the namespace they are of.
    held: Vec<(Place, Spot)>,
    trees: Vec<MemTree>,
    /// Which identity each of the model's files has, and the other way round.
    identity: HashMap<(usize, u64), u64>,
    file: HashMap<u64, (usize, u64)>,
}

/// The input is a script: an operation a byte, its paths and numbers behind it.
pub fn check(input: &[u8]) {
    let mut bytes = Bytes::new(input);
    let mut both = Both::new();
    for _ in 0..200 {
        if bytes.is_empty() {
            break;
        }
        both.step(&mut bytes);
    }
    both.look_around();
}

fn now<T>(op: Op<'_, T>) -> Result<T, Error> {
    op.now().expect("a memory tree answers at once")
}

/// A path of a few names, dots and slashes.
fn path(bytes: &mut Bytes<'_>) -> String {
    let mut path = String::new();
    let shape = bytes.byte();
    if shape & 1 == 0 {
        path.push('/');
    }
    for index in 0..shape >> 1 & 7 {
        if index > 0 {
            path.push('/');
        }
        match bytes.below(9) {
            5 | 6 => path.push_str(".."),
            7 => path.push('.'),
            8 => path.push('/'),
            name => path.push_str(NAMES[usize::from(name)]),
        }
    }
    if shape & 0x10 != 0 {
        path.push('/');
    }
    path
}

impl Both {
    fn new() -> Both {
        let tree = MemTree::new();
        let ns = Namespace::new(tree.root(), "mem");
        let held = vec![(ns.root(), Spot::root())];
        Both {
            who: Caller::new(Uid(0), Gid(0)),
            spaces: vec![ns],
            model: World::new(),
            held,
            trees: vec![tree],
            identity: HashMap::new(),
            file: HashMap::new(),
        }
    }

    fn step(&mut self, bytes: &mut Bytes<'_>) {
        let op = bytes.below(16);
        let at = usize::from(bytes.byte()) % self.held.len();
        let (from, spot) = self.held[at].clone();
        match op {
            0..=2 => self.make(bytes, op, &from, &spot),
            3..=5 => self.bind(bytes, &from, &spot),
            6 => self.unmount(bytes, &from, &spot),
            7 => self.remove(bytes, &from, &spot),
            8 => self.rename(bytes, &from, &spot),
            9 => self.fork(at),
            10 => self.mount(bytes, &from, &spot),
            11 => self.hold(bytes, &from, &spot),
            _ => {
                let path = path(bytes);
                self.walk(&from, &spot, &path);
            }
        }
    }

    /// One walk, by every way there is to do it; what it leads to, if anything.
    fn walk(&mut self, from: &Place, spot: &Spot, path: &str) -> Option<(Place, Spot)> {
        let mut found = None;
        for follow in [Follow::No, Follow::Yes] {
            let place = now(from.resolve(&self.who, path.as_bytes(), follow));
            let expected = self.model.resolve(spot, path, follow == Follow::Yes);
            let looked = now(from.look(&self.who, path.as_bytes(), follow));
            match (&place, &looked) {
                (Ok(place), Ok((qid, stat))) => {
                    assert_eq!(qid.path, place.node().qid().path, "{path}: looked up twice");
                    assert_eq!(stat.qid.path, place.qid().path, "{path}: looked up twice");
                }
                (Err(one), Err(other)) => assert_eq!(one.errno(), other.errno(), "{path}"),
                _ => panic!("{path} resolves to {place:?}, and a look says otherwise"),
            }
            found = match (place, expected) {
                (Ok(place), Ok(spot)) => {
                    assert_eq!(place.path(), self.model.path(&spot).into_bytes(), "{path}");
                    self.same(&place, &spot, path);
                    Some((place, spot))
                }
                (Err(error), Err(errno)) => {
                    assert_eq!(error.errno(), errno, "{path}: {error}");
                    None
                }
                (place, expected) => panic!("{path} leads to {place:?}; the model says {expected:?}"),
            };
        }
        found
    }

    /// Whether a place is the file that the model says: kind, identity, and entries.
    fn same(&mut self, place: &Place, spot: &Spot, path: &str) {
        let seen = self.model.seen(spot);
        assert_eq!(place.kind(), self.model.kind(seen.0), "{path}");
        let qid = place.qid().path;
        assert_eq!(*self.identity.entry(seen).or_insert(qid), qid, "{path}: another identity than before");
        assert_eq!(*self.file.entry(qid).or_insert(seen), seen, "{path}: the identity of another file");
        if place.kind().is_dir() {
            assert_eq!(self.list(place), self.model.list(spot), "entries of {path}");
        }
    }

    fn list(&self, place: &Place) -> Vec<String> {
        let dir = now(place.open(&self.who, vfs::OpenFlags::READ)).expect("a directory opens");
        let mut names = Vec::new();
        let mut sink = |entry: vfs::DirEntry<'_>| {
            names.push(entry.name.to_string());
            true
        };
        now(dir.readdir(0, &mut sink)).expect("a directory is listed");
        names.sort();
        names
    }

    /// The directory of a new or old name.
    fn parent(
        &mut self,
        bytes: &mut Bytes<'_>,
        from: &Place,
        spot: &Spot,
    ) -> Option<(Place, Spot, &'static str)> {
        let path = path(bytes);
        let name = bytes.one_of(&NAMES);
        let (place, spot) = self.walk(from, spot, &path)?;
        Some((place, spot, name))
    }

    fn make(&mut self, bytes: &mut Bytes<'_>, what: u8, from: &Place, spot: &Spot) {
        let Some((dir, at, text)) = self.parent(bytes, from, spot) else { return };
        let (name, mode) = (Name::new(text.as_bytes()).expect("a name"), Mode::new(0o755));
        let (made, expected) = match what {
            0 => (
                now(dir.mkdir(&self.who, name, mode)).map(drop),
                self.model.make(&at, text, reference::Body::Dir),
            ),
            1 => {
                let flags = vfs::OpenFlags::READ | vfs::OpenFlags::WRITE | vfs::OpenFlags::EXCLUSIVE;
                let made = now(dir.create(&self.who, name, mode, flags)).map(drop);
                (made, self.model.create(&at, text))
            }
            _ => {
                let target = path(bytes);
                if target.is_empty() {
                    return;
                }
                let made = now(dir.symlink(&self.who, name, target.as_bytes())).map(drop);
                (made, self.model.make(&at, text, reference::Body::Link(target)))
            }
        };
        agree(&made, &expected, &format!("making {text} in {}", dir.shown()));
    }

    fn bind(&mut self, bytes: &mut Bytes<'_>, from: &Place, spot: &Spot) {
        let flags = match bytes.below(6) {
            0 => BindFlags::empty(),
            1 => BindFlags::BEFORE,
            2 => BindFlags::AFTER,
            3 => BindFlags::BEFORE | BindFlags::CREATE,
            4 => BindFlags::AFTER | BindFlags::CREATE,
            _ => BindFlags::CREATE,
        };
        let (new, old) = (path(bytes), path(bytes));
        let Some((new, new_spot)) = self.walk(from, spot, &new) else { return };
        let Some((old, old_spot)) = self.walk(from, spot, &old) else { return };
        let done = old.namespace().bind(&new, &old, flags);
        let expected = self.model.bind(&new_spot, &old_spot, flags);
        agree(&done, &expected, &format!("bind {flags:?} {} {}", new.shown(), old.shown()));
    }

    fn mount(&mut self, bytes: &mut Bytes<'_>, from: &Place, spot: &Spot) {
        let flags =
            *bytes.one_of(&[BindFlags::empty(), BindFlags::AFTER, BindFlags::BEFORE | BindFlags::CREATE]);
        let Some((old, old_spot)) = self.walk(from, spot, &path(bytes)) else { return };
        let tree = MemTree::new();
        let done = old.namespace().mount(tree.root(), "mem", &old, flags);
        let expected = self.model.mount(&old_spot, flags);
        agree(&done, &expected, &format!("mount {flags:?} {}", old.shown()));
        self.trees.push(tree);
    }

    fn unmount(&mut self, bytes: &mut Bytes<'_>, from: &Place, spot: &Spot) {
        let all = bytes.below(2) == 0;
        let (new, old) = (path(bytes), path(bytes));
        let Some((old, old_spot)) = self.walk(from, spot, &old) else { return };
        let (done, expected) = if all {
            (old.namespace().unmount(None, &old), self.model.unmount(None, &old_spot))
        } else {
            let Some((new, new_spot)) = self.walk(from, spot, &new) else { return };
            (old.namespace().unmount(Some(&new), &old), self.model.unmount(Some(&new_spot), &old_spot))
        };
        agree(&done, &expected, &format!("unmount {}", old.shown()));
    }

    fn remove(&mut self, bytes: &mut Bytes<'_>, from: &Place, spot: &Spot) {
        let as_dir = bytes.below(2) == 0;
        let Some((dir, at, text)) = self.parent(bytes, from, spot) else { return };
        let name = Name::new(text.as_bytes()).expect("a name");
        let done = now(if as_dir { dir.rmdir(&self.who, name) } else { dir.unlink(&self.who, name) });
        let expected = self.model.remove(&at, text, as_dir);
        agree(&done, &expected, &format!("removing {text} of {}", dir.shown()));
    }

    fn rename(&mut self, bytes: &mut Bytes<'_>, from: &Place, spot: &Spot) {
        let Some((dir, at, text)) = self.parent(bytes, from, spot) else { return };
        let Some((to, to_at, to_text)) = self.parent(bytes, from, spot) else { return };
        // What a rename does to a name that is there is tested where trees are.
        if self.model.resolve(&to_at, to_text, false).is_ok() {
            return;
        }
        let (old, new) =
            (Name::new(text.as_bytes()).expect("a name"), Name::new(to_text.as_bytes()).expect("a name"));
        let done = now(dir.rename(&self.who, old, &to, new, vfs::RenameFlags::empty()));
        let expected = self.model.rename(&at, text, &to_at, to_text);
        agree(&done, &expected, &format!("{}/{text} to {}/{to_text}", dir.shown(), to.shown()));
    }

    /// From now on the two go their own ways.
    fn fork(&mut self, at: usize) {
        if self.spaces.len() == 3 {
            return;
        }
        let (place, spot) = &self.held[at];
        let forked = place.namespace().fork();
        let spot = self.model.fork(spot);
        self.held.push((forked.root(), spot));
        self.spaces.push(forked);
    }

    fn hold(&mut self, bytes: &mut Bytes<'_>, from: &Place, spot: &Spot) {
        let found = self.walk(from, spot, &path(bytes));
        if let Some(found) = found
            && self.held.len() < 8
        {
            self.held.push(found);
        }
    }

    /// All that is held, and all paths of up to three names from it.
    fn look_around(&mut self) {
        for (place, spot) in self.held.clone() {
            let mut todo = vec![(place, spot, 0)];
            let mut left = 60;
            while let Some((place, spot, depth)) = todo.pop() {
                if depth == 3 || left == 0 {
                    continue;
                }
                for name in NAMES.iter().chain(&[".."]) {
                    left -= usize::from(left > 0);
                    if let Some((place, spot)) = self.walk(&place, &spot, name) {
                        todo.push((place, spot, depth + 1));
                    }
                }
            }
        }
    }
}

/// Both did it, or neither: with the same errno where the namespace is the one that refuses.
#[track_caller]
fn agree(done: &Result<(), Error>, expected: &Result<(), Errno>, what: &str) {
    assert_eq!(done.as_ref().map_err(Error::errno), expected.as_ref().map_err(|errno| *errno), "{what}");
}
