//! Tlopen, Tlcreate: a fid becomes an open file.

use std::sync::Arc;

use super::check_new_name;
use crate::server::answer::Error;
use crate::server::fid::{FidEntry, OpenFid, State};
use crate::server::files::{FileServer, Opened};
use crate::server::held::call;
use crate::server::input::Input;
use crate::server::session::{Done, Request, Session};
use crate::wire::{Fid, Gid, Mode, OpenFlags, Qid, Rmessage};

/// The entry of a fid whose file has been opened, and its qid.
pub(super) fn opened_entry<F: FileServer>(
    files: &F,
    before: &FidEntry<F>,
    opened: Opened<F::Node, F::Open>,
    flags: OpenFlags,
    path: Option<Box<[u8]>>,
    remove_on_clunk: bool,
) -> (Arc<FidEntry<F>>, Qid) {
    let Opened { file, node, is_stream, iounit: _ } = opened;
    let node = node.unwrap_or_else(|| before.node.clone());
    let qid = files.qid(&node);
    let open = OpenFid {
        file,
        flags,
        is_dir: qid.is_dir(),
        is_stream,
        remove_on_clunk,
        rest: Default::default(),
        place: Default::default(),
    };
    (Arc::new(FidEntry::new(node, State::Open(open), path)), qid)
}

/// What an open reply says about the size of one transfer. Never 0, "as fits a message", though that is allowed (open(5)): there
/// are clients that forget the message's header then.
pub(super) fn iounit(of_file: u32, limit: u32) -> u32 {
    if of_file == 0 { limit } else { of_file.min(limit) }
}

impl<F: FileServer> Session<F> {
    /// A fid that can be opened: a file that is not.
    pub(super) fn unopened(&self, fid: Fid) -> Result<&Arc<FidEntry<F>>, Error> {
        let entry = self.fids.get(fid)?;
        match entry.state {
            State::Path => Ok(entry),
            _ => Err(Error::new(22, "fid is open already")),
        }
    }

    /// The most that one read or write can move.
    pub(super) fn transfer_limit(&self) -> u32 {
        self.msize() - crate::wire::IO_HEADER
    }

    pub(super) fn lopen(
        &mut self,
        request: Request,
        frame: &Arc<Input>,
        fid: Fid,
        flags: OpenFlags,
    ) -> Result<(), Error> {
        let entry = self.unopened(fid)?.clone();
        let files = self.files.clone();
        let limit = self.transfer_limit();
        let called = call(&self.files, &entry, frame, &[], |files, entry, _| files.open(&entry.node, flags));
        self.answer(request, 0, called, move |opened| {
            let iounit = iounit(opened.iounit, limit);
            let (entry, qid) = opened_entry(&*files, &entry, opened, flags, None, false);
            Ok(Done::binding(Rmessage::Lopen { qid, iounit }, fid, entry))
        });
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "they are the message's fields")]
    pub(super) fn lcreate(
        &mut self,
        request: Request,
        frame: &Arc<Input>,
        fid: Fid,
        name: &[u8],
        flags: OpenFlags,
        mode: Mode,
        gid: Gid,
    ) -> Result<(), Error> {
        check_new_name(name)?;
        let entry = self.unopened(fid)?.clone();
        let files = self.files.clone();
        let limit = self.transfer_limit();
        let flags = flags | OpenFlags::CREAT;
        let called = call(&self.files, &entry, frame, name, |files, dir, name| {
            files.create(&dir.node, name, flags, mode, gid)
        });
        self.answer(request, frame.bytes().len(), called, move |opened| {
            let iounit = iounit(opened.iounit, limit);
            let (entry, qid) = opened_entry(&*files, &entry, opened, flags, None, false);
            Ok(Done::binding(Rmessage::Lcreate { qid, iounit }, fid, entry))
        });
        Ok(())
    }
}
