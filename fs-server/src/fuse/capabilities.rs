//! What is agreed on with the kernel when a mount begins (FUSE_INIT).

use super::buffer::LARGEST;
use fuser::{InitFlags, KernelConfig};

/// Asks for what this server can do; says whether files may be passed through to the kernel.
pub(super) fn negotiate(config: &mut KernelConfig) -> bool {
    // Each is used where this kernel has it.
    for wanted in [
        // Readahead and large reads as several requests at once (fuser asks for it and for big writes itself).
        InitFlags::FUSE_ASYNC_DIO,
        // `echo x > ctl` is one open that truncates, not an open and a setattr.
        InitFlags::FUSE_ATOMIC_O_TRUNC,
        // Where a tree does not tell of changes, a new size or time drops the pages.
        InitFlags::FUSE_AUTO_INVAL_DATA,
        // Several threads look up and list in one directory at once.
        InitFlags::FUSE_PARALLEL_DIROPS,
        // Locks are the tree's, so that other mounts, 9P clients and guests meet them.
        InitFlags::FUSE_POSIX_LOCKS,
        InitFlags::FUSE_FLOCK_LOCKS,
        // Spares a getxattr of security.capability before each write; set-id bits are taken off here instead.
        InitFlags::FUSE_HANDLE_KILLPRIV_V2,
        // Files that are opened to append bypass the page cache, but may still be mapped.
        InitFlags::FUSE_DIRECT_IO_ALLOW_MMAP,
        // Entries with attributes, where the program then asks for them (`ls -l`).
        InitFlags::FUSE_DO_READDIRPLUS,
        InitFlags::FUSE_READDIRPLUS_AUTO,
        // Access control lists: the kernel asks for them (getxattr) where it checks, and keeps them as it keeps attributes.
        // Where a directory has a default list, no umask is taken off what is made there: it is left to the tree.
        InitFlags::FUSE_POSIX_ACL,
        InitFlags::FUSE_DONT_MASK,
        // Not FUSE_WRITEBACK_CACHE: what is written must be seen by guests at once.
        // Not FUSE_NO_OPEN_SUPPORT: opening is an event here.
    ] {
        // What is not had is done without.
        let _ = config.add_capabilities(wanted);
    }
    // Both are below what fuser refuses.
    let _ = config.set_max_write(LARGEST as u32);
    // Requests beyond this many that nobody waits for (readahead) queue up; blocked reads do not count.
    let _ = config.set_max_background(64);
    // One below us: the files that are passed through are on no stacked file system.
    config.add_capabilities(InitFlags::FUSE_PASSTHROUGH).is_ok() && config.set_max_stack_depth(1).is_ok()
}
