//! `env`, `cwd`, `label`, `limit`, `cap`: what processes start with, and what all of them may.

use super::{Parsed, Verb};
use crate::Container;
use std::sync::Arc;
use task::ctl::language::{Command, Wrong};
use task::group::Bounds;
use task::{Cap, Caps, Spec, spec};
use vfs::{Caller, Errno, Error, Follow, Op, Result};

pub(super) const ENV: Verb = Verb {
    name: "env",
    takes: "NAME=value… | -d NAME…",
    does: "set (or unset) variables of new processes",
    parse: parse_env,
};
pub(super) const CWD: Verb = Verb {
    name: "cwd",
    takes: "dir",
    does: "where new processes begin",
    parse: |words| match words {
        [dir] => Ok(Box::new(Cwd((*dir).to_owned()))),
        _ => Err(Wrong::Arguments),
    },
};
pub(super) const LABEL: Verb = Verb {
    name: "label",
    takes: "text",
    does: "a name for people",
    parse: |words| match words {
        [label] if !label.contains('\n') => Ok(Box::new(Label((*label).to_owned()))),
        [_] => Err(Error::new(Errno::EINVAL, "a label is one line").into()),
        _ => Err(Wrong::Arguments),
    },
};
pub(super) const LIMIT: Verb = Verb {
    name: "limit",
    takes: "name=value…",
    does: "memory=1G cpu=1m share=50% tasks=64 files=1K disk=1G inodes=9 network=1G wall=1h idle=5m",
    parse: parse_limit,
};
pub(super) const CAP: Verb = Verb {
    name: "cap",
    takes: "[-d] capability | none",
    does: "net:connect|listen|deny h:p, fs:/path read write, env NAME, spawn",
    parse: parse_cap,
};

enum Env {
    Set(Vec<u8>),
    Unset(Vec<String>),
}

fn parse_env(words: &[&str]) -> Parsed {
    match words {
        [] | ["-d"] => Err(Wrong::Arguments),
        ["-d", names @ ..] => Ok(Box::new(Env::Unset(names.iter().map(|name| (*name).to_owned()).collect()))),
        words => {
            let text = spec::show_words(words.iter().map(|word| word.as_bytes()));
            Spec::default().add_env(&text)?;
            Ok(Box::new(Env::Set(text)))
        }
    }
}

impl Command<Container> for Env {
    fn apply<'a>(&'a self, container: &'a Arc<Container>, _who: &'a Caller) -> Op<'a, ()> {
        let changed = container.change_settings(|settings| match self {
            Env::Set(text) => settings.spec.add_env(text),
            Env::Unset(names) => {
                let there = |name: &String| settings.spec.env.iter().any(|(have, _)| have == name.as_bytes());
                if let Some(name) = names.iter().find(|name| !there(name)) {
                    return Err(Error::new(Errno::ENOENT, format!("env: no variable {name:?}")));
                }
                settings.spec.env.retain(|(have, _)| !names.iter().any(|name| name.as_bytes() == have));
                Ok(())
            }
        });
        changed.into()
    }
}

struct Cwd(String);

impl Command<Container> for Cwd {
    fn apply<'a>(&'a self, container: &'a Arc<Container>, _who: &'a Caller) -> Op<'a, ()> {
        Op::started(async move {
            let cwd = container.directory(&self.0).await?;
            container.change_settings(|settings| {
                settings.spec.cwd = cwd;
                Ok(())
            })
        })
    }
}

impl Container {
    /// The path of a directory of its processes' world.
    async fn directory(&self, dir: &str) -> Result<Vec<u8>> {
        let path = if dir.starts_with('/') { dir.to_owned() } else { format!("/{dir}") };
        let place = self.inside().root().resolve(self.identity(), path.as_bytes(), Follow::Yes).await;
        let place = place.map_err(|error| error.context(&path))?;
        if !place.kind().is_dir() {
            return Err(Error::new(Errno::ENOTDIR, format!("{path}: not a directory")));
        }
        Ok(place.path())
    }
}

struct Label(String);

impl Command<Container> for Label {
    fn apply<'a>(&'a self, container: &'a Arc<Container>, _who: &'a Caller) -> Op<'a, ()> {
        let changed = container.change_settings(|settings| {
            settings.label.clone_from(&self.0);
            Ok(())
        });
        changed.into()
    }
}

struct Limit(Vec<String>);

fn parse_limit(words: &[&str]) -> Parsed {
    if words.is_empty() {
        return Err(Wrong::Arguments);
    }
    let mut checked = Bounds::default();
    words.iter().try_for_each(|word| checked.set(word))?;
    Ok(Box::new(Limit(words.iter().map(|word| (*word).to_owned()).collect())))
}

impl Command<Container> for Limit {
    fn apply<'a>(&'a self, container: &'a Arc<Container>, _who: &'a Caller) -> Op<'a, ()> {
        let words: Vec<&str> = self.0.iter().map(String::as_str).collect();
        container.set_limits(&words).into()
    }
}

enum Change {
    Grant(Cap),
    Revoke(Cap),
    None,
}

fn parse_cap(words: &[&str]) -> Parsed {
    let own = |words: &[&str]| words.iter().map(|w| w.as_bytes().to_vec()).collect::<Vec<_>>();
    Ok(Box::new(match words {
        [] | ["-d"] => return Err(Wrong::Arguments),
        ["none"] => Change::None,
        ["-d", rest @ ..] => Change::Revoke(Cap::parse(&own(rest))?),
        words => Change::Grant(Cap::parse(&own(words))?),
    }))
}

impl Command<Container> for Change {
    fn apply<'a>(&'a self, container: &'a Arc<Container>, who: &'a Caller) -> Op<'a, ()> {
        let changed = container.change_caps(who, |caps| match self {
            Change::Grant(cap) => {
                caps.grant(cap.clone());
                Ok(())
            }
            Change::Revoke(cap) => caps.revoke(cap),
            Change::None => {
                *caps = Caps::default();
                Ok(())
            }
        });
        changed.into()
    }
}
