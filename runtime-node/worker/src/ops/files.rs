//! Calls of node:fs that Deno makes of several operations, or has none for: each is one here, and one round trip.

use crate::files::{Follow, Opening, Tree};
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

/// What stat(2) says, in the order in which Node's `Stats` takes it; 0, or the errno.
#[op2(fast)]
pub fn op_stat_now(
    state: &mut OpState,
    #[string] path: &str,
    follow: bool,
    #[buffer] out: &mut [f64],
) -> i32 {
    let tree = state.borrow::<Tree>().clone();
    match now(tree.stat(Path::new(path), if follow { Follow::Yes } else { Follow::No })) {
        Ok(meta) => {
            out.copy_from_slice(&meta.figures());
            0
        }
        Err(error) => error.raw_os_error().unwrap_or(libc::EIO),
    }
}
