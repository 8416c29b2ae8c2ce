//! What a command line of npm asks for, where it and all that npm would read leave nothing open: no settings but those that
//! npm has here by itself, a project by itself, and in its node_modules what npm would believe to be there without looking.

use crate::command::Command;
use crate::installed::Installed;
use crate::unusual::{Plain, Unusual};
use serde_json::{Map, Value};
use task::Start;
use vfs::{Caller, Errno, Follow, Kind, OpenFlags, Place};

/// Whoever sets this gets npm itself, always.
pub const SETTING: &str = "TASKFS_NPM_CLI";
/// npm, or the Node that runs it, would do something else for these.
const VARIABLES: [&str; 9] = [
    "node_env",
    "node_options",
    "prefix",
    "destdir",
    "http_proxy",
    "https_proxy",
    "proxy",
    "all_proxy",
    "node_extra_ca_certs",
];
/// Where settings would be, besides the project's and the user's own.
const SETTINGS: &str = "/etc/npmrc";
/// npm asks it for the machine's C library.
const LDD: &str = "/usr/bin/ldd";
/// Of the project's files; all of it is read at once.
const MOST_BYTES: usize = 4 << 20;

/// A project, and what is to be done with it.
pub struct Asked {
    pub command: Command,
    /// package.json, and its text; none where there is no such file.
    pub project: Map<String, Value>,
    pub manifest: Option<String>,
    /// Its directory's name.
    pub folder: String,
    pub lock: Option<String>,
    /// What lies in node_modules, where there is one.
    pub installed: Option<Installed>,
}

fn home(start: &Start) -> Plain<Vec<u8>> {
    let mut home = None;
    for (name, value) in &start.env {
        let name = String::from_utf8_lossy(name).to_ascii_lowercase();
        if name.starts_with("npm_") || VARIABLES.contains(&name.as_str()) {
            return Err(Unusual::new(format!("the variable {name}")));
        }
        if name.eq_ignore_ascii_case(SETTING) && !matches!(value.as_slice(), b"" | b"0") {
            return Err(Unusual::new(SETTING));
        }
        if name == "home" {
            home = Some(value.clone());
        }
    }
    home.filter(|home| home.starts_with(b"/")).ok_or_else(|| Unusual::new("no HOME"))
}

async fn must_be_missing(who: &Caller, dir: &Place, path: &[u8]) -> Plain<()> {
    match dir.resolve(who, path, Follow::No).await {
        Err(error) if error.is(Errno::ENOENT) || error.is(Errno::ENOTDIR) => Ok(()),
        Err(error) => Err(error.into()),
        Ok(place) => Err(Unusual::new(format!("{} is there", place.shown()))),
    }
}

/// The text of a file; none where there is no such file.
pub async fn text(who: &Caller, dir: &Place, name: &str) -> Plain<Option<String>> {
    let place = match dir.resolve(who, name.as_bytes(), Follow::No).await {
        Err(error) if error.is(Errno::ENOENT) => return Ok(None),
        place => place?,
    };
    if place.kind() != Kind::File {
        return Err(Unusual::new(format!("{} is no file", place.shown())));
    }
    let file = place.open(who, OpenFlags::READ).await?;
    let mut data = Vec::new();
    let mut piece = vec![0; 64 << 10];
    loop {
        match file.read(data.len() as u64, &mut piece).await? {
            0 => break,
            count => data.extend_from_slice(&piece[..count]),
        }
        if data.len() > MOST_BYTES {
            return Err(Unusual::new(format!("{} is very long", place.shown())));
        }
    }
    let text = String::from_utf8(data).map_err(|_| Unusual::new(format!("{} is no text", place.shown())))?;
    Ok(Some(text))
}

/// Looks at what npm would look at.
pub async fn look(start: &Start, who: &Caller) -> Plain<Asked> {
    let command = Command::parse(start.argv.get(1..).unwrap_or_default())?;
    if start.trace.is_on() {
        return Err(Unusual::new("its calls are traced"));
    }
    let (home, cwd) = (home(start)?, &start.cwd);
    let path = cwd.path();
    if path.split(|byte| *byte == b'/').any(|part| part == b"node_modules") {
        return Err(Unusual::new("a project among packages"));
    }
    let root = start.ns.root();
    for path in [&[home.as_slice(), b"/.npmrc"].concat()[..], SETTINGS.as_bytes(), LDD.as_bytes()] {
        must_be_missing(who, &root, path).await?;
    }
    for name in [".npmrc", "npm-shrinkwrap.json", "yarn.lock"] {
        must_be_missing(who, cwd, name.as_bytes()).await?;
    }
    let manifest = text(who, cwd, "package.json").await?;
    let mut below = cwd.clone();
    while below.name().is_some() {
        below = below.parent();
        must_be_missing(who, &below, b"package.json").await?;
        if manifest.is_none() {
            must_be_missing(who, &below, b"node_modules").await?;
        }
    }
    let project = match &manifest {
        Some(text) => serde_json::from_str(text).map_err(|e| Unusual::new(format!("package.json: {e}")))?,
        None if matches!(command, Command::Install(ref asked, _) if !asked.is_empty()) => Map::new(),
        None => return Err(Unusual::new("no package.json")),
    };
    let lock = text(who, cwd, "package-lock.json").await?;
    if command == Command::Ci && lock.is_none() {
        return Err(Unusual::new("no lock file"));
    }
    let installed = match cwd.resolve(who, b"node_modules", Follow::No).await {
        Err(error) if error.is(Errno::ENOENT) => None,
        Ok(modules) if modules.kind() != Kind::Dir => {
            return Err(Unusual::new("node_modules is no directory"));
        }
        // Nothing of it is left.
        Ok(_) if command == Command::Ci => Some(Installed::default()),
        Ok(_) if lock.is_none() => return Err(Unusual::new("packages without a lock file")),
        Ok(modules) => Some(Installed::look(who, &modules).await?),
        Err(error) => return Err(error.into()),
    };
    let folder = cwd.name().map(|name| String::from_utf8_lossy(name.as_bytes()).into_owned());
    Ok(Asked { command, project, manifest, folder: folder.unwrap_or_default(), lock, installed })
}
