//! timeout(1): a command that gets a signal when its time is up. A program is a task, which may do something about the signal; a command
//! of this crate ends by it.

use super::gnu::{Done, Failure, Program, misused};
use super::messages::{quoted, say};
use super::options::Args;
use super::{Call, Invocation, sleep, words};
use crate::traps;
use std::time::Duration;
use tokio::sync::mpsc;
use vfs::Errno;

pub(super) const PROGRAM: Program = Program::new(
    "[OPTION] DURATION COMMAND [ARG]...",
    "Start COMMAND, and send it a signal if it still runs after DURATION (s, m, h or d).",
    "foreground k,kill-after= preserve-status s,signal= v,verbose",
)
.stops()
.trouble(125);

/// The status of a command that ran out of time.
const TIMED_OUT: u8 = 124;

/// A time, where it is one; 0 is none at all.
fn duration(text: &[u8]) -> Done<Option<Duration>> {
    match sleep::seconds(text) {
        Some(Duration::ZERO) => Ok(None),
        Some(time) => Ok(Some(time)),
        None => misused(say!("invalid time interval ", quoted(text))),
    }
}

async fn after(time: Option<Duration>) {
    match time {
        Some(time) => tokio::time::sleep(time).await,
        None => std::future::pending().await,
    }
}

pub(super) async fn run(call: &mut Invocation<'_>, args: Args) -> Done {
    let mut signal = match args.value("s") {
        None => libc::SIGTERM,
        Some(word) => match traps::signal(word) {
            Some(signal) => signal,
            None => return misused(say!(quoted(word), ": invalid signal")),
        },
    };
    let mut kill_after = args.value("k").map(duration).transpose()?.flatten();
    let [time, argv @ ..] = args.operands.as_slice() else { return unnamed(call).await };
    if argv.is_empty() {
        return unnamed(call).await;
    }
    let mut time = duration(time)?;
    call.stdout.flush().await?;
    let stdio = [call.stdin.file().clone(), call.stdout.file().clone(), call.stderr.file().clone()];
    let (sender, mut signals) = mpsc::unbounded_channel();
    let (shell, env, cwd) = (call.shell, call.env, call.cwd);
    let mut running = shell.run_signalled(Call { argv, env, cwd, stdio }, &mut signals);
    let (mut timed_out, mut killed) = (false, false);
    let ended = loop {
        tokio::select! {
            biased;
            ended = &mut running => break ended,
            () = after(time) => {}
        }
        if args.has("v") {
            let shown = traps::name(signal);
            call.warn(say!("sending signal ", shown, " to command ", quoted(&argv[0]))).await;
        }
        (timed_out, killed) = (true, signal == libc::SIGKILL);
        // One that is stopped is to see it, too. Who does not listen any more has ended.
        for signal in [signal, libc::SIGCONT] {
            let _ended = sender.send(signal);
        }
        (time, signal) = (kill_after.take(), libc::SIGKILL);
    };
    match ended {
        Ok(status) => {
            let preserved = args.has("preserve-status") || (killed && status == 128 + libc::SIGKILL as u8);
            Ok(if timed_out && !preserved { TIMED_OUT } else { status })
        }
        Err(error) => {
            call.warn(say!("failed to run command ", quoted(&argv[0]), ": ", words(&error))).await;
            Err(Failure::Status(if error.is(Errno::ENOENT) { 127 } else { 126 }))
        }
    }
}

async fn unnamed(call: &mut Invocation<'_>) -> Done {
    let hint = format!("Try '{} --help' for more information.\n", call.name());
    call.warn_bare(hint.as_bytes()).await;
    Err(Failure::Status(125))
}
