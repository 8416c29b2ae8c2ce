//! chmod(1).

use super::gnu::{Done, Program, fail, misused};
use super::messages::{quoted, say};
use super::mode::{self, Change};
use super::options::{self, Args};
use super::walk::{Entry, Links, Step, Walk};
use super::{Invocation, words};
use vfs::{Follow, Kind, Mode, SetStat};

pub(super) const PROGRAM: Program = Program::new(
    "[OPTION]... MODE[,MODE]... FILE...\n  or:  chmod [OPTION]... OCTAL-MODE FILE...\n  or:  chmod [OPTION]... --reference=RFILE FILE...",
    "Change the mode of each FILE to MODE.",
    OPTIONS,
)
.raw();

const OPTIONS: &str =
    "c,changes f,silent,quiet no-preserve-root preserve-root R,recursive reference= v,verbose";

pub(super) async fn run(call: &mut Invocation<'_>, _none: Args) -> Done {
    // A mode may look like options: `chmod -w FILE`.
    let is_mode =
        |word: &&Vec<u8>| word.len() > 1 && word[0] == b'-' && word[1] != b'-' && mode::parse(word).is_some();
    let at = call.args().iter().take_while(|word| *word != b"--").position(|word| is_mode(&word));
    let mut line = call.args().to_vec();
    let dashed = at.map(|at| line.remove(at));
    let args = match options::read(OPTIONS, false, &line) {
        Ok(args) => args,
        Err(text) => return misused(text),
    };
    let mut files = args.operands.clone();
    let change = if let Some(path) = args.value("reference") {
        match call.stat(path, Follow::Yes).await {
            Ok(stat) => mode::parse(format!("{:05o}", stat.mode.bits()).as_bytes()).expect("octal digits"),
            Err(error) => {
                return fail(say!("failed to get attributes of ", quoted(path), ": ", words(&error)));
            }
        }
    } else {
        let text = match dashed {
            Some(text) => text,
            None if files.is_empty() => return misused("missing operand"),
            None => files.remove(0),
        };
        match mode::parse(&text) {
            Some(_) if files.is_empty() => return misused(say!("missing operand after ", quoted(&text))),
            Some(change) => change,
            None => return misused(say!("invalid mode: ", quoted(&text))),
        }
    };
    if files.is_empty() {
        return misused("missing operand");
    }
    let mut failed = false;
    for path in &files {
        let mut walk = Walk::new(Links::Given);
        let mut step = Some(walk.begin(call, path).await);
        while let Some(now) = step {
            match now {
                Step::Found(entry) => {
                    let link = entry.stat.kind() == Kind::Symlink;
                    if link && entry.depth == 0 {
                        failed = true;
                        call.warn(say!("cannot operate on dangling symlink ", quoted(path))).await;
                    } else if !link {
                        failed |= !one(call, &args, &change, &entry).await?;
                    }
                    if !args.has("R") {
                        walk.skip();
                    }
                }
                Step::Failed { path, error, listing } => {
                    failed = true;
                    if !args.has("f") {
                        let what = if listing { "cannot read directory " } else { "cannot access " };
                        call.warn(say!(what, quoted(&path), ": ", words(&error))).await;
                    }
                }
                Step::Left(_) | Step::Loop(_) => {}
            }
            step = walk.step(call).await;
        }
    }
    Ok(u8::from(failed))
}

async fn one(call: &mut Invocation<'_>, args: &Args, change: &Change, entry: &Entry) -> Done<bool> {
    let old = entry.stat.mode.bits();
    let new = change.apply(old, entry.stat.kind() == Kind::Dir, call.shell.umask());
    let set = SetStat { mode: Some(Mode::new(new)), ..SetStat::default() };
    if let Err(error) = entry.place.setstat(call.who, set).await {
        if !args.has("f") {
            call.warn(say!("changing permissions of ", quoted(&entry.path), ": ", words(&error))).await;
        }
        return Ok(false);
    }
    let shown = |bits: u32| format!("{bits:04o} ({})", mode::shown(bits));
    if old != new && (args.has("v") || args.has("c")) {
        let line =
            say!("mode of ", quoted(&entry.path), " changed from ", shown(old), " to ", shown(new), "\n");
        call.stdout.write(&line).await?;
    } else if old == new && args.has("v") {
        let line = say!("mode of ", quoted(&entry.path), " retained as ", shown(new), "\n");
        call.stdout.write(&line).await?;
    }
    Ok(true)
}
