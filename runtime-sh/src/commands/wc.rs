//! wc(1): lines, words and bytes.

use super::gnu::{Done, Program, fail};
use super::messages::{named, quoted, say};
use super::options::Args;
use super::{Input, Invocation, words};
use vfs::Kind;

pub(super) const PROGRAM: Program = Program::new(
    "[OPTION]... [FILE]...",
    "Print newline, word, and byte counts for each FILE.",
    "c,bytes m,chars l,lines L,max-line-length w,words files0-from=",
);

#[derive(Clone, Copy, Default)]
struct Counts {
    lines: u64,
    words: u64,
    bytes: u64,
    longest: u64,
    column: u64,
    in_word: bool,
}

impl Counts {
    fn add(&mut self, text: &[u8], only_lines: bool) {
        self.bytes += text.len() as u64;
        if only_lines {
            self.lines += memchr::memchr_iter(b'\n', text).count() as u64;
            return;
        }
        for byte in text {
            match byte {
                b'\n' => {
                    self.lines += 1;
                    self.end_line();
                }
                b'\r' | 12 => self.end_line(),
                b'\t' => self.column += 8 - self.column % 8,
                32..127 => self.column += 1,
                _ => {}
            }
            let space = matches!(byte, b' ' | 9..=13);
            let printable = (33..127).contains(byte);
            if space {
                self.in_word = false;
            } else if printable && !self.in_word {
                self.in_word = true;
                self.words += 1;
            }
        }
    }
    fn end_line(&mut self) {
        self.longest = self.longest.max(self.column);
        self.column = 0;
    }
}

pub(super) async fn run(call: &mut Invocation<'_>, args: Args) -> Done {
    let mut files = args.operands.clone();
    if let Some(list) = args.value("files0-from") {
        let text = match call.open(list).await {
            Ok(mut input) => call.rest(&mut input).await,
            Err(error) => Err(error),
        };
        match text {
            Ok(text) => {
                files = text.split(|b| *b == 0).filter(|name| !name.is_empty()).map(<[u8]>::to_vec).collect()
            }
            Err(error) => return fail(say!("cannot open ", quoted(list), " for reading: ", words(&error))),
        }
    }
    let unnamed = files.is_empty();
    if unnamed {
        files.push(b"-".to_vec());
    }
    let chosen: Vec<&str> = ["l", "w", "m", "c", "L"].into_iter().filter(|key| args.has(key)).collect();
    let chosen = if chosen.is_empty() { vec!["l", "w", "c"] } else { chosen };
    let width = width(call, &files, chosen.len()).await;
    let only_lines = !chosen.iter().any(|key| *key == "w" || *key == "L");
    let (mut total, mut status) = (Counts::default(), 0);
    for path in &files {
        let Some(mut input) = call.open_or_tell(path).await else {
            status = 1;
            continue;
        };
        let (counts, failed) = count(call, &mut input, only_lines).await;
        if let Some(error) = failed {
            status = 1;
            call.tell(path, &error).await;
        }
        let name = if unnamed { None } else { Some(path.as_slice()) };
        print(call, &counts, &chosen, width, name).await?;
        total.lines += counts.lines;
        total.words += counts.words;
        total.bytes += counts.bytes;
        total.longest = total.longest.max(counts.longest);
    }
    if files.len() > 1 {
        print(call, &total, &chosen, width, Some(b"total")).await?;
    }
    Ok(status)
}

async fn count(
    call: &mut Invocation<'_>,
    input: &mut Input,
    only_lines: bool,
) -> (Counts, Option<vfs::Error>) {
    let mut counts = Counts::default();
    loop {
        let next = match call.fill(input).await {
            Ok([]) => break,
            Ok(next) => next,
            Err(error) => return (counts, Some(error)),
        };
        counts.add(next, only_lines);
        let taken = next.len();
        input.take(taken);
    }
    counts.end_line();
    (counts, None)
}

/// As wide as the largest number can be: that of the sizes' sum; 7 where something is no regular file.
async fn width(call: &Invocation<'_>, files: &[Vec<u8>], columns: usize) -> usize {
    if files.len() == 1 && columns == 1 {
        return 1;
    }
    let (mut sum, mut least) = (0, 1);
    for path in files {
        let stat = if path == b"-" {
            call.stdin.file().stat().await
        } else {
            call.stat(path, vfs::Follow::Yes).await
        };
        match stat {
            Ok(stat) if stat.kind() == Kind::File => sum += stat.size,
            Ok(_) => least = 7,
            Err(_) => {}
        }
    }
    sum.to_string().len().max(least)
}

async fn print(
    call: &mut Invocation<'_>,
    counts: &Counts,
    chosen: &[&str],
    width: usize,
    name: Option<&[u8]>,
) -> Done<()> {
    let numbers: Vec<String> = chosen
        .iter()
        .map(|key| {
            let number = match *key {
                "l" => counts.lines,
                "w" => counts.words,
                "L" => counts.longest,
                _ => counts.bytes,
            };
            format!("{number:>width$}")
        })
        .collect();
    let mut line = numbers.join(" ").into_bytes();
    if let Some(name) = name {
        line.push(b' ');
        line.extend_from_slice(&if name.contains(&b'\n') { named(name) } else { name.to_vec() });
    }
    line.push(b'\n');
    call.stdout.write(&line).await?;
    Ok(())
}
