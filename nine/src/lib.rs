//! 9P, the file protocol of Plan 9, in its three dialects: 9P2000, 9P2000.u and 9P2000.L.
//!
//! ```text
//!   client   handles, requests in flight        server   FileServer: nodes, open files   (the trait knows files)
//!      |                                           |     session: fids, tags, order      (the session knows fids)
//!   wire     messages <-> frames                wire     frames <-> messages             (the codec knows bytes)
//!      |                                           |
//!      +------ any AsyncRead + AsyncWrite: TCP, TLS, a unix socket, a pipe in memory ------+
//! ```
//!
//! - [`wire`] is the codec: every message of every dialect, checked to the byte, without I/O and without copying.
//! - [`server`] turns a stream and a [`server::FileServer`] into a served connection.
//! - [`client`] asks a server, with as many requests in flight as one likes.
//!
//! # A server and a client in one process
//!
//! ```
//! # use nine::server::*;
//! # use nine::wire::*;
//! use nine::client::Client;
//!
//! /// A tree that is one file, which says hello.
//! struct Hello;
//!
//! impl FileServer for Hello {
//!     type Context = ();
//!     type Node = ();
//!     type Open = ();
//!
//!     fn attach<'a>(&'a self, _: &'a Peer<'a, ()>) -> Answer<'a, ()> {
//!         Answer::ok(())
//!     }
//!     fn qid(&self, _: &()) -> Qid {
//!         Qid::default()
//!     }
//!     fn read<'a>(&'a self, _: &'a (), offset: u64, buf: &'a mut [u8]) -> Answer<'a, usize> {
//!         let left = &b"hello\n"[(offset as usize).min(6)..];
//!         let len = left.len().min(buf.len());
//!         buf[..len].copy_from_slice(&left[..len]);
//!         Answer::ok(len)
//!     }
//!     // The rest says that there is nothing else.
//! #   fn walk<'a>(&'a self, _: &'a (), _: &'a [u8]) -> Answer<'a, ()> { Error::NOT_DIRECTORY.into() }
//! #   fn open<'a>(&'a self, _: &'a (), _: OpenFlags) -> Answer<'a, Opened<(), ()>> {
//! #       Answer::ok(Opened { file: (), node: None, is_stream: false, iounit: 0 })
//! #   }
//! #   fn create<'a>(&'a self, _: &'a (), _: &'a [u8], _: OpenFlags, _: Mode, _: Gid) -> Answer<'a, Opened<(), ()>> {
//! #       Error::PERMISSION.into()
//! #   }
//! #   fn write<'a>(&'a self, _: &'a (), _: u64, _: &'a [u8]) -> Answer<'a, usize> { Error::PERMISSION.into() }
//! #   fn readdir<'a>(&'a self, _: &'a (), _: u64, _: &'a mut Listing) -> Answer<'a, ()> { Answer::ok(()) }
//! #   fn getattr<'a>(&'a self, _: &'a (), _: Option<&'a ()>, _: AttrMask) -> Answer<'a, Attr> {
//! #       Answer::ok(Attr::default())
//! #   }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (ours, theirs) = tokio::io::duplex(4096);
//! tokio::spawn(serve(Hello.into(), ().into(), theirs, Config::default()));
//!
//! let client = Client::connect(ours, Dialect::P9P2000L, Msize(8192)).await?;
//! let root = client.attach(b"glenda", None, b"").await?;
//! assert_eq!(root.read_file::<&str>([]).await?, b"hello\n");
//! # Ok(())
//! # }
//! ```
//!
//! # Seeing the messages
//!
//! With tracing's filter at `nine::trace=trace`, server and client print every message in the manual's words:
//! `<- Tread tag 3 fid 5 offset 0 count 8192`. Requests have spans (`9p`, level trace), connections too (debug).

#![deny(unsafe_code)] // but for three modules: server/held.rs, server/thread/read.rs and shm/map.rs

pub mod client;
pub mod patience;
pub mod server;
pub mod shm;
pub mod wire;
