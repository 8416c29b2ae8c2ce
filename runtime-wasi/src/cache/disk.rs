//! Compiled programs on disk. Loading one is running machine code, so nothing is loaded that this user did not write: the
//! directory and its files must be his alone, and each file carries a keyed hash of its name and content, whose key lies in
//! the directory, readable by him alone. Whatever does not fit is compiled again, never loaded.
//!
//! ```text
//! <dir>/key              32 random bytes, mode 0600
//! <dir>/<key>.cwasm      32 bytes of keyed hash, then what wasmtime made of the program
//! ```

use super::Key;
use crate::program::{Code, Layer};
use parking_lot::Mutex;
use rustix::fs::{Mode, OFlags};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;
use vfs::{Errno, Error, Result};
use wasmtime::component::Component;
use wasmtime::{Engine, Module};

const MAC: usize = blake3::OUT_LEN;

pub(super) struct DiskCache {
    dir: PathBuf,
    secret: [u8; blake3::KEY_LEN],
    max_bytes: u64,
    /// One at a time looks for what has to go.
    evicting: Mutex<()>,
    refused: AtomicU64,
}

fn about(path: &Path, error: impl Into<Error>) -> Error {
    error.into().context(path.display())
}

impl DiskCache {
    /// Opens the cache in `dir`, which is made where it is missing. Fails where others could write there.
    pub fn open(dir: &Path, max_bytes: u64) -> Result<DiskCache> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|e| about(dir, e))?;
        let meta = fs::symlink_metadata(dir).map_err(|e| about(dir, e))?;
        if !meta.is_dir() {
            return Err(about(dir, Errno::ENOTDIR));
        }
        if meta.uid() != rustix::process::geteuid().as_raw() {
            let text = format!("{}: the cache directory belongs to another user", dir.display());
            return Err(Error::new(Errno::EACCES, text));
        }
        if meta.mode() & 0o077 != 0 {
            let mode = meta.mode() & 0o777;
            let text =
                format!("{}: the cache directory is open to others (mode {mode:o}, not 700)", dir.display());
            return Err(Error::new(Errno::EACCES, text));
        }
        let secret = secret(&dir.join("key"))?;
        let cache = DiskCache {
            dir: dir.to_owned(),
            secret,
            max_bytes,
            evicting: Mutex::new(()),
            refused: AtomicU64::new(0),
        };
        cache.evict();
        Ok(cache)
    }

    fn path(&self, key: &Key) -> PathBuf {
        self.dir.join(format!("{}.cwasm", key.to_hex()))
    }

    fn mac(&self, key: &Key, content: &[u8]) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_keyed(&self.secret);
        hasher.update(key.as_bytes()).update(content);
        hasher.finalize()
    }

    /// The program compiled from `key`, where there is one and it is what was stored.
    pub fn load(&self, key: &Key, layer: Layer, engine: &Engine) -> Option<Code> {
        let path = self.path(key);
        let bytes = match self.read(&path) {
            Ok(bytes) => bytes?,
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "compiled program not used");
                return self.refuse(&path);
            }
        };
        let Some((mac, content)) = bytes.split_at_checked(MAC) else { return self.refuse(&path) };
        let stored = blake3::Hash::from_bytes(mac.try_into().expect("split at its length"));
        // blake3 compares in constant time.
        if stored != self.mac(key, content) {
            tracing::warn!(path = %path.display(), "compiled program not used: it is not what was stored");
            return self.refuse(&path);
        }
        // SAFETY: the keyed hash says that these bytes are what `store` got from wasmtime, for this key and so of this layer; wasmtime
        // itself refuses those of another version or configuration.
        let code = unsafe {
            match layer {
                Layer::Module => Module::deserialize(engine, content).map(Code::Module),
                Layer::Component => Component::deserialize(engine, content).map(Code::Component),
            }
        };
        match code {
            Ok(code) => Some(code),
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "compiled program not used");
                self.refuse(&path)
            }
        }
    }

    /// Removes what is not to be trusted: it will be written anew.
    fn refuse(&self, path: &Path) -> Option<Code> {
        self.refused.fetch_add(1, Ordering::Relaxed);
        if let Err(error) = fs::remove_file(path) {
            tracing::warn!(path = %path.display(), %error, "cannot remove");
        }
        None
    }

    /// The content of a file that is ours alone to write; none where there is no file.
    fn read(&self, path: &Path) -> Result<Option<Vec<u8>>> {
        let mut file = match open_own(path) {
            Ok(file) => file,
            Err(error) if error.is(Errno::ENOENT) => return Ok(None),
            Err(error) => return Err(error),
        };
        let size = file.metadata()?.len();
        if size > self.max_bytes {
            return Err(Error::new(Errno::EFBIG, format!("{size} bytes, of {} allowed", self.max_bytes)));
        }
        let mut bytes = Vec::with_capacity(size as usize);
        file.read_to_end(&mut bytes)?;
        // What is used stays longest.
        file.set_modified(SystemTime::now())?;
        Ok(Some(bytes))
    }

    /// Stores a program. A cache that cannot be written is slow, not wrong: the error is logged.
    pub fn store(&self, key: &Key, code: &Code) {
        let content = match code {
            Code::Module(module) => module.serialize(),
            Code::Component(component) => component.serialize(),
        };
        let stored = content.map_err(|e| Error::new(Errno::EIO, e.to_string())).and_then(|content| {
            let mac = self.mac(key, &content);
            Ok(self.write(&self.path(key), mac.as_bytes(), &content)?)
        });
        if let Err(error) = stored {
            tracing::warn!(dir = %self.dir.display(), %error, "compiled program not stored");
        }
        self.evict();
    }

    /// Written beside and renamed: nobody sees half of it.
    fn write(&self, path: &Path, mac: &[u8], content: &[u8]) -> io::Result<()> {
        if (MAC + content.len()) as u64 > self.max_bytes {
            return Ok(());
        }
        let mut file = NewFile::create(&self.dir)?;
        file.file.write_all(mac)?;
        file.file.write_all(content)?;
        file.rename(path)
    }

    /// The files, and what each takes.
    fn entries(&self) -> Vec<(SystemTime, u64, PathBuf)> {
        let Ok(dir) = fs::read_dir(&self.dir) else { return Vec::new() };
        dir.flatten()
            .filter(|entry| entry.path().extension().is_some_and(|e| e == "cwasm" || e == "new"))
            .filter_map(|entry| {
                let meta = entry.metadata().ok()?;
                Some((meta.modified().ok()?, meta.len(), entry.path()))
            })
            .collect()
    }

    /// Removes what was not used for longest until the rest fits.
    fn evict(&self) {
        let _one = self.evicting.lock();
        let mut entries = self.entries();
        let mut bytes: u64 = entries.iter().map(|(_, size, _)| size).sum();
        entries.sort();
        for (_, size, path) in entries {
            if bytes <= self.max_bytes {
                break;
            }
            match fs::remove_file(&path) {
                Ok(()) => bytes -= size,
                Err(error) => tracing::warn!(path = %path.display(), %error, "cannot remove"),
            }
        }
    }

    pub fn describe(&self) -> String {
        let entries = self.entries();
        let bytes: u64 = entries.iter().map(|(_, size, _)| size).sum();
        format!(
            "dir {}\nfiles {}\ndiskbytes {bytes}\nmaxdiskbytes {}\nrefused {}\n",
            self.dir.display(),
            entries.len(),
            self.max_bytes,
            self.refused.load(Ordering::Relaxed)
        )
    }
}

/// Opens a regular file that belongs to this user and that nobody else can write.
fn open_own(path: &Path) -> Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    let meta = file.metadata()?;
    if !meta.is_file() {
        return Err(Error::new(Errno::EINVAL, "not a regular file"));
    }
    if meta.uid() != rustix::process::geteuid().as_raw() || meta.mode() & 0o022 != 0 {
        return Err(Error::new(Errno::EACCES, "not this user's alone to write"));
    }
    Ok(file)
}

/// The key of the hashes, made where it is missing. A key that others can read or write is no key: it is an error.
fn secret(path: &Path) -> Result<[u8; blake3::KEY_LEN]> {
    let mut secret = [0; blake3::KEY_LEN];
    loop {
        match open_own(path) {
            Ok(mut file) => {
                if file.metadata()?.mode() & 0o077 != 0 {
                    let text = format!("{}: the key is open to others (not mode 600)", path.display());
                    return Err(Error::new(Errno::EACCES, text));
                }
                file.read_exact(&mut secret).map_err(|e| about(path, e))?;
                return Ok(secret);
            }
            Err(error) if error.is(Errno::ENOENT) => {}
            Err(error) => return Err(about(path, error)),
        }
        getrandom::fill(&mut secret).map_err(|e| Error::new(Errno::EIO, e.to_string()))?;
        let dir = path.parent().unwrap_or(Path::new("."));
        let mut file = NewFile::create(dir).map_err(|e| about(path, e))?;
        file.file.write_all(&secret).map_err(|e| about(path, e))?;
        // Two servers may start at once: the first key stays, and both read it.
        match fs::hard_link(&file.path, path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(about(path, error)),
            _ => {}
        }
    }
}

/// A file under a name that nobody knows, removed unless it is renamed.
struct NewFile {
    file: File,
    path: PathBuf,
}

impl NewFile {
    fn create(dir: &Path) -> io::Result<NewFile> {
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|e| io::Error::other(e.to_string()))?;
        let path = dir.join(format!("{:016x}.new", u64::from_le_bytes(random)));
        let file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        Ok(NewFile { file, path })
    }
    fn rename(self, to: &Path) -> io::Result<()> {
        fs::rename(&self.path, to)
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        // Gone already where it was renamed.
        let _ = fs::remove_file(&self.path);
    }
}
