//! The files that both the server under test and the model have, each its own: a few lines of a file system, without any
//! thought of sessions.

use nine::server::Error;
use nine::wire::{Attr, AttrMask, DirEntryKind, Gid, Mode, Qid, QidKind, Uid};
use std::collections::BTreeMap;

/// How a file was reached: the name and number of each step. `..` takes one off.
#[derive(Clone, Debug, Default)]
pub struct Path(Vec<(Vec<u8>, usize)>);

impl Path {
    pub fn file(&self) -> usize {
        self.0.last().map_or(0, |(_, file)| *file)
    }
    fn dir(&self) -> usize {
        self.0.len().checked_sub(2).map_or(0, |at| self.0[at].1)
    }
    pub fn below(&self, name: &[u8], file: usize) -> Path {
        let mut path = self.clone();
        path.0.push((name.to_vec(), file));
        path
    }
}

#[derive(Clone)]
pub enum Body {
    Dir(BTreeMap<Vec<u8>, usize>),
    Data(Vec<u8>),
    Pipe(Vec<u8>),
}

pub struct Tree {
    files: Vec<Body>,
    xattrs: BTreeMap<(usize, Vec<u8>), Vec<u8>>,
}

/// The file whose operations are done only when the script says so, and the directory that is walked to so.
const SLOW: usize = 2;
pub const LAZY: &[u8] = b"lazy";
const LONGEST: usize = 1 << 16;

impl Tree {
    /// `/plain`, `/slow`, `/pipe`, `/lazy/deep`.
    pub fn new() -> Tree {
        let names = |all: &[(&[u8], usize)]| Body::Dir(all.iter().map(|(n, f)| (n.to_vec(), *f)).collect());
        let root = names(&[(b"plain", 1), (b"slow", SLOW), (b"pipe", 3), (LAZY, 4)]);
        let data = |text: &[u8]| Body::Data(text.to_vec());
        let files = vec![
            root,
            data(b"plain text"),
            data(b"slow text"),
            Body::Pipe(Vec::new()),
            names(&[(b"deep", 5)]),
            data(b"deep text"),
        ];
        Tree { files, xattrs: BTreeMap::new() }
    }

    pub fn is_slow(&self, file: usize) -> bool {
        file == SLOW
    }
    pub fn is_pipe(&self, file: usize) -> bool {
        matches!(self.files[file], Body::Pipe(_))
    }
    pub fn is_dir(&self, file: usize) -> bool {
        matches!(self.files[file], Body::Dir(_))
    }

    pub fn qid(&self, file: usize) -> Qid {
        let kind = if self.is_dir(file) { QidKind::DIR } else { QidKind::empty() };
        Qid { kind, version: 0, path: file as u64 + 100 }
    }

    pub fn names(&self, dir: usize) -> Result<&BTreeMap<Vec<u8>, usize>, Error> {
        match &self.files[dir] {
            Body::Dir(names) => Ok(names),
            _ => Err(Error::NOT_DIRECTORY),
        }
    }
    fn names_mut(&mut self, dir: usize) -> Result<&mut BTreeMap<Vec<u8>, usize>, Error> {
        match &mut self.files[dir] {
            Body::Dir(names) => Ok(names),
            _ => Err(Error::NOT_DIRECTORY),
        }
    }

    pub fn walk(&self, from: &Path, name: &[u8]) -> Result<Path, Error> {
        let names = self.names(from.file())?;
        if name == b".." {
            let mut path = from.clone();
            path.0.pop();
            return Ok(path);
        }
        names.get(name).map(|file| from.below(name, *file)).ok_or(Error::NOT_FOUND)
    }

    pub fn open(&mut self, file: usize, empty: bool) {
        if let (Body::Data(data), true) = (&mut self.files[file], empty) {
            data.clear();
        }
    }

    pub fn make(&mut self, dir: &Path, name: &[u8], body: Body) -> Result<usize, Error> {
        let file = self.files.len();
        let names = self.names_mut(dir.file())?;
        if names.contains_key(name) {
            return Err(Error::EXISTS);
        }
        names.insert(name.to_vec(), file);
        self.files.push(body);
        Ok(file)
    }

    pub fn read(&self, file: usize, offset: u64, count: usize) -> Vec<u8> {
        let Body::Data(data) = &self.files[file] else { return Vec::new() };
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(data.len());
        data[from..data.len().min(from.saturating_add(count))].to_vec()
    }

    pub fn write(&mut self, file: usize, offset: u64, new: &[u8]) -> Result<usize, Error> {
        match &mut self.files[file] {
            Body::Data(data) => {
                let at = usize::try_from(offset).unwrap_or(usize::MAX);
                if at.saturating_add(new.len()) > LONGEST {
                    return Err(Error::new(27, "file too large"));
                }
                data.resize(data.len().max(at + new.len()), 0);
                data[at..at + new.len()].copy_from_slice(new);
                Ok(new.len())
            }
            Body::Pipe(data) => {
                data.extend_from_slice(new);
                Ok(new.len())
            }
            Body::Dir(_) => Err(Error::IS_DIRECTORY),
        }
    }

    /// What is in a pipe, up to `count` bytes of it, is in it no more.
    pub fn take(&mut self, file: usize, count: usize) -> Vec<u8> {
        let Body::Pipe(data) = &mut self.files[file] else { return Vec::new() };
        data.drain(..count.min(data.len())).collect()
    }
    pub fn has_data(&self, file: usize) -> bool {
        matches!(&self.files[file], Body::Pipe(data) if !data.is_empty())
    }

    pub fn attr(&self, file: usize) -> Attr {
        let (mode, size) = match &self.files[file] {
            Body::Dir(_) => (Mode::DIRECTORY | 0o755, 0),
            Body::Data(data) => (Mode::REGULAR | 0o644, data.len() as u64),
            Body::Pipe(_) => (Mode::REGULAR | 0o644, 0),
        };
        let (valid, qid) = (AttrMask::BASIC, self.qid(file));
        Attr { valid, qid, mode: Mode(mode), uid: Uid(7), gid: Gid(8), nlink: 1, size, ..Attr::default() }
    }

    pub fn kind(&self, file: usize) -> DirEntryKind {
        DirEntryKind::of(self.attr(file).mode)
    }

    pub fn unlink(&mut self, dir: usize, name: &[u8]) -> Result<(), Error> {
        self.names_mut(dir)?.remove(name).map(drop).ok_or(Error::NOT_FOUND)
    }
    pub fn remove(&mut self, path: &Path) -> Result<(), Error> {
        let (name, _) = path.0.last().ok_or(Error::PERMISSION)?;
        self.unlink(path.dir(), name)
    }
    pub fn rename(&mut self, old: (usize, &[u8]), new: (usize, &[u8])) -> Result<(), Error> {
        self.names(new.0)?;
        let file = self.names_mut(old.0)?.remove(old.1).ok_or(Error::NOT_FOUND)?;
        self.names_mut(new.0)?.insert(new.1.to_vec(), file);
        Ok(())
    }

    pub fn xattr(&self, file: usize, name: &[u8]) -> Result<Vec<u8>, Error> {
        self.xattrs.get(&(file, name.to_vec())).cloned().ok_or(Error::NO_XATTR)
    }
    pub fn xattr_list(&self, file: usize) -> Vec<u8> {
        let names = self.xattrs.keys().filter(|(of, _)| *of == file);
        names.flat_map(|(_, name)| name.iter().copied().chain([0])).collect()
    }
    pub fn set_xattr(&mut self, file: usize, name: &[u8], value: &[u8]) {
        self.xattrs.insert((file, name.to_vec()), value.to_vec());
    }
    pub fn remove_xattr(&mut self, file: usize, name: &[u8]) -> Result<(), Error> {
        self.xattrs.remove(&(file, name.to_vec())).map(drop).ok_or(Error::NO_XATTR)
    }
}

impl Default for Tree {
    fn default() -> Tree {
        Tree::new()
    }
}
