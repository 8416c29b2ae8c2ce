//! Packages into a project: their files, the links to their programs, and the lock files, in the task's namespace and as its
//! caller.

use crate::change::Change;
use crate::tree::{Id, Tree};
use crate::unpack::{Files, mended};
use crate::unusual::{Plain, Unusual};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use vfs::{Caller, Errno, FileRef, Follow, Kind, Mode, Name, OpenFlags, Place, Result};

const DIRECTORY: Mode = Mode::new(0o777);
/// Of the files that are npm's own.
const FILE: u32 = 0o666;
/// Files that are made without a look at what else there is to do.
const TURN: usize = 32;
/// Where npm leaves what it laid.
const HIDDEN: &str = "node_modules/.package-lock.json";
const NOTHING: (&str, &BTreeSet<String>) = ("", &BTreeSet::new());

/// Files of a project's own that npm writes: what they were before, where they were, and what they are to be.
#[derive(Default)]
pub struct Texts {
    pub manifest: Option<(Option<String>, String)>,
    pub lock: Option<(Option<String>, String)>,
    pub hidden: String,
    /// Whether [`HIDDEN`] says that already.
    pub is_same_hidden: bool,
}

impl Texts {
    fn all(&self) -> impl Iterator<Item = (&'static str, Option<&str>, &str)> {
        let all = [("package.json", &self.manifest), ("package-lock.json", &self.lock)];
        all.into_iter().filter_map(|(file, texts)| {
            let (before, after) = texts.as_ref()?;
            Some((file, before.as_deref(), after.as_str()))
        })
    }
    fn of_project(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.all().map(|(file, _, after)| (file, after))
    }
}

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

    /// Links to the programs of all packages; then the files that say what is there.
    pub async fn finish(&mut self, texts: &Texts) -> Plain<()> {
        for ((dir, program), target) in std::mem::take(&mut self.programs) {
            let Some(target) = target else { continue };
            let dir = self.dir(&dir).await?;
            dir.symlink(self.who, name(&program)?, target.as_bytes()).await?;
        }
        for (file, text) in texts.of_project() {
            self.text(file, text).await?;
        }
        self.dir("node_modules").await?;
        // The last of all: it is believed as long as nothing in node_modules is newer.
        if !texts.is_same_hidden || self.made > 0 {
            self.text(HIDDEN, &texts.hidden).await?;
        }
        Ok(())
    }

    /// Writes a file, which may be there.
    async fn text(&mut self, path: &str, text: &str) -> Result<()> {
        let (dir, last) = split(path);
        let dir = self.dir(dir).await?;
        let file = match dir.walk(self.who, last.as_bytes()).await {
            Ok(there) => there.open(self.who, OpenFlags::WRITE | OpenFlags::TRUNCATE).await?,
            Err(error) if error.is(Errno::ENOENT) => {
                let flags = OpenFlags::WRITE | OpenFlags::EXCLUSIVE;
                dir.create(self.who, name(last)?, Mode::new(FILE), flags).await?.file
            }
            Err(error) => return Err(error),
        };
        write(&file, text.as_bytes()).await
    }

    /// What npm looks at of packages that stay as they are.
    pub async fn links_must_be_there(&self, links: &[String]) -> Plain<()> {
        for link in links {
            let there = self.project.resolve(self.who, link.as_bytes(), Follow::Yes).await;
            there.map_err(|error| Unusual::new(format!("{link}: {error}")))?;
        }
        Ok(())
    }

    /// Takes away what goes and what makes room. What is left is no longer what npm's list says.
    pub async fn make_room(&mut self, change: &Change, tree: &Tree) -> Plain<()> {
        if change.is_nothing() {
            return Ok(());
        }
        self.made += 1;
        let links = change.old_links.iter().map(String::as_str);
        for path in [HIDDEN].into_iter().chain(links) {
            if let Some((dir, last)) = self.there(path).await? {
                gone(dir.unlink(self.who, name(&last)?).await)?;
            }
        }
        for location in change.emptied(tree) {
            let dir = self.project.resolve(self.who, location.as_bytes(), Follow::No).await?;
            remove(self.who, dir, (&location, &change.kept)).await?;
        }
        Ok(())
    }

    /// The directory of a path whose directories are there, and its last name.
    async fn there(&self, path: &str) -> Result<Option<(Place, String)>> {
        let (dir, last) = split(path);
        match self.project.resolve(self.who, dir.as_bytes(), Follow::No).await {
            Ok(dir) => Ok(Some((dir, last.to_owned()))),
            Err(error) if error.is(Errno::ENOENT) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Takes away all packages.
    pub async fn clear(&mut self) -> Result<()> {
        let modules = self.project.walk(self.who, b"node_modules").await?;
        remove(self.who, modules, NOTHING).await
    }

    /// Takes away what was made: where packages were before, those that came (`added`), and else all of them.
    pub async fn undo(self, texts: &Texts, added: Option<Vec<&str>>) -> Result<()> {
        for (file, before, _) in texts.all() {
            match before {
                Some(before) => {
                    let file = self.project.walk(self.who, file.as_bytes()).await?;
                    let file = file.open(self.who, OpenFlags::WRITE | OpenFlags::TRUNCATE).await?;
                    write(&file, before.as_bytes()).await?;
                }
                None => gone(self.project.unlink(self.who, name(file)?).await)?,
            }
        }
        for path in added.unwrap_or_else(|| vec!["node_modules"]) {
            match self.project.resolve(self.who, path.as_bytes(), Follow::No).await {
                Ok(there) => remove(self.who, there, NOTHING).await?,
                Err(error) => gone(Err(error))?,
            }
        }
        Ok(())
    }
}

fn gone(done: Result<()>) -> Result<()> {
    match done {
        Err(error) if error.is(Errno::ENOENT) => Ok(()),
        done => done,
    }
}

/// Removes a directory with all that is in it, and follows no links; but for packages that are kept below the path that it has in
/// the project.
async fn remove(who: &Caller, top: Place, (path, kept): (&str, &BTreeSet<String>)) -> Result<()> {
    let holds = |path: &str| {
        let below = format!("{path}/");
        kept.range(below.clone()..).next().is_some_and(|next| next.starts_with(&below))
    };
    let mut open = vec![(top, path.to_owned(), false)];
    while let Some((dir, path, is_empty)) = open.pop() {
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
        if !holds(&path) {
            open.push((dir.clone(), path.clone(), true));
        }
        for last in names {
            let entry = dir.resolve(who, last.as_bytes(), Follow::No).await?;
            let path = format!("{path}/{}", String::from_utf8_lossy(last.as_bytes()));
            match entry.kind() {
                _ if kept.contains(&path) => {}
                Kind::Dir => open.push((entry, path, false)),
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
        let lock = Some((None, "own".to_owned()));
        let texts = Texts { lock, hidden: "hidden".into(), ..Texts::default() };
        laying.finish(&texts).await.expect("laid");
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

        laying.undo(&texts, None).await.expect("taken away");
        for path in ["node_modules", "package-lock.json"] {
            assert!(at(path).await.is_err(), "{path}");
        }
    }
}
