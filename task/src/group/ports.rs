//! The network of a group: a loopback of its own, made when somebody first wants it, and what is told of its ports.

use super::{Event, Group};
use loopback::{Change, Listeners, Loopback};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock, Weak};
use vfs::{Error, Result, TaskId};

/// A group's loopback and who listens there.
#[derive(Default)]
pub(super) struct Ports {
    loopback: Mutex<Option<Arc<Loopback>>>,
    /// As the runtimes tell it, for each port that was listened at.
    tasks: Mutex<BTreeMap<u16, TaskId>>,
    /// Where a port is shown to browsers.
    urls: OnceLock<Box<Urls>>,
}

type Urls = dyn Fn(u16) -> Option<String> + Send + Sync;

impl Group {
    /// Its loopback, the only one that its tasks have. To be called within a tokio runtime.
    ///
    /// # Errors
    /// Where the machine gives none; the error says what is missing.
    pub fn loopback(self: &Arc<Group>) -> Result<Arc<Loopback>> {
        let mut made = self.ports.loopback.lock();
        if let Some(loopback) = &*made {
            return Ok(loopback.clone());
        }
        let none = |error: std::io::Error| {
            Error::new(Error::from(std::io::Error::from(error.kind())).errno(), error.to_string())
        };
        let loopback = Arc::new(Loopback::new().map_err(none)?);
        match loopback.watch() {
            Ok(listeners) => drop(tokio::spawn(tell(Arc::downgrade(self), listeners))),
            Err(error) => self.cannot_tell(&error),
        }
        *made = Some(loopback.clone());
        Ok(loopback)
    }

    /// Its loopback, where it has one already: without it nobody listens.
    pub fn has_loopback(&self) -> Option<Arc<Loopback>> {
        self.ports.loopback.lock().clone()
    }

    /// `task` listens at `port` of the loopback.
    pub fn listened(&self, port: u16, task: TaskId) {
        self.ports.tasks.lock().insert(port, task);
        if let Some(loopback) = self.has_loopback() {
            loopback.listened();
        }
    }

    /// The task that listened at `port` last.
    pub fn listens(&self, port: u16) -> Option<TaskId> {
        self.ports.tasks.lock().get(&port).copied()
    }

    /// Says once where ports are shown, to be told when they open.
    pub fn set_urls(&self, urls: impl Fn(u16) -> Option<String> + Send + Sync + 'static) {
        let _first = self.ports.urls.set(Box::new(urls));
    }
    /// Where `port` is shown to browsers, where it is.
    pub fn url(&self, port: u16) -> Option<String> {
        self.ports.urls.get()?(port)
    }

    fn cannot_tell(&self, error: &std::io::Error) {
        self.say(Event::Error { what: "ports".into(), message: error.to_string() });
    }
}

/// Tells of ports as they open and close, for as long as there is the loopback.
async fn tell(group: Weak<Group>, mut listeners: Listeners) {
    loop {
        let change = listeners.next().await;
        let Some(group) = group.upgrade() else { return };
        match change {
            Ok(Some(Change::Opened(port))) => {
                let task = group.listens(port);
                group.say(Event::PortOpened { port, task });
                if let Some(url) = group.url(port) {
                    group.say(Event::ServerReady { port, url });
                }
            }
            Ok(Some(Change::Closed(port))) => {
                group.ports.tasks.lock().remove(&port);
                group.say(Event::PortClosed { port });
            }
            Ok(None) => return,
            Err(error) => return group.cannot_tell(&error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::net::{AddressFamily, SocketType, bind, listen};
    use std::net::SocketAddr;

    async fn next(reader: &super::super::Reader) -> String {
        let mut line = [0; 200];
        let count = reader.read(&mut line).await.expect("an event");
        String::from_utf8_lossy(&line[..count]).into_owned()
    }

    #[tokio::test]
    async fn a_port_is_told_of_with_its_task_when_it_opens_and_when_it_closes() {
        let group = Group::new(1);
        let events = group.events().reader();
        group.set_urls(|port| Some(format!("http://{port}/")));
        assert!(group.has_loopback().is_none(), "who has no use for one has none");
        let loopback = group.loopback().expect("a loopback");
        let socket = loopback.socket(AddressFamily::INET, SocketType::STREAM).expect("a socket");
        let address: SocketAddr = "0.0.0.0:3000".parse().expect("an address");
        bind(&socket, &address).and_then(|()| listen(&socket, 1)).expect("the port is free");
        group.listened(3000, TaskId(7));
        assert_eq!(next(&events).await, "port 3000 open 7\nserver-ready 3000 http://3000/\n");
        assert_eq!(group.listens(3000), Some(TaskId(7)));
        drop(socket);
        assert_eq!(next(&events).await, "port 3000 closed\n");
    }
}
