//! `/lib/node`: Node's packages that come with the server, in the places where a Node that is installed has them.

use crate::synth::{Attr, Dir};
use vfs::{Kind, NodeRef, TreeTag};

/// `#lib`, with `packages` in node/lib/node_modules.
pub(crate) fn tree(tag: &TreeTag, packages: &[(&'static str, NodeRef)]) -> NodeRef {
    let mut entries = packages.to_vec();
    for (number, name) in [(4, "node_modules"), (3, "lib"), (2, "node")] {
        let dir: NodeRef = Dir::new(Attr::of_server(Kind::Dir, tag.path(number), 0o555), entries);
        entries = vec![(name, dir)];
    }
    Dir::new(Attr::of_server(Kind::Dir, tag.path(1), 0o555), entries)
}
