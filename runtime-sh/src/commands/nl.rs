//! nl(1): numbered lines.

use super::Invocation;
use super::gnu::{Done, Program, fail, misused};
use super::messages::{quoted, say};
use super::options::Args;
use super::pattern::{Pattern, Syntax};
use super::reach::or_stdin;

pub(super) const PROGRAM: Program = Program::new(
    "[OPTION]... [FILE]...",
    "Write each FILE to standard output, with line numbers added.",
    "b,body-numbering= d,section-delimiter= f,footer-numbering= h,header-numbering= i,line-increment= l,join-blank-lines= \
     n,number-format= p,no-renumber s,number-separator= v,starting-line-number= w,number-width=",
);

enum Which {
    All,
    Filled,
    None,
    Matching(Pattern),
}

fn which(text: &[u8], what: &str) -> Done<Which> {
    match text {
        b"a" => Ok(Which::All),
        b"t" => Ok(Which::Filled),
        b"n" => Ok(Which::None),
        [b'p', pattern @ ..] => match Pattern::new(pattern, Syntax::default()) {
            Ok(pattern) => Ok(Which::Matching(pattern)),
            Err(words) => fail(words),
        },
        _ => misused(say!("invalid ", what, " numbering style: ", quoted(text))),
    }
}

pub(super) async fn run(call: &mut Invocation<'_>, args: Args) -> Done {
    let number = |key: &str, usual: i64, what: &str| -> Done<i64> {
        match args.value(key) {
            None => Ok(usual),
            Some(text) => match std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()) {
                Some(number) => Ok(number),
                None => fail(say!("invalid ", what, ": ", quoted(text))),
            },
        }
    };
    let sections = [
        which(args.value("h").unwrap_or(b"n"), "header")?,
        which(args.value("b").unwrap_or(b"t"), "body")?,
        which(args.value("f").unwrap_or(b"n"), "footer")?,
    ];
    let start = number("v", 1, "starting line number")?;
    let step = number("i", 1, "line number increment")?;
    let width = number("w", 6, "line number field width")?.clamp(1, 1000) as usize;
    let joined = number("l", 1, "line number of blank lines")?.max(1);
    let separator = args.value("s").unwrap_or(b"\t").to_vec();
    let mark = match args.value("d").unwrap_or(b"\\:") {
        [one] => vec![*one, b':'],
        text => text.to_vec(),
    };
    let format = args.value("n").unwrap_or(b"rn").to_vec();
    let (mut section, mut current, mut blanks, mut status) = (1, start, 0, 0);
    for path in or_stdin(&args.operands) {
        let Some(mut input) = call.open_or_tell(&path).await else {
            status = 1;
            continue;
        };
        let mut line = Vec::new();
        loop {
            match call.line(&mut input, b'\n', &mut line).await {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    status = 1;
                    call.tell(&path, &error).await;
                    break;
                }
            }
            if line.last() == Some(&b'\n') {
                line.pop();
            }
            let marked = (1..=3).rev().find(|count| !mark.is_empty() && line == mark.repeat(*count));
            if let Some(count) = marked {
                section = 3 - count;
                if section == 0 && !args.has("p") {
                    current = start;
                }
                call.stdout.write(b"\n").await?;
                continue;
            }
            let numbered = match &sections[section] {
                Which::All if line.is_empty() => {
                    blanks += 1;
                    let counted = blanks >= joined;
                    if counted {
                        blanks = 0;
                    }
                    counted
                }
                Which::All => {
                    blanks = 0;
                    true
                }
                Which::Filled => !line.is_empty(),
                Which::None => false,
                Which::Matching(pattern) => pattern.is_match(&line),
            };
            let head = if numbered {
                let text = match &format[..] {
                    b"ln" => format!("{current:<width$}"),
                    b"rz" => {
                        let digits = current.unsigned_abs().to_string();
                        let sign = if current < 0 { "-" } else { "" };
                        format!("{sign}{digits:0>0$}", width.saturating_sub(sign.len()))
                    }
                    b"rn" => format!("{current:>width$}"),
                    _ => return fail(say!("invalid line numbering format: ", quoted(&format))),
                };
                current = current.saturating_add(step);
                say!(text, separator)
            } else {
                vec![b' '; width + separator.len()]
            };
            call.stdout.write(&say!(head, line, "\n")).await?;
        }
    }
    Ok(status)
}
