//! What a task may do: capabilities, in one language for every runtime. What is not listed is denied.
//!
//! ```text
//! fs:/path read [write]        files at and below a path of the task's namespace; `write` alone does not read
//! net:connect host:port        `*` for any host, any port, or the front of a host name: *.example.org:443 [::1]:80
//! net:listen host:port
//! net:deny host:port           no connection there, whatever net:connect says
//! env NAME…                    environment variables that reach the program; * for all
//! spawn                        make tasks (below this one)
//! ```
//!
//! A task made from outside starts with `fs:/ read write` and `env *`: its namespace is the wall, and it has no network and
//! makes no tasks. One made by a task starts with what its maker has, and never gets more.

use crate::rc;
use std::any::Any;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use vfs::{Access, Caller, Errno, Error, Guard, Result};

/// Files of which a task's own directory consists: /task checks for itself who may see whom, so no `fs` is needed there.
const TASKS: &[u8] = b"/task";

/// One line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Cap {
    Fs { path: Vec<u8>, access: Access },
    Connect(Peer),
    Listen(Peer),
    Deny(Peer),
    Env(Vec<String>),
    Spawn,
}

/// A `host:port` pattern.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Peer {
    pub host: String,
    /// None is any.
    pub port: Option<u16>,
}

impl Peer {
    fn parse(word: &str) -> Option<Peer> {
        let (host, port) = word.rsplit_once(':')?;
        let host = bare(host);
        let stars_in_front_only = !host.trim_start_matches('*').contains('*');
        // Nothing else is in a name or an address; a line end or a quote would make other lines of it when it is shown.
        let plain = host.chars().all(|c| c.is_alphanumeric() || "*.-_:[]%".contains(c));
        // Between two dots of a name is a label (RFC 1035, 2.3.1); the root alone is no host.
        let labelled = !host.contains("..") && host != ".";
        if host.is_empty() || !stars_in_front_only || !plain || !labelled {
            return None;
        }
        let port = if port == "*" { None } else { Some(port.parse().ok()?) };
        Some(Peer { host: canonical(host), port })
    }

    /// Whether this pattern takes `host:port`.
    pub fn takes(&self, host: &str, port: u16) -> bool {
        self.takes_host(host) && self.port.is_none_or(|p| p == port)
    }
    fn takes_host(&self, host: &str) -> bool {
        let host = canonical(bare(host));
        match self.host.strip_prefix('*') {
            Some(tail) => host.ends_with(tail),
            None => host == self.host,
        }
    }

    fn covers(&self, inner: &Peer) -> bool {
        let host = match (self.host.strip_prefix('*'), inner.host.strip_prefix('*')) {
            (Some(tail), Some(inner)) => inner.ends_with(tail),
            (Some(tail), None) => inner.host.ends_with(tail),
            (None, Some(_)) => false,
            (None, None) => self.host == inner.host,
        };
        host && (self.port.is_none() || self.port == inner.port)
    }
}

/// A host without the brackets that an IPv6 address has before a port.
fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

/// One spelling for each host: an address in its short form, a name in small letters, without the root's dot.
fn canonical(host: &str) -> String {
    match host.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().to_string(),
        Err(_) => host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase(),
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]", self.host)?,
            false => f.write_str(&self.host)?,
        }
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => write!(f, ":*"),
        }
    }
}

impl Cap {
    /// A capability from its words (`fs:/tmp read write`).
    pub fn parse(words: &[Vec<u8>]) -> Result<Cap> {
        let shown = || String::from_utf8_lossy(&rc::join(words)).into_owned();
        let bad = |why: &str| Error::new(Errno::EINVAL, format!("bad capability {:?}: {why}", shown()));
        let (first, rest) = words.split_first().ok_or_else(|| bad("want fs:, net:, env or spawn"))?;
        if let Some(path) = first.strip_prefix(b"fs:") {
            return Cap::parse_fs(path, rest).map_err(bad);
        }
        let text = |word: &[u8]| String::from_utf8(word.to_vec()).map_err(|_| bad("not UTF-8"));
        match (first.as_slice(), rest) {
            (b"net:connect" | b"net:listen" | b"net:deny", [peer]) => {
                let peer = Peer::parse(&text(peer)?).ok_or_else(|| bad("want host:port"))?;
                Ok(match first.as_slice() {
                    b"net:connect" => Cap::Connect(peer),
                    b"net:listen" => Cap::Listen(peer),
                    _ => Cap::Deny(peer),
                })
            }
            (b"net:connect" | b"net:listen" | b"net:deny", _) => Err(bad("want one host:port")),
            (b"env", []) => Err(bad("want names of variables, or *")),
            (b"env", names) => Ok(Cap::Env(names.iter().map(|n| text(n)).collect::<Result<_>>()?)),
            (b"spawn", []) => Ok(Cap::Spawn),
            (b"spawn", _) => Err(bad("spawn takes nothing")),
            _ => Err(bad("want fs:, net:connect, net:listen, net:deny, env or spawn")),
        }
    }

    fn parse_fs(path: &[u8], words: &[Vec<u8>]) -> Result<Cap, &'static str> {
        let plain = path.starts_with(b"/")
            && !path.split(|b| *b == b'/').any(|name| name == b"." || name == b"..")
            && !path.contains(&0);
        if !plain {
            return Err("want an absolute path without . and ..");
        }
        // It could not be shown so that it can be written back.
        if std::str::from_utf8(path).is_err() {
            return Err("not UTF-8");
        }
        let mut access = Access::empty();
        for word in words.iter().flat_map(|w| w.split(|b| *b == b',')) {
            access |= match word {
                b"read" => Access::READ,
                b"write" => Access::WRITE,
                _ => return Err("want read, write or both"),
            };
        }
        if access.is_empty() {
            return Err("want read, write or both");
        }
        let trimmed = path.iter().rposition(|b| *b != b'/').map_or(&path[..1], |last| &path[..=last]);
        Ok(Cap::Fs { path: trimmed.to_vec(), access })
    }

    fn covers(&self, inner: &Cap) -> bool {
        match (self, inner) {
            (Cap::Fs { path, access }, Cap::Fs { path: below, access: wanted }) => {
                is_below(below, path) && access.contains(*wanted)
            }
            (Cap::Connect(a), Cap::Connect(b))
            | (Cap::Listen(a), Cap::Listen(b))
            | (Cap::Deny(a), Cap::Deny(b)) => a.covers(b),
            (Cap::Env(names), Cap::Env(wanted)) => {
                names.iter().any(|n| n == "*") || wanted.iter().all(|w| names.contains(w))
            }
            (Cap::Spawn, Cap::Spawn) => true,
            _ => false,
        }
    }
}

impl fmt::Display for Cap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cap::Fs { path, access } => {
                let word = [b"fs:", path.as_slice()].concat();
                f.write_str(&String::from_utf8_lossy(&rc::quote(&word)))?;
                f.write_str(if access.contains(Access::READ) { " read" } else { "" })?;
                f.write_str(if access.contains(Access::WRITE) { " write" } else { "" })
            }
            Cap::Connect(peer) => write!(f, "net:connect {peer}"),
            Cap::Listen(peer) => write!(f, "net:listen {peer}"),
            Cap::Deny(peer) => write!(f, "net:deny {peer}"),
            Cap::Env(names) => write!(f, "env {}", String::from_utf8_lossy(&rc::join(names))),
            Cap::Spawn => f.write_str("spawn"),
        }
    }
}

/// Whether `path` is `top` or below it.
fn is_below(path: &[u8], top: &[u8]) -> bool {
    top == b"/" || path.strip_prefix(top).is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
}

/// Whether `path` is a file of /task and not seen through a task's `root`, which would be a way round every `fs` line.
fn of_a_task(path: &[u8]) -> bool {
    is_below(path, TASKS) && path.split(|b| *b == b'/').nth(3) != Some(b"root")
}

/// All that a task may do.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Caps(Vec<Cap>);

impl Caps {
    /// What a task made from outside starts with.
    pub fn fresh() -> Caps {
        Caps(vec![
            Cap::Fs { path: b"/".to_vec(), access: Access::READ | Access::WRITE },
            Cap::Env(vec!["*".into()]),
        ])
    }

    /// All that there is to be had.
    pub fn everything() -> Caps {
        let any = || Peer { host: "*".into(), port: None };
        let mut caps = Caps::fresh();
        caps.0.extend([Cap::Spawn, Cap::Connect(any()), Cap::Listen(any())]);
        caps
    }

    /// Those lines of it that `outer` has too, and what that denies.
    pub fn bounded_by(&self, outer: &Caps) -> Caps {
        let allowing = Caps(outer.0.iter().filter(|cap| !matches!(cap, Cap::Deny(_))).cloned().collect());
        let one = |cap: &&Cap| Caps(vec![(*cap).clone()]).within(&allowing).is_ok();
        let mut bounded = Caps(self.0.iter().filter(one).cloned().collect());
        outer.denials().for_each(|deny| bounded.grant(deny.clone()));
        bounded
    }

    /// What a caller from outside is bound by, where he is; a task has its own in the table.
    pub fn of(who: &Caller) -> Option<Arc<Caps>> {
        if who.task.is_some() {
            return None;
        }
        let guard: Arc<dyn Any + Send + Sync> = who.guard.clone()?;
        guard.downcast().ok()
    }

    /// Adds one. What is there already is not said twice.
    pub fn grant(&mut self, cap: Cap) {
        if !self.0.iter().any(|have| have.covers(&cap)) {
            self.0.push(cap);
        }
    }

    /// Takes away all that `cap` covers; fails where there is nothing such.
    pub fn revoke(&mut self, cap: &Cap) -> Result<()> {
        let before = self.0.len();
        self.0.retain(|have| !cap.covers(have));
        if self.0.len() == before {
            return Err(Error::new(Errno::ENOENT, format!("no capability {:?}", cap.to_string())));
        }
        Ok(())
    }

    /// Fails, naming the capability, where this allows what `outer` does not.
    pub fn within(&self, outer: &Caps) -> Result<()> {
        let all = |cap: &&Cap| match cap {
            // Names may come from several lines, access to one path too.
            Cap::Env(names) => names.iter().all(|n| outer.env(n)),
            Cap::Fs { path, access } => outer.access(path).contains(*access),
            Cap::Deny(_) => true,
            cap => outer.0.iter().any(|have| have.covers(cap)),
        };
        if let Some(deny) = outer.denials().find(|deny| !self.0.iter().any(|have| have.covers(deny))) {
            let text = format!("capability {:?} cannot be left out: its maker has it", deny.to_string());
            return Err(Error::new(Errno::EPERM, text));
        }
        match self.0.iter().find(|cap| !all(cap)) {
            None => Ok(()),
            Some(cap) => {
                Err(Error::new(Errno::EPERM, format!("capability {:?}: its maker has not", cap.to_string())))
            }
        }
    }

    /// Those lines of it that `other` has not.
    pub fn beyond(&self, other: &Caps) -> Caps {
        let has = |cap: &&Cap| !other.0.iter().any(|have| have.covers(cap));
        Caps(self.0.iter().filter(has).cloned().collect())
    }
    /// Grants all of it to `other`, too.
    pub(crate) fn append_to(self, other: &mut Caps) {
        self.0.into_iter().filter(|cap| !matches!(cap, Cap::Deny(_))).for_each(|cap| other.grant(cap));
    }
    /// What it denies.
    pub fn denials(&self) -> impl Iterator<Item = &Cap> {
        self.0.iter().filter(|cap| matches!(cap, Cap::Deny(_)))
    }

    pub fn spawn(&self) -> bool {
        self.0.contains(&Cap::Spawn)
    }
    /// Whether the variable `name` reaches the program.
    pub fn env(&self, name: &str) -> bool {
        self.0.iter().any(|cap| matches!(cap, Cap::Env(names) if names.iter().any(|n| n == "*" || n == name)))
    }
    /// Whether it may connect to, or send to, `port` of `host`, a name or an address; fails naming what is missing.
    pub fn allow_connect(&self, host: &str, port: u16) -> Result<()> {
        self.not_denied(host, port)?;
        let may = self.0.iter().any(|cap| matches!(cap, Cap::Connect(peer) if peer.takes(host, port)));
        if may {
            Ok(())
        } else {
            Err(missing(&Cap::Connect(Peer { host: canonical(bare(host)), port: Some(port) })))
        }
    }
    /// Fails where a `net:deny` is for `port` of `host`.
    pub(crate) fn not_denied(&self, host: &str, port: u16) -> Result<()> {
        match self.denials().find(|deny| matches!(deny, Cap::Deny(peer) if peer.takes(host, port))) {
            None => Ok(()),
            Some(deny) => {
                Err(Error::new(Errno::EACCES, format!("permission denied by {:?}", deny.to_string())))
            }
        }
    }
    /// Whether it may listen on `port` of its own address `host`.
    pub fn allow_listen(&self, host: &str, port: u16) -> Result<()> {
        let may = self.0.iter().any(|cap| matches!(cap, Cap::Listen(peer) if peer.takes(host, port)));
        if may {
            Ok(())
        } else {
            Err(missing(&Cap::Listen(Peer { host: canonical(bare(host)), port: Some(port) })))
        }
    }
    /// Whether it may ask for the addresses of `name`: who may connect there, at any port.
    pub fn allow_look_up(&self, name: &str) -> Result<()> {
        let denied =
            |cap: &Cap| matches!(cap, Cap::Deny(peer) if peer.port.is_none() && peer.takes_host(name));
        if let Some(deny) = self.0.iter().find(|cap| denied(cap)) {
            return Err(Error::new(Errno::EACCES, format!("permission denied by {:?}", deny.to_string())));
        }
        let may = self.0.iter().any(|cap| matches!(cap, Cap::Connect(peer) if peer.takes_host(name)));
        if may {
            Ok(())
        } else {
            Err(missing(&Cap::Connect(Peer { host: canonical(bare(name)), port: None })))
        }
    }
    /// Whether it may connect anywhere.
    pub fn connects(&self) -> bool {
        self.0.iter().any(|cap| matches!(cap, Cap::Connect(_)))
    }
    /// Whether it may connect anywhere but to a loopback.
    pub fn connects_beyond_loopback(&self) -> bool {
        let is_loopback = |peer: &Peer| match peer.host.parse::<IpAddr>() {
            Ok(ip) => ip.is_loopback() || ip.is_unspecified(),
            Err(_) => peer.host == "localhost" || peer.host.ends_with(".localhost"),
        };
        self.0.iter().any(|cap| matches!(cap, Cap::Connect(peer) if !is_loopback(peer)))
    }
    /// Whether it may listen anywhere.
    pub fn listens(&self) -> bool {
        self.0.iter().any(|cap| matches!(cap, Cap::Listen(_)))
    }
    /// Whether every file of the namespace may be read and written: then nothing needs to be asked.
    pub fn all_files(&self) -> bool {
        self.access(b"/").contains(Access::READ | Access::WRITE)
    }

    /// What may be done with the file at `path`.
    pub fn access(&self, path: &[u8]) -> Access {
        self.fs().filter(|(top, _)| is_below(path, top)).fold(Access::empty(), |all, (_, a)| all | a)
    }
    /// What may be done with some file at or below `path`.
    fn reach(&self, path: &[u8]) -> Access {
        let near = self.fs().filter(|(top, _)| is_below(path, top) || is_below(top, path));
        near.fold(Access::empty(), |all, (_, a)| all | a)
    }
    fn fs(&self) -> impl Iterator<Item = (&[u8], Access)> {
        self.0.iter().filter_map(|cap| match cap {
            Cap::Fs { path, access } => Some((path.as_slice(), *access)),
            _ => None,
        })
    }

    /// Fails where binding `new` over `old` would give files that are denied now a name that is allowed.
    pub fn allow_bind(&self, new: &[u8], old: &[u8]) -> Result<()> {
        if of_a_task(new) && of_a_task(old) {
            return Ok(());
        }
        let wanted = if is_below(old, TASKS) { Access::READ | Access::WRITE } else { self.reach(old) };
        if self.access(new).contains(wanted) { Ok(()) } else { Err(denied(new, wanted)) }
    }
}

fn denied(path: &[u8], want: Access) -> Error {
    missing(&Cap::Fs { path: path.to_vec(), access: want & (Access::READ | Access::WRITE) })
}

fn missing(cap: &Cap) -> Error {
    Error::new(Errno::EACCES, format!("permission denied: no capability {:?}", cap.to_string()))
}

impl Guard for Caps {
    fn allow(&self, path: &[u8], want: Access) -> Result<()> {
        // To run or to search a file is to read it.
        let wanted = match want.contains(Access::EXEC) {
            true => (want - Access::EXEC) | Access::READ,
            false => want,
        };
        if of_a_task(path) {
            return Ok(());
        }
        if is_below(path, TASKS) && !self.all_files() {
            return Err(denied(path, wanted));
        }
        let allowed =
            if wanted.is_empty() { !self.reach(path).is_empty() } else { self.access(path).contains(wanted) };
        if allowed { Ok(()) } else { Err(denied(path, wanted)) }
    }
}

/// A line a capability, each of which can be written back.
impl fmt::Display for Caps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|cap| writeln!(f, "{cap}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cap(line: &str) -> Cap {
        Cap::parse(&rc::split(line.as_bytes()).expect("balanced")).expect(line)
    }
    fn caps(lines: &[&str]) -> Caps {
        Caps(lines.iter().map(|l| cap(l)).collect())
    }

    #[test]
    fn what_is_not_listed_is_denied_and_the_error_names_what_is_missing() {
        let caps = caps(&["fs:/data read", "fs:/tmp read write"]);
        assert!(caps.allow(b"/data/x", Access::READ).is_ok());
        assert!(caps.allow(b"/tmp", Access::WRITE).is_ok());
        let error = caps.allow(b"/data/x", Access::WRITE).expect_err("read only");
        assert_eq!(error.text(), "permission denied: no capability \"fs:/data/x write\"");
        assert!(caps.allow(b"/database", Access::READ).is_err(), "a name is not a prefix");
        assert!(!caps.spawn());
        let error = caps.allow_connect("Example.org.", 80).expect_err("no network");
        assert_eq!(error.text(), "permission denied: no capability \"net:connect example.org:80\"");
        let error = caps.allow_listen("::1", 80).expect_err("no network");
        assert_eq!(error.text(), "permission denied: no capability \"net:listen [::1]:80\"");
        let error = caps.allow_look_up("example.org").expect_err("no network");
        assert_eq!(error.text(), "permission denied: no capability \"net:connect example.org:*\"");
    }

    #[test]
    fn one_may_look_at_what_lies_on_the_way_but_not_beside_it() {
        let caps = caps(&["fs:/a/b read"]);
        assert!(caps.allow(b"/a", Access::empty()).is_ok());
        assert!(caps.allow(b"/a", Access::READ).is_err());
        assert!(caps.allow(b"/c", Access::empty()).is_err());
    }

    #[test]
    fn a_host_is_the_same_however_it_is_spelt_and_a_pattern_takes_what_ends_as_it_does() {
        let caps = caps(&[
            "net:connect *.Example.org:443",
            "net:connect 127.0.0.1:*",
            "net:connect [0:0::1]:80",
            "net:listen 10.0.0.1:53",
        ]);
        for (host, port) in [
            ("www.example.org", 443),
            ("WWW.EXAMPLE.ORG.", 443),
            ("127.0.0.1", 9),
            ("::ffff:127.0.0.1", 9),
            ("::1", 80),
            ("[::1]", 80),
        ] {
            assert!(caps.allow_connect(host, port).is_ok(), "{host}:{port}");
        }
        for (host, port) in [
            ("example.org", 443),
            ("www.example.org", 80),
            ("www.example.org.evil.net", 443),
            ("127.0.0.2", 9),
        ] {
            assert!(caps.allow_connect(host, port).is_err(), "{host}:{port}");
        }
        assert!(caps.allow_look_up("a.example.org").is_ok() && caps.allow_look_up("example.net").is_err());
        assert!(caps.allow_listen("10.0.0.1", 53).is_ok() && caps.allow_listen("10.0.0.1", 54).is_err());
        assert!(caps.allow_connect("10.0.0.1", 53).is_err(), "listening is not connecting");
    }

    #[test]
    fn lines_are_read_back_as_they_are_shown() {
        for line in [
            "fs:/ read write",
            "'fs:/a b' read",
            "net:connect *.example.org:443",
            "net:listen 127.0.0.1:*",
            "net:connect [::1]:80",
            "env HOME PATH",
            "spawn",
        ] {
            assert_eq!(cap(line).to_string(), line);
        }
    }

    #[test]
    fn bad_lines_say_what_they_lack() {
        for line in [
            "",
            "fs:/",
            "fs:rel read",
            "fs:/a/../b read",
            "net:connect x",
            "net:connect 'a b:1'",
            "net:connect a..:1",
            "net:connect *..a:1",
            "net:connect .:1",
            "net:connect 'a:1\nspawn\nnet:connect b:1'",
            "env",
            "spawn 3",
            "frob",
        ] {
            let error = Cap::parse(&rc::split(line.as_bytes()).expect("balanced")).expect_err(line);
            assert!(error.text().starts_with("bad capability"), "{error}");
        }
    }

    #[test]
    fn a_path_that_cannot_be_shown_as_text_is_refused() {
        let words = [b"fs:/a\xff".to_vec(), b"read".to_vec()];
        assert!(Cap::parse(&words).expect_err("not UTF-8").text().contains("not UTF-8"));
    }

    #[test]
    fn a_child_never_has_more_than_its_maker() {
        let maker = caps(&["fs:/data read", "fs:/data write", "env A", "env B", "net:connect *.org:80"]);
        for line in ["fs:/data/x read write", "env A B", "net:connect a.org:80"] {
            assert!(caps(&[line]).within(&maker).is_ok(), "{line}");
        }
        for line in ["fs:/ read", "env C", "env *", "net:connect a.org:81", "net:connect *:80", "spawn"] {
            assert!(caps(&[line]).within(&maker).is_err(), "{line}");
        }
    }

    #[test]
    fn a_bind_gives_no_way_round_the_paths() {
        let caps = caps(&["fs:/data read", "fs:/tmp read write"]);
        assert!(caps.allow_bind(b"/tmp/x", b"/data/y").is_ok());
        assert!(caps.allow_bind(b"/secret", b"/data").is_err());
        assert!(caps.allow_bind(b"/secret", b"/").is_err());
        assert!(caps.allow_bind(b"/data", b"/tmp").is_err(), "it would become writable");
        assert!(caps.allow_bind(b"/secret", b"/task/3/stdio/0").is_err());
        assert!(caps.allow(b"/task/3/stdio/1", Access::READ).is_ok());
        assert!(caps.allow(b"/task/self/root/secret", Access::READ).is_err());
    }
}
