//! jobs, wait, kill, fg, bg.

use super::lossy;
use crate::jobs::{Job, deliver};
use crate::shell::{Outcome, Shell, Stop};
use crate::traps;
use std::sync::Arc;
use vfs::TaskId;

pub(super) async fn jobs(shell: &mut Shell, argv: &[Vec<u8>]) -> Outcome<u8> {
    let (mut long, mut numbers) = (false, false);
    let mut names = &argv[1..];
    while let [option, rest @ ..] = names
        && option.starts_with(b"-")
    {
        names = rest;
        match option.as_slice() {
            b"-l" => long = true,
            b"-p" => numbers = true,
            other => {
                return Err(shell
                    .illegal_option("jobs", other.get(1).copied().unwrap_or(b'-') as char)
                    .await);
            }
        }
    }
    let mut text = String::new();
    let list: Vec<Arc<Job>> = shell.jobs.iter().cloned().collect();
    let last = list.len();
    let mut wanted = Vec::with_capacity(names.len());
    for name in names {
        match shell.jobs.find(name) {
            Some(job) => wanted.push(job.number),
            None => return Err(shell.wrong("jobs", format!("No such job: {}", lossy(name))).await),
        }
    }
    for (index, job) in list.iter().enumerate() {
        if !names.is_empty() && !wanted.contains(&job.number) {
            continue;
        }
        if numbers {
            text += &format!("{}\n", job.pid().await);
            continue;
        }
        let mark = if index + 1 == last {
            '+'
        } else if index + 2 == last {
            '-'
        } else {
            ' '
        };
        let state = match job.status() {
            None if job.is_stopped() => "Stopped".to_owned(),
            None => "Running".to_owned(),
            Some(0) => "Done".to_owned(),
            Some(status) => format!("Done({status})"),
        };
        let pid = if long { format!("{} ", job.pid().await) } else { String::new() };
        text += &format!("[{}] {mark} {pid}{state:<26} {}\n", job.number, lossy(&job.text));
        if job.status().is_some() {
            shell.jobs.forget(job);
        }
    }
    shell.put("jobs", text.as_bytes()).await
}

/// Waits for a job's end; none where a signal came.
async fn ended(shell: &mut Shell, job: &Arc<Job>) -> Option<u8> {
    let process = shell.process().clone();
    tokio::select! {
        biased;
        status = job.ended() => Some(status),
        _ = process.signals.came(), if !shell.is_subshell => None,
    }
}

pub(super) async fn wait(shell: &mut Shell, argv: &[Vec<u8>]) -> Outcome<u8> {
    let signalled = async |shell: &mut Shell| {
        let process = shell.process().clone();
        let signal = process.signals.came().await;
        Ok(128 + signal as u8)
    };
    if argv.len() == 1 {
        let all: Vec<Arc<Job>> = shell.jobs.iter().cloned().collect();
        for job in all {
            if ended(shell, &job).await.is_none() {
                return signalled(shell).await;
            }
            shell.jobs.forget(&job);
        }
        return Ok(0);
    }
    let mut status = 0;
    for word in &argv[1..] {
        // A job's number is decided by then, or it would not be known.
        let Some(job) = shell.jobs.find(word) else {
            if !word.iter().all(u8::is_ascii_digit) {
                let text = if word.starts_with(b"%") { "No such job" } else { "Illegal number" };
                return Err(shell.wrong("wait", format!("{text}: {}", lossy(word))).await);
            }
            status = 127;
            continue;
        };
        match ended(shell, &job).await {
            Some(code) => status = code,
            None => return signalled(shell).await,
        }
        shell.jobs.forget(&job);
    }
    Ok(status)
}

pub(super) async fn kill(shell: &mut Shell, argv: &[Vec<u8>]) -> Outcome<u8> {
    let usage = "Usage: kill [-s sigspec | -signum | -sigspec] [pid | job]... or\nkill -l [exitstatus]";
    let mut args = &argv[1..];
    let mut signal = libc::SIGTERM;
    match args.first().map(Vec::as_slice) {
        None => return Err(shell.wrong("kill", usage).await),
        Some(b"-l") => return list(shell, &args[1..]).await,
        Some(b"--") => args = &args[1..],
        Some(option) if option.len() > 1 && option[0] == b'-' => {
            let (word, rest) = match option {
                b"-s" => match args.get(1) {
                    Some(word) => (word.as_slice(), &args[2..]),
                    None => return Err(shell.wrong("kill", usage).await),
                },
                _ => (&option[1..], &args[1..]),
            };
            match traps::signal(word) {
                Some(number) => signal = number,
                None => {
                    return Err(shell
                        .wrong("kill", format!("invalid signal number or name: {}", lossy(word)))
                        .await);
                }
            }
            args = rest;
            if args.first().is_some_and(|word| word == b"--") {
                args = &args[1..];
            }
        }
        Some(_) => {}
    }
    let mut status = 0;
    for word in args {
        if let Some(job) = shell.jobs.find(word) {
            if job.status().is_some() {
                shell.say("kill: No such process\n").await;
                status = 1;
            } else if signal != 0 {
                job.signal(signal);
            }
            continue;
        }
        if word.starts_with(b"%") {
            return Err(shell.wrong("kill", format!("No such job: {}", lossy(word))).await);
        }
        let number = std::str::from_utf8(word).ok().and_then(|text| text.parse::<i64>().ok());
        let Some(number) = number else {
            return Err(shell.wrong("kill", format!("Illegal number: {}", lossy(word))).await);
        };
        if number == i64::from(shell.setting.id.0) || number == 0 {
            own(shell, signal).await?;
            continue;
        }
        let task = u32::try_from(number).ok().and_then(|id| shell.setting.task(TaskId(id)));
        if !task.is_some_and(|task| deliver(&task, signal)) {
            shell.say("kill: No such process\n").await;
            status = 1;
        }
    }
    Ok(status)
}

/// A signal to the shell itself.
async fn own(shell: &mut Shell, signal: i32) -> Outcome {
    match signal {
        0 => Ok(()),
        libc::SIGSTOP => stop(shell).await,
        libc::SIGKILL => end(shell, signal).await,
        _ => match shell.process().signals.take(signal) {
            // What is set for it runs behind this command.
            traps::Answer::Taken => Ok(()),
            traps::Answer::Stop => stop(shell).await,
            traps::Answer::End => end(shell, signal).await,
        },
    }
}

/// The end of the whole shell, of which this may be a part only.
async fn end(shell: &mut Shell, signal: i32) -> Outcome {
    if !shell.is_subshell {
        return Err(Stop::Signal(signal));
    }
    shell.process().end_by(signal);
    shell.process().unless_over().await;
    Ok(())
}

async fn stop(shell: &mut Shell) -> Outcome {
    if let Some(task) = shell.setting.task(shell.setting.id) {
        // It may be stopped or ended already.
        let _ = task.life.stop();
    }
    tokio::task::yield_now().await;
    Ok(())
}

async fn list(shell: &mut Shell, words: &[Vec<u8>]) -> Outcome<u8> {
    let mut text = String::new();
    if words.is_empty() {
        for name in traps::SIGNALS {
            text += &format!("{name}\n");
        }
    }
    for word in words {
        match super::count(word) {
            Some(number) => {
                let number = if number > 128 { number - 128 } else { number };
                text += &format!("{}\n", traps::name(number as i32));
            }
            None => match traps::signal(word) {
                Some(number) => text += &format!("{number}\n"),
                None => {
                    let text = format!("invalid signal number or name: {}", lossy(word));
                    return Err(shell.wrong("kill", text).await);
                }
            },
        }
    }
    shell.put("kill", text.as_bytes()).await
}

async fn chosen(shell: &mut Shell, argv: &[Vec<u8>]) -> Outcome<Arc<Job>> {
    let name = lossy(&argv[0]);
    let word = argv.get(1).map_or(&b"%%"[..], Vec::as_slice);
    match shell.jobs.find(word) {
        Some(job) => Ok(job),
        None if argv.len() > 1 => Err(shell.wrong(&name, format!("No such job: {}", lossy(word))).await),
        None => Err(shell.wrong(&name, "No current job").await),
    }
}

pub(super) async fn fg(shell: &mut Shell, argv: &[Vec<u8>]) -> Outcome<u8> {
    let job = chosen(shell, argv).await?;
    shell.put("fg", &[&job.text[..], b"\n"].concat()).await?;
    job.signal(libc::SIGCONT);
    loop {
        if let Some(status) = ended(shell, &job).await {
            shell.jobs.forget(&job);
            return Ok(status);
        }
        let process = shell.process().clone();
        let signal = process.signals.came().await;
        if !shell.interactive {
            return Ok(128 + signal as u8);
        }
        process.signals.forget(signal);
        job.signal(signal);
        if signal == libc::SIGTSTP {
            let text = lossy(&job.text);
            shell.tell(format!("[{}] + Stopped {text}\n", job.number).as_bytes()).await;
            return Ok(128 + signal as u8);
        }
    }
}

pub(super) async fn bg(shell: &mut Shell, argv: &[Vec<u8>]) -> Outcome<u8> {
    let job = chosen(shell, argv).await?;
    job.signal(libc::SIGCONT);
    let line = format!("[{}] {}\n", job.number, lossy(&job.text));
    shell.put("bg", line.as_bytes()).await
}
