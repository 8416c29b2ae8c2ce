//! What is said to the user, to whom nobody need listen: a full disk or a reader that is gone is no reason to end for.

use super::stdio::Patient;
use std::fmt::Display;
use std::io::Write;

/// A line on standard output.
pub(super) fn out(line: impl Display) {
    let _nobody_reads = writeln!(Patient(std::io::stdout()), "{line}");
}

/// A line on standard error.
pub fn err(line: impl Display) {
    err_with(line, "\n");
}

/// The same with another end.
pub(super) fn err_with(line: impl Display, end: &str) {
    let _nobody_reads = write!(Patient(std::io::stderr()), "{line}{end}");
}
