//! `taskfs umount`.

use crate::fault::Fault;
use rustix::mount::UnmountFlags;
use std::path::Path;
use std::process::Command;

/// Unmounts `dir`, whoever mounted it.
pub fn umount(dir: &Path) -> Result<(), Fault> {
    let fault = |e: String| Fault::os(format!("{}: {e}", dir.display()));
    match rustix::mount::unmount(dir, UnmountFlags::NOFOLLOW) {
        Ok(()) => return Ok(()),
        Err(rustix::io::Errno::PERM) => {}
        Err(rustix::io::Errno::INVAL) => {
            return Err(Fault::usage(format!("{}: not a mount point", dir.display())));
        }
        Err(e) => return Err(fault(e.to_string())),
    }
    let status = Command::new("fusermount3").arg("-u").arg(dir).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(fault(format!("fusermount3 -u: {status}"))),
        Err(e) => Err(fault(format!("fusermount3: {e}: apt install fuse3"))),
    }
}
