//! What containers' connections to the outside carry, counted for their groups: while they are open a few times a second, and
//! once more, to the byte, when they are closed. A worker's connection is its own: nothing here keeps it open.

use loopback::{Carried, Connection};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::os::fd::BorrowedFd;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;
use task::Group;

const OFTEN: Duration = Duration::from_millis(250);

/// All connections out of this server's containers.
pub(super) struct Meter {
    carried: Carried,
    open: Mutex<HashMap<u64, Counted>>,
}

struct Counted {
    connection: Connection,
    group: Weak<Group>,
    bytes: u64,
    /// It was looked for so often, and was not there.
    missed: u32,
}

impl Counted {
    /// It has carried `bytes` in all. Beyond the limit the group says so, and new connections fail.
    fn charge(&mut self, bytes: u64) {
        let more = bytes.saturating_sub(self.bytes);
        if more > 0
            && let Some(group) = self.group.upgrade()
        {
            self.bytes = bytes;
            let _told = group.charge_network(more);
        }
    }
    fn is_missed(&mut self) -> bool {
        self.missed += 1;
        self.missed > 8
    }
}

impl Meter {
    /// The server's; none where the kernel does not count. To be called within a tokio runtime.
    pub fn get() -> Option<&'static Arc<Meter>> {
        static METER: OnceLock<Option<Arc<Meter>>> = OnceLock::new();
        let start = || match Carried::new() {
            Ok(carried) => {
                let meter = Arc::new(Meter { carried, open: Mutex::default() });
                tokio::spawn(meter.clone().listen());
                tokio::spawn(meter.clone().look());
                Some(meter)
            }
            Err(error) => {
                tracing::warn!("what containers send and receive outside is not counted: {error}");
                None
            }
        };
        METER.get_or_init(start).as_ref()
    }

    /// Counts what goes over `socket`, which is, or will be, connected to `peer`, for `group`.
    pub fn add(&self, group: &Arc<Group>, socket: BorrowedFd<'_>, peer: SocketAddr) {
        // One that was closed meanwhile carries nothing.
        if let Ok(connection) = Connection::of(socket, peer) {
            let counted =
                Counted { connection: connection.clone(), group: Arc::downgrade(group), bytes: 0, missed: 0 };
            self.open.lock().insert(connection.cookie, counted);
        }
    }

    /// Hears of those that are closed.
    async fn listen(self: Arc<Meter>) {
        loop {
            match self.carried.gone().await {
                Ok(gone) => {
                    for (cookie, bytes) in gone {
                        if let Some(mut counted) = self.open.lock().remove(&cookie) {
                            counted.charge(bytes);
                        }
                    }
                }
                Err(error) => {
                    tracing::warn!("connections of containers that were closed: {error}");
                    tokio::time::sleep(OFTEN).await;
                }
            }
        }
    }

    /// Looks at those that are open; one that is not there any more, and of which nobody told, is forgotten.
    async fn look(self: Arc<Meter>) {
        loop {
            tokio::time::sleep(OFTEN).await;
            let all: Vec<Connection> =
                self.open.lock().values().map(|counted| counted.connection.clone()).collect();
            for connection in all {
                let so_far = self.carried.so_far(&connection);
                let mut open = self.open.lock();
                match so_far {
                    Ok(Some(bytes)) => {
                        if let Some(counted) = open.get_mut(&connection.cookie) {
                            counted.charge(bytes);
                        }
                    }
                    // It may be told of in a moment, with its last bytes.
                    Ok(None) => {
                        let missed = open.get_mut(&connection.cookie).is_some_and(Counted::is_missed);
                        if missed {
                            open.remove(&connection.cookie);
                        }
                    }
                    Err(error) => tracing::debug!("a connection of a container: {error}"),
                }
            }
        }
    }
}
