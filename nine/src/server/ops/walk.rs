//! attach(5), walk(5), clunk(5): how fids come and go.

use std::sync::Arc;
use std::task::Context;

use super::{check_name, check_new_name};
use crate::server::answer::Error;
use crate::server::fid::{FidEntry, State};
use crate::server::files::{FileServer, Peer};
use crate::server::held::{Called, call};
use crate::server::input::Input;
use crate::server::session::{Done, Outcome, Request, Session};
use crate::wire::{Dialect, Extension, Fid, Name, Names, QidList, Rmessage, Uid};

/// What a walk has come to so far.
struct Steps<F: FileServer> {
    qids: QidList,
    /// Where it is.
    at: Arc<FidEntry<F>>,
    total: usize,
    newfid: Fid,
}

impl<F: FileServer> Steps<F> {
    fn arrive(&mut self, files: &F, node: F::Node, name: &[u8]) {
        self.qids.push(files.qid(&node));
        let path = self.at.path().map(|path| joined(&path, name));
        self.at = FidEntry::unopened(node, path);
    }

    /// Whether the file server has to be asked for `name`. `.` is where the walk is: Linux never sends it, but diod's
    /// clients do for an entry of that name in a listing, and every server that they know takes it.
    fn has_to_ask(&mut self, files: &F, name: &[u8]) -> Result<bool, Error> {
        if name != b"." {
            return check_name(name).map(|()| true);
        }
        if !files.qid(&self.at.node).is_dir() {
            return Err(Error::NOT_DIRECTORY);
        }
        self.arrive(files, self.at.node.clone(), name);
        Ok(false)
    }

    /// The reply: the whole walk makes the fid, a part of it only says how far it went.
    fn outcome(self, ended: Result<(), Error>) -> Outcome<F> {
        let reached = self.qids.as_slice().len();
        let message = Rmessage::Walk { qids: self.qids };
        match ended {
            Err(error) if reached == 0 => Err(error),
            _ if reached < self.total => Ok(Done::message(message)),
            _ => Ok(Done::binding(message, self.newfid, self.at)),
        }
    }
}

/// The path one name further; `..` takes the last one off, `.` leaves it.
pub(super) fn joined(path: &[u8], name: &[u8]) -> Box<[u8]> {
    if name == b"." {
        return path.into();
    }
    if name == b".." {
        let end = path.iter().rposition(|&byte| byte == b'/').unwrap_or(0);
        return path[..end].into();
    }
    [path, b"/", name].concat().into()
}

impl<F: FileServer> Session<F> {
    #[expect(clippy::too_many_arguments, reason = "they are the message's fields")]
    pub(super) fn attach(
        &mut self,
        cx: &mut Context<'_>,
        request: Request,
        fid: Fid,
        afid: Fid,
        uname: Name<'_>,
        aname: Name<'_>,
        n_uname: Extension<Uid>,
    ) -> Result<(), Error> {
        self.fids.check_free(fid)?;
        if afid != Fid::NONE {
            return Err(Error::new(22, "authentication not required: afid must be NOFID"));
        }
        let (files, context, dialect) = (self.files.clone(), self.context.clone(), self.dialect());
        let (uname, aname) = (uname.0.to_vec(), aname.0.to_vec());
        let n_uname = n_uname.0.filter(|uid| *uid != Uid::NONE);
        let pinned = uname.len() + aname.len();
        self.run(cx, request, pinned, async move {
            let peer = Peer { uname: &uname, n_uname, aname: &aname, dialect, context: &*context };
            let node = files.attach(&peer).get().await?;
            let qid = files.qid(&node);
            let path = (dialect != Dialect::P9P2000L).then(Box::default);
            Ok(Done::binding(Rmessage::Attach { qid }, fid, FidEntry::unopened(node, path)))
        });
        Ok(())
    }

    pub(super) fn walk(
        &mut self,
        request: Request,
        frame: &Arc<Input>,
        fid: Fid,
        newfid: Fid,
        names: Names<'_>,
    ) -> Result<(), Error> {
        let from = self.fids.get(fid)?;
        if newfid != fid {
            self.fids.check_free(newfid)?;
        } else if !matches!(from.state, State::Path) {
            // Its node would change under the open file.
            return Err(Error::new(22, "an open fid cannot be walked onto itself"));
        }
        let mut steps = Steps { qids: QidList::default(), at: from.clone(), total: names.len(), newfid };
        if names.is_empty() {
            steps.at = FidEntry::unopened(from.node.clone(), from.path());
        }
        let mut ended = Ok(());
        let mut left = names.iter();
        while let Some(name) = left.next() {
            match steps.has_to_ask(&self.files, name) {
                Ok(true) => {}
                Ok(false) => continue,
                Err(error) => {
                    ended = Err(error);
                    break;
                }
            }
            match call(&self.files, &steps.at, frame, name, |files, at, name| files.walk(&at.node, name)) {
                Called::Now(Ok(node)) => steps.arrive(&self.files, node, name),
                Called::Now(Err(error)) => {
                    ended = Err(error);
                    break;
                }
                Called::Later(held) => {
                    let files = self.files.clone();
                    let name = name.to_vec();
                    let left: Vec<Vec<u8>> = left.map(<[u8]>::to_vec).collect();
                    let pinned = frame.bytes().len();
                    self.pend(request, pinned, async move {
                        let mut reached = held.await.0;
                        let mut name = name;
                        let mut left = left.into_iter();
                        let ended = 'walk: loop {
                            match reached {
                                Ok(node) => steps.arrive(&files, node, &name),
                                Err(error) => break Err(error),
                            }
                            name = loop {
                                let Some(next) = left.next() else { break 'walk Ok(()) };
                                match steps.has_to_ask(&files, &next) {
                                    Ok(true) => break next,
                                    Ok(false) => {}
                                    Err(error) => break 'walk Err(error),
                                }
                            };
                            reached = files.walk(&steps.at.node, &name).get().await;
                        };
                        steps.outcome(ended)
                    });
                    return Ok(());
                }
            }
        }
        let outcome = steps.outcome(ended);
        self.reply(request.tag, outcome);
        Ok(())
    }

    /// The fid is gone whatever closing the file says.
    pub(super) fn clunk(
        &mut self,
        cx: &mut Context<'_>,
        request: Request,
        frame: &Arc<Input>,
        fid: Fid,
    ) -> Result<(), Error> {
        let entry = self.fids.unbind(fid).ok_or(Error::UNKNOWN_FID)?;
        let clunked = |()| Ok(Done::message(Rmessage::Clunk {}));
        match &entry.state {
            State::Path | State::XattrValue(_) => self.reply(request.tag, clunked(())),
            State::XattrSink { .. } => self.xattr_store(cx, request, entry),
            State::Open(open) if open.remove_on_clunk => {
                let files = self.files.clone();
                self.run(cx, request, 0, async move {
                    if let Some(file) = entry.file() {
                        files.close(file).get().await?;
                    }
                    // As Plan 9 does: whether it could be removed is not said.
                    let _not_said = files.remove(&entry.node).get().await;
                    Ok(Done::message(Rmessage::Clunk {}))
                });
            }
            State::Open(_) => {
                let called = call(&self.files, &entry, frame, &[], |files, entry, _| match entry.file() {
                    Some(file) => files.close(file),
                    None => Ok(()).into(),
                });
                drop(entry);
                self.answer(request, 0, called, clunked);
            }
        }
        Ok(())
    }

    /// remove(5): a clunk that removes the file on the way.
    pub(super) fn remove(&mut self, request: Request, frame: &Arc<Input>, fid: Fid) -> Result<(), Error> {
        let entry = self.fids.unbind(fid).ok_or(Error::UNKNOWN_FID)?;
        let called = call(&self.files, &entry, frame, &[], |files, entry, _| files.remove(&entry.node));
        self.answer(request, 0, called, |()| Ok(Done::message(Rmessage::Remove {})));
        Ok(())
    }

    /// Trename.
    pub(super) fn rename(
        &mut self,
        cx: &mut Context<'_>,
        request: Request,
        fid: Fid,
        dfid: Fid,
        name: &[u8],
    ) -> Result<(), Error> {
        check_new_name(name)?;
        let (entry, dir) = (self.fids.get(fid)?.clone(), self.fids.get(dfid)?.clone());
        let (files, name) = (self.files.clone(), name.to_vec());
        self.run(cx, request, name.len(), async move {
            files.rename(&entry.node, Some(&dir.node), &name).get().await?;
            Ok(Done::message(Rmessage::Rename {}))
        });
        Ok(())
    }
}
