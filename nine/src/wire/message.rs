//! Every message of the three dialects: its number, who speaks it, its fields in the order of the wire.
//!
//! The sources: section 5 of the Plan 9 manual, Van Hensbergen's 9P2000.u draft, and diod's protocol.md for .L.

use std::fmt;

use super::attr::{Attr, SetAttrFields, StatFs};
use super::decode::{DecodeError, Reader, open_frame};
use super::encode::{EncodeError, Sink, Writer};
use super::field::{Data, DotlError, Extension, Field, Later, Name, UnixErrno};
use super::flags::*;
use super::ids::*;
use super::lock::{LockKind, LockStatus, LockedRange};
use super::names::{Names, QidList};
use super::stat::Stat;

/// Who speaks a message.
#[derive(Clone, Copy)]
enum Speakers {
    Any,
    /// 9P2000 and .u.
    Classic,
    /// .L alone.
    Linux,
}

impl Speakers {
    fn include(self, dialect: Dialect) -> bool {
        match self {
            Self::Any => true,
            Self::Classic => dialect != Dialect::P9P2000L,
            Self::Linux => dialect == Dialect::P9P2000L,
        }
    }
}

macro_rules! messages {
    ($(#[$doc:meta])* $enum:ident, odd numbers are $wrong:ident $parity:literal;
     $($(#[$message_doc:meta])* $variant:ident = $name:literal $kind:literal $speakers:ident
        { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* })*) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum $enum<'a> {
            $($(#[$message_doc])* $variant { $($(#[$field_doc])* $field: $type,)* },)*
        }

        impl<'a> $enum<'a> {
            /// Reads one whole frame, size field included.
            ///
            /// # Errors
            /// Whatever is wrong with it; see [`DecodeError`].
            pub fn decode(dialect: Dialect, frame: &'a [u8]) -> Result<(Tag, Self), DecodeError> {
                let (kind, tag, body) = open_frame(frame)?;
                let message = match kind {
                    $($kind => {
                        if !Speakers::$speakers.include(dialect) {
                            return Err(DecodeError::NotInDialect { message: $name, dialect });
                        }
                        #[allow(unused_mut)]
                        let mut r = Reader::new(body, dialect, $name);
                        $(r.field = stringify!($field); let $field = <$type>::take(&mut r)?;)*
                        r.finish()?;
                        Self::$variant { $($field),* }
                    })*
                    kind if kind % 2 != $parity && (100..128).contains(&kind) | (6..78).contains(&kind) => {
                        return Err(DecodeError::$wrong { kind });
                    }
                    kind => return Err(DecodeError::UnknownType { kind }),
                };
                Ok((tag, message))
            }

            /// Appends the message as one frame.
            ///
            /// # Errors
            /// What no frame of this dialect can say; nothing is written then.
            pub fn encode(
                &self, dialect: Dialect, tag: Tag, out: &mut impl Sink,
            ) -> Result<(), EncodeError> {
                match self {
                    $(Self::$variant { $($field),* } => {
                        if !Speakers::$speakers.include(dialect) {
                            return Err(EncodeError::NotInDialect { message: $name, dialect });
                        }
                        #[allow(unused_mut)]
                        let mut w = Writer::begin(out, dialect, $name, $kind, tag);
                        $(w.field = stringify!($field); $field.put(&mut w);)*
                        w.finish()
                    })*
                }
            }

            /// The message's name in the manual.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$variant { .. } => $name,)*
                }
            }

            /// The name in the manual of the message by that number.
            pub fn name_of(kind: u8) -> Option<&'static str> {
                match kind {
                    $($kind => Some($name),)*
                    _ => None,
                }
            }

            /// The message in words, as a trace prints it: `Tread tag 3 fid 5 offset 0 count 8192`.
            pub fn with_tag(&self, tag: Tag) -> impl fmt::Display + '_ {
                fmt::from_fn(move |f| {
                    write!(f, "{} tag {tag}", self.name())?;
                    match self {
                        $(Self::$variant { $($field),* } => {
                            $(
                                write!(f, " {} ", stringify!($field))?;
                                $field.words(f)?;
                            )*
                        })*
                    }
                    Ok(())
                })
            }
        }
    };
}

messages! {
    /// What a client asks.
    Tmessage, odd numbers are ReplyAsRequest 0;

    /// version(5): which protocol, and the largest frame. It ends whatever went before.
    Version = "Tversion" 100 Any {
        /// The largest frame the client takes.
        msize: Msize,
        /// The dialect it wants.
        version: Name<'a>,
    }
    /// attach(5): opens an authentication file.
    Auth = "Tauth" 102 Any {
        /// The fid it becomes.
        afid: Fid,
        /// The user.
        uname: Name<'a>,
        /// The tree.
        aname: Name<'a>,
        /// The user's number.
        n_uname: Extension<Uid>,
    }
    /// attach(5): a fid for a tree's root.
    Attach = "Tattach" 104 Any {
        /// The fid it becomes.
        fid: Fid,
        /// What Tauth made, or [`Fid::NONE`].
        afid: Fid,
        /// The user.
        uname: Name<'a>,
        /// The tree.
        aname: Name<'a>,
        /// The user's number.
        n_uname: Extension<Uid>,
    }
    /// flush(5): a request need not be answered any more.
    Flush = "Tflush" 108 Any {
        /// The request.
        oldtag: Tag,
    }
    /// walk(5): from one file to another by names.
    Walk = "Twalk" 110 Any {
        /// Where it starts.
        fid: Fid,
        /// The fid of where it ends.
        newfid: Fid,
        /// At most sixteen names.
        names: Names<'a>,
    }
    /// open(5).
    Open = "Topen" 112 Classic {
        /// The file.
        fid: Fid,
        /// For what.
        mode: OpenMode,
    }
    /// open(5): makes a file in a directory, whose fid then is the new file, open.
    Create = "Tcreate" 114 Classic {
        /// The directory.
        fid: Fid,
        /// The file's name.
        name: Name<'a>,
        /// Its kind and permissions.
        perm: Perm,
        /// What to open it for.
        mode: OpenMode,
        /// .u: a link's target, a device's numbers.
        extension: Extension<Name<'a>>,
    }
    /// read(5).
    Read = "Tread" 116 Any {
        /// An open file.
        fid: Fid,
        /// The first byte.
        offset: u64,
        /// At most so many.
        count: u32,
    }
    /// read(5).
    Write = "Twrite" 118 Any {
        /// An open file.
        fid: Fid,
        /// Where the data goes.
        offset: u64,
        /// The data.
        data: Data<'a>,
    }
    /// clunk(5): the fid is no more.
    Clunk = "Tclunk" 120 Any {
        /// The fid.
        fid: Fid,
    }
    /// remove(5): the file is no more, and neither is the fid, even if removing fails.
    Remove = "Tremove" 122 Any {
        /// The file.
        fid: Fid,
    }
    /// stat(5).
    Stat = "Tstat" 124 Classic {
        /// The file.
        fid: Fid,
    }
    /// stat(5): all of it or nothing.
    Wstat = "Twstat" 126 Classic {
        /// The file.
        fid: Fid,
        /// What to change.
        stat: Stat<'a>,
    }
    /// statfs(2).
    Statfs = "Tstatfs" 8 Linux {
        /// A file of the file system.
        fid: Fid,
    }
    /// open(2).
    Lopen = "Tlopen" 12 Linux {
        /// The file.
        fid: Fid,
        /// For what.
        flags: OpenFlags,
    }
    /// open(2) with O_CREAT: the directory's fid becomes the new file, open.
    Lcreate = "Tlcreate" 14 Linux {
        /// The directory.
        fid: Fid,
        /// The file's name.
        name: Name<'a>,
        /// What to open it for.
        flags: OpenFlags,
        /// Its permissions.
        mode: Mode,
        /// Its group.
        gid: Gid,
    }
    /// symlink(2).
    Symlink = "Tsymlink" 16 Linux {
        /// The directory.
        dfid: Fid,
        /// The link's name.
        name: Name<'a>,
        /// What it says.
        target: Name<'a>,
        /// Its group.
        gid: Gid,
    }
    /// mknod(2).
    Mknod = "Tmknod" 18 Linux {
        /// The directory.
        dfid: Fid,
        /// The node's name.
        name: Name<'a>,
        /// Its kind and permissions.
        mode: Mode,
        /// Device number, upper half.
        major: u32,
        /// Device number, lower half.
        minor: u32,
        /// Its group.
        gid: Gid,
    }
    /// rename(2) by fid; Linux uses it where Trenameat is not supported.
    Rename = "Trename" 20 Linux {
        /// The file.
        fid: Fid,
        /// Its new directory.
        dfid: Fid,
        /// Its new name.
        name: Name<'a>,
    }
    /// readlink(2).
    Readlink = "Treadlink" 22 Linux {
        /// The link.
        fid: Fid,
    }
    /// stat(2).
    Getattr = "Tgetattr" 24 Linux {
        /// The file.
        fid: Fid,
        /// Which attributes are wanted.
        mask: AttrMask,
    }
    /// chmod(2), chown(2), truncate(2), utimensat(2).
    Setattr = "Tsetattr" 26 Linux {
        /// The file.
        fid: Fid,
        /// What to change.
        attr: SetAttrFields,
    }
    /// getxattr(2), listxattr(2): newfid reads as the attribute, or as the list of names.
    Xattrwalk = "Txattrwalk" 30 Linux {
        /// The file.
        fid: Fid,
        /// The fid of the attribute.
        newfid: Fid,
        /// Its name; empty for the list.
        name: Name<'a>,
    }
    /// setxattr(2): what is then written to the fid is set when it is clunked.
    Xattrcreate = "Txattrcreate" 32 Linux {
        /// The file.
        fid: Fid,
        /// The attribute.
        name: Name<'a>,
        /// How long it is; 0 removes it.
        attr_size: u64,
        /// Whether it may or must exist.
        flags: XattrFlags,
    }
    /// getdents(2).
    Readdir = "Treaddir" 40 Linux {
        /// An open directory.
        fid: Fid,
        /// 0, or the offset of the last entry seen.
        offset: u64,
        /// At most so many bytes.
        count: u32,
    }
    /// fsync(2).
    Fsync = "Tfsync" 50 Linux {
        /// An open file.
        fid: Fid,
        /// Whether the data alone will do.
        datasync: Later<FsyncKind>,
    }
    /// fcntl(2), F_SETLK.
    Lock = "Tlock" 52 Linux {
        /// An open file.
        fid: Fid,
        /// Which lock.
        kind: LockKind,
        /// Whether to wait.
        flags: LockFlags,
        /// Where, and for whom.
        range: LockedRange<'a>,
    }
    /// fcntl(2), F_GETLK.
    Getlock = "Tgetlock" 54 Linux {
        /// An open file.
        fid: Fid,
        /// The lock that one would like.
        kind: LockKind,
        /// Where, and for whom.
        range: LockedRange<'a>,
    }
    /// link(2).
    Link = "Tlink" 70 Linux {
        /// The directory of the new name.
        dfid: Fid,
        /// The file.
        fid: Fid,
        /// The new name.
        name: Name<'a>,
    }
    /// mkdir(2).
    Mkdir = "Tmkdir" 72 Linux {
        /// The directory above.
        dfid: Fid,
        /// The new one's name.
        name: Name<'a>,
        /// Its permissions.
        mode: Mode,
        /// Its group.
        gid: Gid,
    }
    /// renameat(2).
    Renameat = "Trenameat" 74 Linux {
        /// The old directory.
        olddirfid: Fid,
        /// The old name.
        oldname: Name<'a>,
        /// The new directory.
        newdirfid: Fid,
        /// The new name.
        newname: Name<'a>,
    }
    /// unlinkat(2).
    Unlinkat = "Tunlinkat" 76 Linux {
        /// The directory.
        dirfid: Fid,
        /// The name that goes.
        name: Name<'a>,
        /// Whether it is a directory.
        flags: UnlinkFlags,
    }
}

messages! {
    /// What a server answers.
    Rmessage, odd numbers are RequestAsReply 1;

    /// The request failed (.L).
    Lerror = "Rlerror" 7 Linux {
        /// Linux's errno.
        ecode: DotlError,
    }
    /// The request failed (9P2000, .u).
    Error = "Rerror" 107 Classic {
        /// The reason, in words.
        ename: Name<'a>,
        /// .u: the errno.
        errno: Extension<UnixErrno>,
    }
    /// The protocol and the frame size agreed on.
    Version = "Rversion" 101 Any {
        /// At most what the client said.
        msize: Msize,
        /// The dialect spoken, or `unknown`.
        version: Name<'a>,
    }
    /// The authentication file.
    Auth = "Rauth" 103 Any {
        /// Its qid.
        aqid: Qid,
    }
    /// The root.
    Attach = "Rattach" 105 Any {
        /// Its qid.
        qid: Qid,
    }
    /// The flushed request will not be answered any more.
    Flush = "Rflush" 109 Any {}
    /// How far the walk went.
    Walk = "Rwalk" 111 Any {
        /// One qid a name walked; fewer than names asked for means that newfid was not made.
        qids: QidList,
    }
    /// The file is open.
    Open = "Ropen" 113 Classic {
        /// Its qid.
        qid: Qid,
        /// The most that one read or write moves as one, or 0.
        iounit: u32,
    }
    /// The file is made, and open.
    Create = "Rcreate" 115 Classic {
        /// Its qid.
        qid: Qid,
        /// The most that one read or write moves as one, or 0.
        iounit: u32,
    }
    /// What was read.
    Read = "Rread" 117 Any {
        /// Shorter than asked, or empty, at the end.
        data: Data<'a>,
    }
    /// What was written.
    Write = "Rwrite" 119 Any {
        /// So many bytes.
        count: u32,
    }
    /// The fid is gone.
    Clunk = "Rclunk" 121 Any {}
    /// File and fid are gone.
    Remove = "Rremove" 123 Any {}
    /// What the file is.
    Stat = "Rstat" 125 Classic {
        /// In stat(5)'s words.
        stat: Stat<'a>,
    }
    /// It is changed.
    Wstat = "Rwstat" 127 Classic {}
    /// What the file system is.
    Statfs = "Rstatfs" 9 Linux {
        /// Its figures.
        statfs: StatFs,
    }
    /// The file is open.
    Lopen = "Rlopen" 13 Linux {
        /// Its qid.
        qid: Qid,
        /// The most that one read or write moves as one, or 0.
        iounit: u32,
    }
    /// The file is made, and open.
    Lcreate = "Rlcreate" 15 Linux {
        /// Its qid.
        qid: Qid,
        /// The most that one read or write moves as one, or 0.
        iounit: u32,
    }
    /// The link is made.
    Symlink = "Rsymlink" 17 Linux {
        /// Its qid.
        qid: Qid,
    }
    /// The node is made.
    Mknod = "Rmknod" 19 Linux {
        /// Its qid.
        qid: Qid,
    }
    /// It is renamed.
    Rename = "Rrename" 21 Linux {}
    /// What the link says.
    Readlink = "Rreadlink" 23 Linux {
        /// Its target.
        target: Name<'a>,
    }
    /// What the file is.
    Getattr = "Rgetattr" 25 Linux {
        /// Its attributes.
        attr: Attr,
    }
    /// It is changed.
    Setattr = "Rsetattr" 27 Linux {}
    /// The attribute's fid is there.
    Xattrwalk = "Rxattrwalk" 31 Linux {
        /// How long the attribute is.
        size: u64,
    }
    /// The attribute can be written.
    Xattrcreate = "Rxattrcreate" 33 Linux {}
    /// Entries: see [`super::DirEntries`].
    Readdir = "Rreaddir" 41 Linux {
        /// Whole entries; empty at the end.
        data: Data<'a>,
    }
    /// It is on the disk.
    Fsync = "Rfsync" 51 Linux {}
    /// How locking ended.
    Lock = "Rlock" 53 Linux {
        /// Granted or not.
        status: LockStatus,
    }
    /// The lock in the way, or [`LockKind::UNLOCK`].
    Getlock = "Rgetlock" 55 Linux {
        /// What lock it is.
        kind: LockKind,
        /// Where, and whose.
        range: LockedRange<'a>,
    }
    /// The name is made.
    Link = "Rlink" 71 Linux {}
    /// The directory is made.
    Mkdir = "Rmkdir" 73 Linux {
        /// Its qid.
        qid: Qid,
    }
    /// It is renamed.
    Renameat = "Rrenameat" 75 Linux {}
    /// The name is gone.
    Unlinkat = "Runlinkat" 77 Linux {}
}
