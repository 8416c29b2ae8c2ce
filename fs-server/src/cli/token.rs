//! `taskfs token`: lets a user in over TLS. The secret is printed once; the users file keeps its hash.

use crate::auth::{Users, make_token, token_line};
use crate::fault::Fault;
use clap::Args;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

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
        // What the file would say then must be good before it says it.
        let old = match std::fs::read(&self.users) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            read => read.map_err(fault)?,
        };
        let mut text = old;
        if !text.is_empty() && !text.ends_with(b"\n") {
            text.push(b'\n');
        }
        text.extend_from_slice(token_line(&self.name, &secret, &words).as_bytes());
        let beside = self.users.with_added_extension("new");
        let mut file = std::fs::OpenOptions::new();
        let mut file = file.write(true).create_new(true).mode(0o600).open(&beside).map_err(fault)?;
        let put = || -> Result<(), Fault> {
            file.write_all(&text).and_then(|()| file.sync_all()).map_err(fault)?;
            Users::open(&beside).map_err(|e| Fault::usage(e.to_string()))?;
            std::fs::rename(&beside, &self.users).map_err(fault)
        };
        let put = { put }();
        if put.is_err() {
            // It was ours alone; that it cannot be removed changes nothing about what is reported.
            let _ = std::fs::remove_file(&beside);
        }
        put?;
        super::client::print(format!("{}\n", secret.reveal()).as_bytes())
    }
}
