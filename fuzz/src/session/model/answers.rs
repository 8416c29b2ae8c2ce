//! What the session refuses by itself, and what a request that it lets through comes to.

use super::{Entry, MSIZE, Model, Opened, Outcome, State};
use crate::session::script::{Ask, flags};
use crate::session::tree::{Body, Path};
use nine::server::Error;
use nine::wire::*;
use std::collections::BTreeMap;

pub(super) fn check_name(name: &[u8]) -> Result<(), Error> {
    let bad = name.is_empty() || name == b"." || name.contains(&b'/') || name.contains(&0);
    if bad { Err(Error::NOT_FOUND) } else { Ok(()) }
}

fn check_new_name(name: &[u8]) -> Result<(), Error> {
    match name {
        b"." | b".." => Err(Error::EXISTS),
        _ => check_name(name).map_err(|_| Error::INVALID),
    }
}

fn check_offset(offset: u64) -> Result<(), Error> {
    if offset >> 63 == 0 { Ok(()) } else { Err(Error::INVALID) }
}

impl Model {
    /// What the session refuses before it asks anybody.
    pub(super) fn refused(&self, ask: &Ask) -> Option<Error> {
        let check = || -> Result<(), Error> {
            match ask {
                Ask::Auth { .. } => return Err(Error::new(2, "")),
                Ask::Attach { fid, afid } => {
                    self.check_free(*fid)?;
                    if *afid != u32::MAX {
                        return Err(Error::INVALID);
                    }
                }
                Ask::Open { fid, mode } => {
                    let entry = self.get(*fid)?;
                    if !matches!(entry.state, State::Unopened) {
                        return Err(Error::INVALID);
                    }
                    let writes = matches!(mode & 3, 1 | 2) || mode & 0x10 != 0;
                    if self.dialect != Dialect::P9P2000L && writes && self.tree.is_dir(entry.path.file()) {
                        return Err(Error::IS_DIRECTORY);
                    }
                }
                Ask::Create { fid, name, .. } => {
                    check_new_name(name)?;
                    if !matches!(self.get(*fid)?.state, State::Unopened) {
                        return Err(Error::INVALID);
                    }
                }
                Ask::Mkdir { fid, name } => {
                    check_new_name(name)?;
                    self.get(*fid)?;
                }
                Ask::Unlinkat { fid, name } => {
                    check_name(name)?;
                    self.get(*fid)?;
                }
                Ask::Renameat { fid, old, newfid, new } => {
                    check_name(old)?;
                    check_new_name(new)?;
                    self.get(*fid)?;
                    self.get(*newfid)?;
                }
                Ask::Read { fid, offset, .. } => {
                    check_offset(*offset)?;
                    match &self.get(*fid)?.state {
                        State::Open(open) if !open.flags.reads() => return Err(Error::NOT_OPEN),
                        State::Open(open) if open.is_dir && self.dialect == Dialect::P9P2000L => {
                            return Err(Error::IS_DIRECTORY);
                        }
                        State::Open(_) | State::Value(_) => {}
                        State::Unopened | State::Sink { .. } => return Err(Error::NOT_OPEN),
                    }
                }
                Ask::Write { fid, offset, data } => {
                    check_offset(*offset)?;
                    check_offset(offset.saturating_add(data.len() as u64))?;
                    match &self.get(*fid)?.state {
                        State::Open(open) if open.is_dir => return Err(Error::IS_DIRECTORY),
                        State::Open(open) if open.flags.writes() => {}
                        State::Sink { size, value, .. } => {
                            if *offset != value.len() as u64 || data.len() > size - value.len() {
                                return Err(Error::INVALID);
                            }
                        }
                        _ => return Err(Error::NOT_OPEN),
                    }
                }
                Ask::Readdir { fid, offset, .. } => {
                    check_offset(*offset)?;
                    match &self.get(*fid)?.state {
                        State::Open(open) if open.is_dir => {}
                        State::Open(_) => return Err(Error::NOT_DIRECTORY),
                        _ => return Err(Error::NOT_OPEN),
                    }
                }
                Ask::Fsync { fid } => match &self.get(*fid)?.state {
                    State::Open(_) => {}
                    _ => return Err(Error::NOT_OPEN),
                },
                Ask::Xattrwalk { fid, newfid, name } => {
                    if name.contains(&0) {
                        return Err(Error::INVALID);
                    }
                    self.get(*fid)?;
                    self.check_free(*newfid)?;
                }
                Ask::Xattrcreate { fid, name, size, .. } => {
                    if name.contains(&0) {
                        return Err(Error::INVALID);
                    }
                    if name.is_empty() {
                        return Err(Error::new(34, ""));
                    }
                    if *size > 64 << 10 {
                        return Err(Error::new(7, ""));
                    }
                    if !matches!(self.get(*fid)?.state, State::Unopened) {
                        return Err(Error::INVALID);
                    }
                }
                Ask::Getattr { fid } | Ask::Clunk { fid } | Ask::Remove { fid } => drop(self.get(*fid)?),
                Ask::Walk { .. } | Ask::Version | Ask::Flush { .. } => {}
            }
            Ok(())
        };
        check().err()
    }

    fn set(&mut self, fid: u32, path: Path, state: State) {
        self.fids.insert(fid, Entry { path, state });
    }

    fn opened(&mut self, fid: u32, path: Path, flags: OpenFlags) -> Qid {
        let file = path.file();
        let (is_stream, is_dir) = (self.tree.is_pipe(file), self.tree.is_dir(file));
        self.set(fid, path, State::Open(Opened { flags, is_stream, is_dir, rest: None }));
        self.tree.qid(file)
    }

    /// What a request that is not refused comes to, there and then.
    pub(super) fn now(&mut self, ask: &Ask) -> Outcome {
        let iounit = MSIZE - IO_HEADER;
        let linux = self.dialect == Dialect::P9P2000L;
        let message = match ask {
            Ask::Attach { fid, .. } => {
                self.set(*fid, Path::default(), State::Unopened);
                Rmessage::Attach { qid: self.tree.qid(0) }
            }
            Ask::Open { fid, mode } => {
                let path = self.fids[fid].path.clone();
                let flags = if linux {
                    flags(*mode)
                } else {
                    OpenMode::from_bits_retain(*mode).to_flags(self.dialect)
                };
                if !linux && self.tree.is_dir(path.file()) {
                    // The server's own rule: listings of stat records are tested where they are made.
                    return Err(Error::PERMISSION);
                }
                self.tree.open(path.file(), flags.contains(OpenFlags::TRUNC));
                let qid = self.opened(*fid, path, flags);
                if linux { Rmessage::Lopen { qid, iounit } } else { Rmessage::Open { qid, iounit } }
            }
            Ask::Create { fid, name, mode } => {
                let dir = self.fids[fid].path.clone();
                let file = self.tree.make(&dir, name, Body::Data(Vec::new()))?;
                let qid = self.opened(*fid, dir.below(name, file), flags(*mode) | OpenFlags::CREAT);
                Rmessage::Lcreate { qid, iounit }
            }
            Ask::Mkdir { fid, name } => {
                let dir = self.fids[fid].path.clone();
                let made = self.tree.make(&dir, name, Body::Dir(BTreeMap::new()))?;
                Rmessage::Mkdir { qid: self.tree.qid(made) }
            }
            Ask::Read { fid, offset, count } => {
                let limit = (*count).min(MSIZE - READ_OVERHEAD as u32) as usize;
                let entry = &self.fids[fid];
                return match &entry.state {
                    State::Value(value) => {
                        let from = usize::try_from(*offset).unwrap_or(usize::MAX).min(value.len());
                        self.read_reply(&value[from..value.len().min(from + limit)])
                    }
                    _ => self.read_reply(&self.tree.read(entry.path.file(), *offset, limit)),
                };
            }
            Ask::Write { fid, offset, data } => {
                let entry = self.fids.get_mut(fid).ok_or(Error::UNKNOWN_FID)?;
                if let State::Sink { value, .. } = &mut entry.state {
                    value.extend_from_slice(data);
                    return self.frame(Rmessage::Write { count: data.len() as u32 });
                }
                let file = entry.path.file();
                Rmessage::Write { count: self.tree.write(file, *offset, data)? as u32 }
            }
            Ask::Clunk { fid } => {
                let entry = self.fids.remove(fid).ok_or(Error::UNKNOWN_FID)?;
                self.clunked(entry)?;
                Rmessage::Clunk {}
            }
            Ask::Remove { fid } => {
                let entry = self.fids.remove(fid).ok_or(Error::UNKNOWN_FID)?;
                self.tree.remove(&entry.path)?;
                Rmessage::Remove {}
            }
            Ask::Getattr { fid } => Rmessage::Getattr { attr: self.tree.attr(self.fids[fid].path.file()) },
            Ask::Readdir { fid, offset, count } => {
                let limit = (*count).min(MSIZE - READ_OVERHEAD as u32) as usize;
                let file = self.fids[fid].path.file();
                let (mut data, mut full) = (Vec::new(), false);
                let names = self
                    .tree
                    .names(file)?
                    .iter()
                    .enumerate()
                    .skip(usize::try_from(*offset).unwrap_or(usize::MAX));
                for (index, (name, file)) in names {
                    let (qid, kind) = (self.tree.qid(*file), self.tree.kind(*file));
                    let entry = DirEntry { qid, offset: index as u64 + 1, kind, name };
                    full |= data.len() + entry.encoded_len() > limit;
                    if !full {
                        put_entry(&entry, &mut data).expect("a short name");
                    }
                }
                if data.is_empty() && full {
                    return Err(Error::INVALID);
                }
                return self.frame(Rmessage::Readdir { data: Data(&data) });
            }
            Ask::Renameat { fid, old, newfid, new } => {
                let (from, to) = (self.fids[fid].path.file(), self.fids[newfid].path.file());
                self.tree.rename((from, old), (to, new))?;
                Rmessage::Renameat {}
            }
            Ask::Unlinkat { fid, name } => {
                self.tree.unlink(self.fids[fid].path.file(), name)?;
                Rmessage::Unlinkat {}
            }
            Ask::Xattrwalk { fid, newfid, name } => {
                let path = self.fids[fid].path.clone();
                let value = match name {
                    [] => self.tree.xattr_list(path.file()),
                    name => self.tree.xattr(path.file(), name)?,
                };
                let size = value.len() as u64;
                self.set(*newfid, path, State::Value(value));
                Rmessage::Xattrwalk { size }
            }
            Ask::Xattrcreate { fid, name, size, flags } => {
                let path = self.fids[fid].path.clone();
                let (name, size) = (name.to_vec(), *size as usize);
                self.set(*fid, path, State::Sink { name, size, flags: *flags, value: Vec::new() });
                Rmessage::Xattrcreate {}
            }
            Ask::Fsync { .. } => Rmessage::Fsync {},
            Ask::Auth { .. } | Ask::Walk { .. } | Ask::Version | Ask::Flush { .. } => {
                unreachable!("answered before")
            }
        };
        self.frame(message)
    }

    fn clunked(&mut self, entry: Entry) -> Result<(), Error> {
        let State::Sink { name, size, flags, value } = entry.state else { return Ok(()) };
        if value.len() != size {
            return Err(Error::INVALID);
        }
        if value.is_empty() && flags & 2 != 0 {
            self.tree.remove_xattr(entry.path.file(), &name)
        } else {
            self.tree.set_xattr(entry.path.file(), &name, &value);
            Ok(())
        }
    }
}
