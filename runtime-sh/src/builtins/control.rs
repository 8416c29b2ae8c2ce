//! `:`, `.`, `break`, `continue`, `eval`, `exec`, `exit`, `return`.

use super::{count, lossy};
use crate::shell::{Outcome, Shell, Stop};
use vfs::{Follow, Kind, Place};

pub(super) async fn colon(_shell: &mut Shell, _argv: &[Vec<u8>]) -> Outcome<u8> {
    Ok(0)
}
pub(super) async fn no(_shell: &mut Shell, _argv: &[Vec<u8>]) -> Outcome<u8> {
    Ok(1)
}

/// The number that a word gives, where there is one.
async fn number(shell: &mut Shell, argv: &[Vec<u8>], default: u32) -> Outcome<u32> {
    match argv.get(1) {
        None => Ok(default),
        Some(word) => match count(word) {
            Some(number) => Ok(number),
            None => Err(shell.wrong(&lossy(&argv[0]), format!("Illegal number: {}", lossy(word))).await),
        },
    }
}

pub(super) async fn leave(shell: &mut Shell, argv: &[Vec<u8>]) -> Outcome<u8> {
    jump(shell, argv, Stop::Break).await
}
pub(super) async fn go_on(shell: &mut Shell, argv: &[Vec<u8>]) -> Outcome<u8> {
    jump(shell, argv, Stop::Continue).await
}

async fn jump(shell: &mut Shell, argv: &[Vec<u8>], stop: fn(u32) -> Stop) -> Outcome<u8> {
    let levels = number(shell, argv, 1).await?;
    if levels == 0 {
        let text = format!("Illegal number: {}", lossy(&argv[1]));
        return Err(shell.wrong(&lossy(&argv[0]), text).await);
    }
    // Outside of a loop it does nothing.
    match levels.min(shell.loops) {
        0 => Ok(0),
        levels => {
            shell.status = 0;
            Err(stop(levels))
        }
    }
}

pub(super) async fn give_back(shell: &mut Shell, argv: &[Vec<u8>]) -> Outcome<u8> {
    let status = number(shell, argv, shell.status.into()).await?;
    Err(Stop::Return(status as u8))
}

pub(super) async fn exit(shell: &mut Shell, argv: &[Vec<u8>]) -> Outcome<u8> {
    let status = shell.before_trap.unwrap_or(shell.status);
    let status = number(shell, argv, status.into()).await?;
    Err(Stop::Exit(status as u8))
}

pub(super) async fn eval(shell: &mut Shell, argv: &[Vec<u8>]) -> Outcome<u8> {
    let text = argv[1..].join(&b' ');
    let line = shell.line;
    shell.run_from(&text, line).await?;
    Ok(shell.status)
}

pub(super) async fn dot(shell: &mut Shell, argv: &[Vec<u8>]) -> Outcome<u8> {
    let Some(name) = argv.get(1) else { return Ok(0) };
    let Some(place) = found(shell, name).await else {
        let text = if name.contains(&b'/') {
            format!("cannot open {}: No such file", lossy(name))
        } else {
            format!("{}: not found", lossy(name))
        };
        return Err(shell.wrong(".", text).await);
    };
    let text = match shell.read_script(&place).await {
        Ok(text) => text,
        Err(why) => return Err(shell.wrong(".", format!("cannot open {}: {why}", lossy(name))).await),
    };
    let loops = shell.loops;
    let outcome = shell.run_script(&text).await;
    shell.loops = loops;
    match outcome {
        Ok(()) => Ok(shell.status),
        Err(Stop::Return(status)) => Ok(status),
        Err(stop) => Err(stop),
    }
}

/// The file that `.` reads: by its path, or along PATH whether it can be executed or not.
async fn found(shell: &Shell, name: &[u8]) -> Option<Place> {
    if name.contains(&b'/') {
        return shell.cwd.resolve(&shell.who, name, Follow::Yes).await.ok();
    }
    for dir in shell.path().split(|b| *b == b':') {
        let dir = if dir.is_empty() { b"." } else { dir };
        let path = [dir, b"/", name].concat();
        if let Ok(place) = shell.cwd.resolve(&shell.who, &path, Follow::Yes).await
            && place.kind() == Kind::File
        {
            return Some(place);
        }
    }
    None
}

pub(super) async fn exec(shell: &mut Shell, argv: &[Vec<u8>]) -> Outcome<u8> {
    let args = match argv.get(1) {
        Some(first) if first == b"--" => &argv[2..],
        _ => &argv[1..],
    };
    if args.is_empty() {
        return Ok(0);
    }
    let cwd = shell.cwd.clone();
    if let Err(error) = shell.setting.find(&args[0], &shell.path(), &cwd).await {
        let missing = error.is(vfs::Errno::ENOENT) || error.is(vfs::Errno::ENOTDIR);
        let why = if missing { "not found".into() } else { crate::commands::words(&error) };
        shell.say(format!("exec: {}: {why}", lossy(&args[0]))).await;
        let status = if missing { 127 } else { 126 };
        return Err(Stop::Exit(status));
    }
    // What takes the shell's place has no use for its traps.
    let _gone = shell.traps.take_exit();
    shell.program(args, true).await?;
    Err(Stop::Exit(shell.status))
}
