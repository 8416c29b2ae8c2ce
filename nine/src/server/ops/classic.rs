//! Topen, Tcreate, Tstat, Twstat and directory reads of 9P2000 and .u, in .L's words.

use std::sync::Arc;
use std::task::Context;

use super::check_new_name;
use super::open::{iounit, opened_entry};
use crate::server::answer::Error;
use crate::server::fid::{DirPlace, FidEntry};
use crate::server::files::{FileServer, Listing, Opened, SetAttr, SetTime};
use crate::server::held::call;
use crate::server::input::Input;
use crate::server::perm::{device_numbers, mode_of, stat_of};
use crate::server::session::{Body, Done, Request, Session};
use crate::wire::{
    AttrMask, Dialect, DirEntries, Extension, Fid, Gid, Mode, Name, OpenFlags, OpenMode, Perm, Rmessage,
    Stat, Time, Uid,
};

impl<F: FileServer> Session<F> {
    pub(super) fn classic_open(
        &mut self,
        request: Request,
        frame: &Arc<Input>,
        fid: Fid,
        mode: OpenMode,
    ) -> Result<(), Error> {
        let entry = self.unopened(fid)?.clone();
        let flags = mode.to_flags(self.dialect());
        let removed = mode.contains(OpenMode::RCLOSE);
        let writes = flags.writes() || flags.contains(OpenFlags::TRUNC) || removed;
        if writes && self.files.qid(&entry.node).is_dir() {
            return Err(Error::IS_DIRECTORY);
        }
        let files = self.files.clone();
        let limit = self.transfer_limit();
        let called = call(&self.files, &entry, frame, &[], |files, entry, _| files.open(&entry.node, flags));
        self.answer(request, 0, called, move |opened| {
            let iounit = iounit(opened.iounit, limit);
            let (entry, qid) = opened_entry(&*files, &entry, opened, flags, entry.path(), removed);
            Ok(Done::binding(Rmessage::Open { qid, iounit }, fid, entry))
        });
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "they are the message's fields")]
    pub(super) fn classic_create(
        &mut self,
        cx: &mut Context<'_>,
        request: Request,
        fid: Fid,
        name: &[u8],
        perm: Perm,
        mode: OpenMode,
        extension: Extension<Name<'_>>,
    ) -> Result<(), Error> {
        check_new_name(name)?;
        let dir = self.unopened(fid)?.clone();
        let dialect = self.dialect();
        let unix = dialect == Dialect::P9P2000U;
        let (files, name) = (self.files.clone(), name.to_vec());
        let extension = extension.0.map(|text| text.0.to_vec()).unwrap_or_default();
        // .u makes a hard link with the decimal fid of the file.
        let linked = match perm.contains(Perm::LINK) && unix {
            true => {
                let text = std::str::from_utf8(&extension).ok();
                let number = text.and_then(|text| text.trim().parse().ok()).ok_or(Error::INVALID)?;
                Some(self.fids.get(Fid(number))?.clone())
            }
            false => None,
        };
        let removed = mode.contains(OpenMode::RCLOSE);
        let flags = mode.to_flags(dialect);
        let limit = self.transfer_limit();
        self.run(cx, request, name.len() + extension.len(), async move {
            let path = dir.path().map(|path| super::walk::joined(&path, &name));
            let (asked, node, gid) = (mode_of(perm, dialect), &dir.node, Gid::NONE);
            let made = if let Some(file) = linked {
                files.link(node, &file.node, &name).get().await?;
                file.node.clone()
            } else if unix && perm.contains(Perm::SYMLINK) {
                files.symlink(node, &name, &extension, gid).get().await?
            } else if unix && perm.intersects(Perm::DEVICE | Perm::NAMEDPIPE | Perm::SOCKET) {
                let (kind, device) = device_numbers(perm, &extension)?;
                let mode = Mode(kind | asked.permissions());
                files.mknod(node, &name, mode, device, gid).get().await?
            } else {
                // open(5): a new file has no more permissions than its directory; in .u that is the client's affair.
                let above = match dialect {
                    Dialect::P9P2000 => files.getattr(node, None, AttrMask::MODE).get().await?.mode.0,
                    Dialect::P9P2000U | Dialect::P9P2000L => !0,
                };
                let opened = if perm.contains(Perm::DIR) {
                    if flags.writes() {
                        return Err(Error::IS_DIRECTORY);
                    }
                    let mode = Mode(asked.permissions() & (!0o777 | above));
                    let new = files.mkdir(node, &name, mode, gid).get().await?;
                    let opened = files.open(&new, OpenFlags::empty()).get().await?;
                    Opened { node: Some(opened.node.unwrap_or(new)), ..opened }
                } else {
                    let flags = flags | OpenFlags::CREAT | OpenFlags::EXCL;
                    let mode = Mode(asked.permissions() & (!0o666 | above));
                    files.create(node, &name, flags, mode, gid).get().await?
                };
                let iounit = iounit(opened.iounit, limit);
                let (entry, qid) = opened_entry(&*files, &dir, opened, flags, path, removed);
                return Ok(Done::binding(Rmessage::Create { qid, iounit }, fid, entry));
            };
            // Links and devices are not opened: who made one only wants it to be there.
            let qid = files.qid(&made);
            Ok(Done::binding(Rmessage::Create { qid, iounit: 0 }, fid, FidEntry::unopened(made, path)))
        });
        Ok(())
    }

    pub(super) fn classic_stat(
        &mut self,
        cx: &mut Context<'_>,
        request: Request,
        fid: Fid,
    ) -> Result<(), Error> {
        let (files, entry, dialect) = (self.files.clone(), self.fids.get(fid)?.clone(), self.dialect());
        self.run(cx, request, 0, async move {
            let attr = files.getattr(&entry.node, entry.file(), AttrMask::ALL).get().await?;
            let name = entry.last_name();
            Ok(Body::Stat(stat_of(&*files, &entry.node, &attr, &name, dialect).await?).into())
        });
        Ok(())
    }

    pub(super) fn classic_wstat(
        &mut self,
        cx: &mut Context<'_>,
        request: Request,
        fid: Fid,
        stat: &Stat<'_>,
    ) -> Result<(), Error> {
        let (files, entry, dialect) = (self.files.clone(), self.fids.get(fid)?.clone(), self.dialect());
        if stat.length != u64::MAX && i64::try_from(stat.length).is_err() {
            return Err(Error::new(22, "length out of range"));
        }
        let is_dir = files.qid(&entry.node).is_dir();
        if stat.mode != Perm::all() && stat.mode.contains(Perm::DIR) != is_dir {
            return Err(Error::new(1, "wstat cannot make a directory of a file, nor a file of a directory"));
        }
        let time =
            |seconds: u32| (seconds != u32::MAX).then(|| SetTime::To(Time { sec: seconds.into(), nsec: 0 }));
        let uid = match (stat.n_uid.0, stat.uid.0) {
            (Some(uid), _) if uid != Uid::NONE => Some(uid),
            (_, []) => None,
            (_, name) => Some(files.user_number(name).ok_or(Error::new(22, "unknown user"))?),
        };
        let gid = match (stat.n_gid.0, stat.gid.0) {
            (Some(gid), _) if gid != Gid::NONE => Some(gid),
            (_, []) => None,
            (_, name) => Some(files.group_number(name).ok_or(Error::new(22, "unknown group"))?),
        };
        let change = SetAttr {
            mode: (stat.mode != Perm::all()).then(|| Mode(mode_of(stat.mode, dialect).permissions())),
            uid,
            gid,
            size: (stat.length != u64::MAX).then_some(stat.length),
            atime: time(stat.atime),
            mtime: time(stat.mtime),
            ctime: false,
        };
        let old_name = entry.last_name();
        let new_name = stat.name.0.to_vec();
        let renames = !new_name.is_empty() && new_name != old_name;
        if renames {
            check_new_name(&new_name)?;
        }
        self.run(cx, request, new_name.len(), async move {
            // All or nothing (stat(5)): the rename is the more likely to fail, and can be taken back.
            if renames {
                files.rename(&entry.node, None, &new_name).get().await?;
            }
            if !change.is_empty() {
                let changed = files.setattr(&entry.node, entry.file(), change).get().await;
                if let Err(error) = changed {
                    if renames && let Err(stuck) = files.rename(&entry.node, None, &old_name).get().await {
                        tracing::warn!(%stuck, "half a wstat could not be taken back");
                    }
                    return Err(error);
                }
            } else if !renames && let Some(file) = entry.file() {
                // One that changes nothing asks for what is written to be safe.
                files.fsync(file, false).get().await?;
            }
            if renames {
                entry.rename(&new_name);
            }
            Ok(Done::message(Rmessage::Wstat {}))
        });
        Ok(())
    }

    /// read(5) of a directory: whole stat records, from the start or from where the last read ended.
    pub(super) fn classic_readdir(
        &mut self,
        cx: &mut Context<'_>,
        request: Request,
        entry: Arc<FidEntry<F>>,
        offset: u64,
        limit: usize,
    ) -> Result<(), Error> {
        let (files, dialect) = (self.files.clone(), self.dialect());
        let open = entry.opened().ok_or(Error::NOT_OPEN)?;
        let mut place = if offset == 0 { DirPlace::default() } else { *open.place.lock() };
        if place.bytes != offset {
            return Err(Error::new(22, "a directory is read on from where the last read ended, or from 0"));
        }
        self.run(cx, request, limit, async move {
            let open = entry.opened().ok_or(Error::NOT_OPEN)?;
            let mut data = Vec::new();
            let mut listing = Listing::new(limit.max(4096));
            'full: loop {
                listing.reset(limit.max(4096));
                files.readdir(&open.file, place.entry, &mut listing).get().await?;
                if listing.as_bytes().is_empty() {
                    break;
                }
                for listed in DirEntries::new(listing.as_bytes()) {
                    let listed = listed.map_err(|fault| Error::new(5, fault.to_string()))?;
                    let before = data.len();
                    // What has gone since it was listed is left out, as if it had gone before.
                    if listed.name != b"."
                        && listed.name != b".."
                        && let Ok(node) = files.walk(&entry.node, listed.name).get().await
                        && let Ok(attr) = files.getattr(&node, None, AttrMask::ALL).get().await
                    {
                        let stat = stat_of(&*files, &node, &attr, listed.name, dialect).await?;
                        let encoded = stat.as_stat().encode(dialect, &mut data);
                        encoded.map_err(|fault| Error::new(75, fault.to_string()))?;
                    }
                    if data.len() > limit {
                        data.truncate(before);
                        if data.is_empty() && place.unused != Some(limit) {
                            return Err(Error::new(22, "count is too small for the next entry"));
                        }
                        break 'full;
                    }
                    place.entry = listed.offset;
                }
            }
            place.bytes += data.len() as u64;
            place.unused = Some(limit - data.len());
            *open.place.lock() = place;
            Ok(Body::Bytes(data).into())
        });
        Ok(())
    }
}
