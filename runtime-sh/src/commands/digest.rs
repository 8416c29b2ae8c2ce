//! md5sum, sha1sum, sha224sum, sha256sum, sha384sum, sha512sum: digests of files, made and checked.

use super::gnu::{Done, Program, fail};
use super::messages::{named, say};
use super::options::Args;
use super::reach::or_stdin;
use super::{Invocation, words};
use sha2::digest::DynDigest;

pub(super) const PROGRAM: Program = Program::new(
    "[OPTION]... [FILE]...",
    "Print or check digests.",
    "b,binary c,check tag t,text z,zero ignore-missing quiet status strict w,warn",
);

fn digest(name: &str) -> (Box<dyn DynDigest + Send>, &'static str) {
    match name {
        "md5sum" => (Box::new(md5::Md5::default()), "MD5"),
        "sha1sum" => (Box::new(sha1::Sha1::default()), "SHA1"),
        "sha224sum" => (Box::new(sha2::Sha224::default()), "SHA224"),
        "sha384sum" => (Box::new(sha2::Sha384::default()), "SHA384"),
        "sha512sum" => (Box::new(sha2::Sha512::default()), "SHA512"),
        _ => (Box::new(sha2::Sha256::default()), "SHA256"),
    }
}

async fn of(call: &mut Invocation<'_>, path: &[u8]) -> vfs::Result<String> {
    let (mut digest, _) = digest(&call.name());
    let mut input = call.open(path).await?;
    loop {
        let next = call.fill(&mut input).await?;
        if next.is_empty() {
            break;
        }
        digest.update(next);
        let count = next.len();
        input.take(count);
    }
    Ok(digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

pub(super) async fn run(call: &mut Invocation<'_>, args: Args) -> Done {
    if args.has("c") {
        return check(call, &args).await;
    }
    let end = if args.has("z") { 0 } else { b'\n' };
    let mut status = 0;
    for path in or_stdin(&args.operands) {
        let sum = match of(call, &path).await {
            Ok(sum) => sum,
            Err(error) => {
                status = 1;
                call.tell(&path, &error).await;
                continue;
            }
        };
        // A name that would break the line is escaped, and the line begins with a backslash.
        let breaks = !args.has("z") && path.iter().any(|b| matches!(b, b'\\' | b'\n' | b'\r'));
        let shown = if breaks { escaped(&path) } else { path.clone() };
        let mark = if breaks { "\\" } else { "" };
        let line = if args.has("tag") {
            let (_, algorithm) = digest(&call.name());
            say!(mark, algorithm, " (", shown, ") = ", sum, [end])
        } else {
            let kind = if args.last(&["b", "t"]) == Some("b") { "*" } else { " " };
            say!(mark, sum, " ", kind, shown, [end])
        };
        call.stdout.write(&line).await?;
    }
    Ok(status)
}

fn escaped(name: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for byte in name {
        match byte {
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            byte => out.push(*byte),
        }
    }
    out
}

/// A line `SUM  NAME` or `NAME (FILE) = SUM`.
fn parse(line: &[u8], digits: usize) -> Option<(String, Vec<u8>)> {
    let is_sum = |text: &[u8]| text.len() == digits && text.iter().all(u8::is_ascii_hexdigit);
    let lower = |text: &[u8]| String::from_utf8_lossy(text).to_ascii_lowercase();
    let (escaped, line) = line.strip_prefix(b"\\").map_or((false, line), |line| (true, line));
    let (sum, name) = if let Some(open) = line.windows(2).position(|pair| pair == b" (") {
        let close = line.windows(4).rposition(|part| part == b") = ");
        match close {
            Some(close) if is_sum(&line[close + 4..]) && close > open => {
                (&line[close + 4..], &line[open + 2..close])
            }
            _ => return plain(line, digits).map(|(sum, name)| (lower(sum), name.to_vec())),
        }
    } else {
        plain(line, digits)?
    };
    let mut name = name.to_vec();
    if escaped {
        name = name.split(|b| *b == b'\\').collect::<Vec<_>>().join(&b'\\');
        let text = String::from_utf8_lossy(&name).replace("\\n", "\n");
        name = text.into_bytes();
    }
    Some((lower(sum), name))
}

fn plain(line: &[u8], digits: usize) -> Option<(&[u8], &[u8])> {
    let (sum, rest) = line.split_at_checked(digits)?;
    let name = rest.strip_prefix(b"  ").or(rest.strip_prefix(b" *"))?;
    (sum.iter().all(u8::is_ascii_hexdigit) && !name.is_empty()).then_some((sum, name))
}

async fn check(call: &mut Invocation<'_>, args: &Args) -> Done {
    let (kind, _) = digest(&call.name());
    let digits = kind.output_size() * 2;
    let (quiet, silent) = (args.has("quiet"), args.has("status"));
    let mut failed = false;
    for list in or_stdin(&args.operands) {
        let mut input = match call.open(&list).await {
            Ok(input) => input,
            Err(error) => {
                failed = true;
                call.tell(&list, &error).await;
                continue;
            }
        };
        let (mut good, mut malformed, mut mismatched, mut unreadable) = (0, 0, 0, 0);
        let mut line = Vec::new();
        loop {
            match call.line(&mut input, b'\n', &mut line).await {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => return fail(say!(named(&list), ": ", words(&error))),
            }
            if line.last() == Some(&b'\n') {
                line.pop();
            }
            if line.is_empty() || line.starts_with(b"#") {
                continue;
            }
            let Some((sum, name)) = parse(&line, digits) else {
                malformed += 1;
                continue;
            };
            match of(call, &name).await {
                Ok(found) => {
                    let same = found == sum;
                    good += 1;
                    mismatched += u32::from(!same);
                    let told = !silent && (!same || !quiet);
                    if told {
                        let verdict = if same { ": OK\n" } else { ": FAILED\n" };
                        call.stdout.write(&say!(name, verdict)).await?;
                    }
                }
                Err(error) if args.has("ignore-missing") && error.is(vfs::Errno::ENOENT) => {}
                Err(error) => {
                    good += 1;
                    unreadable += 1;
                    call.tell(&name, &error).await;
                    if !silent {
                        call.stdout.write(&say!(name, ": FAILED open or read\n")).await?;
                    }
                }
            }
        }
        if good == 0 {
            failed = true;
            call.warn(say!(named(&list), ": no properly formatted checksum lines found")).await;
            continue;
        }
        if !silent {
            let plural = |count: u32, one: &str, many: &str| {
                if count == 1 { format!("{count} {one}") } else { format!("{count} {many}") }
            };
            if malformed > 0 {
                call.warn(format!(
                    "WARNING: {} improperly formatted",
                    plural(malformed, "line is", "lines are")
                ))
                .await;
            }
            if unreadable > 0 {
                call.warn(format!(
                    "WARNING: {} could not be read",
                    plural(unreadable, "listed file", "listed files")
                ))
                .await;
            }
            if mismatched > 0 {
                call.warn(format!(
                    "WARNING: {} did NOT match",
                    plural(mismatched, "computed checksum", "computed checksums")
                ))
                .await;
            }
        }
        failed |= mismatched > 0 || unreadable > 0 || (malformed > 0 && args.has("strict"));
    }
    Ok(u8::from(failed))
}
