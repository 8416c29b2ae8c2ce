//! `/runtime`: what this server can run.
//!
//! ```text
//! /runtime/<name>/version        a line
//!                 capabilities   `name value` lines: what it runs, which limits it enforces, how it isolates
//!                 stats cache    `name value` lines, live
//! ```

use crate::synth::{Attr, Dir, Show, Text};
use std::sync::Arc;
use task::{Registry, Runtime};
use vfs::{Kind, NodeRef, Op, TreeTag};

/// Numbers of one runtime's directory: itself and its files.
const NUMBERS: u64 = 16;

pub(crate) fn tree(tag: &TreeTag, registry: &Registry) -> NodeRef {
    let entries = registry.iter().enumerate().map(|(index, runtime)| {
        let first = NUMBERS * (index as u64 + 1);
        (runtime.name(), directory(tag, first, runtime.clone()))
    });
    Dir::new(Attr::of_server(Kind::Dir, tag.path(1), 0o555), entries.collect())
}

/// Something that a runtime tells of itself.
struct Fact {
    runtime: Arc<dyn Runtime>,
    show: fn(&dyn Runtime) -> String,
}

impl Show for Fact {
    fn show(&self) -> Op<'_, Vec<u8>> {
        Op::ok((self.show)(&*self.runtime).into_bytes())
    }
}

fn directory(tag: &TreeTag, first: u64, runtime: Arc<dyn Runtime>) -> NodeRef {
    let text = |number: u64, show: fn(&dyn Runtime) -> String| -> NodeRef {
        let attr = Attr::of_server(Kind::File, tag.path(first + number), 0o444);
        Text::node(attr, Fact { runtime: runtime.clone(), show })
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
