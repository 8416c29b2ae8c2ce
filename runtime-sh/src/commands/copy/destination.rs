//! Where cp and mv put what they are given: into a directory, or under one name.

use super::{Target, into_directory, target};
use crate::commands::gnu::{Done, fail, misused};
use crate::commands::messages::{quoted, say};
use crate::commands::options::Args;
use crate::commands::{Invocation, words};
use vfs::{Follow, Kind, Place};

pub struct Destination {
    /// As it was given.
    pub path: Vec<u8>,
    /// The directory that it is, if any.
    pub dir: Option<Place>,
    /// `-T`: it is the name, also where it is a directory.
    exact: bool,
}

impl Destination {
    /// The sources that the operands and `-t` name, and where they go.
    pub async fn of(call: &Invocation<'_>, args: &Args) -> Done<(Vec<Vec<u8>>, Destination)> {
        let mut sources = args.operands.clone();
        let directory = args.value("t").map(<[u8]>::to_vec);
        let given = directory.is_some();
        let Some(path) = (if sources.is_empty() { None } else { directory.or_else(|| sources.pop()) }) else {
            return misused("missing file operand");
        };
        if sources.is_empty() {
            return misused(say!("missing destination file operand after ", quoted(&path)));
        }
        let exact = args.has("T");
        let (dir, why) = match call.place(&path, Follow::Yes).await {
            Ok(place) if place.kind() == Kind::Dir => (Some(place), String::new()),
            Ok(_) => (None, "Not a directory".to_owned()),
            Err(error) => (None, words(&error)),
        };
        if exact {
            if let Some(extra) = sources.get(1) {
                return misused(say!("extra operand ", quoted(extra)));
            }
        } else if dir.is_none() && (sources.len() > 1 || given) {
            return fail(say!("target ", quoted(&path), ": ", why));
        }
        Ok((sources, Destination { path, dir, exact }))
    }

    /// The directory that things go into.
    pub fn directory(&self) -> Option<&Place> {
        self.dir.as_ref().filter(|_| !self.exact)
    }

    /// Where `source` goes.
    pub async fn of_source(&self, call: &Invocation<'_>, source: &[u8]) -> vfs::Result<Target> {
        match self.directory() {
            Some(dir) => into_directory(dir, &self.path, source),
            None => target(call, &self.path).await,
        }
    }
}
