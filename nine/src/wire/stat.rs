//! The stat record of 9P2000 and .u: stat(5).

use std::fmt;

use super::Dialect;
use super::decode::{DecodeError, Reader};
use super::encode::{EncodeError, Sink, Writer};
use super::field::{Extension, Field, Name};
use super::flags::Perm;
use super::ids::{Gid, Qid, Uid};

/// What a file is, in stat(5)'s words; in a Twstat all ones and empty strings mean "leave it".
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stat<'a> {
    /// The server's kind of device.
    pub kind: u16,
    /// The device's number.
    pub dev: u32,
    /// Identity.
    pub qid: Qid,
    /// Kind and permissions.
    pub mode: Perm,
    /// Last access, in seconds since 1970.
    pub atime: u32,
    /// Last change, in seconds since 1970.
    pub mtime: u32,
    /// Length in bytes; 0 for directories and devices.
    pub length: u64,
    /// Its last name.
    pub name: Name<'a>,
    /// Owner.
    pub uid: Name<'a>,
    /// Group.
    pub gid: Name<'a>,
    /// Who changed it last.
    pub muid: Name<'a>,
    /// .u: the target of a link, the numbers of a device.
    pub extension: Extension<Name<'a>>,
    /// .u: owner.
    pub n_uid: Extension<Uid>,
    /// .u: group.
    pub n_gid: Extension<Gid>,
    /// .u: who changed it last.
    pub n_muid: Extension<Uid>,
}

impl super::field::Absent for Gid {
    const ABSENT: Self = Self::NONE;
}

impl Stat<'_> {
    /// The Twstat that changes nothing (and so asks for a sync).
    pub const UNCHANGED: Stat<'static> = Stat {
        kind: u16::MAX,
        dev: u32::MAX,
        qid: Qid { kind: super::QidKind::all(), version: u32::MAX, path: u64::MAX },
        mode: Perm::all(),
        atime: u32::MAX,
        mtime: u32::MAX,
        length: u64::MAX,
        name: Name(&[]),
        uid: Name(&[]),
        gid: Name(&[]),
        muid: Name(&[]),
        extension: Extension(None),
        n_uid: Extension(None),
        n_gid: Extension(None),
        n_muid: Extension(None),
    };

    /// Appends the record as it stands in a directory: `size[2]` and the fields.
    ///
    /// # Errors
    /// Strings that its 16-bit lengths cannot say; nothing is written then.
    pub fn encode(&self, dialect: Dialect, out: &mut impl Sink) -> Result<(), EncodeError> {
        let mut w = Writer::bare(out, dialect, "stat");
        self.put_record(&mut w);
        w.finish_bare()
    }

    /// The first record of a directory's data, and what follows it.
    ///
    /// # Errors
    /// A record that is cut off or inconsistent.
    pub fn decode(dialect: Dialect, data: &[u8]) -> Result<(Stat<'_>, &[u8]), DecodeError> {
        let mut r = Reader::new(data, dialect, "stat");
        let stat = Stat::take_record(&mut r)?;
        Ok((stat, r.rest()))
    }

    fn put_record<S: Sink>(&self, w: &mut Writer<'_, S>) {
        let size = w.open_u16();
        w.bytes(&self.kind.to_le_bytes());
        self.dev.put(w);
        self.qid.put(w);
        self.mode.put(w);
        self.atime.put(w);
        self.mtime.put(w);
        self.length.put(w);
        for (field, name) in [("name", self.name), ("uid", self.uid), ("gid", self.gid), ("muid", self.muid)]
        {
            w.field = field;
            name.put(w);
        }
        if w.dialect == Dialect::P9P2000U {
            w.field = "extension";
            self.extension.put(w);
            self.n_uid.put(w);
            self.n_gid.put(w);
            self.n_muid.put(w);
        }
        w.field = "stat";
        w.close_u16(size);
    }
}

impl<'a> Stat<'a> {
    fn take_record(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        r.field = "size";
        let size = r.u16()?;
        let content = r.bytes(size.into())?;
        let mut r = Reader::new(content, r.dialect, r.message);
        let r = &mut r;
        let unix = r.dialect == Dialect::P9P2000U;
        let field = |r: &mut Reader<'a>, name| r.field = name;
        field(r, "type");
        let kind = r.u16()?;
        field(r, "dev");
        let dev = r.u32()?;
        field(r, "qid");
        let qid = Qid::take(r)?;
        field(r, "mode");
        let mode = Perm::take(r)?;
        field(r, "atime");
        let atime = r.u32()?;
        field(r, "mtime");
        let mtime = r.u32()?;
        field(r, "length");
        let length = r.u64()?;
        field(r, "name");
        let name = Name::take(r)?;
        field(r, "uid");
        let uid = Name::take(r)?;
        field(r, "gid");
        let gid = Name::take(r)?;
        field(r, "muid");
        let muid = Name::take(r)?;
        let (mut extension, mut n_uid, mut n_gid, mut n_muid) = Default::default();
        if unix {
            field(r, "extension");
            extension = Extension::take(r)?;
            field(r, "n_uid");
            n_uid = Extension::take(r)?;
            field(r, "n_gid");
            n_gid = Extension::take(r)?;
            field(r, "n_muid");
            n_muid = Extension::take(r)?;
        }
        if !r.is_empty() {
            return Err(DecodeError::StatSize { message: r.message, size });
        }
        Ok(Self {
            kind,
            dev,
            qid,
            mode,
            atime,
            mtime,
            length,
            name,
            uid,
            gid,
            muid,
            extension,
            n_uid,
            n_gid,
            n_muid,
        })
    }

    /// A copy that outlives the frame.
    pub fn to_owned(&self) -> OwnedStat {
        let extension = self.extension.0.map(|name| name.0.to_vec());
        OwnedStat {
            fields: Stat {
                name: Name(&[]),
                uid: Name(&[]),
                gid: Name(&[]),
                muid: Name(&[]),
                extension: Extension(None),
                ..*self
            },
            name: self.name.0.to_vec(),
            uid: self.uid.0.to_vec(),
            gid: self.gid.0.to_vec(),
            muid: self.muid.0.to_vec(),
            extension,
        }
    }
}

/// In Rstat and Twstat the record has a second size in front of it.
impl<'a> Field<'a> for Stat<'a> {
    fn take(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let size = r.u16()?;
        let content = r.bytes(size.into())?;
        let mut inner = Reader::new(content, r.dialect, r.message);
        let stat = Self::take_record(&mut inner)?;
        if !inner.is_empty() {
            return Err(DecodeError::StatSize { message: r.message, size });
        }
        Ok(stat)
    }

    fn put<S: Sink>(&self, w: &mut Writer<'_, S>) {
        let size = w.open_u16();
        self.put_record(w);
        w.close_u16(size);
    }

    fn words(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "(name {} qid {} mode {} length {} uid {} gid {} mtime {})",
            self.name, self.qid, self.mode, self.length, self.uid, self.gid, self.mtime
        )
    }
}

/// A [`Stat`] with strings of its own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OwnedStat {
    fields: Stat<'static>,
    name: Vec<u8>,
    uid: Vec<u8>,
    gid: Vec<u8>,
    muid: Vec<u8>,
    extension: Option<Vec<u8>>,
}

impl OwnedStat {
    /// The record.
    pub fn as_stat(&self) -> Stat<'_> {
        Stat {
            name: Name(&self.name),
            uid: Name(&self.uid),
            gid: Name(&self.gid),
            muid: Name(&self.muid),
            extension: Extension(self.extension.as_deref().map(Name)),
            ..self.fields
        }
    }
}
