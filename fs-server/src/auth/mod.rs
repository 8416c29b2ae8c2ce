//! Who a peer from another machine is. Unix sockets and loopback need none of this: there the kernel, or the user who
//! opened the port by name, has said who may come.
//!
//! ```text
//!  TLS handshake ──┬─ client certificate ──► its common name ─┐
//!                  └─ none: first line "token SECRET" ────────┴─► the users file ──► Identity: user, root, capabilities
//! ```

mod tls;
mod token;
mod users;

pub use tls::{Acceptor, ClientTls, ServerTls, Trusting, web_acceptor};
pub use token::{Secret, line as token_line, make as make_token};
pub use users::Users;

use std::sync::Arc;
use vfs::Caller;

/// Whom a connection speaks for, whatever user its attaches name.
#[derive(Debug)]
pub struct Identity {
    pub name: String,
    /// With his capabilities as its guard, where he is bound by any.
    pub caller: Arc<Caller>,
    /// The directory of the server's namespace that is `/` to him.
    pub root: Vec<u8>,
}
