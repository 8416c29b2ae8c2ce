//! A world to test in: a tree under a namespace, its user, and the calls he makes by path. Which tree it is, module `tree`
//! of each test program says.

pub use crate::tree::{BetweenCalls, Tree};
use vfs::*;

/// A namespace over a fresh tree, and who uses it.
pub struct World {
    pub tree: Tree,
    pub root: Place,
    pub who: Caller,
}

pub fn world() -> World {
    world_of(MemOptions::default(), Caller::new(Uid(0), Gid(0)))
}

pub fn world_of(options: MemOptions, who: Caller) -> World {
    let tree = Tree::with(MemOptions { uid: who.uid, gid: who.gid, ..options });
    World { root: Namespace::new(tree.root(), "tree").root(), tree, who }
}

/// Storage never waits.
pub fn done<T>(op: Op<'_, T>) -> Result<T> {
    op.now().expect("an operation on memory is done at once")
}

pub fn name(name: &str) -> Name<'_> {
    Name::new(name.as_bytes()).unwrap()
}

pub const RW: OpenFlags = OpenFlags::READ.union(OpenFlags::WRITE);

impl World {
    pub fn at(&self, path: &str) -> Result<Place> {
        self.tree.before_each_call();
        done(self.root.resolve(&self.who, path.as_bytes(), Follow::No))
    }
    pub fn dir_of<'p>(&self, path: &'p str) -> (Place, Name<'p>) {
        let (dir, last) = path.rsplit_once('/').unwrap_or(("", path));
        let dir = if dir.is_empty() { self.root.clone() } else { self.at(dir).unwrap() };
        (dir, name(last))
    }
    pub fn create(&self, path: &str) -> Result<FileRef> {
        let (dir, name) = self.dir_of(path);
        done(dir.create(&self.who, name, Mode::new(0o644), RW)).map(|created| created.file)
    }
    pub fn put(&self, path: &str, bytes: &[u8]) -> FileRef {
        let file = self.create(path).unwrap();
        assert_eq!(done(file.write(0, bytes)).unwrap(), bytes.len());
        file
    }
    pub fn open(&self, path: &str, flags: OpenFlags) -> Result<FileRef> {
        done(self.at(path)?.open(&self.who, flags))
    }
    pub fn bytes(&self, path: &str) -> Vec<u8> {
        content(&self.open(path, OpenFlags::READ).unwrap())
    }
    pub fn mkdir(&self, path: &str) -> Result<Place> {
        let (dir, name) = self.dir_of(path);
        done(dir.mkdir(&self.who, name, Mode::new(0o755)))
    }
    pub fn unlink(&self, path: &str) -> Result<()> {
        let (dir, name) = self.dir_of(path);
        done(dir.unlink(&self.who, name))
    }
    pub fn rmdir(&self, path: &str) -> Result<()> {
        let (dir, name) = self.dir_of(path);
        done(dir.rmdir(&self.who, name))
    }
    pub fn rename(&self, from: &str, to: &str, flags: RenameFlags) -> Result<()> {
        let ((from_dir, from), (to_dir, to)) = (self.dir_of(from), self.dir_of(to));
        done(from_dir.rename(&self.who, from, &to_dir, to, flags))
    }
    pub fn mv(&self, from: &str, to: &str) -> Result<()> {
        self.rename(from, to, RenameFlags::empty())
    }
    pub fn link(&self, target: &str, path: &str) -> Result<()> {
        let (dir, name) = self.dir_of(path);
        done(dir.link(&self.who, &self.at(target)?, name))
    }
    pub fn symlink(&self, path: &str, target: &str) -> Result<Place> {
        let (dir, name) = self.dir_of(path);
        done(dir.symlink(&self.who, name, target.as_bytes()))
    }
    pub fn stat(&self, path: &str) -> Stat {
        done(self.at(path).unwrap().stat(&self.who)).unwrap()
    }
    pub fn set(&self, path: &str, set: SetStat) -> Result<()> {
        done(self.at(path)?.setstat(&self.who, set))
    }
    pub fn chmod(&self, path: &str, mode: u32) {
        self.set(path, SetStat { mode: Some(Mode::new(mode)), ..SetStat::default() }).unwrap();
    }
    pub fn truncate(&self, path: &str, size: u64) -> Result<()> {
        self.set(path, SetStat { size: Some(size), ..SetStat::default() })
    }
    /// The same tree, used by another.
    pub fn seen_by(&self, uid: u32, gid: u32) -> World {
        let who = Caller::new(Uid(uid), Gid(gid));
        World { tree: self.tree.clone(), root: self.root.clone(), who }
    }
    pub fn names(&self, path: &str) -> Vec<String> {
        let mut names = Vec::new();
        let dir = self.open(path, OpenFlags::READ).unwrap();
        done(dir.readdir(0, &mut |entry| {
            names.push(entry.name.to_string());
            true
        }))
        .unwrap();
        names.sort();
        names
    }
}

pub fn content(file: &FileRef) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut buf = vec![0; 70_000];
    loop {
        match done(file.read(bytes.len() as u64, &mut buf)).unwrap() {
            0 => return bytes,
            n => bytes.extend_from_slice(&buf[..n]),
        }
    }
}

#[track_caller]
pub fn fails<T>(result: Result<T>, errno: Errno) {
    match result {
        Ok(_) => panic!("this should have failed with {errno:?}"),
        Err(error) => assert_eq!(error.errno(), errno),
    }
}
