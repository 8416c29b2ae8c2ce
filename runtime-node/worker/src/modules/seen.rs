//! What a program's module loader has seen, so that it is not asked for again: a file's kind, its real path and its text come
//! in one round trip, and a `package.json` that was read, as in Node, once.
//!
//! That there is none is believed for a moment, and not beyond the program's own next change of a name. Where a module's path
//! really leads is remembered for good, as in Node.

use super::listed::{Entry, Listed};
use crate::files::{Follow, Tree};
use deno_package_json::{PackageJsonCache, PackageJsonCacheResult, PackageJsonRc};
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long it is believed that a file is not there.
pub(super) const MOMENT: Duration = Duration::from_secs(1);

/// How the names of modules end.
const MODULES: [&str; 7] = ["js", "cjs", "mjs", "json", "ts", "cts", "mts"];

/// A file that was looked at and is about to be loaded.
struct Glance {
    asked: PathBuf,
    real: PathBuf,
    text: Vec<u8>,
}

/// What the loader has looked at.
pub struct Seen {
    /// The last file, with its text.
    last: Mutex<Option<Glance>>,
    /// Where paths really lead.
    real: Mutex<HashMap<PathBuf, PathBuf>>,
    listed: Arc<Listed>,
}

/// What `require` wants to know of a path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    File,
    Directory,
    Nothing,
}

impl Seen {
    pub fn new(listed: Arc<Listed>) -> Seen {
        Seen { last: Mutex::default(), real: Mutex::default(), listed }
    }

    fn last(&self) -> std::sync::MutexGuard<'_, Option<Glance>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember(&self, asked: &Path, real: &Path) {
        let mut known = self.real.lock().unwrap_or_else(PoisonError::into_inner);
        for path in [asked, real] {
            known.insert(path.to_path_buf(), real.to_path_buf());
        }
    }

    /// Looks at a path; if it is a module's file, what comes next will want its text.
    pub fn look(&self, tree: &Tree, path: &Path) -> Kind {
        let is_module =
            path.extension().is_some_and(|extension| MODULES.iter().any(|module| extension == *module));
        match self.listed.entry(path) {
            Some(Entry::Missing) => return Kind::Nothing,
            Some(Entry::Directory) => return Kind::Directory,
            Some(Entry::File) if !is_module => return Kind::File,
            _ => {}
        }
        // Reading anything else may do something.
        if !is_module {
            return match crate::link::now(tree.stat(path, Follow::Yes)) {
                Ok(meta) if meta.is_dir() => Kind::Directory,
                Ok(_) => Kind::File,
                Err(_) => Kind::Nothing,
            };
        }
        match crate::link::now(tree.glance(path)) {
            Ok((meta, _, _)) if meta.is_dir() => Kind::Directory,
            Ok((_, real, Some(text))) => {
                self.remember(path, &real);
                *self.last() = Some(Glance { asked: path.to_path_buf(), real, text });
                Kind::File
            }
            Ok(_) => Kind::File,
            Err(_) => Kind::Nothing,
        }
    }

    /// # Errors
    /// That of finding it.
    pub fn real_path(&self, tree: &Tree, path: &Path) -> io::Result<PathBuf> {
        if let Some(real) = self.real.lock().unwrap_or_else(PoisonError::into_inner).get(path) {
            return Ok(real.clone());
        }
        let real = crate::link::now(tree.real_path(path))?;
        self.remember(path, &real);
        Ok(real)
    }

    /// # Errors
    /// That of reading it.
    pub fn read(&self, tree: &Tree, path: &Path) -> io::Result<Vec<u8>> {
        // Used once: who reads a file again wants to see what has become of it.
        if let Some(glance) = self.last().take_if(|g| g.real == path || g.asked == path) {
            return Ok(glance.text);
        }
        crate::link::now(tree.read_file(path))
    }
}

/// Every `package.json` that was looked for.
#[derive(Debug)]
pub struct PackageJsons {
    tree: Tree,
    found: Mutex<HashMap<PathBuf, PackageJsonRc>>,
    missing: Mutex<HashMap<PathBuf, (Instant, u64)>>,
    listed: Arc<Listed>,
}

impl PackageJsons {
    pub fn new(tree: &Tree, listed: Arc<Listed>) -> PackageJsons {
        PackageJsons { tree: tree.clone(), found: Mutex::default(), missing: Mutex::default(), listed }
    }
}

impl PackageJsonCache for PackageJsons {
    fn get(&self, path: &Path) -> PackageJsonCacheResult {
        if let Some(found) = self.found.lock().unwrap_or_else(PoisonError::into_inner).get(path) {
            return PackageJsonCacheResult::Hit(Some(found.clone()));
        }
        if self.listed.entry(path) == Some(Entry::Missing) {
            return PackageJsonCacheResult::Hit(None);
        }
        let missing = self.missing.lock().unwrap_or_else(PoisonError::into_inner);
        match missing.get(path) {
            Some((when, changes)) if when.elapsed() < MOMENT && *changes == self.tree.changes() => {
                PackageJsonCacheResult::Hit(None)
            }
            _ => PackageJsonCacheResult::NotCached,
        }
    }

    fn set(&self, path: PathBuf, package: Option<PackageJsonRc>) {
        match package {
            Some(package) => {
                self.found.lock().unwrap_or_else(PoisonError::into_inner).insert(path, package);
            }
            None => {
                let now = (Instant::now(), self.tree.changes());
                self.missing.lock().unwrap_or_else(PoisonError::into_inner).insert(path, now);
            }
        }
    }
}
