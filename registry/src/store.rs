//! The cache on disk: files that are written whole and then named, and are thrown away when there are too many, those first
//! that were not used for the longest time. A file's modification time is when it was last used, or last found fresh.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

/// After a clean-up there is room for a while: so much of the limit is left.
const LEFT: f64 = 0.9;

#[derive(Clone, Copy)]
pub enum Shelf {
    Packuments,
    Tarballs,
}

pub struct Store {
    dir: PathBuf,
    limit: u64,
    used: AtomicU64,
}

impl Shelf {
    fn name(self) -> &'static str {
        match self {
            Shelf::Packuments => "packuments",
            Shelf::Tarballs => "tarballs",
        }
    }
}

impl Store {
    pub fn open(dir: &Path, limit: u64) -> io::Result<Store> {
        for shelf in [Shelf::Packuments, Shelf::Tarballs] {
            fs::create_dir_all(dir.join(shelf.name()))?;
        }
        let store = Store { dir: dir.to_owned(), limit, used: AtomicU64::new(0) };
        let used = store.files()?.iter().map(|(_, size, _)| size).sum();
        store.used.store(used, Ordering::Relaxed);
        Ok(store)
    }

    /// `name` has no slash in it.
    fn path(&self, shelf: Shelf, name: &str) -> PathBuf {
        self.dir.join(shelf.name()).join(name)
    }

    /// What is kept, and since when it was not touched.
    pub fn get(&self, shelf: Shelf, name: &str) -> Option<(Vec<u8>, SystemTime)> {
        let path = self.path(shelf, name);
        let data = fs::read(&path).ok()?;
        let touched = fs::metadata(&path).and_then(|meta| meta.modified()).ok()?;
        Some((data, touched))
    }

    pub fn put(&self, shelf: Shelf, name: &str, data: &[u8]) -> io::Result<()> {
        let path = self.path(shelf, name);
        let before = fs::metadata(&path).map_or(0, |meta| meta.len());
        let mut file = tempfile::NamedTempFile::new_in(&self.dir)?;
        file.write_all(data)?;
        file.persist(&path)?;
        let size = data.len() as u64;
        self.used.fetch_sub(before, Ordering::Relaxed);
        if self.used.fetch_add(size, Ordering::Relaxed) + size > self.limit {
            self.make_room()?;
        }
        Ok(())
    }

    /// It was used now.
    pub fn touch(&self, shelf: Shelf, name: &str) {
        let file = File::options().write(true).open(self.path(shelf, name));
        // One that is thrown away meanwhile needs no time.
        let _gone = file.and_then(|file| file.set_modified(SystemTime::now()));
    }

    pub fn remove(&self, shelf: Shelf, name: &str) {
        // It may be gone already.
        let _gone = fs::remove_file(self.path(shelf, name));
    }

    fn files(&self) -> io::Result<Vec<(SystemTime, u64, PathBuf)>> {
        let mut files = Vec::new();
        for shelf in [Shelf::Packuments, Shelf::Tarballs] {
            for entry in fs::read_dir(self.dir.join(shelf.name()))? {
                let entry = entry?;
                if let Ok(meta) = entry.metadata() {
                    files.push((meta.modified()?, meta.len(), entry.path()));
                }
            }
        }
        Ok(files)
    }

    fn make_room(&self) -> io::Result<()> {
        let mut files = self.files()?;
        files.sort();
        let mut used: u64 = files.iter().map(|(_, size, _)| size).sum();
        let wanted = (self.limit as f64 * LEFT) as u64;
        for (_, size, path) in files {
            if used <= wanted {
                break;
            }
            fs::remove_file(path)?;
            used -= size;
        }
        self.used.store(used, Ordering::Relaxed);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn what_was_not_used_for_the_longest_time_makes_room() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Store::open(dir.path(), 250).expect("a store");
        for name in ["a", "b"] {
            store.put(Shelf::Tarballs, name, &[0; 100]).expect("room");
            let file = File::options().write(true).open(store.path(Shelf::Tarballs, name)).expect("a file");
            file.set_modified(SystemTime::now() - Duration::from_secs(60)).expect("a time");
        }
        store.touch(Shelf::Tarballs, "a");
        store.put(Shelf::Packuments, "c", &[0; 100]).expect("room");
        let there = |shelf, name| store.get(shelf, name).is_some();
        assert!(there(Shelf::Tarballs, "a") && there(Shelf::Packuments, "c"));
        assert!(!there(Shelf::Tarballs, "b"));
        assert_eq!(Store::open(dir.path(), 250).expect("a store").used.into_inner(), 200);
    }
}
