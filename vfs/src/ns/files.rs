//! What can be done at a place: the file operations, with the permissions that POSIX asks for, on whichever member of a
//! union has the file or takes new ones.

use crate::access::{check, check_setstat, check_sticky};
use crate::ns::union::UnionDir;
use crate::*;
use std::sync::Arc;

impl Place {
    pub(super) fn guarded(&self, who: &Caller, name: Option<Name<'_>>, want: Access) -> Result<()> {
        let Some(guard) = &who.guard else { return Ok(()) };
        let mut path = self.path();
        if let Some(name) = name {
            if path != b"/" {
                path.push(b'/');
            }
            path.extend_from_slice(name.as_bytes());
        }
        guard.allow(&path, want)
    }

    pub fn stat<'a>(&'a self, who: &'a Caller) -> Op<'a, Stat> {
        if let Err(error) = self.guarded(who, None, Access::empty()) {
            return Op::err(error);
        }
        self.node().stat().map(|stat| Stat { qid: Qid { path: self.qid().path, ..stat.qid }, ..stat })
    }

    /// chmod, chown, truncate and utimensat in one; all or nothing.
    pub fn setstat<'a>(&'a self, who: &'a Caller, set: SetStat) -> Op<'a, ()> {
        if let Err(error) = self.guarded(who, None, Access::WRITE) {
            return Op::err(error);
        }
        setstat(self.node(), who, set)
    }

    /// Fails where `who` may not do `want` here (access(2)).
    pub fn access<'a>(&'a self, who: &'a Caller, want: Access) -> Op<'a, ()> {
        if let Err(error) = self.guarded(who, None, want) {
            return Op::err(error);
        }
        if who.checked {
            return self.node().stat().map(|_| ());
        }
        self.node().stat().and_then(move |stat| check(&**self.node(), who, &stat, want))
    }

    pub fn open<'a>(&'a self, who: &'a Caller, flags: OpenFlags) -> Op<'a, FileRef> {
        let want = Access::of(flags);
        if let Err(error) = self.guarded(who, None, want) {
            return Op::err(error);
        }
        tracing::trace!(path = %self.shown(), ?flags, "open");
        let is_dir = self.kind().is_dir();
        if flags.contains(OpenFlags::DIRECTORY) && !is_dir {
            return Op::err(Errno::ENOTDIR);
        }
        if is_dir && want.contains(Access::WRITE) {
            return Op::err(Errno::EISDIR);
        }
        if self.kind() == Kind::Symlink {
            return Op::err(Errno::ELOOP);
        }
        self.permitted(who, want, move || {
            if is_dir && let Some(mount) = self.union() {
                return Op::started(async move {
                    let mut members = Vec::with_capacity(mount.members.len());
                    for member in &mount.members {
                        members.push(member.node.clone().open(who, flags).await?);
                    }
                    Ok(Arc::new(UnionDir::new(self.node().clone(), members)) as FileRef)
                });
            }
            self.node().clone().open(who, flags)
        })
    }

    /// The directory that takes the new entry `name`, with the view it is seen in: where `who` may write and, in a union, no
    /// member has the name.
    async fn maker(&self, who: &Caller, name: Name<'_>) -> Result<(NodeRef, u64)> {
        let (dir, view) = self.taker(who, name).await?;
        if self.union().is_some() && self.walk_unchecked(who, name).await.is_ok() {
            return Errno::EEXIST.into();
        }
        Ok((dir, view))
    }

    async fn taker(&self, who: &Caller, name: Name<'_>) -> Result<(NodeRef, u64)> {
        if !self.kind().is_dir() {
            return Errno::ENOTDIR.into();
        }
        self.guarded(who, Some(name), Access::WRITE)?;
        self.permitted(who, Access::WRITE | Access::EXEC, || Op::ok(())).await?;
        let Some(mount) = self.union() else { return Ok(self.only()) };
        let taker = mount.members.iter().find(|m| m.create);
        taker.map(|m| (m.node.clone(), m.view)).ok_or_else(|| {
            Error::new(Errno::EPERM, format!("{}: union without a member to create in", self.shown()))
        })
    }

    /// Makes a regular file and opens it; opens the one that is there unless EXCLUSIVE is set.
    pub fn create<'a>(
        &'a self,
        who: &'a Caller,
        name: Name<'a>,
        mode: Mode,
        flags: OpenFlags,
    ) -> Op<'a, Created> {
        if let Some(created) = self.create_at_once(who, name, mode, flags) {
            return Op::ok(created);
        }
        Op::started(async move {
            if !self.kind().is_dir() {
                return Errno::ENOTDIR.into();
            }
            match self.permitted(who, Access::EXEC, || self.walk_unchecked(who, name)).await {
                Ok(_) if flags.contains(OpenFlags::EXCLUSIVE) => return Errno::EEXIST.into(),
                Ok(place) => {
                    let file = place.open(who, flags).await?;
                    return Ok(Created { place, file });
                }
                Err(error) if error.is(Errno::ENOENT) => {}
                Err(error) => return Err(error),
            }
            let (dir, view) = self.taker(who, name).await?;
            let (node, file) = dir.create(who, name, mode, flags).await?;
            Ok(Created { place: self.child(name.to_owned(), node, view), file })
        })
    }

    pub fn mkdir<'a>(&'a self, who: &'a Caller, name: Name<'a>, mode: Mode) -> Op<'a, Place> {
        Op::started(async move {
            let (dir, view) = self.maker(who, name).await?;
            let node = dir.mkdir(who, name, mode).await?;
            Ok(self.child(name.to_owned(), node, view))
        })
    }

    pub fn symlink<'a>(&'a self, who: &'a Caller, name: Name<'a>, target: &'a [u8]) -> Op<'a, Place> {
        Op::started(async move {
            let (dir, view) = self.maker(who, name).await?;
            let node = dir.symlink(who, name, target).await?;
            Ok(self.child(name.to_owned(), node, view))
        })
    }

    /// Makes a file, fifo, socket or device; devices take the superuser.
    pub fn mknod<'a>(
        &'a self,
        who: &'a Caller,
        name: Name<'a>,
        kind: Kind,
        mode: Mode,
        device: Device,
    ) -> Op<'a, Place> {
        Op::started(async move {
            if matches!(kind, Kind::CharDevice | Kind::BlockDevice) && !who.is_root() {
                return Errno::EPERM.into();
            }
            let (dir, view) = self.maker(who, name).await?;
            let node = dir.mknod(who, name, kind, mode, device).await?;
            Ok(self.child(name.to_owned(), node, view))
        })
    }

    /// A further name here for the file at `target`.
    pub fn link<'a>(&'a self, who: &'a Caller, target: &'a Place, name: Name<'a>) -> Op<'a, ()> {
        Op::started(async move {
            if target.kind().is_dir() {
                return Errno::EPERM.into();
            }
            target.guarded(who, None, Access::WRITE)?;
            let (dir, _) = self.maker(who, name).await?;
            dir.link(who, target.node(), name).await
        })
    }

    /// The member that has `name`, and the entry, where `who` may remove or move it.
    async fn removable(&self, who: &Caller, name: Name<'_>) -> Result<(NodeRef, Place)> {
        if !self.kind().is_dir() {
            return Errno::ENOTDIR.into();
        }
        self.guarded(who, Some(name), Access::WRITE)?;
        self.permitted(who, Access::WRITE | Access::EXEC, || Op::ok(())).await?;
        let (dir, entry) = match self.union() {
            None => (self.only().0, self.walk_unchecked(who, name).await?),
            Some(mount) => {
                let (index, node) = Place::find(&mount, who, name).await?;
                let member = &mount.members[index];
                (member.node.clone(), self.child(name.to_owned(), node, member.view))
            }
        };
        if entry.mount().is_some() {
            return Err(Error::new(Errno::EBUSY, format!("{}: something is mounted there", entry.shown())));
        }
        if !who.checked && !who.is_root() {
            let (dir_stat, entry_stat) = (dir.stat().await?, entry.node().stat().await?);
            check_sticky(who, &dir_stat, &entry_stat)?;
        }
        Ok((dir, entry))
    }

    pub fn unlink<'a>(&'a self, who: &'a Caller, name: Name<'a>) -> Op<'a, ()> {
        match self.unlink_at_once(who, name) {
            Some(done) => done.into(),
            None => Op::started(async move { self.removable(who, name).await?.0.unlink(who, name).await }),
        }
    }

    pub fn rmdir<'a>(&'a self, who: &'a Caller, name: Name<'a>) -> Op<'a, ()> {
        Op::started(async move { self.removable(who, name).await?.0.rmdir(who, name).await })
    }

    /// Removes the entry `name` as its kind asks (remove(5)).
    pub fn remove<'a>(&'a self, who: &'a Caller, name: Name<'a>) -> Op<'a, ()> {
        Op::started(async move {
            let (dir, entry) = self.removable(who, name).await?;
            if entry.kind().is_dir() { dir.rmdir(who, name).await } else { dir.unlink(who, name).await }
        })
    }

    /// Moves the entry `name` to `to_name` of the directory `to` (rename(2)).
    pub fn rename<'a>(
        &'a self,
        who: &'a Caller,
        name: Name<'a>,
        to: &'a Place,
        to_name: Name<'a>,
        flags: RenameFlags,
    ) -> Op<'a, ()> {
        Op::started(async move {
            let (from_dir, entry) = self.removable(who, name).await?;
            let (to_dir, target) = match to.removable(who, to_name).await {
                Ok((dir, target)) => (dir, Some(target)),
                Err(error) if error.is(Errno::ENOENT) => (to.taker(who, to_name).await?.0, None),
                Err(error) => return Err(error),
            };
            // A directory that gets another parent changes: its `..` does.
            if from_dir.qid().path != to_dir.qid().path {
                let swapped = target.filter(|_| flags.contains(RenameFlags::EXCHANGE));
                for moved in [Some(entry), swapped].into_iter().flatten() {
                    if moved.kind().is_dir() {
                        moved.permitted(who, Access::WRITE, || Op::ok(())).await?;
                    }
                }
            }
            from_dir.rename(who, name, &to_dir, to_name, flags).await
        })
    }

    pub fn readlink(&self) -> Op<'_, Arc<[u8]>> {
        self.node().readlink()
    }
    pub fn statfs(&self) -> Op<'_, StatFs> {
        self.node().statfs()
    }
}

/// [`Place::setstat`] where no capabilities bind `who`: which place it is does not matter then.
pub fn setstat<'a>(node: &'a NodeRef, who: &'a Caller, set: SetStat) -> Op<'a, ()> {
    if who.checked || who.is_root() {
        return node.setstat(who, set);
    }
    node.stat().and_then(move |stat| match check_setstat(who, &stat, set) {
        Ok((set, access)) => check(&**node, who, &stat, access).and_then(move |()| node.setstat(who, set)),
        Err(error) => Op::err(error),
    })
}
