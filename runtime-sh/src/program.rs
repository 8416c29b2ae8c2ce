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
    /// Anything else is a script.
    Script,
}

impl Program {
    /// Reads the first line of the program at `place`, which `who` must be able to read.
    pub async fn of(place: &Place, who: &Caller) -> Result<Program> {
        let file = place.open(who, OpenFlags::READ).await.map_err(|e| e.context(place.shown()))?;
        let mut head = [0; 256];
        let count = file.read(0, &mut head).await.map_err(|e| e.context(place.shown()))?;
        match own(&head[..count]) {
            None => Ok(Program::Script),
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

/// Whether a `#!` line runs sh, straight or through env.
pub(crate) fn is_script(head: &[u8]) -> bool {
    let line = head.split(|b| *b == b'\n').next().unwrap_or_default();
    let Some(line) = line.strip_prefix(b"#!") else { return false };
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let last = |word: &[u8]| word.rsplit(|b| *b == b'/').next().unwrap_or_default().to_vec();
    let program = match words.next().map(last) {
        // Options of env's and variables that it sets.
        Some(env) if env == b"env" => {
            words.find(|word| !word.starts_with(b"-") && !word.contains(&b'=')).map(last)
        }
        first => first,
    };
    program.is_some_and(|program| program == b"sh" || program == b"dash")
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
    fn its_own_programs_name_the_command() {
        assert_eq!(own(b"#!taskfs sh\n"), Some(&b""[..]));
        assert_eq!(own(b"#!taskfs sh ls\nrest"), Some(&b"ls"[..]));
        assert_eq!(own(b"#!taskfs shell\n"), None);
        assert_eq!(own(b"#!taskfs nodejs\n"), None);
    }
}
