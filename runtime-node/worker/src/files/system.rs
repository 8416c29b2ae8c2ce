//! Deno's `FileSystem` over the tree.

use super::attr::Change;
use super::list::Entry;
use super::walk::Follow;
use super::{Opening, Tree};
use crate::link::now;
use deno_fs::{FileSystem, FsDirEntry, FsFileType, FsReadDir, FsReadDirRc, OpenOptions};
use deno_io::fs::{File, FsResult, FsStat, FsStatFs};
use deno_permissions::{CheckedPath, CheckedPathBuf};
use nine::wire::DirEntryKind;
use std::borrow::Cow;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::{Arc, Mutex};

impl From<Entry> for FsDirEntry {
    fn from(entry: Entry) -> Self {
        FsDirEntry {
            name: entry.name.to_string_lossy().into_owned(),
            is_file: entry.kind == DirEntryKind::REGULAR,
            is_directory: entry.kind == DirEntryKind::DIRECTORY,
            is_symlink: entry.kind == DirEntryKind::SYMLINK,
        }
    }
}

/// A directory that was read as a whole.
#[derive(Debug)]
struct Listed(Mutex<std::vec::IntoIter<Entry>>);

#[async_trait::async_trait(?Send)]
impl FsReadDir for Listed {
    async fn next(&self) -> FsResult<Option<FsDirEntry>> {
        Ok(self.0.lock().expect("no holder of the lock panics").next().map(FsDirEntry::from))
    }
}

/// Pairs of a blocked and a waiting method of the trait, which are one operation of the tree.
macro_rules! file_system {
    ($($sync:ident $waiting:ident($($arg:ident: $blocked:ty | $owned:ty),*) -> $output:ty
        = |$tree:ident| $operation:expr;)*) => {
    #[async_trait::async_trait(?Send)]
    impl FileSystem for Tree {
        fn cwd(&self) -> FsResult<PathBuf> {
            Ok(Tree::cwd(self))
        }

        fn tmp_dir(&self) -> FsResult<PathBuf> {
            Ok(Tree::tmp_dir(self).to_path_buf())
        }

        fn chdir(&self, path: &CheckedPath) -> FsResult<()> {
            Ok(now(Tree::chdir(self, path))?)
        }

        fn umask(&self, mask: Option<u32>) -> FsResult<u32> {
            Ok(Tree::umask(self, mask))
        }

        fn exists_sync(&self, path: &CheckedPath) -> bool {
            now(Tree::exists(self, path))
        }

        async fn exists_async(&self, path: CheckedPathBuf) -> FsResult<bool> {
            Ok(Tree::exists(self, &path).await)
        }

        async fn open_async<'a>(&'a self, path: CheckedPathBuf, options: OpenOptions) -> FsResult<Rc<dyn File>> {
            Ok(Tree::open(self, &path, options.into()).await?.into_denos())
        }

        fn open_sync(&self, path: &CheckedPath, options: OpenOptions) -> FsResult<Rc<dyn File>> {
            Ok(now(Tree::open(self, path, options.into()))?.into_denos())
        }

        fn read_dir_sync(&self, path: &CheckedPath) -> FsResult<Vec<FsDirEntry>> {
            Ok(now(self.list(path))?.into_iter().map(FsDirEntry::from).collect())
        }

        async fn read_dir_async(&self, path: CheckedPathBuf) -> FsResult<FsReadDirRc> {
            Ok(Arc::new(Listed(Mutex::new(self.list(&path).await?.into_iter()))))
        }

        fn write_file_sync(&self, path: &CheckedPath, options: OpenOptions, data: &[u8]) -> FsResult<()> {
            Ok(now(Tree::write_file(self, path, options.into(), data))?)
        }

        async fn write_file_async<'a>(
            &'a self,
            path: CheckedPathBuf,
            options: OpenOptions,
            data: Box<[u8]>,
        ) -> FsResult<()> {
            Ok(Tree::write_file(self, &path, options.into(), &data).await?)
        }

        fn read_file_sync(&self, path: &CheckedPath, options: OpenOptions) -> FsResult<Cow<'static, [u8]>> {
            Ok(now(read(self, path, options.into()))?.into())
        }

        async fn read_file_async<'a>(
            &'a self,
            path: CheckedPathBuf,
            options: OpenOptions,
        ) -> FsResult<Cow<'static, [u8]>> {
            Ok(read(self, &path, options.into()).await?.into())
        }

        $(
            fn $sync(&self, $($arg: $blocked),*) -> FsResult<$output> {
                let $tree = self;
                $(let $arg = &$arg;)*
                Ok(now(async { $operation.await })?)
            }

            async fn $waiting(&self, $($arg: $owned),*) -> FsResult<$output> {
                let $tree = self;
                $(let $arg = &$arg;)*
                Ok($operation.await?)
            }
        )*
    }
    };
}

/// A whole file; what is not simply reading goes through an open file.
async fn read(tree: &Tree, path: &std::path::Path, how: Opening) -> std::io::Result<Vec<u8>> {
    if how.flags.is_empty() {
        return tree.read_file_there(path).await;
    }
    let file = tree.open(path, how).await?;
    let mut data = Vec::new();
    file.read_to_end(0, &mut data).await?;
    Ok(data)
}

file_system! {
    mkdir_sync mkdir_async(path: &CheckedPath | CheckedPathBuf, recursive: bool | bool, mode: Option<u32> | Option<u32>) -> () = |tree| async {
        let mode = mode.unwrap_or(0o777);
        if *recursive { tree.mkdir_all(path, mode).await.map(drop) } else { tree.mkdir(path, mode).await }
    };
    chmod_sync chmod_async(path: &CheckedPath | CheckedPathBuf, mode: u32 | u32) -> () = |tree| tree.set(path, Follow::Yes, Change::mode(*mode));
    lchmod_sync lchmod_async(path: &CheckedPath | CheckedPathBuf, mode: u32 | u32) -> () = |tree| tree.set(path, Follow::No, Change::mode(*mode));
    chown_sync chown_async(path: &CheckedPath | CheckedPathBuf, uid: Option<u32> | Option<u32>, gid: Option<u32> | Option<u32>) -> () = |tree| tree.set(path, Follow::Yes, Change::owner(*uid, *gid));
    lchown_sync lchown_async(path: &CheckedPath | CheckedPathBuf, uid: Option<u32> | Option<u32>, gid: Option<u32> | Option<u32>) -> () = |tree| tree.set(path, Follow::No, Change::owner(*uid, *gid));
    remove_sync remove_async(path: &CheckedPath | CheckedPathBuf, recursive: bool | bool) -> () = |tree| tree.remove(path, *recursive);
    copy_file_sync copy_file_async(from: &CheckedPath | CheckedPathBuf, to: &CheckedPath | CheckedPathBuf) -> () = |tree| tree.copy_file(from, to);
    cp_sync cp_async(from: &CheckedPath | CheckedPathBuf, to: &CheckedPath | CheckedPathBuf) -> () = |tree| tree.copy_all(from, to);
    stat_sync stat_async(path: &CheckedPath | CheckedPathBuf) -> FsStat = |tree| async { Ok::<_, std::io::Error>(tree.stat(path, Follow::Yes).await?.stat()) };
    lstat_sync lstat_async(path: &CheckedPath | CheckedPathBuf) -> FsStat = |tree| async { Ok::<_, std::io::Error>(tree.stat(path, Follow::No).await?.stat()) };
    statfs_sync statfs_async(path: &CheckedPath | CheckedPathBuf, _bigint: bool | bool) -> FsStatFs = |tree| tree.statfs(path);
    realpath_sync realpath_async(path: &CheckedPath | CheckedPathBuf) -> PathBuf = |tree| tree.real_path(path);
    rename_sync rename_async(from: &CheckedPath | CheckedPathBuf, to: &CheckedPath | CheckedPathBuf) -> () = |tree| tree.rename(from, to);
    rmdir_sync rmdir_async(path: &CheckedPath | CheckedPathBuf) -> () = |tree| tree.rmdir(path);
    link_sync link_async(from: &CheckedPath | CheckedPathBuf, to: &CheckedPath | CheckedPathBuf) -> () = |tree| tree.link_file(from, to);
    symlink_sync symlink_async(target: &CheckedPath | CheckedPathBuf, path: &CheckedPath | CheckedPathBuf, _kind: Option<FsFileType> | Option<FsFileType>) -> () = |tree| tree.symlink(target, path);
    read_link_sync read_link_async(path: &CheckedPath | CheckedPathBuf) -> PathBuf = |tree| tree.read_link(path);
    truncate_sync truncate_async(path: &CheckedPath | CheckedPathBuf, len: u64 | u64) -> () = |tree| tree.truncate(path, *len);
    utime_sync utime_async(path: &CheckedPath | CheckedPathBuf, atime: i64 | i64, atime_nanos: u32 | u32, mtime: i64 | i64, mtime_nanos: u32 | u32) -> () = |tree| tree.set(path, Follow::Yes, Change::times((*atime, *atime_nanos), (*mtime, *mtime_nanos)));
    lutime_sync lutime_async(path: &CheckedPath | CheckedPathBuf, atime: i64 | i64, atime_nanos: u32 | u32, mtime: i64 | i64, mtime_nanos: u32 | u32) -> () = |tree| tree.set(path, Follow::No, Change::times((*atime, *atime_nanos), (*mtime, *mtime_nanos)));
}
