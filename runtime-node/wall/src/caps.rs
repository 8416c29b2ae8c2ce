//! Privileges are given up for good: no capability is left, and none can be had by running anything.

use crate::fds::checked;
use std::io;

/// `_LINUX_CAPABILITY_VERSION_3`.
const VERSION: u32 = 0x2008_0522;

#[repr(C)]
struct Header {
    version: u32,
    pid: i32,
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Data {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

pub(crate) fn drop_all() -> io::Result<()> {
    // SAFETY: the calls take numbers, or pointers to locals of the kernel's layout (two words of each set, capset(2)).
    unsafe {
        checked(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0).into())?;
        // Fails where there is nothing to drop from: without CAP_SETPCAP the bounding set is out of reach anyway.
        for cap in 0..64 {
            if libc::prctl(libc::PR_CAPBSET_DROP, cap, 0, 0, 0) < 0 {
                break;
            }
        }
        let header = Header { version: VERSION, pid: 0 };
        let none = [Data::default(); 2];
        checked(libc::syscall(libc::SYS_capset, &raw const header, none.as_ptr()))?;
        // After the last change of ids and capabilities, each of which forgets it.
        checked(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0).into())?;
    }
    Ok(())
}
