//! The codec's properties: what is encoded decodes to itself, nothing panics, nothing cut off is taken for whole.

use nine::wire::*;
use proptest::collection::vec;
use proptest::prelude::*;

/// Raw material for a message: every kind takes what it needs.
#[derive(Clone, Debug)]
struct Stuff {
    words: [u32; 6],
    longs: [u64; 5],
    bytes: [Vec<u8>; 5],
    names: Vec<Vec<u8>>,
    qids: Vec<(u8, u32, u64)>,
    byte: u8,
}

fn stuff() -> impl Strategy<Value = Stuff> {
    let bytes = || vec(any::<u8>(), 0..40);
    (
        any::<[u32; 6]>(),
        any::<[u64; 5]>(),
        [bytes(), bytes(), bytes(), bytes(), bytes()],
        vec(bytes(), 0..=16),
    )
        .prop_flat_map(|(words, longs, bytes, names)| {
            let qids = vec(any::<(u8, u32, u64)>(), 0..=16);
            (Just(words), Just(longs), Just(bytes), Just(names), qids, any::<u8>())
        })
        .prop_map(|(words, longs, bytes, names, qids, byte)| Stuff {
            words,
            longs,
            bytes,
            names,
            qids,
            byte,
        })
}

impl Stuff {
    fn name(&self, i: usize) -> Name<'_> {
        Name(&self.bytes[i])
    }

    fn fid(&self, i: usize) -> Fid {
        Fid(self.words[i])
    }

    fn gid(&self) -> Gid {
        Gid(self.words[4])
    }

    fn mode(&self) -> Mode {
        Mode(self.words[3])
    }

    fn qid(&self) -> Qid {
        qid((self.byte, self.words[0], self.longs[0]))
    }

    fn time(&self, i: usize) -> Time {
        Time { sec: self.longs[i], nsec: self.longs[i + 1] }
    }

    fn range(&self) -> LockedRange<'_> {
        LockedRange {
            start: self.longs[0],
            length: self.longs[1],
            proc_id: self.words[5],
            client_id: &self.bytes[2],
        }
    }

    fn extension<T>(&self, dialect: Dialect, value: T) -> Extension<T> {
        Extension((dialect != Dialect::P9P2000).then_some(value))
    }

    fn stat(&self, dialect: Dialect) -> Stat<'_> {
        let unix = dialect == Dialect::P9P2000U;
        Stat {
            kind: self.words[1] as u16,
            dev: self.words[2],
            qid: self.qid(),
            mode: Perm::from_bits_retain(self.words[3]),
            atime: self.words[4],
            mtime: self.words[5],
            length: self.longs[2],
            name: self.name(0),
            uid: self.name(1),
            gid: self.name(2),
            muid: self.name(3),
            extension: Extension(unix.then_some(self.name(4))),
            n_uid: Extension(unix.then_some(Uid(self.words[0]))),
            n_gid: Extension(unix.then_some(Gid(self.words[1]))),
            n_muid: Extension(unix.then_some(Uid(self.words[2]))),
        }
    }

    fn attr(&self) -> Attr {
        Attr {
            valid: AttrMask::from_bits_retain(self.longs[4]),
            qid: self.qid(),
            mode: self.mode(),
            uid: Uid(self.words[1]),
            gid: self.gid(),
            nlink: self.longs[1],
            rdev: self.longs[2],
            size: self.longs[3],
            blksize: self.longs[4],
            blocks: self.longs[0],
            atime: self.time(0),
            mtime: self.time(1),
            ctime: self.time(2),
            btime: self.time(3),
            generation: self.longs[1],
            data_version: self.longs[2],
        }
    }
}

fn qid((kind, version, path): (u8, u32, u64)) -> Qid {
    Qid { kind: QidKind::from_bits_retain(kind), version, path }
}

/// Every request of the dialect.
fn requests<'a>(s: &'a Stuff, names: &'a NamesBuf, dialect: Dialect) -> Vec<Tmessage<'a>> {
    let (fid, newfid) = (s.fid(0), s.fid(1));
    let (name, offset, count) = (s.name(0), s.longs[0], s.words[2]);
    let n_uname = s.extension(dialect, Uid(s.words[3]));
    let flags = OpenFlags::from_bits_retain(s.words[2]);
    let mut all = vec![
        Tmessage::Version { msize: Msize(s.words[0]), version: name },
        Tmessage::Auth { afid: fid, uname: name, aname: s.name(1), n_uname },
        Tmessage::Attach { fid, afid: newfid, uname: name, aname: s.name(1), n_uname },
        Tmessage::Flush { oldtag: Tag(s.words[0] as u16) },
        Tmessage::Walk { fid, newfid, names: names.as_names() },
        Tmessage::Read { fid, offset, count },
        Tmessage::Write { fid, offset, data: Data(&s.bytes[3]) },
        Tmessage::Clunk { fid },
        Tmessage::Remove { fid },
    ];
    if dialect == Dialect::P9P2000L {
        let (mode, gid, kind, range) = (s.mode(), s.gid(), LockKind(s.byte), s.range());
        all.extend([
            Tmessage::Statfs { fid },
            Tmessage::Lopen { fid, flags },
            Tmessage::Lcreate { fid, name, flags, mode, gid },
            Tmessage::Symlink { dfid: fid, name, target: s.name(1), gid },
            Tmessage::Mknod { dfid: fid, name, mode, major: s.words[0], minor: s.words[1], gid },
            Tmessage::Rename { fid, dfid: newfid, name },
            Tmessage::Readlink { fid },
            Tmessage::Getattr { fid, mask: AttrMask::from_bits_retain(s.longs[1]) },
            Tmessage::Setattr {
                fid,
                attr: SetAttrFields {
                    valid: SetAttrMask::from_bits_retain(s.words[5]),
                    mode,
                    uid: Uid(s.words[1]),
                    gid,
                    size: s.longs[0],
                    atime: s.time(0),
                    mtime: s.time(2),
                },
            },
            Tmessage::Xattrwalk { fid, newfid, name },
            Tmessage::Xattrcreate {
                fid,
                name,
                attr_size: s.longs[0],
                flags: XattrFlags::from_bits_retain(s.words[5]),
            },
            Tmessage::Readdir { fid, offset, count },
            Tmessage::Fsync { fid, datasync: Later(Some(FsyncKind::from_bits_retain(s.words[5]))) },
            Tmessage::Fsync { fid, datasync: Later(None) },
            Tmessage::Lock { fid, kind, flags: LockFlags::from_bits_retain(s.words[3]), range },
            Tmessage::Getlock { fid, kind, range },
            Tmessage::Link { dfid: fid, fid: newfid, name },
            Tmessage::Mkdir { dfid: fid, name, mode, gid },
            Tmessage::Renameat { olddirfid: fid, oldname: name, newdirfid: newfid, newname: s.name(1) },
            Tmessage::Unlinkat { dirfid: fid, name, flags: UnlinkFlags::from_bits_retain(s.words[2]) },
        ]);
    } else {
        let mode = OpenMode::from_bits_retain(s.byte);
        let perm = Perm::from_bits_retain(s.words[3]);
        all.extend([
            Tmessage::Open { fid, mode },
            Tmessage::Create { fid, name, perm, mode, extension: s.extension(dialect, s.name(1)) },
            Tmessage::Stat { fid },
            Tmessage::Wstat { fid, stat: s.stat(dialect) },
        ]);
    }
    all
}

/// Every reply of the dialect.
fn replies(s: &Stuff, dialect: Dialect) -> Vec<Rmessage<'_>> {
    let (qid_, data, iounit) = (s.qid(), Data(&s.bytes[3]), s.words[5]);
    let mut qids = QidList::default();
    for raw in &s.qids {
        assert!(qids.push(qid(*raw)));
    }
    let mut all = vec![
        Rmessage::Version { msize: Msize(s.words[0]), version: s.name(0) },
        Rmessage::Auth { aqid: qid_ },
        Rmessage::Attach { qid: qid_ },
        Rmessage::Flush {},
        Rmessage::Walk { qids },
        Rmessage::Read { data },
        Rmessage::Write { count: s.words[0] },
        Rmessage::Clunk {},
        Rmessage::Remove {},
    ];
    if dialect == Dialect::P9P2000L {
        let [kind, bsize, namelen, ..] = s.words;
        let [blocks, bfree, bavail, files, ffree] = s.longs;
        let statfs = StatFs { kind, bsize, blocks, bfree, bavail, files, ffree, fsid: blocks ^ 1, namelen };
        all.extend([
            Rmessage::Lerror { ecode: DotlError(s.words[0]) },
            Rmessage::Statfs { statfs },
            Rmessage::Lopen { qid: qid_, iounit },
            Rmessage::Lcreate { qid: qid_, iounit },
            Rmessage::Symlink { qid: qid_ },
            Rmessage::Mknod { qid: qid_ },
            Rmessage::Rename {},
            Rmessage::Readlink { target: s.name(1) },
            Rmessage::Getattr { attr: s.attr() },
            Rmessage::Setattr {},
            Rmessage::Xattrwalk { size: s.longs[0] },
            Rmessage::Xattrcreate {},
            Rmessage::Readdir { data },
            Rmessage::Fsync {},
            Rmessage::Lock { status: LockStatus(s.byte) },
            Rmessage::Getlock { kind: LockKind(s.byte), range: s.range() },
            Rmessage::Link {},
            Rmessage::Mkdir { qid: qid_ },
            Rmessage::Renameat {},
            Rmessage::Unlinkat {},
        ]);
    } else {
        all.extend([
            Rmessage::Error { ename: s.name(0), errno: s.extension(dialect, UnixErrno(s.words[1])) },
            Rmessage::Open { qid: qid_, iounit },
            Rmessage::Create { qid: qid_, iounit },
            Rmessage::Stat { stat: s.stat(dialect) },
            Rmessage::Wstat {},
        ]);
    }
    all
}

/// The frame with its size field made to fit.
fn resized(frame: &[u8]) -> Vec<u8> {
    let mut frame = frame.to_vec();
    let size = (frame.len() as u32).to_le_bytes();
    frame[..4].copy_from_slice(&size);
    frame
}

proptest! {
    #[test]
    fn every_request_of_every_dialect_decodes_to_what_was_encoded(s in stuff(), tag: u16) {
        let names = NamesBuf::new(&s.names).expect("at most sixteen");
        for dialect in Dialect::ALL {
            for message in requests(&s, &names, dialect) {
                let mut frame = Vec::new();
                message.encode(dialect, Tag(tag), &mut frame).expect("encodes");
                prop_assert_eq!(frame_size(&frame, u32::MAX), Ok(Some(frame.len())));
                prop_assert_eq!(Tmessage::decode(dialect, &frame), Ok((Tag(tag), message)));
                // Whatever it says can be said in words.
                prop_assert!(message.with_tag(Tag(tag)).to_string().starts_with(message.name()));
            }
        }
    }

    #[test]
    fn every_reply_of_every_dialect_decodes_to_what_was_encoded(s in stuff(), tag: u16) {
        for dialect in Dialect::ALL {
            for message in replies(&s, dialect) {
                let mut frame = Vec::new();
                message.encode(dialect, Tag(tag), &mut frame).expect("encodes");
                prop_assert_eq!(Rmessage::decode(dialect, &frame), Ok((Tag(tag), message)));
                prop_assert!(message.with_tag(Tag(tag)).to_string().starts_with(message.name()));
            }
        }
    }

    #[test]
    fn a_frame_that_is_cut_off_or_too_long_is_an_error_whatever_its_size_says_but_for_what_came_later(s in stuff()) {
        let names = NamesBuf::new(&s.names).expect("at most sixteen");
        for dialect in Dialect::ALL {
            for message in requests(&s, &names, dialect) {
                let mut frame = Vec::new();
                message.encode(dialect, Tag(1), &mut frame).expect("encodes");
                for len in 0..frame.len() {
                    prop_assert!(Tmessage::decode(dialect, &frame[..len]).is_err());
                    if len >= HEADER {
                        let cut = resized(&frame[..len]);
                        let whole = match Tmessage::decode(dialect, &cut) {
                            Ok((_, Tmessage::Fsync { datasync: Later(None), .. })) => len + 4 == frame.len(),
                            other => other.is_err(),
                        };
                        prop_assert!(whole, "{} of {:?}", len, message);
                    }
                }
                frame.push(0);
                prop_assert!(Tmessage::decode(dialect, &frame).is_err());
                prop_assert!(Tmessage::decode(dialect, &resized(&frame)).is_err());
            }
            for message in replies(&s, dialect) {
                let mut frame = Vec::new();
                message.encode(dialect, Tag(1), &mut frame).expect("encodes");
                for len in HEADER..frame.len() {
                    prop_assert!(Rmessage::decode(dialect, &resized(&frame[..len])).is_err());
                }
            }
        }
    }

    #[test]
    fn random_bytes_never_panic(kind: u8, body in vec(any::<u8>(), 0..300)) {
        let mut frame = vec![0, 0, 0, 0, kind];
        frame.extend(&body);
        for dialect in Dialect::ALL {
            for frame in [&frame, &resized(&frame), &body] {
                let _ = Tmessage::decode(dialect, frame);
                let _ = Rmessage::decode(dialect, frame);
            }
            let _ = Stat::decode(dialect, &body);
        }
        let _ = frame_size(&body, 8192);
        for entry in DirEntries::new(&body) {
            let _ = entry;
        }
    }

    #[test]
    fn directory_entries_decode_to_what_was_encoded(s in stuff()) {
        let mut data = Vec::new();
        let entries: Vec<_> = s.names.iter().enumerate().map(|(i, name)| DirEntry {
            qid: s.qid(), offset: s.longs[0] ^ i as u64, kind: DirEntryKind(s.byte), name,
        }).collect();
        for entry in &entries {
            let before = data.len();
            put_entry(entry, &mut data).expect("encodes");
            prop_assert_eq!(data.len() - before, entry.encoded_len());
        }
        let decoded: Result<Vec<_>, _> = DirEntries::new(&data).collect();
        prop_assert_eq!(decoded, Ok(entries));
    }
}

#[test]
fn a_trace_shows_messages_in_the_words_of_the_manual() {
    let read = Tmessage::Read { fid: Fid(5), offset: 0, count: 8192 };
    assert_eq!(read.with_tag(Tag(3)).to_string(), "Tread tag 3 fid 5 offset 0 count 8192");
    let names = NamesBuf::new(["a", "b\n"]).expect("two");
    let walk = Tmessage::Walk { fid: Fid(0), newfid: Fid(1), names: names.as_names() };
    assert_eq!(walk.with_tag(Tag(4)).to_string(), r"Twalk tag 4 fid 0 newfid 1 names ['a' 'b\n']");
    let write = Tmessage::Write { fid: Fid(1), offset: 7, data: Data(b"secret") };
    assert_eq!(write.with_tag(Tag(5)).to_string(), "Twrite tag 5 fid 1 offset 7 data (6 bytes)");
}

#[test]
fn the_bytes_are_those_that_linux_sends() {
    // From the capture: Tattach fid=0 afid=NOFID uname='root' aname='/export' n_uname=NOUID.
    let attach = b"\x22\0\0\0\x68\x01\0\0\0\0\0\xff\xff\xff\xff\x04\0root\x07\0/export\xff\xff\xff\xff";
    let mut attach = attach.to_vec();
    attach[0] = attach.len() as u8;
    let expected = Tmessage::Attach {
        fid: Fid(0),
        afid: Fid::NONE,
        uname: Name(b"root"),
        aname: Name(b"/export"),
        n_uname: Extension(Some(Uid::NONE)),
    };
    assert_eq!(Tmessage::decode(Dialect::P9P2000L, &attach), Ok((Tag(1), expected)));
}

#[test]
fn what_cannot_be_said_is_an_error_and_leaves_nothing_behind() {
    let long = vec![b'x'; 70_000];
    let mut out = b"before".to_vec();
    let mkdir = Tmessage::Mkdir { dfid: Fid(0), name: Name(&long), mode: Mode(0), gid: Gid(0) };
    let fault = mkdir.encode(Dialect::P9P2000L, Tag(1), &mut out).expect_err("too long");
    assert_eq!(fault.to_string(), "Tmkdir: field name is 70000 bytes long; the most is 65535");
    let fault = mkdir.encode(Dialect::P9P2000, Tag(1), &mut out).expect_err("not there");
    assert_eq!(fault.to_string(), "Tmkdir is no message of 9P2000");
    assert_eq!(out, b"before");
    assert!(NamesBuf::new(vec!["n"; 17]).is_err());
}
