//! Running texts: command lines, scripts, what `eval` and traps are given, and standard input as it comes.

use crate::commands::words;
use crate::files::Description;
use crate::shell::{Outcome, Shell, Stop};
use crate::syntax::{Fault, Parser};
use futures_util::future::BoxFuture;
use std::sync::Arc;
use vfs::{Errno, OpenFlags, Place};

/// The variables of the prompts, and what they are where nothing is set.
const FIRST: (&[u8], &[u8]) = (b"PS1", b"$ ");
const NEXT: (&[u8], &[u8]) = (b"PS2", b"> ");
/// The longest script, in bytes.
const LONGEST: usize = 64 << 20;

/// Cuts so many lines off a text.
fn take_lines<'t>(text: &mut &'t [u8], lines: usize) -> &'t [u8] {
    let length = text.split_inclusive(|b| *b == b'\n').take(lines).map(<[u8]>::len).sum();
    let (taken, rest) = text.split_at(length);
    *text = rest;
    taken
}

impl Shell {
    /// Runs all of a text, line by line. `$?` is what it was before, until something has run; where nothing does, it is 0.
    pub fn run_text<'a>(&'a mut self, text: &'a [u8]) -> BoxFuture<'a, Outcome> {
        let line = self.line;
        self.run_from(text, line)
    }

    pub fn run_from<'a>(&'a mut self, text: &'a [u8], line: u32) -> BoxFuture<'a, Outcome> {
        self.run_lines(text, line, false)
    }

    /// Runs a script's text: its lines are what `set -v` shows.
    pub fn run_script<'a>(&'a mut self, text: &'a [u8]) -> BoxFuture<'a, Outcome> {
        self.run_lines(text, 1, true)
    }

    fn run_lines<'a>(&'a mut self, text: &'a [u8], line: u32, shown: bool) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            let _held = self.hold(text.len()).await?;
            let mut parser = Parser::new(line);
            parser.add(text);
            parser.end();
            let mut ran = false;
            let mut unread = text;
            loop {
                let aliases = self.aliases.clone();
                let before = parser.line();
                let parsed = parser.next(&aliases);
                let lines = (parser.line() - before) as usize + usize::from(parser.is_within_line());
                let read = take_lines(&mut unread, lines);
                if shown && self.options.has('v') {
                    self.tell(read).await;
                }
                match parsed {
                    Ok(None) => {
                        if !ran {
                            self.status = 0;
                        }
                        return Ok(());
                    }
                    Ok(Some(items)) => {
                        ran |= !items.is_empty();
                        self.list(&items).await?;
                    }
                    Err(fault) => return Err(self.syntax(fault, parser.line()).await),
                }
                self.turn().await?;
            }
        })
    }

    pub async fn syntax(&mut self, fault: Fault, line: u32) -> Stop {
        let (line, text) = match fault {
            Fault::Syntax { line, text } => (line, text),
            Fault::Incomplete => (line, "end of file unexpected".into()),
        };
        self.line = line;
        self.fail(format!("Syntax error: {text}")).await
    }

    /// All of a script's file. An error is in dash's words.
    pub async fn read_script(&mut self, place: &Place) -> Result<Vec<u8>, String> {
        let file = place.open(&self.who, OpenFlags::READ).await.map_err(|error| words(&error))?;
        let mut text = Vec::new();
        let mut part = vec![0; 64 << 10];
        loop {
            match file.read(text.len() as u64, &mut part).await {
                Ok(0) => return Ok(text),
                Ok(count) if text.len() + count > LONGEST => return Err("File too large".into()),
                Ok(count) => text.extend_from_slice(&part[..count]),
                Err(error) => return Err(words(&error)),
            }
        }
    }

    /// Runs what comes on standard input, a command as soon as it is whole. What is not read yet is there for the commands.
    pub async fn run_input(&mut self) -> Outcome {
        let mut parser = Parser::new(1);
        let mut part = vec![0; 8 << 10];
        // What was read, up to what was given back.
        let mut read = Vec::new();
        let mut prompt: (&[u8], &[u8]) = FIRST;
        loop {
            let aliases = self.aliases.clone();
            match parser.next(&aliases) {
                Ok(Some(items)) if self.interactive => {
                    prompt = FIRST;
                    let outcome = self.list(&items).await;
                    self.survive(outcome).await?;
                    self.tell_of_jobs().await;
                }
                Ok(Some(items)) => {
                    let input = self.fds.get(0).cloned();
                    let rest = parser.take_rest();
                    if self.options.has('v') {
                        self.tell(&read[..read.len().saturating_sub(rest.len())]).await;
                    }
                    read.clear();
                    if let (Some(input), false) = (input, rest.is_empty()) {
                        input.give_back(&rest);
                    }
                    self.list(&items).await?;
                }
                Ok(None) => return Ok(()),
                Err(Fault::Incomplete) => {
                    let Some(input) = self.fds.get(0).cloned() else {
                        parser.end();
                        continue;
                    };
                    if self.interactive {
                        let text = self.prompt(prompt.0, prompt.1).await;
                        self.tell(&text).await;
                        prompt = NEXT;
                    }
                    match self.more(&input, &mut part).await {
                        Ok(0) => parser.end(),
                        Ok(count) => {
                            if !self.interactive {
                                read.extend_from_slice(&part[..count]);
                            } else if self.options.has('v') {
                                self.tell(&part[..count]).await;
                            }
                            parser.add(&part[..count]);
                        }
                        Err(Stop::Interrupted) => {
                            // What was typed of a command is given up.
                            parser = Parser::new(1);
                            prompt = FIRST;
                            self.status = 128 + libc::SIGINT as u8;
                        }
                        Err(stop) => return Err(stop),
                    }
                }
                Err(fault) if self.interactive => {
                    let _said = self.syntax(fault, parser.line()).await;
                    parser = Parser::new(1);
                    prompt = FIRST;
                }
                Err(fault) => {
                    if self.options.has('v') {
                        let within = parser.is_within_line();
                        let mut rest = &parser.take_rest()[..];
                        take_lines(&mut rest, usize::from(within));
                        self.tell(&read[..read.len().saturating_sub(rest.len())]).await;
                    }
                    return Err(self.syntax(fault, parser.line()).await);
                }
            }
        }
    }

    /// What ends a script, an interactive shell lives through.
    async fn survive(&mut self, outcome: Outcome) -> Outcome {
        match outcome {
            Err(Stop::Failed(status)) => {
                self.status = status;
                Ok(())
            }
            Err(Stop::Interrupted) => {
                self.status = 128 + libc::SIGINT as u8;
                Ok(())
            }
            Err(Stop::Break(_) | Stop::Continue(_)) => Ok(()),
            other => other,
        }
    }

    /// Jobs that have ended since they were last told of.
    async fn tell_of_jobs(&mut self) {
        let over: Vec<_> = self.jobs.iter().filter(|job| job.status().is_some()).cloned().collect();
        for job in over {
            let text = String::from_utf8_lossy(&job.text).into_owned();
            self.tell(format!("[{}] Done {text}\n", job.number).as_bytes()).await;
            self.jobs.forget(&job);
        }
    }

    /// Reads from `input`; signals that come meanwhile are acted on.
    async fn more(&mut self, input: &Arc<Description>, part: &mut [u8]) -> Outcome<usize> {
        loop {
            let process = self.process().clone();
            let read = tokio::select! {
                read = input.take(part) => Some(read),
                _ = process.signals.came() => None,
            };
            match read {
                None => self.act_on_signals().await?,
                Some(Ok(count)) => return Ok(count),
                Some(Err(error)) if error.is(Errno::EBADF) => return Ok(0),
                Some(Err(error)) => {
                    let text = words(&error);
                    return Err(self.fail(text).await);
                }
            }
        }
    }
}
