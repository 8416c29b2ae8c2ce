//! What a worker is told of its task, and what it says of the task's end: the two JSON documents of PROTOCOL.md.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use task::{Exit, Limits, Signal, Start};
use vfs::{Errno, Error, FileRef, Kind, Nature, Result};

/// The first line of the file that stands for the `node` command in a namespace.
pub(crate) const NODE: &[u8] = b"#!taskfs nodejs\n";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Spec<'a> {
    id: u32,
    ppid: u32,
    /// The script; none where the task was started as `node …`.
    program: Option<String>,
    args: Vec<String>,
    exec_argv: [&'a str; 0],
    env: BTreeMap<String, String>,
    cwd: String,
    stdio: [&'static str; 3],
    limits: Bounds,
    caps: Rights,
    hostname: &'a str,
    uid: u32,
    gid: u32,
    groups: Vec<u32>,
    umask: u32,
    /// It was forked: there is a channel.
    ipc: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Bounds {
    memory: Option<u64>,
    cpu_ms: Option<u64>,
    wall_ms: Option<u64>,
    files: Option<u32>,
    output: Option<u64>,
    tasks: Option<u32>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Rights {
    text: String,
    spawn: bool,
    all_files: bool,
}

impl Bounds {
    fn of(limits: &Limits) -> Bounds {
        let ms = |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Bounds {
            memory: limits.memory,
            cpu_ms: limits.cpu.map(ms),
            wall_ms: limits.wall.map(ms),
            files: limits.files,
            output: limits.output,
            tasks: limits.tasks,
        }
    }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A path has to be what it is: a name that Node cannot say would be another file's.
fn exact(bytes: &[u8]) -> Result<String> {
    String::from_utf8(bytes.to_vec()).map_err(|_| {
        let text = format!("{}: a name that is not UTF-8, which Node cannot say", lossy(bytes));
        Error::new(Errno::EILSEQ, text)
    })
}

fn kind(file: &FileRef) -> &'static str {
    match (file.nature(), file.node().kind()) {
        _ if file.terminal().is_some() => "tty",
        (Nature::Storage, Kind::File) => "file",
        (_, Kind::CharDevice) => "null",
        _ => "pipe",
    }
}

/// The document that tells a worker its task; `is_node` where the program is the `node` command itself.
pub(crate) fn document(start: &Start, is_node: bool, ipc: bool) -> Result<Vec<u8>> {
    let program = if is_node { None } else { Some(exact(&start.program.path())?) };
    let [stdin, stdout, stderr] = &start.stdio;
    let spec = Spec {
        id: start.id.0,
        ppid: start.ppid.map_or(0, |id| id.0),
        program,
        args: start.argv.iter().skip(1).map(|word| lossy(word)).collect(),
        exec_argv: [],
        env: start.env.iter().map(|(name, value)| (lossy(name), lossy(value))).collect(),
        cwd: exact(&start.cwd.path())?,
        stdio: [kind(stdin), kind(stdout), kind(stderr)],
        limits: Bounds::of(&start.limits),
        caps: Rights {
            text: start.caps.to_string(),
            spawn: start.caps.spawn(),
            all_files: start.caps.all_files(),
        },
        hostname: "taskfs",
        uid: start.who.uid.0,
        gid: start.who.gid.0,
        groups: start.who.groups.iter().map(|group| group.0).collect(),
        umask: 0o022,
        ipc,
    };
    serde_json::to_vec(&spec).map_err(|e| Error::new(Errno::EIO, format!("the task as JSON: {e}")))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Ended {
    #[serde(default)]
    code: Option<i32>,
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    signal: Option<String>,
    #[serde(default)]
    round_trips: u64,
}

/// The end that a worker tells, and how often its program waited for the server.
pub(crate) fn end(document: &[u8]) -> Result<(Exit, u64)> {
    let bad = |why: &dyn std::fmt::Display| Error::new(Errno::EINVAL, format!("exit: {why}"));
    let ended: Ended = serde_json::from_slice(document).map_err(|e| bad(&e))?;
    if let Some(signal) = &ended.signal {
        return Ok((Signal::parse(signal)?.exit(), ended.round_trips));
    }
    let code = ended.code.ok_or_else(|| bad(&"want a code or a signal"))? & 0xff;
    let exit = match ended.message.filter(|message| !message.is_empty()) {
        Some(message) => Exit::killed(code, message.chars().take(1000).collect::<String>()),
        None => Exit::with_code(code),
    };
    Ok((exit, ended.round_trips))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_a_code_a_signal_or_a_message() {
        assert_eq!(end(b"{\"code\":0,\"roundTrips\":7}"), Ok((Exit::success(), 7)));
        assert_eq!(end(b"{\"code\":257}"), Ok((Exit::with_code(1), 0)), "as a process's status");
        let (exit, _) = end(b"{\"code\":134,\"message\":\"memory limit 64M reached\"}").expect("a message");
        assert_eq!(exit, Exit::killed(134, "memory limit 64M reached"));
        let (exit, _) = end(b"{\"signal\":\"SIGTERM\"}").expect("a signal");
        assert_eq!(exit, Exit::killed(143, "killed by SIGTERM"));
    }

    #[test]
    fn what_is_no_end_is_refused() {
        for text in ["", "{}", "[]", "{\"code\":\"0\"}", "{\"signal\":\"SIGFOO\"}", "{\"code\":1"] {
            assert!(end(text.as_bytes()).is_err(), "{text}");
        }
    }
}
