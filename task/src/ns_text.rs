//! A namespace as text, read: the lines that [`vfs::NsLine`] writes, one at a time as ctl verbs, or all of them as the file
//! `ns`, which rebuilds it.

use crate::{Caps, Task, TaskTable, rc};
use std::sync::Arc;
use vfs::mem::MemTree;
use vfs::{BindFlags, Caller, Errno, Error, Follow, Namespace, NodeRef, NsLine, Place, Result};

/// A change of a namespace (bind(1), namespace(6)).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change {
    Bind { flags: BindFlags, new: String, old: String },
    Mount { flags: BindFlags, spec: String, old: String },
    Unmount { new: Option<String>, old: String },
    Cd { dir: String },
}

/// Not a line of a namespace: wrong words, or a wrong number of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wrong;

impl Change {
    /// A change from its words, the verb first.
    pub fn parse(words: &[&str]) -> Result<Change, Wrong> {
        let (verb, mut rest) = words.split_first().ok_or(Wrong)?;
        let mut flags = BindFlags::empty();
        while let Some(letters) = rest.first().and_then(|w| w.strip_prefix('-')) {
            flags |= parse_flags(letters)?;
            rest = &rest[1..];
        }
        if !flags.is_empty() && !matches!(*verb, "bind" | "mount") {
            return Err(Wrong);
        }
        let own = |word: &str| word.to_owned();
        Ok(match (*verb, rest) {
            ("bind", [new, old]) => Change::Bind { flags, new: own(new), old: own(old) },
            ("mount", [spec, old]) => Change::Mount { flags, spec: own(spec), old: own(old) },
            ("unmount", [old]) => Change::Unmount { new: None, old: own(old) },
            ("unmount", [new, old]) => Change::Unmount { new: Some(own(new)), old: own(old) },
            ("cd", [dir]) => Change::Cd { dir: own(dir) },
            _ => return Err(Wrong),
        })
    }
}

fn parse_flags(letters: &str) -> Result<BindFlags, Wrong> {
    let mut flags = BindFlags::empty();
    for letter in letters.chars() {
        flags |= match letter {
            'b' => BindFlags::BEFORE,
            'a' => BindFlags::AFTER,
            'c' => BindFlags::CREATE,
            _ => return Err(Wrong),
        };
    }
    if letters.is_empty() || flags.contains(BindFlags::BEFORE | BindFlags::AFTER) {
        return Err(Wrong);
    }
    Ok(flags)
}

/// The changes of a text, one a line; blank lines and comments are passed over.
pub fn parse(text: &[u8]) -> Result<Vec<Change>> {
    let mut changes = Vec::new();
    for line in rc::lines(text) {
        if line.trim_ascii().is_empty() || line.trim_ascii_start().starts_with(b"#") {
            continue;
        }
        let bad = |why: &str| {
            Error::new(
                Errno::EINVAL,
                format!("{why} in namespace line \"{}\"", String::from_utf8_lossy(line)),
            )
        };
        let text = std::str::from_utf8(line).map_err(|_| bad("not UTF-8"))?;
        let words = rc::split(text.as_bytes()).map_err(|e| bad(&e.to_string()))?;
        let words: Vec<&str> = words.iter().filter_map(|w| std::str::from_utf8(w).ok()).collect();
        changes.push(
            Change::parse(&words)
                .map_err(|Wrong| bad("want bind, mount, unmount or cd with its arguments"))?,
        );
    }
    Ok(changes)
}

impl Task {
    /// The lines that rebuild the namespace, the last of which says the directory (namespace(6)).
    pub fn ns_text(&self) -> Vec<u8> {
        let mut lines = self.namespace().lines();
        lines.push(NsLine::Cd { dir: self.spec.lock().cwd.clone() });
        lines.iter().flat_map(|line| format!("{line}\n").into_bytes()).collect()
    }

    /// Does what `text` says: a text that begins with the mount of `/` rebuilds the namespace of a new task from nothing,
    /// any other is added to what is there. All of a rebuilding or nothing of it is done.
    pub async fn write_ns(self: &Arc<Task>, who: &Caller, text: &[u8]) -> Result<()> {
        let changes = parse(text)?;
        let Some(Change::Mount { flags, spec, old }) = changes.first().filter(|c| c.mounts_root()) else {
            for change in &changes {
                self.change_ns(who, change).await?;
            }
            return Ok(());
        };
        self.life.must_be_new("ns")?;
        let root = self.tree(who, spec, old.as_bytes()).await?;
        let ns = Namespace::new(root.clone(), spec);
        if !flags.contains(BindFlags::CREATE) {
            // It takes no new entries where it becomes a member of a union.
            ns.mount(root, spec, &ns.root(), *flags)?;
        }
        let mut cwd = self.spec.lock().cwd.clone();
        for change in &changes[1..] {
            self.apply(who, &ns, change, &mut cwd).await.map_err(|e| e.context(change))?;
        }
        self.set_namespace(ns)?;
        self.change_spec("ns", |spec| {
            spec.cwd = cwd;
            Ok(())
        })
    }

    /// One change of the task's own namespace, also while it runs.
    pub async fn change_ns(self: &Arc<Task>, who: &Caller, change: &Change) -> Result<()> {
        self.life.must_not_be_over("ns")?;
        let mut cwd = self.spec.lock().cwd.clone();
        self.apply(who, &self.namespace(), change, &mut cwd).await?;
        if matches!(change, Change::Cd { .. }) {
            return self.set_cwd(cwd);
        }
        Ok(())
    }

    pub fn set_cwd(&self, cwd: Vec<u8>) -> Result<()> {
        self.change_spec("cwd", |spec| {
            spec.cwd = cwd;
            Ok(())
        })
    }

    async fn apply(
        self: &Arc<Task>,
        who: &Caller,
        ns: &Namespace,
        change: &Change,
        cwd: &mut Vec<u8>,
    ) -> Result<()> {
        match change {
            Change::Bind { flags, new, old } => {
                let (new, old) = (self.place(who, ns, new).await?, self.place(who, ns, old).await?);
                if let Some(caps) = self.bounds(who)? {
                    caps.allow_bind(&new.path(), &old.path())?;
                }
                ns.bind(&new, &old, *flags)
            }
            Change::Mount { flags, spec, old } => {
                let old = self.place(who, ns, old).await?;
                let tree = self.tree(who, spec, &old.path()).await?;
                ns.mount(tree, spec, &old, *flags)
            }
            Change::Unmount { new, old } => {
                let old = self.place(who, ns, old).await?;
                match new {
                    Some(new) => ns.unmount(Some(&self.place(who, ns, new).await?), &old),
                    None => ns.unmount(None, &old),
                }
            }
            Change::Cd { dir } => {
                let place = self.place(who, ns, dir).await?;
                if !place.kind().is_dir() {
                    return Err(Error::new(Errno::ENOTDIR, format!("{dir}: not a directory")));
                }
                *cwd = place.path();
                Ok(())
            }
        }
    }

    /// What `name` is in `ns`: absolute, or relative to the task's own directory, where its ctl is.
    async fn place(&self, who: &Caller, ns: &Namespace, name: &str) -> Result<Place> {
        let path = if name.starts_with('/') { name.to_owned() } else { format!("/task/{}/{name}", self.id) };
        ns.root().resolve(who, path.as_bytes(), Follow::Yes).await.map_err(|e| e.context(path))
    }

    /// The tree called `spec`: one that the namespace has, or one that the server attaches.
    async fn tree(&self, who: &Caller, spec: &str, old: &[u8]) -> Result<NodeRef> {
        if let Some(caps) = self.bounds(who)?
            && !caps.all_files()
        {
            // The paths of its `fs` lines mean the trees that it was given.
            let text = format!(
                "permission denied: mount on {}: no capability \"fs:/ read write\"",
                String::from_utf8_lossy(old)
            );
            return Err(Error::new(Errno::EACCES, text));
        }
        if let Some(tree) = self.namespace().tree(spec.as_bytes()) {
            return Ok(tree);
        }
        match &self.table()?.config.attach {
            Some(attach) => attach.attach(who, spec).await,
            None if spec == "mem" => Ok(MemTree::new().root()),
            None => Err(Error::new(Errno::ENOENT, format!("{spec}: no such tree"))),
        }
    }
}

impl TaskTable {
    /// The lines that rebuild the server's own namespace: what is attached to, and what new tasks get a copy of.
    pub fn home_text(&self) -> Vec<u8> {
        let lines = self.home().map(|ns| ns.lines()).unwrap_or_default();
        lines.iter().flat_map(|line| format!("{line}\n").into_bytes()).collect()
    }

    /// Changes the server's own namespace, line by line until one fails. Tasks that exist keep theirs.
    pub async fn write_home(&self, who: &Caller, text: &[u8]) -> Result<()> {
        if let Some(id) = who.task {
            let text = format!("permission denied: task {id} may change its own namespace only");
            return Err(Error::new(Errno::EACCES, text));
        }
        if Caps::of(who).is_some() {
            let text =
                "permission denied: who is bound by capabilities may not change the server's namespace";
            return Err(Error::new(Errno::EACCES, text));
        }
        let ns = self.home().ok_or(Errno::ENXIO)?;
        let root = ns.root();
        let place = async |path: &str| {
            root.resolve(who, path.as_bytes(), Follow::Yes).await.map_err(|e| e.context(path))
        };
        for change in parse(text)? {
            match &change {
                Change::Bind { flags, new, old } => {
                    ns.bind(&place(new).await?, &place(old).await?, *flags)?
                }
                Change::Unmount { new: Some(new), old } => {
                    ns.unmount(Some(&place(new).await?), &place(old).await?)?;
                }
                Change::Unmount { new: None, old } => ns.unmount(None, &place(old).await?)?,
                Change::Mount { flags, spec, old } => {
                    let tree = match (ns.tree(spec.as_bytes()), &self.config.attach) {
                        (Some(tree), _) => tree,
                        (None, Some(attach)) => attach.attach(who, spec).await?,
                        (None, None) if spec == "mem" => MemTree::new().root(),
                        (None, None) => {
                            return Err(Error::new(Errno::ENOENT, format!("{spec}: no such tree")));
                        }
                    };
                    ns.mount(tree, spec, &place(old).await?, *flags)?;
                }
                Change::Cd { .. } => {
                    return Err(Error::new(Errno::EINVAL, format!("the server has no directory: {change}")));
                }
            }
        }
        Ok(())
    }
}

impl Change {
    fn mounts_root(&self) -> bool {
        matches!(self, Change::Mount { flags, old, .. } if old == "/" && !flags.intersects(BindFlags::BEFORE | BindFlags::AFTER))
    }
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let bytes = |word: &str| word.as_bytes().to_vec();
        match self.clone() {
            Change::Bind { flags, new, old } => {
                NsLine::Bind { flags, new: bytes(&new), old: bytes(&old) }.fmt(f)
            }
            Change::Mount { flags, spec, old } => NsLine::Mount { flags, spec, old: bytes(&old) }.fmt(f),
            Change::Cd { dir } => NsLine::Cd { dir: bytes(&dir) }.fmt(f),
            Change::Unmount { new, old } => {
                let words: Vec<String> = ["unmount".into()].into_iter().chain(new).chain([old]).collect();
                f.write_str(&String::from_utf8_lossy(&rc::join(&words)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines_are_those_of_bind_and_mount_with_their_flags() {
        let changes =
            parse(b"mount -c mem /\nbind -ac /a '/b c'\n\n# why\nunmount /b\ncd /a\n").expect("a namespace");
        assert_eq!(changes.len(), 4);
        assert_eq!(
            changes[1],
            Change::Bind {
                flags: BindFlags::AFTER | BindFlags::CREATE,
                new: "/a".into(),
                old: "/b c".into()
            }
        );
    }

    #[test]
    fn a_bad_line_is_named() {
        for line in ["bind /a", "bind -ab /a /b", "bind -x /a /b", "frob", "cd", "cd -a /x", "bind '/a /b"] {
            let error = parse(line.as_bytes()).expect_err(line);
            assert!(error.text().contains(line), "{error}");
        }
    }

    fn word() -> impl Strategy<Value = String> {
        "/[ -~é]{0,12}"
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            bits in 0..8u32, new in word(), old in word(), which in 0..4
        ) {
            let mut flags = BindFlags::from_bits_truncate(bits);
            if flags.contains(BindFlags::BEFORE | BindFlags::AFTER) {
                flags -= BindFlags::BEFORE;
            }
            let change = match which {
                0 => Change::Bind { flags, new, old },
                1 => Change::Mount { flags, spec: new, old },
                2 => Change::Unmount { new: Some(new), old },
                _ => Change::Cd { dir: new },
            };
            prop_assert_eq!(parse(change.to_string().as_bytes()), Ok(vec![change]));
        }

        #[test]
        fn reading_never_panics(text in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = parse(&text);
        }
    }
}
