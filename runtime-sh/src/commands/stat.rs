//! stat(1): what is known of a file, or of what it lies on.

use super::gnu::{Done, Program, misused};
use super::messages::{quoted, say};
use super::options::Args;
use super::people::People;
use super::{Invocation, mode, times, words};
use vfs::{Follow, Kind, Place, Stat, Time};

pub(super) const PROGRAM: Program = Program::new(
    "[OPTION]... FILE...",
    "Display file or file system status.",
    "L,dereference f,file-system cached= c,format= printf= t,terse",
);

const LONG: &str = "  File: %N\n  Size: %-10s\tBlocks: %-10b IO Block: %-6o %F\nDevice: %Hd,%Ld\tInode: %-11i Links: %h\nAccess: (%04a/%10.10A)  Uid: (%5u/%8U)   Gid: (%5g/%8G)\nAccess: %x\nModify: %y\nChange: %z\n Birth: %w\n";
const SYSTEM: &str = "  File: \"%n\"\n    ID: %-8i Namelen: %-7l Type: %T\nBlock size: %-10s Fundamental block size: %S\nBlocks: Total: %-10b Free: %-10f Available: %a\nInodes: Total: %-10c Free: %d\n";
const TERSE: &str = "%n %s %b %f %u %g %D %i %h %t %T %X %Y %Z %W %o\n";
const TERSE_SYSTEM: &str = "%n %i %l %t %s %S %b %f %a %c %d\n";

pub(super) async fn run(call: &mut Invocation<'_>, args: Args) -> Done {
    if args.operands.is_empty() {
        return misused("missing operand");
    }
    let system = args.has("f");
    let (format, escapes) = match (args.value("c"), args.value("printf")) {
        (_, Some(format)) => (format.to_vec(), true),
        (Some(format), _) => (say!(format, "\n"), false),
        _ => {
            let format = match (system, args.has("t")) {
                (true, true) => TERSE_SYSTEM,
                (true, false) => SYSTEM,
                (false, true) => TERSE,
                (false, false) => LONG,
            };
            (format.as_bytes().to_vec(), false)
        }
    };
    let people = People::read(call).await;
    let follow = if args.has("L") { Follow::Yes } else { Follow::No };
    let mut status = 0;
    for path in &args.operands {
        let looked = match call.place(path, if system { Follow::Yes } else { follow }).await {
            Ok(place) => match place.stat(call.who).await {
                Ok(stat) => Ok((place, stat)),
                Err(error) => Err(error),
            },
            Err(error) => Err(error),
        };
        let (place, stat) = match looked {
            Ok(looked) => looked,
            Err(error) => {
                status = 1;
                let what = if system { "cannot read file system information for " } else { "cannot statx " };
                call.warn(say!(what, quoted(path), ": ", words(&error))).await;
                continue;
            }
        };
        let text = shown(call, &people, &format, escapes, system, path, &place, &stat).await;
        call.stdout.write(&text).await?;
    }
    Ok(status)
}

#[allow(clippy::too_many_arguments)] // a line is made of all of it
async fn shown(
    call: &Invocation<'_>,
    people: &People,
    format: &[u8],
    escapes: bool,
    system: bool,
    path: &[u8],
    place: &Place,
    stat: &Stat,
) -> Vec<u8> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < format.len() {
        match format[at] {
            b'%' => {
                let flags = format[at + 1..].iter().take_while(|b| b"-+ #0123456789.'".contains(b)).count();
                let spec = &format[at + 1..at + 1 + flags];
                at += 1 + flags;
                let high = matches!(format.get(at), Some(b'H' | b'L'))
                    && matches!(format.get(at + 1), Some(b'd' | b'r'));
                let Some(letter) = format.get(at + usize::from(high)).copied() else {
                    out.push(b'%');
                    break;
                };
                let part = if high { format[at] } else { 0 };
                at += 1 + usize::from(high);
                let text = if system {
                    of_system(path, place, letter).await
                } else {
                    of_file(call, people, path, place, stat, letter, part).await
                };
                padded(spec, &text, &mut out);
            }
            b'\\' if escapes => {
                at += 1;
                let letter = format.get(at).copied().unwrap_or(b'\\');
                out.push(super::sed::letter_escape(letter).unwrap_or(letter));
                at += 1;
            }
            byte => {
                out.push(byte);
                at += 1;
            }
        }
    }
    out
}

fn padded(spec: &[u8], text: &[u8], out: &mut Vec<u8>) {
    let left = spec.contains(&b'-');
    let body = spec.iter().position(|b| b"123456789.".contains(b)).map_or(&b""[..], |at| &spec[at..]);
    let zero = spec.iter().take_while(|b| b"-+ #0".contains(b)).any(|b| *b == b'0');
    let mut parts = body.split(|b| *b == b'.');
    let number = |part: Option<&[u8]>| {
        part.and_then(|p| std::str::from_utf8(p).ok()?.parse::<usize>().ok()).map(|n| n.min(4096))
    };
    let width = number(parts.next()).unwrap_or(0);
    let text = &text[..number(parts.next()).map_or(text.len(), |most| most.min(text.len()))];
    let fill = width.saturating_sub(text.len());
    if !left {
        out.extend(std::iter::repeat_n(if zero { b'0' } else { b' ' }, fill));
    }
    out.extend_from_slice(text);
    if left {
        out.extend(std::iter::repeat_n(b' ', fill));
    }
}

fn kind(stat: &Stat) -> &'static str {
    match stat.kind() {
        Kind::File if stat.size == 0 => "regular empty file",
        Kind::File => "regular file",
        Kind::Dir => "directory",
        Kind::Symlink => "symbolic link",
        Kind::Fifo => "fifo",
        Kind::Socket => "socket",
        Kind::CharDevice => "character special file",
        Kind::BlockDevice => "block special file",
    }
}

async fn of_file(
    call: &Invocation<'_>,
    people: &People,
    path: &[u8],
    place: &Place,
    stat: &Stat,
    letter: u8,
    part: u8,
) -> Vec<u8> {
    let zone = times::zone(call.env);
    let time = |time: Time| times::format(&times::zoned(time, &zone), b"%Y-%m-%d %H:%M:%S.%N %z");
    let tree = stat.qid.path >> 48;
    let born = stat.btime != Time::EPOCH;
    let text = match letter {
        b'%' => "%".into(),
        b'n' => return path.to_vec(),
        b'N' => {
            let mut text = quoted(path);
            if let (Kind::Symlink, Ok(to)) = (stat.kind(), place.readlink().await) {
                text.extend(say!(" -> ", quoted(&to)));
            }
            return text;
        }
        b's' => stat.size.to_string(),
        b'b' => stat.blocks.to_string(),
        b'B' => "512".into(),
        b'o' => stat.blksize.to_string(),
        b'F' => kind(stat).into(),
        b'f' => format!("{:x}", stat.st_mode()),
        b'a' => format!("{:o}", stat.mode.bits()),
        b'A' => format!("{}{}", super::find::letter(stat.kind()), mode::shown(stat.mode.bits())),
        b'u' => stat.uid.0.to_string(),
        b'U' => people.user(stat.uid.0),
        b'g' => stat.gid.0.to_string(),
        b'G' => people.group(stat.gid.0),
        b'd' if part == b'H' => "0".into(),
        b'd' => tree.to_string(),
        b'D' => format!("{tree:x}"),
        b'i' => stat.qid.path.to_string(),
        b'h' => stat.nlink.to_string(),
        b't' => format!("{:x}", stat.rdev.major),
        b'T' => format!("{:x}", stat.rdev.minor),
        b'r' if part == b'H' => stat.rdev.major.to_string(),
        b'r' if part == b'L' => stat.rdev.minor.to_string(),
        b'x' => return time(stat.atime),
        b'y' => return time(stat.mtime),
        b'z' => return time(stat.ctime),
        b'w' if born => return time(stat.btime),
        b'w' => "-".into(),
        b'X' => stat.atime.secs.to_string(),
        b'Y' => stat.mtime.secs.to_string(),
        b'Z' => stat.ctime.secs.to_string(),
        b'W' => stat.btime.secs.to_string(),
        b'm' => "/".into(),
        other => return vec![b'%', other],
    };
    text.into_bytes()
}

async fn of_system(path: &[u8], place: &Place, letter: u8) -> Vec<u8> {
    let Ok(fs) = place.statfs().await else { return b"?".to_vec() };
    let text = match letter {
        b'%' => "%".into(),
        b'n' => return path.to_vec(),
        b'a' => fs.bavail.to_string(),
        b'b' => fs.blocks.to_string(),
        b'c' => fs.files.to_string(),
        b'd' => fs.ffree.to_string(),
        b'f' => fs.bfree.to_string(),
        b'i' => format!("{:x}", fs.fsid),
        b'l' => fs.namelen.to_string(),
        b's' | b'S' => fs.bsize.to_string(),
        b't' => format!("{:x}", fs.kind),
        b'T' => format!("UNKNOWN (0x{:x})", fs.kind),
        other => return vec![b'%', other],
    };
    text.into_bytes()
}
