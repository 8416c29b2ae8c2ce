//! What a program may reach: its task's `net:` capabilities, asked before every connection, listener and datagram, and for
//! every name that is looked up. Who is refused finds the missing capability in the task's trace and the server's log.
//!
//! A capability that names a host is good for the addresses that the host's name was found to have, by this program, by asking
//! for it: `net:connect example.org:443` allows `1.2.3.4:443` once the name was looked up and came to that.

use crate::{Caps, Group, Trace};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use vfs::{Result, TaskId};

/// Names whose addresses are remembered; the oldest are forgotten.
const MAX_NAMES: usize = 64;
/// Refusals of one program that the server's log tells.
const MAX_LOGGED: u32 = 20;

/// One program's way to the network.
pub struct Reach {
    caps: Arc<Caps>,
    task: Option<TaskId>,
    trace: Trace,
    group: Option<Arc<Group>>,
    /// What the names that it asked for came to, the newest last.
    names: Mutex<VecDeque<(String, Vec<IpAddr>)>>,
    logged: AtomicU32,
}

impl Reach {
    pub fn new(caps: Arc<Caps>, task: Option<TaskId>, trace: Trace) -> Reach {
        Reach { caps, task, trace, group: None, names: Mutex::default(), logged: AtomicU32::new(0) }
    }

    /// That of a program of `group`, whose ceiling holds too, as it is when it is asked.
    pub fn of_group(self, group: Option<Arc<Group>>) -> Reach {
        Reach { group, ..self }
    }

    /// The task whose program it is.
    pub fn task(&self) -> Option<TaskId> {
        self.task
    }
    /// Those it lives together with.
    pub fn group(&self) -> Option<&Arc<Group>> {
        self.group.as_ref()
    }
    pub fn is_of_group(&self) -> bool {
        self.group.is_some()
    }
    pub fn caps(&self) -> &Caps {
        &self.caps
    }

    /// Whether it may connect to `peer`, or send there.
    pub fn connect(&self, peer: SocketAddr) -> Result<()> {
        self.within_ceiling(|ceiling| self.connect_by(ceiling, peer))?;
        self.by_own(|caps| self.connect_by(caps, peer))
    }
    fn connect_by(&self, caps: &Caps, peer: SocketAddr) -> Result<()> {
        let (ip, port) = (peer.ip().to_canonical(), peer.port());
        let address = ip.to_string();
        caps.not_denied(&address, port)?;
        let names = self.names.lock();
        let mut named = names.iter().filter(|(_, found)| found.contains(&ip)).map(|(name, _)| name);
        named.clone().try_for_each(|name| caps.not_denied(name, port))?;
        match caps.allow_connect(&address, port) {
            Err(_) if named.any(|name| caps.allow_connect(name, port).is_ok()) => Ok(()),
            by_address => by_address,
        }
    }

    /// Whether no capability denies `peer`, for what needs none that allows it.
    pub fn not_denied(&self, peer: SocketAddr) -> Result<()> {
        let (ip, port) = (peer.ip().to_canonical().to_string(), peer.port());
        self.within_ceiling(|ceiling| ceiling.not_denied(&ip, port))?;
        self.caps.not_denied(&ip, port)
    }

    /// Whether there is anything but a loopback that it may connect to.
    pub fn leaves_the_loopback(&self) -> bool {
        let ceiling = self.group.as_ref().is_none_or(|group| group.caps().connects_beyond_loopback());
        let own = self.caps.connects_beyond_loopback();
        ceiling
            && (own || self.group.as_ref().is_some_and(|group| group.granted().connects_beyond_loopback()))
    }

    /// Whether it may listen at `local`.
    pub fn listen(&self, local: SocketAddr) -> Result<()> {
        let host = local.ip().to_canonical().to_string();
        self.within_ceiling(|ceiling| ceiling.allow_listen(&host, local.port()))?;
        self.by_own(|caps| caps.allow_listen(&host, local.port()))
    }

    /// Whether it may ask for the addresses of `name`.
    pub fn look_up(&self, name: &str) -> Result<()> {
        self.within_ceiling(|ceiling| ceiling.allow_look_up(name))?;
        self.by_own(|caps| caps.allow_look_up(name))
    }

    /// By what it has itself, and by what its group was given since; what it is denied itself stays so.
    fn by_own(&self, ask: impl Fn(&Caps) -> Result<()>) -> Result<()> {
        ask(&self.caps).or_else(|missing| {
            let Some(group) = &self.group else { return Err(missing) };
            let mut granted = group.granted();
            self.caps.denials().for_each(|deny| granted.grant(deny.clone()));
            ask(&granted).map_err(|_| missing)
        })
    }

    fn within_ceiling(&self, ask: impl FnOnce(&Caps) -> Result<()>) -> Result<()> {
        self.group.as_ref().map_or(Ok(()), |group| ask(&group.caps()))
    }

    /// It asked for `name`, and was told these addresses.
    pub fn found(&self, name: &str, addresses: &[IpAddr]) {
        let mut names = self.names.lock();
        names.retain(|(known, _)| known != name);
        if names.len() == MAX_NAMES {
            names.pop_front();
        }
        names.push_back((name.to_owned(), addresses.to_vec()));
    }

    /// Shows a question and its answer in the trace, and a refusal in the log; gives the answer.
    pub fn say(&self, verb: &str, what: impl Display, answer: Result<()>) -> Result<()> {
        match &answer {
            Ok(()) => {
                if self.trace.is_on() {
                    self.trace.say(format_args!("{verb}({what}) = allowed"));
                }
            }
            Err(error) => {
                self.trace.say(format_args!("{verb}({what}) = access-denied ({error})"));
                if self.logged.fetch_add(1, Ordering::Relaxed) < MAX_LOGGED {
                    let task = self.task.map_or(0, |task| task.0);
                    tracing::warn!(task, "{verb} {what}: {error}");
                }
            }
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Cap;

    fn caps(lines: &[&str]) -> Caps {
        let mut caps = Caps::default();
        for line in lines {
            let words: Vec<Vec<u8>> = line.split(' ').map(|word| word.as_bytes().to_vec()).collect();
            caps.grant(Cap::parse(&words).expect("a capability"));
        }
        caps
    }

    #[test]
    fn what_is_denied_is_denied_by_address_and_by_name_and_the_ceiling_counts_as_it_is_now() {
        let group = Group::new(1);
        let given = Arc::new(caps(&["net:connect *:*", "net:deny 10.0.0.1:*", "net:deny bad.example:443"]));
        let reach = Reach::new(given, None, Trace::default()).of_group(Some(group.clone()));
        let peer = |address: &str| address.parse().expect("an address");
        assert!(reach.connect(peer("10.0.0.1:80")).is_err());
        assert!(reach.connect(peer("10.0.0.2:443")).is_ok());
        assert!(reach.not_denied(peer("10.0.0.1:80")).is_err());
        reach.found("bad.example", &["10.0.0.2".parse().expect("an address")]);
        assert!(reach.connect(peer("10.0.0.2:443")).is_err());
        assert!(reach.connect(peer("10.0.0.2:80")).is_ok());
        group.set_caps(caps(&["net:connect 10.0.0.3:*"]));
        assert!(reach.connect(peer("10.0.0.2:80")).is_err());
        assert!(reach.connect(peer("10.0.0.3:80")).is_ok());
        assert!(reach.not_denied(peer("10.0.0.2:80")).is_ok());
        group.set_caps(caps(&["net:deny 10.0.0.2:80"]));
        assert!(reach.not_denied(peer("10.0.0.2:80")).is_err());
    }

    #[test]
    fn what_a_group_is_given_while_it_runs_its_programs_have_and_what_one_is_denied_it_stays_denied() {
        let group = Group::new(1);
        group.set_caps(Caps::default());
        let given = Arc::new(caps(&["net:deny 10.0.0.9:*"]));
        let reach = Reach::new(given, None, Trace::default()).of_group(Some(group.clone()));
        let peer = |address: &str| address.parse().expect("an address");
        assert!(reach.connect(peer("10.0.0.1:80")).is_err());
        group.set_caps(caps(&["net:connect *:80"]));
        assert!(reach.connect(peer("10.0.0.1:80")).is_ok());
        assert!(reach.connect(peer("10.0.0.1:81")).is_err());
        assert!(reach.connect(peer("10.0.0.9:80")).is_err());
        group.set_caps(Caps::default());
        assert!(reach.connect(peer("10.0.0.1:80")).is_err(), "what is taken away is gone at once");
    }

    #[test]
    fn a_name_is_good_for_the_addresses_it_came_to_and_its_own_ports() {
        let given = Arc::new(caps(&["net:connect example.org:443"]));
        let reach = Reach::new(given, None, Trace::default());
        let peer = |address: &str| address.parse().expect("an address");
        assert!(reach.connect(peer("10.0.0.1:443")).is_err());
        reach.found("example.org", &["10.0.0.1".parse().expect("an address")]);
        reach.found("example.net", &["10.0.0.2".parse().expect("an address")]);
        assert!(reach.connect(peer("10.0.0.1:443")).is_ok());
        assert!(reach.connect(peer("[::ffff:10.0.0.1]:443")).is_ok());
        assert!(reach.connect(peer("10.0.0.1:80")).is_err());
        assert!(reach.connect(peer("10.0.0.2:443")).is_err());
        assert!(reach.listen(peer("10.0.0.1:443")).is_err());
    }
}
