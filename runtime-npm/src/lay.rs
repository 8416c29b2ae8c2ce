//! Packages into a project: their files, the links to their programs, and the lock files, in the task's namespace and as its
//! caller.

use crate::tree::{Id, Tree};
use crate::unpack::{Files, mended};
use crate::unusual::Plain;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};
use vfs::{Caller, Errno, FileRef, Follow, Kind, Mode, Name, OpenFlags, Place, Result};

const DIRECTORY: Mode = Mode::new(0o777);
/// Of the files that are npm's own.
const FILE: u32 = 0o666;
/// Files that are made without a look at what else there is to do.
const TURN: usize = 32;

/// A project whose packages are laid into it.
pub struct Laying<'a> {
    who: &'a Caller,
    project: &'a Place,
    /// By their paths from the project on.
    dirs: HashMap<String, Place>,
    /// What the links of a `.bin` lead to.
    programs: BTreeMap<(String, String), Option<String>>,
    made: usize,
}

fn name(name: &str) -> Result<Name<'_>> {
    Name::new(name.as_bytes())
}

fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

/// Writes all of it.
pub async fn write(file: &FileRef, data: &[u8]) -> Result<()> {
    let mut at = 0;
    while at < data.len() {
        match file.write(at as u64, &data[at..]).await? {
            0 => return Errno::ENOSPC.into(),
            count => at += count,
        }
    }
    Ok(())
}

impl<'a> Laying<'a> {
    pub fn new(who: &'a Caller, project: &'a Place) -> Laying<'a> {
        let dirs = HashMap::from([(String::new(), project.clone())]);
        Laying { who, project, dirs, programs: BTreeMap::new(), made: 0 }
    }

    async fn dir(&mut self, path: &str) -> Result<Place> {
        let mut missing = Vec::new();
        let mut rest = path;
        let mut dir = loop {
            if let Some(dir) = self.dirs.get(rest) {
                break dir.clone();
            }
            missing.push(rest);
            rest = split(rest).0;
        };
        for path in missing.into_iter().rev() {
            let last = name(split(path).1)?;
            dir = match dir.mkdir(self.who, last, DIRECTORY).await {
                Err(error) if error.is(Errno::EEXIST) => dir.walk(self.who, last.as_bytes()).await?,
                made => made?,
            };
            self.dirs.insert(path.to_owned(), dir.clone());
        }
        Ok(dir)
    }

    async fn file(&mut self, path: &str, mode: u32, data: &[u8]) -> Result<()> {
        self.made += 1;
        if self.made.is_multiple_of(TURN) {
            tokio::task::yield_now().await;
        }
        let (dir, last) = split(path);
        let dir = self.dir(dir).await?;
        let flags = OpenFlags::WRITE | OpenFlags::EXCLUSIVE;
        let made = dir.create(self.who, name(last)?, Mode::new(mode), flags).await?;
        write(&made.file, data).await
    }

    /// Lays a package where the tree has it; those nearest to the project come first.
    pub async fn package(&mut self, tree: &Tree, id: Id, mut files: Files) -> Plain<()> {
        let node = tree.node(id);
        let (above, _) = node.location.rsplit_once("node_modules/").expect("packages lie in one");
        for (program, path) in &node.manifest.bins {
            let dir = format!("{above}node_modules/.bin");
            // The first of a name has it, and what is not among the files is not linked to.
            let Entry::Vacant(vacant) = self.programs.entry((dir, program.clone())) else { continue };
            let file = files.get_mut(path);
            vacant.insert(file.is_some().then(|| format!("../{}/{path}", node.manifest.name)));
            let Some(file) = file else { continue };
            file.mode = 0o777;
            if let Some(data) = mended(&file.data) {
                file.data = data;
            }
        }
        // Also where there is nothing in it.
        self.dir(&node.location).await?;
        for (path, file) in &files {
            self.file(&format!("{}/{path}", node.location), file.mode, &file.data).await?;
        }
        Ok(())
    }

    /// Links to the programs of all packages; then the lock files.
    pub async fn finish(&mut self, own: Option<&str>, hidden: &str) -> Plain<()> {
        for ((dir, program), target) in std::mem::take(&mut self.programs) {
            let Some(target) = target else { continue };
            let dir = self.dir(&dir).await?;
            dir.symlink(self.who, name(&program)?, target.as_bytes()).await?;
        }
        if let Some(own) = own {
            self.file("package-lock.json", FILE, own.as_bytes()).await?;
        }
        // The last of all: it is believed as long as nothing in node_modules is newer.
        Ok(self.file("node_modules/.package-lock.json", FILE, hidden.as_bytes()).await?)
    }

    /// Takes away what was made, where nothing was before.
    pub async fn undo(self, wrote_own: bool) -> Result<()> {
        if wrote_own {
            gone(self.project.unlink(self.who, name("package-lock.json")?).await)?;
        }
        match self.project.walk(self.who, b"node_modules").await {
            Ok(modules) => remove(self.who, modules).await,
            Err(error) => gone(Err(error)),
        }
    }
}

fn gone(done: Result<()>) -> Result<()> {
    match done {
        Err(error) if error.is(Errno::ENOENT) => Ok(()),
        done => done,
    }
}

/// Removes a directory with all that is in it, and follows no links.
async fn remove(who: &Caller, top: Place) -> Result<()> {
    let mut open = vec![(top, false)];
    while let Some((dir, is_empty)) = open.pop() {
        if is_empty {
            let last = dir.name().expect("it lies in a project").clone();
            gone(dir.parent().rmdir(who, last.as_name()).await)?;
            continue;
        }
        let mut names = Vec::new();
        let mut sink = |entry: vfs::DirEntry<'_>| {
            names.push(entry.name.to_owned());
            true
        };
        dir.open(who, OpenFlags::READ).await?.readdir(0, &mut sink).await?;
        open.push((dir.clone(), true));
        for last in names {
            let entry = dir.resolve(who, last.as_bytes(), Follow::No).await?;
            match entry.kind() {
                Kind::Dir => open.push((entry, false)),
                _ => gone(dir.unlink(who, last.as_name()).await)?,
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Manifest;
    use crate::unpack::File;
    use std::sync::Arc;
    use vfs::{Gid, MemTree, Namespace, Uid};

    fn file(data: &str) -> File {
        File { mode: 0o666, data: data.into() }
    }

    #[tokio::test]
    async fn packages_programs_and_lock_files_are_laid_and_taken_away_again() {
        let ns = Namespace::new(MemTree::new().root(), "mem");
        let (root, who) = (ns.root(), Caller { umask: 0o022, ..Caller::new(Uid(0), Gid(0)) });
        let project = serde_json::json!({"name": "app", "dependencies": {"@a/tool": "1"}});
        let project = Manifest::of_project(project.as_object().expect("one"), "app").expect("plain");
        let package = serde_json::json!({"version": "1.0.0", "bin": {"tool": "bin/tool", "gone": "gone.js"},
            "resolved": "https://registry.npmjs.org/x/-/x.tgz", "integrity": "sha512-x"});
        let package = Manifest::of_entry(package.as_object().expect("one"), "@a/tool").expect("plain");
        let mut tree = Tree::new(project);
        let id = tree.add(Tree::ROOT, "@a/tool", Arc::new(package));

        let files = [("bin/tool", file("#!/usr/bin/env node\r\nx")), ("a/b/c.js", file("c"))];
        let files = files.into_iter().map(|(path, file)| (path.to_owned(), file)).collect();
        let mut laying = Laying::new(&who, &root);
        laying.package(&tree, id, files).await.expect("laid");
        laying.finish(Some("own"), "hidden").await.expect("laid");
        let at = async |path: &str| root.resolve(&who, path.as_bytes(), Follow::Yes).await;
        let program = at("node_modules/.bin/tool").await.expect("a link to the program");
        assert_eq!(program.shown(), "/node_modules/@a/tool/bin/tool");
        let stat = program.stat(&who).await.expect("a file");
        assert_eq!((stat.mode.bits() & 0o777, stat.size), (0o755, 21));
        assert!(at("node_modules/.bin/gone").await.is_err(), "no such file is in the package");
        let stat =
            at("node_modules/@a/tool/a/b/c.js").await.expect("a file").stat(&who).await.expect("a file");
        assert_eq!(stat.mode.bits() & 0o777, 0o644);
        for lock in ["package-lock.json", "node_modules/.package-lock.json"] {
            assert!(at(lock).await.is_ok(), "{lock}");
        }

        laying.undo(true).await.expect("taken away");
        for path in ["node_modules", "package-lock.json"] {
            assert!(at(path).await.is_err(), "{path}");
        }
    }
}
