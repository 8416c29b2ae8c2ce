//! The users file: who may connect over TLS, as whom, to which tree, and with which capabilities.
//!
//! ```text
//! # name  uid=N gid=N  root=/PATH  token=HASH  cap=CAPABILITY…          quoting as in rc(1)
//! alice   uid=1000     token=94ee059335e587e501cc4bf90613e0814f00a7b08bc7c648fd865a2af6a22cc2
//! ci      uid=65534    root=/builds  token=…  'cap=fs:/builds read write' cap=spawn
//! ```
//!
//! Without `uid` the machine's user of that name is meant; without `token` only a certificate lets him in; without `cap`
//! he may do what a local client may. The file is read again for every connection, so that a line taken out holds at once.

use super::Identity;
use crate::ninep::users::with_groups;
use std::collections::HashSet;
use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use task::{Cap, Caps, rc};
use vfs::{Caller, Gid, Uid};

/// Where the users are listed.
#[derive(Clone, Debug)]
pub struct Users {
    path: PathBuf,
}

struct User {
    name: String,
    uid: u32,
    gid: u32,
    root: Vec<u8>,
    token: Option<blake3::Hash>,
    caps: Option<Caps>,
}

/// A file that cannot be used, and why.
#[derive(Debug)]
pub struct Unusable(String);

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Users {
    /// Fails where the file cannot be read, others than its owner may write it, or a line is wrong.
    pub fn open(path: &Path) -> Result<Users, Unusable> {
        let users = Users { path: path.to_owned() };
        users.read().map(|_| users)
    }

    /// The user whose token hashes to `hash`.
    pub fn by_token(&self, hash: blake3::Hash) -> Result<Option<Identity>, Unusable> {
        // blake3 compares hashes in constant time.
        Ok(self.read()?.into_iter().find(|user| user.token == Some(hash)).map(User::identity))
    }

    /// The user of that name, for whom somebody else (a certificate authority) has vouched.
    pub fn by_name(&self, name: &str) -> Result<Option<Identity>, Unusable> {
        Ok(self.read()?.into_iter().find(|user| user.name == name).map(User::identity))
    }

    fn read(&self) -> Result<Vec<User>, Unusable> {
        let file = self.path.display();
        let unusable = |what: &dyn fmt::Display| Unusable(format!("{file}: {what}"));
        let meta = std::fs::metadata(&self.path).map_err(|e| unusable(&e))?;
        let me = rustix::process::geteuid().as_raw();
        if meta.mode() & 0o022 != 0 || (meta.uid() != me && meta.uid() != 0) {
            return Err(unusable(&"others than the server's user may write it (chmod 600)"));
        }
        let text = std::fs::read(&self.path).map_err(|e| unusable(&e))?;
        let mut users = Vec::new();
        let mut names = HashSet::new();
        for (number, line) in text.split(|b| *b == b'\n').enumerate() {
            let wrong = |what: String| Unusable(format!("{file}:{}: {what}", number + 1));
            let user = match User::parse(line) {
                Ok(None) => continue,
                Ok(Some(user)) => user,
                Err(what) => return Err(wrong(what)),
            };
            if !names.insert(user.name.clone()) {
                return Err(wrong(format!("{} is listed twice", user.name)));
            }
            users.push(user);
        }
        Ok(users)
    }
}

impl User {
    /// Nothing where the line is empty or a comment.
    fn parse(line: &[u8]) -> Result<Option<User>, String> {
        if line.trim_ascii_start().starts_with(b"#") {
            return Ok(None);
        }
        let words = rc::split(line).map_err(|e| e.to_string())?;
        let Some((name, rest)) = words.split_first() else { return Ok(None) };
        let name = text(name)?;
        if name.contains('=') {
            return Err(format!("{name:?}: a line starts with the user's name"));
        }
        let (mut uid, mut gid, mut root, mut token, mut caps) = (None, None, b"/".to_vec(), None, None);
        for word in rest {
            let at = word.iter().position(|b| *b == b'=');
            let (key, value) = at.map(|at| (&word[..at], &word[at + 1..])).ok_or_else(|| {
                format!("{:?}: want uid=, gid=, root=, token= or cap=", String::from_utf8_lossy(word))
            })?;
            match key {
                b"uid" => uid = Some(number(value)?),
                b"gid" => gid = Some(number(value)?),
                b"root" if value.starts_with(b"/") => root = value.to_vec(),
                b"root" => return Err("root= takes an absolute path".to_owned()),
                b"token" => {
                    let hash = blake3::Hash::from_hex(value);
                    token = Some(hash.map_err(|_| "token= takes the 64 hexadecimal digits of its hash")?);
                }
                b"cap" => {
                    let words = rc::split(value).map_err(|e| e.to_string())?;
                    let cap = Cap::parse(&words).map_err(|e| e.to_string())?;
                    caps.get_or_insert_with(Caps::default).grant(cap);
                }
                _ => return Err(format!("{:?}: no such setting", String::from_utf8_lossy(key))),
            }
        }
        let known = || nix::unistd::User::from_name(&name).ok().flatten();
        let uid = uid.or_else(|| known().map(|u| u.uid.as_raw()));
        let uid = uid.ok_or_else(|| format!("{name}: this machine has no such user: say uid="))?;
        let primary = || nix::unistd::User::from_uid(uid.into()).ok().flatten().map(|u| u.gid.as_raw());
        let gid = gid.or_else(primary).unwrap_or(uid);
        Ok(Some(User { name, uid, gid, root, token, caps }))
    }

    fn identity(self) -> Identity {
        let mut caller = with_groups(Caller::new(Uid(self.uid), Gid(self.gid)));
        caller.guard = self.caps.map(|caps| Arc::new(caps) as Arc<dyn vfs::Guard>);
        Identity { name: self.name, caller: Arc::new(caller), root: self.root }
    }
}

fn text(word: &[u8]) -> Result<String, String> {
    String::from_utf8(word.to_vec()).map_err(|_| format!("{:?}: not UTF-8", String::from_utf8_lossy(word)))
}

fn number(word: &[u8]) -> Result<u32, String> {
    let text = text(word)?;
    // The largest number means "nobody" to chown(2) and to 9P.
    text.parse()
        .ok()
        .filter(|n| *n != u32::MAX)
        .ok_or_else(|| format!("{text:?}: not a user or group number"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(file.path(), text).expect("written");
        std::fs::set_permissions(file.path(), PermissionsExt::from_mode(0o600)).expect("chmod");
        file
    }

    #[test]
    fn a_user_has_what_his_line_says() {
        let hash = blake3::hash(b"secret");
        let file = file(&format!(
            "# the build machine\n\nci uid=65534 gid=7 root=/builds token={hash} 'cap=fs:/builds read'\n"
        ));
        let users = Users::open(file.path()).expect("a good file");
        let ci = users.by_token(hash).expect("readable").expect("known");
        assert_eq!((ci.name.as_str(), ci.caller.uid, ci.caller.gid), ("ci", Uid(65534), Gid(7)));
        assert_eq!(ci.root, b"/builds");
        let guard = ci.caller.guard.as_ref().expect("bound by capabilities");
        assert!(guard.allow(b"/builds/x", vfs::Access::READ).is_ok());
        assert!(guard.allow(b"/etc", vfs::Access::READ).is_err());
        assert!(users.by_token(blake3::hash(b"another")).expect("readable").is_none());
    }

    #[test]
    fn a_line_taken_out_holds_for_the_next_connection() {
        let hash = blake3::hash(b"secret");
        let file = file(&format!("a uid=1 token={hash}\n"));
        let users = Users::open(file.path()).expect("a good file");
        assert!(users.by_token(hash).expect("readable").is_some());
        std::fs::write(file.path(), "").expect("written");
        assert!(users.by_token(hash).expect("readable").is_none());
        assert!(users.by_name("a").expect("readable").is_none());
    }

    #[test]
    fn a_bad_line_is_named_with_its_number_and_what_is_wrong() {
        for (line, what) in [
            ("uid=3", "starts with the user's name"),
            ("a uid=x", "\"x\": not a user or group number"),
            ("a uid=4294967295", "not a user or group number"),
            ("a uid=1 root=x", "absolute path"),
            ("a uid=1 token=12", "64 hexadecimal digits"),
            ("a uid=1 cap=frob", "bad capability \"frob\""),
            ("a uid=1 shell=/bin/sh", "\"shell\": no such setting"),
            ("a uid=1 'cap=spawn", "unbalanced quote"),
            ("nobody-of-this-name", "say uid="),
            ("b uid=2", "listed twice"),
        ] {
            let file = file(&format!("b uid=1\n{line}\n"));
            let error = Users::open(file.path()).expect_err(line).to_string();
            assert!(error.contains(":2: ") && error.contains(what), "{line}: {error}");
        }
    }

    #[test]
    fn a_file_that_others_may_write_is_refused() {
        let file = file("a uid=1\n");
        std::fs::set_permissions(file.path(), PermissionsExt::from_mode(0o620)).expect("chmod");
        assert!(Users::open(file.path()).expect_err("writable").to_string().contains("chmod 600"));
    }
}
