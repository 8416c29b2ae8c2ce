//! `/lib/node`: Node's packages that come with the server, in the places where a Node that is installed has them.
//!
//! ```text
//! /lib/node/lib/node_modules/npm   npm as its package has it
//!                      └─ npmrc    what npm does here unless a project, a user or the environment says otherwise
//! ```

use crate::synth::{Attr, Dir, Show, Text};
use vfs::{Kind, NodeRef, Op, TreeTag};

/// npm, as a server has it.
#[derive(Clone, Default)]
pub struct Npm {
    /// The files of its package.
    pub files: Vec<(&'static str, NodeRef)>,
    /// Its built-in settings.
    pub settings: String,
}

struct Settings(String);

impl Show for Settings {
    fn show(&self) -> Op<'_, Vec<u8>> {
        Op::ok(self.0.clone().into_bytes())
    }
}

/// `#lib`, with npm in node/lib/node_modules where there is one.
pub(crate) fn tree(tag: &TreeTag, npm: &Npm) -> NodeRef {
    let mut entries: Vec<(&'static str, NodeRef)> = Vec::new();
    if !npm.files.is_empty() {
        let mut files = npm.files.clone();
        let settings = Attr::of_server(Kind::File, tag.path(6), 0o444);
        files.push(("npmrc", Text::node(settings, Settings(npm.settings.clone()))));
        entries.push(("npm", Dir::shown_once(Attr::of_server(Kind::Dir, tag.path(5), 0o555), files)));
    }
    for (number, name) in [(4, "node_modules"), (3, "lib"), (2, "node")] {
        let dir: NodeRef = Dir::new(Attr::of_server(Kind::Dir, tag.path(number), 0o555), entries);
        entries = vec![(name, dir)];
    }
    Dir::new(Attr::of_server(Kind::Dir, tag.path(1), 0o555), entries)
}
