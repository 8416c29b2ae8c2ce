//! Removing files and trees, as rm and mv do it, and rm(1) itself. A directory is gone when all that is in it is; what cannot be removed is told,
//! and the rest goes.

use super::gnu::{Done, Program, misused};
use super::messages::{quoted, say};
use super::options::Args;
use super::reach::base_name;
use super::walk::{Entry, Links, Step, Walk};
use super::{Invocation, words};
use vfs::{Errno, Error, Kind};

pub(super) const PROGRAM: Program = Program::new(
    "[OPTION]... [FILE]...",
    "Remove (unlink) the FILE(s).",
    "f,force i I interactive=? one-file-system no-preserve-root preserve-root=? R,r,recursive d,dir v,verbose",
);

#[derive(Default)]
pub struct Remover {
    pub recursive: bool,
    pub force: bool,
    pub empty_dirs: bool,
    pub verbose: bool,
    pub failed: bool,
}

impl Remover {
    async fn fault(&mut self, call: &mut Invocation<'_>, path: &[u8], why: &str) {
        self.failed = true;
        call.warn(say!("cannot remove ", quoted(path), ": ", why)).await;
    }

    pub async fn remove(&mut self, call: &mut Invocation<'_>, path: &[u8]) -> Done<()> {
        let mut walk = Walk::new(Links::Never);
        let mut step = Some(walk.begin(call, path).await);
        // Directories whose entries could not all be removed stay, and nothing more is said of them.
        let mut stuck: Vec<Vec<u8>> = Vec::new();
        while let Some(now) = step {
            match now {
                Step::Found(entry) if entry.stat.kind() == Kind::Dir => {
                    if !self.recursive {
                        walk.skip();
                        if self.empty_dirs {
                            self.take(call, &entry).await?;
                        } else {
                            self.fault(call, &entry.path, "Is a directory").await;
                        }
                    }
                }
                Step::Found(entry) => {
                    if !self.take(call, &entry).await? {
                        stuck.push(entry.path);
                    }
                }
                Step::Left(entry) => {
                    let below = say!(entry.path, "/");
                    if stuck.iter().any(|path| path.starts_with(&below) || *path == entry.path) {
                        stuck.retain(|path| !path.starts_with(&below));
                        stuck.push(entry.path);
                    } else if !self.take(call, &entry).await? {
                        stuck.push(entry.path);
                    }
                }
                Step::Failed { path, error, .. } if self.force && error.is(Errno::ENOENT) => drop(path),
                Step::Failed { path, error, .. } => {
                    self.fault(call, &path, &words(&error)).await;
                    stuck.push(path);
                }
                Step::Loop(entry) => self.fault(call, &entry.path, "directory loop").await,
            }
            step = walk.step(call).await;
        }
        Ok(())
    }

    async fn take(&mut self, call: &mut Invocation<'_>, entry: &Entry) -> Done<bool> {
        let removed = match &entry.of {
            Some((dir, name)) => by_kind(call, dir, name, entry).await,
            None => match call.parent(&entry.path).await {
                Ok(parent) => by_kind(call, &parent.dir, &parent.name, entry).await,
                Err(error) => Err(error),
            },
        };
        match removed {
            Ok(()) => {
                if self.verbose {
                    let what = if entry.stat.kind() == Kind::Dir { "removed directory " } else { "removed " };
                    call.stdout.write(&say!(what, quoted(&entry.path), "\n")).await?;
                }
                Ok(true)
            }
            // Somebody else was faster.
            Err(error) if self.force && error.is(Errno::ENOENT) => Ok(true),
            Err(error) => {
                self.fault(call, &entry.path, &words(&error)).await;
                Ok(false)
            }
        }
    }
}

async fn by_kind(
    call: &Invocation<'_>,
    dir: &vfs::Place,
    name: &vfs::NameBuf,
    entry: &Entry,
) -> Result<(), Error> {
    if entry.stat.kind() == Kind::Dir {
        dir.rmdir(call.who, name.as_name()).await
    } else {
        dir.unlink(call.who, name.as_name()).await
    }
}

pub(super) async fn run(call: &mut Invocation<'_>, args: Args) -> Done {
    let mut remover = Remover {
        recursive: args.has("R"),
        force: args.last(&["f", "i", "I"]) == Some("f"),
        empty_dirs: args.has("d"),
        verbose: args.has("v"),
        failed: false,
    };
    if args.operands.is_empty() {
        return if remover.force { Ok(0) } else { misused("missing operand") };
    }
    for path in &args.operands {
        let base = base_name(path);
        if matches!(base, b"." | b"..") && remover.recursive {
            remover.failed = true;
            call.warn(say!("refusing to remove '.' or '..' directory: skipping ", quoted(path))).await;
            continue;
        }
        if base == b"/" && remover.recursive && !args.has("no-preserve-root") {
            remover.failed = true;
            call.warn("it is dangerous to operate recursively on '/'").await;
            call.warn("use --no-preserve-root to override this failsafe").await;
            continue;
        }
        remover.remove(call, path).await?;
    }
    Ok(u8::from(remover.failed))
}
