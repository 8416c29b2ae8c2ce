//! Files under a name: what `snapshot NAME` keeps and `restore NAME` goes on from, in any container of the same user.
//!
//! A snapshot is a fork that nothing runs in: making and restoring it takes no time that depends on its size. Where the
//! server's root is a host directory it is written there too before it counts as kept, and a server that is started later
//! finds it again (`shelf.rs`).

use crate::Files;
use crate::shelf::Shelf;
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use vfs::{Caller, Errno, Error, NodeRef, Result, Uid};

/// Files at one moment.
#[derive(Clone)]
pub struct Snapshot {
    pub files: Files,
    /// What lay below them.
    pub layers: Vec<(NodeRef, String)>,
}

/// A user's name for a snapshot.
type Key = (Uid, String);

/// All snapshots of a server.
pub struct Snapshots {
    kept: Mutex<BTreeMap<Key, Snapshot>>,
    shelf: Option<Shelf>,
}

/// Snapshots of one user at once.
const MOST: usize = 256;
const LONGEST_NAME: usize = 64;

/// Fails where `name` could not be a file's.
pub fn check_name(name: &str) -> Result<()> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if !name.is_empty() && name.len() <= LONGEST_NAME && !name.starts_with('.') && name.chars().all(plain) {
        return Ok(());
    }
    let text = format!(
        "bad name {name:?} for a snapshot: want up to {LONGEST_NAME} letters, digits, '.', '_' and '-', no '.' first"
    );
    Err(Error::new(Errno::EINVAL, text))
}

fn unknown(name: &str) -> Error {
    Error::new(Errno::ENOENT, format!("no snapshot {name:?}"))
}

impl Snapshots {
    /// Those that go with the server.
    pub fn in_memory() -> Snapshots {
        Snapshots { kept: Mutex::default(), shelf: None }
    }
    /// Those that last, below the host directory `root`.
    pub fn on_host(root: &Path) -> std::io::Result<Snapshots> {
        Ok(Snapshots { kept: Mutex::default(), shelf: Some(Shelf::open(root)?) })
    }

    /// The names that are taken.
    fn names(&self) -> Result<BTreeSet<Key>> {
        let mut names: BTreeSet<Key> = match &self.shelf {
            Some(shelf) => shelf.list()?.into_keys().collect(),
            None => BTreeSet::new(),
        };
        names.extend(self.kept.lock().keys().cloned());
        Ok(names)
    }

    /// Keeps `snapshot` as `name`, in place of one that had the name. Done is kept, also where the server dies now.
    pub async fn keep(&self, owner: Uid, name: &str, snapshot: Snapshot) -> Result<()> {
        check_name(name)?;
        let key = (owner, name.to_owned());
        let names = self.names()?;
        if names.iter().filter(|(uid, _)| *uid == owner).count() >= MOST && !names.contains(&key) {
            let text = format!("{MOST} snapshots are the most: forget one first");
            return Err(Error::new(Errno::ENOSPC, text));
        }
        if let Some(shelf) = &self.shelf {
            shelf.write(owner, name, &snapshot.files).await?;
        }
        let before = self.kept.lock().insert(key, snapshot);
        drop(before);
        Ok(())
    }

    /// The one called `name`, for a container of `who`.
    pub async fn get(&self, who: &Caller, name: &str) -> Result<Snapshot> {
        check_name(name)?;
        let key = (who.uid, name.to_owned());
        let kept = self.kept.lock().get(&key).cloned();
        if let Some(kept) = kept {
            return Ok(kept);
        }
        let Some(shelf) = &self.shelf else { return Err(unknown(name)) };
        let files = shelf.read(who.uid, name, who).await?.ok_or_else(|| unknown(name))?;
        let snapshot = Snapshot { files, layers: Vec::new() };
        // One that was kept meanwhile is newer.
        Ok(self.kept.lock().entry(key).or_insert(snapshot).clone())
    }

    pub async fn forget(&self, owner: Uid, name: &str) -> Result<()> {
        check_name(name)?;
        let kept = self.kept.lock().remove(&(owner, name.to_owned()));
        let lasted = match &self.shelf {
            Some(shelf) => shelf.remove(owner, name)?,
            None => false,
        };
        if kept.is_some() || lasted { Ok(()) } else { Err(unknown(name)) }
    }

    /// `NAME UID` lines of the snapshots that `asker` may know of: his own, or all where he is the superuser.
    pub fn list(&self, asker: Uid) -> Result<String> {
        let names = self.names()?;
        let mine = names.iter().filter(|(owner, _)| asker == *owner || asker == Uid(0));
        Ok(mine.map(|(owner, name)| format!("{name} {}\n", owner.0)).collect())
    }
}
