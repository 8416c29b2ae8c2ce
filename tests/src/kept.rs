//! What the kernel keeps of a mount though nobody uses it: names and inodes that somebody has looked at, were it a `find` over the
//! whole machine. It gives them back when it is short of memory; whoever counts what a server holds makes it do so first.

use rustix::io::Errno;
use rustix::mount::{MountFlags, mount_remount};
use std::path::Path;

/// Makes the kernel drop what it keeps of a mount and nobody uses just now, which it does where a file system is mounted anew.
/// Says whether it was told: only the superuser may.
pub fn drop_unused(mount: &Path) -> bool {
    match mount_remount(mount, MountFlags::NOSUID | MountFlags::NODEV, c"") {
        Ok(()) => true,
        Err(Errno::PERM) => false,
        Err(error) => panic!("{}: not mounted anew: {error}", mount.display()),
    }
}
