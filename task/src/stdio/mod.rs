//! A task's three streams, and the files that show them: stdio/0, a pipe to write, and stdio/1 and 2, logs to read.
//!
//! Only tasks read stdio/0 and write stdio/1 and 2: from outside the first is written and the others are read.

pub(crate) mod log;
mod metered;
mod node;
mod pipe;

pub use log::{Full, Log};
pub(crate) use metered::Metered;
pub use node::StdioNode;
pub use pipe::Pipe;

#[derive(Debug)]
pub struct Stdio {
    pub stdin: Pipe,
    pub stdout: Log,
    pub stderr: Log,
}

impl Stdio {
    pub(crate) fn new() -> Stdio {
        let log = || Log::new(Log::BOUND, Full::Auto);
        Stdio { stdin: Pipe::new(), stdout: log(), stderr: log() }
    }

    pub fn logs(&self) -> [&Log; 2] {
        [&self.stdout, &self.stderr]
    }

    /// The task has ended: readers get what is left and the end, writers a broken pipe.
    pub(crate) fn finish(&self) {
        self.stdin.finish();
        self.stdout.finish();
        self.stderr.finish();
    }

    /// The task is gone from its table: what nobody has open goes too.
    pub(crate) fn remove(&self) {
        self.stdin.finish();
        self.stdout.remove();
        self.stderr.remove();
    }
}
