//! The files that grep looks into: those named, standard input, or all below a directory, but for what is included and excluded by name.

use super::super::glob::Glob;
use super::super::gnu::{Done, Failure, fail};
use super::super::messages::say;
use super::super::options::Args;
use super::super::reach::base_name;
use super::super::walk::{Links, Step, Walk};
use super::super::{Input, Invocation, words};
use super::search::{Fault, Search};
use vfs::{Error, Follow, Kind};

#[derive(Clone, Copy, PartialEq)]
enum Directories {
    Read,
    Skip,
    Recurse,
}

pub struct Files {
    directories: Directories,
    follows: bool,
    skip_devices: bool,
    silent: bool,
    quiet: bool,
    /// In the order given; whether what matches is left out.
    names: Vec<(Glob, bool)>,
    dirs: Vec<Glob>,
}

impl Files {
    pub fn new(args: &Args) -> Done<Files> {
        let mut files = Files {
            directories: Directories::Read,
            follows: false,
            skip_devices: false,
            silent: args.has("s"),
            quiet: args.has("q"),
            names: Vec::new(),
            dirs: Vec::new(),
        };
        for given in &args.options {
            let value = given.value.as_deref().unwrap_or_default();
            match given.key {
                "r" | "R" => {
                    files.directories = Directories::Recurse;
                    files.follows = given.key == "R";
                    files.skip_devices = true;
                }
                "d" => {
                    files.directories = match value {
                        b"read" => Directories::Read,
                        b"skip" => Directories::Skip,
                        b"recurse" => Directories::Recurse,
                        _ => return fail("unknown directories method"),
                    }
                }
                "D" => files.skip_devices = value == b"skip",
                "include" => files.names.push((Glob::new(value, false), false)),
                "exclude" => files.names.push((Glob::new(value, false), true)),
                "exclude-dir" => {
                    let value = value.strip_suffix(b"/").unwrap_or(value);
                    files.dirs.push(Glob::new(value, false));
                }
                _ => {}
            }
        }
        Ok(files)
    }

    fn is_left_out(&self, path: &[u8]) -> bool {
        let Some((_, first_excludes)) = self.names.first() else { return false };
        let name = base_name(path);
        let last = self.names.iter().rev().find(|(glob, _)| glob.matches(name) || glob.matches(path));
        last.map_or(!first_excludes, |(_, excludes)| *excludes)
    }

    pub async fn search(&self, call: &mut Invocation<'_>, operands: &[Vec<u8>], search: &mut Search) -> Done {
        let recurse = self.directories == Directories::Recurse;
        let (mut any, mut trouble) = (false, false);
        search.show_names_if(recurse || operands.len() > 1);
        let none = operands.is_empty();
        let here = [if recurse { b".".to_vec() } else { b"-".to_vec() }];
        let operands = if none { &here[..] } else { operands };
        for path in operands {
            if recurse && path != b"-" {
                self.below(call, path, none, search, &mut any, &mut trouble).await?;
            } else {
                if path != b"-" && self.is_left_out(path) {
                    continue;
                }
                if path != b"-" && self.directories == Directories::Skip {
                    let stat = call.stat(path, Follow::Yes).await;
                    if stat.is_ok_and(|stat| stat.kind() == Kind::Dir) {
                        continue;
                    }
                }
                let input = call.open(path).await;
                self.one(call, path, input, search, &mut any, &mut trouble).await?;
            }
            if any && self.quiet {
                return Ok(0);
            }
        }
        Ok(if trouble { 2 } else { u8::from(!any) })
    }

    async fn below(
        &self,
        call: &mut Invocation<'_>,
        path: &[u8],
        unnamed: bool,
        search: &mut Search,
        any: &mut bool,
        trouble: &mut bool,
    ) -> Done<()> {
        let mut walk = Walk::new(if self.follows { Links::Always } else { Links::Given });
        let mut step = Some(walk.begin(call, path).await);
        while let Some(now) = step {
            match now {
                Step::Found(entry) => {
                    let shown = if unnamed {
                        entry.path.strip_prefix(b"./").unwrap_or(&entry.path)
                    } else {
                        &entry.path
                    };
                    match entry.stat.kind() {
                        Kind::Dir => {
                            let name = base_name(&entry.path);
                            if (entry.depth > 0 || !unnamed)
                                && self.dirs.iter().any(|glob| glob.matches(name))
                            {
                                walk.skip();
                            }
                        }
                        Kind::File if !self.is_left_out(&entry.path) => {
                            let input = Input::open(&entry.place, call.who).await;
                            self.one(call, shown, input, search, any, trouble).await?;
                        }
                        Kind::Fifo | Kind::Socket | Kind::CharDevice | Kind::BlockDevice
                            if entry.depth == 0 && !self.is_left_out(&entry.path) =>
                        {
                            let input = Input::open(&entry.place, call.who).await;
                            self.one(call, shown, input, search, any, trouble).await?;
                        }
                        // It leads nowhere.
                        Kind::Symlink if self.follows && !self.is_left_out(&entry.path) => {
                            let input = Input::open(&entry.place, call.who).await;
                            let input = input.map_err(|_| vfs::Errno::ENOENT.into());
                            self.one(call, shown, input, search, any, trouble).await?;
                        }
                        _ => {}
                    }
                }
                Step::Left(_) => {}
                Step::Failed { path, error, .. } => {
                    let shown = if unnamed { path.strip_prefix(b"./").unwrap_or(&path) } else { &path };
                    self.complain(call, shown, &error, trouble).await;
                }
                Step::Loop(entry) => {
                    call.warn(say!("warning: ", entry.path, ": recursive directory loop")).await;
                }
            }
            if *any && self.quiet {
                return Ok(());
            }
            step = walk.step(call).await;
        }
        Ok(())
    }

    async fn complain(&self, call: &mut Invocation<'_>, path: &[u8], error: &Error, trouble: &mut bool) {
        *trouble = true;
        if !self.silent {
            call.warn(say!(path, ": ", words(error))).await;
        }
    }

    async fn one(
        &self,
        call: &mut Invocation<'_>,
        path: &[u8],
        input: vfs::Result<Input>,
        search: &mut Search,
        any: &mut bool,
        trouble: &mut bool,
    ) -> Done<()> {
        let found = match input {
            Ok(input) => search.file(call, path, input).await,
            Err(error) => Err(Fault::Input(error)),
        };
        match found {
            Ok(found) => *any |= found,
            Err(Fault::Input(error)) => self.complain(call, path, &error, trouble).await,
            Err(Fault::End(failure)) => return Err(failure),
        }
        Ok(())
    }
}

impl From<Failure> for Fault {
    fn from(failure: Failure) -> Fault {
        Fault::End(failure)
    }
}
