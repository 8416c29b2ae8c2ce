//! Node's `os`: the task's machine, which is what its description says, and never the host's.

use super::Task;
use deno_core::{OpState, op2, v8};
use deno_error::JsErrorBox;
use serde::Serialize;

/// The one program that a task may start itself as.
pub const EXEC_PATH: &str = "/bin/node";

#[op2]
#[string]
pub fn op_exec_path() -> &'static str {
    EXEC_PATH
}

#[op2]
#[string]
pub fn op_hostname(state: &mut OpState) -> String {
    state.borrow::<Task>().spec.hostname.clone()
}

#[op2(fast)]
pub fn op_uid(state: &mut OpState) -> u32 {
    state.borrow::<Task>().spec.uid
}

#[op2(fast)]
pub fn op_gid(state: &mut OpState) -> u32 {
    state.borrow::<Task>().spec.gid
}

#[op2]
#[serde]
pub fn op_getgroups(state: &mut OpState) -> Vec<u32> {
    state.borrow::<Task>().spec.groups.clone()
}

#[op2]
pub fn op_loadavg() -> (f64, f64, f64) {
    (0.0, 0.0, 0.0)
}

#[op2]
#[string]
pub fn op_os_release() -> &'static str {
    "6.0.0-taskfs"
}

/// Since the worker was started: its machine is no older.
#[op2(fast)]
#[number]
pub fn op_os_uptime() -> u64 {
    crate::clock::uptime().as_secs()
}

#[op2]
#[string]
pub fn op_homedir() -> String {
    std::env::var("HOME").unwrap_or_else(|_| "/home".into())
}

#[derive(Serialize)]
pub struct User {
    username: String,
    homedir: String,
    shell: Option<String>,
    uid: u32,
    gid: u32,
}

#[op2]
#[serde]
pub fn op_node_os_user_info(state: &mut OpState, #[smi] _uid: u32) -> User {
    let spec = &state.borrow::<Task>().spec;
    User {
        username: std::env::var("USER").unwrap_or_else(|_| "task".into()),
        homedir: std::env::var("HOME").unwrap_or_else(|_| "/home".into()),
        shell: None,
        uid: spec.uid,
        gid: spec.gid,
    }
}

/// In the order of `process.memoryUsage()`. What is resident is the most that it has been: now is the server's to know.
#[op2(fast)]
pub fn op_runtime_memory_usage(scope: &mut v8::PinScope<'_, '_>, #[buffer] out: &mut [f64]) {
    // SAFETY: all zeroes is a rusage, and the call fills it.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &mut usage);
        usage
    };
    let heap = scope.get_heap_statistics();
    if let [rss, total, used, external] = out {
        *rss = usage.ru_maxrss as f64 * 1024.0;
        *total = heap.total_heap_size() as f64;
        *used = heap.used_heap_size() as f64;
        *external = heap.external_memory() as f64;
    }
}

#[op2(fast)]
pub fn op_node_os_get_priority(_pid: u32) -> i32 {
    0
}

#[op2(fast)]
pub fn op_node_os_set_priority(_pid: u32, priority: i32) -> Result<(), JsErrorBox> {
    if priority >= 0 {
        Ok(())
    } else {
        Err(JsErrorBox::from_err(std::io::Error::from_raw_os_error(libc::EACCES)))
    }
}

#[derive(Serialize)]
pub struct Interface {
    family: &'static str,
    name: &'static str,
    address: &'static str,
    netmask: &'static str,
    scopeid: Option<u32>,
    cidr: &'static str,
    mac: &'static str,
}

/// The loopback: what else a task reaches goes through the server.
#[op2]
#[serde]
pub fn op_network_interfaces() -> Vec<Interface> {
    vec![Interface {
        family: "IPv4",
        name: "lo",
        address: "127.0.0.1",
        netmask: "255.0.0.0",
        scopeid: None,
        cidr: "127.0.0.1/8",
        mac: "00:00:00:00:00:00",
    }]
}

#[derive(Serialize)]
pub struct Memory {
    total: u64,
    free: u64,
    available: u64,
    buffers: u64,
    cached: u64,
    #[serde(rename = "swapTotal")]
    swap_total: u64,
    #[serde(rename = "swapFree")]
    swap_free: u64,
}

/// A task without a limit is told of this much.
const UNLIMITED: u64 = 4 << 30;

#[op2]
#[serde]
pub fn op_system_memory_info(state: &mut OpState) -> Memory {
    let total = state.borrow::<Task>().spec.limits.memory.unwrap_or(UNLIMITED);
    Memory { total, free: total, available: total, buffers: 0, cached: 0, swap_total: 0, swap_free: 0 }
}

#[derive(Serialize)]
pub struct Times {
    user: u64,
    nice: u64,
    sys: u64,
    idle: u64,
    irq: u64,
}

#[derive(Serialize)]
pub struct Cpu {
    model: &'static str,
    speed: u64,
    times: Times,
}

#[op2]
#[serde]
pub fn op_cpus() -> Vec<Cpu> {
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    let times = || Times { user: 0, nice: 0, sys: 0, idle: 0, irq: 0 };
    (0..count).map(|_| Cpu { model: "taskfs", speed: 0, times: times() }).collect()
}

/// `process.title` is a name that only the program itself sees.
#[op2(fast)]
pub fn op_node_process_set_title(#[string] _title: &str) {}

#[op2(fast)]
pub fn op_refused_id() -> Result<(), JsErrorBox> {
    Err(JsErrorBox::from_err(std::io::Error::from_raw_os_error(libc::EPERM)))
}
