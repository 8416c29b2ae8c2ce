//! Extended attributes, in the words of setxattr(2), getxattr(2) and listxattr(2).

use fuser::ReplyXattr;
use vfs::{Caller, Errno, Place, Result, SetXattr};

pub(super) async fn set(place: Place, who: Caller, name: Vec<u8>, value: Vec<u8>, flags: i32) -> Result<()> {
    let how = SetXattr::from_bits(flags as u32).ok_or(Errno::EINVAL)?;
    place.setxattr(&who, &name, &value, how).await
}

/// The names, a NUL behind each.
pub(super) async fn list(place: Place, who: Caller) -> Result<Vec<u8>> {
    let mut list = Vec::new();
    for name in place.listxattr(&who).await? {
        list.extend_from_slice(&name);
        list.push(0);
    }
    Ok(list)
}

/// Answers with `value` or, where `size` is 0, with its size.
pub(super) fn answer(reply: ReplyXattr, value: &[u8], size: u32) {
    match u32::try_from(value.len()) {
        Ok(length) if size == 0 => reply.size(length),
        Ok(length) if length <= size => reply.data(value),
        _ => reply.error(fuser::Errno::ERANGE),
    }
}
