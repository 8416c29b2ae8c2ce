//! Running what was parsed: lists, pipelines and compound commands (POSIX.1, 2.9).

mod call;
mod program;
mod redirect;
mod text;

use crate::files::pipe;
use crate::shell::{Outcome, Shell, Stop};
use crate::syntax::{AndOr, Command, Item, Kind, Pipeline, Word};
use futures_util::future::BoxFuture;
use std::sync::Arc;
use tokio::task::JoinHandle;

/// How deep commands run in commands: functions that call themselves, `eval` in `eval`.
const DEPTH: u32 = 1000;

/// A strand that goes with whoever waits for it.
struct Stage(JoinHandle<Option<u8>>);

impl Drop for Stage {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Shell {
    pub fn list<'a>(&'a mut self, items: &'a [Item]) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            for item in items {
                self.turn().await?;
                if self.options.has('n') && !self.interactive {
                    continue;
                }
                if item.background {
                    self.background(&item.list).await?;
                } else {
                    self.and_or(&item.list).await?;
                }
            }
            Ok(())
        })
    }

    async fn and_or(&mut self, list: &AndOr) -> Outcome {
        let last = list.rest.len();
        self.pipeline(&list.first, last > 0).await?;
        for (index, (and, pipeline)) in list.rest.iter().enumerate() {
            if (self.status == 0) == *and {
                self.pipeline(pipeline, index + 1 < last).await?;
            }
        }
        Ok(())
    }

    /// `tested` is whether its failure decides what comes next.
    async fn pipeline(&mut self, pipeline: &Pipeline, tested: bool) -> Outcome {
        let tested = tested || pipeline.bang;
        self.tested += u32::from(tested);
        let outcome = match pipeline.stages.as_slice() {
            [only] => self.command(only).await,
            stages => self.stages(stages).await,
        };
        self.tested -= u32::from(tested);
        outcome?;
        if pipeline.bang {
            self.status = u8::from(self.status == 0);
            return Ok(());
        }
        let counts = match pipeline.stages.as_slice() {
            [only] => matches!(only.kind, Kind::Simple { .. } | Kind::Subshell(_)),
            _ => true,
        };
        self.check_failure(counts && !tested)
    }

    /// The end by `set -e`.
    fn check_failure(&self, counts: bool) -> Outcome {
        if counts && self.status != 0 && self.tested == 0 && self.options.has('e') {
            return Err(Stop::Exit(self.status));
        }
        Ok(())
    }

    async fn stages(&mut self, stages: &[Arc<Command>]) -> Outcome {
        let mut running = Vec::with_capacity(stages.len());
        let mut input = None;
        for (index, stage) in stages.iter().enumerate() {
            let mut shell = self.fork();
            if let Some(input) = input.take() {
                shell.fds.set(0, Some(input));
            }
            if index + 1 < stages.len() {
                let ends = pipe();
                let (reader, writer) = match ends {
                    Ok(ends) => ends,
                    Err(error) => return Err(self.out_of(&error).await),
                };
                input = Some(reader);
                shell.fds.set(1, Some(writer));
            }
            let stage = stage.clone();
            let life = async move {
                let outcome = shell.command(&stage).await;
                shell.finish(outcome).await
            };
            match self.process().spawn(life) {
                Ok(handle) => running.push(Stage(handle)),
                Err(_) => return Err(self.fail("Cannot fork").await),
            }
        }
        let mut status = 0;
        let mut failed = 0;
        for stage in &mut running {
            // None comes of a task that has ended, and takes us along.
            let ended = tokio::select! {
                ended = &mut stage.0 => ended,
                () = self.interrupted() => return Err(Stop::Interrupted),
            };
            status = ended.ok().flatten().unwrap_or(128 + 9);
            if status != 0 {
                failed = status;
            }
        }
        self.status = if self.options.pipefail() { failed } else { status };
        Ok(())
    }

    /// Sets a list going behind the scenes.
    async fn background(&mut self, list: &Arc<AndOr>) -> Outcome {
        let job = self.jobs.add(list.text.clone());
        let mut shell = self.fork();
        let (nothing, _) = match pipe() {
            Ok(ends) => ends,
            Err(error) => return Err(self.out_of(&error).await),
        };
        // Without job control a job does not read what the shell reads.
        if !self.options.has('m') {
            shell.fds.set(0, Some(nothing));
        }
        shell.job = Some(job.clone());
        let is_simple = list.rest.is_empty()
            && matches!(list.first.stages.as_slice(), [only] if matches!(only.kind, Kind::Simple { .. }));
        if !is_simple {
            job.settle(None);
        }
        let (list, its) = (list.clone(), job.clone());
        let life = async move {
            let status = {
                let life = async move {
                    let outcome = shell.and_or(&list).await;
                    shell.finish(outcome).await
                };
                tokio::select! {
                    status = life => status,
                    signal = its.killed() => 128 + signal as u8,
                }
            };
            its.finish(status);
        };
        if self.process().spawn(life).is_err() {
            self.jobs.forget(&job);
            return Err(self.fail("Cannot fork").await);
        }
        if self.interactive {
            let line = format!("[{}] {}\n", job.number, job.pid().await);
            self.tell(line.as_bytes()).await;
        }
        self.last_job = Some(job);
        self.status = 0;
        Ok(())
    }

    pub fn command<'a>(&'a mut self, command: &'a Arc<Command>) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            if self.depth >= DEPTH {
                return Err(self.fail(format!("commands nested more than {DEPTH} deep")).await);
            }
            self.depth += 1;
            let mut outcome = self.one(command).await;
            if outcome.is_ok() && !self.is_subshell && self.process().signals.any() {
                outcome = self.act_on_signals().await;
            }
            self.depth -= 1;
            outcome
        })
    }

    async fn one(&mut self, command: &Arc<Command>) -> Outcome {
        self.line = command.line;
        if let Kind::Simple { assigns, words } = &command.kind {
            return self.simple(assigns, words, &command.redirects).await;
        }
        if let (Some(job), false) = (&self.job, matches!(command.kind, Kind::Simple { .. })) {
            job.settle(None);
        }
        if command.redirects.is_empty() {
            return self.compound(&command.kind).await;
        }
        let saved = match self.redirect(&command.redirects).await? {
            Some(saved) => saved,
            None => {
                self.status = 2;
                return self.check_failure(true);
            }
        };
        let outcome = self.compound(&command.kind).await;
        self.restore(saved);
        outcome
    }

    async fn compound(&mut self, kind: &Kind) -> Outcome {
        match kind {
            Kind::Simple { .. } => Ok(()),
            Kind::Group(list) => self.list(list).await,
            Kind::Subshell(list) => {
                let mut inner = self.fork();
                self.status = inner.subshell(list).await;
                Ok(())
            }
            Kind::If { arms, otherwise } => {
                for (test, body) in arms {
                    if self.test(test).await? {
                        return self.list(body).await;
                    }
                }
                match otherwise {
                    Some(body) => self.list(body).await,
                    None => {
                        self.status = 0;
                        Ok(())
                    }
                }
            }
            Kind::For { name, words, body } => self.counted(name, words.as_deref(), body).await,
            Kind::While { until, test, body } => {
                let mut status = 0;
                self.loops += 1;
                let outcome = loop {
                    if let Err(stop) = self.turn().await {
                        break Err(stop);
                    }
                    match self.test(test).await {
                        Ok(yes) if yes == *until => break Ok(()),
                        Ok(_) => {}
                        Err(stop) => match self.looped(stop) {
                            Some(outcome) => break outcome,
                            None => continue,
                        },
                    }
                    let ran = self.list(body).await;
                    status = self.status;
                    if let Err(stop) = ran
                        && let Some(outcome) = self.looped(stop)
                    {
                        break outcome;
                    }
                };
                self.loops -= 1;
                self.status = status;
                outcome
            }
            Kind::Case { word, arms } => {
                let text = self.text(word).await?;
                for (patterns, list) in arms {
                    for pattern in patterns {
                        if self.pattern(pattern).await?.matches(&text) {
                            if list.is_empty() {
                                self.status = 0;
                            }
                            return self.list(list).await;
                        }
                    }
                }
                self.status = 0;
                Ok(())
            }
            Kind::Function { name, body, size } => {
                let value = crate::vars::Value::new(&self.process().memory, vec![0; *size * 4]);
                match value {
                    Ok(value) => {
                        Arc::make_mut(&mut self.functions).insert(name.clone(), (body.clone(), value));
                        self.status = 0;
                        Ok(())
                    }
                    Err(error) => Err(self.out_of(&error).await),
                }
            }
        }
    }

    async fn test(&mut self, list: &[Item]) -> Outcome<bool> {
        self.tested += 1;
        let outcome = self.list(list).await;
        self.tested -= 1;
        outcome.map(|()| self.status == 0)
    }

    async fn counted(&mut self, name: &[u8], words: Option<&[Word]>, body: &[Item]) -> Outcome {
        let (values, _held) = match words {
            Some(words) => self.arguments(words).await?,
            None => {
                let values = self.args.iter().map(|value| value.bytes().to_vec()).collect();
                (values, self.hold(0).await?)
            }
        };
        if values.is_empty() {
            self.status = 0;
        }
        self.loops += 1;
        let mut outcome = Ok(());
        for value in values {
            if let Err(stop) = self.assign(name, value).await {
                outcome = Err(stop);
                break;
            }
            if let Err(stop) = self.turn().await {
                outcome = Err(stop);
                break;
            }
            if let Err(stop) = self.list(body).await
                && let Some(end) = self.looped(stop)
            {
                outcome = end;
                break;
            }
        }
        self.loops -= 1;
        outcome
    }

    /// What a stop within a loop's body is to the loop: none to go on with the next round.
    fn looped(&mut self, stop: Stop) -> Option<Outcome> {
        match stop {
            Stop::Break(1) => Some(Ok(())),
            Stop::Break(count) => Some(Err(Stop::Break(count - 1))),
            Stop::Continue(1) => None,
            Stop::Continue(count) => Some(Err(Stop::Continue(count - 1))),
            other => Some(Err(other)),
        }
    }

    /// Runs `items` as a subshell does, to its end; gives the status.
    pub async fn subshell(&mut self, items: &[Item]) -> u8 {
        let outcome = self.list(items).await;
        self.finish(outcome).await
    }

    /// A shell's end: its EXIT trap, and its status.
    pub async fn finish(&mut self, outcome: Outcome) -> u8 {
        let status = match self.ended(outcome) {
            Ok(status) => status,
            Err(signal) => return 128 + signal as u8,
        };
        self.status = status;
        let Some(action) = self.traps.take_exit() else { return status };
        self.interactive = false;
        match self.run_trap(&action).await {
            Ok(()) => status,
            other => self.ended(other).unwrap_or_else(|signal| 128 + signal as u8),
        }
    }

    /// The status that a shell ends with, or the signal.
    fn ended(&self, outcome: Outcome) -> Result<u8, i32> {
        match outcome {
            Ok(()) | Err(Stop::Break(_) | Stop::Continue(_)) => Ok(self.status),
            Err(Stop::Exit(status) | Stop::Failed(status) | Stop::Return(status)) => Ok(status),
            Err(Stop::Signal(signal)) => Err(signal),
            Err(Stop::Interrupted) => Err(libc::SIGINT),
        }
    }
}
