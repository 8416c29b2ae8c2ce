//! Landlock (landlock(7)): no file may be touched, no process outside signalled, no abstract socket connected. The second line
//! behind an empty root.

use std::os::fd::{FromRawFd, OwnedFd, RawFd};

/// struct landlock_ruleset_attr of version 6 of the interface; older kernels take the front of it.
#[repr(C)]
struct Attr {
    handled_access_fs: u64,
    handled_access_net: u64,
    scoped: u64,
}

/// `LANDLOCK_CREATE_RULESET_VERSION`.
const ASK_VERSION: libc::c_uint = 1;
/// Rights on files that version n of the interface knows: the lowest so many bits.
const FS_BITS: [u32; 5] = [13, 14, 15, 15, 16];
/// `LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET`, `LANDLOCK_SCOPE_SIGNAL`.
const SCOPES: u64 = 3;

/// Forbids this process all that can be forbidden. Gives the version of the interface; 0 where there is none.
pub(crate) fn restrict() -> u32 {
    // SAFETY: the calls take numbers and a pointer to a local; the ruleset is a new descriptor.
    unsafe {
        let version =
            libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<Attr>(), 0, ASK_VERSION);
        if version < 1 {
            return 0;
        }
        let version = version as usize;
        let bits = FS_BITS[version.min(FS_BITS.len()) - 1];
        let attr = Attr {
            handled_access_fs: (1 << bits) - 1,
            handled_access_net: 0,
            scoped: if version >= 6 { SCOPES } else { 0 },
        };
        let size = match version {
            1..4 => 8,
            4..6 => 16,
            _ => size_of::<Attr>(),
        };
        let ruleset = libc::syscall(libc::SYS_landlock_create_ruleset, &raw const attr, size, 0);
        if ruleset < 0 {
            return 0;
        }
        let ruleset = OwnedFd::from_raw_fd(ruleset as RawFd);
        let fd = std::os::fd::AsRawFd::as_raw_fd(&ruleset);
        // Needs no_new_privs, which is set.
        if libc::syscall(libc::SYS_landlock_restrict_self, fd, 0) < 0 { 0 } else { version as u32 }
    }
}
