//! wc: lines, words and bytes of the named files, or of stdin, through nothing but std.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::process::ExitCode;

#[derive(Default, Clone, Copy)]
struct Counts {
    lines: u64,
    words: u64,
    bytes: u64,
}

fn count(input: impl io::Read) -> io::Result<Counts> {
    let mut counts = Counts::default();
    let mut input = BufReader::new(input);
    let mut line = Vec::new();
    while input.read_until(b'\n', &mut line)? > 0 {
        counts.lines += u64::from(line.ends_with(b"\n"));
        let words = line.split(|b| b.is_ascii_whitespace()).filter(|w| !w.is_empty());
        counts.words += words.count() as u64;
        counts.bytes += line.len() as u64;
        line.clear();
    }
    Ok(counts)
}

fn main() -> ExitCode {
    let names: Vec<String> = std::env::args().skip(1).collect();
    if names.is_empty() {
        return match count(io::stdin().lock()) {
            Ok(c) => {
                println!("{} {} {}", c.lines, c.words, c.bytes);
                ExitCode::SUCCESS
            }
            Err(error) => {
                eprintln!("wc: stdin: {}", error);
                ExitCode::FAILURE
            }
        };
    }
    let mut status = ExitCode::SUCCESS;
    let mut total = Counts::default();
    for name in &names {
        match File::open(name).and_then(count) {
            Ok(c) => {
                println!("{} {} {} {}", c.lines, c.words, c.bytes, name);
                total.lines += c.lines;
                total.words += c.words;
                total.bytes += c.bytes;
            }
            Err(error) => {
                eprintln!("wc: {}: {}", name, error);
                status = ExitCode::FAILURE;
            }
        }
    }
    if names.len() > 1 {
        println!("{} {} {} total", total.lines, total.words, total.bytes);
    }
    status
}
