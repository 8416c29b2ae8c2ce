//! What can be set by writing a file and seen by reading it: type, cmd, argv, env, cwd, alias, limits, caps.
//!
//! `>` sets and `>>` adds, where there is more than one of a thing: truncating argv, env and caps empties them, and every
//! line that is written is added. type, cmd, cwd and alias are one line, the last one written. limits is a line a limit, and
//! those that are not named stay. Each write is checked by itself and fails by itself.

use crate::synth::{Edit, Edited};
use crate::task::{Shown, attr, file};
use std::sync::Arc;
use task::{Cap, Caps, Task, rc, spec};
use vfs::{Caller, Errno, Error, Kind, NodeRef, Op, Result};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Setting {
    Type,
    Cmd,
    Argv,
    Env,
    Cwd,
    Alias,
    Limits,
    Caps,
}

/// The one line that is meant: without its line end, and text.
fn one_line<'a>(what: &str, text: &'a [u8]) -> Result<&'a str> {
    let line = text.strip_suffix(b"\n").unwrap_or(text);
    std::str::from_utf8(line)
        .ok()
        .filter(|line| !line.contains(['\n', '\0']))
        .ok_or_else(|| Error::new(Errno::EINVAL, format!("{what}: want one line of text")))
}

impl Setting {
    pub fn number(self) -> u64 {
        file::SETTINGS + self as u64
    }

    fn name(self) -> &'static str {
        match self {
            Setting::Type => "type",
            Setting::Cmd => "cmd",
            Setting::Argv => "argv",
            Setting::Env => "env",
            Setting::Cwd => "cwd",
            Setting::Alias => "alias",
            Setting::Limits => "limits",
            Setting::Caps => "caps",
        }
    }

    fn mode(self) -> u32 {
        // An environment holds secrets as often as not.
        if self == Setting::Env { 0o600 } else { 0o644 }
    }

    fn show(self, task: &Task) -> Vec<u8> {
        let line = |text: &[u8]| if text.is_empty() { Vec::new() } else { [text, b"\n"].concat() };
        match self {
            Setting::Type => line(task.spec().kind.as_bytes()),
            Setting::Cmd => line(&rc::join(&task.spec().argv)),
            Setting::Argv => spec::show_words(task.spec().argv.iter().map(Vec::as_slice)),
            Setting::Env => task.spec().show_env(),
            Setting::Cwd => line(&task.spec().cwd),
            Setting::Alias => line(task.spec().alias.as_bytes()),
            Setting::Limits => task.limits().to_string().into_bytes(),
            Setting::Caps => format!(
                "# What is not listed is denied. fs:/path read write, net:connect host:port,\n\
                 # net:listen host:port, net:deny host:port, env NAME, spawn. > replaces, >> adds.\n{}",
                task.caps()
            )
            .into_bytes(),
        }
    }

    fn clear(self, task: &Task, who: &Caller) -> Result<()> {
        match self {
            Setting::Argv => task.change_spec("argv", |spec| {
                spec.argv.clear();
                Ok(())
            }),
            Setting::Env => task.change_spec("env", |spec| {
                spec.env.clear();
                Ok(())
            }),
            Setting::Caps => task.change_caps(who, |caps| {
                *caps = Caps::default();
                Ok(())
            }),
            Setting::Type | Setting::Cmd | Setting::Cwd | Setting::Alias | Setting::Limits => Ok(()),
        }
    }

    /// Takes whole lines.
    async fn set(self, task: &Arc<Task>, who: &Caller, text: &[u8]) -> Result<()> {
        match self {
            Setting::Type => task.set_kind(one_line("type", text)?),
            Setting::Cmd => task.set_cmd(text),
            Setting::Argv => {
                let words = spec::parse_words(text)?;
                task.change_spec("argv", |spec| spec.add_argv(words))
            }
            Setting::Env => task.change_spec("env", |spec| spec.add_env(text)),
            Setting::Cwd => {
                let dir = one_line("cwd", text)?.to_owned();
                task.change_ns(who, &task::Change::Cd { dir }).await
            }
            Setting::Alias => {
                task.set_alias(one_line("alias", text)?);
                Ok(())
            }
            Setting::Limits => {
                let lines =
                    std::str::from_utf8(text).map_err(|_| Error::new(Errno::EINVAL, "limits: not text"))?;
                let lines: Vec<&str> = lines.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
                task.set_limits(who, &lines)
            }
            Setting::Caps => {
                let caps = parse_caps(text)?;
                task.change_caps(who, |all| {
                    caps.into_iter().for_each(|cap| all.grant(cap));
                    Ok(())
                })
            }
        }
    }
}

pub(crate) fn parse_caps(text: &[u8]) -> Result<Vec<Cap>> {
    let mut caps = Vec::new();
    for line in rc::lines(text) {
        let line = line.trim_ascii();
        if line.is_empty() || line[0] == b'#' {
            continue;
        }
        let bad = |e: rc::Unbalanced| {
            Error::new(Errno::EINVAL, format!("{e} in capability \"{}\"", String::from_utf8_lossy(line)))
        };
        caps.push(Cap::parse(&rc::split(line).map_err(bad)?)?);
    }
    Ok(caps)
}

/// A setting of one task.
struct SettingOf {
    task: Arc<Task>,
    setting: Setting,
}

pub(super) fn node(task: Shown, setting: Setting) -> NodeRef {
    let attr = attr(&task, Kind::File, setting.number(), setting.mode());
    Edited::node(attr, SettingOf { task: task.task, setting })
}

impl Edit for SettingOf {
    fn name(&self) -> &'static str {
        self.setting.name()
    }
    fn text(&self) -> Vec<u8> {
        self.setting.show(&self.task)
    }
    fn change<'a>(&'a self, who: &'a Caller, lines: Vec<u8>) -> Op<'a, ()> {
        Op::started(async move { self.setting.set(&self.task, who, &lines).await })
    }
    fn clear(&self, who: &Caller) -> Result<()> {
        self.setting.clear(&self.task, who)
    }
}
