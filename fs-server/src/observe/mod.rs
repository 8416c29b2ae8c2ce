//! What a server shows of its own work: the figures of /dev/metrics and the messages of /dev/trace9 and --trace-9p.
//!
//! Whoever does the work counts it where it happens, cheaply; here it is added up when somebody reads.

mod connections;
mod metrics;
mod process;
mod trace_file;

pub use connections::{Connections, Seen};
pub use trace_file::{Target, TraceFile};

use crate::fuse;
use services::{Messages, Observation};
use std::sync::Arc;
use task::TaskTable;

/// All that one server's work is counted in.
pub struct Observer {
    pub connections: Arc<Connections>,
    pub fuse: Arc<fuse::Counts>,
    messages: Arc<Messages>,
}

impl Observer {
    pub fn new() -> Observer {
        let connections = Arc::new(Connections::default());
        let spoken = connections.messages();
        let messages = Arc::new_cyclic(|messages| {
            let messages: std::sync::Weak<Messages> = messages.clone();
            Messages::new(move |wanted| {
                let messages = messages.clone();
                let listener = move |message: &nine::server::Spoken<'_>| {
                    if let Some(messages) = messages.upgrade() {
                        messages.say(message);
                    }
                };
                spoken.listen(wanted.then(|| Arc::new(listener) as _));
            })
        });
        Observer { connections, fuse: Arc::default(), messages }
    }

    /// The messages of the connections, for whoever wants to watch.
    pub fn messages(&self) -> &Arc<Messages> {
        &self.messages
    }

    /// What `/dev` shows.
    pub fn observation(&self, table: &Arc<TaskTable>) -> Observation {
        let (connections, fuse, table) = (self.connections.clone(), self.fuse.clone(), table.clone());
        let metrics = move || metrics::text(&connections, &fuse, &table);
        Observation { metrics: Arc::new(metrics), messages: self.messages.clone() }
    }
}

impl Default for Observer {
    fn default() -> Observer {
        Observer::new()
    }
}
