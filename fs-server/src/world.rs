//! What a server serves: the root tree, the host directories that were given, the tasks and their runtimes, and the
//! namespace that shows them all.

use crate::fault::Fault;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use vfs::{BindFlags, Caller, Errno, Follow, Mode, Name, Namespace, NodeRef, Place};

/// `--root`.
#[derive(Clone, Debug)]
pub enum RootSpec {
    Mem,
    Host(PathBuf),
}

impl FromStr for RootSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<RootSpec, String> {
        match text.split_once(':') {
            None if text == "mem" => Ok(RootSpec::Mem),
            Some(("host", dir)) if !dir.is_empty() => Ok(RootSpec::Host(PathBuf::from(dir))),
            _ => Err(format!("{text}: a root is mem or host:DIR")),
        }
    }
}

/// `--bind SRC:DST[:ro]`.
#[derive(Clone, Debug)]
pub struct BindSpec {
    pub src: PathBuf,
    pub dst: String,
    pub read_only: bool,
}

impl FromStr for BindSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<BindSpec, String> {
        let wrong = || format!("{text}: a bind is SRC:DST or SRC:DST:ro, DST starting with /");
        let (rest, read_only) = match text.strip_suffix(":ro") {
            Some(rest) => (rest, true),
            None => (text, false),
        };
        let (src, dst) = rest.rsplit_once(':').ok_or_else(wrong)?;
        if src.is_empty() || !dst.starts_with('/') {
            return Err(wrong());
        }
        Ok(BindSpec { src: PathBuf::from(src), dst: dst.to_owned(), read_only })
    }
}

/// Everything behind the transports.
pub struct World {
    pub ns: Namespace,
}
