//! A watch as a file: a path is written to it once, and what happens there is read as lines, as it happens.
//!
//! ```text
//! write   PATH, or -r PATH for a directory and all below it; rc quoting
//! read    change NAME     its bytes or attributes are others
//!         rename NAME     it came, went, or leads to another file
//! ```
//!
//! NAME is from PATH on, and is missing for PATH itself, and where more happened than could be kept. A line whose name holds
//! line ends is quoted as those of argv are.

use crate::{rc, spec};
use parking_lot::Mutex;
use std::sync::{Arc, OnceLock};
use vfs::{Caller, Errno, Error, Follow, Happening, Notice, Notices, Op, Place, Result, WatchRoom};

/// What one open file watches.
#[derive(Default)]
pub struct Watched {
    notices: OnceLock<Arc<Notices>>,
    /// Of a line that did not fit what was asked for.
    rest: Mutex<Vec<u8>>,
}

fn bad(text: &'static str) -> Error {
    Error::new(Errno::EINVAL, text)
}

impl Watched {
    /// Watches what `line` says, of the namespace whose root is `root`.
    pub async fn begin(&self, root: &Place, who: &Caller, room: &WatchRoom, line: &[u8]) -> Result<()> {
        let words = rc::split(line.strip_suffix(b"\n").unwrap_or(line))
            .map_err(|_| bad("watch: unbalanced quotes"))?;
        let (path, recursive) = match words.as_slice() {
            [path] => (path, false),
            [option, path] if option == b"-r" => (path, true),
            _ => return Err(bad("watch: want PATH or -r PATH")),
        };
        if self.notices.get().is_some() {
            return Err(Error::new(Errno::EBUSY, "watch: something is watched already"));
        }
        let shown = || String::from_utf8_lossy(path).into_owned();
        let place = root.resolve(who, path, Follow::Yes).await.map_err(|e| e.context(shown()))?;
        let notices = Notices::open(place, who, recursive, room).await.map_err(|e| e.context(shown()))?;
        self.notices.set(notices).map_err(|_| Error::new(Errno::EBUSY, "watch: something is watched already"))
    }

    fn notices(&self) -> Result<&Arc<Notices>> {
        self.notices
            .get()
            .ok_or_else(|| Error::new(Errno::ENXIO, "watch: nothing is watched: write a path first"))
    }

    /// Lines of what has happened, as far as they go into `buf`; none where nothing has.
    fn take(&self, notices: &Notices, buf: &mut [u8]) -> Option<usize> {
        let mut rest = self.rest.lock();
        while rest.len() < buf.len() {
            let Some(notice) = notices.take() else { break };
            rest.extend(line(&notice));
        }
        if rest.is_empty() {
            return None;
        }
        let count = match rest.get(..buf.len()) {
            // Whole lines, where one fits.
            Some(head) => head.iter().rposition(|b| *b == b'\n').map_or(buf.len(), |end| end + 1),
            None => rest.len(),
        };
        buf[..count].copy_from_slice(&rest[..count]);
        rest.drain(..count);
        Some(count)
    }

    /// Lines of what has happened; waits for the first.
    pub fn read<'a>(&'a self, buf: &'a mut [u8]) -> Op<'a, usize> {
        let notices = match self.notices() {
            Ok(notices) => notices,
            Err(error) => return Op::err(error),
        };
        if let Some(count) = self.take(notices, buf) {
            return Op::ok(count);
        }
        Op::later(async move {
            loop {
                notices.wait().await;
                if let Some(count) = self.take(notices, buf) {
                    return Ok(count);
                }
            }
        })
    }

    /// Done when a read would not wait.
    pub async fn ready(&self) -> Result<()> {
        let notices = self.notices()?;
        if self.rest.lock().is_empty() {
            notices.wait().await;
        }
        Ok(())
    }
}

fn line(notice: &Notice) -> Vec<u8> {
    let verb: &[u8] = match notice.what {
        Happening::Changed => b"change",
        Happening::Renamed => b"rename",
    };
    let text = if notice.path.is_empty() { verb.to_vec() } else { [verb, b" ", &notice.path].concat() };
    spec::show_words([text.as_slice()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use vfs::{MemTree, Mode, Name, Namespace, OpenFlags};

    #[tokio::test]
    async fn what_happens_is_read_as_lines_whole_ones_where_they_fit() {
        let root = Namespace::new(MemTree::new().root(), "mem").root();
        let (watched, me, room) = (Watched::default(), Caller::me(), WatchRoom::new(100));
        let mut buf = [0; 64];
        assert!(watched.read(&mut buf).now().is_some_and(|e| e.is_err()), "nothing is watched");
        for line in ["", "a b", "-r", "'a", "/missing"] {
            assert!(watched.begin(&root, &me, &room, line.as_bytes()).await.is_err(), "{line}");
        }
        watched.begin(&root, &me, &room, b"-r /\n").await.expect("it is watched");
        for name in ["plain", "two\nlines", "it's"] {
            let name = Name::new(name.as_bytes()).expect("a name");
            root.create(&me, name, Mode::new(0o644), OpenFlags::WRITE).await.expect("made");
        }
        assert!(watched.read(&mut buf[..16]).await.is_ok_and(|count| buf[..count] == *b"rename plain\n"));
        let count = watched.read(&mut buf).await.expect("more");
        assert_eq!(String::from_utf8_lossy(&buf[..count]), "'rename two\nlines'\nrename it's\n");
        assert!(watched.begin(&root, &me, &room, b"/").await.is_err(), "once");
    }
}
