//! How a task ended.

/// The end of a task. `message` is '' for success, as wait(2) has it: else what killed it, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exit {
    /// The exit status; by the shells' custom 128+n where signal n ended it, 134 (SIGABRT) for a trap.
    pub code: i32,
    pub message: String,
}

impl Exit {
    pub fn success() -> Exit {
        Exit { code: 0, message: String::new() }
    }
    /// The program ended by itself with `code`; non-zero says so.
    pub fn with_code(code: i32) -> Exit {
        let message = if code == 0 { String::new() } else { format!("exit status {code}") };
        Exit { code, message }
    }
    /// The program was ended from outside or by a fault of its own.
    pub fn killed(code: i32, message: impl Into<String>) -> Exit {
        Exit { code, message: message.into() }
    }
}
