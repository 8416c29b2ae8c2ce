//! What can be set by writing a file and seen by reading it: limits, caps. `>` sets and `>>` adds, as in /task.

use crate::container::{attr, file};
use crate::synth::{Edit, Edited};
use crate::task::parse_caps;
use ::container::Container;
use std::sync::Arc;
use task::Caps;
use vfs::{Caller, Errno, Error, Kind, NodeRef, Op, Result};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Setting {
    Limits,
    Caps,
}

struct SettingOf {
    container: Arc<Container>,
    setting: Setting,
}

pub(super) fn node(container: Arc<Container>, setting: Setting) -> NodeRef {
    let number = file::SETTINGS + setting as u64;
    Edited::node(attr(&container, Kind::File, number, 0o644), SettingOf { container, setting })
}

impl SettingOf {
    fn set(&self, who: &Caller, text: &[u8]) -> Result<()> {
        match self.setting {
            Setting::Limits => {
                let text =
                    std::str::from_utf8(text).map_err(|_| Error::new(Errno::EINVAL, "limits: not text"))?;
                let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
                self.container.set_limits(&lines)
            }
            Setting::Caps => {
                let caps = parse_caps(text)?;
                self.container.change_caps(who, |all| {
                    caps.into_iter().for_each(|cap| all.grant(cap));
                    Ok(())
                })
            }
        }
    }
}

impl Edit for SettingOf {
    fn name(&self) -> &'static str {
        match self.setting {
            Setting::Limits => "limits",
            Setting::Caps => "caps",
        }
    }
    fn text(&self) -> Vec<u8> {
        match self.setting {
            Setting::Limits => self.container.limits().to_string().into_bytes(),
            Setting::Caps => format!(
                "# What is not listed is denied, to every process. net:connect host:port, net:deny host:port,\n\
                 # net:listen host:port, fs:/path read write, env NAME, spawn. > replaces, >> adds.\n{}",
                self.container.caps()
            )
            .into_bytes(),
        }
    }
    fn change<'a>(&'a self, who: &'a Caller, lines: Vec<u8>) -> Op<'a, ()> {
        self.set(who, &lines).into()
    }
    fn clear(&self, who: &Caller) -> Result<()> {
        match self.setting {
            Setting::Limits => Ok(()),
            Setting::Caps => self.container.change_caps(who, |caps| {
                *caps = Caps::default();
                Ok(())
            }),
        }
    }
}
