//! What a server allows its 9P peers: options of `taskfs serve`, with defaults that no honest client meets.

use crate::auth::Acceptor;
use crate::serving::Limits;
use clap::Args;
use nine::server::{Buffers, Config};
use nine::wire::Msize;
use std::str::FromStr;
use std::time::Duration;

#[derive(Args, Debug)]
#[command(next_help_heading = "Bounds of 9P connections")]
pub struct Bounds {
    /// The largest message, header included
    #[arg(long, value_name = "BYTES", default_value_t = 1024 * 1024 + 24)]
    msize: u32,
    /// Connections at once; more are answered with an error and closed
    #[arg(long, value_name = "N", default_value_t = 16384, alias = "connections")]
    max_connections: usize,
    /// Connections at once of one peer: a user on a unix socket, an address over TCP (default: as many as of all)
    #[arg(long, value_name = "N")]
    max_peer_connections: Option<usize>,
    /// Fids of a connection; EMFILE beyond
    #[arg(long, value_name = "N", default_value_t = 65536)]
    max_fids: usize,
    /// Requests of a connection that have to wait; ENOBUFS for more
    #[arg(long, value_name = "N", default_value_t = 4096)]
    max_in_flight: usize,
    /// Bytes that the waiting requests of a connection keep; ENOBUFS beyond
    #[arg(long, value_name = "SIZE", default_value = "64M", value_parser = task::parse_size)]
    max_buffered: u64,
    /// Bytes of replies that a connection has not read; beyond, it is not listened to
    #[arg(long, value_name = "SIZE", default_value = "4M", value_parser = task::parse_size)]
    max_unread: u64,
    /// Bytes that all connections keep together, in requests and replies; beyond, only those that keep less than 1M go on as before
    #[arg(long, value_name = "SIZE", default_value = "1G", value_parser = task::parse_size)]
    max_total_buffered: u64,
    /// Who has not said Tversion by then is disconnected: 30s, 500ms, none
    #[arg(long, value_name = "TIME", default_value = "30s")]
    handshake_timeout: Wait,
    /// Who takes longer for the rest of a message, or to read any reply, is disconnected
    #[arg(long, value_name = "TIME", default_value = "5m")]
    stall_timeout: Wait,
    /// Who asks nothing for so long, and waits for nothing, is disconnected; a kernel's mount that nobody uses, too
    #[arg(long, value_name = "TIME", default_value = "none")]
    idle_timeout: Wait,
}

/// A time to wait, or for ever.
#[derive(Clone, Copy, Debug)]
struct Wait(Option<Duration>);

impl FromStr for Wait {
    type Err = String;

    fn from_str(text: &str) -> Result<Wait, String> {
        match text {
            "none" => Ok(Wait(None)),
            text => match task::parse_time(text)? {
                Duration::ZERO => Err("want a time, or none".to_owned()),
                time => Ok(Wait(Some(time))),
            },
        }
    }
}

impl Bounds {
    /// For a server whose TLS listeners, if it has any, know their peers by `tls`.
    pub fn limits(&self, tls: Option<Acceptor>) -> Limits {
        let bytes = |size: u64| usize::try_from(size).unwrap_or(usize::MAX);
        Limits {
            connection: Config {
                msize: Msize(self.msize),
                fids: self.max_fids,
                in_flight: self.max_in_flight,
                buffered: bytes(self.max_buffered),
                unread: bytes(self.max_unread),
                shared: Some(Buffers::new(bytes(self.max_total_buffered))),
                handshake: self.handshake_timeout.0,
                stalled: self.stall_timeout.0,
                idle: self.idle_timeout.0,
            },
            connections: self.max_connections,
            peer_connections: self.max_peer_connections.unwrap_or(usize::MAX),
            tls,
        }
    }
}
