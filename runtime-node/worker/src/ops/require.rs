//! What `require` asks of the files: see [`crate::modules::Seen`].

use crate::files::Tree;
use crate::modules::{Kind, Seen};
use deno_core::{OpState, op2};
use deno_error::JsErrorBox;
use std::path::Path;
use std::sync::Arc;

#[op2(fast)]
#[smi]
pub fn op_require_stat(state: &mut OpState, #[string] path: &str) -> i32 {
    match state.borrow::<Arc<Seen>>().look(state.borrow::<Tree>(), Path::new(path)) {
        Kind::File => 0,
        Kind::Directory => 1,
        Kind::Nothing => -1,
    }
}

#[op2]
#[string]
pub fn op_require_real_path(state: &mut OpState, #[string] path: &str) -> Result<String, JsErrorBox> {
    let real = state.borrow::<Arc<Seen>>().real_path(state.borrow::<Tree>(), Path::new(path));
    Ok(real.map_err(JsErrorBox::from_err)?.to_string_lossy().into_owned())
}
