//! Why the command ends: a message that names what was wrong, and the exit status that sysexits(3) has for it.

use sysexits::ExitCode;

#[derive(Debug)]
pub struct Fault {
    pub code: ExitCode,
    pub text: String,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident $code:ident)*) => {
        impl Fault {
            $($(#[$doc])* pub fn $name(text: impl Into<String>) -> Fault {
                Fault { code: ExitCode::$code, text: text.into() }
            })*
        }
    };
}

kinds! {
    /// The command line is wrong.
    usage Usage
    /// A file that was to be read is not there or not readable.
    no_input NoInput
    no_host NoHost
    /// A service or a peer that is needed is not there.
    unavailable Unavailable
    cannot_create CantCreat
    io IoErr
    os OsErr
    not_permitted NoPerm
    protocol Protocol
    software Software
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}
