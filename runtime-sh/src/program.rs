//! What a task of type sh is to run, by its program's first line.

use crate::commands::{self, Command};
use vfs::{Caller, Errno, Error, OpenFlags, Place, Result};

/// The first words of the file that stands for the shell in a namespace; with a further word, for a command of its own.
pub(crate) const SHELL: &[u8] = b"#!taskfs sh";

/// What the program is.
pub(crate) enum Program {
    /// `#!taskfs sh`: the shell itself; what it is to run is on its command line.
    Shell,
    /// `#!taskfs sh ls`: one of the small commands.
    Command(Command),
    /// Anything else is a script, with what its `#!` line gives the shell as arguments.
    Script(Vec<Vec<u8>>),
}

impl Program {
    /// Reads the first line of the program at `place`, which `who` must be able to read.
    pub async fn of(place: &Place, who: &Caller) -> Result<Program> {
        let file = place.open(who, OpenFlags::READ).await.map_err(|e| e.context(place.shown()))?;
        let mut head = [0; 256];
        let count = file.read(0, &mut head).await.map_err(|e| e.context(place.shown()))?;
        match own(&head[..count]) {
            None => Ok(Program::Script(arguments(&head[..count]).unwrap_or_default())),
            Some(b"") => Ok(Program::Shell),
            Some(name) => commands::find(name).map(Program::Command).ok_or_else(|| {
                let text =
                    format!("{}: sh has no command {:?}", place.shown(), name.escape_ascii().to_string());
                Error::new(Errno::ENOEXEC, text)
            }),
        }
    }
}

/// The word behind `#!taskfs sh`, empty where there is none; none where this is another program.
pub(crate) fn own(head: &[u8]) -> Option<&[u8]> {
    let line = head.split(|b| *b == b'\n').next().unwrap_or_default();
    let rest = line.strip_prefix(SHELL)?;
    if rest.first().is_some_and(|b| !b.is_ascii_whitespace()) {
        return None;
    }
    Some(rest.split(u8::is_ascii_whitespace).find(|word| !word.is_empty()).unwrap_or_default())
}

/// The interpreter that a `#!` line names, and the rest of the line, which is one argument (execve(2)).
pub(crate) fn interpreter(head: &[u8]) -> Option<(&[u8], &[u8])> {
    let line = head.split(|b| *b == b'\n').next().unwrap_or_default();
    let line = line.strip_prefix(b"#!")?.trim_ascii();
    let end = line.iter().position(u8::is_ascii_whitespace).unwrap_or(line.len());
    let (interpreter, rest) = line.split_at(end);
    (!interpreter.is_empty()).then_some((interpreter, rest.trim_ascii()))
}

/// The last part of a path.
pub(crate) fn last(path: &[u8]) -> &[u8] {
    path.rsplit(|b| *b == b'/').next().unwrap_or_default()
}

/// What a `#!` line that runs sh, straight or through env, gives it as arguments; none where it runs something else.
fn arguments(head: &[u8]) -> Option<Vec<Vec<u8>>> {
    let (program, rest) = interpreter(head)?;
    let is_shell = |word: &[u8]| matches!(last(word), b"sh" | b"dash");
    if is_shell(program) {
        return Some(if rest.is_empty() { Vec::new() } else { vec![rest.to_vec()] });
    }
    if last(program) != b"env" {
        return None;
    }
    // Options of env's and variables that it sets.
    let words = rest.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let mut words = words.skip_while(|word| word.starts_with(b"-") || word.contains(&b'='));
    words.next().filter(|word| is_shell(word))?;
    Some(words.map(<[u8]>::to_vec).collect())
}

/// Whether a `#!` line runs sh, straight or through env.
pub(crate) fn is_script(head: &[u8]) -> bool {
    arguments(head).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_says_that_it_wants_sh_in_several_ways() {
        for line in [
            "#!/bin/sh\n",
            "#! /bin/sh -e\nx",
            "#!/usr/bin/env sh",
            "#!/usr/bin/env -S sh -e\n",
            "#!/bin/dash",
        ] {
            assert!(is_script(line.as_bytes()), "{line}");
        }
        for line in
            ["#!/bin/bash\nsh", "sh", "#!", "#!/usr/bin/env", "#!/usr/bin/env bash", "#!/bin/zsh", "\0asm"]
        {
            assert!(!is_script(line.as_bytes()), "{line}");
        }
    }

    #[test]
    fn what_stands_behind_sh_is_its_argument() {
        let given = |line: &str| arguments(line.as_bytes()).map(|words| words.join(&b'|'));
        assert_eq!(given("#!/bin/sh\n"), Some(b"".to_vec()));
        assert_eq!(given("#! /bin/sh  -eu \nx"), Some(b"-eu".to_vec()));
        assert_eq!(given("#!/bin/sh -e -u\n"), Some(b"-e -u".to_vec()));
        assert_eq!(given("#!/usr/bin/env -S A=b sh -e -u\n"), Some(b"-e|-u".to_vec()));
        assert_eq!(given("#!/bin/bash -e\n"), None);
    }

    #[test]
    fn its_own_programs_name_the_command() {
        assert_eq!(own(b"#!taskfs sh\n"), Some(&b""[..]));
        assert_eq!(own(b"#!taskfs sh ls\nrest"), Some(&b"ls"[..]));
        assert_eq!(own(b"#!taskfs shell\n"), None);
        assert_eq!(own(b"#!taskfs nodejs\n"), None);
    }
}
