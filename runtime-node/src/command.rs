//! The `node` command of a namespace: a file whose one line says that it is the runtime itself. What it is to run is on its
//! command line, as Node has it.

use crate::spec::NODE;
use vfs::mem::MemTree;
use vfs::{Caller, Mode, Name, Namespace, NodeRef, OpenFlags, Result};

/// A directory with `node` in it, for a namespace's /bin.
///
/// # Errors
/// None that a memory tree has.
pub async fn bin() -> Result<NodeRef> {
    let tree = MemTree::new().root();
    let (root, me) = (Namespace::new(tree.clone(), "#node").root(), Caller::me());
    let made = root.create(&me, Name::new(b"node")?, Mode::new(0o755), OpenFlags::WRITE).await?;
    made.file.write(0, NODE).await?;
    Ok(tree)
}
