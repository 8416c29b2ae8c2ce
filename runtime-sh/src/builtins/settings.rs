//! trap, umask, ulimit, times.

use super::{lossy, quoted};
use crate::commands::mode;
use crate::shell::{Outcome, Shell};
use crate::traps;
use std::sync::atomic::Ordering;
use task::{show_size, show_time};

pub(super) async fn trap(shell: &mut Shell, argv: &[Vec<u8>]) -> Outcome<u8> {
    let args = match argv.get(1) {
        Some(first) if first == b"--" => &argv[2..],
        _ => &argv[1..],
    };
    if args.is_empty() || args == [b"-p".to_vec()] {
        let mut text = Vec::new();
        for (signal, action) in shell.traps.iter() {
            let action = quoted(action);
            let line = [b"trap -- ", action.as_slice(), b" ", traps::name(signal).as_bytes(), b"\n"];
            text.extend(line.concat());
        }
        return shell.put("trap", &text).await;
    }
    // A lone signal, or a number first, is what is reset.
    let resets = args.len() == 1 || args[0].iter().all(u8::is_ascii_digit) && !args[0].is_empty();
    let (action, signals) = match args {
        [first, rest @ ..] if !resets => (if first == b"-" { None } else { Some(first.clone()) }, rest),
        _ => (None, args),
    };
    let mut status = 0;
    for word in signals {
        match traps::signal(word) {
            Some(signal) if signal == libc::SIGKILL || signal == libc::SIGSTOP => {}
            Some(signal) => shell.set_trap(signal, action.clone()),
            None => {
                shell.tell(format!("trap: {}: bad trap\n", lossy(word)).as_bytes()).await;
                status = 1;
            }
        }
    }
    Ok(status)
}

pub(super) async fn umask(shell: &mut Shell, argv: &[Vec<u8>]) -> Outcome<u8> {
    let mask = shell.who.umask;
    match argv.get(1).map(Vec::as_slice) {
        None => shell.put("umask", format!("{mask:04o}\n").as_bytes()).await,
        Some(b"-S") => {
            let digit = |shift: u32| {
                let kept = !(mask >> shift) & 7;
                let letters = [(4, 'r'), (2, 'w'), (1, 'x')];
                letters
                    .iter()
                    .filter(|(bit, _)| kept & bit != 0)
                    .map(|(_, letter)| *letter)
                    .collect::<String>()
            };
            let line = format!("u={},g={},o={}\n", digit(6), digit(3), digit(0));
            shell.put("umask", line.as_bytes()).await
        }
        Some(word) => {
            let text = lossy(word);
            let is_number = word.first().is_some_and(u8::is_ascii_digit);
            let mode = if is_number {
                u32::from_str_radix(&text, 8).ok().map(|mask| mask & 0o777)
            } else {
                // What is said of is what is allowed.
                mode::parse(word).map(|change| !change.apply(!mask & 0o777, false, 0) & 0o777)
            };
            match mode {
                Some(mask) => {
                    shell.who.umask = mask;
                    Ok(0)
                }
                None => {
                    let what = if is_number { "number" } else { "mode" };
                    Err(shell.wrong("umask", format!("Illegal {what}: {text}")).await)
                }
            }
        }
    }
}

/// Shows the task's limits; they are set through its files.
pub(super) async fn ulimit(shell: &mut Shell, argv: &[Vec<u8>]) -> Outcome<u8> {
    let limits = shell.process().limits();
    let none = || "unlimited".to_owned();
    let text = match argv.get(1).map(Vec::as_slice) {
        None | Some(b"-f") => none(),
        Some(b"-n") => limits.files.map_or_else(none, |files| files.to_string()),
        Some(b"-t") => limits.cpu.map_or_else(none, |cpu| cpu.as_secs().to_string()),
        Some(b"-v" | b"-m" | b"-d") => limits.memory.map_or_else(none, |bytes| (bytes >> 10).to_string()),
        Some(b"-p" | b"-u") => limits.tasks.map_or_else(none, |tasks| tasks.to_string()),
        Some(b"-a") => {
            let line =
                |name: &str, value: Option<String>| format!("{name:<9}{}\n", value.unwrap_or_else(none));
            let text = line("memory", limits.memory.map(show_size))
                + &line("cpu", limits.cpu.map(show_time))
                + &line("wall", limits.wall.map(show_time))
                + &line("files", limits.files.map(|files| files.to_string()))
                + &line("output", limits.output.map(show_size))
                + &line("tasks", limits.tasks.map(|tasks| tasks.to_string()));
            return shell.put("ulimit", text.as_bytes()).await;
        }
        Some(other) => {
            let option = other.get(1).copied().unwrap_or(b'?') as char;
            return Err(shell.illegal_option("ulimit", option).await);
        }
    };
    if argv.len() > 2 {
        return Err(shell
            .wrong("ulimit", "error setting limit: the task's limits are set through its files")
            .await);
    }
    shell.put("ulimit", format!("{text}\n").as_bytes()).await
}

pub(super) async fn times(shell: &mut Shell, _argv: &[Vec<u8>]) -> Outcome<u8> {
    let show = |ns: u64| {
        let seconds = ns as f64 / 1e9;
        format!("{}m{:.6}s", (seconds / 60.0) as u64, seconds % 60.0)
    };
    let usage = &shell.process().usage;
    let own = (show(usage.user_ns.load(Ordering::Relaxed)), show(usage.sys_ns.load(Ordering::Relaxed)));
    let text = format!("{} {}\n{} {}\n", own.0, own.1, show(0), show(0));
    shell.put("times", text.as_bytes()).await
}
