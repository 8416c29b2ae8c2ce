//! What POSIX promises of a file system, asked of the memory tree through a namespace, as its users do.

use vfs::*;

/// A namespace over a fresh memory tree, and who uses it.
struct World {
    tree: MemTree,
    root: Place,
    who: Caller,
}

fn world() -> World {
    world_of(MemOptions::default(), Caller::new(Uid(0), Gid(0)))
}

fn world_of(options: MemOptions, who: Caller) -> World {
    let tree = MemTree::with(MemOptions { uid: who.uid, gid: who.gid, ..options });
    World { root: Namespace::new(tree.root(), "mem").root(), tree, who }
}

/// Storage never waits.
fn done<T>(op: Op<'_, T>) -> Result<T> {
    op.now().expect("an operation on memory is done at once")
}

fn name(name: &str) -> Name<'_> {
    Name::new(name.as_bytes()).unwrap()
}

const RW: OpenFlags = OpenFlags::READ.union(OpenFlags::WRITE);

impl World {
    fn at(&self, path: &str) -> Result<Place> {
        done(self.root.resolve(&self.who, path.as_bytes(), Follow::No))
    }
    fn dir_of<'p>(&self, path: &'p str) -> (Place, Name<'p>) {
        let (dir, last) = path.rsplit_once('/').unwrap_or(("", path));
        let dir = if dir.is_empty() { self.root.clone() } else { self.at(dir).unwrap() };
        (dir, name(last))
    }
    fn create(&self, path: &str) -> Result<FileRef> {
        let (dir, name) = self.dir_of(path);
        done(dir.create(&self.who, name, Mode::new(0o644), RW)).map(|created| created.file)
    }
    fn put(&self, path: &str, bytes: &[u8]) -> FileRef {
        let file = self.create(path).unwrap();
        assert_eq!(done(file.write(0, bytes)).unwrap(), bytes.len());
        file
    }
    fn open(&self, path: &str, flags: OpenFlags) -> Result<FileRef> {
        done(self.at(path)?.open(&self.who, flags))
    }
    fn bytes(&self, path: &str) -> Vec<u8> {
        content(&self.open(path, OpenFlags::READ).unwrap())
    }
    fn mkdir(&self, path: &str) -> Result<Place> {
        let (dir, name) = self.dir_of(path);
        done(dir.mkdir(&self.who, name, Mode::new(0o755)))
    }
    fn unlink(&self, path: &str) -> Result<()> {
        let (dir, name) = self.dir_of(path);
        done(dir.unlink(&self.who, name))
    }
    fn rmdir(&self, path: &str) -> Result<()> {
        let (dir, name) = self.dir_of(path);
        done(dir.rmdir(&self.who, name))
    }
    fn rename(&self, from: &str, to: &str, flags: RenameFlags) -> Result<()> {
        let ((from_dir, from), (to_dir, to)) = (self.dir_of(from), self.dir_of(to));
        done(from_dir.rename(&self.who, from, &to_dir, to, flags))
    }
    fn mv(&self, from: &str, to: &str) -> Result<()> {
        self.rename(from, to, RenameFlags::empty())
    }
    fn link(&self, target: &str, path: &str) -> Result<()> {
        let (dir, name) = self.dir_of(path);
        done(dir.link(&self.who, &self.at(target)?, name))
    }
    fn symlink(&self, path: &str, target: &str) -> Result<Place> {
        let (dir, name) = self.dir_of(path);
        done(dir.symlink(&self.who, name, target.as_bytes()))
    }
    fn stat(&self, path: &str) -> Stat {
        done(self.at(path).unwrap().stat(&self.who)).unwrap()
    }
    fn set(&self, path: &str, set: SetStat) -> Result<()> {
        done(self.at(path)?.setstat(&self.who, set))
    }
    fn names(&self, path: &str) -> Vec<String> {
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

fn content(file: &FileRef) -> Vec<u8> {
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
fn fails<T>(result: Result<T>, errno: Errno) {
    match result {
        Ok(_) => panic!("this should have failed with {errno:?}"),
        Err(error) => assert_eq!(error.errno(), errno),
    }
}

#[test]
fn what_is_written_is_read() {
    let w = world();
    let file = w.put("a", b"hello");
    assert_eq!(w.bytes("a"), b"hello");
    assert_eq!(done(file.write(7, b"!")).unwrap(), 1);
    assert_eq!(w.bytes("a"), b"hello\0\0!");
    assert_eq!(w.stat("a").size, 8);
    fails(w.at("b"), Errno::ENOENT);
    fails(w.at("a/b"), Errno::ENOTDIR);
}

#[test]
fn a_file_lives_on_without_a_name_while_it_is_open() {
    let w = world();
    let file = w.put("a", &[7; 100_000]);
    w.unlink("a").unwrap();
    fails(w.at("a"), Errno::ENOENT);
    assert_eq!(content(&file), [7; 100_000]);
    assert_eq!(done(file.node().stat()).unwrap().nlink, 0);
    assert!(w.tree.used_bytes() >= 100_000);
    drop(file);
    assert_eq!((w.tree.used_bytes(), w.tree.used_inodes()), (0, 1));
}

#[test]
fn subdirectories_count_as_links() {
    let w = world();
    w.mkdir("d").unwrap();
    w.mkdir("d/e").unwrap();
    w.put("d/f", b"");
    assert_eq!((w.stat("d").nlink, w.stat("d/e").nlink), (3, 2));
    fails(w.rmdir("d"), Errno::ENOTEMPTY);
    fails(w.unlink("d/e"), Errno::EISDIR);
    fails(w.rmdir("d/f"), Errno::ENOTDIR);
    w.rmdir("d/e").unwrap();
    assert_eq!(w.stat("d").nlink, 2);
}

#[test]
fn a_removed_directory_that_is_still_held_takes_no_entries() {
    let w = world();
    let dir = w.mkdir("d").unwrap();
    w.rmdir("d").unwrap();
    fails(done(dir.mkdir(&w.who, name("x"), Mode::new(0o755))), Errno::ENOENT);
    w.put("f", b"");
    fails(done(w.root.rename(&w.who, name("f"), &dir, name("f"), RenameFlags::empty())), Errno::ENOENT);
    fails(done(dir.link(&w.who, &w.at("f").unwrap(), name("x"))), Errno::ENOENT);
    assert_eq!(done(dir.stat(&w.who)).unwrap().nlink, 0);
}
