//! What is printed, written to files, and said at the end of a cycle.

use super::super::script::Target;
use super::{Later, Machine};
use crate::commands::gnu::{Done, Failure, fail};
use crate::commands::messages::say;
use crate::commands::{Invocation, words};

impl Machine {
    pub(super) async fn print_space(&mut self, call: &mut Invocation<'_>) -> Done<()> {
        self.put_space(call, Target::Stdout).await
    }

    pub(super) async fn put_space(&mut self, call: &mut Invocation<'_>, target: Target) -> Done<()> {
        let mut line = std::mem::take(&mut self.space);
        if self.ended {
            line.push(self.settings.end);
        }
        let put = self.put(call, target, &line, self.ended).await;
        if self.ended {
            line.pop();
        }
        self.space = line;
        put
    }

    pub(super) async fn print_first(&mut self, call: &mut Invocation<'_>, target: Target) -> Done<()> {
        match memchr::memchr(self.settings.end, &self.space) {
            Some(end) => {
                let line = self.space[..=end].to_vec();
                self.put(call, target, &line, true).await
            }
            None => self.put_space(call, target).await,
        }
    }

    /// Writes to an output. A line without an end gets it when something follows.
    pub(super) async fn put(
        &mut self,
        call: &mut Invocation<'_>,
        target: Target,
        text: &[u8],
        ended: bool,
    ) -> Done<()> {
        let end = [self.settings.end];
        let (output, missing, rewrite) = match target {
            Target::File(index) => {
                let file = &mut self.outputs[index];
                (&mut file.output, &mut file.missing_newline, None)
            }
            Target::Stderr => {
                call.warn_bare(text).await;
                return Ok(());
            }
            Target::Stdout => match &mut self.lines.rewrite {
                Some(rewrite) => (&mut rewrite.output, &mut rewrite.missing_newline, Some(&self.lines.name)),
                None => (&mut call.stdout, &mut self.missing_newline, None),
            },
        };
        let mut written = Ok(());
        if std::mem::take(missing) {
            written = output.write(&end).await;
        }
        if written.is_ok() {
            written = output.write(text).await;
        }
        *missing = !ended;
        match (written, target) {
            (Ok(()), Target::File(_)) => {
                // What is written with w is there when another command reads it.
                output
                    .flush()
                    .await
                    .map_err(|error| Failure::Said(say!("couldn't write to file: ", words(&error))))
            }
            (Ok(()), _) => Ok(()),
            (Err(error), Target::File(index)) => {
                fail(say!("couldn't write to ", self.script.outputs[index], ": ", words(&error)))
            }
            (Err(error), _) => match rewrite {
                Some(name) => fail(say!("couldn't write to ", name, ": ", words(&error))),
                None => Err(Failure::Output(error)),
            },
        }
    }

    pub(super) async fn write_later(&mut self, call: &mut Invocation<'_>) -> Done<()> {
        for later in std::mem::take(&mut self.later) {
            match later {
                Later::Text(text) => self.put(call, Target::Stdout, &text, true).await?,
                Later::Line(mut line, ended) => {
                    line.push(self.settings.end);
                    let text = if ended { &line[..] } else { &line[..line.len() - 1] };
                    self.put(call, Target::Stdout, text, ended).await?;
                }
                Later::File(name) => {
                    let standard = name == b"/dev/stdin";
                    let input = call.open(if standard { b"-" } else { &name }).await;
                    // A file that cannot be read is one without lines (POSIX).
                    let Ok(mut input) = input else { continue };
                    loop {
                        let Ok(next) = call.fill(&mut input).await else { break };
                        if next.is_empty() {
                            break;
                        }
                        let piece = next.to_vec();
                        input.take(piece.len());
                        self.put(call, Target::Stdout, &piece, true).await?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// The text as l shows it.
pub(super) fn listed(text: &[u8], width: usize, end: u8) -> Vec<u8> {
    let mut out = Vec::new();
    let mut column = 0;
    for byte in text {
        let shown: Vec<u8> = match byte {
            b'\\' => b"\\\\".to_vec(),
            7 => b"\\a".to_vec(),
            8 => b"\\b".to_vec(),
            12 => b"\\f".to_vec(),
            b'\n' => b"\\n".to_vec(),
            b'\r' => b"\\r".to_vec(),
            b'\t' => b"\\t".to_vec(),
            11 => b"\\v".to_vec(),
            32..127 => vec![*byte],
            byte => format!("\\{byte:03o}").into_bytes(),
        };
        if width > 1 && column + shown.len() > width - 1 {
            out.extend_from_slice(b"\\\n");
            column = 0;
        }
        column += shown.len();
        out.extend_from_slice(&shown);
    }
    out.push(b'$');
    out.push(end);
    out
}
