//! Signals that commands hear of, and end by.

use crate::fault::Fault;
use std::process::ExitCode;
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

/// How a command ends that stands for a program.
pub(super) enum End {
    Status(u8),
    /// By a signal that came to the command, was handed on, and ended the program. A shell that waits for the command leaves its loop
    /// or script then, as it does where it waits for the program itself, and not for a status that only says so.
    By(SignalKind),
}

impl End {
    pub fn come(self) -> ExitCode {
        match self {
            End::Status(status) => ExitCode::from(status),
            End::By(signal) => {
                let number = signal.as_raw_value();
                // SAFETY: neither touches memory of ours; what the signal does by default is to end this process.
                unsafe {
                    libc::signal(number, libc::SIG_DFL);
                    libc::raise(number);
                }
                ExitCode::from(128 + number as u8)
            }
        }
    }
}
