//! ls(1): what directories hold. The options are read here; what a line says of a file is `long`, how names are laid out is `layout`.

mod layout;
mod long;

use super::glob::Glob;
use super::gnu::{Done, Program, fail};
use super::messages::{named, quoted, say};
use super::options::Args;
use super::people::People;
use super::reach::joined;
use super::sort::version;
use super::walk::names;
use super::{Invocation, words};
use std::cmp::Ordering;
use vfs::{Follow, Kind, Place, Stat, Time};

pub(super) const PROGRAM: Program = Program::new(
    "[OPTION]... [FILE]...",
    "List information about the FILEs (the current directory by default).",
    "a,all A,almost-all author b,escape block-size= B,ignore-backups c C color,colour=? d,directory D,dired f F,classify=? file-type format= \
     full-time g group-directories-first G,no-group h,human-readable si H,dereference-command-line \
     dereference-command-line-symlink-to-dir hide= hyperlink=? indicator-style= i,inode I,ignore= k,kibibytes l L,dereference m \
     n,numeric-uid-gid N,literal o p q,hide-control-chars show-control-chars Q,quote-name quoting-style= r,reverse R,recursive s,size \
     S sort= time= time-style= t T,tabsize= u U v w,width= x X Z,context zero 1",
)
.trouble(2);

#[derive(Clone, Copy, PartialEq)]
enum Format {
    Long,
    OnePerLine,
    Columns,
    Across,
    Commas,
}

#[derive(Clone, Copy, PartialEq)]
enum Sort {
    Name,
    None,
    Size,
    Time,
    Version,
    Extension,
}

#[derive(Clone, Copy, PartialEq)]
enum Indicator {
    None,
    Slash,
    FileType,
    Classify,
}

#[derive(Clone, Copy, PartialEq)]
enum Quoting {
    Literal,
    Shell,
    /// As a shell takes it, with no escapes.
    Raw,
    Always,
    C,
    Escape,
}

struct Settings {
    format: Format,
    sort: Sort,
    reversed: bool,
    dirs_first: bool,
    all: bool,
    almost: bool,
    no_backups: bool,
    ignored: Vec<Glob>,
    hidden: Vec<Glob>,
    dirs_themselves: bool,
    recursive: bool,
    follow: Follow,
    follow_given: bool,
    indicator: Indicator,
    quoting: Quoting,
    hide_control: bool,
    inode: bool,
    blocks: bool,
    /// What sizes are divided by; human ones by powers of the base.
    block: u64,
    human: Option<u64>,
    size_block: u64,
    owner: bool,
    group: bool,
    author: bool,
    numeric: bool,
    clock: Clock,
    style: Vec<u8>,
    width: usize,
    end: u8,
}

#[derive(Clone, Copy, PartialEq)]
enum Clock {
    Modify,
    Change,
    Access,
    Birth,
}

/// A file that is listed.
struct Item {
    name: Vec<u8>,
    place: Place,
    stat: Stat,
    /// Where a link leads, for the long format.
    target: Option<(Vec<u8>, Option<Stat>)>,
}

impl Clock {
    fn of(self, stat: &Stat) -> Time {
        match self {
            Clock::Modify => stat.mtime,
            Clock::Change => stat.ctime,
            Clock::Access => stat.atime,
            Clock::Birth => stat.btime,
        }
    }
}

fn settings(args: &Args, live: bool) -> Done<Settings> {
    let mut s = Settings {
        format: if live { Format::Columns } else { Format::OnePerLine },
        sort: Sort::Name,
        reversed: false,
        dirs_first: false,
        all: false,
        almost: false,
        no_backups: false,
        ignored: Vec::new(),
        hidden: Vec::new(),
        dirs_themselves: false,
        recursive: false,
        follow: Follow::No,
        follow_given: false,
        indicator: Indicator::None,
        quoting: if live { Quoting::Shell } else { Quoting::Literal },
        hide_control: live,
        inode: false,
        blocks: false,
        block: 1024,
        human: None,
        size_block: 1,
        owner: true,
        group: true,
        author: false,
        numeric: false,
        clock: Clock::Modify,
        style: Vec::new(),
        width: 80,
        end: b'\n',
    };
    let (mut sort_given, mut time_given) = (false, false);
    for given in &args.options {
        let value = given.value.as_deref().unwrap_or_default();
        let wrong = |option: &str| fail(say!("invalid argument ", quoted(value), " for '--", option, "'"));
        match given.key {
            "a" => s.all = true,
            "A" => s.almost = true,
            "B" => s.no_backups = true,
            "b" => s.quoting = Quoting::Escape,
            "N" => s.quoting = Quoting::Literal,
            "Q" => s.quoting = Quoting::C,
            "quoting-style" => {
                s.quoting = match value {
                    b"literal" => Quoting::Literal,
                    b"shell" => Quoting::Raw,
                    b"shell-escape" => Quoting::Shell,
                    b"shell-always" | b"shell-escape-always" => Quoting::Always,
                    b"c" => Quoting::C,
                    b"escape" => Quoting::Escape,
                    _ => return wrong("quoting-style"),
                }
            }
            "q" => s.hide_control = true,
            "show-control-chars" => s.hide_control = false,
            "c" => (s.clock, time_given) = (Clock::Change, true),
            "u" => (s.clock, time_given) = (Clock::Access, true),
            "time" => {
                time_given = true;
                s.clock = match value {
                    b"atime" | b"access" | b"use" => Clock::Access,
                    b"ctime" | b"status" => Clock::Change,
                    b"birth" | b"creation" => Clock::Birth,
                    b"mtime" | b"modification" => Clock::Modify,
                    _ => return wrong("time"),
                }
            }
            "C" => s.format = Format::Columns,
            "x" => s.format = Format::Across,
            "m" => s.format = Format::Commas,
            "1" if s.format != Format::Long => s.format = Format::OnePerLine,
            "l" => s.format = Format::Long,
            "o" => (s.format, s.group) = (Format::Long, false),
            "g" => (s.format, s.owner) = (Format::Long, false),
            "n" => (s.format, s.numeric) = (Format::Long, true),
            "G" => s.group = false,
            "author" => s.author = true,
            "full-time" => (s.format, s.style) = (Format::Long, b"full-iso".to_vec()),
            "format" => {
                s.format = match value {
                    b"long" | b"verbose" => Format::Long,
                    b"commas" => Format::Commas,
                    b"horizontal" | b"across" => Format::Across,
                    b"vertical" => Format::Columns,
                    b"single-column" => Format::OnePerLine,
                    _ => return wrong("format"),
                }
            }
            "d" => s.dirs_themselves = true,
            "f" => (s.all, s.sort, sort_given) = (true, Sort::None, true),
            "F" => {
                s.indicator = match value {
                    b"" | b"always" | b"yes" | b"force" => Indicator::Classify,
                    b"auto" | b"tty" | b"if-tty" if live => Indicator::Classify,
                    _ => Indicator::None,
                }
            }
            "file-type" => s.indicator = Indicator::FileType,
            "p" => s.indicator = Indicator::Slash,
            "indicator-style" => {
                s.indicator = match value {
                    b"none" => Indicator::None,
                    b"slash" => Indicator::Slash,
                    b"file-type" => Indicator::FileType,
                    b"classify" => Indicator::Classify,
                    _ => return wrong("indicator-style"),
                }
            }
            "group-directories-first" => s.dirs_first = true,
            "h" => s.human = Some(1024),
            "si" => s.human = Some(1000),
            "k" => s.block = 1024,
            "block-size" => match super::size::parse(value, b"KMGTPE") {
                Some(size) if size > 0 => (s.block, s.size_block) = (size, size),
                _ => return fail(say!("invalid --block-size argument ", quoted(value))),
            },
            "H" | "dereference-command-line-symlink-to-dir" => s.follow_given = true,
            "L" => (s.follow, s.follow_given) = (Follow::Yes, true),
            "hide" => s.hidden.push(Glob::new(value, false)),
            "I" => s.ignored.push(Glob::new(value, false)),
            "i" => s.inode = true,
            "s" => s.blocks = true,
            "r" => s.reversed = true,
            "R" => s.recursive = true,
            "S" => (s.sort, sort_given) = (Sort::Size, true),
            "t" => (s.sort, sort_given) = (Sort::Time, true),
            "U" => (s.sort, sort_given) = (Sort::None, true),
            "v" => (s.sort, sort_given) = (Sort::Version, true),
            "X" => (s.sort, sort_given) = (Sort::Extension, true),
            "sort" => {
                sort_given = true;
                s.sort = match value {
                    b"none" => Sort::None,
                    b"size" => Sort::Size,
                    b"time" => Sort::Time,
                    b"version" => Sort::Version,
                    b"extension" => Sort::Extension,
                    b"name" => Sort::Name,
                    _ => return wrong("sort"),
                }
            }
            "time-style" => s.style = value.to_vec(),
            "w" => match std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()) {
                Some(width) => s.width = width,
                None => return fail(say!("invalid line width: ", quoted(value))),
            },
            "zero" => {
                s.end = 0;
                s.quoting = Quoting::Literal;
                s.hide_control = false;
                if s.format != Format::Long {
                    s.format = Format::OnePerLine;
                }
            }
            _ => {}
        }
    }
    // A time that is asked for is what is sorted by, unless it is shown.
    if time_given && !sort_given && s.format != Format::Long {
        s.sort = Sort::Time;
    }
    Ok(s)
}

pub(super) async fn run(call: &mut Invocation<'_>, args: Args) -> Done {
    let live = call.stdout.file().node().kind() == Kind::CharDevice;
    let mut settings = settings(&args, live)?;
    if !args.has("w")
        && let Some(width) =
            call.env.get(b"COLUMNS").and_then(|text| std::str::from_utf8(text).ok()?.parse().ok())
    {
        settings.width = width;
    }
    let mut status = 0;
    let here = [b".".to_vec()];
    let operands = if args.operands.is_empty() { &here[..] } else { &args.operands[..] };
    let (mut files, mut dirs) = (Vec::new(), Vec::new());
    for path in operands {
        let item = match given(call, &settings, path).await {
            Ok(item) => item,
            Err(error) => {
                status = 2;
                call.warn(say!("cannot access ", quoted(path), ": ", words(&error))).await;
                continue;
            }
        };
        if item.stat.kind() == Kind::Dir && !settings.dirs_themselves {
            dirs.push(item);
        } else {
            files.push(item);
        }
    }
    let people = if settings.format == Format::Long && !settings.numeric {
        People::read(call).await
    } else {
        People::default()
    };
    sort(&settings, &mut files);
    sort(&settings, &mut dirs);
    let mut printed = !files.is_empty();
    if printed {
        layout::print(call, &settings, &people, &files, false).await?;
    }
    let titles = settings.recursive || operands.len() > 1;
    let mut open: Vec<(Vec<u8>, Place, usize)> =
        dirs.into_iter().rev().map(|item| (item.name, item.place, 0)).collect();
    let mut above: Vec<u64> = Vec::new();
    while let Some((path, place, depth)) = open.pop() {
        above.truncate(depth);
        let identity = place.qid().path;
        if above.contains(&identity) {
            status = 2;
            call.warn(say!(named(&path), ": not listing already-listed directory")).await;
            continue;
        }
        above.push(identity);
        let listed = match names(call, &place).await {
            Ok(listed) => listed,
            Err(error) => {
                status = if depth == 0 { 2 } else { status.max(1) };
                call.warn(say!("cannot open directory ", quoted(&path), ": ", words(&error))).await;
                continue;
            }
        };
        if titles {
            let gap = if printed { "\n" } else { "" };
            call.stdout.write(&say!(gap, layout::quoted_name(&settings, &path), ":\n")).await?;
        }
        printed = true;
        let mut items = Vec::new();
        if settings.all {
            for name in [&b"."[..], b".."] {
                if let Ok(item) = look(call, &settings, &place, name, name, settings.follow).await {
                    items.push(item);
                }
            }
        }
        let mut held = call.shell.memory().hold(0)?;
        for name in listed {
            if !settings.shows(&name) {
                continue;
            }
            held.grow(name.len() + 256)?;
            super::turn(call.shell).await;
            match look(call, &settings, &place, &name, &name, settings.follow).await {
                Ok(item) => items.push(item),
                Err(error) => {
                    status = status.max(1);
                    call.warn(say!("cannot access ", quoted(&joined(&path, &name)), ": ", words(&error)))
                        .await;
                }
            }
        }
        sort(&settings, &mut items);
        layout::print(call, &settings, &people, &items, true).await?;
        if settings.recursive {
            let below = items.into_iter().rev().filter(|item| item.stat.kind() == Kind::Dir);
            let below = below.filter(|item| item.name != b"." && item.name != b"..");
            open.extend(below.map(|item| (joined(&path, &item.name), item.place, depth + 1)));
        }
    }
    Ok(status)
}

impl Settings {
    fn shows(&self, name: &[u8]) -> bool {
        let dotted = name.starts_with(b".");
        if dotted && !self.all && !self.almost {
            return false;
        }
        if !self.all && !self.almost && self.hidden.iter().any(|glob| glob.matches(name)) {
            return false;
        }
        if self.no_backups && name.ends_with(b"~") {
            return false;
        }
        !self.ignored.iter().any(|glob| glob.matches(name))
    }
}

/// A file of the command line. A link to a directory is that directory, unless the listing is a long one.
async fn given(call: &Invocation<'_>, settings: &Settings, path: &[u8]) -> vfs::Result<Item> {
    let looks_behind = settings.format != Format::Long
        && settings.indicator != Indicator::Classify
        && !settings.dirs_themselves;
    if settings.follow_given {
        match look(call, settings, call.cwd, path, path, Follow::Yes).await {
            Err(error) if settings.follow == Follow::Yes => return Err(error),
            Err(_) => {}
            found => return found,
        }
    }
    let item = look(call, settings, call.cwd, path, path, Follow::No).await?;
    if item.stat.kind() == Kind::Symlink
        && looks_behind
        && let Ok(behind) = look(call, settings, call.cwd, path, path, Follow::Yes).await
        && behind.stat.kind() == Kind::Dir
    {
        return Ok(behind);
    }
    Ok(item)
}

async fn look(
    call: &Invocation<'_>,
    settings: &Settings,
    from: &Place,
    path: &[u8],
    name: &[u8],
    follow: Follow,
) -> vfs::Result<Item> {
    let place = from.resolve(call.who, path, follow).await?;
    let stat = place.stat(call.who).await?;
    let mut target = None;
    if stat.kind() == Kind::Symlink && (settings.format == Format::Long || settings.dirs_first) {
        let to = place.readlink().await?;
        let behind = match from.resolve(call.who, path, Follow::Yes).await {
            Ok(place) => place.stat(call.who).await.ok(),
            Err(_) => None,
        };
        target = Some((to.to_vec(), behind));
    }
    Ok(Item { name: name.to_vec(), place, stat, target })
}

fn sort(settings: &Settings, items: &mut [Item]) {
    let extension =
        |name: &[u8]| name.iter().rposition(|b| *b == b'.').map_or(Vec::new(), |dot| name[dot..].to_vec());
    let order = |a: &Item, b: &Item| -> Ordering {
        match settings.sort {
            Sort::Name | Sort::None => Ordering::Equal,
            Sort::Size => b.stat.size.cmp(&a.stat.size),
            Sort::Time => settings.clock.of(&b.stat).cmp(&settings.clock.of(&a.stat)),
            Sort::Version => version(&a.name, &b.name),
            Sort::Extension => extension(&a.name).cmp(&extension(&b.name)),
        }
        .then_with(|| a.name.cmp(&b.name))
    };
    if settings.sort != Sort::None {
        items.sort_by(|a, b| if settings.reversed { order(b, a) } else { order(a, b) });
    }
    if settings.dirs_first {
        let behind = |item: &Item| {
            item.target.as_ref().and_then(|(_, stat)| stat.as_ref()).map_or(item.stat.kind(), Stat::kind)
        };
        items.sort_by_key(|item| behind(item) != Kind::Dir);
    }
}
