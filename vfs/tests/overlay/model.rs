//! Random operations on overlays and their forks, and the same on memory trees that share nothing.

use crate::layers::of;
use crate::slow::slow;
use crate::world::*;
use proptest::prelude::*;
use std::collections::HashMap;
use vfs::*;

#[derive(Clone, Debug)]
enum Step {
    Create(String),
    Mkdir(String),
    Symlink(String),
    Write(String, u64, usize),
    Append(String),
    Truncate(String, u64),
    Chmod(String, u32),
    Attribute(String, u8),
    Unlink(String),
    Rmdir(String),
    Rename(String, String, RenameFlags),
    Link(String, String),
    /// Opens a file; what is kept open is written to by `Held`.
    Hold(String),
    Held(usize, u64),
    LetGo(usize),
    Fork,
    Drop,
}

fn path() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(vec!["a", "b", "c"]), 1..4).prop_map(|names| names.join("/"))
}

fn offset() -> impl Strategy<Value = u64> {
    (prop::sample::select(vec![0u64, 4096, 65536, 131_072]), 0u64..40)
        .prop_map(|(border, more)| (border + more).saturating_sub(20))
}

fn step() -> impl Strategy<Value = Step> {
    let flags = prop::sample::select(vec![
        RenameFlags::empty(),
        RenameFlags::empty(),
        RenameFlags::NOREPLACE,
        RenameFlags::EXCHANGE,
    ]);
    prop_oneof![
        3 => path().prop_map(Step::Create),
        3 => path().prop_map(Step::Mkdir),
        1 => path().prop_map(Step::Symlink),
        3 => (path(), offset(), 1usize..70_000).prop_map(|(p, at, len)| Step::Write(p, at, len)),
        1 => path().prop_map(Step::Append),
        1 => (path(), offset()).prop_map(|(p, size)| Step::Truncate(p, size)),
        1 => (path(), 0u32..0o1000).prop_map(|(p, mode)| Step::Chmod(p, mode)),
        1 => (path(), 0u8..3).prop_map(|(p, n)| Step::Attribute(p, n)),
        2 => path().prop_map(Step::Unlink),
        1 => path().prop_map(Step::Rmdir),
        4 => (path(), path(), flags).prop_map(|(from, to, flags)| Step::Rename(from, to, flags)),
        1 => (path(), path()).prop_map(|(from, to)| Step::Link(from, to)),
        1 => path().prop_map(Step::Hold),
        2 => (0usize..4, offset()).prop_map(|(n, at)| Step::Held(n, at)),
        1 => (0usize..4).prop_map(Step::LetGo),
        2 => Just(Step::Fork),
        1 => Just(Step::Drop),
    ]
}

/// A tree, and the files of it that are held open.
struct Side {
    world: World,
    held: Vec<FileRef>,
}

/// What waits is waited for: a layer may be slow.
fn wait<T>(op: Op<'_, T>) -> Result<T> {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(op)
}

impl Side {
    fn of(world: World) -> Side {
        Side { world, held: Vec::new() }
    }
    fn at(&self, path: &str) -> Result<Place> {
        wait(self.world.root.resolve(&self.world.who, path.as_bytes(), Follow::No))
    }
    fn dir_of<'p>(&self, path: &'p str) -> Result<(Place, Name<'p>)> {
        let (dir, last) = path.rsplit_once('/').unwrap_or(("", path));
        Ok((if dir.is_empty() { self.world.root.clone() } else { self.at(dir)? }, name(last)))
    }

    fn run(&mut self, step: &Step) -> Result<()> {
        let who = &self.world.who;
        let write = |path: &str, at: u64, len: usize| {
            let file = wait(self.at(path)?.open(who, RW))?;
            wait(file.write(at, &vec![(at as u8).wrapping_add(len as u8); len])).map(|_| ())
        };
        match step {
            Step::Create(path) => {
                let (dir, name) = self.dir_of(path)?;
                wait(dir.create(who, name, Mode::new(0o644), RW)).map(|_| ())
            }
            Step::Mkdir(path) => {
                let (dir, name) = self.dir_of(path)?;
                wait(dir.mkdir(who, name, Mode::new(0o755))).map(|_| ())
            }
            Step::Symlink(path) => {
                let (dir, name) = self.dir_of(path)?;
                wait(dir.symlink(who, name, path.as_bytes())).map(|_| ())
            }
            Step::Write(path, at, len) => write(path, *at, *len),
            Step::Append(path) => {
                let file = wait(self.at(path)?.open(who, OpenFlags::WRITE))?;
                wait(file.append(b"more")).map(|_| ())
            }
            Step::Truncate(path, size) => {
                wait(self.at(path)?.setstat(who, SetStat { size: Some(*size), ..SetStat::default() }))
            }
            Step::Chmod(path, mode) => {
                let set = SetStat { mode: Some(Mode::new(*mode)), ..SetStat::default() };
                wait(self.at(path)?.setstat(who, set))
            }
            Step::Attribute(path, n) => {
                wait(self.at(path)?.setxattr(who, b"user.n", &[*n], SetXattr::empty()))
            }
            Step::Unlink(path) => {
                let (dir, name) = self.dir_of(path)?;
                wait(dir.unlink(who, name))
            }
            Step::Rmdir(path) => {
                let (dir, name) = self.dir_of(path)?;
                wait(dir.rmdir(who, name))
            }
            Step::Rename(from, to, flags) => {
                let ((from_dir, from), (to_dir, to)) = (self.dir_of(from)?, self.dir_of(to)?);
                wait(from_dir.rename(who, from, &to_dir, to, *flags))
            }
            Step::Link(target, path) => {
                let (dir, name) = self.dir_of(path)?;
                wait(dir.link(who, &self.at(target)?, name))
            }
            Step::Hold(path) => {
                let file = wait(self.at(path)?.open(who, RW))?;
                self.held.push(file);
                Ok(())
            }
            Step::Held(n, at) => match self.held.get(*n) {
                Some(file) => wait(file.write(*at, b"held")).map(|_| ()),
                None => Ok(()),
            },
            Step::LetGo(n) => {
                if *n < self.held.len() {
                    self.held.remove(*n);
                }
                Ok(())
            }
            Step::Fork | Step::Drop => Ok(()),
        }
    }
}

/// All that there is to see of a tree, a line a name, links by the first name that leads to the file.
fn shown(w: &World) -> Vec<String> {
    let mut lines = Vec::new();
    let mut firsts = HashMap::new();
    let mut todo = vec![w.root.clone()];
    while let Some(dir) = todo.pop() {
        let mut names = Vec::new();
        let open = wait(dir.open(&w.who, OpenFlags::READ)).unwrap();
        let mut sink = |entry: DirEntry<'_>| {
            names.push(entry.name.to_owned());
            true
        };
        wait(open.readdir(0, &mut sink)).unwrap();
        names.sort();
        for name in names {
            let place = wait(dir.walk(&w.who, &name)).unwrap();
            let stat = wait(place.stat(&w.who)).unwrap();
            let path = place.shown();
            let same = firsts.entry(stat.qid.path).or_insert_with(|| path.clone()).clone();
            let value = wait(place.getxattr(&w.who, b"user.n")).map(|value| value.to_vec());
            let content = match place.kind() {
                Kind::Dir => {
                    todo.push(place.clone());
                    Vec::new()
                }
                Kind::Symlink => wait(place.readlink()).unwrap().to_vec(),
                _ => whole(&wait(place.open(&w.who, OpenFlags::READ)).unwrap()),
            };
            lines.push(format!(
                "{path} = {same} {:o} {} {} {:?} {:?} {:x?}",
                // A link's mode means nothing, and not every layer can have another.
                if place.kind() == Kind::Symlink { Kind::Symlink.bits() } else { stat.st_mode() },
                stat.nlink,
                stat.size,
                value.ok(),
                content.len(),
                summary(&content),
            ));
        }
    }
    lines.sort();
    lines
}

fn whole(file: &FileRef) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut buf = vec![0; 70_000];
    loop {
        match wait(file.read(bytes.len() as u64, &mut buf)).unwrap() {
            0 => return bytes,
            n => bytes.extend_from_slice(&buf[..n]),
        }
    }
}

fn summary(bytes: &[u8]) -> u64 {
    bytes.iter().fold(7, |sum, byte| sum.wrapping_mul(0x0100_0000_01b3) ^ u64::from(*byte))
}

/// Copies what is in `from` over what is in `to`: a directory into a directory, anything else in the place of what is there.
fn lay_over(from: &Place, to: &Place, who: &Caller) {
    let mut files: HashMap<u64, Place> = HashMap::new();
    let mut todo = vec![(from.clone(), to.clone())];
    while let Some((from, to)) = todo.pop() {
        let stat = wait(from.stat(who)).unwrap();
        let set = SetStat { mode: Some(stat.mode), ..SetStat::default() };
        if from.kind() != Kind::Symlink && from.name().is_some() {
            wait(to.setstat(who, set)).unwrap();
        }
        if let Ok(value) = wait(from.getxattr(who, b"user.n")) {
            wait(to.setxattr(who, b"user.n", &value, SetXattr::empty())).unwrap();
        } else {
            let _ = wait(to.removexattr(who, b"user.n"));
        }
        if from.kind() == Kind::File {
            let bytes = whole(&wait(from.open(who, OpenFlags::READ)).unwrap());
            wait(wait(to.open(who, RW)).unwrap().write(0, &bytes)).unwrap();
        }
        if !from.kind().is_dir() {
            continue;
        }
        let mut names = Vec::new();
        let mut sink = |entry: DirEntry<'_>| {
            names.push(entry.name.to_owned());
            true
        };
        wait(wait(from.open(who, OpenFlags::READ)).unwrap().readdir(0, &mut sink)).unwrap();
        for name in names {
            let source = wait(from.walk(who, &name)).unwrap();
            let name = name.as_name();
            let there = wait(to.walk(who, name.as_bytes())).ok();
            if let Some(there) = there {
                if there.kind().is_dir() && source.kind().is_dir() {
                    todo.push((source, there));
                    continue;
                }
                remove(&to, name, who);
            }
            let path = wait(source.stat(who)).unwrap().qid.path;
            let made = match (source.kind(), files.get(&path)) {
                (Kind::Dir, _) => wait(to.mkdir(who, name, Mode::new(0o755))).unwrap(),
                (_, Some(first)) => {
                    wait(to.link(who, first, name)).unwrap();
                    continue;
                }
                (Kind::Symlink, _) => {
                    let target = wait(source.readlink()).unwrap();
                    wait(to.symlink(who, name, &target)).unwrap()
                }
                _ => wait(to.create(who, name, Mode::new(0o644), RW)).unwrap().place,
            };
            files.insert(path, made.clone());
            todo.push((source, made));
        }
    }
}

fn remove(dir: &Place, name: Name<'_>, who: &Caller) {
    if wait(dir.unlink(who, name)).is_ok() {
        return;
    }
    let below = wait(dir.walk(who, name.as_bytes())).unwrap();
    let mut names = Vec::new();
    let mut sink = |entry: DirEntry<'_>| {
        names.push(entry.name.to_owned());
        true
    };
    wait(wait(below.open(who, OpenFlags::READ)).unwrap().readdir(0, &mut sink)).unwrap();
    for name in names {
        remove(&below, name.as_name(), who);
    }
    wait(dir.rmdir(who, name)).unwrap();
}

/// Everything that is not about files held open, or about forks.
fn made_of(steps: &[Step], links: bool) -> World {
    let mut side = Side::of(world());
    for step in steps {
        if links || !matches!(step, Step::Link(..)) {
            let _ = side.run(step);
        }
    }
    side.world
}

#[derive(Clone, Copy, Debug)]
enum Under {
    Nothing,
    Memory,
    Slow,
    Host,
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// The lowest layer may have links; above it they could be hidden one by one, and a layer counts all it has.
    #[test]
    fn overlays_and_their_forks_are_what_trees_that_share_nothing_are(
        under in prop::sample::select(vec![Under::Nothing, Under::Memory, Under::Slow, Under::Host]),
        linked in any::<bool>(),
        lowest in prop::collection::vec(step(), 0..30),
        middle in prop::collection::vec(step(), 0..20),
        steps in prop::collection::vec((0usize..3, step()), 1..60),
    ) {
        let host = tempfile::tempdir().unwrap();
        let layers = match under {
            Under::Nothing => Vec::new(),
            _ if linked => vec![made_of(&lowest, true)],
            _ => vec![made_of(&middle, false), made_of(&lowest, false)],
        };
        let model = world();
        for layer in layers.iter().rev() {
            lay_over(&layer.root, &model.root, &model.who);
        }
        let mut nodes: Vec<NodeRef> = layers.iter().map(|layer| layer.root.node().clone()).collect();
        match under {
            Under::Slow => nodes = nodes.into_iter().map(slow).collect(),
            Under::Host => {
                for (at, layer) in layers.iter().enumerate() {
                    let dir = host.path().join(at.to_string());
                    std::fs::create_dir(&dir).unwrap();
                    let tree = HostTree::open(&dir).unwrap();
                    let there = Namespace::new(tree.root(), "host").root();
                    lay_over(&layer.root, &there, &layer.who);
                    nodes[at] = tree.root();
                }
            }
            _ => {}
        }
        let mut pairs = vec![(
            Side::of(of(Overlay::new(nodes, MemOptions::default()).unwrap())),
            Side::of(model),
        )];
        for (at, step) in steps {
            let at = at % pairs.len();
            match step {
                Step::Fork if pairs.len() < 3 => {
                    let fork = of(pairs[at].0.world.tree.overlay().fork().unwrap());
                    let copy = world();
                    lay_over(&pairs[at].1.world.root, &copy.root, &copy.who);
                    pairs.push((Side::of(fork), Side::of(copy)));
                }
                Step::Drop if pairs.len() > 1 => drop(pairs.remove(at)),
                step => {
                    let (one, other) = (pairs[at].0.run(&step), pairs[at].1.run(&step));
                    prop_assert_eq!(one.map_err(|e| e.errno()), other.map_err(|e| e.errno()), "{:?}", step);
                }
            }
        }
        for (overlay, model) in &pairs {
            prop_assert_eq!(shown(&overlay.world), shown(&model.world));
        }
    }
}
