//! `/bin`: the programs that the runtimes bring along, a file of one line each: `#!taskfs sh ls`.

use crate::synth::{Attr, Dir, Show, Text};
use task::Registry;
use vfs::{Kind, NodeRef, Op, TreeTag};

struct Program(Vec<u8>);

impl Show for Program {
    fn show(&self) -> Op<'_, Vec<u8>> {
        Op::ok(self.0.clone())
    }
}

pub(crate) fn tree(tag: &TreeTag, registry: &Registry) -> NodeRef {
    let programs = registry.iter().flat_map(|runtime| runtime.programs());
    let entries = programs.enumerate().map(|(index, (name, text))| {
        let attr = Attr::of_server(Kind::File, tag.path(index as u64 + 2), 0o555);
        (name, Text::node(attr, Program(text)))
    });
    Dir::new(Attr::of_server(Kind::Dir, tag.path(1), 0o555), entries.collect())
}
