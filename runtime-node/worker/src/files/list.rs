//! Directories: what is in them.

use super::Tree;
use super::walk::{Follow, Keep};
use crate::link::unexpected;
use nine::wire::{DirEntries, DirEntryKind, OpenFlags, Rmessage, Tmessage};
use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

/// One name of a directory.
#[derive(Clone, Debug)]
pub struct Entry {
    pub name: OsString,
    pub kind: DirEntryKind,
}

impl Tree {
    /// Every name but `.` and `..`.
    pub async fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        let count = self.link().chunk() as u32;
        let reached = self
            .at(path, Follow::Yes, Keep::Yes, &|batch, fid| {
                batch.push(&Tmessage::Lopen { fid, flags: OpenFlags::DIRECTORY });
                batch.push(&Tmessage::Readdir { fid, offset: 0, count });
            })
            .await?;
        reached.replies[0].done()?;
        let mut entries = Vec::new();
        let mut offset = match reached.replies[1].reply()? {
            Rmessage::Readdir { data } => take(data.0, count, &mut entries)?,
            other => return Err(unexpected(&other)),
        };
        let handle = reached.handle();
        while let Some(last) = offset {
            let request = Tmessage::Readdir { fid: handle.fid(), offset: last, count };
            let frame = self.link().ask(&request).await?;
            offset = match frame.reply()? {
                Rmessage::Readdir { data } => take(data.0, count, &mut entries)?,
                other => return Err(unexpected(&other)),
            };
        }
        handle.clunk_later();
        Ok(entries)
    }
}

/// What one more name may take in an Rreaddir: its qid, offset and kind, its length, and NAME_MAX bytes.
const MOST_ENTRY: usize = 13 + 8 + 1 + 2 + 255;

/// Adds what an Rreaddir brought that was to bring up to `count` bytes; where the next begins, unless this was the end: the
/// server leaves no room that a name may fit into while there are more.
fn take(data: &[u8], count: u32, entries: &mut Vec<Entry>) -> io::Result<Option<u64>> {
    let mut last = None;
    for entry in DirEntries::new(data) {
        let entry = entry.map_err(io::Error::other)?;
        last = Some(entry.offset);
        if !matches!(entry.name, b"." | b"..") {
            entries.push(Entry { name: OsString::from_vec(entry.name.to_vec()), kind: entry.kind });
        }
    }
    Ok(last.filter(|_| data.len() + MOST_ENTRY > count as usize))
}
