//! What lies in the directories of packages. A name is looked for in many of them and with many endings, and is mostly not
//! there: one listing answers for all of a directory.
//!
//! As Node believes what it has looked at while it resolves, so is a listing believed: for a moment, and not beyond the
//! program's own next change of a name. Only below `node_modules`, where every directory lists all that can be found in it.

use super::seen::MOMENT;
use crate::files::Tree;
use crate::link::now;
use nine::wire::DirEntryKind;
use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// What a name is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Entry {
    Missing,
    Directory,
    File,
}

/// The names of a directory; none where it could not be listed.
type Names = Option<HashMap<OsString, DirEntryKind>>;

#[derive(Debug)]
pub struct Listed {
    tree: Tree,
    known: Mutex<Known>,
}

#[derive(Default, Debug)]
struct Known {
    /// The number of the program's own changes that all of it is of.
    changes: u64,
    dirs: HashMap<PathBuf, (Instant, Names)>,
}

impl Listed {
    pub fn new(tree: &Tree) -> Listed {
        Listed { tree: tree.clone(), known: Mutex::default() }
    }

    /// What is at `path`, if that need not be asked.
    pub fn entry(&self, path: &Path) -> Option<Entry> {
        let (dir, name) = (path.parent()?, path.file_name()?);
        if !dir.components().any(|part| part.as_os_str() == "node_modules") {
            return None;
        }
        if let Some(said) = self.said(dir, name) {
            return said;
        }
        // What is below a directory that is missing is.
        let names = if self.entry(dir) == Some(Entry::Missing) {
            Some(HashMap::new())
        } else {
            match now(self.tree.list(dir)) {
                Ok(entries) => Some(entries.into_iter().map(|entry| (entry.name, entry.kind)).collect()),
                Err(e) if matches!(e.raw_os_error(), Some(libc::ENOENT | libc::ENOTDIR)) => {
                    Some(HashMap::new())
                }
                Err(_) => None,
            }
        };
        self.known().dirs.insert(dir.to_path_buf(), (Instant::now(), names));
        self.said(dir, name)?
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let changes = self.tree.changes();
        if known.changes != changes {
            *known = Known { changes, ..Known::default() };
        }
        known
    }

    /// What a listing says, if there is one.
    fn said(&self, dir: &Path, name: &OsStr) -> Option<Option<Entry>> {
        let known = self.known();
        let (_, names) = known.dirs.get(dir).filter(|(when, _)| when.elapsed() < MOMENT)?;
        let Some(names) = names else { return Some(None) };
        Some(match names.get(name) {
            None => Some(Entry::Missing),
            Some(&DirEntryKind::DIRECTORY) => Some(Entry::Directory),
            Some(&DirEntryKind::REGULAR) => Some(Entry::File),
            // Where a link leads is to be asked.
            Some(_) => None,
        })
    }
}
