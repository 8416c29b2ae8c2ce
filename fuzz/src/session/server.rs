//! The file server under the session: a [`Tree`] whose slow file and lazy directory answer when the script opens their
//! gates, and whose pipe answers its readers in the order they came.

use super::tree::{Body, LAZY, Path, Tree};
use nine::server::{Answer, Entry, Error, FileServer, Listing, Opened, Peer};
use nine::wire::{Attr, AttrMask, Gid, Mode, OpenFlags, Qid, XattrFlags};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

pub struct Server {
    state: Arc<Mutex<State>>,
    /// Whether directories can be opened.
    lists: bool,
}

#[derive(Default)]
struct State {
    tree: Tree,
    next: u64,
    /// What waits for the script; opened ones are gone.
    gates: BTreeMap<u64, Option<Waker>>,
    /// Readers of the pipe, first come first.
    readers: BTreeMap<u64, Option<Waker>>,
    open: usize,
}

/// Something that waits; dropping it gives its place up.
struct Ticket {
    state: Arc<Mutex<State>>,
    number: u64,
    reader: bool,
}

impl Ticket {
    fn new(state: &Arc<Mutex<State>>, reader: bool) -> Ticket {
        let mut held = state.lock();
        held.next += 1;
        let number = held.next;
        if reader { &mut held.readers } else { &mut held.gates }.insert(number, None);
        Ticket { state: state.clone(), number, reader }
    }

    fn poll_open(&self, cx: &mut Context<'_>) -> Poll<()> {
        match self.state.lock().gates.get_mut(&self.number) {
            None => Poll::Ready(()),
            Some(waker) => {
                *waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    fn poll_take(&self, cx: &mut Context<'_>, file: usize, count: usize) -> Poll<Vec<u8>> {
        let mut state = self.state.lock();
        let is_first = state.readers.first_key_value().is_some_and(|(first, _)| *first == self.number);
        if is_first && state.tree.has_data(file) {
            return Poll::Ready(state.tree.take(file, count));
        }
        state.readers.insert(self.number, Some(cx.waker().clone()));
        Poll::Pending
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut state = self.state.lock();
        if self.reader {
            state.readers.remove(&self.number);
            state.wake_first();
        } else {
            state.gates.remove(&self.number);
        }
    }
}

impl State {
    fn wake_first(&mut self) {
        if let Some(waker) = self.readers.first_entry().and_then(|mut first| first.get_mut().take()) {
            waker.wake();
        }
    }
}

impl Server {
    pub fn new(lists: bool) -> Server {
        Server { state: Arc::default(), lists }
    }

    /// Opens one of the closed gates, if there is one: the `which`th, counted round and round.
    pub fn open_gate(&self, which: usize) {
        let mut state = self.state.lock();
        let count = state.gates.len();
        let Some(number) = which.checked_rem(count).and_then(|at| state.gates.keys().nth(at).copied()) else {
            return;
        };
        if let Some(waker) = state.gates.remove(&number).flatten() {
            waker.wake();
        }
    }

    /// How many operations wait: for the script, and for the pipe.
    pub fn waiting(&self) -> (usize, usize) {
        let state = self.state.lock();
        (state.gates.len(), state.readers.len())
    }

    pub fn open_files(&self) -> usize {
        self.state.lock().open
    }

    /// What `done` gives, after the gate where there is one.
    fn gated<'a, T: Send + 'a>(
        &'a self,
        slow: bool,
        done: impl FnOnce(&mut Tree) -> Result<T, Error> + Send + 'a,
    ) -> Answer<'a, T> {
        if !slow {
            return done(&mut self.state.lock().tree).into();
        }
        let ticket = Ticket::new(&self.state, false);
        Answer::later(async move {
            poll_fn(|cx| ticket.poll_open(cx)).await;
            done(&mut self.state.lock().tree)
        })
    }

    fn is_slow(&self, file: usize) -> bool {
        self.state.lock().tree.is_slow(file)
    }
}

pub struct Open {
    file: usize,
    state: Arc<Mutex<State>>,
}

impl Open {
    fn new(state: &Arc<Mutex<State>>, file: usize) -> Open {
        state.lock().open += 1;
        Open { file, state: state.clone() }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.state.lock().open -= 1;
    }
}

impl FileServer for Server {
    type Context = ();
    type Node = Path;
    type Open = Open;

    fn attach<'a>(&'a self, _: &'a Peer<'a, ()>) -> Answer<'a, Path> {
        Answer::ok(Path::default())
    }

    fn qid(&self, node: &Path) -> Qid {
        self.state.lock().tree.qid(node.file())
    }

    fn walk<'a>(&'a self, dir: &'a Path, name: &'a [u8]) -> Answer<'a, Path> {
        self.gated(name == LAZY, move |tree| tree.walk(dir, name))
    }

    fn open<'a>(&'a self, node: &'a Path, flags: OpenFlags) -> Answer<'a, Opened<Path, Open>> {
        let (file, lists) = (node.file(), self.lists);
        let opened = self.gated(self.is_slow(file), move |tree| {
            if tree.is_dir(file) && !lists {
                return Err(Error::PERMISSION);
            }
            tree.open(file, flags.contains(OpenFlags::TRUNC));
            Ok(tree.is_pipe(file))
        });
        opened.map(move |is_stream| Opened {
            file: Open::new(&self.state, file),
            node: None,
            is_stream,
            iounit: 0,
        })
    }

    fn create<'a>(
        &'a self,
        dir: &'a Path,
        name: &'a [u8],
        _: OpenFlags,
        _: Mode,
        _: Gid,
    ) -> Answer<'a, Opened<Path, Open>> {
        let made = self.state.lock().tree.make(dir, name, Body::Data(Vec::new()));
        let opened = made.map(|file| Opened {
            file: Open::new(&self.state, file),
            node: Some(dir.below(name, file)),
            is_stream: false,
            iounit: 0,
        });
        opened.into()
    }

    fn read<'a>(&'a self, open: &'a Open, offset: u64, buf: &'a mut [u8]) -> Answer<'a, usize> {
        let (file, count) = (open.file, buf.len());
        let fill = |buf: &mut [u8], data: Vec<u8>| {
            buf[..data.len()].copy_from_slice(&data);
            data.len()
        };
        if !self.state.lock().tree.is_pipe(file) {
            let data = self.gated(self.is_slow(file), move |tree| Ok(tree.read(file, offset, count)));
            return data.map(move |data| fill(buf, data));
        }
        {
            let mut state = self.state.lock();
            if state.readers.is_empty() && state.tree.has_data(file) {
                return Answer::ok(fill(buf, state.tree.take(file, count)));
            }
        }
        let ticket = Ticket::new(&self.state, true);
        Answer::later(async move { Ok(fill(buf, poll_fn(|cx| ticket.poll_take(cx, file, count)).await)) })
    }

    fn write<'a>(&'a self, open: &'a Open, offset: u64, data: &'a [u8]) -> Answer<'a, usize> {
        let file = open.file;
        let answer = self.gated(self.is_slow(file), move |tree| tree.write(file, offset, data));
        let mut state = self.state.lock();
        if state.tree.has_data(file) {
            state.wake_first();
        }
        answer
    }

    fn readdir<'a>(&'a self, dir: &'a Open, offset: u64, into: &'a mut Listing) -> Answer<'a, ()> {
        let state = self.state.lock();
        let names = state.tree.names(dir.file).expect("the session lists directories");
        for (index, (name, file)) in names.iter().enumerate().skip(offset as usize) {
            let (qid, kind) = (state.tree.qid(*file), state.tree.kind(*file));
            if !into.push(&Entry { qid, offset: index as u64 + 1, kind, name }) {
                break;
            }
        }
        Answer::ok(())
    }

    fn getattr<'a>(&'a self, node: &'a Path, _: Option<&'a Open>, _: AttrMask) -> Answer<'a, Attr> {
        let file = node.file();
        self.gated(self.is_slow(file), move |tree| Ok(tree.attr(file)))
    }

    fn mkdir<'a>(&'a self, dir: &'a Path, name: &'a [u8], _: Mode, _: Gid) -> Answer<'a, Path> {
        let made = self.state.lock().tree.make(dir, name, Body::Dir(BTreeMap::new()));
        made.map(|file| dir.below(name, file)).into()
    }

    fn rename_at<'a>(
        &'a self,
        old_dir: &'a Path,
        old: &'a [u8],
        new_dir: &'a Path,
        new: &'a [u8],
    ) -> Answer<'a, ()> {
        self.state.lock().tree.rename((old_dir.file(), old), (new_dir.file(), new)).into()
    }

    fn unlink_at<'a>(&'a self, dir: &'a Path, name: &'a [u8], _: bool) -> Answer<'a, ()> {
        self.state.lock().tree.unlink(dir.file(), name).into()
    }

    fn remove<'a>(&'a self, node: &'a Path) -> Answer<'a, ()> {
        self.state.lock().tree.remove(node).into()
    }

    fn xattr_get<'a>(&'a self, node: &'a Path, name: &'a [u8]) -> Answer<'a, Vec<u8>> {
        self.state.lock().tree.xattr(node.file(), name).into()
    }

    fn xattr_list<'a>(&'a self, node: &'a Path) -> Answer<'a, Vec<u8>> {
        Answer::ok(self.state.lock().tree.xattr_list(node.file()))
    }

    fn xattr_set<'a>(
        &'a self,
        node: &'a Path,
        name: &'a [u8],
        value: &'a [u8],
        _: XattrFlags,
    ) -> Answer<'a, ()> {
        self.state.lock().tree.set_xattr(node.file(), name, value);
        Answer::ok(())
    }

    fn xattr_remove<'a>(&'a self, node: &'a Path, name: &'a [u8]) -> Answer<'a, ()> {
        self.state.lock().tree.remove_xattr(node.file(), name).into()
    }
}
