//! Tgetattr, Tsetattr, Treadlink, Tstatfs.

use std::sync::Arc;

use crate::server::answer::Error;
use crate::server::files::{FileServer, SetAttr, SetTime};
use crate::server::held::call;
use crate::server::input::Input;
use crate::server::session::{Body, Done, Request, Session};
use crate::wire::{AttrMask, Fid, Rmessage, SetAttrFields, SetAttrMask, Time};

/// What a Tsetattr's mask and fields mean together.
fn meant(attr: &SetAttrFields) -> Result<SetAttr, Error> {
    let has = |bit| attr.valid.contains(bit);
    let time = |set, given, time: Time| match (has(set), has(given)) {
        (false, _) => Ok(None),
        (true, false) => Ok(Some(SetTime::Now)),
        (true, true) if time.nsec < 1_000_000_000 => Ok(Some(SetTime::To(time))),
        (true, true) => Err(Error::new(22, "nanoseconds out of range")),
    };
    if has(SetAttrMask::SIZE) && i64::try_from(attr.size).is_err() {
        return Err(Error::new(22, "length out of range"));
    }
    Ok(SetAttr {
        mode: has(SetAttrMask::MODE).then_some(attr.mode),
        uid: has(SetAttrMask::UID).then_some(attr.uid),
        gid: has(SetAttrMask::GID).then_some(attr.gid),
        size: has(SetAttrMask::SIZE).then_some(attr.size),
        atime: time(SetAttrMask::ATIME, SetAttrMask::ATIME_SET, attr.atime)?,
        mtime: time(SetAttrMask::MTIME, SetAttrMask::MTIME_SET, attr.mtime)?,
        ctime: has(SetAttrMask::CTIME),
    })
}

impl<F: FileServer> Session<F> {
    pub(super) fn getattr(
        &mut self,
        request: Request,
        frame: &Arc<Input>,
        fid: Fid,
        mask: AttrMask,
    ) -> Result<(), Error> {
        let entry = self.fids.get(fid)?;
        let called = call(&self.files, entry, frame, &[], |files, entry, _| {
            files.getattr(&entry.node, entry.file(), mask)
        });
        self.answer(request, 0, called, |attr| Ok(Done::message(Rmessage::Getattr { attr })));
        Ok(())
    }

    pub(super) fn setattr(
        &mut self,
        request: Request,
        frame: &Arc<Input>,
        fid: Fid,
        attr: &SetAttrFields,
    ) -> Result<(), Error> {
        let change = meant(attr)?;
        let entry = self.fids.get(fid)?;
        let called = call(&self.files, entry, frame, &[], |files, entry, _| {
            files.setattr(&entry.node, entry.file(), change)
        });
        self.answer(request, 0, called, |()| Ok(Done::message(Rmessage::Setattr {})));
        Ok(())
    }

    pub(super) fn readlink(&mut self, request: Request, frame: &Arc<Input>, fid: Fid) -> Result<(), Error> {
        let entry = self.fids.get(fid)?;
        let called = call(&self.files, entry, frame, &[], |files, entry, _| files.readlink(&entry.node));
        self.answer(request, 0, called, |target| Ok(Body::Readlink(target).into()));
        Ok(())
    }

    pub(super) fn statfs(&mut self, request: Request, frame: &Arc<Input>, fid: Fid) -> Result<(), Error> {
        let entry = self.fids.get(fid)?;
        let called = call(&self.files, entry, frame, &[], |files, entry, _| files.statfs(&entry.node));
        self.answer(request, 0, called, |statfs| Ok(Done::message(Rmessage::Statfs { statfs })));
        Ok(())
    }
}
