//! `taskfs doctor`: what this machine can do, and what to install for the rest.

use runtime_node::{Cgroups, Engine};
use std::ffi::CString;
use std::fmt::Write as _;
use std::path::Path;

struct Finding {
    what: &'static str,
    /// What is there; or what is missing and what to do about it.
    state: Result<String, String>,
}

/// Prints one line a finding. Nothing that is missing here keeps the server from serving 9P.
pub fn run() -> String {
    let nodes = runtime_node::find_engines(None).unwrap_or_default();
    let mut findings = vec![fuse(), kernel_9p(), engines(), node(&nodes)];
    findings.extend(nodes.first().map(walls));
    findings.extend([open_files(), mappings(), cgroup()]);
    let width = findings.iter().map(|f| f.what.len()).max().unwrap_or(0);
    let mut text = String::new();
    for Finding { what, state } in findings {
        let (mark, note) = match &state {
            Ok(note) => ("yes", note),
            Err(note) => ("no ", note),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{what:<width$}  {mark}  {note}");
    }
    text
}

fn on_path(program: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(program).is_file()))
}

fn usable(path: &str) -> bool {
    let path = CString::new(path).expect("no NUL in a constant");
    rustix::fs::access(path.as_c_str(), rustix::fs::Access::READ_OK | rustix::fs::Access::WRITE_OK).is_ok()
}

fn fuse() -> Finding {
    let root = rustix::process::geteuid().is_root();
    let state = if !Path::new("/dev/fuse").exists() {
        Err("no /dev/fuse: load the kernel's fuse module (modprobe fuse); 9P works without".to_owned())
    } else if !usable("/dev/fuse") {
        Err("/dev/fuse may not be opened by this user".to_owned())
    } else if !root && !on_path("fusermount3") {
        Err("fusermount3 is missing: apt install fuse3".to_owned())
    } else {
        Ok(if root { "mounts as root".to_owned() } else { "mounts with fusermount3".to_owned() })
    };
    Finding { what: "FUSE mounts (serve --mount)", state }
}

fn kernel_9p() -> Finding {
    let known = std::fs::read_to_string("/proc/filesystems").unwrap_or_default();
    let loaded = known.lines().any(|l| l.trim_start_matches("nodev").trim() == "9p");
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    let module = ["kernel/fs/9p/9p.ko", "kernel/fs/9p/9p.ko.xz", "kernel/fs/9p/9p.ko.zst"]
        .iter()
        .any(|file| Path::new("/lib/modules").join(&release).join(file).exists());
    let state = match (loaded, module) {
        (true, _) => Ok("the kernel has it".to_owned()),
        (false, true) => Ok("as a module: mount loads it".to_owned()),
        (false, false) => Err(format!("kernel {release} has no 9p; `taskfs mount` uses FUSE instead")),
    };
    Finding { what: "kernel 9P client (mount -t 9p)", state }
}

fn engines() -> Finding {
    Finding { what: "WASI programs", state: Ok("wasmtime, in the server".to_owned()) }
}

fn node(engines: &[Engine]) -> Finding {
    let state = match engines {
        [] => Err(
            "no taskfs-node-v8 or taskfs-node-quickjs beside this program or on PATH: make build makes them"
                .into(),
        ),
        engines => {
            let names: Vec<String> =
                engines.iter().map(|e| format!("{} ({})", e.name(), e.executable.display())).collect();
            Ok(names.join(", "))
        }
    };
    Finding { what: "Node programs", state }
}

/// What a worker process can be walled off with here, as one that was started for this says.
fn walls(engine: &Engine) -> Finding {
    let state = match runtime_node::probe(engine) {
        Err(why) => Err(format!("a worker does not start: {why}")),
        Ok(wall) if !wall.missing().is_empty() => Err(format!(
            "{}: Node programs are refused, unless serve is told --weak-walls",
            wall.missing().join(", ")
        )),
        Ok(wall) if !wall.notify => {
            Err("the kernel puts no system calls before us: Node programs have no network".to_owned())
        }
        Ok(wall) => Ok(format!(
            "{} namespaces, an empty root, seccomp{}",
            wall.spaces.join(" "),
            if wall.landlock > 0 { ", Landlock" } else { "" }
        )),
    };
    Finding { what: "walls of Node programs", state }
}

fn open_files() -> Finding {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let shown = |n: Option<u64>| n.map_or("unlimited".to_owned(), |n| n.to_string());
    let state = match limit.maximum {
        Some(hard) if hard < 4096 => {
            Err(format!("at most {hard}: raise `ulimit -Hn` for many clients and files"))
        }
        _ => Ok(format!("{} now, at most {}", shown(limit.current), shown(limit.maximum))),
    };
    Finding { what: "open files", state }
}

fn mappings() -> Finding {
    let state = match std::fs::read_to_string("/proc/sys/vm/max_map_count") {
        Ok(text) => {
            let count: u64 = text.trim().parse().unwrap_or(0);
            match count {
                0..65_530 => {
                    Err(format!("vm.max_map_count is {count}: fewer than 10 000 WASI tasks fit at once"))
                }
                _ => Ok(format!("vm.max_map_count is {count}")),
            }
        }
        Err(error) => Err(format!("/proc/sys/vm/max_map_count: {error}")),
    };
    Finding { what: "10 000 WASI tasks", state }
}

fn cgroup() -> Finding {
    let looked = "the memory and time of Node programs are looked at, 5 to 200 times a second";
    let state = match Cgroups::find() {
        Ok(_) => format!("{looked}, and bounded by the kernel"),
        Err(why) => format!("none is needed: {looked} ({why})"),
    };
    Finding { what: "cgroups", state: Ok(state) }
}
