//! tail(1): the last lines or bytes of files, and with -f what is added to them. A file that grows is asked again when its tree tells of a
//! change, and now and then, since not every tree tells; one that is a stream waits by itself.

use super::gnu::{Done, Program, fail};
use super::messages::{quoted, say};
use super::options::Args;
use super::reach::or_stdin;
use super::{Input, Invocation, size, words};
use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::Notify;
use vfs::{Change, Errno, FileRef, Follow, Kind, Nature, OpenFlags, Watch, Watcher};

pub(super) const PROGRAM: Program = Program::new(
    "[OPTION]... [FILE]...",
    "Print the last 10 lines of each FILE to standard output.",
    "c,bytes= f,follow=? F n,lines= q,quiet,silent v,verbose s,sleep-interval= pid= retry max-unchanged-stats= z,zero-terminated 0 1 2 3 4 5 6 7 8 9",
);

#[derive(Clone, Copy)]
struct Amount {
    lines: bool,
    /// From that one on (`+N`), instead of the last ones.
    from_start: bool,
    number: u64,
}

/// A file that is followed.
struct Followed {
    path: Vec<u8>,
    shown: Vec<u8>,
    file: Option<FileRef>,
    offset: u64,
}

/// How much is read at once.
const BLOCK: usize = 32 << 10;

pub(super) async fn run(call: &mut Invocation<'_>, args: Args) -> Done {
    let mut amount = Amount { lines: true, from_start: false, number: 10 };
    let mut digits = String::new();
    let mut interval = Duration::from_secs(1);
    for given in &args.options {
        let value = given.value.as_deref().unwrap_or_default();
        match given.key {
            "n" | "c" => {
                let (from_start, text) = match value.split_first() {
                    Some((b'+', text)) => (true, text),
                    Some((b'-', text)) => (false, text),
                    _ => (false, value),
                };
                let Some(number) = size::parse(text, b"bkKmMGTPE") else {
                    let what = if given.key == "n" { "lines" } else { "bytes" };
                    return fail(say!("invalid number of ", what, ": ", quoted(value)));
                };
                amount = Amount { lines: given.key == "n", from_start, number };
            }
            "s" => match super::sleep::seconds(value) {
                Some(seconds) => interval = seconds,
                None => return fail(say!("invalid number of seconds: ", quoted(value))),
            },
            key if key.as_bytes()[0].is_ascii_digit() => {
                digits.push_str(key);
                amount =
                    Amount { lines: true, from_start: false, number: digits.parse().unwrap_or(u64::MAX) };
            }
            _ => {}
        }
    }
    let mut operands = args.operands.clone();
    // The old way: tail +5.
    if let Some(first) = operands.first()
        && let Some(number) = first.strip_prefix(b"+").and_then(|text| size::parse(text, b""))
        && operands.len() <= 2
        && args.options.is_empty()
    {
        amount = Amount { lines: true, from_start: true, number };
        operands.remove(0);
    }
    let end = if args.has("z") { 0 } else { b'\n' };
    let files = or_stdin(&operands);
    let headers = match args.last(&["q", "v"]) {
        Some(key) => key == "v",
        None => files.len() > 1,
    };
    let by_name = args.has("F") || args.value("f") == Some(b"name");
    let retry = args.has("F") || args.has("retry");
    let (mut status, mut first) = (0, true);
    let mut followed = Vec::new();
    for path in &files {
        let shown = if path == b"-" { b"standard input".to_vec() } else { path.clone() };
        let mut input = match call.open(path).await {
            Ok(input) => input,
            Err(error) => {
                status = 1;
                call.warn(say!("cannot open ", quoted(path), " for reading: ", words(&error))).await;
                if retry {
                    followed.push(Followed { path: path.clone(), shown, file: None, offset: 0 });
                }
                continue;
            }
        };
        if headers {
            let gap = if first { "" } else { "\n" };
            call.stdout.write(&say!(gap, "==> ", shown, " <==\n")).await?;
        }
        first = false;
        if let Err(error) = last(call, &mut input, amount, end).await? {
            status = 1;
            call.warn(say!("error reading ", quoted(&shown), ": ", words(&error))).await;
            continue;
        }
        followed.push(Followed {
            path: path.clone(),
            shown,
            file: Some(input.file().clone()),
            offset: input.position(),
        });
    }
    let follows = args.has("f") || args.has("F");
    // A pipe has given all that it has.
    followed.retain(|one| {
        one.path != b"-"
            || one
                .file
                .as_ref()
                .is_some_and(|f| f.nature() == Nature::Storage && f.node().kind() == Kind::File)
    });
    if !follows || followed.is_empty() {
        return Ok(status);
    }
    follow(call, followed, headers, by_name, retry, interval).await
}

/// Prints the end of one file.
async fn last(
    call: &mut Invocation<'_>,
    input: &mut Input,
    amount: Amount,
    end: u8,
) -> Done<vfs::Result<()>> {
    if amount.from_start {
        return from(call, input, amount, end).await;
    }
    let stat = match input.file().stat().await {
        Ok(stat) => stat,
        Err(error) => return Ok(Err(error)),
    };
    if stat.kind() == Kind::Dir {
        return Ok(Err(Errno::EISDIR.into()));
    }
    if stat.kind() == Kind::File && input.file().nature() == Nature::Storage && stat.size > BLOCK as u64 {
        let start = match behind(call, input, amount, end, stat.size).await {
            Ok(start) => start,
            Err(error) => return Ok(Err(error)),
        };
        input.seek(start);
        return copy(call, input).await;
    }
    let mut held = call.shell.memory().hold(0)?;
    if amount.lines {
        let mut kept: VecDeque<Vec<u8>> = VecDeque::new();
        let (mut line, mut bytes) = (Vec::new(), 0);
        loop {
            match call.line(input, end, &mut line).await {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => return Ok(Err(error)),
            }
            bytes += line.len();
            kept.push_back(std::mem::take(&mut line));
            if kept.len() as u64 > amount.number {
                bytes -= kept.pop_front().map_or(0, |line| line.len());
            }
            held.set(bytes)?;
        }
        for line in kept {
            call.stdout.write(&line).await?;
        }
        return Ok(Ok(()));
    }
    let mut kept: VecDeque<u8> = VecDeque::new();
    loop {
        let next = match call.fill(input).await {
            Ok([]) => break,
            Ok(next) => next,
            Err(error) => return Ok(Err(error)),
        };
        kept.extend(next);
        let count = next.len();
        input.take(count);
        let over = kept.len().saturating_sub(usize::try_from(amount.number).unwrap_or(usize::MAX));
        kept.drain(..over);
        held.set(kept.len())?;
    }
    let (front, back) = kept.as_slices();
    call.stdout.write(front).await?;
    call.stdout.write(back).await?;
    Ok(Ok(()))
}

/// Where the last lines or bytes of a file of `size` bytes begin: it is read from its end.
async fn behind(
    call: &Invocation<'_>,
    input: &Input,
    amount: Amount,
    end: u8,
    size: u64,
) -> vfs::Result<u64> {
    if !amount.lines {
        return Ok(size.saturating_sub(amount.number));
    }
    if amount.number == 0 {
        return Ok(size);
    }
    let mut block = vec![0; BLOCK];
    let (mut at, mut found) = (size, 0);
    while at > 0 {
        super::turn(call.shell).await;
        let start = at.saturating_sub(BLOCK as u64);
        let want = (at - start) as usize;
        let mut have = 0;
        while have < want {
            let count = input.file().read(start + have as u64, &mut block[have..want]).await?;
            if count == 0 {
                break;
            }
            have += count;
        }
        for place in memchr::memrchr_iter(end, &block[..have]) {
            let place = start + place as u64;
            // The last line's own end separates nothing.
            if place + 1 == size {
                continue;
            }
            found += 1;
            if found == amount.number {
                return Ok(place + 1);
            }
        }
        at = start;
    }
    Ok(0)
}

/// Prints one file from a line or byte on.
async fn from(
    call: &mut Invocation<'_>,
    input: &mut Input,
    amount: Amount,
    end: u8,
) -> Done<vfs::Result<()>> {
    let mut skip = amount.number.saturating_sub(1);
    while skip > 0 {
        let next = match call.fill(input).await {
            Ok([]) => return Ok(Ok(())),
            Ok(next) => next,
            Err(error) => return Ok(Err(error)),
        };
        let count = if amount.lines {
            let mut count = next.len();
            for at in memchr::memchr_iter(end, next) {
                skip -= 1;
                if skip == 0 {
                    count = at + 1;
                    break;
                }
            }
            count
        } else {
            let count = next.len().min(usize::try_from(skip).unwrap_or(usize::MAX));
            skip -= count as u64;
            count
        };
        input.take(count);
    }
    copy(call, input).await
}

async fn copy(call: &mut Invocation<'_>, input: &mut Input) -> Done<vfs::Result<()>> {
    use super::reach::Passing;
    match call.pass_on(input).await {
        Ok(()) => Ok(Ok(())),
        Err(Passing::Input(error)) => Ok(Err(error)),
        Err(Passing::Output(error)) => Err(error.into()),
    }
}

/// Wakes who waits for a change.
struct Bell(Notify);

impl Watcher for Bell {
    fn changed(&self, _path: u64, _change: Change<'_>) -> Watch {
        self.0.notify_one();
        Watch::empty()
    }
}

async fn follow(
    call: &mut Invocation<'_>,
    mut files: Vec<Followed>,
    headers: bool,
    by_name: bool,
    retry: bool,
    interval: Duration,
) -> Done {
    let bell = Arc::new(Bell(Notify::new()));
    let weak: Weak<dyn Watcher> = Arc::downgrade(&(bell.clone() as Arc<dyn Watcher>));
    let mut shown = files.last().map(|file| file.shown.clone()).unwrap_or_default();
    let mut block = vec![0; BLOCK];
    loop {
        call.stdout.flush().await?;
        for one in &mut files {
            if by_name {
                look_again(call, one, retry).await;
            }
            let Some(file) = one.file.clone() else { continue };
            // Before it is read: what comes after that is told.
            file.node().watch(&weak, Watch::CONTENT | Watch::STATUS);
            if file.nature() == Nature::Storage
                && let Ok(stat) = file.stat().await
                && stat.size < one.offset
            {
                call.warn(say!(one.shown, ": file truncated")).await;
                one.offset = 0;
            }
            loop {
                super::turn(call.shell).await;
                let read = file.read(one.offset, &mut block).await;
                let count = match read {
                    Ok(0) if file.nature() == Nature::Stream => {
                        one.file = None;
                        break;
                    }
                    Ok(0) => break,
                    Ok(count) => count,
                    Err(error) => {
                        call.warn(say!("error reading ", quoted(&one.shown), ": ", words(&error))).await;
                        one.file = None;
                        break;
                    }
                };
                one.offset += count as u64;
                if headers && shown != one.shown {
                    shown.clone_from(&one.shown);
                    call.stdout.write(&say!("\n==> ", one.shown, " <==\n")).await?;
                }
                call.stdout.write(&block[..count]).await?;
                call.stdout.flush().await?;
            }
        }
        if !by_name && files.iter().all(|one| one.file.is_none()) {
            return Ok(0);
        }
        // Whatever it was, the files are looked at: a bell that rings and a time that is over are the same.
        let _woken = tokio::time::timeout(interval, bell.0.notified()).await;
    }
}

/// Whether the name means another file by now (-F).
async fn look_again(call: &mut Invocation<'_>, one: &mut Followed, retry: bool) {
    let place = match call.place(&one.path, Follow::Yes).await {
        Ok(place) => place,
        Err(error) => {
            if one.file.take().is_some() {
                call.warn(say!(quoted(&one.shown), " has become inaccessible: ", words(&error))).await;
            }
            return;
        }
    };
    let known = one.file.as_ref().map(|file| file.node().qid().path);
    if known == Some(place.node().qid().path) || (known.is_none() && !retry) {
        return;
    }
    if let Ok(file) = place.open(call.who, OpenFlags::READ).await {
        let what = if known.is_some() {
            " has been replaced;  following new file"
        } else {
            " has appeared;  following new file"
        };
        call.warn(say!(quoted(&one.shown), what)).await;
        one.file = Some(file);
        one.offset = 0;
    }
}
