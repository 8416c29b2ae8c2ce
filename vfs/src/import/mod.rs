//! Another 9P server's files as a tree: what `taskfs mount` shows where the kernel has no 9P client of its own.
//!
//! Every operation is a request to the server and so an [`Op::Later`]; dropping it flushes the request (flush(5)), so a read
//! of a file that blocks over there holds no thread here and can be cancelled. The server decides on permissions: all is
//! done in the name of the one user who attached, to whom new files belong. Nothing is cached but the attributes that a
//! walk brought along, and those only for the question that follows it.
//!
//! Two names of one file are two nodes (a fid each) with one identity. A regular file of version 0 that is empty, or has a
//! length and no blocks (a log that tells how long it is), is taken for a synthetic one (intro(5): version 0 is never
//! cached), so reads and writes of it go through as they are. A server that counts no versions is asked for a file's times
//! after each open (one round trip more): they tell a kernel whether what it has cached still holds.
//!
//! ```text
//! round trips of    walk and stat   open   read   close        make a file   make a directory   list 3000 names
//!                        1            1      1    0 (later)         2                2              2
//! ```
//! A read that is longer than a message takes one for each message; one at the end of a file takes none more. What takes
//! one round trip here goes out as two messages in one write, which needs a server that keeps a fid's requests in order;
//! any other is asked again.
//!
//! A node keeps its fid while fewer than 16384 others are newer or in use; beyond that, it walks to its name again (one
//! round trip more), and is ESTALE if another file has it by then.
//!
//! Not said by 9P, so not done: renames that exchange or must not replace (EINVAL), holes and preallocation (EOPNOTSUPP),
//! and poll(2): an imported file always counts as ready. 9P2000 and .u have no links, locks, nodes or attributes of the
//! extended kind (EOPNOTSUPP).

mod fault;
mod fids;
mod file;
mod listing;
mod locks;
mod node;
mod number;
mod tree;
mod words;

use crate::*;
use nine::client::Client;
use node::Remote;
use std::sync::Arc;
use tree::Tree;

/// The files of another server. Clones are the same tree; the connection is closed when they, all nodes and all open files
/// are gone.
#[derive(Clone)]
pub struct Import {
    root: Arc<Remote>,
}

impl Import {
    /// The tree `aname` of the server behind `client`, for a user: `n_uname` is his number where the dialect has one.
    ///
    /// # Errors
    /// The server's; ENFILE where too many trees are served.
    pub async fn attach(client: Client, uname: &[u8], n_uname: Option<u32>, aname: &[u8]) -> Result<Import> {
        Import::attach_to("the server", client, uname, n_uname, aname).await
    }

    /// The same, of a server that errors call `server` when the connection breaks.
    ///
    /// # Errors
    /// Those of [`Import::attach`].
    pub async fn attach_to(
        server: &str,
        client: Client,
        uname: &[u8],
        n_uname: Option<u32>,
        aname: &[u8],
    ) -> Result<Import> {
        let tree = Tree::new(server, client)?;
        let root = tree.client.attach(uname, n_uname.map(nine::wire::Uid), aname).await;
        let root = tree.said(root)?;
        let attr = tree.said(root.getattr(words::WANTED).await)?;
        Ok(Import { root: Remote::root(tree, root, &attr) })
    }

    pub fn root(&self) -> NodeRef {
        self.root.clone()
    }

    /// Done when the connection has ended, and why. It does not keep the connection.
    pub fn ended(&self) -> impl Future<Output = Error> + Send + use<> {
        let tree = self.root.tree();
        let (ended, server) = (tree.client.ended(), tree.server.clone());
        async move { fault::error(&server, ended.await) }
    }
}
