//! export, readonly, unset, local, shift.

use super::{count, lossy, quoted};
use crate::shell::{Outcome, Shell};
use crate::syntax::is_name;
use crate::vars::Variable;
use std::sync::Arc;

pub(super) async fn export(shell: &mut Shell, argv: &[Vec<u8>]) -> Outcome<u8> {
    mark(shell, argv, |variable| variable.exported, |shell, name| shell.vars.export(name)).await
}

pub(super) async fn readonly(shell: &mut Shell, argv: &[Vec<u8>]) -> Outcome<u8> {
    mark(shell, argv, |variable| variable.readonly, |shell, name| shell.vars.protect(name)).await
}

async fn mark(
    shell: &mut Shell,
    argv: &[Vec<u8>],
    is: fn(&Variable) -> bool,
    make: fn(&mut Shell, &[u8]),
) -> Outcome<u8> {
    let verb = lossy(&argv[0]);
    let args = match argv.get(1).map(Vec::as_slice) {
        None | Some(b"-p") => {
            let mut text = Vec::new();
            for (name, variable) in shell.vars.iter().filter(|(_, variable)| is(variable)) {
                text.extend_from_slice(&[verb.as_bytes(), b" ", name].concat());
                if let Some(value) = &variable.value {
                    text.push(b'=');
                    text.extend(quoted(value.bytes()));
                }
                text.push(b'\n');
            }
            return shell.put(&verb, &text).await;
        }
        Some(b"--") => &argv[2..],
        Some(_) => &argv[1..],
    };
    for word in args {
        let (name, value) = assignment(word);
        if !is_name(name) {
            return Err(shell.wrong(&verb, format!("{}: bad variable name", lossy(name))).await);
        }
        if let Some(value) = value {
            shell.assign(name, value.to_vec()).await?;
        }
        make(shell, name);
    }
    Ok(0)
}

fn assignment(word: &[u8]) -> (&[u8], Option<&[u8]>) {
    match word.iter().position(|b| *b == b'=') {
        Some(at) => (&word[..at], Some(&word[at + 1..])),
        None => (word, None),
    }
}

pub(super) async fn unset(shell: &mut Shell, argv: &[Vec<u8>]) -> Outcome<u8> {
    let mut functions = false;
    let mut args = &argv[1..];
    while let [first, rest @ ..] = args
        && first.starts_with(b"-")
        && first.len() > 1
    {
        match first.as_slice() {
            b"-f" => functions = true,
            b"-v" => functions = false,
            b"--" => {}
            other => return Err(shell.illegal_option("unset", other[1] as char).await),
        }
        args = rest;
    }
    for name in args {
        if functions {
            Arc::make_mut(&mut shell.functions).remove(name);
            continue;
        }
        if !is_name(name) {
            return Err(shell.wrong("unset", format!("{}: bad variable name", lossy(name))).await);
        }
        if shell.vars.unset(name).is_err() {
            return Err(shell.wrong("unset", format!("{}: is read only", lossy(name))).await);
        }
    }
    Ok(0)
}

pub(super) async fn local(shell: &mut Shell, argv: &[Vec<u8>]) -> Outcome<u8> {
    if shell.locals.is_empty() {
        return Err(shell.wrong("local", "not in a function").await);
    }
    for word in &argv[1..] {
        if word == b"-" {
            let options = shell.options.clone();
            if let Some(hidden) = shell.locals.last_mut() {
                hidden.options.get_or_insert(options);
            }
            continue;
        }
        let (name, value) = assignment(word);
        if !is_name(name) {
            return Err(shell.wrong("local", format!("{}: bad variable name", lossy(name))).await);
        }
        let saved = shell.vars.save(name);
        if let Some(hidden) = shell.locals.last_mut()
            && !hidden.variables.iter().any(|(known, _)| known == name)
        {
            hidden.variables.push(saved);
        }
        if let Some(value) = value {
            shell.assign(name, value.to_vec()).await?;
        }
    }
    Ok(0)
}

pub(super) async fn shift(shell: &mut Shell, argv: &[Vec<u8>]) -> Outcome<u8> {
    let number = match argv.get(1) {
        None => 1,
        Some(word) => match count(word) {
            Some(number) => number as usize,
            None => return Err(shell.wrong("shift", format!("Illegal number: {}", lossy(word))).await),
        },
    };
    if number > shell.args.len() {
        return Err(shell.wrong("shift", "can't shift that many").await);
    }
    shell.args = shell.args[number..].into();
    Ok(0)
}
