//! true and false.

use super::Invocation;
use vfs::Result;

pub(super) async fn yes(_call: &mut Invocation<'_>) -> Result<u8> {
    Ok(0)
}

pub(super) async fn no(_call: &mut Invocation<'_>) -> Result<u8> {
    Ok(1)
}
