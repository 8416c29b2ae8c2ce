//! stat(2) for node:fs, with nanoseconds: Deno's own has milliseconds.
//!
//! What it says comes in the order in which Node's `Stats` takes it: dev, mode, nlink, uid, gid, rdev, blksize, ino, size, blocks,
//! and the times of access, of change of the data and of the attributes, and of birth. As numbers (f64) the times are milliseconds,
//! as whole ones (i64) nanoseconds.

use crate::files::{Follow, Meta, OpenFile, Tree};
use crate::link::now;
use deno_core::{OpState, op2};
use deno_error::JsErrorBox;
use std::cell::RefCell;
use std::io;
use std::path::Path;
use std::rc::Rc;

fn follow(links: bool) -> Follow {
    if links { Follow::Yes } else { Follow::No }
}

fn open_file(state: &OpState, fd: i32) -> io::Result<Rc<OpenFile>> {
    let file = state.borrow::<deno_io::FdTable>().get(fd).and_then(OpenFile::of_denos);
    file.ok_or_else(|| io::Error::from_raw_os_error(libc::EBADF))
}

/// Fills in what it is; 0, or the errno.
fn told<T: Copy, const N: usize>(out: &mut [T], meta: io::Result<Meta>, say: fn(&Meta) -> [T; N]) -> i32 {
    match meta {
        Ok(meta) => {
            out.copy_from_slice(&say(&meta));
            0
        }
        Err(error) => error.raw_os_error().unwrap_or(libc::EIO),
    }
}

#[op2(fast)]
pub fn op_stat_now(state: &mut OpState, #[string] path: &str, links: bool, #[buffer] out: &mut [f64]) -> i32 {
    let tree = state.borrow::<Tree>().clone();
    told(out, now(tree.stat(Path::new(path), follow(links))), Meta::figures)
}

#[op2(fast)]
pub fn op_fstat_now(state: &mut OpState, #[smi] fd: i32, #[buffer] out: &mut [f64]) -> i32 {
    told(out, open_file(state, fd).and_then(|file| now(file.meta())), Meta::figures)
}

/// The whole numbers in the machine's order.
fn bytes(meta: &Meta) -> [u8; 14 * 8] {
    let mut bytes = [0; 14 * 8];
    for (into, number) in bytes.chunks_mut(8).zip(meta.whole_figures()) {
        into.copy_from_slice(&number.to_ne_bytes());
    }
    bytes
}

#[op2(fast)]
pub fn op_stat_exactly(
    state: &mut OpState,
    #[string] path: &str,
    links: bool,
    #[buffer] out: &mut [u8],
) -> i32 {
    let tree = state.borrow::<Tree>().clone();
    told(out, now(tree.stat(Path::new(path), follow(links))), bytes)
}

#[op2(fast)]
pub fn op_fstat_exactly(state: &mut OpState, #[smi] fd: i32, #[buffer] out: &mut [u8]) -> i32 {
    told(out, open_file(state, fd).and_then(|file| now(file.meta())), bytes)
}

fn said(meta: io::Result<Meta>, exactly: bool) -> Result<Vec<u8>, JsErrorBox> {
    let meta = meta.map_err(JsErrorBox::from_err)?;
    if exactly {
        return Ok(bytes(&meta).to_vec());
    }
    Ok(meta.figures().iter().flat_map(|figure| figure.to_ne_bytes()).collect())
}

#[op2]
#[buffer]
pub async fn op_stat(
    state: Rc<RefCell<OpState>>,
    #[string] path: String,
    links: bool,
    exactly: bool,
) -> Result<Vec<u8>, JsErrorBox> {
    let tree = state.borrow().borrow::<Tree>().clone();
    said(tree.stat(Path::new(&path), follow(links)).await, exactly)
}

#[op2]
#[buffer]
pub async fn op_fstat(
    state: Rc<RefCell<OpState>>,
    #[smi] fd: i32,
    exactly: bool,
) -> Result<Vec<u8>, JsErrorBox> {
    let file = open_file(&state.borrow(), fd).map_err(JsErrorBox::from_err)?;
    said(file.meta().await, exactly)
}
