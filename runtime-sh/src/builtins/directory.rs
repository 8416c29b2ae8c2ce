//! cd and pwd: where a shell is, as it got there (-L) or with all links followed (-P).

use super::lossy;
use crate::shell::{Outcome, Shell};
use vfs::{Access, Follow, Place, Result};

/// Takes the options; gives whether the last is -P, and what follows.
async fn options<'a>(shell: &mut Shell, argv: &'a [Vec<u8>]) -> Outcome<(bool, &'a [Vec<u8>])> {
    let mut args = &argv[1..];
    let mut physical = false;
    while let [first, rest @ ..] = args
        && first.len() > 1
        && first[0] == b'-'
    {
        args = rest;
        if first == b"--" {
            break;
        }
        for letter in &first[1..] {
            physical = match letter {
                b'L' => false,
                b'P' => true,
                other => return Err(shell.illegal_option(&lossy(&argv[0]), *other as char).await),
            };
        }
    }
    Ok((physical, args))
}

pub(super) async fn cd(shell: &mut Shell, argv: &[Vec<u8>]) -> Outcome<u8> {
    let (physical, args) = options(shell, argv).await?;
    let mut shows = false;
    let target = match args.first().map(Vec::as_slice) {
        None => match shell.vars.get(b"HOME") {
            Some(home) => home.to_vec(),
            None => return Err(shell.wrong("cd", "HOME not set").await),
        },
        Some(b"-") => {
            shows = true;
            match shell.vars.get(b"OLDPWD") {
                Some(old) => old.to_vec(),
                None => return Err(shell.wrong("cd", "OLDPWD not set").await),
            }
        }
        Some(path) => path.to_vec(),
    };
    let mut path = if target.is_empty() { b".".to_vec() } else { target.clone() };
    let first = path.split(|b| *b == b'/').next().unwrap_or_default();
    if !matches!(first, b"" | b"." | b"..") {
        let dirs = shell.vars.get(b"CDPATH").unwrap_or_default().to_vec();
        for dir in dirs.split(|b| *b == b':') {
            let tried = if dir.is_empty() { path.clone() } else { [dir, b"/", &path].concat() };
            if directory(shell, &tried).await.is_ok() {
                shows |= !dir.is_empty();
                path = tried;
                break;
            }
        }
    }
    let logical = (!physical).then(|| along(&shell.pwd, &path));
    let place = match directory(shell, logical.as_ref().unwrap_or(&path)).await {
        Ok(place) => place,
        Err(_) => return Err(shell.wrong("cd", format!("can't cd to {}", lossy(&target))).await),
    };
    let new = logical.unwrap_or_else(|| place.path());
    let old = std::mem::replace(&mut shell.pwd, new.clone().into());
    shell.cwd = place;
    shell.assign(b"OLDPWD", old.to_vec()).await?;
    shell.vars.export(b"OLDPWD");
    shell.assign(b"PWD", new.clone()).await?;
    shell.vars.export(b"PWD");
    if shows {
        return shell.put("cd", &[new, b"\n".to_vec()].concat()).await;
    }
    Ok(0)
}

/// Where `path` leads from `pwd` as it is written: `..` takes the part before it away, whatever that is. Two slashes at the
/// beginning stay two.
fn along(pwd: &[u8], path: &[u8]) -> Vec<u8> {
    let (start, left) = if path.starts_with(b"/") { (path, &b""[..]) } else { (pwd, pwd) };
    let root: &[u8] = if start.starts_with(b"//") && start.get(2) != Some(&b'/') { b"//" } else { b"/" };
    let mut parts: Vec<&[u8]> = left.split(|b| *b == b'/').filter(|part| !part.is_empty()).collect();
    for part in path.split(|b| *b == b'/') {
        match part {
            b"" | b"." => {}
            b".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    [root, &parts.join(&b'/')].concat()
}

async fn directory(shell: &Shell, path: &[u8]) -> Result<Place> {
    let place = shell.cwd.resolve(&shell.who, path, Follow::Yes).await?;
    if !place.kind().is_dir() {
        return vfs::Errno::ENOTDIR.into();
    }
    place.access(&shell.who, Access::EXEC).await?;
    Ok(place)
}

pub(super) async fn pwd(shell: &mut Shell, argv: &[Vec<u8>]) -> Outcome<u8> {
    let (physical, _) = options(shell, argv).await?;
    let path = if physical { shell.cwd.path() } else { shell.pwd.to_vec() };
    shell.put("pwd", &[path, b"\n".to_vec()].concat()).await
}

impl Shell {
    /// Where it is as the environment has it, where that is true; else as it is.
    pub async fn begin_directory(&mut self) -> Outcome {
        let given = self.vars.get(b"PWD").filter(|path| path.starts_with(b"/")).map(<[u8]>::to_vec);
        let own = self.cwd.path();
        let pwd = match given {
            Some(given) => match directory(self, &given).await {
                Ok(place) if place.node().qid().path == self.cwd.node().qid().path => given,
                _ => own,
            },
            None => own,
        };
        self.pwd = pwd.clone().into();
        self.assign(b"PWD", pwd).await?;
        self.vars.export(b"PWD");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::along;

    #[test]
    fn a_path_is_followed_as_it_is_written() {
        let along =
            |pwd: &str, path: &str| String::from_utf8(along(pwd.as_bytes(), path.as_bytes())).expect("text");
        assert_eq!(along("/a/link", ".."), "/a");
        assert_eq!(along("/a", "../../b/./c//"), "/b/c");
        assert_eq!(along("/a", "/b/../c"), "/c");
        assert_eq!(along("/", "x"), "/x");
        assert_eq!(along("/a", "//b"), "//b");
        assert_eq!(along("//b", ".."), "//");
        assert_eq!(along("/a", "///b/"), "/b");
    }
}
