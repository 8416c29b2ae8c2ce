//! Simple commands: assignments, functions, builtins, programs (POSIX.1, 2.9.1).

use crate::builtins::{self, Builtin};
use crate::files::Description;
use crate::shell::{Locals, Outcome, Shell, Stop};
use crate::syntax::{Command, Redirect, Word};
use crate::vars::Value;
use std::sync::Arc;

impl Shell {
    pub(super) async fn simple(
        &mut self,
        assigns: &[(Vec<u8>, Word)],
        words: &[Word],
        redirects: &[Redirect],
    ) -> Outcome {
        self.substituted = None;
        let (argv, _held) = self.command_words(words).await?;
        let Some(name) = argv.first() else {
            return self.assignments(assigns, redirects).await;
        };
        let builtin = builtins::find(name);
        if let Some(builtin) = builtin.filter(|builtin| builtin.special) {
            return self.special(builtin, &argv, assigns, redirects).await;
        }
        let trace = self.trace_file();
        let function = self.functions.get(name).map(|(body, _)| body.clone());
        if let (Some(job), true) = (&self.job, function.is_some() || builtin.is_some()) {
            job.settle(None);
        }
        let Some(before) = self.redirect(redirects).await? else {
            return self.failed(2);
        };
        let outcome = self.with_variables(assigns, &argv, function, builtin, trace).await;
        self.restore(before);
        outcome
    }

    fn failed(&mut self, status: u8) -> Outcome {
        self.status = status;
        Ok(())
    }

    /// A command without a command.
    async fn assignments(&mut self, assigns: &[(Vec<u8>, Word)], redirects: &[Redirect]) -> Outcome {
        let trace = self.trace_file();
        let Some(before) = self.redirect(redirects).await? else { return self.failed(2) };
        let outcome = self.assign_all(assigns).await;
        if let (Ok(shown), false) = (&outcome, assigns.is_empty()) {
            self.trace(shown, trace).await;
        }
        self.restore(before);
        outcome?;
        self.status = self.substituted.take().unwrap_or(0);
        Ok(())
    }

    /// Gives what `set -x` shows of them.
    async fn assign_all(&mut self, assigns: &[(Vec<u8>, Word)]) -> Outcome<Vec<Vec<u8>>> {
        let mut shown = Vec::new();
        for (name, word) in assigns {
            let value = self.value(word).await?;
            if self.options.has('x') {
                shown.push([name.as_slice(), b"=", &value].concat());
            }
            self.assign(name, value).await?;
        }
        Ok(shown)
    }

    /// Where `set -x` shows a command: on standard error as it is before the command's own redirections.
    fn trace_file(&self) -> Option<Arc<Description>> {
        if self.options.has('x') { self.fds.get(2).cloned() } else { None }
    }
    /// `set -x`, where it is on.
    async fn trace(&mut self, words: &[Vec<u8>], file: Option<Arc<Description>>) {
        let Some(file) = file else { return };
        let prompt = self.prompt(b"PS4", b"+ ").await;
        let line = [prompt, words.join(&b' '), b"\n".to_vec()].concat();
        // Nobody is to be told that it cannot be shown.
        let _unseen = file.put(&line).await;
    }

    /// What a prompt's variable comes to.
    pub async fn prompt(&mut self, name: &[u8], default: &[u8]) -> Vec<u8> {
        let text = self.vars.get(name).unwrap_or(default).to_vec();
        if !text.iter().any(|b| matches!(b, b'$' | b'`' | b'\\')) {
            return text;
        }
        let traced = self.options.has('x');
        self.options.set('x', false);
        let shown = match crate::syntax::prompt(&text) {
            Some(word) => self.document(&word).await.unwrap_or(text),
            None => text,
        };
        self.options.set('x', traced);
        shown
    }

    async fn special(
        &mut self,
        builtin: &Builtin,
        argv: &[Vec<u8>],
        assigns: &[(Vec<u8>, Word)],
        redirects: &[Redirect],
    ) -> Outcome {
        if let Some(job) = &self.job
            && builtin.name != "exec"
        {
            job.settle(None);
        }
        let trace = self.trace_file();
        let Some(before) = self.redirect(redirects).await? else {
            self.status = 2;
            return Err(Stop::Failed(2));
        };
        let outcome = match self.assign_all(assigns).await {
            Ok(mut shown) => {
                if trace.is_some() {
                    shown.extend_from_slice(argv);
                    self.trace(&shown, trace).await;
                }
                self.builtin(builtin, argv).await
            }
            Err(stop) => Err(stop),
        };
        // `exec` without a command keeps what it redirected.
        if !(builtin.name == "exec" && argv.len() == 1 && outcome.is_ok()) {
            self.restore(before);
        }
        outcome
    }

    async fn with_variables(
        &mut self,
        assigns: &[(Vec<u8>, Word)],
        argv: &[Vec<u8>],
        function: Option<Arc<Command>>,
        builtin: Option<&'static Builtin>,
        trace: Option<Arc<Description>>,
    ) -> Outcome {
        let mut saved = Vec::with_capacity(assigns.len());
        let mut shown = Vec::new();
        for (name, word) in assigns {
            let value = self.value(word).await;
            let set = match value {
                Ok(value) => {
                    saved.push(self.vars.save(name));
                    if self.options.has('x') {
                        shown.push([name.as_slice(), b"=", &value].concat());
                    }
                    self.assign(name, value).await
                }
                Err(stop) => Err(stop),
            };
            if let Err(stop) = set {
                self.vars.restore(saved);
                return Err(stop);
            }
            self.vars.export(name);
        }
        if trace.is_some() {
            shown.extend_from_slice(argv);
            self.trace(&shown, trace).await;
        }
        let outcome = match (function, builtin) {
            (Some(body), _) => self.function(&body, &argv[1..]).await,
            (None, Some(builtin)) => self.builtin(builtin, argv).await,
            (None, None) => self.program(argv, false).await,
        };
        self.vars.restore(saved);
        outcome
    }

    pub async fn builtin(&mut self, builtin: &Builtin, argv: &[Vec<u8>]) -> Outcome {
        self.status = match (builtin.run)(self, argv).await {
            // Only the special ones' errors end a script.
            Err(Stop::Failed(status)) if !builtin.special => status,
            outcome => outcome?,
        };
        Ok(())
    }

    async fn function(&mut self, body: &Arc<Command>, args: &[Vec<u8>]) -> Outcome {
        let args = self.values(args).await?;
        let args = std::mem::replace(&mut self.args, args);
        let loops = std::mem::take(&mut self.loops);
        self.locals.push(Locals::default());
        let outcome = self.command(body).await;
        let hidden = self.locals.pop().unwrap_or_default();
        self.vars.restore(hidden.variables);
        if let Some(options) = hidden.options {
            self.options = options;
        }
        (self.args, self.loops) = (args, loops);
        match outcome {
            Err(Stop::Return(status)) => {
                self.status = status;
                Ok(())
            }
            other => other,
        }
    }

    /// Texts as positional parameters.
    pub async fn values(&mut self, texts: &[Vec<u8>]) -> Outcome<Arc<[Value]>> {
        let mut values = Vec::with_capacity(texts.len());
        for text in texts {
            match Value::new(&self.process().memory, text.clone()) {
                Ok(value) => values.push(value),
                Err(error) => return Err(self.out_of(&error).await),
            }
        }
        Ok(values.into())
    }
}
