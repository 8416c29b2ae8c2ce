//! sed's cycle: a line in the pattern space, the script over it, what is left printed; with the hold space, ranges, and what is to be
//! written at the end of the cycle.

use super::super::gnu::{Done, Failure, fail};
use super::super::messages::say;
use super::super::pattern::{Groups, Pattern};
use super::super::{Held, Input, Invocation, Output, turn, words};
use super::Settings;
use super::lines::Lines;
use super::replacement;
use super::script::{Address, Command, Script, Substitution, Target, Until, Verb};
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
    Closed,
    Open,
    /// To this line.
    Through(u64),
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
        let zero = |command: &Command| matches!(command.at.from, Some(Address::Line(0)));
        let ranges =
            script.commands.iter().map(|c| if zero(c) { Range::Open } else { Range::Closed }).collect();
        Machine {
            script,
            settings,
            lines: Lines::new(files),
            space: Vec::new(),
            ended: true,
            hold: Vec::new(),
            ranges,
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
        for name in &self.script.inputs {
            self.inputs.push(call.open_file(name).await.ok());
        }
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
        }
        Ok(next.is_some())
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

    async fn matches(&mut self, call: &mut Invocation<'_>, address: Place) -> Done<bool> {
        Ok(match address {
            Place::Line(line) => self.lines.number == line,
            Place::Last => self.lines.is_last(call, &self.settings).await?,
            Place::Step(first, 0) => self.lines.number == first,
            Place::Step(first, step) => {
                self.lines.number >= first && (self.lines.number - first).is_multiple_of(step)
            }
            Place::Match(pattern) => self.pattern(pattern)?.is_match(&self.space),
        })
    }

    /// The expression itself, or the one used last.
    fn pattern(&mut self, given: Option<Arc<Pattern>>) -> Done<Arc<Pattern>> {
        match given.or_else(|| self.last.clone()) {
            Some(pattern) => {
                self.last = Some(pattern.clone());
                Ok(pattern)
            }
            None => fail("-e expression #1, char 0: no previous regular expression"),
        }
    }

    async fn selects(&mut self, call: &mut Invocation<'_>, index: usize) -> Done<bool> {
        let at = &self.script.commands[index].at;
        let negated = at.negated;
        let Some(from) = at.from.as_ref().map(Place::of) else { return Ok(!negated) };
        let selected = match &at.to {
            None => self.matches(call, from).await?,
            Some(_) => self.in_range(call, index, from).await?,
        };
        Ok(selected != negated)
    }

    async fn in_range(&mut self, call: &mut Invocation<'_>, index: usize, from: Place) -> Done<bool> {
        let number = self.lines.number;
        let to = match &self.script.commands[index].at.to {
            Some(Until::Address(address)) => Ok(Place::of(address)),
            Some(Until::Further(lines)) => Err(Some(*lines)),
            Some(Until::Multiple(_)) | None => Err(None),
        };
        match self.ranges[index] {
            Range::Closed => {
                if !self.matches(call, from.clone()).await? {
                    return Ok(false);
                }
                // Lines are counted from the first of the range on.
                self.ranges[index] = match (&self.script.commands[index].at.to, from) {
                    (Some(Until::Further(lines)), _) => through(number, number + lines),
                    (Some(Until::Multiple(step)), _) => {
                        through(number, if *step == 0 { number } else { number.div_ceil(*step) * step })
                    }
                    (Some(Until::Address(Address::Line(line))), _) => through(number, *line),
                    _ => Range::Open,
                };
                if let Ok(Place::Last) = to
                    && self.lines.is_last(call, &self.settings).await?
                {
                    self.ranges[index] = Range::Closed;
                }
                Ok(true)
            }
            Range::Through(last) => {
                if number >= last {
                    self.ranges[index] = Range::Closed;
                }
                // A line behind the last one is out: the lines between were read by other commands.
                if number > last {
                    return if self.matches(call, from).await? { Ok(true) } else { Ok(false) };
                }
                Ok(true)
            }
            Range::Open => {
                if let Ok(to) = to
                    && self.matches(call, to).await?
                {
                    self.ranges[index] = Range::Closed;
                }
                Ok(true)
            }
        }
    }

    async fn execute(&mut self, call: &mut Invocation<'_>, index: usize) -> Done<Flow> {
        // What a command needs of itself is taken out first: the rest of the machine is at work meanwhile.
        match &self.script.commands[index].verb {
            Verb::Block(_) | Verb::EndBlock | Verb::Label => {}
            Verb::Equals => {
                let text = format!("{}\n", self.lines.number);
                self.put(call, Target::Stdout, text.as_bytes(), true).await?;
            }
            Verb::Append(text) => self.later.push(Later::Text(text.clone())),
            Verb::Insert(text) => {
                let text = text.clone();
                self.put(call, Target::Stdout, &text, true).await?;
            }
            Verb::Change(text) => {
                let text = text.clone();
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
                let text = say!(self.lines.name, "\n");
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
                let over = self.lines.is_end(call, &self.settings).await?;
                if over && self.settings.posix {
                    return Ok(Flow::Quit { print: false, status: 0 });
                }
                if over {
                    return Ok(Flow::Quit { print: true, status: 0 });
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
                if self.lines.is_end(call, &self.settings).await? {
                    return Ok(Flow::Quit { print: !self.settings.posix, status: 0 });
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

    async fn print_space(&mut self, call: &mut Invocation<'_>) -> Done<()> {
        self.put_space(call, Target::Stdout).await
    }

    async fn put_space(&mut self, call: &mut Invocation<'_>, target: Target) -> Done<()> {
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

    async fn print_first(&mut self, call: &mut Invocation<'_>, target: Target) -> Done<()> {
        match memchr::memchr(self.settings.end, &self.space) {
            Some(end) => {
                let line = self.space[..=end].to_vec();
                self.put(call, target, &line, true).await
            }
            None => self.put_space(call, target).await,
        }
    }

    /// Writes to an output. A line without an end gets it when something follows.
    async fn put(&mut self, call: &mut Invocation<'_>, target: Target, text: &[u8], ended: bool) -> Done<()> {
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

    async fn write_later(&mut self, call: &mut Invocation<'_>) -> Done<()> {
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

/// An address without the script that it stands in.
#[derive(Clone)]
enum Place {
    Line(u64),
    Last,
    Step(u64, u64),
    Match(Option<Arc<Pattern>>),
}

impl Place {
    fn of(address: &Address) -> Place {
        match address {
            Address::Line(line) => Place::Line(*line),
            Address::Last => Place::Last,
            Address::Step(first, step) => Place::Step(*first, *step),
            Address::Match(pattern) => Place::Match(pattern.clone()),
        }
    }
}

/// The range of the lines from `number` to `last`.
fn through(number: u64, last: u64) -> Range {
    if last > number { Range::Through(last) } else { Range::Closed }
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

/// The text as l shows it.
fn listed(text: &[u8], width: usize, end: u8) -> Vec<u8> {
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
