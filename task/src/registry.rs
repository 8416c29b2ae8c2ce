//! The runtimes of this server, and which of them runs a program.

use crate::{Fit, Program, Runtime};
use std::sync::Arc;
use vfs::{Errno, Error, Result};

/// In the order of preference: of two that fit equally well the first is taken.
#[derive(Clone, Default)]
pub struct Registry(Arc<[Arc<dyn Runtime>]>);

impl Registry {
    pub fn new(runtimes: Vec<Arc<dyn Runtime>>) -> Registry {
        Registry(runtimes.into())
    }

    pub fn iter(&self) -> impl Iterator<Item = &Arc<dyn Runtime>> {
        self.0.iter()
    }

    pub fn get(&self, name: &str) -> Option<&Arc<dyn Runtime>> {
        self.iter().find(|runtime| runtime.name() == name)
    }

    fn names(&self) -> String {
        let names: Vec<&str> = self.iter().map(|runtime| runtime.name()).collect();
        if names.is_empty() { "none".into() } else { names.join(", ") }
    }

    /// Fails, saying which there are, where `kind` is neither `auto` nor the name of a runtime.
    pub fn check(&self, kind: &str) -> Result<()> {
        if kind == "auto" || self.get(kind).is_some() {
            return Ok(());
        }
        let text = format!("unknown type {kind:?}: want auto or a runtime of this server ({})", self.names());
        Err(Error::new(Errno::EINVAL, text))
    }

    /// The runtime named `kind`, or the one that fits `program` best where that is `auto`.
    pub fn pick(&self, kind: &str, program: Program<'_>) -> Result<&Arc<dyn Runtime>> {
        if kind != "auto" {
            self.check(kind)?;
            return self.get(kind).ok_or_else(|| Errno::EINVAL.into());
        }
        let mut best: Option<(&Arc<dyn Runtime>, Fit)> = None;
        for runtime in self.iter() {
            let fit = runtime.detect(program);
            if fit != Fit::No && best.is_none_or(|(_, so_far)| fit > so_far) {
                best = Some((runtime, fit));
            }
        }
        best.map(|(runtime, _)| runtime).ok_or_else(|| {
            let shown = String::from_utf8_lossy(program.path);
            let what = match program.head {
                [] => "it is empty".to_owned(),
                head => format!("it begins \"{}\"", head[..head.len().min(8)].escape_ascii()),
            };
            let text = format!("{shown}: no runtime takes it: {what} (tried {})", self.names());
            Error::new(Errno::ENOEXEC, text)
        })
    }
}
