//! Who an attaching user is: names and numbers of 9P's users as this machine's user database has them.

use std::sync::Arc;
use vfs::{Caller, Gid, Uid};

/// The caller for a Tattach. A number is believed (the client's kernel has checked it); a name that this machine knows is
/// its user; a name that nobody has is the user who runs the server, for whom the client works anyway: only his own
/// processes get as far as attaching (SO_PEERCRED, or loopback that he opened by name).
pub fn caller(uname: &[u8], n_uname: Option<u32>) -> Arc<Caller> {
    let user = match n_uname {
        Some(uid) => nix::unistd::User::from_uid(uid.into()).ok().flatten(),
        None => {
            std::str::from_utf8(uname).ok().and_then(|name| nix::unistd::User::from_name(name).ok().flatten())
        }
    };
    let caller = match (&user, n_uname) {
        (Some(user), _) => Caller::new(Uid(user.uid.as_raw()), Gid(user.gid.as_raw())),
        (None, Some(uid)) => Caller::new(Uid(uid), Gid(uid)),
        (None, None) => Caller::me(),
    };
    Arc::new(with_groups(caller))
}

/// `caller` with the groups that the machine's user of that number is in. Root needs none.
pub fn with_groups(mut caller: Caller) -> Caller {
    if !caller.is_root()
        && let Ok(Some(user)) = nix::unistd::User::from_uid(caller.uid.0.into())
        && let Ok(name) = std::ffi::CString::new(user.name)
        && let Ok(groups) = nix::unistd::getgrouplist(&name, user.gid)
    {
        caller.groups = groups.into_iter().map(|g| Gid(g.as_raw())).collect();
    }
    caller
}
