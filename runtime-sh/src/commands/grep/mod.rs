//! grep(1): lines that match. The command line is read here; which files are looked into is `files`, what is printed of one is `search`.

mod files;
mod search;

use super::gnu::{Done, Failure, Program, fail};
use super::messages::say;
use super::options::Args;
use super::pattern::{Bounds, Pattern, Syntax};
use super::{Invocation, words};
use files::Files;
use search::Search;

pub(super) const PROGRAM: Program = Program::new(
    "[OPTION]... PATTERNS [FILE]...",
    "Search for PATTERNS in each FILE.",
    "G,basic-regexp E,extended-regexp F,fixed-strings P,perl-regexp e,regexp= f,file= i,y,ignore-case \
     no-ignore-case v,invert-match w,word-regexp x,line-regexp c,count color,colour=? L,files-without-match \
     l,files-with-matches m,max-count= o,only-matching q,quiet,silent s,no-messages b,byte-offset H,with-filename \
     h,no-filename label= n,line-number T,initial-tab Z,null A,after-context= B,before-context= C,context= a,text \
     binary-files= I D,devices= d,directories= exclude= exclude-from= exclude-dir= include= r,recursive \
     R,dereference-recursive line-buffered U,binary z,null-data 0 1 2 3 4 5 6 7 8 9",
)
.shows_usage()
.trouble(2);

/// egrep and fgrep are called by their own names.
pub(super) async fn extended(call: &mut Invocation<'_>, args: Args) -> Done {
    grep(call, args, "E").await
}
pub(super) async fn fixed(call: &mut Invocation<'_>, args: Args) -> Done {
    grep(call, args, "F").await
}
pub(super) async fn run(call: &mut Invocation<'_>, args: Args) -> Done {
    grep(call, args, "G").await
}

async fn grep(call: &mut Invocation<'_>, args: Args, usual: &'static str) -> Done {
    let mut operands = args.operands.as_slice();
    let mut texts: Vec<Vec<u8>> = Vec::new();
    let lines = |text: &[u8]| text.split(|b| *b == b'\n').map(<[u8]>::to_vec).collect::<Vec<_>>();
    for given in &args.options {
        match (given.key, &given.value) {
            ("e", Some(text)) => texts.extend(lines(text)),
            ("f", Some(path)) => {
                let text = match call.open(path).await {
                    Ok(mut input) => call.rest(&mut input).await,
                    Err(error) => Err(error),
                };
                let mut text = match text {
                    Ok(text) => text,
                    Err(error) => return fail(say!(path, ": ", words(&error))),
                };
                if text.is_empty() {
                    continue;
                }
                if text.ends_with(b"\n") {
                    text.pop();
                }
                texts.extend(lines(&text));
            }
            _ => {}
        }
    }
    if !args.has("e") && !args.has("f") {
        let Some((text, rest)) = operands.split_first() else {
            let name = call.name();
            let usage = format!(
                "Usage: {name} [OPTION]... PATTERNS [FILE]...\nTry '{name} --help' for more information.\n"
            );
            call.warn_bare(usage.as_bytes()).await;
            return Err(Failure::Status(2));
        };
        texts = lines(text);
        operands = rest;
    }
    let kind = args.last(&["G", "E", "F", "P"]).unwrap_or(usual);
    let bounds = if args.has("x") {
        Bounds::Line
    } else if args.has("w") {
        Bounds::Word
    } else {
        Bounds::Any
    };
    let ignore_case = args.last(&["i", "no-ignore-case"]) == Some("i");
    let syntax = Syntax { extended: kind == "E", ignore_case, lenient: true, bounds, ..Syntax::default() };
    if kind != "F" && kind != "P" && texts.iter().any(|text| looks_like_a_lone_class(text)) {
        return fail("character class syntax is [[:space:]], not [:space:]");
    }
    let patterns = if kind == "P" {
        perl(&texts, ignore_case, bounds)?
    } else {
        match Pattern::any(&texts, syntax, kind == "F") {
            Ok(patterns) => patterns,
            Err(words) => return fail(words),
        }
    };
    let mut search = Search::new(&args, patterns)?;
    let files = Files::new(&args)?;
    files.search(call, operands, &mut search).await
}

fn perl(texts: &[Vec<u8>], ignore_case: bool, bounds: Bounds) -> Done<Vec<Pattern>> {
    let mut patterns = Vec::new();
    for text in texts {
        let Ok(text) = std::str::from_utf8(text) else { return fail("a pattern of -P must be UTF-8") };
        let text = match bounds {
            Bounds::Any => text.to_owned(),
            Bounds::Word => format!("\\b{{start-half}}(?:{text})\\b{{end-half}}"),
            Bounds::Line => format!("\\A(?:{text})\\z"),
        };
        match Pattern::perl(&text, ignore_case) {
            Ok(pattern) => patterns.push(pattern),
            Err(words) => return fail(words),
        }
    }
    Ok(patterns)
}

/// `[:space:]` instead of `[[:space:]]`.
fn looks_like_a_lone_class(text: &[u8]) -> bool {
    let starts =
        text.windows(2).enumerate().filter(|(at, pair)| *pair == b"[:" && (*at == 0 || text[at - 1] != b'['));
    starts.map(|(at, _)| &text[at..]).any(|rest| {
        let end = rest.iter().position(|b| *b == b']').unwrap_or(0);
        end > 2 && rest[end - 1] == b':'
    })
}
