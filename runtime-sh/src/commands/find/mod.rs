//! find(1): the files below its paths for which an expression holds, and what is done with them. The expression is read by `expression`; this
//! walks and asks it of each file.

mod expression;
mod parser;
mod printf;

pub(super) use printf::letter;

use super::gnu::{Done, Failure, Program, fail};
use super::messages::{quoted, say};
use super::options::Args;
use super::people::People;
use super::times;
use super::walk::{Entry, Links, Step, Walk};
use super::{Call, Held, Invocation, words};
use expression::{Clock, Compare, Exec, Expression, Node, PermissionTest};
use futures_util::future::BoxFuture;
use jiff::tz::TimeZone;
use parser::{Answer, Question};
use vfs::{Errno, Follow, Kind, OpenFlags, Stat, Time};

pub(super) const PROGRAM: Program =
    Program::new("[-H] [-L] [-P] [PATH]... [EXPRESSION]", "Search for files below each PATH.", "").raw();

/// Bytes of file names given to one command (`-exec … +`, xargs).
const LINE: usize = 128 << 10;

struct Find {
    expression: Expression,
    people: People,
    zone: TimeZone,
    now: Time,
    batches: Vec<Batch>,
    status: u8,
    quit: bool,
    prune: bool,
    links: Links,
    /// The path that the walk began with.
    given: Vec<u8>,
    first_tree: Option<u64>,
}

#[derive(Default)]
struct Batch {
    files: Vec<Vec<u8>>,
    bytes: usize,
    /// The directory that they are in, for -execdir.
    dir: Option<vfs::Place>,
    held: Option<Held>,
}

/// find's words are no options: they are read here, but for the help that every command gives.
pub(super) async fn run(call: &mut Invocation<'_>, _none: Args) -> Done {
    let mut links = Links::Never;
    let mut line = call.args();
    while let [first, rest @ ..] = line {
        match first.as_slice() {
            b"-H" => links = Links::Given,
            b"-L" => links = Links::Always,
            b"-P" => links = Links::Never,
            b"--" => {
                line = rest;
                break;
            }
            word if word.starts_with(b"-O") || word == b"-D" => {}
            _ => break,
        }
        line = rest;
    }
    let begins =
        |word: &Vec<u8>| (word.starts_with(b"-") && word.len() > 1) || matches!(word.as_slice(), b"(" | b"!");
    let paths = line.iter().position(begins).unwrap_or(line.len());
    let (paths, words_of) = line.split_at(paths);
    let people = People::read(call).await;
    let zone = times::zone(call.env);
    let mut answers = Vec::new();
    for (at, question) in parser::questions(words_of) {
        answers.push((at, answer(call, &people, &zone, question).await?));
    }
    let expression = match parser::parse(words_of, &answers) {
        Ok(expression) => expression,
        Err(text) => {
            let stray = text.starts_with(b"paths must precede");
            call.warn(&text).await;
            let stray = stray
                && call
                    .stat(
                        text.split(|b| *b == b'`')
                            .nth(1)
                            .and_then(|t| t.strip_suffix(b"'"))
                            .unwrap_or_default(),
                        Follow::No,
                    )
                    .await
                    .is_ok();
            let before =
                words_of.iter().rev().skip_while(|word| !text.ends_with(&say!("`", word, "'"))).nth(2);
            if let Some(before) = before.filter(|word| stray && word.starts_with(b"-")) {
                call.warn(say!("possible unquoted pattern after predicate `", before, "'?")).await;
            }
            return Err(Failure::Status(1));
        }
    };
    if expression.follow {
        links = Links::Always;
    }
    let batches = (0..expression.batches).map(|_| Batch::default()).collect();
    let mut find = Find {
        expression,
        people,
        zone,
        now: Time::now(),
        batches,
        status: 0,
        quit: false,
        prune: false,
        links,
        given: Vec::new(),
        first_tree: None,
    };
    let here = [b".".to_vec()];
    for path in if paths.is_empty() { &here[..] } else { paths } {
        if !find.quit {
            find.walk(call, path).await?;
        }
    }
    find.finish(call).await?;
    Ok(find.status)
}

async fn answer(
    call: &mut Invocation<'_>,
    people: &People,
    zone: &TimeZone,
    question: Question,
) -> Done<Answer> {
    let missing = |path: &[u8], error: &vfs::Error| Failure::Said(say!(quoted(path), ": ", words(error)));
    match question {
        Question::Time(path, clock) => match call.stat(&path, Follow::No).await {
            Ok(stat) => Ok(Answer::Time(time_of(&stat, clock))),
            Err(error) => Err(missing(&path, &error)),
        },
        Question::Same(path) => match call.stat(&path, Follow::No).await {
            Ok(stat) => Ok(Answer::Number(stat.qid.path)),
            Err(error) => Err(missing(&path, &error)),
        },
        Question::User(name) => match people.uid(&name) {
            Some(uid) => Ok(Answer::Number(uid.into())),
            None => fail(say!(quoted(&name), " is not the name of a known user")),
        },
        Question::Group(name) => match people.gid(&name) {
            Some(gid) => Ok(Answer::Number(gid.into())),
            None => fail(say!(quoted(&name), " is not the name of an existing group")),
        },
        Question::Words(text) => match times::parse(&text, times::zoned(Time::now(), zone)) {
            Some(time) => Ok(Answer::Time(time)),
            None => fail(say!("I cannot figure out how to interpret ", quoted(&text), " as a date or time")),
        },
    }
}

fn time_of(stat: &Stat, clock: Clock) -> Time {
    match clock {
        Clock::Access => stat.atime,
        Clock::Change => stat.ctime,
        Clock::Modify => stat.mtime,
    }
}

impl Find {
    async fn walk(&mut self, call: &mut Invocation<'_>, path: &[u8]) -> Done<()> {
        self.given = path.to_vec();
        self.first_tree = None;
        let mut walk = Walk::new(self.links);
        let mut step = Some(walk.begin(call, path).await);
        while let Some(now) = step {
            match now {
                Step::Found(entry) => {
                    let is_dir = entry.stat.kind() == Kind::Dir;
                    let tree = *self.first_tree.get_or_insert(entry.stat.qid.path >> 48);
                    let foreign = self.expression.one_tree && entry.stat.qid.path >> 48 != tree;
                    if is_dir && (entry.depth >= self.expression.max_depth || foreign) {
                        walk.skip();
                        self.ask(call, &entry).await?;
                    } else if !is_dir || !self.expression.depth_first {
                        self.ask(call, &entry).await?;
                        if std::mem::take(&mut self.prune) {
                            walk.skip();
                        }
                    }
                }
                Step::Left(entry) if self.expression.depth_first => self.ask(call, &entry).await?,
                Step::Left(_) => {}
                Step::Failed { path, error, .. } => {
                    self.status = 1;
                    call.warn(say!(quoted(&path), ": ", words(&error))).await;
                }
                Step::Loop(entry) => {
                    self.status = 1;
                    call.warn(say!(
                        "File system loop detected; ",
                        quoted(&entry.path),
                        " is part of the same file system loop as a directory above it."
                    ))
                    .await;
                }
            }
            if self.quit {
                break;
            }
            step = walk.step(call).await;
        }
        Ok(())
    }

    async fn ask(&mut self, call: &mut Invocation<'_>, entry: &Entry) -> Done<()> {
        if entry.depth < self.expression.min_depth {
            return Ok(());
        }
        // The tree is lent out while it is asked: what it does is done with the rest of this.
        let root = std::mem::replace(&mut self.expression.root, Node::True);
        let asked = self.holds(call, entry, &root).await;
        self.expression.root = root;
        asked.map(|_| ())
    }

    fn holds<'f>(
        &'f mut self,
        call: &'f mut Invocation<'_>,
        entry: &'f Entry,
        node: &'f Node,
    ) -> BoxFuture<'f, Done<bool>> {
        Box::pin(async move {
            let stat = &entry.stat;
            Ok(match node {
                Node::And(left, right) => {
                    self.holds(call, entry, left).await?
                        && !self.quit
                        && self.holds(call, entry, right).await?
                }
                Node::Or(left, right) => {
                    self.holds(call, entry, left).await?
                        || (!self.quit && self.holds(call, entry, right).await?)
                }
                Node::Not(inner) => !self.holds(call, entry, inner).await?,
                Node::List(first, second) => {
                    self.holds(call, entry, first).await?;
                    !self.quit && self.holds(call, entry, second).await?
                }
                Node::True => true,
                Node::False => false,
                Node::Name(glob) => glob.matches(super::reach::base_name(&entry.path)),
                Node::Path(glob) => glob.matches(&entry.path),
                Node::LinkName(glob) => {
                    stat.kind() == Kind::Symlink
                        && entry.place.readlink().await.is_ok_and(|to| glob.matches(&to))
                }
                Node::Regex(pattern) => pattern.is_match(&entry.path),
                Node::Type(kinds) => kinds.contains(&stat.kind()),
                Node::TypeBehind(kinds) => {
                    let behind = if self.links == Links::Always { Follow::No } else { Follow::Yes };
                    match entry.resolve(call, behind).await {
                        Ok(place) => kinds.contains(&place.kind()),
                        Err(_) => kinds.contains(&Kind::Symlink),
                    }
                }
                Node::Newer(clock, than) => time_of(stat, *clock) > *than,
                Node::Age { clock, unit, compare } => {
                    let then = time_of(stat, *clock);
                    let nanos = i128::from(self.now.secs - then.secs) * 1_000_000_000
                        + i128::from(self.now.nanos)
                        - i128::from(then.nanos);
                    aged(nanos, *unit, *compare)
                }
                Node::Size { unit, compare } => compare.holds(stat.size.div_ceil(*unit) as i64),
                Node::Empty => match stat.kind() {
                    Kind::File => stat.size == 0,
                    Kind::Dir => self.is_empty(call, entry).await,
                    _ => false,
                },
                Node::Permission(test) => {
                    let mode = stat.mode.bits();
                    match test {
                        PermissionTest::Exactly(bits) => mode == *bits,
                        PermissionTest::All(bits) => mode & bits == *bits,
                        PermissionTest::Any(bits) => *bits == 0 || mode & bits != 0,
                    }
                }
                Node::User(uid) => stat.uid.0 == *uid,
                Node::Group(gid) => stat.gid.0 == *gid,
                Node::Uid(compare) => compare.holds(stat.uid.0.into()),
                Node::Gid(compare) => compare.holds(stat.gid.0.into()),
                Node::NoUser => !self.people.knows_user(stat.uid.0),
                Node::NoGroup => !self.people.knows_group(stat.gid.0),
                Node::Links(compare) => compare.holds(stat.nlink as i64),
                Node::Inode(compare) => compare.holds(stat.qid.path as i64),
                Node::SameFile(path) => stat.qid.path == *path,
                Node::Access(want) => match entry.resolve(call, Follow::Yes).await {
                    Ok(place) => place.access(call.who, *want).await.is_ok(),
                    Err(_) => false,
                },
                Node::Prune => {
                    self.prune = true;
                    true
                }
                Node::Quit => {
                    self.quit = true;
                    true
                }
                Node::Print(end) => {
                    call.stdout.write(&entry.path).await?;
                    call.stdout.write(&[*end]).await?;
                    true
                }
                Node::Format(format) => {
                    let text = printf::format(self, entry, format).await;
                    call.stdout.write(&text).await?;
                    true
                }
                Node::Ls => {
                    let text = printf::listing(self, entry).await;
                    call.stdout.write(&text).await?;
                    true
                }
                Node::Exec(exec) => self.exec(call, entry, exec).await?,
                Node::Delete => self.delete(call, entry).await,
            })
        })
    }

    async fn is_empty(&mut self, call: &mut Invocation<'_>, entry: &Entry) -> bool {
        let mut any = false;
        let listed = match entry.place.open(call.who, OpenFlags::READ | OpenFlags::DIRECTORY).await {
            Ok(open) => {
                let mut sink = |_: vfs::DirEntry<'_>| {
                    any = true;
                    false
                };
                open.readdir(0, &mut sink).await
            }
            Err(error) => Err(error),
        };
        if let Err(error) = listed {
            self.status = 1;
            call.warn(say!(quoted(&entry.path), ": ", words(&error))).await;
            return false;
        }
        !any
    }

    async fn delete(&mut self, call: &mut Invocation<'_>, entry: &Entry) -> bool {
        if entry.path == b"." {
            return true;
        }
        let removed = match &entry.of {
            Some((dir, name)) => dir.remove(call.who, name.as_name()).await,
            None => match call.parent(&entry.path).await {
                Ok(parent) => parent.dir.remove(call.who, parent.name.as_name()).await,
                Err(error) => Err(error),
            },
        };
        if let Err(error) = removed {
            self.status = 1;
            call.warn(say!("cannot delete ", quoted(&entry.path), ": ", words(&error))).await;
            return false;
        }
        true
    }

    async fn exec(&mut self, call: &mut Invocation<'_>, entry: &Entry, exec: &Exec) -> Done<bool> {
        let (file, dir) = match &entry.of {
            Some((dir, name)) if exec.in_directory => (say!("./", name[..]), Some(dir.clone())),
            _ if exec.in_directory => {
                (say!("./", super::reach::base_name(&entry.path)), Some(entry.place.parent()))
            }
            _ => (entry.path.clone(), None),
        };
        let Some(index) = exec.batch else {
            let argv: Vec<Vec<u8>> = exec.words.iter().map(|word| replaced(word, &file)).collect();
            return Ok(self.start(call, &argv, dir.as_ref()).await? == Some(0));
        };
        let batch = &self.batches[index];
        let elsewhere = dir.as_ref().map(vfs::Place::key) != batch.dir.as_ref().map(vfs::Place::key);
        if !batch.files.is_empty() && (batch.bytes + file.len() > LINE || elsewhere) {
            self.run_batch(call, exec, index).await?;
        }
        let batch = &mut self.batches[index];
        batch.bytes += file.len() + 1;
        batch.files.push(file);
        batch.dir = dir;
        match &mut batch.held {
            Some(held) => held.set(batch.bytes)?,
            None => batch.held = Some(call.shell.memory().hold(batch.bytes)?),
        }
        Ok(true)
    }

    async fn run_batch(&mut self, call: &mut Invocation<'_>, exec: &Exec, index: usize) -> Done<()> {
        let batch = std::mem::take(&mut self.batches[index]);
        let argv: Vec<Vec<u8>> = exec.words.iter().cloned().chain(batch.files).collect();
        if self.start(call, &argv, batch.dir.as_ref()).await? != Some(0) {
            self.status = 1;
        }
        Ok(())
    }

    /// Runs a command; none where there is none of the name.
    async fn start(
        &mut self,
        call: &mut Invocation<'_>,
        argv: &[Vec<u8>],
        dir: Option<&vfs::Place>,
    ) -> Done<Option<u8>> {
        match start(call, argv, call.env, dir.unwrap_or(call.cwd)).await {
            Ok(status) => Ok(Some(status)),
            Err(error) => {
                let name = argv.first().map(Vec::as_slice).unwrap_or_default();
                call.warn(say!(quoted(name), ": ", words(&error))).await;
                if error.is(Errno::EAGAIN) || error.is(Errno::ENOMEM) {
                    return Err(Failure::Status(1));
                }
                Ok(None)
            }
        }
    }

    async fn finish(&mut self, call: &mut Invocation<'_>) -> Done<()> {
        let root = std::mem::replace(&mut self.expression.root, Node::True);
        let mut all = Vec::new();
        collect(&root, &mut all);
        for exec in all {
            if let Some(index) = exec.batch
                && !self.batches[index].files.is_empty()
            {
                self.run_batch(call, exec, index).await?;
            }
        }
        Ok(())
    }
}

/// Runs `argv` on this command's own standard files, and gives its status.
pub(super) async fn start(
    call: &mut Invocation<'_>,
    argv: &[Vec<u8>],
    env: &super::Env,
    cwd: &vfs::Place,
) -> vfs::Result<u8> {
    // What was written so far comes first.
    let _told_at_the_end = call.stdout.flush().await;
    let stdio = [call.stdin.file().clone(), call.stdout.file().clone(), call.stderr.file().clone()];
    call.shell.run(Call { argv, env, cwd, stdio }).await
}

fn collect<'n>(node: &'n Node, all: &mut Vec<&'n Exec>) {
    match node {
        Node::And(left, right) | Node::Or(left, right) | Node::List(left, right) => {
            collect(left, all);
            collect(right, all);
        }
        Node::Not(inner) => collect(inner, all),
        Node::Exec(exec) => all.push(exec),
        _ => {}
    }
}

/// `word` with each `{}` replaced.
pub(super) fn replaced(word: &[u8], by: &[u8]) -> Vec<u8> {
    substituted(word, b"{}", by)
}

/// `word` with each `what` replaced.
pub(super) fn substituted(word: &[u8], what: &[u8], by: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = word;
    while let Some(at) = rest.windows(what.len().max(1)).position(|part| part == what) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(by);
        rest = &rest[at + what.len()..];
    }
    out.extend_from_slice(rest);
    out
}

/// Days are counted whole; of minutes, begun ones count.
fn aged(nanos: i128, unit: u64, compare: Compare) -> bool {
    let unit_nanos = i128::from(unit) * 1_000_000_000;
    if unit == 86400 {
        return compare.holds(nanos.div_euclid(unit_nanos) as i64);
    }
    match compare {
        Compare::More(n) => nanos > i128::from(n) * unit_nanos,
        Compare::Less(n) => nanos < i128::from(n) * unit_nanos,
        Compare::Exactly(n) => {
            nanos > (i128::from(n) - 1) * unit_nanos && nanos <= i128::from(n) * unit_nanos
        }
    }
}
