//! diff(1): how two files, or the files of two directories, differ. Both are kept in memory; crate `imara-diff` finds the changes.

use super::gnu::{Done, Failure, Program, fail, misused};
use super::messages::{named, quoted, say};
use super::options::Args;
use super::reach::{base_name, joined};
use super::walk::names;
use super::{Invocation, times, words};
use imara_diff::{Algorithm, Diff, InternedInput, TokenSource};
use std::collections::{BTreeSet, VecDeque};
use vfs::{Errno, Follow, Kind, Stat};

pub(super) const PROGRAM: Program = Program::new(
    "[OPTION]... FILES",
    "Compare FILES line by line.",
    "a,text b,ignore-space-change B,ignore-blank-lines brief,q color=? i,ignore-case label,L= N,new-file r,recursive \
     s,report-identical-files strip-trailing-cr u U,unified= w,ignore-all-space normal x,exclude= d,minimal p t y",
)
.hints_by_name()
.trouble(2);

struct Ways {
    context: Option<usize>,
    folds: bool,
    spaces: bool,
    all_spaces: bool,
    carriage: bool,
    brief: bool,
    same: bool,
    text: bool,
    new: bool,
    recursive: bool,
    labels: Vec<Vec<u8>>,
    excluded: Vec<super::glob::Glob>,
    shown_options: Vec<u8>,
}

/// Lines as they are compared.
struct Lines(Vec<Vec<u8>>);

impl TokenSource for &Lines {
    type Token = Vec<u8>;
    type Tokenizer = std::vec::IntoIter<Vec<u8>>;
    fn tokenize(&self) -> Self::Tokenizer {
        self.0.clone().into_iter()
    }
    fn estimate_tokens(&self) -> u32 {
        self.0.len() as u32
    }
}

impl Ways {
    /// What of a line counts.
    fn seen(&self, line: &[u8]) -> Vec<u8> {
        let mut out = line.to_vec();
        if self.carriage && out.ends_with(b"\r\n") {
            out.truncate(out.len() - 2);
            out.push(b'\n');
        }
        if self.all_spaces {
            out.retain(|b| !b.is_ascii_whitespace());
        } else if self.spaces {
            let mut kept = Vec::new();
            let mut blank = false;
            for byte in out.trim_ascii_end() {
                if byte.is_ascii_whitespace() {
                    blank = true;
                    continue;
                }
                if std::mem::take(&mut blank) {
                    kept.push(b' ');
                }
                kept.push(*byte);
            }
            out = kept;
        }
        if self.folds {
            out.make_ascii_lowercase();
        }
        out
    }
}

pub(super) async fn run(call: &mut Invocation<'_>, args: Args) -> Done {
    let context = match args.value("U") {
        Some(text) => match super::size::parse(text, b"") {
            Some(lines) => Some(lines as usize),
            None => return misused(say!("invalid context length ", quoted(text))),
        },
        None => args.has("u").then_some(3),
    };
    let given = |key: &str| {
        args.options
            .iter()
            .filter(|g| g.key == key)
            .map(|g| g.value.clone().unwrap_or_default())
            .collect::<Vec<_>>()
    };
    let options: Vec<Vec<u8>> =
        call.args().iter().filter(|word| word.len() > 1 && word[0] == b'-').cloned().collect();
    let ways = Ways {
        context,
        folds: args.has("i"),
        spaces: args.has("b"),
        all_spaces: args.has("w"),
        carriage: args.has("strip-trailing-cr"),
        brief: args.has("brief"),
        same: args.has("s"),
        text: args.has("a"),
        new: args.has("N"),
        recursive: args.has("r"),
        labels: given("label"),
        excluded: given("x").iter().map(|text| super::glob::Glob::new(text, false)).collect(),
        shown_options: options.iter().flat_map(|word| say!(" ", word)).collect(),
    };
    let [mut first, mut second] = match &args.operands[..] {
        [a, b] => [a.clone(), b.clone()],
        [_, _, extra, ..] => return misused(say!("extra operand ", quoted(extra))),
        _ => {
            return misused(say!(
                "missing operand after ",
                quoted(call.argv.last().map_or(b"", Vec::as_slice))
            ));
        }
    };
    let mut kinds = [None, None];
    for (kind, path) in kinds.iter_mut().zip([&first, &second]) {
        *kind = match call.stat(path, Follow::Yes).await {
            _ if path == b"-" => Some(Kind::File),
            Ok(stat) => Some(stat.kind()),
            Err(error) if error.is(Errno::ENOENT) && ways.new => None,
            Err(error) => {
                call.tell(path, &error).await;
                return Err(Failure::Status(2));
            }
        };
    }
    match kinds {
        [Some(Kind::Dir), Some(Kind::Dir)] => return trees(call, &ways, first, second).await,
        [Some(Kind::Dir), _] => first = joined(&first, base_name(&second)),
        [_, Some(Kind::Dir)] => second = joined(&second, base_name(&first)),
        _ => {}
    }
    files(call, &ways, &first, &second, b"").await
}

/// One file's lines, and what is known of it.
async fn read(call: &mut Invocation<'_>, ways: &Ways, path: &[u8]) -> Done<(Vec<u8>, Option<Stat>)> {
    let mut input = match call.open(path).await {
        Ok(input) => input,
        Err(error) if error.is(Errno::ENOENT) && ways.new => return Ok((Vec::new(), None)),
        Err(error) => return fail(say!(named(path), ": ", words(&error))),
    };
    let stat = input.file().stat().await.ok();
    match call.rest(&mut input).await {
        Ok(text) => Ok((text, stat)),
        Err(error) => fail(say!(named(path), ": ", words(&error))),
    }
}

/// Two directories under way: what of their names is still to be compared.
struct Level {
    paths: [Vec<u8>; 2],
    has: [BTreeSet<Vec<u8>>; 2],
    left: VecDeque<Vec<u8>>,
}

async fn level(call: &mut Invocation<'_>, ways: &Ways, paths: [Vec<u8>; 2]) -> Done<Level> {
    let mut has = [BTreeSet::new(), BTreeSet::new()];
    for (set, path) in has.iter_mut().zip(&paths) {
        let found = match call.place(path, Follow::Yes).await {
            Ok(place) => names(call, &place).await,
            Err(error) if error.is(Errno::ENOENT) && ways.new => Ok(Vec::new()),
            Err(error) => Err(error),
        };
        match found {
            Ok(found) => set.extend(found.into_iter().map(|name| name.to_vec())),
            Err(error) => return fail(say!(named(path), ": ", words(&error))),
        }
    }
    let left = has[0]
        .union(&has[1])
        .filter(|name| !ways.excluded.iter().any(|glob| glob.matches(name)))
        .cloned()
        .collect();
    Ok(Level { paths, has, left })
}

async fn trees(call: &mut Invocation<'_>, ways: &Ways, first: Vec<u8>, second: Vec<u8>) -> Done {
    let mut open = vec![level(call, ways, [first, second]).await?];
    let mut status = 0;
    while let Some(here) = open.last_mut() {
        let Some(name) = here.left.pop_front() else {
            open.pop();
            continue;
        };
        let (a, b) = (joined(&here.paths[0], &name), joined(&here.paths[1], &name));
        let has = [here.has[0].contains(&name), here.has[1].contains(&name)];
        if has != [true, true] && !ways.new {
            let dir = if has[0] { &here.paths[0] } else { &here.paths[1] };
            call.stdout.write(&say!("Only in ", dir, ": ", name, "\n")).await?;
            status = status.max(1);
            continue;
        }
        let kinds = [
            call.stat(&a, Follow::Yes).await.map(|stat| stat.kind()).ok(),
            call.stat(&b, Follow::Yes).await.map(|stat| stat.kind()).ok(),
        ];
        match kinds {
            [Some(Kind::Dir), Some(Kind::Dir) | None] | [None, Some(Kind::Dir)] => {
                if ways.recursive {
                    open.push(level(call, ways, [a, b]).await?);
                } else {
                    call.stdout.write(&say!("Common subdirectories: ", a, " and ", b, "\n")).await?;
                }
            }
            [Some(Kind::Dir), _] | [_, Some(Kind::Dir)] => {
                let what =
                    |kind: Option<Kind>| if kind == Some(Kind::Dir) { "directory" } else { "regular file" };
                let line = say!(
                    "File ",
                    a,
                    " is a ",
                    what(kinds[0]),
                    " while file ",
                    b,
                    " is a ",
                    what(kinds[1]),
                    "\n"
                );
                call.stdout.write(&line).await?;
                status = status.max(1);
            }
            _ => {
                let title = say!("diff", ways.shown_options, " ", named(&a), " ", named(&b), "\n");
                match files(call, ways, &a, &b, &title).await {
                    Ok(one) => status = status.max(one),
                    Err(Failure::Said(text)) => {
                        call.warn(text).await;
                        status = 2;
                    }
                    Err(failure) => return Err(failure),
                }
            }
        }
    }
    Ok(status)
}

/// Compares two files; `title` comes before what is printed of them.
async fn files(call: &mut Invocation<'_>, ways: &Ways, first: &[u8], second: &[u8], title: &[u8]) -> Done {
    let (old, old_stat) = read(call, ways, first).await?;
    let (new, new_stat) = read(call, ways, second).await?;
    let _held = call.shell.memory().hold((old.len() + new.len()) * 3)?;
    let differ = say!("Files ", first, " and ", second, " differ\n");
    let binary = !ways.text
        && [&old, &new].iter().any(|text| memchr::memchr(0, &text[..text.len().min(32 << 10)]).is_some());
    if old != new && binary {
        call.stdout.write(&say!("Binary f", &differ[1..])).await?;
        return Ok(1);
    }
    let split = |text: &[u8]| text.split_inclusive(|b| *b == b'\n').map(<[u8]>::to_vec).collect::<Vec<_>>();
    let (a, b) = (split(&old), split(&new));
    let seen = |lines: &[Vec<u8>]| Lines(lines.iter().map(|line| ways.seen(line)).collect());
    let (seen_a, seen_b) = (seen(&a), seen(&b));
    let input = InternedInput::new(&seen_a, &seen_b);
    let mut diff = Diff::compute(Algorithm::Myers, &input);
    diff.postprocess_no_heuristic(&input);
    let hunks: Vec<_> = diff.hunks().collect();
    if hunks.is_empty() {
        if ways.same {
            call.stdout.write(&say!("Files ", first, " and ", second, " are identical\n")).await?;
        }
        return Ok(0);
    }
    if ways.brief {
        call.stdout.write(&differ).await?;
        return Ok(1);
    }
    call.stdout.write(title).await?;
    let hunks: Vec<Change> = hunks
        .iter()
        .map(|hunk| Change {
            old: hunk.before.start as usize..hunk.before.end as usize,
            new: hunk.after.start as usize..hunk.after.end as usize,
        })
        .collect();
    match ways.context {
        None => normal(call, &hunks, &a, &b).await?,
        Some(context) => {
            let zone = times::zone(call.env);
            let head = |mark: &str, path: &[u8], stat: &Option<Stat>, label: Option<&Vec<u8>>| match label {
                Some(label) => say!(mark, " ", label, "\n"),
                None => {
                    let time = stat.as_ref().map_or(vfs::Time::EPOCH, |stat| stat.mtime);
                    let when = times::format(&times::zoned(time, &zone), b"%Y-%m-%d %H:%M:%S.%N %z");
                    say!(mark, " ", path, "\t", when, "\n")
                }
            };
            let heads = say!(
                head("---", first, &old_stat, ways.labels.first()),
                head("+++", second, &new_stat, ways.labels.get(1))
            );
            call.stdout.write(&heads).await?;
            unified(call, &hunks, &a, &b, context).await?;
        }
    }
    Ok(1)
}

struct Change {
    old: std::ops::Range<usize>,
    new: std::ops::Range<usize>,
}

async fn line(call: &mut Invocation<'_>, mark: &str, text: &[u8]) -> Done<()> {
    let end = if text.ends_with(b"\n") { "" } else { "\n\\ No newline at end of file\n" };
    call.stdout.write(&say!(mark, text, end)).await?;
    Ok(())
}

async fn normal(call: &mut Invocation<'_>, changes: &[Change], a: &[Vec<u8>], b: &[Vec<u8>]) -> Done<()> {
    let range = |range: &std::ops::Range<usize>| match range.len() {
        0 => range.start.to_string(),
        1 => (range.start + 1).to_string(),
        _ => format!("{},{}", range.start + 1, range.end),
    };
    for change in changes {
        let letter = match (change.old.is_empty(), change.new.is_empty()) {
            (true, _) => "a",
            (_, true) => "d",
            _ => "c",
        };
        let head = format!("{}{letter}{}\n", range(&change.old), range(&change.new));
        call.stdout.write(head.as_bytes()).await?;
        for text in &a[change.old.clone()] {
            line(call, "< ", text).await?;
        }
        if letter == "c" {
            call.stdout.write(b"---\n").await?;
        }
        for text in &b[change.new.clone()] {
            line(call, "> ", text).await?;
        }
    }
    Ok(())
}

async fn unified(
    call: &mut Invocation<'_>,
    changes: &[Change],
    a: &[Vec<u8>],
    b: &[Vec<u8>],
    context: usize,
) -> Done<()> {
    let mut rest = changes;
    while !rest.is_empty() {
        // Changes whose context meets are one hunk.
        let count =
            1 + rest.windows(2).take_while(|two| two[1].old.start - two[0].old.end <= 2 * context).count();
        let (hunk, behind) = rest.split_at(count);
        rest = behind;
        let (first, last) = (&hunk[0], &hunk[count - 1]);
        let before = first.old.start.min(context);
        let after = (a.len() - last.old.end).min(context);
        let old = first.old.start - before..last.old.end + after;
        let new = first.new.start - before..last.new.end + after;
        let range = |range: &std::ops::Range<usize>| match range.len() {
            0 => format!("{},0", range.start),
            1 => (range.start + 1).to_string(),
            len => format!("{},{len}", range.start + 1),
        };
        let head = format!("@@ -{} +{} @@\n", range(&old), range(&new));
        call.stdout.write(head.as_bytes()).await?;
        let mut at = old.start;
        for change in hunk {
            for text in &a[at..change.old.start] {
                line(call, " ", text).await?;
            }
            for text in &a[change.old.clone()] {
                line(call, "-", text).await?;
            }
            for text in &b[change.new.clone()] {
                line(call, "+", text).await?;
            }
            at = change.old.end;
        }
        for text in &a[at..old.end] {
            line(call, " ", text).await?;
        }
    }
    Ok(())
}
