//! What names mean: alias, unalias, command, type, hash.

use super::{find, lossy, quoted};
use crate::shell::{Outcome, Shell};
use crate::syntax::is_keyword;
use std::sync::Arc;

pub(super) async fn alias(shell: &mut Shell, argv: &[Vec<u8>]) -> Outcome<u8> {
    let mut status = 0;
    let mut text = Vec::new();
    let shown = |name: &[u8], value: &[u8]| [name, b"=", &quoted(value), b"\n"].concat();
    if argv.len() == 1 {
        for (name, value) in shell.aliases.iter() {
            text.extend(shown(name, value));
        }
    }
    for word in &argv[1..] {
        match word.iter().position(|b| *b == b'=') {
            Some(at) if at > 0 => {
                // As many as a script can write are few: their text is bounded as its own is.
                Arc::make_mut(&mut shell.aliases).insert(word[..at].to_vec(), word[at + 1..].to_vec());
            }
            _ => match shell.aliases.get(word) {
                Some(value) => text.extend(shown(word, value)),
                None => {
                    shell.tell(format!("alias: {} not found\n", lossy(word)).as_bytes()).await;
                    status = 1;
                }
            },
        }
    }
    shell.put("alias", &text).await?;
    Ok(status)
}

pub(super) async fn unalias(shell: &mut Shell, argv: &[Vec<u8>]) -> Outcome<u8> {
    let mut status = 0;
    for word in &argv[1..] {
        if word == b"-a" {
            shell.aliases = Arc::default();
        } else if Arc::make_mut(&mut shell.aliases).remove(word).is_none() {
            shell.tell(format!("unalias: {} not found\n", lossy(word)).as_bytes()).await;
            status = 1;
        }
    }
    Ok(status)
}

/// What a name is to the shell.
enum Meaning {
    Alias(Vec<u8>),
    Keyword,
    Function,
    Builtin(bool),
    Program(Vec<u8>),
    Nothing,
}

async fn meaning(shell: &Shell, name: &[u8]) -> Meaning {
    if let Some(value) = shell.aliases.get(name) {
        return Meaning::Alias(value.clone());
    }
    if is_keyword(name) {
        return Meaning::Keyword;
    }
    if shell.functions.contains_key(name) {
        return Meaning::Function;
    }
    if let Some(builtin) = find(name) {
        return Meaning::Builtin(builtin.special);
    }
    match shell.setting.locate(name, &shell.path(), &shell.cwd).await {
        Ok(_) if name.contains(&b'/') => Meaning::Program(name.to_vec()),
        Ok(place) => Meaning::Program(place.path()),
        Err(_) => Meaning::Nothing,
    }
}

async fn describe(shell: &mut Shell, names: &[Vec<u8>]) -> Outcome<u8> {
    let mut status = 0;
    for name in names {
        let shown = lossy(name);
        let line = match meaning(shell, name).await {
            Meaning::Alias(value) => format!("{shown} is an alias for {}", lossy(&value)),
            Meaning::Keyword => format!("{shown} is a shell keyword"),
            Meaning::Function => format!("{shown} is a shell function"),
            Meaning::Builtin(true) => format!("{shown} is a special shell builtin"),
            Meaning::Builtin(false) => format!("{shown} is a shell builtin"),
            Meaning::Program(path) => format!("{shown} is {}", lossy(&path)),
            Meaning::Nothing => {
                status = 127;
                format!("{shown}: not found")
            }
        };
        let unsaid = shell.put("type", format!("{line}\n").as_bytes()).await?;
        status = status.max(unsaid);
    }
    Ok(status)
}

pub(super) async fn kind(shell: &mut Shell, argv: &[Vec<u8>]) -> Outcome<u8> {
    describe(shell, &argv[1..]).await
}

pub(super) async fn command(shell: &mut Shell, argv: &[Vec<u8>]) -> Outcome<u8> {
    let mut args = &argv[1..];
    let (mut asks, mut tells, mut standard) = (false, false, false);
    while let [first, rest @ ..] = args
        && first.starts_with(b"-")
        && first.len() > 1
    {
        args = rest;
        if first == b"--" {
            break;
        }
        for letter in &first[1..] {
            match letter {
                b'v' => asks = true,
                b'V' => tells = true,
                b'p' => standard = true,
                other => return Err(shell.illegal_option("command", *other as char).await),
            }
        }
    }
    if tells {
        return describe(shell, &args[..args.len().min(1)]).await;
    }
    if asks {
        let Some(name) = args.first() else { return Ok(0) };
        let line = match meaning(shell, name).await {
            Meaning::Alias(value) => [b"alias ", name.as_slice(), b"=", &quoted(&value)].concat(),
            Meaning::Program(path) => path,
            Meaning::Nothing => return Ok(127),
            _ => name.clone(),
        };
        return shell.put("command", &[line, b"\n".to_vec()].concat()).await;
    }
    let Some(name) = args.first() else { return Ok(0) };
    match find(name) {
        // Its errors end nothing here.
        Some(builtin) => match (builtin.run)(shell, args).await {
            Err(crate::shell::Stop::Failed(status)) => Ok(status),
            other => other,
        },
        None => {
            let saved = standard.then(|| shell.vars.save(b"PATH"));
            if standard {
                shell.assign(b"PATH", crate::setting::PATH.to_vec()).await?;
            }
            let outcome = shell.program(args, false).await;
            shell.vars.restore(saved.into_iter().collect());
            outcome.map(|()| shell.status)
        }
    }
}

/// Nothing is remembered, so that nothing is to be forgotten; names are looked up all the same.
pub(super) async fn hash(shell: &mut Shell, argv: &[Vec<u8>]) -> Outcome<u8> {
    let mut status = 0;
    for name in argv[1..].iter().filter(|name| !name.starts_with(b"-")) {
        if matches!(meaning(shell, name).await, Meaning::Nothing) {
            shell.say(format!("hash: {}: not found", lossy(name))).await;
            status = 1;
        }
    }
    Ok(status)
}
