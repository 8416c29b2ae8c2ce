//! Why something was refused: a system call and 9P2000.L say EACCES and no more, so an error message asks the server which
//! capability is missing.

use super::Task;
use crate::files::Tree;
use deno_core::{OpState, op2};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use url::{Host, Url};

/// What an error message gets behind it: `: no capability "net:connect 192.0.2.1:80"`, or nothing, where the capabilities refused
/// nothing of the sort. `what` is an address, with its `port`, a URL, a path, `resolve NAME`, or `spawn`.
#[op2]
#[string]
pub fn op_refusal(state: &mut OpState, #[string] what: &str, #[smi] port: u32) -> String {
    let Ok(text) = state.borrow::<Task>().control.text(&["refused"]) else { return String::new() };
    let cwd = state.borrow::<Tree>().cwd();
    missing(&text, what, port as u16, &cwd).map(|missing| format!(": {missing}")).unwrap_or_default()
}

/// The capability that the newest refusal of `what` in `text` names.
fn missing<'a>(text: &'a str, what: &str, port: u16, cwd: &Path) -> Option<&'a str> {
    const REFUSED: &str = ": permission denied: ";
    let last = |is_it: &dyn Fn(&str) -> bool| {
        let mut all = text.lines().rev().filter_map(|line| line.split_once(REFUSED));
        all.find(|(subject, _)| is_it(subject)).map(|(_, missing)| missing)
    };
    let address = |ip: IpAddr, port: u16| {
        let address = format!(" {}", SocketAddr::new(ip, port));
        last(&|subject| subject.ends_with(&address))
    };
    if let Ok(ip) = what.parse() {
        return address(ip, port);
    }
    if let Some(url) = Url::parse(what).ok().filter(Url::has_host) {
        let port = url.port_or_known_default().unwrap_or(0);
        return match url.host()? {
            Host::Ipv4(ip) => address(ip.into(), port),
            Host::Ipv6(ip) => address(ip.into(), port),
            Host::Domain(name) => last(&|subject| subject.strip_prefix("resolve ") == Some(name)),
        };
    }
    if what == "spawn" {
        return last(&|subject| subject.starts_with(what));
    }
    if what.starts_with("resolve ") {
        return last(&|subject| subject == what);
    }
    let path = deno_path_util::normalize_path(cwd.join(what).into());
    last(&|subject| Path::new(subject) == path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_found_by_what_was_asked_for() {
        let text = "/x/y: permission denied: no capability \"fs:/x/y read\"\n\
                    /x/y: permission denied: no capability \"fs:/x/y write\"\n\
                    connect 192.0.2.1:80: permission denied: A\n\
                    bind [::]:3000: permission denied: B\n\
                    resolve example.org: permission denied: C\n\
                    spawn: /task/new: permission denied: D\n";
        for (what, port, found) in [
            ("/x/y", 0, Some("no capability \"fs:/x/y write\"")),
            ("../x/./y", 0, Some("no capability \"fs:/x/y write\"")),
            ("/x", 0, None),
            ("192.0.2.1", 80, Some("A")),
            ("192.0.2.1", 8, None),
            ("http://192.0.2.1/x", 0, Some("A")),
            ("ws://example.org:81/", 0, Some("C")),
            ("http://example.com/", 0, None),
            ("::", 3000, Some("B")),
            ("resolve example.org", 0, Some("C")),
            ("spawn", 0, Some("D")),
            ("", 0, None),
        ] {
            assert_eq!(missing(text, what, port, Path::new("/tmp")), found, "{what}");
        }
    }
}
