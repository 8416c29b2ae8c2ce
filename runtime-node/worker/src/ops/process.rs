//! The program's end, and signals.

use super::{Channel, Task};
use crate::control::Exit;
use crate::engine::{End, Reins};
use deno_core::error::ResourceError;
use deno_core::{AsyncRefCell, OpState, RcRef, Resource, ResourceId, op2};
use deno_error::JsErrorBox;
use deno_os::ExitCode;
use std::borrow::Cow;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use tokio::sync::watch;

#[op2(fast)]
pub fn op_exit(state: &mut OpState) {
    let code = state.try_borrow::<ExitCode>().map_or(0, |code| code.get());
    // A thread ends itself, not the task; its JavaScript comes to an end behind this call.
    if let Some(reins) = state.try_borrow::<Arc<Reins>>() {
        return reins.end(End { code, ..End::default() });
    }
    if let Some(channel) = state.try_borrow::<Channel>() {
        channel.flush();
    }
    state.borrow::<Task>().control.exit(Exit { code: Some(code), ..Exit::default() });
}

#[op2(fast)]
pub fn op_process_abort(state: &mut OpState) {
    state.borrow::<Task>().control.exit(Exit { signal: Some("SIGABRT".into()), ..Exit::default() });
}

/// kill(2) of the program itself; other tasks are not to be seen from here. The answer is an errno.
#[op2(fast)]
#[smi]
pub fn op_node_process_kill(state: &mut OpState, #[smi] pid: i32, #[smi] signal: i32) -> i32 {
    let task = state.borrow::<Task>();
    if pid != task.spec.id as i32 && pid != 0 {
        return libc::ESRCH;
    }
    match signal_name(signal) {
        _ if signal == 0 => 0,
        Some(name) => {
            task.desk.raise(name);
            0
        }
        None => libc::EINVAL,
    }
}

/// signal(7)'s names, for x86 and ARM.
pub(super) fn signal_name(number: i32) -> Option<&'static str> {
    const NAMES: [&str; 31] = [
        "SIGHUP",
        "SIGINT",
        "SIGQUIT",
        "SIGILL",
        "SIGTRAP",
        "SIGABRT",
        "SIGBUS",
        "SIGFPE",
        "SIGKILL",
        "SIGUSR1",
        "SIGSEGV",
        "SIGUSR2",
        "SIGPIPE",
        "SIGALRM",
        "SIGTERM",
        "SIGSTKFLT",
        "SIGCHLD",
        "SIGCONT",
        "SIGSTOP",
        "SIGTSTP",
        "SIGTTIN",
        "SIGTTOU",
        "SIGURG",
        "SIGXCPU",
        "SIGXFSZ",
        "SIGVTALRM",
        "SIGPROF",
        "SIGWINCH",
        "SIGIO",
        "SIGPWR",
        "SIGSYS",
    ];
    NAMES.get(usize::try_from(number).ok()?.checked_sub(1)?).copied()
}

/// A listener for one signal. Who waits for it waits no longer where it is closed.
struct Listening {
    heard: AsyncRefCell<watch::Receiver<u64>>,
    bell: RefCell<Option<Arc<watch::Sender<u64>>>>,
}

impl Resource for Listening {
    fn name(&self) -> Cow<'_, str> {
        "signal".into()
    }

    fn close(self: Rc<Self>) {
        self.bell.take();
    }
}

#[op2(fast)]
#[smi]
pub fn op_signal_bind(state: &mut OpState, #[string] signal: &str) -> Result<ResourceId, JsErrorBox> {
    if matches!(signal, "SIGKILL" | "SIGSTOP") {
        return Err(JsErrorBox::type_error(format!("Binding to signal '{signal}' is not allowed")));
    }
    let bell = state.borrow::<Task>().desk.listen(signal);
    let heard = AsyncRefCell::new(bell.subscribe());
    Ok(state.resource_table.add(Listening { heard, bell: RefCell::new(Some(bell)) }))
}

/// Waits for the next; `true` is the end.
#[op2]
pub async fn op_signal_poll(
    state: Rc<RefCell<OpState>>,
    #[smi] rid: ResourceId,
) -> Result<bool, ResourceError> {
    let listening = state.borrow().resource_table.get::<Listening>(rid)?;
    let mut heard = RcRef::map(&listening, |l| &l.heard).borrow_mut().await;
    Ok(heard.changed().await.is_err())
}

#[op2(fast)]
pub fn op_signal_unbind(state: &mut OpState, #[smi] rid: ResourceId) -> Result<(), ResourceError> {
    state.resource_table.take_any(rid).map(|listening| listening.close())
}

/// User and system time of the thread, in microseconds.
#[op2(fast)]
pub fn op_current_thread_cpu_usage(#[buffer] out: &mut [f64]) {
    // SAFETY: all zeroes is a rusage, and the call fills it.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_THREAD, &mut usage);
        usage
    };
    let micros = |time: libc::timeval| time.tv_sec as f64 * 1e6 + time.tv_usec as f64;
    if let [user, system, ..] = out {
        (*user, *system) = (micros(usage.ru_utime), micros(usage.ru_stime));
    }
}

/// Native code cannot be loaded behind the wall.
#[op2(fast, reentrant)]
pub fn op_napi_open(#[string] path: &str) -> Result<(), JsErrorBox> {
    Err(JsErrorBox::generic(format!(
        "{path}: native addons cannot be loaded here: use the package's WebAssembly or plain JavaScript build"
    )))
}
