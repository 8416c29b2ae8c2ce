//! set and getopts.

use super::{lossy, quoted};
use crate::shell::{OPTIONS, Options, Outcome, PIPEFAIL, Shell};
use crate::syntax::is_name;

pub(super) async fn set(shell: &mut Shell, argv: &[Vec<u8>]) -> Outcome<u8> {
    if argv.len() == 1 {
        let mut text = Vec::new();
        for (name, variable) in shell.vars.iter() {
            if let Some(value) = &variable.value {
                text.extend_from_slice(&[name, b"=", &quoted(value.bytes()), b"\n"].concat());
            }
        }
        return shell.put("set", &text).await;
    }
    let mut at = 1;
    while let Some(word) = argv.get(at) {
        let on = match word.as_slice() {
            b"--" => {
                at += 1;
                shell.args = shell.values(&argv[at..]).await?;
                return Ok(0);
            }
            b"-" => {
                shell.options.set('x', false);
                shell.options.set('v', false);
                at += 1;
                if at < argv.len() {
                    break;
                }
                return Ok(0);
            }
            [b'-', ..] => true,
            [b'+', _, ..] => false,
            _ => break,
        };
        at += 1;
        for letter in &word[1..] {
            if *letter == b'o' {
                let Some(name) = argv.get(at) else {
                    return show(shell, on).await;
                };
                at += 1;
                match std::str::from_utf8(name).ok().and_then(Options::position) {
                    Some(position) => shell.options.set_at(position, on),
                    None => {
                        let sign = if on { '-' } else { '+' };
                        return Err(shell
                            .wrong("set", format!("Illegal option {sign}o {}", lossy(name)))
                            .await);
                    }
                }
            } else if !shell.options.set(*letter as char, on) {
                let sign = if on { '-' } else { '+' };
                return Err(shell.wrong("set", format!("Illegal option {sign}{}", *letter as char)).await);
            }
        }
    }
    if at < argv.len() {
        shell.args = shell.values(&argv[at..]).await?;
    }
    Ok(0)
}

async fn show(shell: &mut Shell, readable: bool) -> Outcome<u8> {
    let names = OPTIONS.iter().map(|(_, name)| *name).chain(["pipefail"]).enumerate();
    let mut text = if readable { "Current option settings\n".to_owned() } else { String::new() };
    for (at, name) in names {
        debug_assert!(at <= PIPEFAIL);
        let on = shell.options.is_on(at);
        if readable {
            text += &format!("{name:<16}{}\n", if on { "on" } else { "off" });
        } else {
            text += &format!("set {}o {name}\n", if on { '-' } else { '+' });
        }
    }
    shell.put("set", text.as_bytes()).await
}

pub(super) async fn getopts(shell: &mut Shell, argv: &[Vec<u8>]) -> Outcome<u8> {
    let [_, letters, variable, own @ ..] = argv else {
        return Err(shell.wrong("getopts", "Usage: getopts optstring var [arg...]").await);
    };
    let args: Vec<Vec<u8>> = if own.is_empty() {
        shell.args.iter().map(|value| value.bytes().to_vec()).collect()
    } else {
        own.to_vec()
    };
    let silent = letters.first() == Some(&b':');
    let index = shell.vars.get(b"OPTIND").and_then(super::count).unwrap_or(1).max(1) as usize;
    // Where it stands within an argument, unless OPTIND was set anew.
    let (known, mut within) = shell.getopts;
    if known != index {
        within = 0;
    }
    let mut index = index;
    let end = async |shell: &mut Shell, index: usize| {
        shell.assign(variable, b"?".to_vec()).await?;
        shell.vars.unset(b"OPTARG").ok();
        shell.assign(b"OPTIND", index.to_string().into_bytes()).await?;
        shell.getopts = (index, 0);
        Ok(1)
    };
    if within == 0 {
        match args.get(index - 1).map(Vec::as_slice) {
            Some(b"--") => return end(shell, index + 1).await,
            Some([b'-', _, ..]) => within = 1,
            _ => return end(shell, index).await,
        }
    }
    let Some(word) = args.get(index - 1) else { return end(shell, index).await };
    let Some(letter) = word.get(within).copied() else { return end(shell, index).await };
    within += 1;
    let at = letters.iter().position(|b| *b == letter).filter(|_| letter != b':');
    let takes = at.is_some_and(|at| letters.get(at + 1) == Some(&b':'));
    let (mut found, mut argument, mut complaint) = (letter, None, None);
    if at.is_none() {
        found = b'?';
        complaint = Some(format!("Illegal option -{}", letter as char));
        argument = silent.then(|| vec![letter]);
    } else if takes {
        if within < word.len() {
            argument = Some(word[within..].to_vec());
            within = word.len();
        } else {
            index += 1;
            match args.get(index - 1) {
                Some(next) => argument = Some(next.clone()),
                None => {
                    found = if silent { b':' } else { b'?' };
                    complaint = Some(format!("No arg for -{} option", letter as char));
                    argument = silent.then(|| vec![letter]);
                    index -= 1;
                }
            }
            within = args.get(index - 1).map_or(0, Vec::len).max(within);
        }
    }
    let done = args.get(index - 1).is_none_or(|word| within >= word.len() || takes);
    if done {
        (index, within) = (index + 1, 0);
    }
    if let (Some(text), false) = (complaint, silent) {
        shell.tell(format!("{text}\n").as_bytes()).await;
    }
    if !is_name(variable) {
        return Err(shell.wrong("getopts", format!("{}: bad variable name", lossy(variable))).await);
    }
    match argument {
        Some(argument) => shell.assign(b"OPTARG", argument).await?,
        None => {
            shell.vars.unset(b"OPTARG").ok();
        }
    }
    shell.assign(variable, vec![found]).await?;
    shell.assign(b"OPTIND", index.to_string().into_bytes()).await?;
    shell.getopts = (index, within);
    Ok(0)
}
