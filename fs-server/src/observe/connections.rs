//! The 9P connections that there are, and what those that have ended did.

use nine::server::{Figures, Messages, Observed};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A server's connections.
#[derive(Default)]
pub struct Connections {
    messages: Messages,
    next: AtomicU64,
    turned_away: AtomicU64,
    // Held while a connection comes or goes, and while all are added up.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    live: HashMap<u64, Arc<Observed>>,
    ended: Figures,
}

impl Connections {
    pub fn messages(&self) -> Messages {
        self.messages.clone()
    }

    /// A connection that begins now; it has ended when what comes back is dropped.
    pub fn enter(self: &Arc<Connections>) -> Seen {
        let id = self.next.fetch_add(1, Ordering::Relaxed) + 1;
        let observed = Arc::new(Observed::new(id, self.messages()));
        self.state.lock().live.insert(id, observed.clone());
        Seen { id, observed, connections: self.clone() }
    }

    /// One more that came and was not served.
    pub fn turn_away(&self) {
        self.turned_away.fetch_add(1, Ordering::Relaxed);
    }

    /// How many there have been, and how many were turned away.
    pub fn counts(&self) -> (u64, u64) {
        (self.next.load(Ordering::Relaxed), self.turned_away.load(Ordering::Relaxed))
    }

    /// How many there are, and what all that have ever been did and hold.
    pub fn sum(&self) -> (usize, Figures) {
        let state = self.state.lock();
        let mut sum = state.ended.clone();
        state.live.values().for_each(|observed| sum += &observed.figures());
        (state.live.len(), sum)
    }
}

/// A connection while it lasts.
pub struct Seen {
    /// Unique in the server.
    pub id: u64,
    pub observed: Arc<Observed>,
    connections: Arc<Connections>,
}

impl Drop for Seen {
    fn drop(&mut self) {
        let mut state = self.connections.state.lock();
        state.live.remove(&self.id);
        state.ended += &self.observed.figures().ended();
    }
}
