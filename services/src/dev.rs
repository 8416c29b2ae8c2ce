//! `/dev`: the devices that programs expect, the server's namespace, and what is to be seen of the server's work.
//!
//! ```text
//! /dev/null zero full random urandom
//! /dev/ns       server_ns.rs
//! /dev/watch    what happens to files: watch.rs
//! /dev/metrics  the server's figures, as OpenMetrics text
//! /dev/trace9   the messages of its 9P connections: trace9.rs
//! ```
//!
//! metrics and trace9 are there where the server gives them ([`Observation`]), and are its owner's and the superuser's alone.

use crate::messages::Messages;
use crate::server_ns;
use crate::synth::{Attr, Device, Dir, Show, Text};
use crate::trace9;
use crate::watch;
use std::sync::Arc;
use task::TaskTable;
use vfs::{Caller, Errno, Error, Kind, NodeRef, Op, Result, TreeTag};

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

/// What a server shows of its own work.
#[derive(Clone)]
pub struct Observation {
    /// Makes the text of /dev/metrics.
    pub metrics: Arc<dyn Fn() -> Vec<u8> + Send + Sync>,
    pub messages: Arc<Messages>,
}

struct Metrics(Arc<dyn Fn() -> Vec<u8> + Send + Sync>);

impl Show for Metrics {
    fn show(&self) -> Op<'_, Vec<u8>> {
        Op::ok((self.0)())
    }
    fn check(&self, who: &Caller) -> Result<()> {
        only_from_outside(who, "metrics")
    }
}

/// What one who looks after the server may see and no task: what others do on it.
pub(crate) fn only_from_outside(who: &Caller, what: &str) -> Result<()> {
    match who.task {
        None => Ok(()),
        Some(_) => Err(Error::new(Errno::EACCES, format!("permission denied: {what} is not for tasks"))),
    }
}

/// The root of the tree. What has no end says that it is a device, with Linux's own numbers (mem(4), random(4)), so that tar,
/// cp and grep pass it by; a kernel client opens its own in place of ours then, which gives the same, unless it was mounted
/// nodev. null is a file to everyone: scripts write to it.
pub(crate) fn tree(tag: &TreeTag, table: &Arc<TaskTable>, observation: Option<&Observation>) -> NodeRef {
    let mut entries = devices(tag);
    entries.push(("ns", server_ns::node(Attr::of_server(Kind::File, tag.path(7), 0o644), table.clone())));
    let watch = watch::node(Attr::of_server(Kind::File, tag.path(10), 0o666), table.clone());
    entries.push(("watch", watch));
    if let Some(observation) = observation {
        let owned = |number: u64| Attr::of_server(Kind::File, tag.path(number), 0o400);
        entries.push(("metrics", Text::node(owned(8), Metrics(observation.metrics.clone()))));
        entries.push(("trace9", trace9::node(owned(9), observation.messages.clone())));
    }
    Dir::new(Attr::of_server(Kind::Dir, tag.path(1), 0o555), entries)
}

/// The same for containers: nothing of it tells of the server.
pub(crate) fn tree_inside(tag: &TreeTag) -> NodeRef {
    Dir::new(Attr::of_server(Kind::Dir, tag.path(1), 0o555), devices(tag))
}

fn devices(tag: &TreeTag) -> Vec<(&'static str, NodeRef)> {
    let file = |number: u64| Attr::of_server(Kind::File, tag.path(number), 0o666);
    vec![
        ("null", Device::node(file(2), nothing, swallow)),
        ("zero", Device::node(file(3).device(1, 5), zeros, swallow)),
        ("full", Device::node(file(4).device(1, 7), zeros, no_space)),
        ("random", Device::node(file(5).device(1, 8), noise, swallow)),
        ("urandom", Device::node(file(6).device(1, 9), noise, swallow)),
    ]
}
