//! Files under a name: what `snapshot NAME` keeps and `restore NAME` goes on from, in any container of the same user.
//!
//! A snapshot is a fork that nothing runs in: making and restoring it takes no time that depends on its size.

use crate::Files;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use vfs::{Errno, Error, NodeRef, Result, Time, Uid};

/// Files at one moment.
#[derive(Clone)]
pub struct Snapshot {
    pub files: Files,
    /// What lay below them.
    pub layers: Vec<(NodeRef, String)>,
    pub made: Time,
}

/// A user's name for a snapshot.
type Key = (Uid, String);

/// All snapshots of a server.
pub struct Snapshots {
    kept: Mutex<BTreeMap<Key, Snapshot>>,
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
        Snapshots { kept: Mutex::default() }
    }

    /// Keeps `snapshot` as `name`, in place of one that had the name.
    pub async fn keep(&self, owner: Uid, name: &str, snapshot: Snapshot) -> Result<()> {
        check_name(name)?;
        let mut kept = self.kept.lock();
        let key = (owner, name.to_owned());
        let many = kept.keys().filter(|(uid, _)| *uid == owner).count();
        if many >= MOST && !kept.contains_key(&key) {
            return Err(Error::new(
                Errno::ENOSPC,
                format!("{MOST} snapshots are the most: forget one first"),
            ));
        }
        let before = kept.insert(key, snapshot);
        drop(kept);
        drop(before);
        Ok(())
    }

    pub async fn get(&self, owner: Uid, name: &str) -> Result<Snapshot> {
        check_name(name)?;
        self.kept.lock().get(&(owner, name.to_owned())).cloned().ok_or_else(|| unknown(name))
    }

    pub async fn forget(&self, owner: Uid, name: &str) -> Result<()> {
        check_name(name)?;
        let gone = self.kept.lock().remove(&(owner, name.to_owned()));
        gone.map(drop).ok_or_else(|| unknown(name))
    }

    /// `NAME BYTES FILES UID` lines of the snapshots that `asker` may know of: his own, or all where he is the superuser.
    pub fn list(&self, asker: Uid) -> String {
        let kept = self.kept.lock();
        let mine = kept.iter().filter(|((owner, _), _)| asker == *owner || asker == Uid(0));
        mine.map(|((owner, name), snapshot)| {
            let (bytes, files) = snapshot.files.usage();
            format!("{name} {bytes} {files} {}\n", owner.0)
        })
        .collect()
    }
}
