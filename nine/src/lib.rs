//! 9P: the file protocol of Plan 9, in its three dialects 9P2000, 9P2000.u and 9P2000.L.
//!
//! ```text
//!   a client                                     a file server
//!   client: handles, requests in flight          FileServer: nodes, open files   (the trait knows files)
//!      |                                             |
//!      |                                         server: fids, tags, order, flush (the session knows fids)
//!      |                                             |
//!   wire: frames <-> messages               wire: frames <-> messages            (the codec knows bytes)
//!      \_______________ any AsyncRead + AsyncWrite _/
//! ```
//!
//! - [`wire`] is the codec: every message of every dialect, without I/O.
//! - [`server`] turns a stream and a [`server::FileServer`] into a served connection.
//! - [`client`] asks a server, with as many requests in flight as one likes.

pub mod client;
pub mod server;
pub mod wire;
