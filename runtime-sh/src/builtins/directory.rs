//! cd and pwd.

use super::lossy;
use crate::shell::{Outcome, Shell};
use vfs::{Access, Follow, Place, Result};

pub(super) async fn cd(shell: &mut Shell, argv: &[Vec<u8>]) -> Outcome<u8> {
    let mut args = &argv[1..];
    while let [first, rest @ ..] = args
        && matches!(first.as_slice(), b"-L" | b"-P" | b"--")
    {
        args = rest;
    }
    let mut shows = false;
    let target = match args.first().map(Vec::as_slice) {
        None => match shell.vars.get(b"HOME") {
            Some(home) => home.to_vec(),
            None => return Err(shell.wrong("cd", "HOME not set").await),
        },
        Some(b"-") => {
            shows = true;
            match shell.vars.get(b"OLDPWD") {
                Some(old) => old.to_vec(),
                None => return Err(shell.wrong("cd", "OLDPWD not set").await),
            }
        }
        Some(path) => path.to_vec(),
    };
    let mut place = None;
    if !target.starts_with(b"/") && !target.starts_with(b"./") && !target.starts_with(b"..") {
        let paths = shell.vars.get(b"CDPATH").unwrap_or_default().to_vec();
        for dir in paths.split(|b| *b == b':').filter(|dir| !dir.is_empty()) {
            if let Ok(found) = directory(shell, &[dir, b"/", &target].concat()).await {
                (place, shows) = (Some(found), true);
                break;
            }
        }
    }
    let target = if target.is_empty() { b".".to_vec() } else { target };
    let place = match place {
        Some(place) => place,
        None => match directory(shell, &target).await {
            Ok(place) => place,
            Err(_) => return Err(shell.wrong("cd", format!("can't cd to {}", lossy(&target))).await),
        },
    };
    let old = shell.vars.get(b"PWD").map_or_else(|| shell.cwd.path(), <[u8]>::to_vec);
    let new = place.path();
    shell.cwd = place;
    shell.assign(b"OLDPWD", old).await?;
    shell.assign(b"PWD", new.clone()).await?;
    if shows {
        return shell.put("cd", &[new, b"\n".to_vec()].concat()).await;
    }
    Ok(0)
}

async fn directory(shell: &Shell, path: &[u8]) -> Result<Place> {
    let place = shell.cwd.resolve(&shell.who, path, Follow::Yes).await?;
    if !place.kind().is_dir() {
        return vfs::Errno::ENOTDIR.into();
    }
    place.access(&shell.who, Access::EXEC).await?;
    Ok(place)
}

pub(super) async fn pwd(shell: &mut Shell, argv: &[Vec<u8>]) -> Outcome<u8> {
    if let Some(option) = argv.get(1).filter(|word| word.starts_with(b"-") && word.len() > 1)
        && !matches!(option.as_slice(), b"-L" | b"-P" | b"--")
    {
        return Err(shell.illegal_option("pwd", option[1] as char).await);
    }
    let line = [shell.cwd.path(), b"\n".to_vec()].concat();
    shell.put("pwd", &line).await
}
