//! unlink(2), which Deno has no operation for: its `remove` takes directories too.

use crate::files::Tree;
use crate::link::now;
use deno_core::{OpState, op2};
use deno_error::JsErrorBox;
use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;

#[op2(fast)]
pub fn op_unlink_sync(state: &mut OpState, #[string] path: &str) -> Result<(), JsErrorBox> {
    let tree = state.borrow::<Tree>().clone();
    now(tree.unlink(Path::new(path))).map_err(JsErrorBox::from_err)
}

#[op2]
pub async fn op_unlink(state: Rc<RefCell<OpState>>, #[string] path: String) -> Result<(), JsErrorBox> {
    let tree = state.borrow().borrow::<Tree>().clone();
    tree.unlink(Path::new(&path)).await.map_err(JsErrorBox::from_err)
}
