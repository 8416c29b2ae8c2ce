//! Statuses with which the process itself ends; a task's own end goes through the control tree.

/// The socket is closed, or what comes from it is no 9P.
pub const SERVER_GONE: i32 = 70;
/// The worker cannot be used as it was started.
pub const USAGE: i32 = 64;
/// Node's own: the command line has an option that there is not.
pub const BAD_OPTION: i32 = 9;
/// Something went wrong before there was a task.
pub const BOOT: i32 = 71;
