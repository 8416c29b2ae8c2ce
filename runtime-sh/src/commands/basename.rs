//! basename(1) and dirname(1): the two parts of a path.

use super::Invocation;
use super::gnu::{Done, Program, misused};
use super::messages::{quoted, say};
use super::options::Args;
use super::reach::base_name;

pub(super) const PROGRAM: Program = Program::new(
    "NAME [SUFFIX]\n  or:  basename OPTION... NAME...",
    "Print NAME with any leading directory components removed.",
    "a,multiple s,suffix= z,zero",
)
.stops();

pub(super) const DIRNAME: Program = Program::new(
    "[OPTION] NAME...",
    "Output each NAME with its last non-slash component and trailing slashes removed.",
    "z,zero",
);

pub(super) async fn run(call: &mut Invocation<'_>, args: Args) -> Done {
    let end = if args.has("z") { 0 } else { b'\n' };
    let many = args.has("a") || args.has("s");
    let (names, suffix) = match &args.operands[..] {
        [] => return misused("missing operand"),
        names if many => (names, args.value("s").unwrap_or_default()),
        [_, _, extra, ..] => return misused(say!("extra operand ", quoted(extra))),
        [name, suffix] => (std::slice::from_ref(name), &suffix[..]),
        names => (names, &b""[..]),
    };
    for name in names {
        let base = base_name(name);
        let base = match base.strip_suffix(suffix) {
            Some(short) if !short.is_empty() => short,
            _ => base,
        };
        call.stdout.write(&say!(base, [end])).await?;
    }
    Ok(0)
}

pub(super) async fn dirname(call: &mut Invocation<'_>, args: Args) -> Done {
    let end = if args.has("z") { 0 } else { b'\n' };
    if args.operands.is_empty() {
        return misused("missing operand");
    }
    for name in &args.operands {
        call.stdout.write(&say!(directory(name), [end])).await?;
    }
    Ok(0)
}

fn directory(path: &[u8]) -> &[u8] {
    let trim = |path: &[u8]| path.iter().rposition(|b| *b != b'/').map_or(0, |last| last + 1);
    let end = trim(path);
    match path[..end].iter().rposition(|b| *b == b'/') {
        _ if end == 0 && !path.is_empty() => b"/",
        None => b".",
        Some(slash) => match trim(&path[..slash]) {
            0 => b"/",
            end => &path[..end],
        },
    }
}
