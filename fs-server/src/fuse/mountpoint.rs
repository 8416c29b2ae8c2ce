//! The directory that is mounted on: whether a dead mount is in the way, how to take a mount away, and who may come in.

use rustix::fs::{AtFlags, CWD, StatxFlags, statx};
use rustix::mount::{UnmountFlags, unmount};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

/// Takes away a mount whose server has gone without unmounting ("Transport endpoint is not connected").
pub(super) fn clear_stale(dir: &Path) -> io::Result<()> {
    match std::fs::metadata(dir) {
        Err(error) if error.raw_os_error() == Some(libc::ENOTCONN) => {
            tracing::warn!(dir = %dir.display(), "a dead mount was there; taken away");
            detach(dir)
        }
        _ => Ok(()),
    }
}

/// Which mount is seen at `dir` (statx(2), Linux 5.8), without a question to whoever serves it. None where that cannot be told.
pub(super) fn seen_at(dir: &Path) -> Option<u64> {
    let flags = AtFlags::STATX_DONT_SYNC | AtFlags::NO_AUTOMOUNT;
    let seen = statx(CWD, dir, flags, StatxFlags::MNT_ID).ok()?;
    (seen.stx_mask & StatxFlags::MNT_ID.bits() != 0).then_some(seen.stx_mnt_id)
}

/// Unmounts `dir`, however busy, and cuts off what is open there: as root by itself, else through fusermount3 and, where it
/// is mounted, the control file system.
pub(super) fn detach(dir: &Path) -> io::Result<()> {
    match unmount(dir, UnmountFlags::FORCE | UnmountFlags::DETACH) {
        Ok(()) => return Ok(()),
        // Nothing is mounted there: somebody else was first, and a copy in another mount namespace keeps it alive.
        Err(rustix::io::Errno::INVAL) => return Ok(()),
        Err(rustix::io::Errno::PERM) => {}
        Err(error) => return Err(error.into()),
    }
    let connection = std::fs::metadata(dir).map(|meta| rustix::fs::minor(meta.dev()));
    let mut missing = None;
    for program in ["fusermount3", "fusermount"] {
        match Command::new(program).args(["-u", "-z", "--"]).arg(dir).output() {
            Ok(done) if done.status.success() => {
                if let Ok(connection) = connection {
                    // Without that file system what is open stays open until its program or we end.
                    let _ = std::fs::write(format!("/sys/fs/fuse/connections/{connection}/abort"), "1");
                }
                return Ok(());
            }
            Ok(done) => {
                let said = String::from_utf8_lossy(&done.stderr).trim().to_owned();
                return Err(io::Error::other(said));
            }
            Err(error) => missing = Some(io::Error::new(error.kind(), format!("{program}: {error}"))),
        }
    }
    Err(missing.unwrap_or_else(|| io::ErrorKind::NotFound.into()))
}

/// Does the machine let us open the mount to other users (mount.fuse(8), allow_other)?
pub(super) fn may_allow_other() -> bool {
    rustix::process::geteuid().is_root()
        || std::fs::read_to_string("/etc/fuse.conf").is_ok_and(|text| permits_others(&text))
}

fn permits_others(fuse_conf: &str) -> bool {
    fuse_conf.lines().any(|line| line.trim() == "user_allow_other")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commented_permission_in_fuse_conf_is_none() {
        assert!(permits_others("# text\nuser_allow_other\n"));
        assert!(!permits_others("#user_allow_other\nmount_max = 1000\n"));
    }
}
