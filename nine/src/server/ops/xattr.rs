//! Txattrwalk, Txattrcreate: extended attributes, each read and written through a fid of its own.

use std::sync::Arc;
use std::task::Context;

use crate::server::answer::Error;
use crate::server::fid::{FidEntry, State};
use crate::server::files::FileServer;
use crate::server::held::call;
use crate::server::input::Input;
use crate::server::session::{Done, Request, Session};
use crate::wire::{Fid, Rmessage, XattrFlags};

/// The largest value, and the largest list: XATTR_SIZE_MAX of xattr(7).
const LARGEST: usize = 64 << 10;
/// XATTR_NAME_MAX.
const LONGEST_NAME: usize = 255;

fn check_attribute(name: &[u8]) -> Result<(), Error> {
    match name.len() {
        // ERANGE, as xattr(7) has it for both.
        len if len > LONGEST_NAME => Err(Error::new(34, "name of an extended attribute too long")),
        _ if name.contains(&0) => Err(Error::new(22, "NUL in the name of an extended attribute")),
        _ => Ok(()),
    }
}

impl<F: FileServer> Session<F> {
    pub(super) fn xattr_walk(
        &mut self,
        request: Request,
        frame: &Arc<Input>,
        fid: Fid,
        newfid: Fid,
        name: &[u8],
    ) -> Result<(), Error> {
        check_attribute(name)?;
        let entry = self.fids.get(fid)?.clone();
        self.fids.check_free(newfid)?;
        let called = call(&self.files, &entry, frame, name, |files, entry, name| match name {
            [] => files.xattr_list(&entry.node),
            name => files.xattr_get(&entry.node, name),
        });
        self.answer(request, frame.bytes().len(), called, move |value| {
            if value.len() > LARGEST {
                return Err(Error::new(7, "extended attribute too large"));
            }
            let size = value.len() as u64;
            let node = entry.node.clone();
            let value = Arc::new(FidEntry::new(node, State::XattrValue(value), None));
            Ok(Done::binding(Rmessage::Xattrwalk { size }, newfid, value))
        });
        Ok(())
    }

    pub(super) fn xattr_create(
        &mut self,
        request: Request,
        fid: Fid,
        name: &[u8],
        size: u64,
        flags: XattrFlags,
    ) -> Result<(), Error> {
        check_attribute(name)?;
        if name.is_empty() {
            return Err(Error::new(34, "an extended attribute has a name"));
        }
        let size = usize::try_from(size).ok().filter(|size| *size <= LARGEST);
        let size = size.ok_or(Error::new(7, "extended attribute too large"))?;
        let node = self.unopened(fid)?.node.clone();
        let state = State::XattrSink { name: name.into(), size, flags, value: Default::default() };
        let entry = Arc::new(FidEntry::new(node, state, None));
        self.reply(request.tag, Ok(Done::binding(Rmessage::Xattrcreate {}, fid, entry)));
        Ok(())
    }

    /// The clunk of what Txattrcreate made: now the attribute is set.
    pub(super) fn xattr_store(&mut self, cx: &mut Context<'_>, request: Request, entry: Arc<FidEntry<F>>) {
        let files = self.files.clone();
        self.run(cx, request, LARGEST, async move {
            let State::XattrSink { name, size, flags, value } = &entry.state else {
                return Ok(Done::message(Rmessage::Clunk {}));
            };
            let value = std::mem::take(&mut *value.lock());
            if value.len() != *size {
                let text = format!("{} of {size} bytes of an extended attribute were written", value.len());
                return Err(Error::new(22, text));
            }
            if value.is_empty() && flags.contains(XattrFlags::REPLACE) {
                // removexattr(2), in the only words that the protocol has for it.
                files.xattr_remove(&entry.node, name).get().await?;
            } else {
                files.xattr_set(&entry.node, name, &value, *flags).get().await?;
            }
            Ok(Done::message(Rmessage::Clunk {}))
        });
    }
}
