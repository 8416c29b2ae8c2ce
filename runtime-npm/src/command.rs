//! What a command line of npm asks for, where each of its words is known here: which packages come into the project, and which go.

use crate::manifest::is_name;
use crate::spec::Spec;
use crate::unusual::{Plain, Unusual};
use crate::version::Version;

/// They say what is so anyway, of an install from a mirror.
const EMPTY_OPTIONS: [&str; 5] =
    ["--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline", "--no-progress"];
/// Such a name is a tarball's, which lies in the project.
const TARBALLS: [&str; 3] = [".tgz", ".tar.gz", ".tar"];

#[derive(PartialEq, Eq, Debug)]
pub enum Command {
    /// As the lock file says, which is not written.
    Ci,
    Install(Vec<Asking>, Save),
    Remove(Vec<String>),
}

/// A package to come.
#[derive(PartialEq, Eq, Debug)]
pub struct Asking {
    pub name: String,
    /// As it was said; `*` where nothing was.
    pub spec: String,
}

/// How it is written into package.json.
#[derive(Default, PartialEq, Eq, Debug)]
pub struct Save {
    /// Said to be for development, or not to be.
    pub is_dev: Option<bool>,
    /// The version that was found, and not those that are compatible.
    pub is_exact: bool,
}

impl Command {
    /// # Errors
    /// Whatever is another command, or more than is done here.
    pub fn parse(words: &[Vec<u8>]) -> Plain<Command> {
        let text = |word: &Vec<u8>| String::from_utf8(word.clone()).map_err(|_| Unusual::new("a word"));
        let words: Vec<String> = words.iter().map(text).collect::<Plain<_>>()?;
        let mut words = words.iter().map(String::as_str).filter(|word| !EMPTY_OPTIONS.contains(word));
        let name = words.next().unwrap_or_default();
        let rest: Vec<&str> = words.collect();
        let (mut save, mut names) = (Save::default(), Vec::new());
        for word in rest {
            match word {
                "--save" | "-S" => {}
                "--save-exact" | "-E" => save.is_exact = true,
                "--save-dev" | "-D" if save.is_dev != Some(false) => save.is_dev = Some(true),
                "--save-prod" | "-P" if save.is_dev != Some(true) => save.is_dev = Some(false),
                word if word.starts_with('-') => return Err(Unusual::new(format!("npm {name} {word}"))),
                word => names.push(word),
            }
        }
        let has_options = save != Save::default();
        match name {
            "ci" if names.is_empty() && !has_options => Ok(Command::Ci),
            "install" | "i" | "add" if !names.is_empty() || !has_options => {
                let asked: Vec<Asking> = names.into_iter().map(Asking::parse).collect::<Plain<_>>()?;
                each_once(asked.iter().map(|asking| asking.name.as_str()))?;
                Ok(Command::Install(asked, save))
            }
            "uninstall" | "un" | "remove" | "rm" if !names.is_empty() && !has_options => {
                if let Some(name) = names.iter().find(|name| !is_name(name)) {
                    return Err(Unusual::new(format!("npm uninstall {name}")));
                }
                each_once(names.iter().copied())?;
                Ok(Command::Remove(names.into_iter().map(str::to_owned).collect()))
            }
            _ => Err(Unusual::new("another command")),
        }
    }
}

fn each_once<'a>(names: impl Iterator<Item = &'a str>) -> Plain<()> {
    let mut names: Vec<&str> = names.collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(Unusual::new(format!("{} twice", pair[0]))),
        None => Ok(()),
    }
}

impl Asking {
    fn parse(word: &str) -> Plain<Asking> {
        let unusual = || Unusual::new(format!("npm install {word}"));
        let at = word.char_indices().skip(1).find(|(_, sign)| *sign == '@').map(|(at, _)| at);
        let (name, spec) = at.map_or((word, "*"), |at| (&word[..at], &word[at + 1..]));
        let lower = word.to_ascii_lowercase();
        if !is_name(name) || TARBALLS.iter().any(|end| lower.ends_with(end)) {
            return Err(unusual());
        }
        let is_known = match Spec::parse(spec)? {
            Spec::Any => spec == "*",
            Spec::Tag(_) => true,
            // A version in other words than its own would be read as one.
            Spec::Range(_) => Version::parse(spec).is_ok() || !spec.starts_with(['v', '=', ' ']),
        };
        match is_known && spec.trim() == spec && !spec.contains(['+']) {
            true => Ok(Asking { name: name.to_owned(), spec: spec.to_owned() }),
            false => Err(unusual()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Plain<Command> {
        let words: Vec<Vec<u8>> = line.split(' ').map(|word| word.as_bytes().to_vec()).collect();
        Command::parse(&words)
    }

    #[test]
    fn packages_and_how_they_are_saved_are_found_in_any_order() {
        let asking = |name: &str, spec: &str| Asking { name: name.into(), spec: spec.into() };
        let wanted = Command::Install(
            vec![asking("@a/b", "^1"), asking("c", "*")],
            Save { is_dev: Some(true), is_exact: true },
        );
        assert_eq!(parse("install -D @a/b@^1 --no-audit c --save-exact").expect("known"), wanted);
        assert_eq!(parse("i").expect("known"), Command::Install(Vec::new(), Save::default()));
        assert_eq!(
            parse("i a@next").expect("known"),
            Command::Install(vec![asking("a", "next")], Save::default())
        );
        assert_eq!(parse("rm a @b/c").expect("known"), Command::Remove(vec!["a".into(), "@b/c".into()]));
        assert_eq!(parse("ci --no-fund").expect("known"), Command::Ci);
    }

    #[test]
    fn what_may_mean_something_else_is_npms() {
        for line in [
            "run x",
            "ci a",
            "ci -D",
            "install -D",
            "install -D -P a",
            "install --omit=dev",
            "install ./a",
            "install a/b",
            "install a.tgz",
            "install a@file:b",
            "install a@npm:b@1",
            "install a@",
            "install a@=1.2.3",
            "install a a@1",
            "install -g a",
            "install a@v1",
            "uninstall",
            "uninstall a@1",
            "uninstall -D a",
            "install a@1.0.0+x",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
