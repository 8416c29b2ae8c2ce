//! cp(1): copies of files and trees.

use super::copy::{Copier, Copying, Destination, target};
use super::gnu::{Done, Program, misused};
use super::messages::{quoted, say};
use super::options::Args;
use super::reach::{base_name, joined};
use super::walk::Links;
use super::{Invocation, words};
use vfs::{Errno, Follow, Kind};

pub(super) const PROGRAM: Program = Program::new(
    "[OPTION]... [-T] SOURCE DEST\n  or:  cp [OPTION]... SOURCE... DIRECTORY\n  or:  cp [OPTION]... -t DIRECTORY SOURCE...",
    "Copy SOURCE to DEST, or multiple SOURCE(s) to DIRECTORY.",
    "a,archive attributes-only b backup=? copy-contents d f,force i,interactive H l,link L,dereference n,no-clobber P,no-dereference p \
     preserve=? no-preserve= parents R,r,recursive reflink=? remove-destination sparse= strip-trailing-slashes s,symbolic-link \
     S,suffix= t,target-directory= T,no-target-directory u,update v,verbose x,one-file-system Z context=?",
);

fn how(args: &Args) -> Done<Copying> {
    let mut how = Copying::default();
    for given in &args.options {
        match given.key {
            "a" => {
                (how.recursive, how.links) = (true, Some(Links::Never));
                (how.mode, how.owner, how.times, how.hard_links) = (true, true, true, true);
            }
            "d" => (how.links, how.hard_links) = (Some(Links::Never), true),
            "f" => how.force = true,
            "H" => how.links = Some(Links::Given),
            "L" => how.links = Some(Links::Always),
            "P" => how.links = Some(Links::Never),
            "l" => how.link = true,
            "s" => how.symlink = true,
            "n" => how.no_clobber = true,
            "p" => (how.mode, how.owner, how.times) = (true, true, true),
            "preserve" | "no-preserve" => {
                let on = given.key == "preserve";
                for what in
                    given.value.as_deref().unwrap_or(b"mode,ownership,timestamps").split(|b| *b == b',')
                {
                    match what {
                        b"mode" => how.mode = on,
                        b"ownership" => how.owner = on,
                        b"timestamps" => how.times = on,
                        b"links" => how.hard_links = on,
                        b"all" => (how.mode, how.owner, how.times, how.hard_links) = (on, on, on, on),
                        b"context" | b"xattr" => {}
                        _ => {
                            return misused(say!(
                                "invalid argument ",
                                quoted(what),
                                " for '--",
                                given.key,
                                "'"
                            ));
                        }
                    }
                }
            }
            "R" => how.recursive = true,
            "remove-destination" => how.remove_first = true,
            "u" => how.update = true,
            "v" => how.verbose = true,
            "x" => how.one_tree = true,
            _ => {}
        }
    }
    if how.link && how.symlink {
        return misused("cannot make both hard and symbolic links");
    }
    Ok(how)
}

pub(super) async fn run(call: &mut Invocation<'_>, args: Args) -> Done {
    let how = how(&args)?;
    let (sources, dest) = Destination::of(call, &args).await?;
    let mut copier = Copier::new(how);
    for source in &sources {
        let to = match dest.directory() {
            Some(_) if args.has("parents") => parents(call, &dest.path, source).await,
            Some(dir) if matches!(base_name(source), b"." | b".." | b"/") => {
                target(call, &dest.path).await.or_else(|_| into_here(dir, &dest.path))
            }
            _ => dest.of_source(call, source).await,
        };
        match to {
            Ok(to)
                if dest.path.ends_with(b"/")
                    && dest.dir.is_none()
                    && call.stat(source, Follow::Yes).await.is_ok_and(|stat| stat.kind() != Kind::Dir) =>
            {
                copier.failed = true;
                call.warn(say!("cannot create regular file ", quoted(&to.path), ": Not a directory")).await;
            }
            Ok(to) => {
                copier.copy(call, source, to).await?;
            }
            Err(error) => {
                copier.failed = true;
                call.warn(say!("cannot create regular file ", quoted(&dest.path), ": ", words(&error))).await;
            }
        }
    }
    Ok(u8::from(copier.failed))
}

/// `cp -r . dir`: into the directory itself, by the name that it has in its parent.
fn into_here(place: &vfs::Place, shown: &[u8]) -> vfs::Result<super::copy::Target> {
    let name = place.name().cloned().ok_or_else(|| vfs::Error::from(Errno::EBUSY))?;
    Ok(super::copy::Target { dir: place.parent(), name, path: shown.to_vec() })
}

/// --parents: the directories of the source, below the target.
async fn parents(call: &mut Invocation<'_>, dest: &[u8], source: &[u8]) -> vfs::Result<super::copy::Target> {
    let mut path = dest.to_vec();
    let parts: Vec<&[u8]> = source.split(|b| *b == b'/').filter(|part| !part.is_empty()).collect();
    for part in &parts[..parts.len().saturating_sub(1)] {
        path = joined(&path, part);
        match call.make_directory(&path, 0o777).await {
            Err(error) if !error.is(Errno::EEXIST) => return Err(error),
            _ => {}
        }
    }
    target(call, &joined(&path, base_name(source))).await
}
