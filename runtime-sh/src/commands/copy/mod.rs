//! Copying files and trees, as cp, mv (from one tree to another) and install do it: content, links, modes, times, owners. A directory is
//! copied as it is walked; what fails is told, and the rest goes on.

mod content;
mod destination;

pub use content::content;
pub use destination::Destination;

use super::gnu::Done;
use super::messages::{quoted, say};
use super::reach::{base_name, joined};
use super::walk::{Entry, Links, Step, Walk};
use super::{Invocation, words};
use std::collections::HashMap;
use vfs::{Device, Errno, Follow, Kind, Mode, NameBuf, Place, SetStat, SetTime, Stat};

/// What is to be copied, and how.
#[derive(Clone, Default)]
pub struct Copying {
    pub recursive: bool,
    pub links: Option<Links>,
    pub mode: bool,
    pub owner: bool,
    pub times: bool,
    /// Files with several names have them at the target too.
    pub hard_links: bool,
    pub force: bool,
    pub no_clobber: bool,
    pub update: bool,
    pub verbose: bool,
    /// Links instead of copies (-l, -s).
    pub link: bool,
    pub symlink: bool,
    pub one_tree: bool,
    pub remove_first: bool,
    /// mv: what is said, and what existing directories mean.
    pub moving: bool,
}

/// Where something is to be made.
pub struct Target {
    pub dir: Place,
    pub name: NameBuf,
    pub path: Vec<u8>,
}

pub struct Copier {
    how: Copying,
    pub failed: bool,
    /// Files with several names that were copied, by their identity.
    seen: HashMap<u64, Place>,
    made: Vec<u64>,
}

/// A directory under way: what it gets when all that is in it is there.
struct Open {
    place: Place,
    path: Vec<u8>,
    made: bool,
}

impl Copier {
    pub fn new(how: Copying) -> Copier {
        Copier { how, failed: false, seen: HashMap::new(), made: Vec::new() }
    }

    async fn fault(&mut self, call: &mut Invocation<'_>, text: Vec<u8>) {
        self.failed = true;
        call.warn(text).await;
    }

    /// Copies what `from` names to `to`; whether all of it was.
    pub async fn copy(&mut self, call: &mut Invocation<'_>, from: &[u8], to: Target) -> Done<bool> {
        let failed = std::mem::take(&mut self.failed);
        let links = self.how.links.unwrap_or(if self.how.recursive { Links::Never } else { Links::Always });
        let mut walk = Walk::new(links);
        let mut open: Vec<Open> = Vec::new();
        let mut step = Some(walk.begin(call, from).await);
        let mut tree = None;
        while let Some(now) = step {
            match now {
                Step::Found(entry) => {
                    let target = match (&entry.of, open.last()) {
                        (Some((_, name)), Some(above)) => Target {
                            dir: above.place.clone(),
                            name: name.clone(),
                            path: joined(&above.path, name),
                        },
                        _ => Target { dir: to.dir.clone(), name: to.name.clone(), path: to.path.clone() },
                    };
                    if entry.stat.kind() == Kind::Symlink && links == Links::Always {
                        self.fault(
                            call,
                            say!("cannot stat ", quoted(&entry.path), ": No such file or directory"),
                        )
                        .await;
                    } else if entry.stat.kind() == Kind::Dir {
                        let this = entry.stat.qid.path >> 48;
                        let foreign = self.how.one_tree && *tree.get_or_insert(this) != this;
                        match self.directory(call, &entry, target).await? {
                            Some(level) => {
                                open.push(level);
                                if foreign {
                                    walk.skip();
                                    open.pop();
                                }
                            }
                            None => walk.skip(),
                        }
                    } else {
                        self.one(call, &entry, target).await?;
                    }
                }
                Step::Left(entry) => {
                    if let Some(level) = open.pop()
                        && (level.made || self.how.mode || self.how.times || self.how.owner)
                    {
                        self.attributes(call, &level.place, &level.path, &entry.stat, level.made).await;
                    }
                }
                Step::Failed { path, error, listing: true } => {
                    self.fault(call, say!("cannot access ", quoted(&path), ": ", words(&error))).await;
                }
                Step::Failed { path, error, .. } => {
                    self.fault(call, say!("cannot stat ", quoted(&path), ": ", words(&error))).await;
                }
                Step::Loop(entry) => {
                    self.fault(call, say!("cannot copy cyclic symbolic link ", quoted(&entry.path))).await;
                }
            }
            step = walk.step(call).await;
        }
        let whole = !self.failed;
        self.failed |= failed;
        Ok(whole)
    }

    /// Makes the directory, or takes the one that is there; none where it cannot be.
    async fn directory(
        &mut self,
        call: &mut Invocation<'_>,
        entry: &Entry,
        to: Target,
    ) -> Done<Option<Open>> {
        if !self.how.recursive {
            self.fault(call, say!("-r not specified; omitting directory ", quoted(&entry.path))).await;
            return Ok(None);
        }
        let identity = entry.place.node().qid().path;
        if self.made.contains(&identity) || within(&to.dir, identity) {
            let what = if self.how.moving { "cannot move " } else { "cannot copy a directory, " };
            let text = if self.how.moving {
                say!(what, quoted(&entry.path), " to a subdirectory of itself, ", quoted(&to.path))
            } else {
                say!(what, quoted(&entry.path), ", into itself, ", quoted(&to.path))
            };
            self.fault(call, text).await;
            return Ok(None);
        }
        match to.dir.resolve(call.who, &to.name, Follow::Yes).await {
            Ok(there) if there.kind() == Kind::Dir => {
                return Ok(Some(Open { place: there, path: to.path, made: false }));
            }
            Ok(_) => {
                let text = say!(
                    "cannot overwrite non-directory ",
                    quoted(&to.path),
                    " with directory ",
                    quoted(&entry.path)
                );
                self.fault(call, text).await;
                return Ok(None);
            }
            Err(_) => {}
        }
        // The owner must be able to put something in it, whatever its mode will be.
        match to
            .dir
            .mkdir(
                call.who,
                to.name.as_name(),
                Mode::new(0o700 | (entry.stat.mode.bits() & !call.shell.umask())),
            )
            .await
        {
            Ok(place) => {
                if self.how.verbose {
                    self.say(call, &entry.path, &to.path).await?;
                }
                if self.made.len() < 1 << 16 {
                    self.made.push(place.node().qid().path);
                }
                Ok(Some(Open { place, path: to.path, made: true }))
            }
            Err(error) => {
                self.fault(call, say!("cannot create directory ", quoted(&to.path), ": ", words(&error)))
                    .await;
                Ok(None)
            }
        }
    }

    async fn say(&self, call: &mut Invocation<'_>, from: &[u8], to: &[u8]) -> Done<()> {
        let what = if self.how.moving { "copied " } else { "" };
        call.stdout.write(&say!(what, quoted(from), " -> ", quoted(to), "\n")).await?;
        Ok(())
    }

    /// Copies a file that is no directory.
    async fn one(&mut self, call: &mut Invocation<'_>, entry: &Entry, to: Target) -> Done<()> {
        let kind = entry.stat.kind();
        let follow =
            if kind == Kind::Symlink || self.how.symlink || self.how.link { Follow::No } else { Follow::Yes };
        let there = to.dir.resolve(call.who, &to.name, follow).await;
        let itself = to.dir.resolve(call.who, &to.name, Follow::No).await;
        if let Ok(there) = &itself {
            let target = there.stat(call.who).await;
            if self.how.no_clobber {
                return Ok(());
            }
            if self.how.update && target.as_ref().is_ok_and(|stat| stat.mtime >= entry.stat.mtime) {
                return Ok(());
            }
            let seen = to.dir.resolve(call.who, &to.name, Follow::Yes).await;
            let same = there.node().qid().path == entry.place.node().qid().path
                || (!self.how.remove_first
                    && !self.how.moving
                    && kind != Kind::Symlink
                    && seen.is_ok_and(|seen| seen.node().qid().path == entry.place.node().qid().path));
            if same {
                self.fault(call, say!(quoted(&entry.path), " and ", quoted(&to.path), " are the same file"))
                    .await;
                return Ok(());
            }
            if there.kind() == Kind::Dir {
                let text = say!("cannot overwrite directory ", quoted(&to.path), " with non-directory");
                self.fault(call, text).await;
                return Ok(());
            }
            let replaced = self.how.remove_first || self.how.link || self.how.symlink || kind != Kind::File;
            if replaced {
                let must =
                    self.how.force || self.how.remove_first || (kind != Kind::File && self.how.recursive);
                if !must && (self.how.link || self.how.symlink) {
                    let what = if self.how.link {
                        "cannot create hard link "
                    } else {
                        "cannot create symbolic link "
                    };
                    let text = say!(what, quoted(&to.path), " to ", quoted(&entry.path), ": File exists");
                    self.fault(call, text).await;
                    return Ok(());
                }
                if let Err(error) = to.dir.unlink(call.who, to.name.as_name()).await {
                    self.fault(call, say!("cannot remove ", quoted(&to.path), ": ", words(&error))).await;
                    return Ok(());
                }
            }
        } else if let Err(error) = &there
            && !error.is(Errno::ENOENT)
        {
            self.fault(call, say!("cannot stat ", quoted(&to.path), ": ", words(error))).await;
            return Ok(());
        }
        if self.how.verbose {
            self.say(call, &entry.path, &to.path).await?;
        }
        let several = self.how.hard_links && entry.stat.nlink > 1;
        if several && let Some(first) = self.seen.get(&entry.stat.qid.path) {
            if let Err(error) = to.dir.link(call.who, first, to.name.as_name()).await {
                self.fault(call, say!("cannot create hard link ", quoted(&to.path), ": ", words(&error)))
                    .await;
            }
            return Ok(());
        }
        let made = self.make(call, entry, &to, kind).await?;
        let Some(place) = made else { return Ok(()) };
        if several && self.seen.len() < 1 << 20 {
            self.seen.insert(entry.stat.qid.path, place.clone());
        }
        if !self.how.link && !self.how.symlink {
            self.attributes(call, &place, &to.path, &entry.stat, false).await;
        }
        Ok(())
    }

    async fn make(
        &mut self,
        call: &mut Invocation<'_>,
        entry: &Entry,
        to: &Target,
        kind: Kind,
    ) -> Done<Option<Place>> {
        if self.how.link {
            return Ok(match to.dir.link(call.who, &entry.place, to.name.as_name()).await {
                Ok(()) => Some(entry.place.clone()),
                Err(error) => {
                    let text = say!(
                        "cannot create hard link ",
                        quoted(&to.path),
                        " to ",
                        quoted(&entry.path),
                        ": ",
                        words(&error)
                    );
                    self.fault(call, text).await;
                    None
                }
            });
        }
        let made = if self.how.symlink {
            to.dir.symlink(call.who, to.name.as_name(), &entry.path).await
        } else {
            match kind {
                Kind::File => return self.file(call, entry, to).await,
                Kind::Symlink => match entry.place.readlink().await {
                    Ok(target) => to.dir.symlink(call.who, to.name.as_name(), &target).await,
                    Err(error) => Err(error),
                },
                // Without -r what comes out of a fifo or device is copied.
                _ if !self.how.recursive => return self.file(call, entry, to).await,
                kind => {
                    let device: Device = entry.stat.rdev;
                    let mode = Mode::new(entry.stat.mode.bits() & !call.shell.umask());
                    to.dir.mknod(call.who, to.name.as_name(), kind, mode, device).await
                }
            }
        };
        match made {
            Ok(place) => Ok(Some(place)),
            Err(error) => {
                let what = match kind {
                    Kind::Symlink => "cannot create symbolic link ",
                    Kind::Fifo => "cannot create fifo ",
                    _ => "cannot create special file ",
                };
                self.fault(call, say!(what, quoted(&to.path), ": ", words(&error))).await;
                Ok(None)
            }
        }
    }

    async fn file(&mut self, call: &mut Invocation<'_>, entry: &Entry, to: &Target) -> Done<Option<Place>> {
        match content(call, &entry.place, to, entry.stat.mode.bits(), self.how.force).await {
            Ok(place) => Ok(Some(place)),
            Err(fault) => {
                self.fault(call, fault.told(&entry.path, &to.path)).await;
                Ok(None)
            }
        }
    }

    /// Gives the copy what it is to have of the original. A directory that was made gets its mode in any case.
    async fn attributes(
        &mut self,
        call: &mut Invocation<'_>,
        place: &Place,
        path: &[u8],
        stat: &Stat,
        made: bool,
    ) {
        let mut set = SetStat::default();
        if self.how.times {
            (set.atime, set.mtime) = (Some(SetTime::To(stat.atime)), Some(SetTime::To(stat.mtime)));
        }
        if self.how.owner {
            let own = SetStat { uid: Some(stat.uid), gid: Some(stat.gid), ..SetStat::default() };
            // Who may not give files away keeps them, as cp -p does.
            let _kept = place.setstat(call.who, own).await;
        }
        if stat.kind() != Kind::Symlink {
            if self.how.mode {
                set.mode = Some(stat.mode);
            } else if made {
                set.mode = Some(Mode::new(stat.mode.bits() & 0o777 & !call.shell.umask()));
            }
        }
        if set != SetStat::default()
            && let Err(error) = place.setstat(call.who, set).await
        {
            self.fault(call, say!("preserving attributes for ", quoted(path), ": ", words(&error))).await;
        }
    }
}

/// Whether `place` is the node `identity`, or lies below it.
pub fn within(place: &Place, identity: u64) -> bool {
    let mut here = place.clone();
    loop {
        if here.node().qid().path == identity {
            return true;
        }
        if here.name().is_none() {
            return false;
        }
        here = here.parent();
    }
}

/// Where `from` goes in the directory `dir`, which is called `shown`.
pub fn into_directory(dir: &Place, shown: &[u8], from: &[u8]) -> vfs::Result<Target> {
    let name = vfs::Name::new(base_name(from))?.to_owned();
    let path = joined(shown, &name);
    Ok(Target { dir: dir.clone(), name, path })
}

/// Where `path` is.
pub async fn target(call: &Invocation<'_>, path: &[u8]) -> vfs::Result<Target> {
    let parent = call.parent(path).await?;
    Ok(Target { dir: parent.dir, name: parent.name, path: path.to_vec() })
}
