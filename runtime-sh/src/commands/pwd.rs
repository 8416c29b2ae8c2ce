//! pwd, as a program: the directory that it was started in. `-L` and `-P` are the same here, since a directory of a namespace
//! is known by the path that it was reached by.

use super::Invocation;
use vfs::Result;

pub(super) async fn pwd(call: &mut Invocation<'_>) -> Result<u8> {
    for arg in call.args() {
        if !matches!(arg.as_slice(), b"-L" | b"-P" | b"-LP" | b"-PL")
            && arg.starts_with(b"-")
            && arg.len() > 1
        {
            let shown = String::from_utf8_lossy(&arg[1..2]).into_owned();
            call.complain(format!("invalid option -- '{shown}'")).await;
            return Ok(1);
        }
    }
    let mut line = call.cwd.path();
    line.push(b'\n');
    call.stdout.write(&line).await?;
    Ok(0)
}
