//! A session against a model of it: whatever is asked, in whatever order, at once or piecemeal, each request is answered
//! once, with what the model says, unless it was flushed; and nothing is left behind.
//!
//! ```text
//! script ──► frames ──► nine's session ──► replies ─┐
//!    │                    └─ server.rs: a Tree      ├─ the same
//!    └─────► model.rs: fids, order, another Tree ───┘
//! ```

mod model;
mod script;
pub mod server;
pub mod stream;
mod tree;

use crate::bytes::Bytes;
use model::{FIDS, IN_FLIGHT, MSIZE, Model, Reply, reply_of};
use nine::server::Config;
use nine::wire::{Dialect, Msize};
use script::Ask;
use server::Server;
use std::sync::Arc;
use stream::Served;

/// The input is a script: a dialect, then what to do, an operation a byte with its numbers behind it.
pub fn check(input: &[u8]) {
    let mut bytes = Bytes::new(input);
    let dialect = match bytes.below(4) {
        0 => Dialect::P9P2000U,
        1 => Dialect::P9P2000,
        _ => Dialect::P9P2000L,
    };
    let server = Arc::new(Server::new(dialect == Dialect::P9P2000L));
    let bounds = Config { msize: Msize(MSIZE), fids: FIDS, in_flight: IN_FLIGHT, ..Config::default() };
    let mut pair =
        Pair { served: Served::new(server.clone(), bounds), server, model: Model::new(dialect), dialect };
    for ask in [Ask::Version, Ask::Attach { fid: 0, afid: u32::MAX }] {
        pair.ask(&[(0, ask)], usize::MAX);
    }
    for _ in 0..100 {
        if bytes.is_empty() {
            break;
        }
        match bytes.below(8) {
            0 | 1 => pair.open_gate(bytes.byte().into()),
            // Several at once; what comes together is handled together.
            2 | 3 => {
                let asks: Vec<(u16, Ask)> = (0..2 + bytes.below(4))
                    .map(|_| (script::tag(&mut bytes), Ask::draw(&mut bytes)))
                    .collect();
                pair.ask(&asks, usize::MAX);
            }
            4 => {
                let piece = usize::from(bytes.below(9)) + 1;
                let ask = (script::tag(&mut bytes), Ask::draw(&mut bytes));
                pair.ask(&[ask], piece);
            }
            5 if bytes.below(8) == 0 => {
                pair.served.send(bytes.rest(), usize::MAX);
                pair.served.run();
                break;
            }
            _ => {
                let ask = (script::tag(&mut bytes), Ask::draw(&mut bytes));
                pair.ask(&[ask], usize::MAX);
            }
        }
    }
    let Pair { served, server, .. } = pair;
    served.hang_up();
    assert_eq!((server.waiting(), server.open_files()), ((0, 0), 0), "nothing is left behind");
}

struct Pair {
    served: Served,
    server: Arc<Server>,
    model: Model,
    dialect: Dialect,
}

impl Pair {
    /// Sends requests in one go, in pieces of so many bytes.
    fn ask(&mut self, asks: &[(u16, Ask)], piece: usize) {
        let mut frames = Vec::new();
        for (tag, ask) in asks {
            if let Some(frame) = ask.frame(self.dialect, MSIZE, *tag) {
                frames.extend(frame);
                self.model.request(*tag, ask.clone());
            }
        }
        self.served.send(&frames, piece);
        self.compare(&format!("{asks:?}"));
    }

    fn open_gate(&mut self, which: usize) {
        self.server.open_gate(which);
        self.model.open_gate(which);
        self.compare("a gate opens");
    }

    fn compare(&mut self, what: &str) {
        self.served.run();
        self.model.settle();
        assert!(!self.served.has_ended(), "the connection goes on after {what}");
        let frames = self.served.take_frames();
        let mut replies: Vec<Reply> = frames.iter().map(|frame| reply_of(self.dialect, frame)).collect();
        let mut expected = std::mem::take(&mut self.model.replies);
        replies.sort_unstable();
        expected.sort_unstable();
        assert_eq!(replies, expected, "{what}");
        assert_eq!(self.server.waiting(), self.model.waiting(), "what still waits after {what}");
        if self.model.is_idle() {
            assert_eq!(self.server.open_files(), self.model.open_fids(), "open files after {what}");
        }
    }
}
