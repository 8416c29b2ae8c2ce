//! du(1) and df(1): space that is used, by files and of trees.

use super::glob::Glob;
use super::gnu::{Done, Program, fail};
use super::messages::{quoted, say};
use super::options::Args;
use super::reach::base_name;
use super::size::{self, human};
use super::walk::{Links, Step, Walk};
use super::{Invocation, words};
use std::collections::HashSet;
use vfs::{Follow, Kind};

pub(super) const PROGRAM: Program = Program::new(
    "[OPTION]... [FILE]...",
    "Summarize device usage of the set of FILEs, recursively for directories.",
    "0,null a,all apparent-size B,block-size= b,bytes c,total D,dereference-args d,max-depth= exclude= h,human-readable H inodes k \
     L,dereference l,count-links m P,no-dereference S,separate-dirs s,summarize si t,threshold= time=? time-style= x,one-file-system",
);

pub(super) const DF: Program = Program::new(
    "[OPTION]... [FILE]...",
    "Show information about the file system on which each FILE resides, or the root's.",
    "a,all B,block-size= h,human-readable H,si i,inodes k l,local P,portability T,print-type t,type= x,exclude-type= total no-sync sync output=?",
);

#[derive(Clone, Copy)]
enum Unit {
    Bytes(u64),
    Human(u64),
}

impl Unit {
    fn show(self, bytes: u64) -> String {
        match self {
            Unit::Bytes(unit) => bytes.div_ceil(unit).to_string(),
            Unit::Human(base) => human(bytes, base),
        }
    }
}

fn unit(args: &Args) -> Done<Unit> {
    let mut unit = Unit::Bytes(1024);
    for given in &args.options {
        match given.key {
            "B" => match size::parse(given.value.as_deref().unwrap_or_default(), b"KMGTPEkm") {
                Some(size) if size > 0 => unit = Unit::Bytes(size),
                _ => {
                    return fail(say!(
                        "invalid -B argument ",
                        quoted(given.value.as_deref().unwrap_or_default())
                    ));
                }
            },
            "b" => unit = Unit::Bytes(1),
            "h" => unit = Unit::Human(1024),
            "si" | "H" => unit = Unit::Human(1000),
            "k" => unit = Unit::Bytes(1024),
            "m" => unit = Unit::Bytes(1 << 20),
            _ => {}
        }
    }
    Ok(unit)
}

pub(super) async fn run(call: &mut Invocation<'_>, args: Args) -> Done {
    let unit = unit(&args)?;
    let apparent = args.has("b") || args.has("apparent-size");
    let end = if args.has("0") { 0 } else { b'\n' };
    let most = match args.value("d") {
        None => usize::MAX,
        Some(text) => match size::parse(text, b"") {
            Some(depth) => depth as usize,
            None => return super::gnu::misused(say!("invalid maximum depth ", quoted(text))),
        },
    };
    if args.has("s") && args.has("a") {
        return super::gnu::misused("cannot both summarize and show all entries");
    }
    let most = if args.has("s") { 0 } else { most };
    let excluded: Vec<Glob> = args
        .options
        .iter()
        .filter(|g| g.key == "exclude")
        .map(|g| Glob::new(g.value.as_deref().unwrap_or_default(), false))
        .collect();
    let links = if args.has("L") {
        Links::Always
    } else if args.has("D") {
        Links::Given
    } else {
        Links::Never
    };
    let mut seen = HashSet::new();
    let (mut status, mut total) = (0, 0);
    let here = [b".".to_vec()];
    for path in if args.operands.is_empty() { &here[..] } else { &args.operands[..] } {
        let mut walk = Walk::new(links);
        // The sum of each directory that is open.
        let mut sums: Vec<u64> = Vec::new();
        let mut step = Some(walk.begin(call, path).await);
        while let Some(now) = step {
            let (entry, bytes) = match now {
                Step::Found(entry) => {
                    let skipped = entry.depth > 0
                        && excluded
                            .iter()
                            .any(|glob| glob.matches(base_name(&entry.path)) || glob.matches(&entry.path));
                    let several = entry.stat.nlink > 1 && entry.stat.kind() != Kind::Dir && !args.has("l");
                    let again = several && !seen.insert(entry.stat.qid.path);
                    if skipped || again {
                        walk.skip();
                        step = walk.step(call).await;
                        continue;
                    }
                    let is_dir = entry.stat.kind() == Kind::Dir;
                    let bytes = match (args.has("inodes"), apparent) {
                        (true, _) => 1,
                        (_, true) if is_dir || matches!(entry.stat.kind(), Kind::File | Kind::Symlink) => {
                            entry.stat.size
                        }
                        (_, true) => 0,
                        _ => entry.stat.blocks * 512,
                    };
                    if is_dir {
                        sums.push(bytes);
                        step = walk.step(call).await;
                        continue;
                    }
                    if entry.depth > 0 && !args.has("a") {
                        if let Some(sum) = sums.last_mut() {
                            *sum += bytes;
                        }
                        step = walk.step(call).await;
                        continue;
                    }
                    (entry, bytes)
                }
                Step::Left(entry) => (entry, sums.pop().unwrap_or(0)),
                Step::Failed { path, error, listing } => {
                    status = 1;
                    let what = if listing { "cannot read directory " } else { "cannot access " };
                    call.warn(say!(what, quoted(&path), ": ", words(&error))).await;
                    step = walk.step(call).await;
                    continue;
                }
                Step::Loop(_) => {
                    step = walk.step(call).await;
                    continue;
                }
            };
            if entry.depth <= most {
                let shown = if args.has("inodes") { bytes.to_string() } else { unit.show(bytes) };
                call.stdout.write(&say!(shown, "\t", entry.path, [end])).await?;
            }
            match sums.last_mut() {
                Some(_) if args.has("S") && entry.stat.kind() == Kind::Dir => {}
                Some(sum) => *sum += bytes,
                None => total += bytes,
            }
            step = walk.step(call).await;
        }
    }
    if args.has("c") {
        let shown = if args.has("inodes") { total.to_string() } else { unit.show(total) };
        call.stdout.write(&say!(shown, "\ttotal", [end])).await?;
    }
    Ok(status)
}

pub(super) async fn df(call: &mut Invocation<'_>, args: Args) -> Done {
    let unit = unit(&args)?;
    let inodes = args.has("i");
    let head = match (inodes, unit) {
        (true, _) => ["Inodes", "IUsed", "IFree", "IUse%"].map(str::to_owned),
        (_, Unit::Human(_)) => ["Size", "Used", "Avail", "Use%"].map(str::to_owned),
        (_, Unit::Bytes(unit)) => {
            let name = if args.has("P") { "Capacity" } else { "Use%" };
            let blocks = if unit == 1024 && args.has("P") {
                "1024-blocks".to_owned()
            } else {
                format!(
                    "{}-blocks",
                    if unit == 1024 { "1K".to_owned() } else { human(unit, 1024).replace(".0", "") }
                )
            };
            [blocks, "Used".to_owned(), "Available".to_owned(), name.to_owned()]
        }
    };
    let mut rows = vec![("Filesystem".to_owned(), head, b"Mounted on".to_vec())];
    let mut status = 0;
    let root = [b"/".to_vec()];
    for path in if args.operands.is_empty() { &root[..] } else { &args.operands[..] } {
        let fs = match call.place(path, Follow::Yes).await {
            Ok(place) => place.statfs().await,
            Err(error) => Err(error),
        };
        let fs = match fs {
            Ok(fs) => fs,
            Err(error) => {
                status = 1;
                call.tell(path, &error).await;
                continue;
            }
        };
        let share = |used: u64, free: u64| match used + free {
            0 => "-".to_owned(),
            all => format!("{}%", (u128::from(used) * 100).div_ceil(u128::from(all))),
        };
        let size = u64::from(fs.bsize);
        let columns = if inodes {
            let used = fs.files.saturating_sub(fs.ffree);
            [fs.files.to_string(), used.to_string(), fs.ffree.to_string(), share(used, fs.ffree)]
        } else {
            let used = fs.blocks.saturating_sub(fs.bfree);
            let bytes = |blocks: u64| unit.show(blocks.saturating_mul(size));
            [bytes(fs.blocks), bytes(used), bytes(fs.bavail), share(used, fs.bavail)]
        };
        rows.push(("taskfs".to_owned(), columns, path.clone()));
    }
    let widest = |column: usize| rows.iter().map(|row| row.1[column].len()).max().unwrap_or(0);
    let widths = [widest(0), widest(1), widest(2), widest(3)];
    let first = rows.iter().map(|row| row.0.len()).max().unwrap_or(0).max(14);
    for (name, columns, path) in &rows {
        let mut line = format!("{name:<first$}");
        for (column, width) in columns.iter().zip(widths) {
            line.push_str(&format!(" {column:>width$}"));
        }
        call.stdout.write(&say!(line, " ", path, "\n")).await?;
    }
    Ok(status)
}
