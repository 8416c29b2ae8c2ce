//! What a session has to answer: fids in a map, unfinished requests in a list that is looked through from the start each
//! time, and the rules of `nine::server`'s documentation one after the other.

mod answers;

use super::script::Ask;
use super::tree::{LAZY, Path, Tree};
use answers::check_name;
use nine::server::Error;
use nine::wire::*;
use std::collections::BTreeMap;

pub const FIDS: usize = 6;
pub const IN_FLIGHT: usize = 5;
pub const MSIZE: u32 = 4096;

#[derive(Clone)]
struct Opened {
    flags: OpenFlags,
    is_stream: bool,
    is_dir: bool,
    /// The request that is answered with nothing: its offset and count.
    rest: Option<(u64, u32)>,
}

#[derive(Clone)]
enum State {
    Unopened,
    Open(Opened),
    Value(Vec<u8>),
    Sink { name: Vec<u8>, size: usize, flags: u32, value: Vec<u8> },
}

#[derive(Clone)]
struct Entry {
    path: Path,
    state: State,
}

#[derive(Clone, Copy, PartialEq)]
enum Effect {
    Look,
    Read,
    Write,
    Change,
}

#[derive(Clone, Copy)]
struct Claim {
    fid: u32,
    effect: Effect,
    stream: bool,
}

fn waits(earlier: &Claim, later: &Claim) -> bool {
    use Effect::{Change, Look, Read, Write};
    earlier.fid == later.fid
        && match (earlier.effect, later.effect) {
            (Look, _) | (Read, Look | Read) => false,
            (Read, Write | Change) => !earlier.stream,
            (Write, Look | Read) => !later.stream,
            (Write, Write | Change) | (Change, _) => true,
        }
}

/// What is left to do of a request that waits for something.
enum Work {
    /// Its turn: another request that names the same fid has not ended.
    Turn(Ask),
    /// A gate; then the rest of a walk, a slow file's operation.
    Walk {
        at: Path,
        names: Vec<&'static [u8]>,
        qids: QidList,
        total: usize,
        newfid: u32,
    },
    Slow(Ask, Entry),
    /// Data in the pipe.
    Pipe {
        fid: u32,
        file: usize,
        offset: u64,
        count: u32,
    },
}

struct Flight {
    serial: u64,
    tag: u16,
    claims: Vec<Claim>,
    work: Work,
    /// When the operation was called: the order in which gates stand and the pipe is read.
    called: u64,
}

/// A reply as it is compared: the frame, but for errors, of which 9P2000 has only the words.
pub type Reply = (u16, u8, Vec<u8>);

pub struct Model {
    dialect: Dialect,
    pub tree: Tree,
    fids: BTreeMap<u32, Entry>,
    flights: Vec<Flight>,
    serial: u64,
    calls: u64,
    pub replies: Vec<Reply>,
}

/// A reply's frame, without its tag yet; or why there is none.
type Outcome = Result<Vec<u8>, Error>;

/// What a frame is compared by.
pub fn reply_of(dialect: Dialect, frame: &[u8]) -> Reply {
    let (tag, message) = Rmessage::decode(dialect, frame).expect("a reply of the dialect");
    let body = match message {
        Rmessage::Error { errno, .. } => errno.0.map_or(Vec::new(), |errno| errno.0.to_le_bytes().to_vec()),
        _ => frame[HEADER..].to_vec(),
    };
    (tag.0, frame[4], body)
}

impl Model {
    pub fn new(dialect: Dialect) -> Model {
        Model {
            dialect,
            tree: Tree::new(),
            fids: BTreeMap::new(),
            flights: Vec::new(),
            serial: 0,
            calls: 0,
            replies: Vec::new(),
        }
    }

    /// Operations that wait: for the script, and for the pipe.
    pub fn waiting(&self) -> (usize, usize) {
        let count = |which: fn(&Work) -> bool| self.flights.iter().filter(|f| which(&f.work)).count();
        (
            count(|w| matches!(w, Work::Walk { .. } | Work::Slow(..))),
            count(|w| matches!(w, Work::Pipe { .. })),
        )
    }

    pub fn is_idle(&self) -> bool {
        self.flights.is_empty()
    }

    pub fn open_fids(&self) -> usize {
        self.fids.values().filter(|entry| matches!(entry.state, State::Open(_))).count()
    }

    fn frame(&self, message: Rmessage<'_>) -> Outcome {
        let mut frame = Vec::new();
        message.encode(self.dialect, Tag::NONE, &mut frame).expect("a reply of the dialect");
        Ok(frame)
    }

    fn say(&mut self, tag: u16, message: Rmessage<'_>) {
        let outcome = self.frame(message);
        self.finish(tag, outcome);
    }

    fn fail(&mut self, tag: u16, error: &Error) {
        match self.dialect {
            Dialect::P9P2000L => self.say(tag, Rmessage::Lerror { ecode: DotlError(error.errno) }),
            _ => self.say(
                tag,
                Rmessage::Error { ename: Name(b""), errno: Extension(Some(UnixErrno(error.errno))) },
            ),
        }
    }

    fn finish(&mut self, tag: u16, outcome: Outcome) {
        match outcome {
            Ok(mut frame) => {
                frame[5..HEADER].copy_from_slice(&tag.to_le_bytes());
                self.replies.push(reply_of(self.dialect, &frame));
            }
            Err(error) => self.fail(tag, &error),
        }
    }

    fn get(&self, fid: u32) -> Result<&Entry, Error> {
        self.fids.get(&fid).ok_or(Error::UNKNOWN_FID)
    }

    fn check_free(&self, fid: u32) -> Result<(), Error> {
        let mut slots: Vec<u32> = self.fids.keys().copied().collect();
        slots.extend(self.flights.iter().flat_map(|flight| flight.claims.iter().map(|claim| claim.fid)));
        slots.sort_unstable();
        slots.dedup();
        match () {
            () if fid == u32::MAX => Err(Error::UNKNOWN_FID),
            () if self.fids.contains_key(&fid) => Err(Error::FID_IN_USE),
            () if slots.contains(&fid) || slots.len() < FIDS => Ok(()),
            () => Err(Error::TOO_MANY_FIDS),
        }
    }

    fn claims(&self, ask: &Ask) -> Vec<Claim> {
        use Effect::{Change, Look, Read, Write};
        let opened = |fid: u32| match self.fids.get(&fid) {
            Some(Entry { state: State::Open(open), .. }) => Some(open),
            _ => None,
        };
        let claim =
            |fid: u32, effect| Claim { fid, effect, stream: opened(fid).is_some_and(|open| open.is_stream) };
        match *ask {
            Ask::Version | Ask::Flush { .. } => Vec::new(),
            Ask::Walk { fid, newfid, .. } if fid == newfid => vec![claim(fid, Change)],
            Ask::Walk { fid, newfid, .. } | Ask::Xattrwalk { fid, newfid, .. } => {
                vec![claim(fid, Look), claim(newfid, Change)]
            }
            Ask::Read { fid, .. } if opened(fid).is_some_and(|open| open.is_dir) => vec![claim(fid, Change)],
            Ask::Read { fid, .. } => vec![claim(fid, Read)],
            Ask::Readdir { fid, .. } | Ask::Getattr { fid } => vec![claim(fid, Look)],
            Ask::Write { fid, .. }
            | Ask::Fsync { fid }
            | Ask::Mkdir { fid, .. }
            | Ask::Unlinkat { fid, .. } => vec![claim(fid, Write)],
            Ask::Renameat { fid, newfid, .. } => vec![claim(fid, Write), claim(newfid, Write)],
            Ask::Auth { afid: fid }
            | Ask::Attach { fid, .. }
            | Ask::Open { fid, .. }
            | Ask::Create { fid, .. }
            | Ask::Clunk { fid }
            | Ask::Remove { fid }
            | Ask::Xattrcreate { fid, .. } => vec![claim(fid, Change)],
        }
    }

    fn blocked(&self, claims: &[Claim], before: u64) -> bool {
        self.flights.iter().filter(|flight| flight.serial < before).any(|flight| {
            flight.claims.iter().any(|earlier| claims.iter().any(|later| waits(earlier, later)))
        })
    }

    /// A request arrives.
    pub fn request(&mut self, tag: u16, ask: Ask) {
        match ask {
            Ask::Version => {
                self.flights.clear();
                self.fids.clear();
                let version = Name(self.dialect.version().as_bytes());
                self.say(tag, Rmessage::Version { msize: Msize(MSIZE), version });
                return;
            }
            Ask::Flush { oldtag } => {
                self.flights.retain(|flight| flight.tag != oldtag);
                self.say(tag, Rmessage::Flush {});
                self.next_turns();
                return;
            }
            _ => {}
        }
        if self.flights.iter().any(|flight| flight.tag == tag) {
            self.fail(tag, &Error::INVALID);
            return;
        }
        let claims = self.claims(&ask);
        if let Ask::Clunk { fid } | Ask::Remove { fid } = ask {
            self.interrupt(fid);
        }
        if self.blocked(&claims, u64::MAX) {
            if self.flights.len() >= IN_FLIGHT {
                self.fail(tag, &Error::TOO_BUSY);
                return;
            }
            self.serial += 1;
            let (serial, work) = (self.serial, Work::Turn(ask));
            self.flights.push(Flight { serial, tag, claims, work, called: 0 });
            return;
        }
        self.serial += 1;
        self.start(self.serial, tag, ask);
    }

    /// A clunk ends the reads of a stream.
    fn interrupt(&mut self, fid: u32) {
        let reads = |claim: &Claim| claim.fid == fid && claim.effect == Effect::Read && claim.stream;
        let (ended, left) = self.flights.drain(..).partition(|flight| flight.claims.iter().any(reads));
        self.flights = left;
        let ended: Vec<Flight> = ended;
        for flight in &ended {
            self.fail(flight.tag, &Error::INTERRUPTED);
        }
        if !ended.is_empty() {
            self.next_turns();
        }
    }

    /// Requests that waited for what has ended, the first come first.
    fn next_turns(&mut self) {
        loop {
            self.flights.sort_by_key(|flight| flight.serial);
            let ready = self.flights.iter().position(|flight| {
                matches!(flight.work, Work::Turn(_)) && !self.blocked(&flight.claims, flight.serial)
            });
            let Some(at) = ready else { return };
            let Flight { serial, tag, work: Work::Turn(ask), .. } = self.flights.remove(at) else { return };
            self.start(serial, tag, ask);
        }
    }

    fn pend(&mut self, serial: u64, tag: u16, claims: Vec<Claim>, work: Work) {
        if self.flights.len() >= IN_FLIGHT {
            self.fail(tag, &Error::TOO_BUSY);
            return;
        }
        self.calls += 1;
        self.flights.push(Flight { serial, tag, claims, work, called: self.calls });
    }

    fn start(&mut self, serial: u64, tag: u16, ask: Ask) {
        let claims = self.claims(&ask);
        match self.perform(&ask) {
            Ok(Some(outcome)) => self.finish(tag, outcome),
            Ok(None) => {}
            Err(work) => self.pend(serial, tag, claims, *work),
        }
    }

    /// The outcome; or what has to be waited for.
    fn perform(&mut self, ask: &Ask) -> Result<Option<Outcome>, Box<Work>> {
        let outcome = match ask {
            Ask::Walk { fid, newfid, names } => match self.begin_walk(*fid, *newfid) {
                Ok(at) => {
                    let (names, total) = (names.clone(), names.len());
                    return self.walk(at, names, QidList::default(), total, *newfid).map(Some);
                }
                Err(error) => Err(error),
            },
            Ask::Open { fid, .. } | Ask::Getattr { fid } if self.is_slow(*fid) => match self.refused(ask) {
                Some(error) => Err(error),
                None => return Err(Box::new(Work::Slow(ask.clone(), self.fids[fid].clone()))),
            },
            Ask::Read { fid, .. } | Ask::Write { fid, .. } if self.is_slow(*fid) => match self.refused(ask) {
                Some(error) => Err(error),
                None if self.is_value_or_sink(*fid) => self.now(ask),
                None => return Err(Box::new(Work::Slow(ask.clone(), self.fids[fid].clone()))),
            },
            Ask::Read { fid, offset, count } if self.refused(ask).is_none() && self.is_stream(*fid) => {
                return self.read_stream(*fid, *offset, *count).map(Some);
            }
            ask => match self.refused(ask) {
                Some(error) => Err(error),
                None => self.now(ask),
            },
        };
        Ok(Some(outcome))
    }

    fn is_slow(&self, fid: u32) -> bool {
        self.fids.get(&fid).is_some_and(|entry| self.tree.is_slow(entry.path.file()))
    }
    fn is_stream(&self, fid: u32) -> bool {
        matches!(self.fids.get(&fid), Some(Entry { state: State::Open(open), .. }) if open.is_stream)
    }
    fn is_value_or_sink(&self, fid: u32) -> bool {
        matches!(self.fids.get(&fid), Some(Entry { state: State::Value(_) | State::Sink { .. }, .. }))
    }

    fn begin_walk(&self, fid: u32, newfid: u32) -> Result<Path, Error> {
        let from = self.get(fid)?;
        if newfid != fid {
            self.check_free(newfid)?;
        } else if !matches!(from.state, State::Unopened) {
            return Err(Error::INVALID);
        }
        Ok(from.path.clone())
    }

    fn walk(
        &mut self,
        mut at: Path,
        mut names: Vec<&'static [u8]>,
        mut qids: QidList,
        total: usize,
        newfid: u32,
    ) -> Result<Outcome, Box<Work>> {
        let mut ended = Ok(());
        while !names.is_empty() {
            if names[0] == LAZY {
                return Err(Box::new(Work::Walk { at, names, qids, total, newfid }));
            }
            match self.step(&at, names.remove(0)) {
                Ok(next) => at = next,
                Err(error) => {
                    ended = Err(error);
                    break;
                }
            }
            qids.push(self.tree.qid(at.file()));
        }
        Ok(self.walked(at, qids, total, newfid, ended))
    }

    fn step(&self, at: &Path, name: &[u8]) -> Result<Path, Error> {
        if name == b"." {
            return if self.tree.is_dir(at.file()) { Ok(at.clone()) } else { Err(Error::NOT_DIRECTORY) };
        }
        check_name(name)?;
        self.tree.walk(at, name)
    }

    fn walked(
        &mut self,
        at: Path,
        qids: QidList,
        total: usize,
        newfid: u32,
        ended: Result<(), Error>,
    ) -> Outcome {
        match ended {
            Err(error) if qids.as_slice().is_empty() => return Err(error),
            _ if qids.as_slice().len() < total => {}
            _ => {
                self.fids.insert(newfid, Entry { path: at, state: State::Unopened });
            }
        }
        self.frame(Rmessage::Walk { qids })
    }

    /// A stream's read: nothing where it is the rest of a short one, what is there, or a wait.
    fn read_stream(&mut self, fid: u32, offset: u64, count: u32) -> Result<Outcome, Box<Work>> {
        let fills = self.dialect != Dialect::P9P2000;
        let entry = self.fids.get_mut(&fid).expect("it is open");
        let file = entry.path.file();
        let State::Open(open) = &mut entry.state else { unreachable!("it is open") };
        if fills && open.rest.take() == Some((offset, count)) {
            return Ok(self.read_reply(b""));
        }
        let behind = self.flights.iter().any(|flight| matches!(flight.work, Work::Pipe { .. }));
        if behind || !self.tree.has_data(file) {
            return Err(Box::new(Work::Pipe { fid, file, offset, count }));
        }
        Ok(self.take(fid, file, offset, count))
    }

    fn take(&mut self, fid: u32, file: usize, offset: u64, count: u32) -> Outcome {
        let limit = count.min(MSIZE - READ_OVERHEAD as u32) as usize;
        let data = self.tree.take(file, limit);
        if self.dialect != Dialect::P9P2000
            && let Some(Entry { state: State::Open(open), .. }) = self.fids.get_mut(&fid)
        {
            let got = data.len() as u32;
            if got > 0 && got < count {
                open.rest = Some((offset.wrapping_add(got.into()), count - got));
            }
        }
        self.read_reply(&data)
    }

    fn read_reply(&self, data: &[u8]) -> Outcome {
        self.frame(Rmessage::Read { data: Data(data) })
    }

    /// The script opens a gate: the `which`th in the order they were made, counted round and round.
    pub fn open_gate(&mut self, which: usize) {
        let gated = |work: &Work| matches!(work, Work::Walk { .. } | Work::Slow(..));
        let mut gates: Vec<u64> =
            self.flights.iter().filter(|flight| gated(&flight.work)).map(|flight| flight.called).collect();
        gates.sort_unstable();
        let Some(called) = which.checked_rem(gates.len()).map(|at| gates[at]) else { return };
        let at = self.flights.iter().position(|flight| flight.called == called).expect("it is there");
        let Flight { serial, tag, claims, work, .. } = self.flights.remove(at);
        let outcome = match work {
            Work::Walk { at, mut names, mut qids, total, newfid } => {
                match self.tree.walk(&at, names.remove(0)) {
                    Ok(next) => {
                        qids.push(self.tree.qid(next.file()));
                        match self.walk(next, names, qids, total, newfid) {
                            Ok(outcome) => outcome,
                            Err(work) => {
                                // It goes on waiting: it holds its place whatever the bound.
                                self.calls += 1;
                                self.flights.push(Flight {
                                    serial,
                                    tag,
                                    claims,
                                    work: *work,
                                    called: self.calls,
                                });
                                return;
                            }
                        }
                    }
                    Err(error) => self.walked(at, qids, total, newfid, Err(error)),
                }
            }
            Work::Slow(ask, entry) => self.slowly(&ask, &entry),
            Work::Turn(_) | Work::Pipe { .. } => unreachable!("only gates were looked at"),
        };
        self.finish(tag, outcome);
        self.next_turns();
    }

    /// The slow file's operation, at last.
    fn slowly(&mut self, ask: &Ask, entry: &Entry) -> Outcome {
        match ask {
            // What it was asked on is there still: whatever would have changed it has had to wait.
            Ask::Read { offset, count, .. } => {
                let limit = (*count).min(MSIZE - READ_OVERHEAD as u32) as usize;
                self.read_reply(&self.tree.read(entry.path.file(), *offset, limit))
            }
            Ask::Write { offset, data, .. } => {
                let count = self.tree.write(entry.path.file(), *offset, data)? as u32;
                self.frame(Rmessage::Write { count })
            }
            Ask::Getattr { .. } => self.frame(Rmessage::Getattr { attr: self.tree.attr(entry.path.file()) }),
            ask => self.now(ask),
        }
    }

    /// The pipe's readers get what is there, the first come first.
    pub fn settle(&mut self) {
        loop {
            let first = self
                .flights
                .iter()
                .enumerate()
                .filter(|(_, flight)| matches!(flight.work, Work::Pipe { .. }))
                .min_by_key(|(_, flight)| flight.called);
            let Some((at, Flight { work: Work::Pipe { fid, file, offset, count }, tag, .. })) = first else {
                return;
            };
            if !self.tree.has_data(*file) {
                return;
            }
            let (tag, fid, file, offset, count) = (*tag, *fid, *file, *offset, *count);
            self.flights.remove(at);
            let outcome = self.take(fid, file, offset, count);
            self.finish(tag, outcome);
            self.next_turns();
        }
    }
}
