//! Treaddir, and what changes the names in a directory: Tmkdir, Tsymlink, Tmknod, Tlink, Trenameat, Tunlinkat.

use std::sync::Arc;
use std::task::Context;

use super::{check_name, check_new_name, check_offset};
use crate::server::answer::Error;
use crate::server::files::{FileServer, Listing};
use crate::server::held::{CalledInto, Lent, call, call_into};
use crate::server::input::Input;
use crate::server::session::{Body, Done, Request, Session};
use crate::wire::{Fid, Gid, Mode, Rmessage, UnlinkFlags};

impl<F: FileServer> Session<F> {
    pub(super) fn readdir(
        &mut self,
        request: Request,
        fid: Fid,
        offset: u64,
        count: u32,
    ) -> Result<(), Error> {
        check_offset(offset)?;
        let entry = self.fids.opened(fid)?;
        if !entry.opened().is_some_and(|open| open.is_dir) {
            return Err(Error::NOT_DIRECTORY);
        }
        let limit = (count as usize).min(self.data_limit());
        let mut listing = self.listing.take().unwrap_or_else(|| Lent::new(Box::new(Listing::new(0))));
        listing.reset(limit);
        // POSIX's readdir has no way to be given half a name: where nothing fits, it has to say so.
        let checked = |listing: &Listing| match listing.as_bytes() {
            [] if listing.is_full() => Err(Error::new(22, "count is too small for the next entry")),
            _ => Ok(()),
        };
        let called = call_into(&self.files, entry, listing, |files, entry, listing| match entry.file() {
            Some(file) => files.readdir(file, offset, listing),
            None => Error::NOT_OPEN.into(),
        });
        match called {
            CalledInto::Now(result, listing) => {
                let outcome = result.and_then(|()| checked(&listing));
                self.reply(request.tag, outcome.map(|()| Body::Entries(listing).into()));
            }
            CalledInto::Later(held) => self.pend(request, limit, async move {
                let (result, (_files, _entry, listing)) = held.await;
                result.and_then(|()| checked(&listing))?;
                Ok(Body::Entries(listing).into())
            }),
        }
        Ok(())
    }

    pub(super) fn mkdir(
        &mut self,
        request: Request,
        frame: &Arc<Input>,
        dfid: Fid,
        name: &[u8],
        mode: Mode,
        gid: Gid,
    ) -> Result<(), Error> {
        check_new_name(name)?;
        let dir = self.fids.get(dfid)?;
        let called =
            call(&self.files, dir, frame, name, |files, dir, name| files.mkdir(&dir.node, name, mode, gid));
        let files = self.files.clone();
        self.answer(request, frame.bytes().len(), called, move |node| {
            Ok(Done::message(Rmessage::Mkdir { qid: files.qid(&node) }))
        });
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "they are the message's fields")]
    pub(super) fn mknod(
        &mut self,
        request: Request,
        frame: &Arc<Input>,
        dfid: Fid,
        name: &[u8],
        mode: Mode,
        device: (u32, u32),
        gid: Gid,
    ) -> Result<(), Error> {
        check_new_name(name)?;
        let dir = self.fids.get(dfid)?;
        let called = call(&self.files, dir, frame, name, |files, dir, name| {
            files.mknod(&dir.node, name, mode, device, gid)
        });
        let files = self.files.clone();
        self.answer(request, frame.bytes().len(), called, move |node| {
            Ok(Done::message(Rmessage::Mknod { qid: files.qid(&node) }))
        });
        Ok(())
    }

    pub(super) fn symlink(
        &mut self,
        cx: &mut Context<'_>,
        request: Request,
        dfid: Fid,
        name: &[u8],
        target: &[u8],
        gid: Gid,
    ) -> Result<(), Error> {
        check_new_name(name)?;
        if target.is_empty() || target.contains(&0) {
            return Err(Error::new(2, "a symbolic link has to say something"));
        }
        let (files, dir) = (self.files.clone(), self.fids.get(dfid)?.clone());
        let (name, target) = (name.to_vec(), target.to_vec());
        self.run(cx, request, name.len() + target.len(), async move {
            let node = files.symlink(&dir.node, &name, &target, gid).get().await?;
            Ok(Done::message(Rmessage::Symlink { qid: files.qid(&node) }))
        });
        Ok(())
    }

    pub(super) fn link(
        &mut self,
        cx: &mut Context<'_>,
        request: Request,
        dfid: Fid,
        fid: Fid,
        name: &[u8],
    ) -> Result<(), Error> {
        check_new_name(name)?;
        let (dir, entry) = (self.fids.get(dfid)?.clone(), self.fids.get(fid)?.clone());
        let (files, name) = (self.files.clone(), name.to_vec());
        self.run(cx, request, name.len(), async move {
            files.link(&dir.node, &entry.node, &name).get().await?;
            Ok(Done::message(Rmessage::Link {}))
        });
        Ok(())
    }

    pub(super) fn rename_at(
        &mut self,
        cx: &mut Context<'_>,
        request: Request,
        old: (Fid, &[u8]),
        new: (Fid, &[u8]),
    ) -> Result<(), Error> {
        check_name(old.1)?;
        check_new_name(new.1)?;
        let (old_dir, new_dir) = (self.fids.get(old.0)?.clone(), self.fids.get(new.0)?.clone());
        let (files, old_name, new_name) = (self.files.clone(), old.1.to_vec(), new.1.to_vec());
        self.run(cx, request, old_name.len() + new_name.len(), async move {
            files.rename_at(&old_dir.node, &old_name, &new_dir.node, &new_name).get().await?;
            Ok(Done::message(Rmessage::Renameat {}))
        });
        Ok(())
    }

    pub(super) fn unlink_at(
        &mut self,
        request: Request,
        frame: &Arc<Input>,
        dirfid: Fid,
        name: &[u8],
        flags: UnlinkFlags,
    ) -> Result<(), Error> {
        check_name(name)?;
        let dir = self.fids.get(dirfid)?;
        let directory = flags.contains(UnlinkFlags::REMOVEDIR);
        let called = call(&self.files, dir, frame, name, |files, dir, name| {
            files.unlink_at(&dir.node, name, directory)
        });
        self.answer(request, frame.bytes().len(), called, |()| Ok(Done::message(Rmessage::Unlinkat {})));
        Ok(())
    }
}
