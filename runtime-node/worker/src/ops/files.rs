//! Calls of node:fs that Deno makes of several operations, or has none for: each is one here, and one round trip.

use crate::files::{Opening, Tree};
use crate::link::now;
use deno_core::{JsBuffer, OpState, op2};
use deno_error::JsErrorBox;
use std::cell::RefCell;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

fn tree(state: &Rc<RefCell<OpState>>) -> Tree {
    state.borrow().borrow::<Tree>().clone()
}

/// unlink(2): Deno's `remove` takes directories too.
#[op2(fast)]
pub fn op_unlink_sync(state: &mut OpState, #[string] path: &str) -> Result<(), JsErrorBox> {
    let tree = state.borrow::<Tree>().clone();
    now(tree.unlink(Path::new(path))).map_err(JsErrorBox::from_err)
}

#[op2]
pub async fn op_unlink(state: Rc<RefCell<OpState>>, #[string] path: String) -> Result<(), JsErrorBox> {
    tree(&state).unlink(Path::new(&path)).await.map_err(JsErrorBox::from_err)
}

/// Whether the file was opened and written; where it was not opened, nothing was done, and open says why.
fn written(result: io::Result<io::Result<()>>) -> Result<bool, JsErrorBox> {
    match result {
        Ok(written) => written.map(|()| true).map_err(JsErrorBox::from_err),
        Err(_) => Ok(false),
    }
}

#[op2(fast)]
pub fn op_write_file_sync(
    state: &mut OpState,
    #[string] path: &str,
    #[smi] flags: i32,
    #[smi] mode: u32,
    #[buffer] data: &[u8],
) -> Result<bool, JsErrorBox> {
    let Some(how) = Opening::to_write(flags, mode) else { return Ok(false) };
    let tree = state.borrow::<Tree>().clone();
    written(now(tree.create_and_write(Path::new(path), how, data)))
}

#[op2]
pub async fn op_write_file(
    state: Rc<RefCell<OpState>>,
    #[string] path: String,
    #[smi] flags: i32,
    #[smi] mode: u32,
    #[buffer] data: JsBuffer,
) -> Result<bool, JsErrorBox> {
    let Some(how) = Opening::to_write(flags, mode) else { return Ok(false) };
    written(tree(&state).create_and_write(Path::new(&path), how, &data).await)
}

/// mkdir -p; the first directory that was made.
#[op2]
#[string]
pub fn op_mkdir_all_sync(
    state: &mut OpState,
    #[string] path: &str,
    #[smi] mode: u32,
) -> Result<Option<String>, JsErrorBox> {
    let tree = state.borrow::<Tree>().clone();
    shown(now(tree.mkdir_all(Path::new(path), mode)))
}

#[op2]
#[string]
pub async fn op_mkdir_all(
    state: Rc<RefCell<OpState>>,
    #[string] path: String,
    #[smi] mode: u32,
) -> Result<Option<String>, JsErrorBox> {
    shown(tree(&state).mkdir_all(Path::new(&path), mode).await)
}

fn shown(made: io::Result<Option<PathBuf>>) -> Result<Option<String>, JsErrorBox> {
    let made = made.map_err(JsErrorBox::from_err)?;
    Ok(made.map(|path| path.to_string_lossy().into_owned()))
}

/// mkdir(2), with the sticky bit, which Deno's leaves out.
#[op2]
pub fn op_mkdir_sync(
    state: &mut OpState,
    #[string] path: &str,
    recursive: bool,
    mode: Option<u32>,
) -> Result<(), JsErrorBox> {
    let tree = state.borrow::<Tree>().clone();
    now(made(&tree, path, recursive, mode))
}

#[op2]
pub async fn op_mkdir(
    state: Rc<RefCell<OpState>>,
    #[string] path: String,
    recursive: bool,
    mode: Option<u32>,
) -> Result<(), JsErrorBox> {
    made(&tree(&state), &path, recursive, mode).await
}

async fn made(tree: &Tree, path: &str, recursive: bool, mode: Option<u32>) -> Result<(), JsErrorBox> {
    let (path, mode) = (Path::new(path), mode.unwrap_or(0o777));
    let made =
        if recursive { tree.mkdir_all(path, mode).await.map(drop) } else { tree.mkdir(path, mode).await };
    made.map_err(JsErrorBox::from_err)
}

/// All of `data` to an open file: at `position`, or below 0 where it is. Without data, too, only a file that is open to
/// write takes it.
fn write(state: &OpState, fd: i32, data: &[u8], position: i64) -> io::Result<u32> {
    let file = state.borrow::<deno_io::FdTable>().get(fd).cloned();
    let file = file.ok_or_else(|| io::Error::from_raw_os_error(libc::EBADF))?;
    let mut done = 0;
    loop {
        let left = &data[done..];
        let written = match u64::try_from(position) {
            Ok(position) => file.clone().write_at_sync(left, position + done as u64),
            Err(_) => file.clone().write_sync(left),
        };
        done += written.map_err(deno_io::fs::FsError::into_io_error)?;
        if done == data.len() {
            return Ok(done as u32);
        }
    }
}

#[op2(fast)]
#[smi]
pub fn op_fs_write_sync(
    state: &mut OpState,
    fd: i32,
    #[buffer] data: &[u8],
    #[number] position: i64,
) -> Result<u32, JsErrorBox> {
    write(state, fd, data, position).map_err(JsErrorBox::from_err)
}

/// Done at once; told in the loop's next turn.
#[op2(async(deferred))]
#[smi]
pub async fn op_fs_write_deferred(
    state: Rc<RefCell<OpState>>,
    fd: i32,
    #[buffer] data: JsBuffer,
    #[number] position: i64,
) -> Result<u32, JsErrorBox> {
    write(&state.borrow(), fd, &data, position).map_err(JsErrorBox::from_err)
}
