//! Changing what stat(2) shows: mode, owner, size and times.

use super::files::without_set_id;
use super::handles::Open;
use std::sync::Arc;
use vfs::{Caller, Nature, Place, Result, SetStat};

/// `open`: the file through which it is asked for, where it is.
pub(super) async fn change(
    place: &Place,
    who: &Caller,
    mut set: SetStat,
    open: Option<Arc<Open>>,
) -> Result<()> {
    // With FUSE_HANDLE_KILLPRIV_V2 it is ours to take privileges off what changes hands or content.
    let changes_hands = set.uid.is_some() || set.gid.is_some();
    let truncated = set.size.is_some() && !who.is_root();
    if set.mode.is_none() && (changes_hands || truncated) && place.nature() == Nature::Storage {
        set.mode = without_set_id(&place.stat(who).await?, who, changes_hands);
    }
    // ftruncate(2) goes by what the descriptor may do, not by the file's mode now.
    if let Some(open) = open
        && open.file.nature() == Nature::Storage
        && let Some(size) = set.size.take()
    {
        open.file.set_size(size).await?;
    }
    if set != SetStat::default() {
        place.setstat(who, set).await?;
    }
    Ok(())
}
