//! The traits of crate `sys_traits` over the tree: what module resolution looks at files with.

use super::list::Entry;
use super::walk::Follow;
use super::{Meta, OpenFile, Opening, Tree, attr};
use crate::link::now;
use deno_fs::OpenOptions;
use nine::wire::{DirEntryKind, Mode};
use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use sys_traits::boxed::BoxedFsMetadataValue;
use sys_traits::*;

macro_rules! values {
    ($($name:ident: $type:ty = |$attr:ident| $value:expr;)*) => {
        $(fn $name(&self) -> io::Result<$type> {
            let $attr = &self.0;
            Ok($value)
        })*
    };
}

fn kind_of(bits: u32) -> FileType {
    match bits {
        Mode::DIRECTORY => FileType::Dir,
        Mode::REGULAR => FileType::File,
        Mode::SYMLINK => FileType::Symlink,
        _ => FileType::Unknown,
    }
}

impl FsMetadataValue for Meta {
    fn file_type(&self) -> FileType {
        kind_of(self.kind())
    }

    fn len(&self) -> u64 {
        self.0.size
    }

    values! {
        accessed: SystemTime = |attr| attr::system_time(attr.atime);
        modified: SystemTime = |attr| attr::system_time(attr.mtime);
        changed: SystemTime = |attr| attr::system_time(attr.ctime);
        created: SystemTime = |attr| attr::system_time(attr.btime);
        dev: u64 = |_attr| 1;
        ino: u64 = |attr| attr.qid.path;
        mode: u32 = |attr| attr.mode.0;
        nlink: u64 = |attr| attr.nlink;
        uid: u32 = |attr| attr.uid.0;
        gid: u32 = |attr| attr.gid.0;
        rdev: u64 = |attr| attr.rdev;
        blksize: u64 = |attr| attr.blksize;
        blocks: u64 = |attr| attr.blocks;
        is_block_device: bool = |attr| attr.mode.kind() == Mode::BLOCK;
        is_char_device: bool = |attr| attr.mode.kind() == Mode::CHARACTER;
        is_fifo: bool = |attr| attr.mode.kind() == Mode::FIFO;
        is_socket: bool = |attr| attr.mode.kind() == Mode::SOCKET;
        file_attributes: u32 = |_attr| 0;
    }
}

/// A name of a directory, and where to ask for more about it.
#[derive(Debug)]
pub struct Listed {
    tree: Tree,
    path: PathBuf,
    name: OsString,
    kind: DirEntryKind,
}

impl FsDirEntry for Listed {
    type Metadata = Meta;

    fn file_name(&self) -> Cow<'_, OsStr> {
        Cow::Borrowed(&self.name)
    }

    fn file_type(&self) -> io::Result<FileType> {
        Ok(kind_of(u32::from(self.kind.0) << 12))
    }

    fn metadata(&self) -> io::Result<Meta> {
        now(self.tree.stat(&self.path, Follow::No))
    }

    fn path(&self) -> Cow<'_, Path> {
        Cow::Borrowed(&self.path)
    }
}

impl BaseFsCanonicalize for Tree {
    fn base_fs_canonicalize(&self, path: &Path) -> io::Result<PathBuf> {
        now(self.real_path(path))
    }
}

impl BaseFsMetadata for Tree {
    type Metadata = Meta;

    fn base_fs_metadata(&self, path: &Path) -> io::Result<Meta> {
        now(self.stat(path, Follow::Yes))
    }

    fn base_fs_symlink_metadata(&self, path: &Path) -> io::Result<Meta> {
        now(self.stat(path, Follow::No))
    }
}

impl BaseFsRead for Tree {
    fn base_fs_read(&self, path: &Path) -> io::Result<Cow<'static, [u8]>> {
        Ok(now(self.read_file(path))?.into())
    }
}

impl BaseFsReadDir for Tree {
    type ReadDirEntry = Listed;

    fn base_fs_read_dir(&self, path: &Path) -> io::Result<Box<dyn Iterator<Item = io::Result<Listed>>>> {
        let entries = now(self.list(path))?;
        let (tree, dir) = (self.clone(), path.to_path_buf());
        Ok(Box::new(entries.into_iter().map(move |Entry { name, kind }| {
            Ok(Listed { tree: tree.clone(), path: dir.join(&name), name, kind })
        })))
    }
}

impl EnvCurrentDir for Tree {
    fn env_current_dir(&self) -> io::Result<PathBuf> {
        Ok(self.cwd())
    }
}

impl BaseEnvVar for Tree {
    fn base_env_var_os(&self, name: &OsStr) -> Option<OsString> {
        std::env::var_os(name)
    }
}

impl EnvHomeDir for Tree {
    fn env_home_dir(&self) -> Option<PathBuf> {
        std::env::var_os("HOME").map(PathBuf::from)
    }
}

impl BaseFsOpen for Tree {
    type File = Stream;

    fn base_fs_open(&self, path: &Path, options: &sys_traits::OpenOptions) -> io::Result<Stream> {
        let options = OpenOptions {
            read: options.read,
            write: options.write,
            create: options.create,
            truncate: options.truncate,
            append: options.append,
            create_new: options.create_new,
            custom_flags: options.custom_flags,
            mode: options.mode,
        };
        let file = now(self.open(path, Opening::from(options)))?;
        Ok(Stream { file, at: 0 })
    }
}

/// An open file as `std::io` sees one.
pub struct Stream {
    file: OpenFile,
    at: u64,
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream").field("at", &self.at).finish_non_exhaustive()
    }
}

impl io::Read for Stream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = now(self.file.read_at(self.at, buf))?;
        self.at += n as u64;
        Ok(n)
    }
}

impl io::Write for Stream {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let n = now(self.file.write_at(self.at, buf))?;
        self.at += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl io::Seek for Stream {
    fn seek(&mut self, to: io::SeekFrom) -> io::Result<u64> {
        let (base, by) = match to {
            io::SeekFrom::Start(at) => (0, at as i64),
            io::SeekFrom::Current(by) => (self.at as i64, by),
            io::SeekFrom::End(by) => (now(self.file.meta())?.0.size as i64, by),
        };
        let at = base.checked_add(by).filter(|at| *at >= 0).ok_or(io::ErrorKind::InvalidInput)?;
        self.at = at as u64;
        Ok(self.at)
    }
}

impl FsFile for Stream {}

impl FsFileAsRaw for Stream {
    fn fs_file_as_raw_fd(&self) -> Option<std::os::fd::RawFd> {
        None
    }
}

impl FsFileIsTerminal for Stream {
    fn fs_file_is_terminal(&self) -> bool {
        false
    }
}

impl FsFileMetadata for Stream {
    fn fs_file_metadata(&self) -> io::Result<BoxedFsMetadataValue> {
        Ok(BoxedFsMetadataValue::new(now(self.file.meta())?))
    }
}

impl FsFileSetLen for Stream {
    fn fs_file_set_len(&mut self, size: u64) -> io::Result<()> {
        now(self.file.set(attr::Change::size(size)))
    }
}

impl FsFileSetPermissions for Stream {
    fn fs_file_set_permissions(&mut self, mode: u32) -> io::Result<()> {
        now(self.file.set(attr::Change::mode(mode)))
    }
}

impl FsFileSyncAll for Stream {
    fn fs_file_sync_all(&mut self) -> io::Result<()> {
        now(self.file.fsync(nine::wire::FsyncKind::empty()))
    }
}

impl FsFileSyncData for Stream {
    fn fs_file_sync_data(&mut self) -> io::Result<()> {
        now(self.file.fsync(nine::wire::FsyncKind::DATA_ONLY))
    }
}

impl FsFileSetTimes for Stream {
    fn fs_file_set_times(&mut self, _: FsFileTimes) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

impl FsFileLock for Stream {
    fn fs_file_lock(&mut self, mode: FsFileLockMode) -> io::Result<()> {
        let exclusive = matches!(mode, FsFileLockMode::Exclusive);
        now(self.file.lock_for(exclusive, nine::wire::LockFlags::BLOCK)).map(drop)
    }

    fn fs_file_try_lock(&mut self, mode: FsFileLockMode) -> io::Result<()> {
        let exclusive = matches!(mode, FsFileLockMode::Exclusive);
        match now(self.file.lock_for(exclusive, nine::wire::LockFlags::empty()))? {
            true => Ok(()),
            false => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    fn fs_file_unlock(&mut self) -> io::Result<()> {
        now(self.file.lock(nine::wire::LockKind::UNLOCK, nine::wire::LockFlags::empty())).map(drop)
    }
}
