//! A task's life, from its command line to its exit status.
//!
//! ```text
//! sh [-abCefimnsuvx] [-o NAME] -c LINE [NAME [ARG…]]     sh … FILE [ARG…]     sh … [-s [ARG…]]: standard input
//! ```

use crate::commands::Call;
use crate::files::{Description, Descriptors};
use crate::jobs::Jobs;
use crate::program::Program;
use crate::runner::Runner;
use crate::setting::Setting;
use crate::shell::{Options, Outcome, Shell, Stop};
use crate::syntax::is_name;
use crate::traps::Traps;
use crate::vars::Variables;
use std::sync::Arc;
use task::Exit;
use vfs::{Caller, FileRef, Follow, Kind, Place};

/// Permission bits that files do not get until a script says otherwise (umask(2)).
const UMASK: u32 = 0o022;

/// What a task was started with.
pub(crate) struct Given {
    pub script: Place,
    pub argv: Vec<Vec<u8>>,
    pub env: Vec<(Vec<u8>, Vec<u8>)>,
    pub cwd: Place,
}

/// Runs it to its end, which the process is told.
pub(crate) async fn live(setting: Arc<Setting>, program: Program, given: Given, stdio: [FileRef; 3]) {
    let process = setting.process.clone();
    if let Program::Command(command) = program {
        let Given { argv, env, cwd, .. } = given;
        let env = env.into_iter().collect();
        let who = Caller { umask: UMASK, ..setting.who.clone() };
        let call = Call { argv: &argv, env: &env, cwd: &cwd, stdio };
        let status = Runner::new(&setting, &who, setting.ignored).command(command, call).await;
        return process.finish(Exit::with_code(status.into()));
    }
    let mut shell = Shell::begin(setting, &given, stdio);
    let outcome = shell.whole(&program, given).await;
    if let Err(Stop::Signal(signal)) = outcome {
        return process.end_by(signal);
    }
    let status = shell.finish(outcome).await;
    drop(shell);
    process.finish(Exit::with_code(status.into()));
}

/// What the command line of `sh` says.
#[derive(Default)]
struct CommandLine {
    line: Option<Vec<u8>>,
    file: Option<Vec<u8>>,
    name: Option<Vec<u8>>,
    args: Vec<Vec<u8>>,
}

impl Shell {
    /// What it holds of `stdio` are its descriptors: one that it closes is closed.
    fn begin(setting: Arc<Setting>, given: &Given, stdio: [FileRef; 3]) -> Shell {
        let [stdin, stdout, stderr] = stdio;
        let mut fds = Descriptors::default();
        fds.set(0, Some(Description::inherited(stdin)));
        fds.set(1, Some(Description::new(stdout, false, true, false)));
        fds.set(2, Some(Description::new(stderr, false, true, false)));
        let vars = Variables::new(setting.process.memory.clone());
        let who = Caller { umask: UMASK, ..setting.who.clone() };
        Shell {
            vars,
            who,
            locals: Vec::new(),
            functions: Arc::default(),
            aliases: Arc::default(),
            name: given.argv.first().map_or(&b"sh"[..], Vec::as_slice).into(),
            args: Arc::new([]),
            options: Options::default(),
            fds,
            cwd: given.cwd.clone(),
            pwd: Arc::new([]),
            status: 0,
            before_trap: None,
            last_job: None,
            jobs: Jobs::default(),
            traps: Traps::default(),
            line: 1,
            loops: 0,
            depth: 0,
            tested: 0,
            is_subshell: false,
            job: None,
            interactive: false,
            getopts: (0, 0),
            substituted: None,
            setting,
        }
    }

    /// Sets what the environment and the shell itself give.
    async fn first_variables(&mut self, env: Vec<(Vec<u8>, Vec<u8>)>) -> Outcome {
        for (name, value) in env {
            // Others are no shell's: they do not reach what it runs either.
            if is_name(&name) {
                self.assign(&name, value).await?;
                self.vars.export(&name);
            }
        }
        self.begin_directory().await?;
        let ppid = self.setting.ppid.map_or(0, |id| id.0);
        self.assign(b"PPID", ppid.to_string().into_bytes()).await?;
        self.assign(b"OPTIND", b"1".to_vec()).await?;
        self.assign(b"IFS", b" \t\n".to_vec()).await?;
        if self.vars.get(b"PATH").is_none() {
            self.assign(b"PATH", crate::setting::PATH.to_vec()).await?;
        }
        Ok(())
    }

    async fn whole(&mut self, program: &Program, given: Given) -> Outcome {
        self.first_variables(given.env).await?;
        let mut line = CommandLine::default();
        match program {
            Program::Script(options) => {
                // As the system has it: `sh OPTION FILE ARG…`. What a task is called may look like an option.
                let name = [self.name.to_vec()];
                let ends = matches!(self.name.first(), Some(b'-' | b'+')).then(|| b"--".to_vec());
                let args = given.argv.get(1..).unwrap_or_default();
                let argv = [&name, options.as_slice(), ends.as_slice(), &name, args].concat();
                self.command_line(&argv, &mut line).await?;
                if line.file.is_some() {
                    return self.script(&given.script, line.args).await;
                }
            }
            _ => self.command_line(&given.argv, &mut line).await?,
        }
        if let Some(name) = line.name {
            self.name = name.into();
        }
        if let Some(file) = line.file {
            self.name = file.clone().into();
            let Some(place) = self.script_place(&file).await else {
                self.name = given.argv.first().map_or(&b"sh"[..], Vec::as_slice).into();
                let shown = String::from_utf8_lossy(&file).into_owned();
                self.line = 0;
                self.say(format!("cannot open {shown}: No such file")).await;
                return Err(Stop::Exit(2));
            };
            return self.script(&place, line.args).await;
        }
        self.args = self.values(&line.args).await?;
        match line.line {
            Some(text) => self.run_from(&text, 1).await,
            None => {
                self.options.set('s', true);
                let terminal =
                    [0, 2].iter().all(|fd| self.fds.get(*fd).is_some_and(|file| file.is_terminal()));
                if terminal || self.options.has('i') {
                    self.be_interactive();
                }
                self.run_input().await
            }
        }
    }

    /// Signals of the terminal's are for what runs, not for the shell.
    fn be_interactive(&mut self) {
        self.interactive = true;
        self.options.set('i', true);
        self.options.set('m', true);
        for (signal, caught) in
            [(libc::SIGINT, true), (libc::SIGTSTP, true), (libc::SIGQUIT, false), (libc::SIGTERM, false)]
        {
            self.process().signals.set(signal, caught, !caught);
        }
    }

    async fn script(&mut self, place: &Place, args: Vec<Vec<u8>>) -> Outcome {
        self.args = self.values(&args).await?;
        match self.read_script(place).await {
            Ok(text) => self.run_script(&text).await,
            Err(why) => {
                let shown = place.shown();
                self.line = 0;
                self.say(format!("cannot open {shown}: {why}")).await;
                Err(Stop::Exit(2))
            }
        }
    }

    /// The script that `sh NAME` runs: where its path leads, else along PATH.
    async fn script_place(&self, name: &[u8]) -> Option<Place> {
        if let Ok(place) = self.cwd.resolve(&self.who, name, Follow::Yes).await
            && place.kind() == Kind::File
        {
            return Some(place);
        }
        if name.contains(&b'/') {
            return None;
        }
        self.setting.locate(name, &self.path(), &self.cwd).await.ok()
    }

    async fn command_line(&mut self, argv: &[Vec<u8>], line: &mut CommandLine) -> Outcome {
        let mut at = 1;
        let (mut takes_line, mut reads_input) = (false, false);
        while let Some(word) = argv.get(at) {
            let on = match word.as_slice() {
                b"-" | b"--" => {
                    at += 1;
                    break;
                }
                [b'-', ..] => true,
                [b'+', _, ..] => false,
                _ => break,
            };
            at += 1;
            for letter in &word[1..] {
                match letter {
                    b'c' if on => takes_line = true,
                    b's' if on => reads_input = true,
                    b'l' => {}
                    b'o' => {
                        let name = argv.get(at).map(|name| String::from_utf8_lossy(name).into_owned());
                        at += 1;
                        match name.as_deref().and_then(Options::position) {
                            Some(position) => self.options.set_at(position, on),
                            None => {
                                let shown = name.unwrap_or_default();
                                self.line = 0;
                                return Err(self.fail(format!("Illegal option -o {shown}")).await);
                            }
                        }
                    }
                    other if self.options.set(*other as char, on) => {}
                    other => {
                        self.line = 0;
                        let sign = if on { '-' } else { '+' };
                        return Err(self.fail(format!("Illegal option {sign}{}", *other as char)).await);
                    }
                }
            }
        }
        let mut rest = argv.get(at..).unwrap_or_default().iter().cloned();
        if takes_line {
            match rest.next() {
                Some(text) => line.line = Some(text),
                None => {
                    self.line = 0;
                    return Err(self.fail("-c requires an argument").await);
                }
            }
            line.name = rest.next();
        } else if !reads_input {
            line.file = rest.next();
        }
        line.args = rest.collect();
        Ok(())
    }
}
