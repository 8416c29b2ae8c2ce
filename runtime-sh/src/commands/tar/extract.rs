//! `tar -x` and `tar -t`: an archive's entries as files, or as a listing.
//!
//! No name leads out of the directory it is unpacked in: `..` is refused, a leading slash is taken away, and symbolic links that lead up
//! or to an absolute name are made last, so that nothing of the archive is written through one.

use super::super::gnu::{Done, fail};
use super::super::messages::say;
use super::super::options::Args;
use super::super::{Input, Invocation, mode, times, turn, words};
use super::{Excluded, PIPE, below, lead, source};
use parking_lot::Mutex;
use tokio::io::{AsyncWriteExt, DuplexStream};
use vfs::archive::{Archive, Bounds, Entry, What};
use vfs::{
    Errno, Error, FileRef, Follow, Gid, Kind, Mode, Name, OpenFlags, Place, SetStat, SetTime, Time, Uid,
};

const PIECE: usize = 32 << 10;

pub(super) async fn run(call: &mut Invocation<'_>, args: &Args) -> Done {
    let input = source(call, args).await?;
    let (far, near) = tokio::io::duplex(PIPE);
    let broken = Mutex::new(None);
    let shell = call.shell;
    let feeding = async {
        if let Err(error) = feed(input, near, shell).await {
            *broken.lock() = Some(error);
        }
        // What is left of the archive is in the pipe.
        std::future::pending::<()>().await;
    };
    let mut unpacker = Unpacker::new(call, args).await?;
    let unpacking = unpacker.all(call, far);
    let done = tokio::select! {
        done = unpacking => done,
        () = feeding => unreachable!("it waits for ever"),
    };
    match broken.into_inner() {
        Some(error) => fail(say!("Cannot read: ", words(&error))),
        None => done,
    }
}

/// The archive's file into the pipe. Whoever takes no more of it has his reasons.
async fn feed(mut input: Input, mut to: DuplexStream, shell: &dyn super::super::Spawn) -> vfs::Result<()> {
    loop {
        turn(shell).await;
        let next = input.fill().await?;
        if next.is_empty() || to.write_all(next).await.is_err() {
            return Ok(());
        }
        let count = next.len();
        input.take(count);
    }
}

struct Unpacker<'a> {
    args: &'a Args,
    list: bool,
    /// Where files are made.
    base: Place,
    excluded: Excluded,
    /// The operands, and whether anything came of each.
    wanted: Vec<(Vec<u8>, bool)>,
    strip: usize,
    keep_owner: bool,
    keep_mode: bool,
    /// Made when all else is there: directories' times and modes, links that lead elsewhere.
    dirs: Vec<(Place, SetStat)>,
    links: Vec<(Vec<u8>, Entry)>,
    /// The directory of the last file: the next one is mostly beside it.
    last: Option<(Vec<u8>, Place)>,
    /// Columns of owner and size in a long listing, which grow.
    width: usize,
    /// Beginnings of names that were taken away, and told.
    led: Vec<Vec<u8>>,
    failed: bool,
}

/// An entry that was not unpacked, but does not end the archive.
struct Skipped(Vec<u8>);

impl<'a> Unpacker<'a> {
    async fn new(call: &mut Invocation<'_>, args: &'a Args) -> Done<Unpacker<'a>> {
        let mut dir = Vec::new();
        for change in args.options.iter().filter(|given| given.key == "C") {
            dir = below(&dir, change.value.as_deref().unwrap_or_default());
        }
        let base = match dir.is_empty() {
            true => call.cwd.clone(),
            false => match call.place(&dir, Follow::Yes).await {
                Ok(base) => base,
                Err(error) => return fail(say!(dir, ": Cannot open: ", words(&error))),
            },
        };
        let strip = match args.value("strip-components") {
            None => 0,
            Some(text) => match super::super::size::parse(text, b"") {
                Some(count) => count as usize,
                None => return fail(say!(text, ": Invalid number of elements")),
            },
        };
        let trimmed = |name: &Vec<u8>| name.strip_suffix(b"/").unwrap_or(name).to_vec();
        let root = call.who.uid.0 == 0;
        Ok(Unpacker {
            args,
            list: args.has("t"),
            base,
            excluded: Excluded::new(args),
            wanted: args.operands.iter().map(|name| (trimmed(name), false)).collect(),
            strip,
            keep_owner: args.last(&["o", "same-owner"]).map_or(root, |last| last == "same-owner"),
            keep_mode: args.last(&["p", "no-same-permissions"]).map_or(root, |last| last == "p"),
            dirs: Vec::new(),
            links: Vec::new(),
            last: None,
            width: 19,
            led: Vec::new(),
            failed: false,
        })
    }

    async fn all(&mut self, call: &mut Invocation<'_>, far: DuplexStream) -> Done {
        // What comes of an archive is bounded where the files are, and in time where they are only listed.
        let bounds = Bounds { ratio: u64::MAX, ..Bounds::default() };
        let mut archive = match Archive::open(far, &bounds).await {
            Ok(archive) => archive,
            Err(error) => return fail(words(&error)),
        };
        loop {
            turn(call.shell).await;
            let entry = match archive.next().await {
                Ok(Some(entry)) => entry,
                Ok(None) => break,
                Err(error) => {
                    self.finish(call).await;
                    return fail(error.text());
                }
            };
            if !self.wants(&entry.path) {
                continue;
            }
            if self.list {
                self.show(call, &entry).await?;
                continue;
            }
            if let Err(Skipped(text)) = self.unpack(call, entry, &mut archive).await? {
                self.failed = true;
                call.warn(text).await;
            }
        }
        self.finish(call).await;
        let missing: Vec<Vec<u8>> =
            self.wanted.iter().filter(|(_, found)| !found).map(|(name, _)| name.clone()).collect();
        for name in missing {
            self.failed = true;
            call.warn(say!(name, ": Not found in archive")).await;
        }
        Ok(if self.failed { 2 } else { 0 })
    }

    fn wants(&mut self, path: &[u8]) -> bool {
        let path = path.strip_suffix(b"/").unwrap_or(path);
        if self.excluded.has_above(path) {
            return false;
        }
        let mut wanted = self.wanted.is_empty();
        for (name, found) in &mut self.wanted {
            let below = path
                .strip_prefix(name.as_slice())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"));
            *found |= below;
            wanted |= below;
        }
        wanted
    }

    /// The line of a listing (`-t`, `-v`).
    async fn show(&mut self, call: &mut Invocation<'_>, entry: &Entry) -> Done<()> {
        let mut line = Vec::new();
        let long =
            self.args.options.iter().filter(|given| given.key == "v").count() > usize::from(!self.list);
        let (letter, size, target) = match &entry.what {
            What::File(size) => ('-', *size, None),
            What::Dir => ('d', 0, None),
            What::Fifo => ('p', 0, None),
            What::Symlink(target) => ('l', 0, Some((" -> ", target))),
            What::Link(target) => ('h', 0, Some((" link to ", target))),
        };
        if long {
            let called = |name: &[u8], id: u32| match name {
                b"" => id.to_string(),
                name => String::from_utf8_lossy(name).into_owned(),
            };
            let owner = format!("{}/{}", called(&entry.user, entry.uid), called(&entry.group, entry.gid));
            let size = size.to_string();
            self.width = self.width.max(owner.len() + 1 + size.len());
            let room = self.width - owner.len();
            let when = times::zoned(entry.mtime, &times::zone(call.env));
            let when = times::format(&when, b"%Y-%m-%d %H:%M");
            line = say!(format!("{letter}{} {owner}{size:>room$} ", mode::shown(entry.mode)), when, " ");
        }
        line.extend_from_slice(&entry.path);
        if let (true, Some((word, target))) = (long, target) {
            line.extend_from_slice(&say!(word, target));
        }
        line.push(b'\n');
        match self.args.has("O") && !self.list {
            // The files' own content is there.
            true => call.warn_bare(&line).await,
            false => call.stdout.write(&line).await?,
        }
        Ok(())
    }

    async fn unpack(
        &mut self,
        call: &mut Invocation<'_>,
        entry: Entry,
        archive: &mut Archive<'_>,
    ) -> Done<Result<(), Skipped>> {
        let names = match self.names(call, &entry.path).await {
            Ok(names) => names,
            Err(skipped) => return Ok(Err(skipped)),
        };
        let Some((last, above)) = names.split_last() else { return Ok(Ok(())) };
        if self.args.has("v") {
            self.show(call, &entry).await?;
        }
        let path = names.join(&b'/');
        if self.args.has("O") {
            return self.pour(call, &entry, archive).await;
        }
        let made = match &entry.what {
            What::Symlink(target) if leads_away(target) => {
                self.links.push((path.clone(), entry));
                return Ok(Ok(()));
            }
            _ => self.make(call, above, last, &entry, archive).await,
        };
        Ok(made.map_err(|Skipped(why)| Skipped(say!(path, ": ", why))))
    }

    /// What of an entry's name is left, in pieces.
    async fn names(&mut self, call: &mut Invocation<'_>, path: &[u8]) -> Result<Vec<Vec<u8>>, Skipped> {
        let lead = path[..lead(path)].to_vec();
        if !lead.is_empty() && !self.led.contains(&lead) {
            call.warn(say!("Removing leading `", lead, "' from member names")).await;
            self.led.push(lead);
        }
        let pieces: Vec<&[u8]> =
            path.split(|b| *b == b'/').filter(|name| !matches!(*name, b"" | b".")).collect();
        if pieces.contains(&&b".."[..]) {
            return Err(Skipped(say!(path, ": Member name contains '..'")));
        }
        Ok(pieces.iter().skip(self.strip).map(|name| name.to_vec()).collect())
    }

    async fn pour(
        &mut self,
        call: &mut Invocation<'_>,
        entry: &Entry,
        archive: &mut Archive<'_>,
    ) -> Done<Result<(), Skipped>> {
        let What::File(size) = entry.what else { return Ok(Ok(())) };
        let (mut left, mut piece) = (size, vec![0; PIECE]);
        while left > 0 {
            match archive.content(&mut piece).await {
                Ok(count) => {
                    call.stdout.write(&piece[..count]).await?;
                    left -= count as u64;
                }
                Err(error) => return fail(error.text()),
            }
        }
        Ok(Ok(()))
    }

    /// The directory of these names, made where it is missing.
    async fn dir(&mut self, call: &Invocation<'_>, names: &[Vec<u8>]) -> vfs::Result<Place> {
        let path = names.join(&b'/');
        if let Some((last, place)) = &self.last
            && *last == path
        {
            return Ok(place.clone());
        }
        let mut dir = self.base.clone();
        for name in names {
            dir = match dir.resolve(call.who, name, Follow::Yes).await {
                Err(error) if error.is(Errno::ENOENT) => {
                    let mode = Mode::new(0o777 & !call.shell.umask());
                    dir.mkdir(call.who, Name::new(name)?, mode).await?
                }
                found => found?,
            };
        }
        self.last = Some((path, dir.clone()));
        Ok(dir)
    }

    async fn make(
        &mut self,
        call: &Invocation<'_>,
        above: &[Vec<u8>],
        last: &[u8],
        entry: &Entry,
        archive: &mut Archive<'_>,
    ) -> Result<(), Skipped> {
        let failed = |what: &str| {
            let what = what.to_owned();
            move |error: Error| Skipped(say!(what, words(&error)))
        };
        let dir = self.dir(call, above).await.map_err(failed("Cannot open: "))?;
        let name = Name::new(last).map_err(failed("Cannot open: "))?;
        let set = self.dress(call, entry);
        if let What::Dir = entry.what {
            let made = dir.mkdir(call.who, name, Mode::new(0o700)).await;
            let place = match made {
                Err(error) if error.is(Errno::EEXIST) => match dir.resolve(call.who, last, Follow::Yes).await
                {
                    Ok(there) if there.kind().is_dir() => Ok(there),
                    _ => Err(error),
                },
                made => made,
            };
            self.dirs.push((place.map_err(failed("Cannot mkdir: "))?, set));
            return Ok(());
        }
        // What is there gives way; a directory only to one.
        match dir.walk(call.who, last).await {
            Ok(there) if !there.kind().is_dir() && !self.args.has("k") => {
                dir.unlink(call.who, name).await.map_err(failed("Cannot unlink: "))?;
            }
            Ok(there) => {
                return match &entry.what {
                    What::Link(target) => match self.target(call, target).await {
                        Ok(same) if same.qid().path == there.qid().path => Ok(()),
                        _ => Err(Skipped(say!("Cannot hard link to '", target, "': File exists"))),
                    },
                    What::Symlink(target) => {
                        Err(Skipped(say!("Cannot create symlink to '", target, "': File exists")))
                    }
                    _ => Err(Skipped(b"Cannot open: File exists".to_vec())),
                };
            }
            Err(_) => {}
        }
        let place = match &entry.what {
            What::File(size) => {
                let flags = OpenFlags::WRITE | OpenFlags::EXCLUSIVE;
                let made = dir.create(call.who, name, Mode::new(0o600), flags).await;
                let made = made.map_err(failed("Cannot open: "))?;
                fill(call, &made.file, *size, archive).await.map_err(failed("Cannot write: "))?;
                made.place
            }
            What::Symlink(target) => {
                let made = dir.symlink(call.who, name, target).await;
                made.map_err(failed("Cannot create symlink: "))?
            }
            What::Link(target) => {
                let linked = self.link(call, &dir, name, target).await;
                return linked.map_err(failed("Cannot hard link: "));
            }
            What::Fifo => {
                let made =
                    dir.mknod(call.who, name, Kind::Fifo, Mode::new(0o600), vfs::Device::default()).await;
                made.map_err(failed("Cannot mkfifo: "))?
            }
            What::Dir => unreachable!("done above"),
        };
        place.setstat(call.who, set).await.map_err(failed("Cannot change mode: "))
    }

    async fn link(
        &self,
        call: &Invocation<'_>,
        dir: &Place,
        name: Name<'_>,
        target: &[u8],
    ) -> vfs::Result<()> {
        let there = self.target(call, target).await?;
        dir.link(call.who, &there, name).await
    }

    /// The file that came before under the name `target`.
    async fn target(&self, call: &Invocation<'_>, target: &[u8]) -> vfs::Result<Place> {
        let mut there = self.base.clone();
        for piece in
            target.split(|b| *b == b'/').filter(|piece| !matches!(*piece, b"" | b".")).skip(self.strip)
        {
            if piece == b".." {
                return Err(Error::new(Errno::EACCES, "the link leads out by .."));
            }
            there = there.resolve(call.who, piece, Follow::No).await?;
        }
        Ok(there)
    }

    /// What an entry says of its file, as far as it is to be kept.
    fn dress(&self, call: &Invocation<'_>, entry: &Entry) -> SetStat {
        let umask = if self.keep_mode { 0 } else { call.shell.umask() | 0o7000 };
        let time = |time: Time| (!self.args.has("m")).then_some(SetTime::To(time));
        SetStat {
            mode: (!matches!(entry.what, What::Symlink(_))).then(|| Mode::new(entry.mode & !umask)),
            uid: self.keep_owner.then_some(Uid(entry.uid)),
            gid: self.keep_owner.then_some(Gid(entry.gid)),
            mtime: time(entry.mtime),
            ..SetStat::default()
        }
    }

    /// What was left for the end.
    async fn finish(&mut self, call: &mut Invocation<'_>) {
        for (path, entry) in std::mem::take(&mut self.links) {
            let What::Symlink(target) = &entry.what else { continue };
            let made = async {
                let names: Vec<Vec<u8>> = path.split(|b| *b == b'/').map(<[u8]>::to_vec).collect();
                let (last, above) = names.split_last().ok_or(Errno::ENOENT)?;
                let dir = self.dir(call, above).await?;
                let name = Name::new(last)?;
                if let Ok(there) = dir.walk(call.who, last).await
                    && !there.kind().is_dir()
                    && !self.args.has("k")
                {
                    dir.unlink(call.who, name).await?;
                }
                let link = dir.symlink(call.who, name, target).await?;
                link.setstat(call.who, self.dress(call, &entry)).await
            };
            if let Err(error) = made.await {
                self.failed = true;
                call.warn(say!(path, ": Cannot create symlink to '", target, "': ", words(&error))).await;
            }
        }
        // The deepest first: a directory that may not be written to is closed when all is in it.
        for (place, set) in std::mem::take(&mut self.dirs).into_iter().rev() {
            if let Err(error) = place.setstat(call.who, set).await {
                self.failed = true;
                call.warn(say!(
                    place.name().map(|name| name.to_vec()).unwrap_or_default(),
                    ": Cannot change mode: ",
                    words(&error)
                ))
                .await;
            }
        }
    }
}

fn leads_away(target: &[u8]) -> bool {
    target.starts_with(b"/") || target.split(|b| *b == b'/').any(|piece| piece == b"..")
}

async fn fill(
    call: &Invocation<'_>,
    file: &FileRef,
    size: u64,
    archive: &mut Archive<'_>,
) -> vfs::Result<()> {
    let (mut at, mut piece) = (0, vec![0; PIECE]);
    while at < size {
        turn(call.shell).await;
        let count = archive.content(&mut piece).await?;
        let mut done = 0;
        while done < count {
            done += file.write(at + done as u64, &piece[done..count]).await?;
        }
        at += count as u64;
    }
    Ok(())
}
