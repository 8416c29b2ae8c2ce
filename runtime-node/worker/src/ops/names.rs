//! Names of hosts: the server looks them up, for it knows which of them the task may reach.

use super::Task;
use crate::control::Control;
use deno_core::{OpState, op2};
use deno_fetch::dns::{Resolve, Resolving};
use deno_net::ops::NetPermToken;
use hyper_util::client::legacy::connect::dns::Name;
use std::cell::RefCell;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::rc::Rc;

/// A name of the task itself needs no server, and neither does an address.
fn known(name: &str, family: i32) -> Option<Vec<IpAddr>> {
    if let Ok(address) = name.parse() {
        return Some(vec![address]);
    }
    let (four, six) = (Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into());
    (name == "localhost").then(|| match family {
        4 => vec![four],
        6 => vec![six],
        _ => vec![four, six],
    })
}

/// The addresses of `name`; of one family where it is 4 or 6.
async fn look_up(control: &Control, name: &str, family: i32) -> io::Result<Vec<IpAddr>> {
    if let Some(known) = known(name, family) {
        return Ok(known);
    }
    let question = if matches!(family, 4 | 6) { format!("{name} {family}") } else { name.to_owned() };
    let answer = control.exchange(&["dns"], question.as_bytes()).await?;
    Ok(answer.lines().filter_map(|line| line.trim().parse().ok()).collect())
}

/// getaddrinfo(3)'s failure, in libuv's numbers.
#[derive(Debug, thiserror::Error, deno_error::JsError)]
#[class(generic)]
#[error("{0}")]
#[property("uv_errcode" = self.0)]
pub struct LookUpError(i32);

impl From<io::Error> for LookUpError {
    fn from(error: io::Error) -> Self {
        const UV_EAI_AGAIN: i32 = -3001;
        const UV_EAI_NONAME: i32 = -3008;
        LookUpError(match error.raw_os_error() {
            Some(libc::ENOENT) => UV_EAI_NONAME,
            Some(errno @ (libc::EACCES | libc::EPERM)) => -errno,
            _ => UV_EAI_AGAIN,
        })
    }
}

/// node:dns.lookup, by which node:net finds its hosts.
#[op2]
#[cppgc]
pub async fn op_node_getaddrinfo(
    state: Rc<RefCell<OpState>>,
    #[string] hostname: String,
    port: Option<u16>,
    #[smi] family: i32,
) -> Result<NetPermToken, LookUpError> {
    let control = state.borrow().borrow::<Task>().control.clone();
    let addresses = look_up(&control, &hostname, family).await?;
    let resolved_ips = addresses.iter().map(IpAddr::to_string).collect();
    Ok(NetPermToken { hostname, port, resolved_ips })
}

/// For fetch and WebSocket.
pub struct Names(pub Control);

impl std::fmt::Debug for Names {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Names")
    }
}

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        let control = self.0.clone();
        Box::pin(async move {
            let addresses = look_up(&control, name.as_str(), 0).await?;
            let addresses: Vec<_> = addresses.into_iter().map(|ip| SocketAddr::new(ip, 0)).collect();
            Ok(addresses.into_iter())
        })
    }
}
