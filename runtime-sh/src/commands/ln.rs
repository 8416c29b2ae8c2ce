//! ln(1), link(1): further names for files.

use super::copy::{Target, into_directory, target};
use super::gnu::{Done, Program, fail, misused};
use super::messages::{named, quoted, say};
use super::options::Args;
use super::{Invocation, words};
use vfs::{Errno, Follow, Kind, Name, Place, RenameFlags};

pub(super) const PROGRAM: Program = Program::new(
    "[OPTION]... [-T] TARGET LINK_NAME\n  or:  ln [OPTION]... TARGET\n  or:  ln [OPTION]... TARGET... DIRECTORY\n  or:  ln [OPTION]... -t DIRECTORY TARGET...",
    "Create a link to TARGET with the name LINK_NAME.",
    "b backup=? d,F,directory f,force i,interactive L,logical n,no-dereference P,physical r,relative s,symbolic S,suffix= \
     t,target-directory= T,no-target-directory v,verbose",
);

pub(super) const LINK: Program =
    Program::new("FILE1 FILE2", "Create a link named FILE2 to an existing FILE1.", "");

pub(super) async fn link(call: &mut Invocation<'_>, args: Args) -> Done {
    let [from, to] = two(&args)?;
    let made = match (call.place(from, Follow::No).await, call.parent(to).await) {
        (Ok(place), Ok(parent)) => parent.dir.link(call.who, &place, parent.name.as_name()).await,
        (Err(error), _) | (_, Err(error)) => Err(error),
    };
    match made {
        Ok(()) => Ok(0),
        Err(error) => {
            fail(say!("cannot create link ", quoted(to), " to ", quoted(from), ": ", words(&error)))
        }
    }
}

/// Exactly two operands.
pub(super) fn two(args: &Args) -> Done<[&[u8]; 2]> {
    match &args.operands[..] {
        [] => misused("missing operand"),
        [one] => misused(say!("missing operand after ", quoted(one))),
        [one, two] => Ok([one, two]),
        [_, _, extra, ..] => misused(say!("extra operand ", quoted(extra))),
    }
}

pub(super) async fn run(call: &mut Invocation<'_>, args: Args) -> Done {
    let mut sources = args.operands.clone();
    if sources.is_empty() {
        return misused("missing file operand");
    }
    if args.has("r") && !args.has("s") {
        return fail("cannot do --relative without --symbolic");
    }
    let directory = args.value("t").map(<[u8]>::to_vec);
    let (dest, given) = match directory {
        Some(directory) => (directory, true),
        None if args.has("T") && sources.len() != 2 => {
            return match sources.get(2) {
                Some(extra) => misused(say!("extra operand ", quoted(extra))),
                None => misused(say!("missing destination file operand after ", quoted(&sources[0]))),
            };
        }
        None if sources.len() == 1 => (b".".to_vec(), true),
        None => (sources.pop().expect("just counted"), false),
    };
    let follow = if args.has("n") { Follow::No } else { Follow::Yes };
    let place = call.place(&dest, follow).await;
    let is_dir = !args.has("T") && place.as_ref().is_ok_and(|place| place.kind() == Kind::Dir);
    if !is_dir && (given || sources.len() > 1) {
        let why = place.as_ref().err().map_or("Not a directory".to_owned(), words);
        return fail(say!("target ", quoted(&dest), ": ", why));
    }
    let mut status = 0;
    for source in &sources {
        let to = if is_dir {
            let shown = if args.operands.len() == 1 { b"./".to_vec() } else { dest.clone() };
            into_directory(place.as_ref().expect("it is a directory"), &shown, source)
        } else {
            target(call, &dest).await
        };
        let made = match to {
            Ok(to) => one(call, &args, source, to).await?,
            Err(error) => {
                let kind = if args.has("s") {
                    say!("symbolic link ", quoted(&dest))
                } else {
                    say!("hard link ", quoted(&dest), " => ", quoted(source))
                };
                call.warn(say!("failed to create ", kind, ": ", words(&error))).await;
                false
            }
        };
        if !made {
            status = 1;
        }
    }
    Ok(status)
}

async fn one(call: &mut Invocation<'_>, args: &Args, source: &[u8], to: Target) -> Done<bool> {
    let symbolic = args.has("s");
    let kind = if symbolic { "symbolic" } else { "hard" };
    let mut original = None;
    if !symbolic {
        let follow = if args.last(&["L", "P"]) == Some("L") { Follow::Yes } else { Follow::No };
        match call.place(source, follow).await {
            Ok(place) if place.kind() == Kind::Dir => {
                call.warn(say!(named(source), ": hard link not allowed for directory")).await;
                return Ok(false);
            }
            Ok(place) => original = Some(place),
            Err(error) => {
                call.warn(say!("failed to access ", quoted(source), ": ", words(&error))).await;
                return Ok(false);
            }
        }
    }
    let text = if symbolic && args.has("r") { relative(call, source, &to).await } else { source.to_vec() };
    let shown = to.path.strip_prefix(b".//").map_or(to.path.clone(), |rest| say!("./", rest));
    let mut made = make(call, original.as_ref(), &text, &to.dir, to.name.as_name()).await;
    if args.has("f") && made.as_ref().is_err_and(|error| error.is(Errno::EEXIST)) {
        let there = to.dir.resolve(call.who, &to.name, Follow::No).await;
        if let (Ok(there), Some(original)) = (&there, &original)
            && there.node().qid().path == original.node().qid().path
        {
            call.warn(say!(quoted(source), " and ", quoted(&shown), " are the same file")).await;
            return Ok(false);
        }
        if there.is_ok_and(|there| there.kind() == Kind::Dir) {
            call.warn(say!(quoted(&shown), ": cannot overwrite directory")).await;
            return Ok(false);
        }
        made = replace(call, original.as_ref(), &text, &to).await;
    }
    match made {
        Ok(()) => {
            if args.has("v") {
                let arrow = if symbolic { " -> " } else { " => " };
                call.stdout.write(&say!(quoted(&shown), arrow, quoted(&text), "\n")).await?;
            }
            Ok(true)
        }
        Err(error) => {
            let behind =
                if symbolic || error.is(Errno::EEXIST) { Vec::new() } else { say!(" => ", quoted(source)) };
            call.warn(say!("failed to create ", kind, " link ", quoted(&shown), behind, ": ", words(&error)))
                .await;
            Ok(false)
        }
    }
}

async fn make(
    call: &Invocation<'_>,
    original: Option<&Place>,
    text: &[u8],
    dir: &Place,
    name: Name<'_>,
) -> vfs::Result<()> {
    match original {
        Some(original) => dir.link(call.who, original, name).await,
        None => dir.symlink(call.who, name, text).await.map(drop),
    }
}

/// Under another name first, so that the name is never without a file.
async fn replace(
    call: &Invocation<'_>,
    original: Option<&Place>,
    text: &[u8],
    to: &Target,
) -> vfs::Result<()> {
    for attempt in 0..100u32 {
        let label = format!(".ln{attempt:02}-{:08x}", to.dir.node().qid().path as u32);
        let temporary = Name::new(label.as_bytes())?;
        match make(call, original, text, &to.dir, temporary).await {
            Ok(()) => {}
            Err(error) if error.is(Errno::EEXIST) => continue,
            Err(error) => return Err(error),
        }
        let renamed =
            to.dir.rename(call.who, temporary, &to.dir, to.name.as_name(), RenameFlags::default()).await;
        if renamed.is_err() {
            // The error of the rename is the one to tell.
            let _gone = to.dir.unlink(call.who, temporary).await;
        }
        return renamed;
    }
    Errno::EEXIST.into()
}

/// The way from the link's directory to the file.
async fn relative(call: &Invocation<'_>, source: &[u8], to: &Target) -> Vec<u8> {
    let absolute = match call.place(source, Follow::Yes).await {
        Ok(place) => place.path(),
        Err(_) => match call.parent(source).await {
            Ok(parent) => super::reach::joined(&parent.dir.path(), &parent.name),
            Err(_) => return source.to_vec(),
        },
    };
    super::realpath::between(&to.dir.path(), &absolute)
}
