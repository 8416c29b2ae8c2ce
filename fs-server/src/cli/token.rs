//! `taskfs token`: lets a user in over TLS. The secret is printed once; the users file keeps its hash.

use crate::auth::{Users, make_token, token_line};
use crate::fault::Fault;
use clap::Args;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

#[derive(Args, Debug)]
pub struct Token {
    /// The users file that `taskfs serve --users` reads; made where there is none
    #[arg(long, value_name = "FILE")]
    users: PathBuf,
    /// His number on the server (default: the machine's user of that name)
    #[arg(long, value_name = "N")]
    uid: Option<u32>,
    /// His group (default: that of his number)
    #[arg(long, value_name = "N")]
    gid: Option<u32>,
    /// The directory of the server's namespace that is / to him
    #[arg(long, value_name = "PATH")]
    root: Option<String>,
    /// A capability, as in docs/tasks.md; with any, he and his tasks have those and no others
    #[arg(long, value_name = "CAPABILITY")]
    cap: Vec<String>,
    /// The user's name
    name: String,
}

impl Token {
    pub fn make(self) -> Result<(), Fault> {
        let secret = make_token().map_err(|e| Fault::os(format!("no random bits: {e}")))?;
        let number = |key: &str, n: Option<u32>| n.map(|n| format!("{key}={n}"));
        let mut words: Vec<String> =
            [number("uid", self.uid), number("gid", self.gid)].into_iter().flatten().collect();
        words.extend(self.root.map(|root| format!("root={root}")));
        words.extend(self.cap.iter().map(|cap| format!("cap={cap}")));
        let fault = |e: std::io::Error| Fault::cannot_create(format!("{}: {e}", self.users.display()));
        let users = real(&self.users).map_err(fault)?;
        let beside = users.with_added_extension("new");
        let mut file = locked(&beside).map_err(fault)?;
        let put = || -> Result<(), Fault> {
            let mut text = match File::open(&users) {
                Err(e) if e.kind() == ErrorKind::NotFound => Vec::new(),
                old => old.and_then(|old| same(old, &file)).map_err(fault)?,
            };
            if !text.is_empty() && !text.ends_with(b"\n") {
                text.push(b'\n');
            }
            text.extend_from_slice(token_line(&self.name, &secret, &words).as_bytes());
            file.write_all(&text).and_then(|()| file.sync_all()).map_err(fault)?;
            // What the file would say then must be good before it says it.
            Users::open(&beside).map_err(|e| Fault::usage(e.to_string()))?;
            fs::rename(&beside, &users).map_err(fault)
        };
        let put = { put }();
        if put.is_err() {
            // It was ours alone; that it cannot be removed changes nothing about what is reported.
            let _ = fs::remove_file(&beside);
        }
        put?;
        super::client::print(format!("{}\n", secret.reveal()).as_bytes())
    }
}

/// The file that `path` leads to, which may be made yet.
fn real(path: &Path) -> io::Result<PathBuf> {
    match fs::canonicalize(path) {
        Err(e) if e.kind() == ErrorKind::NotFound && !path.is_symlink() => Ok(path.to_owned()),
        real => real,
    }
}

/// All of `old`, whose owner and mode `new` gets: the server may be somebody else.
fn same(mut old: File, new: &File) -> io::Result<Vec<u8>> {
    let was = old.metadata()?;
    let now = new.metadata()?;
    if (was.uid(), was.gid()) != (now.uid(), now.gid()) {
        fchown(new, Some(was.uid()), Some(was.gid()))?;
    }
    new.set_permissions(was.permissions())?;
    let mut text = Vec::new();
    old.read_to_end(&mut text)?;
    Ok(text)
}

/// An empty file at `path`, for us alone until it is renamed, removed or closed: one that somebody left there is as good as a new one.
fn locked(path: &Path) -> io::Result<File> {
    loop {
        let mut file = OpenOptions::new();
        let file = file.write(true).create(true).truncate(false).mode(0o600).custom_flags(libc::O_NOFOLLOW);
        let file = file.open(path)?;
        file.lock()?;
        let ours = file.metadata()?;
        // Whoever had it before may have given it another name meanwhile.
        if fs::symlink_metadata(path).is_ok_and(|now| (now.dev(), now.ino()) == (ours.dev(), ours.ino())) {
            file.set_permissions(Permissions::from_mode(0o600))?;
            file.set_len(0)?;
            return Ok(file);
        }
    }
}
