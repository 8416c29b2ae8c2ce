//! What lies below a container's files: a directory of the server's as it is, or what is in a tar archive.

use crate::Files;
use crate::archive::keeper;
use tokio::io::{AsyncWriteExt, duplex};
use vfs::archive::{Bounds, unpack};
use vfs::{Access, Caller, Errno, Error, FileRef, Kind, NodeRef, OpenFlags, Place, Result};

/// Bytes that are read ahead of who unpacks them.
const PIPE: usize = 256 << 10;

/// The tree that `place`, which `who` may read, stands for.
pub(crate) async fn of(who: &Caller, place: &Place) -> Result<NodeRef> {
    match place.kind() {
        Kind::Dir => {
            place.access(who, Access::READ).await?;
            Ok(place.node().clone())
        }
        Kind::File => unpacked(who, place.open(who, OpenFlags::READ).await?).await,
        _ => Err(Error::new(Errno::ENOTDIR, "neither a directory nor an archive")),
    }
}

/// A tree of its own of what is in the archive. It lies where images of systems do: with absolute links, which mean what they
/// mean in the container.
async fn unpacked(who: &Caller, file: FileRef) -> Result<NodeRef> {
    let files = Files::new(Vec::new(), who)?;
    let bounds = Bounds { absolute_links: true, ..Bounds::default() };
    let (from, mut to) = duplex(PIPE);
    let read = async move {
        let mut piece = vec![0; PIPE];
        let mut at = 0;
        loop {
            let count = file.read(at, &mut piece).await?;
            // Who unpacks tells himself why he wants no more.
            if count == 0 || to.write_all(&piece[..count]).await.is_err() {
                return to.shutdown().await.or(Ok(()));
            }
            at += count as u64;
        }
    };
    let root = files.bare("layer").root();
    // Its owners are those it names, where that is the superuser's to say.
    let maker = if who.is_root() { keeper() } else { who.clone() };
    let (read, unpacked): (Result<()>, _) = tokio::join!(read, unpack(&maker, from, &root, bounds));
    read?;
    unpacked?;
    Ok(root.node().clone())
}
