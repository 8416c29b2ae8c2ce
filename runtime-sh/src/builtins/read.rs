//! read: one line, cut into variables.

use super::lossy;
use crate::shell::{Outcome, Shell};
use crate::syntax::is_name;

pub(super) async fn read(shell: &mut Shell, argv: &[Vec<u8>]) -> Outcome<u8> {
    let mut args = &argv[1..];
    let mut raw = false;
    while let [first, rest @ ..] = args
        && first.starts_with(b"-")
        && first.len() > 1
    {
        args = rest;
        match first.as_slice() {
            b"-r" => raw = true,
            b"--" => break,
            b"-p" if !args.is_empty() => {
                let prompt = args[0].clone();
                args = &args[1..];
                shell.tell(&prompt).await;
            }
            other => return Err(shell.illegal_option("read", other[1] as char).await),
        }
    }
    if args.is_empty() {
        return Err(shell.wrong("read", "arg count").await);
    }
    if let Some(bad) = args.iter().find(|name| !is_name(name)) {
        return Err(shell.wrong("read", format!("{}: bad variable name", lossy(bad))).await);
    }
    let Some((line, whole)) = line(shell, raw).await? else { return Ok(1) };
    let ifs = shell.ifs().to_vec();
    for (name, value) in args.iter().zip(cut(&line, &ifs, args.len())) {
        shell.assign(name, value).await?;
    }
    Ok(u8::from(!whole))
}

/// The next line's bytes, each with whether a backslash stood before it; and whether it had an end. None where a signal came.
async fn line(shell: &mut Shell, raw: bool) -> Outcome<Option<(Vec<(u8, bool)>, bool)>> {
    let Some(input) = shell.fds.get(0).cloned() else { return Ok(Some((Vec::new(), false))) };
    let mut held = shell.hold(0).await?;
    let mut line = Vec::new();
    let mut escaped = false;
    let mut part = vec![0; 4096];
    let process = shell.process().clone();
    loop {
        let count = tokio::select! {
            biased;
            read = input.take(&mut part) => read.unwrap_or(0),
            _ = process.signals.came(), if !shell.is_subshell => return Ok(None),
        };
        if count == 0 {
            return Ok(Some((line, false)));
        }
        for (at, byte) in part[..count].iter().enumerate() {
            match byte {
                b'\n' if escaped => escaped = false,
                b'\n' => {
                    input.give_back(&part[at + 1..count]);
                    return Ok(Some((line, true)));
                }
                b'\\' if !raw && !escaped => escaped = true,
                0 => {}
                _ => {
                    line.push((*byte, escaped));
                    escaped = false;
                }
            }
        }
        if held.set(line.len() * 4).is_err() {
            return Err(shell.fail("read: memory limit reached").await);
        }
    }
}

/// The line as the values of `count` variables: the last takes all that is left.
fn cut(line: &[(u8, bool)], ifs: &[u8], count: usize) -> Vec<Vec<u8>> {
    let cuts = |at: usize| !line[at].1 && ifs.contains(&line[at].0);
    let blank = |at: usize| cuts(at) && matches!(line[at].0, b' ' | b'\t' | b'\n');
    let skip = |mut at: usize| {
        while at < line.len() && blank(at) {
            at += 1;
        }
        at
    };
    let text = |from: usize, to: usize| line[from..to].iter().map(|(byte, _)| *byte).collect::<Vec<u8>>();
    let mut values = Vec::new();
    let mut at = skip(0);
    while values.len() + 1 < count && at < line.len() {
        let end = (at..line.len()).find(|at| cuts(*at)).unwrap_or(line.len());
        values.push(text(at, end));
        at = skip(end);
        if at < line.len() && at == skip(end) && cuts(at) && !blank(at) {
            at = skip(at + 1);
        }
    }
    if values.len() < count {
        let mut end = (at..line.len()).find(|at| cuts(*at)).unwrap_or(line.len());
        // What ends its one field goes: blanks, with one other cut among them at most. Of several fields only blanks go.
        let behind: Vec<usize> = (end..line.len()).filter(|at| !blank(*at)).collect();
        if behind.len() > 1 || behind.iter().any(|at| !cuts(*at)) {
            end = line.len();
            while blank(end - 1) {
                end -= 1;
            }
        }
        values.push(text(at, end));
    }
    values.resize(count, Vec::new());
    values
}

#[cfg(test)]
mod tests {
    use super::cut;

    #[test]
    fn the_last_variable_takes_the_rest_of_the_line() {
        let parts = |text: &str, ifs: &str, count| -> Vec<String> {
            let line: Vec<(u8, bool)> = text.bytes().map(|byte| (byte, false)).collect();
            let values = cut(&line, ifs.as_bytes(), count);
            values.into_iter().map(|value| String::from_utf8(value).expect("text")).collect()
        };
        assert_eq!(parts("  a  b c  ", " \t\n", 2), ["a", "b c"]);
        assert_eq!(parts("a", " ", 3), ["a", "", ""]);
        assert_eq!(parts("a:b:c:", ":", 2), ["a", "b:c:"]);
        assert_eq!(parts("a:b:", ":", 2), ["a", "b"]);
        assert_eq!(parts(":x", ":", 2), ["", "x"]);
        assert_eq!(parts("a b , ", " ,", 2), ["a", "b"]);
        assert_eq!(parts("a b ,, ", " ,", 2), ["a", "b ,,"]);
        assert_eq!(parts("a b c , ", " ,", 2), ["a", "b c ,"]);
        assert_eq!(parts("", ":", 1), [""]);
    }
}
