//! mv(1): renames; from one tree to another, a copy and the removal of what was copied whole.

use super::copy::{Copier, Copying, Destination, Target, within};
use super::gnu::{Done, Program};
use super::messages::{quoted, say};
use super::options::Args;
use super::remove::Remover;
use super::{Invocation, words};
use vfs::{Errno, Follow, Kind, RenameFlags};

pub(super) const PROGRAM: Program = Program::new(
    "[OPTION]... [-T] SOURCE DEST\n  or:  mv [OPTION]... SOURCE... DIRECTORY\n  or:  mv [OPTION]... -t DIRECTORY SOURCE...",
    "Rename SOURCE to DEST, or move SOURCE(s) to DIRECTORY.",
    "b backup=? f,force i,interactive n,no-clobber strip-trailing-slashes S,suffix= t,target-directory= T,no-target-directory u,update \
     v,verbose Z,context",
);

pub(super) async fn run(call: &mut Invocation<'_>, args: Args) -> Done {
    let (sources, dest) = Destination::of(call, &args).await?;
    let mut status = 0;
    for source in &sources {
        let to = dest.of_source(call, source).await;
        let moved = match to {
            Ok(to) => one(call, &args, source, to).await?,
            Err(error) => {
                call.warn(say!(
                    "cannot move ",
                    quoted(source),
                    " to ",
                    quoted(&dest.path),
                    ": ",
                    words(&error)
                ))
                .await;
                false
            }
        };
        if !moved {
            status = 1;
        }
    }
    Ok(status)
}

async fn one(call: &mut Invocation<'_>, args: &Args, source: &[u8], to: Target) -> Done<bool> {
    let trimmed = trimmed(source);
    let (stat, from) = match (call.stat(source, Follow::No).await, call.parent(trimmed).await) {
        (Ok(stat), Ok(from)) => (stat, from),
        (Err(error), _) => {
            call.warn(say!("cannot stat ", quoted(source), ": ", words(&error))).await;
            return Ok(false);
        }
        (_, Err(_)) => {
            call.warn(say!(
                "cannot move ",
                quoted(source),
                " to ",
                quoted(&to.path),
                ": Device or resource busy"
            ))
            .await;
            return Ok(false);
        }
    };
    if let Ok(there) = to.dir.resolve(call.who, &to.name, Follow::No).await {
        let there_stat = there.stat(call.who).await;
        if args.last(&["n", "f", "i"]) == Some("n") {
            return Ok(true);
        }
        if args.has("u") && there_stat.as_ref().is_ok_and(|there| there.mtime >= stat.mtime) {
            return Ok(true);
        }
        let source_place = from.dir.resolve(call.who, &from.name, Follow::No).await;
        let same = source_place.is_ok_and(|place| place.node().qid().path == there.node().qid().path);
        if same {
            call.warn(say!(quoted(source), " and ", quoted(&to.path), " are the same file")).await;
            return Ok(false);
        }
        let refused = match (stat.kind() == Kind::Dir, there.kind() == Kind::Dir) {
            (false, true) => {
                Some(say!("cannot overwrite directory ", quoted(&to.path), " with non-directory"))
            }
            (true, false) => Some(say!(
                "cannot overwrite non-directory ",
                quoted(&to.path),
                " with directory ",
                quoted(source)
            )),
            _ => None,
        };
        if let Some(text) = refused {
            call.warn(text).await;
            return Ok(false);
        }
    } else if to.path.ends_with(b"/") && stat.kind() != Kind::Dir {
        call.warn(say!("cannot move ", quoted(source), " to ", quoted(&to.path), ": Not a directory")).await;
        return Ok(false);
    }
    if stat.kind() == Kind::Dir && within(&to.dir, stat_identity(call, source).await) {
        call.warn(say!("cannot move ", quoted(source), " to a subdirectory of itself, ", quoted(&to.path)))
            .await;
        return Ok(false);
    }
    let moved = from
        .dir
        .rename(call.who, from.name.as_name(), &to.dir, to.name.as_name(), RenameFlags::default())
        .await;
    match moved {
        Ok(()) => {
            if args.has("v") {
                call.stdout.write(&say!("renamed ", quoted(source), " -> ", quoted(&to.path), "\n")).await?;
            }
            Ok(true)
        }
        Err(error) if error.is(Errno::EXDEV) => across(call, args, source, to).await,
        Err(error) => {
            call.warn(say!("cannot move ", quoted(source), " to ", quoted(&to.path), ": ", words(&error)))
                .await;
            Ok(false)
        }
    }
}

async fn stat_identity(call: &Invocation<'_>, path: &[u8]) -> u64 {
    call.place(path, Follow::No).await.map_or(0, |place| place.node().qid().path)
}

/// To another tree: copied with all that it has, and removed only when all of it is there.
async fn across(call: &mut Invocation<'_>, args: &Args, source: &[u8], to: Target) -> Done<bool> {
    let how = Copying {
        recursive: true,
        links: Some(super::walk::Links::Never),
        mode: true,
        owner: true,
        times: true,
        hard_links: true,
        verbose: args.has("v"),
        moving: true,
        ..Copying::default()
    };
    let mut copier = Copier::new(how);
    if !copier.copy(call, source, to).await? {
        return Ok(false);
    }
    let mut remover = Remover { recursive: true, force: true, ..Remover::default() };
    remover.remove(call, source).await?;
    Ok(!remover.failed)
}

fn trimmed(path: &[u8]) -> &[u8] {
    let end = path.iter().rposition(|b| *b != b'/').map_or(path.len().min(1), |last| last + 1);
    &path[..end]
}
