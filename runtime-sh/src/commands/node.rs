//! unlink(1), mkfifo(1), truncate(1), install(1): single files, made, cut and removed.

use super::copy::{Copier, Copying, Target, into_directory, target};
use super::gnu::{Done, Program, fail, misused};
use super::messages::{quoted, say};
use super::options::Args;
use super::{Invocation, mode, size, words};
use vfs::{Device, Errno, Follow, Kind, Mode, OpenFlags, SetStat};

pub(super) const UNLINK: Program =
    Program::new("FILE", "Call the unlink function to remove the specified FILE.", "");
pub(super) const MKFIFO: Program = Program::new(
    "[OPTION]... NAME...",
    "Create named pipes (FIFOs) with the given NAMEs.",
    "m,mode= Z context=?",
);
pub(super) const TRUNCATE: Program = Program::new(
    "OPTION... FILE...",
    "Shrink or extend the size of each FILE to the specified size.",
    "c,no-create o,io-blocks r,reference= s,size=",
);
pub(super) const INSTALL: Program = Program::new(
    "[OPTION]... [-T] SOURCE DEST\n  or:  install [OPTION]... SOURCE... DIRECTORY\n  or:  install [OPTION]... -d DIRECTORY...",
    "Copy files and set their attributes.",
    "b backup=? c C,compare d,directory D g,group= m,mode= o,owner= p,preserve-timestamps s,strip strip-program= S,suffix= \
     t,target-directory= T,no-target-directory v,verbose Z context=?",
);

pub(super) async fn unlink(call: &mut Invocation<'_>, args: Args) -> Done {
    let path = match &args.operands[..] {
        [] => return misused("missing operand"),
        [path] => path,
        [_, extra, ..] => return misused(say!("extra operand ", quoted(extra))),
    };
    let removed = match call.parent(path).await {
        Ok(parent) => parent.dir.unlink(call.who, parent.name.as_name()).await,
        Err(error) => Err(error),
    };
    match removed {
        Ok(()) => Ok(0),
        Err(error) => fail(say!("cannot unlink ", quoted(path), ": ", words(&error))),
    }
}

pub(super) async fn mkfifo(call: &mut Invocation<'_>, args: Args) -> Done {
    if args.operands.is_empty() {
        return misused("missing operand");
    }
    let bits = match args.value("m") {
        None => 0o666 & !call.shell.umask(),
        Some(text) => match mode::parse(text) {
            Some(change) => change.apply(0o666, false, call.shell.umask()),
            None => return fail("invalid mode"),
        },
    };
    let mut status = 0;
    for path in &args.operands {
        let made = match call.parent(path).await {
            Ok(parent) => {
                let made = parent.dir.mknod(
                    call.who,
                    parent.name.as_name(),
                    Kind::Fifo,
                    Mode::new(bits),
                    Device::default(),
                );
                made.await.map(drop)
            }
            Err(error) => Err(error),
        };
        if let Err(error) = made {
            status = 1;
            call.warn(say!("cannot create fifo ", quoted(path), ": ", words(&error))).await;
        }
    }
    Ok(status)
}

/// The size that a file is to have, from the one it has.
fn wanted(how: Option<u8>, number: u64, now: u64) -> Option<u64> {
    match how {
        Some(b'+') => now.checked_add(number),
        Some(b'-') => Some(now.saturating_sub(number)),
        Some(b'<') => Some(now.min(number)),
        Some(b'>') => Some(now.max(number)),
        Some(b'/') => Some(now - now.checked_rem(number)?),
        Some(b'%') => now.div_ceil(number.max(1)).checked_mul(number),
        _ => Some(number),
    }
}

pub(super) async fn truncate(call: &mut Invocation<'_>, args: Args) -> Done {
    if !args.has("s") && !args.has("r") {
        return misused("you must specify either '--size' or '--reference'");
    }
    if args.operands.is_empty() {
        return misused("missing file operand");
    }
    let mut base = None;
    if let Some(path) = args.value("r") {
        match call.stat(path, Follow::Yes).await {
            Ok(stat) => base = Some(stat.size),
            Err(error) => return fail(say!("cannot stat ", quoted(path), ": ", words(&error))),
        }
    }
    let (how, number) = match args.value("s") {
        None => (Some(b'+'), 0),
        Some(text) => {
            let trimmed = text.trim_ascii_start();
            let how = trimmed.first().copied().filter(|b| b"+-<>/%".contains(b));
            match size::parse(&trimmed[usize::from(how.is_some())..], b"KMGTPEkm") {
                Some(0) if matches!(how, Some(b'/' | b'%')) => return fail("division by zero"),
                Some(number) => (how, number),
                None => return fail(say!("Invalid number: ", quoted(text))),
            }
        }
    };
    let mut status = 0;
    for path in &args.operands {
        let place = match call.place(path, Follow::Yes).await {
            Err(error) if error.is(Errno::ENOENT) && args.has("c") => continue,
            Err(error) if error.is(Errno::ENOENT) => {
                call.create(path, 0o666, OpenFlags::WRITE).await.map(|created| created.place)
            }
            found => found,
        };
        let place = match place {
            Ok(place) if place.kind() == Kind::Dir => Errno::EISDIR.into(),
            place => place,
        };
        let place = match place {
            Ok(place) => place,
            Err(error) => {
                status = 1;
                call.warn(say!("cannot open ", quoted(path), " for writing: ", words(&error))).await;
                continue;
            }
        };
        let cut = match place.stat(call.who).await {
            Ok(stat) => match wanted(how, number, base.unwrap_or(stat.size)) {
                Some(size) => {
                    place.setstat(call.who, SetStat { size: Some(size), ..SetStat::default() }).await
                }
                None => Errno::EFBIG.into(),
            },
            Err(error) => Err(error),
        };
        if let Err(error) = cut {
            status = 1;
            call.warn(say!("failed to truncate ", quoted(path), ": ", words(&error))).await;
        }
    }
    Ok(status)
}

pub(super) async fn install(call: &mut Invocation<'_>, args: Args) -> Done {
    let bits = match args.value("m") {
        None => 0o755,
        Some(text) => match mode::parse(text) {
            Some(change) => change.apply(0, args.has("d"), 0),
            None => return fail(say!("invalid mode ", quoted(text))),
        },
    };
    if args.operands.is_empty() {
        return misused("missing file operand");
    }
    let mut status = 0;
    if args.has("d") {
        for path in &args.operands {
            if let Err(error) = directories(call, path, bits).await {
                status = 1;
                call.warn(say!("cannot create directory ", quoted(path), ": ", words(&error))).await;
            }
        }
        return Ok(status);
    }
    let mut sources = args.operands.clone();
    let given = args.value("t").map(<[u8]>::to_vec);
    let dest = match given.clone() {
        Some(dest) => dest,
        None => sources.pop().expect("just looked at"),
    };
    if sources.is_empty() {
        return misused(say!("missing destination file operand after ", quoted(&dest)));
    }
    if args.has("D") {
        let dir = if given.is_some() {
            Some(&dest[..])
        } else {
            dest.iter().rposition(|b| *b == b'/').map(|at| &dest[..at])
        };
        if let Some(dir) = dir.filter(|dir| !dir.is_empty())
            && let Err(error) = directories(call, dir, 0o755).await
        {
            return fail(say!("cannot create directory ", quoted(dir), ": ", words(&error)));
        }
    }
    let place = call.place(&dest, Follow::Yes).await;
    let is_dir = !args.has("T") && place.as_ref().is_ok_and(|place| place.kind() == Kind::Dir);
    if !is_dir && (sources.len() > 1 || given.is_some()) {
        let why = place.as_ref().err().map_or("Not a directory".to_owned(), words);
        return fail(say!("target ", quoted(&dest), ": ", why));
    }
    let how =
        Copying { remove_first: true, times: args.has("p"), verbose: args.has("v"), ..Copying::default() };
    let mut copier = Copier::new(how);
    for source in &sources {
        let to = if is_dir {
            into_directory(place.as_ref().expect("it is a directory"), &dest, source)
        } else {
            target(call, &dest).await
        };
        let Target { dir, name, path } = match to {
            Ok(to) => to,
            Err(error) => {
                copier.failed = true;
                call.warn(say!("cannot create regular file ", quoted(&dest), ": ", words(&error))).await;
                continue;
            }
        };
        if call.stat(source, Follow::Yes).await.is_ok_and(|stat| stat.kind() == Kind::Dir) {
            copier.failed = true;
            call.warn(say!("omitting directory ", quoted(source))).await;
            continue;
        }
        let whole = copier
            .copy(call, source, Target { dir: dir.clone(), name: name.clone(), path: path.clone() })
            .await?;
        if !whole {
            continue;
        }
        let set = SetStat { mode: Some(Mode::new(bits)), ..SetStat::default() };
        let moded = match dir.resolve(call.who, &name, Follow::Yes).await {
            Ok(place) => place.setstat(call.who, set).await,
            Err(error) => Err(error),
        };
        if let Err(error) = moded {
            copier.failed = true;
            call.warn(say!("cannot change permissions of ", quoted(&path), ": ", words(&error))).await;
        }
    }
    Ok(u8::from(copier.failed))
}

/// The directory with all above it; it has the mode, those above the usual one.
async fn directories(call: &Invocation<'_>, path: &[u8], bits: u32) -> vfs::Result<()> {
    let ends = path.iter().enumerate().filter(|(at, b)| **b == b'/' && *at > 0).map(|(at, _)| at);
    for end in ends.chain([path.len()]) {
        match call.make_directory(&path[..end], 0o777 & !0o022).await {
            Err(error) if error.is(Errno::EEXIST) || error.is(Errno::EINVAL) => {}
            Err(error) => return Err(error),
            Ok(_) => {}
        }
    }
    let place = call.place(path, Follow::Yes).await?;
    if place.kind() != Kind::Dir {
        return Errno::EEXIST.into();
    }
    place.setstat(call.who, SetStat { mode: Some(Mode::new(bits)), ..SetStat::default() }).await
}
