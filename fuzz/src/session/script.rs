//! What a client may ask, drawn from few fids, tags and names, so that they meet often.

use crate::bytes::Bytes;
use nine::wire::*;

/// A request that owns what it says.
#[derive(Clone, Debug)]
pub enum Ask {
    Version,
    Attach { fid: u32, afid: u32 },
    Auth { afid: u32 },
    Flush { oldtag: u16 },
    Walk { fid: u32, newfid: u32, names: Vec<&'static [u8]> },
    Open { fid: u32, mode: u8 },
    Create { fid: u32, name: &'static [u8], mode: u8 },
    Mkdir { fid: u32, name: &'static [u8] },
    Read { fid: u32, offset: u64, count: u32 },
    Write { fid: u32, offset: u64, data: Vec<u8> },
    Clunk { fid: u32 },
    Remove { fid: u32 },
    Getattr { fid: u32 },
    Readdir { fid: u32, offset: u64, count: u32 },
    Renameat { fid: u32, old: &'static [u8], newfid: u32, new: &'static [u8] },
    Unlinkat { fid: u32, name: &'static [u8] },
    Xattrwalk { fid: u32, newfid: u32, name: &'static [u8] },
    Xattrcreate { fid: u32, name: &'static [u8], size: u64, flags: u32 },
    Fsync { fid: u32 },
}

const NAMES: [&[u8]; 12] =
    [b"plain", b"slow", b"pipe", b"lazy", b"deep", b"new", b"..", b".", b"", b"a/b", b"nul\0", b"\xff\xfe"];
const OFFSETS: [u64; 8] = [0, 0, 1, 5, 60, 1 << 40, i64::MAX as u64, 1 << 63];
const COUNTS: [u32; 6] = [0, 1, 5, 40, 5000, u32::MAX];
const MODES: [u8; 6] = [0, 1, 2, 3, 0x11, 0x12];
const SIZES: [u64; 6] = [0, 1, 4, 65536, 65537, 1 << 60];

fn fid(bytes: &mut Bytes<'_>) -> u32 {
    match bytes.below(9) {
        8 => u32::MAX,
        fid => fid.into(),
    }
}

fn name(bytes: &mut Bytes<'_>) -> &'static [u8] {
    NAMES[usize::from(bytes.byte()) % NAMES.len()]
}

pub fn tag(bytes: &mut Bytes<'_>) -> u16 {
    bytes.below(12).into()
}

impl Ask {
    pub fn draw(bytes: &mut Bytes<'_>) -> Ask {
        let kind = bytes.below(40);
        let fid_ = fid(bytes);
        let fid = |bytes: &mut Bytes<'_>| fid(bytes);
        match kind {
            0..=7 => {
                let newfid = fid(bytes);
                let names = (0..bytes.below(4)).map(|_| name(bytes)).collect();
                Ask::Walk { fid: fid_, newfid, names }
            }
            8..=12 => Ask::Open { fid: fid_, mode: *bytes.one_of(&MODES) },
            13..=17 => {
                Ask::Read { fid: fid_, offset: *bytes.one_of(&OFFSETS), count: *bytes.one_of(&COUNTS) }
            }
            18..=21 => {
                let offset = *bytes.one_of(&OFFSETS);
                Ask::Write { fid: fid_, offset, data: bytes.slice(40).to_vec() }
            }
            22..=24 => Ask::Clunk { fid: fid_ },
            25 => Ask::Remove { fid: fid_ },
            26 | 27 => Ask::Flush { oldtag: tag(bytes) },
            28 => Ask::Getattr { fid: fid_ },
            29 => Ask::Readdir { fid: fid_, offset: *bytes.one_of(&OFFSETS), count: *bytes.one_of(&COUNTS) },
            30 => Ask::Create { fid: fid_, name: name(bytes), mode: *bytes.one_of(&MODES) },
            31 => Ask::Mkdir { fid: fid_, name: name(bytes) },
            32 => {
                let (old, newfid) = (name(bytes), fid(bytes));
                Ask::Renameat { fid: fid_, old, newfid, new: name(bytes) }
            }
            33 => Ask::Unlinkat { fid: fid_, name: name(bytes) },
            34 => Ask::Xattrwalk { fid: fid_, newfid: fid(bytes), name: name(bytes) },
            35 => {
                let name = name(bytes);
                let (size, flags) = (*bytes.one_of(&SIZES), bytes.below(3).into());
                Ask::Xattrcreate { fid: fid_, name, size, flags }
            }
            36 => Ask::Fsync { fid: fid_ },
            37 | 38 => Ask::Attach { fid: fid_, afid: if bytes.below(4) == 0 { 1 } else { u32::MAX } },
            _ if bytes.below(2) == 0 => Ask::Auth { afid: fid_ },
            _ => Ask::Version,
        }
    }

    /// The frame; none where the dialect has no such message.
    pub fn frame(&self, dialect: Dialect, msize: u32, tag: u16) -> Option<Vec<u8>> {
        let linux = dialect == Dialect::P9P2000L;
        let none = Name(b"");
        let n_uname = Extension((dialect != Dialect::P9P2000).then_some(Uid::NONE));
        let walked;
        let message = match self {
            Ask::Version => {
                Tmessage::Version { msize: Msize(msize), version: Name(dialect.version().as_bytes()) }
            }
            Ask::Attach { fid, afid } => {
                Tmessage::Attach { fid: Fid(*fid), afid: Fid(*afid), uname: none, aname: none, n_uname }
            }
            Ask::Auth { afid } => Tmessage::Auth { afid: Fid(*afid), uname: none, aname: none, n_uname },
            Ask::Flush { oldtag } => Tmessage::Flush { oldtag: Tag(*oldtag) },
            Ask::Walk { fid, newfid, names } => {
                walked = NamesBuf::new(names).expect("few");
                Tmessage::Walk { fid: Fid(*fid), newfid: Fid(*newfid), names: walked.as_names() }
            }
            Ask::Open { fid, mode } if linux => Tmessage::Lopen { fid: Fid(*fid), flags: flags(*mode) },
            Ask::Open { fid, mode } => {
                Tmessage::Open { fid: Fid(*fid), mode: OpenMode::from_bits_retain(*mode) }
            }
            Ask::Create { fid, name, mode } => Tmessage::Lcreate {
                fid: Fid(*fid),
                name: Name(name),
                flags: flags(*mode),
                mode: Mode(0o644),
                gid: Gid(0),
            },
            Ask::Mkdir { fid, name } => {
                Tmessage::Mkdir { dfid: Fid(*fid), name: Name(name), mode: Mode(0o755), gid: Gid(0) }
            }
            Ask::Read { fid, offset, count } => {
                Tmessage::Read { fid: Fid(*fid), offset: *offset, count: *count }
            }
            Ask::Write { fid, offset, data } => {
                Tmessage::Write { fid: Fid(*fid), offset: *offset, data: Data(data) }
            }
            Ask::Clunk { fid } => Tmessage::Clunk { fid: Fid(*fid) },
            Ask::Remove { fid } => Tmessage::Remove { fid: Fid(*fid) },
            Ask::Getattr { fid } => Tmessage::Getattr { fid: Fid(*fid), mask: AttrMask::BASIC },
            Ask::Readdir { fid, offset, count } => {
                Tmessage::Readdir { fid: Fid(*fid), offset: *offset, count: *count }
            }
            Ask::Renameat { fid, old, newfid, new } => Tmessage::Renameat {
                olddirfid: Fid(*fid),
                oldname: Name(old),
                newdirfid: Fid(*newfid),
                newname: Name(new),
            },
            Ask::Unlinkat { fid, name } => {
                Tmessage::Unlinkat { dirfid: Fid(*fid), name: Name(name), flags: UnlinkFlags::empty() }
            }
            Ask::Xattrwalk { fid, newfid, name } => {
                Tmessage::Xattrwalk { fid: Fid(*fid), newfid: Fid(*newfid), name: Name(name) }
            }
            Ask::Xattrcreate { fid, name, size, flags } => Tmessage::Xattrcreate {
                fid: Fid(*fid),
                name: Name(name),
                attr_size: *size,
                flags: XattrFlags::from_bits_retain(*flags),
            },
            Ask::Fsync { fid } => Tmessage::Fsync { fid: Fid(*fid), datasync: Later(None) },
        };
        let mut frame = Vec::new();
        message.encode(dialect, Tag(tag), &mut frame).ok()?;
        Some(frame)
    }
}

/// An open mode in .L's words.
pub fn flags(mode: u8) -> OpenFlags {
    match mode & 3 {
        // .L has no OEXEC; 3 is Linux's mode that neither reads nor writes.
        3 => OpenFlags::from_bits_retain(3),
        _ => OpenMode::from_bits_retain(mode).to_flags(Dialect::P9P2000L),
    }
}
