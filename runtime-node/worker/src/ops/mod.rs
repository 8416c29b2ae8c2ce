//! What a program asks of its system, answered from the task's description instead of from the host.
//!
//! Operations of the extensions that would look at the host are replaced by name; see [`taskfs::init`].

mod bootstrap;
mod children;
mod fault;
mod files;
mod host;
mod inspector;
mod ipc;
mod mail;
mod names;
mod process;
mod random;
mod refusal;
mod require;
mod stat;
mod terminal;
mod threads;
mod watch;

pub use fault::Place;
pub use host::EXEC_PATH;
pub use ipc::{Channel, FD, MODE};
pub use names::Names;

use crate::command::Options;
use crate::control::{Control, Spec};
use crate::engine::{Main, Shared};
use crate::files::OpenFile;
use crate::signals::Desk;
use std::sync::Arc;

/// How a program was called.
#[derive(Clone)]
pub struct Started {
    /// What follows the script's name.
    pub args: Arc<[String]>,
    /// What comes before it.
    pub exec_argv: Arc<[String]>,
    pub options: Arc<Options>,
}

/// The task that a worker runs, once it is known.
#[derive(Clone)]
pub struct Task {
    pub spec: Arc<Spec>,
    pub control: Control,
    pub desk: Arc<Desk>,
    pub main: Main,
    pub started: Started,
    pub stdio: [OpenFile; 3],
    /// What its threads have in common.
    pub shared: Shared,
}

deno_core::extension!(
    taskfs,
    ops = [
        bootstrap::op_bootstrap_args,
        bootstrap::op_bootstrap_color_depth,
        bootstrap::op_bootstrap_language,
        bootstrap::op_bootstrap_no_color,
        bootstrap::op_bootstrap_numcpus,
        bootstrap::op_bootstrap_pid,
        bootstrap::op_bootstrap_stderr_no_color,
        bootstrap::op_bootstrap_stdout_no_color,
        bootstrap::op_bootstrap_unstable_args,
        bootstrap::op_bootstrap_user_agent,
        bootstrap::op_internal_log,
        bootstrap::op_is_quickjs,
        bootstrap::op_main_module,
        bootstrap::op_ppid,
        fault::op_fault_line,
        fault::op_fault_place,
        files::op_mkdir_all,
        files::op_mkdir_all_sync,
        files::op_unlink,
        files::op_unlink_sync,
        files::op_write_file,
        files::op_write_file_sync,
        mail::op_node_worker_thread_post_message,
        mail::op_node_worker_thread_recv_message,
        mail::op_node_worker_thread_register,
        mail::op_node_worker_thread_set_listener_count,
        process::op_current_thread_cpu_usage,
        process::op_napi_open,
        random::op_is_forked,
        random::op_random,
        refusal::op_refusal,
        stat::op_fstat,
        stat::op_fstat_exactly,
        stat::op_fstat_now,
        stat::op_stat,
        stat::op_stat_exactly,
        stat::op_stat_now,
        terminal::op_is_pipe,
        terminal::op_set_raw,
        terminal::op_terminal_raw,
        terminal::op_terminal_read,
        terminal::op_terminal_size,
        terminal::op_terminal_stop,
        threads::op_thread_cpu_time,
        threads::op_thread_end,
        threads::op_thread_over,
        threads::op_thread_start,
        watch::op_watch_open,
        watch::op_watch_read,
    ],
    esm_entry_point = "ext:runtime/main.js",
    esm = [
        dir "js",
        "ext:runtime/98_global_scope_shared.js" = "globals.js",
        "ext:runtime/console.js" = "console.js",
        "ext:runtime/errors.js" = "errors.js",
        "ext:runtime/deno.js" = "deno.js",
        "ext:runtime/process.js" = "process.js",
        "ext:runtime/watch.js" = "watch.js",
        "ext:runtime/builtins.js" = "builtins.js",
        "ext:runtime/scope.js" = "scope.js",
        "ext:runtime/main.js" = "main.js",
    ],
    lazy_loaded_js = [
        dir "js",
        "ext:runtime/contexts.js" = "contexts.js",
        "ext:runtime/terminal.js" = "terminal.js",
        "ext:runtime/threads.js" = "threads.js",
        "ext:runtime/test/tree.js" = "test/tree.js",
        "ext:runtime/test/report.js" = "test/report.js",
        "ext:runtime/test/snapshot.js" = "test/snapshot.js",
        "ext:runtime/test/runner.js" = "test/runner.js",
        "ext:runtime/test/context.js" = "test/context.js",
        "ext:runtime/test/choice.js" = "test/choice.js",
        "ext:runtime/test/root.js" = "test/root.js",
        "ext:runtime/test/test.js" = "test/test.js",
    ],
    middleware = |op| match op.name {
        "op_exit" => process::op_exit(),
        "op_fs_mkdir_sync" => files::op_mkdir_sync(),
        "op_fs_mkdir_async" => files::op_mkdir(),
        "op_node_fs_write_sync" => files::op_fs_write_sync(),
        "op_node_fs_write_deferred" => files::op_fs_write_deferred(),
        "op_node_process_kill" => process::op_node_process_kill(),
        "op_process_abort" => process::op_process_abort(),
        "op_signal_bind" => process::op_signal_bind(),
        "op_signal_poll" => process::op_signal_poll(),
        "op_signal_unbind" => process::op_signal_unbind(),
        "op_node_spawn_child" => children::op_node_spawn_child(),
        "op_node_translate_cli_args" => children::op_node_translate_cli_args(),
        "op_spawn_child_ref" | "op_spawn_child_unref" => children::op_spawn_child_ref(),
        "op_spawn_kill" => children::op_spawn_kill(),
        "op_spawn_sync" => children::op_spawn_sync(),
        "op_spawn_wait" => children::op_spawn_wait(),
        "op_node_getaddrinfo" => names::op_node_getaddrinfo(),
        "op_inspector_open" => inspector::op_inspector_open(),
        "op_inspector_connect" | "op_node_repl_inspector_connect" => inspector::op_inspector_connect(),
        "op_inspector_wait" => inspector::op_inspector_wait(),
        "op_require_real_path" => require::op_require_real_path(),
        "op_require_stat" => require::op_require_stat(),
        "op_exec_path" => host::op_exec_path(),
        "op_hostname" => host::op_hostname(),
        "op_uid" | "op_geteuid" => host::op_uid(),
        "op_gid" | "op_getegid" => host::op_gid(),
        "op_getgroups" => host::op_getgroups(),
        "op_loadavg" => host::op_loadavg(),
        "op_os_release" => host::op_os_release(),
        "op_os_uptime" => host::op_os_uptime(),
        "op_homedir" => host::op_homedir(),
        "op_node_os_user_info" => host::op_node_os_user_info(),
        "op_is_terminal" => terminal::op_is_terminal(),
        "op_node_guess_handle_type" => terminal::op_node_guess_handle_type(),
        "op_node_os_get_priority" => host::op_node_os_get_priority(),
        "op_node_os_set_priority" => host::op_node_os_set_priority(),
        "op_network_interfaces" => host::op_network_interfaces(),
        "op_system_memory_info" => host::op_system_memory_info(),
        "op_runtime_memory_usage" => host::op_runtime_memory_usage(),
        "op_cpus" => host::op_cpus(),
        "op_node_process_set_title" => host::op_node_process_set_title(),
        "op_node_process_setegid" | "op_node_process_seteuid" | "op_node_process_setgid"
        | "op_node_process_setuid" => host::op_refused_id(),
        _ => op,
    },
);
