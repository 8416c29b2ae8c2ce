//! Redirections (POSIX.1, 2.7).

use crate::files::{Description, pipe};
use crate::shell::{Outcome, Shell};
use crate::syntax::{Redirect, Towards};
use std::sync::Arc;
use vfs::{Errno, Error, FileRef, Follow, Kind, Mode, Nature, Op, OpenFlags, Result};

/// What descriptors were before a redirection.
pub(crate) type Before = Vec<(u32, Option<Arc<Description>>)>;

impl Shell {
    /// Does what `redirects` say; gives what to undo it with. None where one could not be done: that was said, and all is as
    /// before.
    pub async fn redirect(&mut self, redirects: &[Redirect]) -> Outcome<Option<Before>> {
        let mut before = Vec::with_capacity(redirects.len());
        for redirect in redirects {
            match self.opened(redirect).await {
                Ok(Ok(file)) => {
                    let fd = redirect.fd;
                    let old = self.fds.set(fd, file);
                    before.push((fd, old));
                }
                Ok(Err(text)) => {
                    self.restore(before);
                    self.say(text).await;
                    return Ok(None);
                }
                Err(stop) => {
                    self.restore(before);
                    return Err(stop);
                }
            }
        }
        Ok(Some(before))
    }

    pub fn restore(&mut self, before: Before) {
        for (fd, file) in before.into_iter().rev() {
            self.fds.set(fd, file);
        }
    }

    /// The file that a redirection puts there: none where it closes. An error is a text to say.
    async fn opened(
        &mut self,
        redirect: &Redirect,
    ) -> Outcome<std::result::Result<Option<Arc<Description>>, String>> {
        if redirect.towards == Towards::Here {
            let text = match redirect.text.get() {
                Some(word) => self.document(word).await?,
                None => Vec::new(),
            };
            return Ok(document(text).map(Some).map_err(|error| crate::commands::words(&error)));
        }
        let name = self.text(&redirect.target).await?;
        let shown = String::from_utf8_lossy(&name).into_owned();
        if redirect.towards == Towards::Copy {
            return Ok(match name.as_slice() {
                b"-" => Ok(None),
                [digit] if digit.is_ascii_digit() => match self.fds.get(u32::from(digit - b'0')) {
                    Some(file) => Ok(Some(file.clone())),
                    None => Err(format!("{shown}: Bad file descriptor")),
                },
                _ => {
                    self.status = 2;
                    return Err(self.fail("Syntax error: Bad fd number").await);
                }
            });
        }
        let verb = if matches!(redirect.towards, Towards::Read) { "open" } else { "create" };
        let opened = self.open(&name, redirect.towards).await;
        Ok(opened.map(Some).map_err(|error| {
            let why = match error.errno() {
                Errno::ENOENT if verb == "open" => "No such file".to_owned(),
                Errno::ENOENT => "Directory nonexistent".to_owned(),
                _ => crate::commands::words(&error),
            };
            format!("cannot {verb} {shown}: {why}")
        }))
    }

    /// Opens a file as a redirection does.
    pub async fn open(&self, name: &[u8], towards: Towards) -> Result<Arc<Description>> {
        let (flags, append) = match towards {
            Towards::Read => (OpenFlags::READ, false),
            Towards::Append => (OpenFlags::WRITE | OpenFlags::APPEND, true),
            Towards::ReadWrite => (OpenFlags::READ | OpenFlags::WRITE, false),
            _ => (OpenFlags::WRITE | OpenFlags::TRUNCATE, false),
        };
        let reads = flags.contains(OpenFlags::READ);
        let writes = flags.contains(OpenFlags::WRITE);
        let counted = self.setting.process.opening()?;
        let file = if writes {
            let clobbers = towards != Towards::Write || !self.options.has('C');
            self.create(name, flags, clobbers).await?
        } else {
            let place = self.cwd.resolve(&self.who, name, Follow::Yes).await?;
            self.unless_settled(place.open(&self.who, flags)).await?
        };
        Ok(Description::counted(file, reads, writes, append, Some(counted)))
    }

    async fn create(&self, name: &[u8], flags: OpenFlags, clobbers: bool) -> Result<FileRef> {
        if name.is_empty() {
            return Errno::ENOENT.into();
        }
        match self.cwd.resolve(&self.who, name, Follow::Yes).await {
            Ok(place) => {
                // What is no storage loses nothing: the devices of /dev, the files of /task.
                let keeps = place.kind() == Kind::File && place.nature() == Nature::Storage;
                if keeps && !clobbers {
                    return Errno::EEXIST.into();
                }
                self.unless_settled(place.open(&self.who, flags)).await
            }
            Err(error) if error.is(Errno::ENOENT) => {
                let mut parent = self.cwd.resolve_parent(&self.who, name).await?;
                // A link that leads nowhere: the file is made where it leads.
                for _ in 0..40 {
                    if parent.must_be_dir {
                        return Errno::EISDIR.into();
                    }
                    let link = match parent.dir.walk(&self.who, &parent.name).await {
                        Ok(place) if place.kind() == Kind::Symlink => place.readlink().await?,
                        _ => {
                            let (dir, name) = (&parent.dir, parent.name.as_name());
                            let made = dir.create(&self.who, name, Mode::new(0o666), flags).await?;
                            return Ok(made.file);
                        }
                    };
                    parent = parent.dir.resolve_parent(&self.who, &link).await?;
                }
                Errno::ELOOP.into()
            }
            Err(error) => Err(error),
        }
    }

    /// Awaits an open. One that has to wait (a fifo) settles that a background job is no single program.
    async fn unless_settled<'a>(&self, op: Op<'a, FileRef>) -> Result<FileRef> {
        if let (Op::Later(_), Some(job)) = (&op, &self.job) {
            job.settle(None);
        }
        op.await
    }
}

/// A here-document as a file: all of it is in the pipe, or follows by itself.
fn document(text: Vec<u8>) -> std::result::Result<Arc<Description>, Error> {
    let (reader, _) = pipe()?;
    reader.give_back(&text);
    Ok(reader)
}
