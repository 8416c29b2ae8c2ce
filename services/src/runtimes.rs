//! `/runtime`: what this server can run.
//!
//! ```text
//! /runtime/<name>/version        a line
//!                 capabilities   `name value` lines: what it runs, which limits it enforces, how it isolates
//!                 stats cache    `name value` lines, live
//! ```

use crate::synth::{Attr, Dir, Text};
use std::sync::Arc;
use task::{Registry, Runtime};
use vfs::{Kind, NodeRef, TreeTag};

/// Numbers of one runtime's directory: itself and its files.
const NUMBERS: u64 = 16;

pub(crate) fn tree(tag: &TreeTag, registry: &Registry) -> NodeRef {
    let entries = registry.iter().enumerate().map(|(index, runtime)| {
        let first = NUMBERS * (index as u64 + 1);
        (runtime.name(), directory(tag, first, runtime.clone()))
    });
    Dir::new(Attr::of_server(Kind::Dir, tag.path(1), 0o555), entries.collect())
}

fn directory(tag: &TreeTag, first: u64, runtime: Arc<dyn Runtime>) -> NodeRef {
    let text = |number: u64, show: fn(&dyn Runtime) -> String| -> NodeRef {
        let runtime = runtime.clone();
        let attr = Attr::of_server(Kind::File, tag.path(first + number), 0o444);
        Text::new(attr, move || show(&*runtime).into_bytes())
    };
    Dir::new(
        Attr::of_server(Kind::Dir, tag.path(first), 0o555),
        vec![
            ("version", text(1, |r| format!("{}\n", r.version()))),
            ("capabilities", text(2, capabilities)),
            ("stats", text(3, |r| r.stats())),
            ("cache", text(4, |r| r.cache())),
        ],
    )
}

fn capabilities(runtime: &dyn Runtime) -> String {
    runtime.capabilities().iter().map(|c| format!("{} {}\n", c.name, c.value)).collect()
}
