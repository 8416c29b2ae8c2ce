//! Somebody at a terminal, who types when what he waits for is shown.

use crate::cannot_run;
use crate::door::{Door, Opened};
use nine::wire::OpenFlags;
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

/// Nothing that is waited for may take longer.
const PATIENCE: Duration = Duration::from_secs(60);

enum Keys {
    /// A task's stdio/0.
    Task(Opened),
    /// script(1), which has made a terminal.
    Script(Child),
}

impl Drop for Keys {
    /// Who fails leaves nobody at a terminal that nobody looks at: with script(1) its terminal goes, and so do those who have it.
    fn drop(&mut self) {
        if let Keys::Script(child) = self
            && matches!(child.try_wait(), Ok(None))
        {
            let _ = child.kill().and_then(|()| child.wait());
        }
    }
}

pub struct Typist {
    keys: Keys,
    screen: Receiver<Vec<u8>>,
    shown: Vec<u8>,
    /// How much of it was waited for already.
    seen: usize,
}

/// Whether there is script(1), and the shell `with` in it; says so where they are not.
pub fn has_script(what: &str, with: &str) -> bool {
    let is_there = |name: &str| Command::new(name).arg("--version").stdout(Stdio::null()).status().is_ok();
    let there = is_there("script") && (with == "sh" || is_there(with));
    if !there {
        cannot_run(what, &format!("script(1) or {with} is not installed"));
    }
    there
}

impl Typist {
    /// At the terminal of the task in `dir`, which has one.
    pub fn at_task(door: &Door, dir: &str) -> Typist {
        let keys = door.open(&format!("{dir}/stdio/0"), OpenFlags::WRONLY).expect("a task's input");
        let screen = door.open(&format!("{dir}/stdio/1"), OpenFlags::empty()).expect("a task's output");
        let (shows, shown) = mpsc::channel();
        std::thread::spawn(move || {
            let mut offset = 0;
            while let Ok(more) = screen.read(offset, 32 << 10) {
                offset += more.len() as u64;
                if more.is_empty() || shows.send(more).is_err() {
                    break;
                }
            }
        });
        Typist { keys: Keys::Task(keys), screen: shown, shown: Vec::new(), seen: 0 }
    }

    /// At a terminal of this machine's, where a shell runs `line`.
    pub fn at_script(line: &str, vars: &[(&str, &str)]) -> Typist {
        let mut child = Command::new("script")
            .args(["-qec", line, "/dev/null"])
            .envs(vars.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("script(1)");
        let mut screen = child.stdout.take().expect("it was asked for");
        let (shows, shown) = mpsc::channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = screen.read(&mut buffer) {
                if shows.send(buffer[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        Typist { keys: Keys::Script(child), screen: shown, shown: Vec::new(), seen: 0 }
    }

    pub fn types(&mut self, keys: &str) {
        match &mut self.keys {
            Keys::Task(file) => file.write_all(keys.as_bytes()).expect("a terminal takes what is typed"),
            Keys::Script(child) => {
                let stdin = child.stdin.as_mut().expect("it is kept until the end");
                stdin.write_all(keys.as_bytes()).and_then(|()| stdin.flush()).expect("script(1) reads");
            }
        }
    }

    /// Waits until `text` is shown, behind what was waited for before.
    #[track_caller]
    pub fn sees(&mut self, text: &str) {
        let end = Instant::now() + PATIENCE;
        loop {
            let rest = &self.shown[self.seen..];
            if let Some(at) = rest.windows(text.len()).position(|part| part == text.as_bytes()) {
                self.seen += at + text.len();
                return;
            }
            match self.screen.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(more) => self.shown.extend(more),
                Err(why) => {
                    panic!("{text:?} is not shown ({why}): {:?}", String::from_utf8_lossy(&self.shown))
                }
            }
        }
    }

    /// All that is shown, once no more is.
    pub fn ends(mut self) -> String {
        let end = Instant::now() + PATIENCE;
        while let Ok(more) = self.screen.recv_timeout(end.saturating_duration_since(Instant::now())) {
            self.shown.extend(more);
        }
        if let Keys::Script(child) = &mut self.keys {
            drop(child.stdin.take());
            child.wait().expect("a child can be waited for");
        }
        String::from_utf8_lossy(&self.shown).into_owned()
    }
}
