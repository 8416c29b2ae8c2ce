//! The lines that sed edits, one file after the other, with a look at whether there is another; and files that are changed in place, which
//! are written beside the old one and take its name when they are whole.

use super::super::gnu::{Done, Failure, fail};
use super::super::messages::say;
use super::super::reach::joined;
use super::super::{Input, Invocation, Output, words};
use super::Settings;
use std::collections::VecDeque;
use vfs::{Caller, Follow, Kind, Mode, NameBuf, OpenFlags, Parent, Place, RenameFlags, SetStat};

pub struct Lines {
    files: VecDeque<Vec<u8>>,
    input: Option<Input>,
    /// The file that is read.
    pub name: Vec<u8>,
    /// The line after the current one, where it was looked at.
    ahead: Option<Vec<u8>>,
    pub number: u64,
    /// The file that is changed.
    pub rewrite: Option<Rewrite>,
    pub status: u8,
}

impl Lines {
    pub fn new(files: Vec<Vec<u8>>) -> Lines {
        Lines {
            files: files.into(),
            input: None,
            name: b"-".to_vec(),
            ahead: None,
            number: 0,
            rewrite: None,
            status: 0,
        }
    }

    /// Puts the next line in `line`, without its end; gives whether it had one, or none where there is no further line. A file that
    /// is changed in place ends when the next one begins.
    pub async fn next(
        &mut self,
        call: &mut Invocation<'_>,
        settings: &Settings,
        line: &mut Vec<u8>,
    ) -> Done<Option<bool>> {
        loop {
            if let Some(ahead) = self.ahead.take() {
                *line = ahead;
                break;
            }
            if self.read(call, settings, line).await? {
                break;
            }
            self.input = None;
            if let Some(rewrite) = self.rewrite.take() {
                rewrite.finish(call).await?;
            }
            if !self.open(call, settings).await? {
                return Ok(None);
            }
            if settings.separate {
                self.number = 0;
            }
        }
        self.number += 1;
        let ended = line.last() == Some(&settings.end);
        if ended {
            line.pop();
        }
        Ok(Some(ended))
    }

    async fn read(
        &mut self,
        call: &mut Invocation<'_>,
        settings: &Settings,
        line: &mut Vec<u8>,
    ) -> Done<bool> {
        let Some(input) = &mut self.input else { return Ok(false) };
        match call.line(input, settings.end, line).await {
            Ok(any) => Ok(any),
            Err(error) => {
                let name = if self.name == b"-" { b"stdin".to_vec() } else { self.name.clone() };
                fail(say!("read error on ", name, ": ", words(&error)))
            }
        }
    }

    /// Opens the next file that can be; false where there is none left.
    async fn open(&mut self, call: &mut Invocation<'_>, settings: &Settings) -> Done<bool> {
        while let Some(name) = self.files.pop_front() {
            self.name = name.clone();
            if let Some(suffix) = settings.in_place.as_ref().filter(|_| name != b"-") {
                match Rewrite::begin(call, &name, suffix).await {
                    Ok((input, rewrite)) => {
                        (self.input, self.rewrite) = (Some(input), Some(rewrite));
                        return Ok(true);
                    }
                    Err(Failure::Said(text)) => {
                        self.status = if text.starts_with(b"can't read") { 2 } else { 4 };
                        call.warn(text).await;
                    }
                    Err(failure) => return Err(failure),
                }
                continue;
            }
            match call.open(&name).await {
                Ok(input) => {
                    self.input = Some(input);
                    return Ok(true);
                }
                Err(error) => {
                    call.warn(say!("can't read ", name, ": ", words(&error))).await;
                    self.status = 2;
                }
            }
        }
        Ok(false)
    }

    /// Whether the line that was given last is the last one: of its file, or of all.
    pub async fn is_last(&mut self, call: &mut Invocation<'_>, settings: &Settings) -> Done<bool> {
        if self.ahead.is_some() {
            return Ok(false);
        }
        let mut line = Vec::new();
        loop {
            if self.read(call, settings, &mut line).await? {
                self.ahead = Some(line);
                return Ok(false);
            }
            if settings.separate {
                return Ok(true);
            }
            self.input = None;
            let name = self.name.clone();
            if !self.open(call, settings).await? {
                self.name = name;
                return Ok(true);
            }
        }
    }

    /// The end before the end: what is left of a file that is changed in place is left out.
    pub async fn close(&mut self, call: &mut Invocation<'_>) -> Done<()> {
        match self.rewrite.take() {
            Some(rewrite) => rewrite.finish(call).await,
            None => Ok(()),
        }
    }
}

/// A file that is written anew beside the old one.
pub struct Rewrite {
    pub output: Output,
    pub missing_newline: bool,
    made: Place,
    dir: Place,
    name: NameBuf,
    temporary: NameBuf,
    backup: Option<Vec<u8>>,
    shown: Vec<u8>,
    who: Caller,
    done: bool,
}

impl Rewrite {
    async fn begin(call: &mut Invocation<'_>, path: &[u8], suffix: &[u8]) -> Done<(Input, Rewrite)> {
        let stat = match call.stat(path, Follow::Yes).await {
            Ok(stat) => stat,
            Err(error) => return fail(say!("can't read ", path, ": ", words(&error))),
        };
        if stat.kind() != Kind::File {
            return fail(say!("couldn't edit ", path, ": not a regular file"));
        }
        let input = match call.open_file(path).await {
            Ok(input) => input,
            Err(error) => return fail(say!("can't read ", path, ": ", words(&error))),
        };
        let Parent { dir, name, .. } = match call.parent(path).await {
            Ok(parent) => parent,
            Err(error) => return fail(say!("couldn't edit ", path, ": ", words(&error))),
        };
        let backup = (!suffix.is_empty()).then(|| {
            if suffix.contains(&b'*') {
                suffix.split(|b| *b == b'*').collect::<Vec<_>>().join(&name[..])
            } else {
                [&name[..], suffix].concat()
            }
        });
        for attempt in 0u32.. {
            let label = format!(
                "sed{:06x}",
                (stat.qid.path as u32).wrapping_add(attempt.wrapping_mul(7919)) & 0xff_ffff
            );
            let temporary = vfs::Name::new(label.as_bytes()).expect("letters and digits").to_owned();
            let flags = OpenFlags::WRITE | OpenFlags::EXCLUSIVE;
            let made = dir.create(call.who, temporary.as_name(), Mode::new(0o600), flags).await;
            let created = match made {
                Ok(created) => created,
                Err(error) if error.is(vfs::Errno::EEXIST) && attempt < 1000 => continue,
                Err(error) => {
                    return fail(say!(
                        "couldn't open temporary file ",
                        joined(b".", &temporary[..]),
                        ": ",
                        words(&error)
                    ));
                }
            };
            let rewrite = Rewrite {
                output: Output::new(created.file),
                missing_newline: false,
                made: created.place,
                dir,
                name,
                temporary,
                backup,
                shown: path.to_vec(),
                who: call.who.clone(),
                done: false,
            };
            let own = SetStat { uid: Some(stat.uid), gid: Some(stat.gid), ..SetStat::default() };
            // Who may not give files away keeps them: as cp -p.
            let _kept = rewrite.made.setstat(call.who, own).await;
            let mode = SetStat { mode: Some(stat.mode), ..SetStat::default() };
            if let Err(error) = rewrite.made.setstat(call.who, mode).await {
                return Err(rewrite.failed(&error));
            }
            return Ok((input, rewrite));
        }
        unreachable!("the loop above ends by returning")
    }

    pub fn failed(&self, error: &vfs::Error) -> Failure {
        Failure::Said(say!("couldn't write to ", self.shown, ": ", words(error)))
    }

    /// Gives it the name of the old one.
    async fn finish(mut self, call: &mut Invocation<'_>) -> Done<()> {
        if let Err(error) = self.output.flush().await {
            return Err(self.failed(&error));
        }
        if let Some(backup) = &self.backup {
            let place = if backup.contains(&b'/') { call.cwd } else { &self.dir };
            let moved = match place.resolve_parent(call.who, backup).await {
                Ok(to) => {
                    let none = RenameFlags::default();
                    self.dir.rename(call.who, self.name.as_name(), &to.dir, to.name.as_name(), none).await
                }
                Err(error) => Err(error),
            };
            if let Err(error) = moved {
                return fail(say!("cannot rename ", self.shown, ": ", words(&error)));
            }
        }
        let none = RenameFlags::default();
        let moved =
            self.dir.rename(call.who, self.temporary.as_name(), &self.dir, self.name.as_name(), none).await;
        if let Err(error) = moved {
            return fail(say!("cannot rename ", self.shown, ": ", words(&error)));
        }
        self.done = true;
        Ok(())
    }
}

impl Drop for Rewrite {
    /// Killed in the middle, the old file is what it was, and the new one goes as far as that takes no waiting.
    fn drop(&mut self) {
        if !self.done {
            drop(self.dir.unlink(&self.who, self.temporary.as_name()).now());
        }
    }
}
