//! Which container and port a request is for.
//!
//! ```text
//! Host: 3000--7.localhost:8080    GET /a?b     container 7, port 3000, /a?b     a browser keeps what is theirs apart
//! Host: localhost:8080            GET /container/7/3000/a?b     the same        for curl and its like
//! ```
//!
//! The second form is answered under names of this machine only: a page from elsewhere whose name was made to mean 127.0.0.1
//! must not get in. Where a token is asked for any name will do, and the first form takes any domain in localhost's place: such a page
//! has no token.

use http::Uri;
use std::net::IpAddr;

/// What follows the name of a port's host.
const DOMAIN: &str = "localhost";
const FOLDER: &str = "/container/";

/// Where a request goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Route {
    pub container: u32,
    pub port: u16,
    /// What of the path was for the gateway; empty where the host said it.
    pub prefix: String,
    /// The path and query that is asked there.
    pub path: String,
}

/// Why there is none.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Lost {
    /// The host is none of this gateway's.
    Host(String),
    /// No path of a port.
    Path(String),
    /// A path that wants a slash at its end, so that what a page refers to is below it.
    Slash(String),
}

impl Route {
    /// Of a request for `uri` with this Host; HTTP/2 has the host in the URI. `anywhere` takes names that are not of this machine.
    pub fn of(host: &str, uri: &Uri, anywhere: bool) -> Result<Route, Lost> {
        let name = name_of(host);
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        if let Some(label) = name.strip_suffix(DOMAIN).and_then(|rest| rest.strip_suffix('.')) {
            let (port, container) = label.split_once("--").ok_or_else(|| Lost::Host(host.to_owned()))?;
            let (container, port) = numbers(container, port).ok_or_else(|| Lost::Host(host.to_owned()))?;
            return Ok(Route { container, port, prefix: String::new(), path: path.to_owned() });
        }
        if anywhere && let Some((container, port)) = first_label(&name) {
            return Ok(Route { container, port, prefix: String::new(), path: path.to_owned() });
        }
        if !anywhere && name != DOMAIN && !name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback()) {
            return Err(Lost::Host(host.to_owned()));
        }
        let lost = || Lost::Path(path.to_owned());
        let rest = path.strip_prefix(FOLDER).ok_or_else(lost)?;
        let (container, rest) = rest.split_once('/').ok_or_else(lost)?;
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (port, rest) = rest.split_at(end);
        let (container, port) = numbers(container, port).ok_or_else(lost)?;
        let prefix = format!("{FOLDER}{container}/{port}");
        if !rest.starts_with('/') {
            return Err(Lost::Slash(format!("{prefix}/{rest}")));
        }
        Ok(Route { container, port, prefix, path: rest.to_owned() })
    }
}

/// What `3000--7.any.domain` names.
fn first_label(name: &str) -> Option<(u32, u16)> {
    let (port, container) = name.split_once('.')?.0.split_once("--")?;
    numbers(container, port)
}

/// A host without its port, in small letters.
fn name_of(host: &str) -> String {
    let bare = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    bare.strip_suffix('.').unwrap_or(bare).to_ascii_lowercase()
}

/// As the file tree writes them: no signs, no zeros in front.
fn numbers(container: &str, port: &str) -> Option<(u32, u16)> {
    let plain = |text: &str| text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
    if !plain(container) || !plain(port) {
        return None;
    }
    Some((container.parse().ok()?, port.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(host: &str, path: &str) -> Result<Route, Lost> {
        Route::of(host, &path.parse().expect("a path"), false)
    }

    #[test]
    fn a_host_names_a_port_of_a_container() {
        for host in ["3000--7.localhost:8080", "3000--7.LOCALHOST", "3000--7.localhost.:1"] {
            let route = of(host, "/a/b?c=d").expect(host);
            assert_eq!(
                (route.container, route.port, &*route.path, &*route.prefix),
                (7, 3000, "/a/b?c=d", "")
            );
        }
    }

    #[test]
    fn a_path_does_so_under_a_name_of_this_machine() {
        for host in ["localhost:8080", "127.0.0.1:8080", "[::1]:8080", "localhost"] {
            let route = of(host, "/container/7/3000/a?b").expect(host);
            assert_eq!((route.container, route.port), (7, 3000));
            assert_eq!((&*route.path, &*route.prefix), ("/a?b", "/container/7/3000"));
        }
        assert_eq!(of("localhost", "/container/7/3000"), Err(Lost::Slash("/container/7/3000/".into())));
        assert_eq!(of("localhost", "/container/7/3000?x"), Err(Lost::Slash("/container/7/3000/?x".into())));
    }

    #[test]
    fn with_a_token_any_domain_will_do() {
        let of = |host: &str, path: &str| Route::of(host, &path.parse().expect("a path"), true);
        let route = of("3000--7.box.example:8443", "/a").expect("a route");
        assert_eq!((route.container, route.port, &*route.path), (7, 3000, "/a"));
        let route = of("box.example:8443", "/container/7/3000/a").expect("a route");
        assert_eq!((route.container, route.port, &*route.path), (7, 3000, "/a"));
        assert_eq!(of("box.example", "/"), Err(Lost::Path("/".into())));
    }

    #[test]
    fn what_names_no_port_is_said_to() {
        for host in
            ["evil.example", "3000--7.evil.example", "a--7.localhost", "3000-7.localhost", "", "--.localhost"]
        {
            assert_eq!(of(host, "/container/7/3000/"), Err(Lost::Host(host.to_owned())), "{host}");
        }
        for host in
            ["70000--1.localhost", "0--1.localhost", "1--0.localhost", "+1--1.localhost", "01--1.localhost"]
        {
            assert_eq!(of(host, "/"), Err(Lost::Host(host.to_owned())), "{host}");
        }
        for path in
            ["/", "/container", "/container/7", "/container/x/3000/", "/container/7/99999/", "/container//1/"]
        {
            assert_eq!(of("localhost", path), Err(Lost::Path(path.to_owned())), "{path}");
        }
    }
}
