//! What our own JavaScript asks for while it starts a program.

use super::Task;
use crate::files::Tree;
use deno_core::{OpState, op2};

#[op2]
pub fn op_bootstrap_args(state: &mut OpState) -> Vec<String> {
    state.borrow::<Task>().started.args.to_vec()
}

#[op2(fast)]
#[smi]
pub fn op_bootstrap_pid(state: &mut OpState) -> u32 {
    state.borrow::<Task>().spec.id
}

#[op2(fast)]
#[number]
pub fn op_ppid(state: &mut OpState) -> i64 {
    state.borrow::<Task>().spec.ppid.into()
}

#[op2]
#[string]
pub fn op_main_module(state: &mut OpState) -> String {
    state.borrow::<Task>().main.url(state.borrow::<Tree>())
}

#[op2(fast)]
#[smi]
pub fn op_bootstrap_numcpus() -> u32 {
    std::thread::available_parallelism().map_or(1, |n| n.get() as u32)
}

#[op2]
#[string]
pub fn op_bootstrap_user_agent() -> String {
    format!("Node.js/{}", deno_node::NODE_VERSION.split('.').next().unwrap_or_default())
}

#[op2]
#[string]
pub fn op_bootstrap_language() -> String {
    "en-US".into()
}

/// Which engine this is, for what its realms cannot do.
#[op2(fast)]
pub fn op_is_quickjs() -> bool {
    cfg!(feature = "quickjs")
}

/// For what is no terminal.
#[op2(fast)]
pub fn op_bootstrap_color_depth() -> i32 {
    1
}

#[op2(fast)]
pub fn op_bootstrap_no_color() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

fn no_color() -> bool {
    std::env::var_os("FORCE_COLOR").is_none_or(|value| value.is_empty() || value == "0")
}

#[op2(fast)]
pub fn op_bootstrap_stdout_no_color() -> bool {
    no_color()
}

#[op2(fast)]
pub fn op_bootstrap_stderr_no_color() -> bool {
    no_color()
}

#[op2]
pub fn op_bootstrap_unstable_args() -> Vec<String> {
    Vec::new()
}

/// What the polyfills have to say about themselves goes to the worker's log, not to the task.
#[op2(fast)]
pub fn op_internal_log(#[string] url: &str, #[smi] level: u32, #[string] message: &str) {
    if level <= 2 {
        crate::log::say(format_args!("{url}: {message}"));
    }
}
