//! What each request does: which fids it names and how, and the call of the file server that it comes to.

mod attr;
mod classic;
mod dir;
mod io;
mod lock;
mod open;
mod walk;
mod xattr;

use std::sync::Arc;
use std::task::Context;

use super::answer::Error;
use super::fid::Fids;
use super::files::FileServer;
use super::flight::{Claim, Claims, Effect};
use super::input::Input;
use super::session::{Request, Session};
use crate::wire::{Fid, Tmessage};

/// The fids that a request names, and what it does to them.
pub(super) fn claims<F: FileServer>(message: &Tmessage<'_>, fids: &Fids<F>) -> Claims {
    let claim = |fid: Fid, effect: Effect| {
        let stream = fids.get(fid).is_ok_and(|entry| entry.is_stream());
        Some(Claim { fid, effect, stream })
    };
    let classic_dir =
        |fid| fids.get(fid).ok().and_then(|entry| entry.opened()).is_some_and(|open| open.is_dir);
    use Effect::{Change, Look, Read, Write};
    match *message {
        Tmessage::Version { .. } | Tmessage::Flush { .. } => [None, None],
        Tmessage::Auth { afid, .. } => [claim(afid, Change), None],
        Tmessage::Attach { fid, .. } => [claim(fid, Change), None],
        Tmessage::Walk { fid, newfid, .. } if fid == newfid => [claim(fid, Change), None],
        Tmessage::Walk { fid, newfid, .. } | Tmessage::Xattrwalk { fid, newfid, .. } => {
            [claim(fid, Look), claim(newfid, Change)]
        }
        // It goes on from where the last one ended.
        Tmessage::Read { fid, .. } if classic_dir(fid) => [claim(fid, Change), None],
        Tmessage::Read { fid, .. } => [claim(fid, Read), None],
        // A lock may be waited for as long as a stream: it ends with a clunk too.
        Tmessage::Lock { fid, .. } => [Some(Claim { fid, effect: Read, stream: true }), None],
        Tmessage::Readdir { fid, .. }
        | Tmessage::Stat { fid }
        | Tmessage::Statfs { fid }
        | Tmessage::Readlink { fid }
        | Tmessage::Getattr { fid, .. }
        | Tmessage::Getlock { fid, .. } => [claim(fid, Look), None],
        Tmessage::Write { fid, .. }
        | Tmessage::Wstat { fid, .. }
        | Tmessage::Setattr { fid, .. }
        | Tmessage::Fsync { fid, .. } => [claim(fid, Write), None],
        Tmessage::Symlink { dfid, .. } | Tmessage::Mknod { dfid, .. } | Tmessage::Mkdir { dfid, .. } => {
            [claim(dfid, Write), None]
        }
        Tmessage::Unlinkat { dirfid, .. } => [claim(dirfid, Write), None],
        Tmessage::Rename { fid, dfid, .. } | Tmessage::Link { fid, dfid, .. } => {
            [claim(fid, Write), claim(dfid, Write)]
        }
        Tmessage::Renameat { olddirfid, newdirfid, .. } => [claim(olddirfid, Write), claim(newdirfid, Write)],
        Tmessage::Open { fid, .. }
        | Tmessage::Create { fid, .. }
        | Tmessage::Clunk { fid }
        | Tmessage::Remove { fid }
        | Tmessage::Lopen { fid, .. }
        | Tmessage::Lcreate { fid, .. }
        | Tmessage::Xattrcreate { fid, .. } => [claim(fid, Change), None],
    }
}

/// Whether a name can be a file's: what is no single name of a file cannot exist.
fn check_name(name: &[u8]) -> Result<(), Error> {
    if name.is_empty() || name == b"." || name.iter().any(|&byte| byte == b'/' || byte == 0) {
        return Err(Error::NOT_FOUND);
    }
    Ok(())
}

/// Whether a file can be made under a name.
fn check_new_name(name: &[u8]) -> Result<(), Error> {
    match check_name(name) {
        Ok(()) if name == b".." => Err(Error::EXISTS),
        Err(_) if name == b"." => Err(Error::EXISTS),
        Err(_) => Err(Error::new(22, "bad character in file name")),
        Ok(()) => Ok(()),
    }
}

/// Offsets are POSIX's: signed 64-bit.
pub(super) fn check_offset(offset: u64) -> Result<(), Error> {
    if i64::try_from(offset).is_ok() { Ok(()) } else { Err(Error::new(22, "offset out of range")) }
}

pub(super) fn perform<F: FileServer>(
    session: &mut Session<F>,
    cx: &mut Context<'_>,
    request: Request,
    message: Tmessage<'_>,
    frame: &Arc<Input>,
) {
    let tag = request.tag;
    let performed = match message {
        // Both are answered before a request gets here.
        Tmessage::Version { .. } | Tmessage::Flush { .. } => return,
        // ENOENT: the number by which diod's clients know that they may attach without.
        Tmessage::Auth { .. } => Err(Error::new(2, "authentication not required")),
        Tmessage::Attach { fid, afid, uname, aname, n_uname } => {
            session.attach(cx, request, fid, afid, uname, aname, n_uname)
        }
        Tmessage::Walk { fid, newfid, names } => session.walk(request, frame, fid, newfid, names),
        Tmessage::Lopen { fid, flags } => session.lopen(request, frame, fid, flags),
        Tmessage::Lcreate { fid, name, flags, mode, gid } => {
            session.lcreate(request, frame, fid, name.0, flags, mode, gid)
        }
        Tmessage::Read { fid, offset, count } => session.read(cx, request, fid, offset, count),
        Tmessage::Write { fid, offset, data } => session.write(request, frame, fid, offset, data.0),
        Tmessage::Fsync { fid, datasync } => {
            session.fsync(request, frame, fid, datasync.0.unwrap_or_default())
        }
        Tmessage::Clunk { fid } => session.clunk(cx, request, frame, fid),
        Tmessage::Remove { fid } => session.remove(request, frame, fid),
        Tmessage::Readdir { fid, offset, count } => session.readdir(request, fid, offset, count),
        Tmessage::Mkdir { dfid, name, mode, gid } => session.mkdir(request, frame, dfid, name.0, mode, gid),
        Tmessage::Symlink { dfid, name, target, gid } => {
            session.symlink(cx, request, dfid, name.0, target.0, gid)
        }
        Tmessage::Mknod { dfid, name, mode, major, minor, gid } => {
            session.mknod(request, frame, dfid, name.0, mode, (major, minor), gid)
        }
        Tmessage::Link { dfid, fid, name } => session.link(cx, request, dfid, fid, name.0),
        Tmessage::Rename { fid, dfid, name } => session.rename(cx, request, fid, dfid, name.0),
        Tmessage::Renameat { olddirfid, oldname, newdirfid, newname } => {
            session.rename_at(cx, request, (olddirfid, oldname.0), (newdirfid, newname.0))
        }
        Tmessage::Unlinkat { dirfid, name, flags } => {
            session.unlink_at(request, frame, dirfid, name.0, flags)
        }
        Tmessage::Getattr { fid, mask } => session.getattr(request, frame, fid, mask),
        Tmessage::Setattr { fid, attr } => session.setattr(request, frame, fid, &attr),
        Tmessage::Readlink { fid } => session.readlink(request, frame, fid),
        Tmessage::Statfs { fid } => session.statfs(request, frame, fid),
        Tmessage::Lock { fid, kind, flags, range } => session.lock(cx, request, fid, kind, flags, range),
        Tmessage::Getlock { fid, kind, range } => session.getlock(cx, request, fid, kind, range),
        Tmessage::Xattrwalk { fid, newfid, name } => session.xattr_walk(request, frame, fid, newfid, name.0),
        Tmessage::Xattrcreate { fid, name, attr_size, flags } => {
            session.xattr_create(request, fid, name.0, attr_size, flags)
        }
        Tmessage::Open { fid, mode } => session.classic_open(request, frame, fid, mode),
        Tmessage::Create { fid, name, perm, mode, extension } => {
            session.classic_create(cx, request, fid, name.0, perm, mode, extension)
        }
        Tmessage::Stat { fid } => session.classic_stat(cx, request, fid),
        Tmessage::Wstat { fid, stat } => session.classic_wstat(cx, request, fid, &stat),
    };
    if let Err(error) = performed {
        session.error(tag, &error);
    }
}
