//! Signals that commands hear of.

use crate::fault::Fault;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// A signal, unless it was ignored when this process began (nohup(1), `cmd &` in a script): then it stays so.
pub(super) struct Unless(Option<Signal>);

impl Unless {
    pub fn ignored(kind: SignalKind) -> Result<Unless, Fault> {
        if is_ignored(kind) {
            return Ok(Unless(None));
        }
        signal(kind).map(|signal| Unless(Some(signal))).map_err(|e| Fault::os(e.to_string()))
    }

    pub async fn came(&mut self) {
        match &mut self.0 {
            Some(signal) => drop(signal.recv().await),
            None => std::future::pending().await,
        }
    }
}

fn is_ignored(kind: SignalKind) -> bool {
    // SAFETY: sigaction(2) only writes to what it is given, which is as large as it takes it for.
    unsafe {
        let mut now = std::mem::zeroed::<libc::sigaction>();
        libc::sigaction(kind.as_raw_value(), std::ptr::null(), &raw mut now) == 0
            && now.sa_sigaction == libc::SIG_IGN
    }
}
