//! sed's cycle: a line in the pattern space, the script over it, what is left printed; with the hold space, ranges, and what is to be
//! written at the end of the cycle.

mod output;
mod selection;

use output::listed;

use super::Settings;
use super::lines::Lines;
use super::replacement;
use super::script::{Address, Command, Script, Substitution, Target, Verb};
use crate::commands::gnu::{Done, Failure, fail};
use crate::commands::messages::say;
use crate::commands::pattern::{Groups, Pattern};
use crate::commands::{Held, Input, Invocation, Output, turn, words};
use std::sync::Arc;

/// What comes after the line, at the end of its cycle.
enum Later {
    Text(Vec<u8>),
    File(Vec<u8>),
    /// A line that R read, and whether it had an end.
    Line(Vec<u8>, bool),
}

/// A command's range of lines.
#[derive(Clone, Copy)]
enum Range {
    /// In this file there was none yet.
    Fresh,
    Closed,
    Open,
    /// To this line.
    Through(u64),
}

impl Range {
    /// What it is before the first line: `0,/re/` is open.
    fn at_first(command: &Command) -> Range {
        if matches!(command.at.from, Some(Address::Line(0))) { Range::Open } else { Range::Fresh }
    }
}

struct FileOut {
    output: Output,
    missing_newline: bool,
}

enum Flow {
    Next,
    Jump(usize),
    /// The cycle ends, with or without printing.
    End {
        print: bool,
    },
    /// A new cycle with what is left in the pattern space.
    Restart,
    Quit {
        print: bool,
        status: u8,
    },
}

pub struct Machine {
    script: Script,
    settings: Settings,
    lines: Lines,
    space: Vec<u8>,
    /// Whether the line in the pattern space had an end.
    ended: bool,
    hold: Vec<u8>,
    ranges: Vec<Range>,
    later: Vec<Later>,
    outputs: Vec<FileOut>,
    inputs: Vec<Option<Input>>,
    missing_newline: bool,
    substituted: bool,
    last: Option<Arc<Pattern>>,
    groups: Groups,
    held: Option<Held>,
}

impl Machine {
    pub fn new(script: Script, settings: Settings, files: Vec<Vec<u8>>) -> Machine {
        Machine {
            ranges: script.commands.iter().map(Range::at_first).collect(),
            script,
            settings,
            lines: Lines::new(files),
            space: Vec::new(),
            ended: true,
            hold: Vec::new(),
            later: Vec::new(),
            outputs: Vec::new(),
            inputs: Vec::new(),
            missing_newline: false,
            substituted: false,
            last: None,
            groups: Vec::new(),
            held: None,
        }
    }

    pub async fn run(mut self, call: &mut Invocation<'_>) -> Done {
        for name in &self.script.outputs {
            match call.output(name).await {
                Ok(output) => self.outputs.push(FileOut { output, missing_newline: false }),
                Err(error) => {
                    call.warn(say!("couldn't open file ", name, ": ", words(&error))).await;
                    return Err(Failure::Status(4));
                }
            }
        }
        self.open_inputs(call).await;
        let done = self.cycles(call).await;
        for (file, name) in self.outputs.iter_mut().zip(&self.script.outputs) {
            if let Err(error) = file.output.flush().await {
                return fail(say!("couldn't flush ", name, ": ", words(&error)));
            }
        }
        match done {
            Err(Failure::Said(text)) => {
                let mistaken = text.starts_with(b"-e expression");
                call.warn(text).await;
                Err(Failure::Status(if mistaken { 1 } else { 4 }))
            }
            done => done,
        }
    }

    async fn cycles(&mut self, call: &mut Invocation<'_>) -> Done {
        let mut keep = false;
        loop {
            if !keep && !self.read(call).await? {
                return Ok(self.lines.status);
            }
            keep = false;
            let (print, quit) = match self.script_over(call).await? {
                Flow::End { print } => (print, None),
                Flow::Quit { print, status } => (print, Some(status)),
                Flow::Restart => {
                    keep = true;
                    (false, None)
                }
                Flow::Next | Flow::Jump(_) => (true, None),
            };
            if print && !self.settings.quiet {
                self.print_space(call).await?;
            }
            self.write_later(call).await?;
            if self.settings.unbuffered {
                call.stdout.flush().await?;
            }
            if let Some(status) = quit {
                self.lines.close(call).await?;
                return Ok(if status == 0 { self.lines.status } else { status });
            }
        }
    }

    /// The next line into the pattern space.
    async fn read(&mut self, call: &mut Invocation<'_>) -> Done<bool> {
        self.substituted = false;
        let mut line = std::mem::take(&mut self.space);
        let next = self.lines.next(call, &self.settings, &mut line).await?;
        self.space = line;
        if let Some(ended) = next {
            self.ended = ended;
            if self.settings.separate && self.lines.number == 1 {
                self.ranges = self.script.commands.iter().map(Range::at_first).collect();
                self.open_inputs(call).await;
            }
        }
        Ok(next.is_some())
    }

    /// The files that R reads, from their beginnings.
    async fn open_inputs(&mut self, call: &mut Invocation<'_>) {
        self.inputs.clear();
        for name in &self.script.inputs {
            self.inputs.push(call.open_file(name).await.ok());
        }
    }

    async fn script_over(&mut self, call: &mut Invocation<'_>) -> Done<Flow> {
        let mut at = 0;
        while at < self.script.commands.len() {
            turn(call.shell).await;
            if !self.selects(call, at).await? {
                at = match self.script.commands[at].verb {
                    Verb::Block(end) => end + 1,
                    _ => at + 1,
                };
                continue;
            }
            at = match self.execute(call, at).await? {
                Flow::Next => at + 1,
                Flow::Jump(to) => to,
                flow => return Ok(flow),
            };
        }
        Ok(Flow::End { print: true })
    }

    async fn execute(&mut self, call: &mut Invocation<'_>, index: usize) -> Done<Flow> {
        // What a command needs of itself is taken out first: the rest of the machine is at work meanwhile.
        match &self.script.commands[index].verb {
            Verb::Block(_) | Verb::EndBlock | Verb::Label => {}
            Verb::Equals => {
                let text = say!(self.lines.number.to_string(), [self.settings.end]);
                self.put(call, Target::Stdout, &text, true).await?;
            }
            Verb::Append(text) => self.later.push(Later::Text(text.clone())),
            Verb::Insert(text) => {
                let text = self.inserted(text);
                self.put(call, Target::Stdout, &text, true).await?;
            }
            Verb::Change(text) => {
                let text = self.inserted(text);
                let at = &self.script.commands[index].at;
                let in_range = at.to.is_some() && !at.negated && !matches!(self.ranges[index], Range::Closed);
                if !in_range {
                    self.put(call, Target::Stdout, &text, true).await?;
                }
                return Ok(Flow::End { print: false });
            }
            Verb::Branch(to) => return Ok(self.jump(*to)),
            Verb::BranchIfDone(to) => {
                let to = *to;
                if std::mem::take(&mut self.substituted) {
                    return Ok(self.jump(to));
                }
            }
            Verb::BranchUnlessDone(to) => {
                let to = *to;
                if !std::mem::take(&mut self.substituted) {
                    return Ok(self.jump(to));
                }
            }
            Verb::Delete => return Ok(Flow::End { print: false }),
            Verb::DeleteFirst => match memchr::memchr(self.settings.end, &self.space) {
                None => return Ok(Flow::End { print: false }),
                Some(end) => {
                    self.space.drain(..=end);
                    return Ok(Flow::Restart);
                }
            },
            Verb::Name => {
                let text = say!(self.lines.name, [self.settings.end]);
                self.put(call, Target::Stdout, &text, true).await?;
            }
            Verb::Get => self.space.clone_from(&self.hold),
            Verb::GetAppend => {
                self.space.push(self.settings.end);
                self.space.extend_from_slice(&self.hold);
                self.account(call)?;
            }
            Verb::Hold => self.hold.clone_from(&self.space),
            Verb::HoldAppend => {
                self.hold.push(self.settings.end);
                self.hold.extend_from_slice(&self.space);
                self.account(call)?;
            }
            Verb::Exchange => std::mem::swap(&mut self.space, &mut self.hold),
            Verb::List(width) => {
                let text = listed(&self.space, width.unwrap_or(self.settings.width), self.settings.end);
                self.put(call, Target::Stdout, &text, true).await?;
            }
            Verb::Next => {
                if self.lines.is_last(call, &self.settings).await? {
                    return Ok(Flow::End { print: !self.settings.posix });
                }
                if !self.settings.quiet {
                    self.print_space(call).await?;
                }
                self.write_later(call).await?;
                let substituted = self.substituted;
                self.read(call).await?;
                self.substituted = substituted;
            }
            Verb::NextAppend => {
                if self.lines.is_last(call, &self.settings).await? {
                    return Ok(Flow::End { print: !self.settings.posix });
                }
                self.write_later(call).await?;
                let mut before = std::mem::take(&mut self.space);
                let substituted = self.substituted;
                self.read(call).await?;
                self.substituted = substituted;
                before.push(self.settings.end);
                before.append(&mut self.space);
                self.space = before;
                self.account(call)?;
            }
            Verb::Print => self.print_space(call).await?,
            Verb::PrintFirst => self.print_first(call, Target::Stdout).await?,
            Verb::Quit(status) => return Ok(Flow::Quit { print: true, status: *status }),
            Verb::QuitSilently(status) => return Ok(Flow::Quit { print: false, status: *status }),
            Verb::ReadFile(name) => self.later.push(Later::File(name.clone())),
            Verb::ReadLine(input) => {
                let index = *input;
                if let Some(mut input) = self.inputs[index].take() {
                    let mut line = Vec::new();
                    if call.line(&mut input, self.settings.end, &mut line).await.unwrap_or(false) {
                        let ended = line.last() == Some(&self.settings.end);
                        if ended {
                            line.pop();
                        }
                        self.later.push(Later::Line(line, ended));
                        self.inputs[index] = Some(input);
                    }
                }
            }
            Verb::Substitute(_) => self.substitute(call, index).await?,
            Verb::Write(target) => {
                let target = *target;
                self.put_space(call, target).await?;
            }
            Verb::WriteFirst(target) => {
                let target = *target;
                self.print_first(call, target).await?;
            }
            Verb::Translate(table) => self.space.iter_mut().for_each(|b| *b = table[usize::from(*b)]),
            Verb::Clear => self.space.clear(),
        }
        Ok(Flow::Next)
    }

    /// The text of i and c, which ends as lines do; that of a ends in a newline, whatever lines end in.
    fn inserted(&self, text: &[u8]) -> Vec<u8> {
        let mut text = text.to_vec();
        if let Some(end) = text.last_mut() {
            *end = self.settings.end;
        }
        text
    }

    fn jump(&self, to: Option<usize>) -> Flow {
        Flow::Jump(to.unwrap_or(self.script.commands.len()))
    }

    /// Both spaces are kept in memory: counts them.
    fn account(&mut self, call: &Invocation<'_>) -> Done<()> {
        let bytes = self.space.len() + self.hold.len();
        if bytes > 64 << 10 {
            match &mut self.held {
                Some(held) => held.set(bytes)?,
                None => self.held = Some(call.shell.memory().hold(bytes)?),
            }
        }
        Ok(())
    }

    async fn substitute(&mut self, call: &mut Invocation<'_>, index: usize) -> Done<()> {
        let Verb::Substitute(rule) = &self.script.commands[index].verb else { return Ok(()) };
        let pattern = rule.pattern.clone();
        let pattern = self.pattern(pattern)?;
        let Verb::Substitute(rule) = &self.script.commands[index].verb else { return Ok(()) };
        let Some(changed) = replaced(&pattern, rule, &self.space, &mut self.groups) else { return Ok(()) };
        let (print, write) = (rule.print, rule.write);
        self.space = changed;
        self.substituted = true;
        self.account(call)?;
        if print {
            self.print_space(call).await?;
        }
        if let Some(target) = write {
            self.put_space(call, target).await?;
        }
        Ok(())
    }
}

/// What s makes of `text`; none where there is nothing to replace.
fn replaced(pattern: &Pattern, rule: &Substitution, text: &[u8], groups: &mut Groups) -> Option<Vec<u8>> {
    let (mut out, mut from, mut copied, mut count, mut done) = (Vec::new(), 0, 0, 0, false);
    let mut before = None;
    while from <= text.len() && pattern.captures(text, from, groups) {
        let found = groups[0].clone()?;
        // An empty match right behind the match before is none.
        if !(found.is_empty() && before == Some(found.start)) {
            count += 1;
            if count >= rule.number {
                out.extend_from_slice(&text[copied..found.start]);
                replacement::apply(&rule.parts, text, groups, &mut out);
                copied = found.end;
                done = true;
                if !rule.global {
                    break;
                }
            }
        }
        before = Some(found.end);
        from = if found.is_empty() { found.end + 1 } else { found.end };
    }
    if !done {
        return None;
    }
    out.extend_from_slice(&text[copied..]);
    Some(out)
}
