//! The inspector: there is none. It would be a listener of its own beside the task's network, and a session that is the
//! program's own master; what asks for one is told so.

use deno_core::op2;
use deno_error::JsErrorBox;

const NONE: &str = "the inspector is not available here: a task cannot be debugged from within";

#[op2(fast)]
pub fn op_inspector_open() -> Result<(), JsErrorBox> {
    Err(JsErrorBox::new("NotSupported", NONE))
}

#[op2(fast)]
pub fn op_inspector_connect() -> Result<(), JsErrorBox> {
    Err(JsErrorBox::new("NotSupported", NONE))
}

/// Nobody listens, and nobody is waited for.
#[op2(fast)]
pub fn op_inspector_wait() -> bool {
    false
}
