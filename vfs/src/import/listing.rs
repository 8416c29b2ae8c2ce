//! Listing a directory of the server: a reply's entries are given out as they are asked for, so that a caller who takes few
//! at a time does not ask the server each time.
//!
//! Cookies are the server's offsets in .L. In 9P2000 and .u, where a directory can only be read from the start on, it is
//! read as a whole when a listing starts, and cookies count its entries.

use super::tree::Tree;
use super::words;
use crate::*;
use bytes::Bytes;
use nine::client::Fid;
use nine::wire::{self, Dialect, DirEntries};
use parking_lot::Mutex;
use std::sync::Arc;

#[derive(Default)]
pub(super) struct Listing {
    ahead: Mutex<Ahead>,
}

#[derive(Default)]
enum Ahead {
    #[default]
    Nothing,
    /// What follows a cookie, of the last reply.
    Reply(u64, Bytes),
    Whole(Arc<Vec<Named>>),
}

/// An entry of a directory that was read as a whole.
struct Named {
    name: Vec<u8>,
    qid: Qid,
}

impl Listing {
    pub async fn list(&self, tree: &Tree, fid: &Fid, cookie: u64, sink: &mut Sink<'_>) -> Result<()> {
        if tree.client.dialect() == Dialect::P9P2000L {
            self.list_on(tree, fid, cookie, sink).await
        } else {
            self.list_whole(tree, fid, cookie, sink).await
        }
    }

    async fn list_on(&self, tree: &Tree, fid: &Fid, mut cookie: u64, sink: &mut Sink<'_>) -> Result<()> {
        let mut reply = match std::mem::take(&mut *self.ahead.lock()) {
            // Who starts anew wants to see what is new.
            Ahead::Reply(at, rest) if at == cookie && cookie != 0 => rest,
            _ => Bytes::new(),
        };
        loop {
            if reply.is_empty() {
                reply = tree.said(fid.readdir(cookie).await)?;
            }
            if reply.is_empty() {
                return Ok(());
            }
            let before = cookie;
            let mut rest = reply.len();
            for entry in DirEntries::new(&reply) {
                let entry = entry.map_err(|fault| broken(tree, &fault))?;
                // What no name can be cannot be walked to either.
                if let Ok(name) = Name::new(entry.name)
                    && !sink(DirEntry { name, qid: shown(tree, &entry), cookie: entry.offset.max(1) })
                {
                    let at = reply.len() - rest;
                    *self.ahead.lock() = Ahead::Reply(cookie, reply.slice(at..));
                    return Ok(());
                }
                rest -= entry.encoded_len();
                cookie = entry.offset;
            }
            if cookie == before {
                return Err(broken(tree, &"a listing that does not go on"));
            }
            reply = Bytes::new();
        }
    }

    async fn list_whole(&self, tree: &Tree, fid: &Fid, cookie: u64, sink: &mut Sink<'_>) -> Result<()> {
        let read = match &*self.ahead.lock() {
            Ahead::Whole(entries) if cookie != 0 => Some(entries.clone()),
            _ => None,
        };
        let entries = match read {
            Some(entries) => entries,
            None => {
                let entries = Arc::new(read_whole(tree, fid).await?);
                *self.ahead.lock() = Ahead::Whole(entries.clone());
                entries
            }
        };
        let start = usize::try_from(cookie).unwrap_or(usize::MAX);
        for (index, entry) in entries.iter().enumerate().skip(start) {
            let Ok(name) = Name::new(&entry.name) else { continue };
            if !sink(DirEntry { name, qid: entry.qid, cookie: index as u64 + 1 }) {
                break;
            }
        }
        Ok(())
    }
}

async fn read_whole(tree: &Tree, fid: &Fid) -> Result<Vec<Named>> {
    let mut entries = Vec::new();
    let mut offset = 0;
    loop {
        let data = tree.said(fid.readdir(offset).await)?;
        if data.is_empty() {
            return Ok(entries);
        }
        offset += data.len() as u64;
        let mut left = &data[..];
        while !left.is_empty() {
            let (stat, rest) =
                wire::Stat::decode(tree.client.dialect(), left).map_err(|fault| broken(tree, &fault))?;
            let kind = words::kind(wire::Mode(0), stat.qid);
            let path = tree.numbers.shown(stat.qid.path);
            entries.push(Named {
                name: stat.name.0.to_vec(),
                qid: Qid { kind, version: stat.qid.version, path },
            });
            left = rest;
        }
    }
}

fn shown(tree: &Tree, entry: &wire::DirEntry<'_>) -> Qid {
    // The kind is that of st_mode, shifted down (DT_* in dirent.h); 0 leaves it to the qid.
    let kind = words::kind(wire::Mode(u32::from(entry.kind.0) << 12), entry.qid);
    Qid { kind, version: entry.qid.version, path: tree.numbers.shown(entry.qid.path) }
}

fn broken(tree: &Tree, fault: &dyn std::fmt::Display) -> Error {
    Error::new(Errno::EPROTO, format!("{}: {fault}", tree.server))
}
