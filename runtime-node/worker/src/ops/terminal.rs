//! The terminal that a program is at: which of its standard files are one, how it is set, and reading from it so that a read
//! which is given up takes nothing of what is typed. The handle that node:tty is written on is js/terminal.js.

use super::Task;
use crate::engine::Reins;
use crate::files::OpenFile;
use crate::link::{Sent, now, unexpected};
use deno_core::{OpState, ToJsBuffer, op2};
use deno_error::JsErrorBox;
use nine::wire::Rmessage;
use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// The most that is read of a terminal at once: a line, or what was pasted.
const MOST: u32 = 64 << 10;

fn is_terminal(state: &OpState, fd: u32) -> bool {
    // A thread's standard files are its maker's to carry.
    let is_thread = state.try_borrow::<Arc<Reins>>().is_some();
    let known = state.try_borrow::<Task>().and_then(|task| task.spec.stdio.get(fd as usize));
    !is_thread && known.is_some_and(|kind| kind == "tty")
}

/// Whether a standard file is a pipe, and not a file that was bound there.
#[op2(fast)]
pub fn op_is_pipe(state: &mut OpState, #[smi] fd: u32) -> bool {
    state.borrow::<Task>().spec.stdio.get(fd as usize).is_some_and(|kind| kind == "pipe")
}

#[op2(fast)]
pub fn op_is_terminal(state: &mut OpState, #[smi] rid: u32) -> bool {
    is_terminal(state, rid)
}

/// An index of the polyfill's: TCP, TTY, UDP, FILE, PIPE, UNKNOWN. Whatever a program opens is a file; sockets do not come by
/// number.
#[op2(fast)]
pub fn op_node_guess_handle_type(state: &mut OpState, fd: u32) -> u32 {
    const TTY: u32 = 1;
    const FILE: u32 = 3;
    const UNKNOWN: u32 = 5;
    match fd {
        fd if (fd as i32) < 0 => UNKNOWN,
        fd if is_terminal(state, fd) => TTY,
        _ => FILE,
    }
}

/// Columns and rows of the window; the answer is an errno.
#[op2(fast)]
#[smi]
pub fn op_terminal_size(state: &mut OpState, #[buffer] out: &mut [u32]) -> i32 {
    let said = match state.borrow::<Task>().control.text(&["tty"]) {
        Ok(said) => said,
        Err(error) => return error.raw_os_error().unwrap_or(libc::EIO),
    };
    let mut numbers = said.split(' ').map_while(|word| word.parse().ok());
    match (numbers.next(), numbers.next(), out) {
        (Some(rows), Some(columns), [width, height, ..]) => {
            (*width, *height) = (columns, rows);
            0
        }
        _ => libc::EIO,
    }
}

/// Whether what is typed is read as it comes; the answer is an errno.
#[op2(fast)]
#[smi]
pub fn op_terminal_raw(state: &mut OpState, raw: bool) -> i32 {
    let word: &[u8] = if raw { b"raw" } else { b"cooked" };
    let told = state.borrow::<Task>().control.write(&["tty"], word);
    told.map_or_else(|error| error.raw_os_error().unwrap_or(libc::EIO), |()| 0)
}

/// The same as Deno asks for it.
#[op2(fast)]
pub fn op_set_raw(state: &mut OpState, #[smi] rid: u32, raw: bool, _cbreak: bool) -> Result<(), JsErrorBox> {
    if !is_terminal(state, rid) {
        return Err(JsErrorBox::from_err(io::Error::from_raw_os_error(libc::ENOTTY)));
    }
    let word: &[u8] = if raw { b"raw" } else { b"cooked" };
    state.borrow::<Task>().control.write(&["tty"], word).map_err(JsErrorBox::from_err)
}

/// What is typed.
#[derive(Default)]
struct Keyboard {
    sent: Option<Sent>,
    /// Read, and not yet wanted; empty is the end of the input.
    kept: Option<Vec<u8>>,
    /// Whoever waits is to wait no more.
    is_stopped: bool,
    waker: Option<Waker>,
}

/// The program's one.
#[derive(Clone, Default)]
struct Shared(Rc<RefCell<Keyboard>>);

impl Keyboard {
    fn poll(&mut self, file: &OpenFile, cx: &mut Context<'_>) -> Poll<io::Result<Option<Vec<u8>>>> {
        if std::mem::take(&mut self.is_stopped) {
            return Poll::Ready(Ok(None));
        }
        if let Some(kept) = self.kept.take() {
            return Poll::Ready(Ok(Some(kept)));
        }
        let sent = match &mut self.sent {
            Some(sent) => sent,
            None => self.sent.insert(file.ask_for_input(MOST)?),
        };
        let Poll::Ready(answers) = sent.look(cx) else {
            self.waker = Some(cx.waker().clone());
            return Poll::Pending;
        };
        self.sent = None;
        let answer = answers.first().ok_or(io::ErrorKind::UnexpectedEof)?;
        Poll::Ready(match answer.reply()? {
            Rmessage::Read { data } => Ok(Some(data.0.to_vec())),
            other => Err(unexpected(&other)),
        })
    }

    /// Takes back what was asked for; what has come nevertheless is kept.
    fn stop(&mut self) -> io::Result<()> {
        let Some(sent) = self.sent.take() else { return Ok(()) };
        self.is_stopped = true;
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
        for answer in now(sent.withdraw())? {
            if let Rmessage::Read { data } = answer.reply()? {
                self.kept = Some(data.0.to_vec());
            }
        }
        Ok(())
    }
}

fn keyboard(state: &mut OpState) -> Shared {
    if !state.has::<Shared>() {
        state.put(Shared::default());
    }
    state.borrow::<Shared>().clone()
}

/// What was typed on standard input, nothing at its end; null where that is not waited for any more.
#[op2]
#[serde]
pub async fn op_terminal_read(state: Rc<RefCell<OpState>>) -> Result<Option<ToJsBuffer>, JsErrorBox> {
    let (Shared(keyboard), file) = {
        let mut state = state.borrow_mut();
        (keyboard(&mut state), state.borrow::<Task>().stdio[0].clone())
    };
    let typed = poll_fn(|cx| keyboard.borrow_mut().poll(&file, cx)).await;
    Ok(typed.map_err(JsErrorBox::from_err)?.map(ToJsBuffer::from))
}

/// Nobody waits for what is typed any more. The answer is an errno.
#[op2(fast)]
#[smi]
pub fn op_terminal_stop(state: &mut OpState) -> i32 {
    let stopped = keyboard(state).0.borrow_mut().stop();
    stopped.map_or_else(|error| error.raw_os_error().unwrap_or(libc::EIO), |()| 0)
}
