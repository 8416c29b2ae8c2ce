//! What lies in a project's node_modules, by what npm left there to know its work again (`.package-lock.json`): believed where
//! nothing in it is newer, missing or more, as npm itself looks.

use crate::asked::text;
use crate::manifest::Manifest;
use crate::unusual::{Plain, Unusual};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashSet};
use vfs::{Caller, Errno, Follow, Kind, OpenFlags, Place};

/// Beside the packages.
const LOCK: &str = ".package-lock.json";

/// That much newer a directory may be, since the list is written right after it: as npm has it.
const JITTER_NS: u64 = 10_000_000;

/// Nothing, at first.
#[derive(Default)]
pub struct Installed {
    /// By where they lie from the project on.
    pub packages: BTreeMap<String, Manifest>,
    /// What [`LOCK`] says.
    pub lock: String,
}

#[derive(Deserialize)]
struct Lock {
    #[serde(rename = "lockfileVersion")]
    version: u32,
    packages: BTreeMap<String, Map<String, Value>>,
}

fn unusual(what: impl std::fmt::Display) -> Unusual {
    Unusual::new(format!("node_modules: {what}"))
}

/// All names in a directory, and what they are.
pub async fn entries(who: &Caller, dir: &Place) -> Plain<Vec<(String, Kind)>> {
    let mut names = Vec::new();
    let mut sink = |entry: vfs::DirEntry<'_>| {
        names.push((entry.name.to_owned(), entry.qid.kind));
        true
    };
    dir.open(who, OpenFlags::READ).await?.readdir(0, &mut sink).await?;
    let text = |name: vfs::NameBuf| String::from_utf8(name.as_bytes().to_vec()).map_err(unusual);
    names.into_iter().map(|(name, kind)| Ok((text(name)?, kind))).collect()
}

impl Installed {
    /// # Errors
    /// What npm would look through all of it for.
    pub async fn look(who: &Caller, modules: &Place) -> Plain<Installed> {
        let lock = text(who, modules, LOCK).await?.ok_or_else(|| unusual("no list of it"))?;
        let read: Lock = serde_json::from_str(&lock).map_err(unusual)?;
        if read.version != 3 {
            return Err(unusual("a list of another version"));
        }
        let mut packages = BTreeMap::new();
        for (location, entry) in read.packages {
            let name = location.rsplit_once("node_modules/").map_or("", |(_, name)| name);
            let package = Manifest::of_entry(&entry, name)?;
            packages.insert(location, package);
        }
        let installed = Installed { packages, lock };
        let since = modules.walk(who, LOCK.as_bytes()).await?.stat(who).await?.mtime;
        let since = since.as_nanos() + JITTER_NS;
        let mut seen = HashSet::new();
        let mut open = vec![("node_modules".to_owned(), modules.clone(), true)];
        while let Some((path, dir, is_list)) = open.pop() {
            if dir.stat(who).await?.mtime.as_nanos() > since {
                return Err(unusual(format_args!("{path} is newer than the list of it")));
            }
            let below = if is_list {
                dir
            } else {
                if !installed.packages.contains_key(&path) {
                    return Err(unusual(format_args!("{path} is not in the list of it")));
                }
                seen.insert(path.clone());
                match dir.resolve(who, b"node_modules", Follow::No).await {
                    Ok(below) => below,
                    Err(error) if error.is(Errno::ENOENT) => continue,
                    Err(error) => return Err(error.into()),
                }
            };
            let above = if is_list { path } else { format!("{path}/node_modules") };
            for (name, kind) in entries(who, &below).await? {
                let path = format!("{above}/{name}");
                match kind {
                    Kind::Dir if name.starts_with('.') => {}
                    Kind::Dir => {
                        let dir = below.walk(who, name.as_bytes()).await?;
                        let is_scope = name.starts_with('@') && above.ends_with("node_modules");
                        open.push((path, dir, is_scope));
                    }
                    Kind::File => {}
                    _ => return Err(unusual(format_args!("{path} is a link"))),
                }
            }
        }
        match installed.packages.keys().find(|path| !seen.contains(*path)) {
            Some(path) => Err(unusual(format_args!("{path} is missing"))),
            None => Ok(installed),
        }
    }
}
