//! What the worker has to say about itself: to the log pipe, which the server may have closed.

use std::fmt;
use std::io::Write;

/// A line. Unlike `eprintln!` it does not panic when nobody reads.
pub fn say(line: fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stderr(), "taskfs-node: {line}");
}
