//! A 9P peer without manners: frames by hand over the server's unix socket, whole or not, and what the server costs.

use crate::Server;
use nine::wire::{Dialect, Fid, Msize, Name, Names, OpenFlags, Tag, Tmessage, Uid};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// A connection that speaks 9P2000.L as it pleases.
pub struct Peer {
    pub stream: UnixStream,
}

impl Peer {
    /// Connected, and nothing said.
    pub fn connect(server: &Server) -> Peer {
        let stream = UnixStream::connect(server.path("sock")).expect("the server listens");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a time limit");
        stream.set_write_timeout(Some(Duration::from_secs(20))).expect("a time limit");
        Peer { stream }
    }

    /// With fid 0 at the root.
    pub fn attached(server: &Server) -> Peer {
        let mut peer = Peer::connect(server);
        peer.send(u16::MAX, Tmessage::Version { msize: Msize(1 << 20), version: Name(b"9P2000.L") });
        assert_eq!(peer.kind(), 101, "Rversion");
        let n_uname = nine::wire::Extension(Some(Uid(rustix::process::geteuid().as_raw())));
        peer.send(
            1,
            Tmessage::Attach { fid: Fid(0), afid: Fid::NONE, uname: Name(b""), aname: Name(b"/"), n_uname },
        );
        assert_eq!(peer.kind(), 105, "Rattach");
        peer
    }

    pub fn frame(tag: u16, message: Tmessage<'_>) -> Vec<u8> {
        let mut frame = Vec::new();
        message.encode(Dialect::P9P2000L, Tag(tag), &mut frame).expect("a message of 9P2000.L");
        frame
    }

    pub fn send(&mut self, tag: u16, message: Tmessage<'_>) {
        self.send_bytes(&Peer::frame(tag, message));
    }

    pub fn send_bytes(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the server reads");
    }

    /// Walks to `path` from the root and opens it: `fid` is the file then.
    pub fn open(&mut self, fid: u32, path: &str, flags: OpenFlags) {
        let parts: Vec<&[u8]> = path.split('/').filter(|n| !n.is_empty()).map(str::as_bytes).collect();
        let names = nine::wire::NamesBuf::new(parts).expect("at most sixteen names");
        self.send(2, Tmessage::Walk { fid: Fid(0), newfid: Fid(fid), names: names.as_names() });
        self.expect(111, &format!("Rwalk of {path}"));
        self.send(2, Tmessage::Lopen { fid: Fid(fid), flags });
        self.expect(13, &format!("Rlopen of {path}"));
    }

    fn expect(&mut self, kind: u8, what: &str) {
        let reply = self.reply().expect("a reply");
        // An Rlerror is its errno.
        assert_eq!(reply[4], kind, "{what}: {:?}", &reply[7..]);
    }

    /// The next reply, whole; none at the end of the connection.
    pub fn reply(&mut self) -> Option<Vec<u8>> {
        let mut size = [0; 4];
        self.stream.read_exact(&mut size).ok()?;
        let mut frame = size.to_vec();
        frame.resize(u32::from_le_bytes(size) as usize, 0);
        self.stream.read_exact(&mut frame[4..]).ok()?;
        Some(frame)
    }

    /// The next reply's type.
    pub fn kind(&mut self) -> u8 {
        self.reply().expect("a reply")[4]
    }

    /// A walk of no names is the smallest thing that says "there".
    pub fn is_served(&mut self) -> bool {
        let names = nine::wire::NamesBuf::new(Vec::<&[u8]>::new()).expect("none");
        let names: Names<'_> = names.as_names();
        self.send(3, Tmessage::Walk { fid: Fid(0), newfid: Fid(0), names });
        self.reply().is_some_and(|frame| frame[4] == 111)
    }
}

/// What a process costs at a moment.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    pub resident_kib: u64,
    pub files: usize,
    pub threads: u64,
}

impl Cost {
    pub fn of(pid: u32) -> Cost {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a running process");
        let figure = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).expect(name);
            line.trim().trim_end_matches(" kB").parse().expect(name)
        };
        let files = std::fs::read_dir(format!("/proc/{pid}/fd")).expect("a process of ours").count();
        Cost { resident_kib: figure("VmRSS:"), files, threads: figure("Threads:") }
    }
}
