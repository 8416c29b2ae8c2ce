//! `/dev`: the devices that programs expect, and the server's namespace.
//!
//! ```text
//! /dev/null zero full random urandom
//! /dev/ns     server_ns.rs
//! ```

use crate::server_ns;
use crate::synth::{Attr, Device, Dir};
use std::sync::Arc;
use task::TaskTable;
use vfs::{Errno, Kind, NodeRef, Result, TreeTag};

fn nothing(_buf: &mut [u8]) -> Result<usize> {
    Ok(0)
}
fn zeros(buf: &mut [u8]) -> Result<usize> {
    buf.fill(0);
    Ok(buf.len())
}
fn noise(buf: &mut [u8]) -> Result<usize> {
    // Large requests are cut: a reader is not to keep others waiting.
    let count = buf.len().min(64 << 10);
    getrandom::fill(&mut buf[..count]).map_err(|_| Errno::EIO)?;
    Ok(count)
}
fn swallow(data: &[u8]) -> Result<usize> {
    Ok(data.len())
}
fn no_space(_data: &[u8]) -> Result<usize> {
    Errno::ENOSPC.into()
}

/// The root of the tree. Its files are regular ones to clients: a kernel would open its own device in place of ours.
pub(crate) fn tree(tag: &TreeTag, table: &Arc<TaskTable>) -> NodeRef {
    let file = |number: u64| Attr::of_server(Kind::File, tag.path(number), 0o666);
    Dir::new(
        Attr::of_server(Kind::Dir, tag.path(1), 0o555),
        vec![
            ("null", Device::new(file(2), nothing, swallow)),
            ("zero", Device::new(file(3), zeros, swallow)),
            ("full", Device::new(file(4), zeros, no_space)),
            ("random", Device::new(file(5), noise, swallow)),
            ("urandom", Device::new(file(6), noise, swallow)),
            ("ns", server_ns::node(Attr::of_server(Kind::File, tag.path(7), 0o644), table.clone())),
        ],
    )
}
