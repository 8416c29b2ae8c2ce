//! A server in motion: its listeners' accept loops, and how they end.

use crate::listen::{Listener, Peer};
use crate::ninep::{Connection, Export};
use nine::server::Session;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;
use tracing::Instrument;
