//! How commands reach files: by a path from their directory, `-` for standard input, made with the mode that is theirs, read so that what
//! was written before is seen while they wait.

use super::messages::{named, say};
use super::{Input, Invocation, Output, turn, words};
use vfs::{Created, Errno, Follow, Mode, OpenFlags, Parent, Place, Result, Stat};

/// Links that are followed to find where a file is to be made.
const MAX_LINKS: u32 = 40;

impl Invocation<'_> {
    pub(super) async fn place(&self, path: &[u8], follow: Follow) -> Result<Place> {
        self.cwd.resolve(self.who, path, follow).await
    }

    pub(super) async fn stat(&self, path: &[u8], follow: Follow) -> Result<Stat> {
        let place = self.place(path, follow).await?;
        place.stat(self.who).await
    }

    /// The file called `path`, to be read; `-` is standard input, which is there once.
    pub(super) async fn open(&mut self, path: &[u8]) -> Result<Input> {
        if path == b"-" {
            return Ok(self.stdin.surrender());
        }
        self.open_file(path).await
    }

    /// The same, where `-` is a name like any other.
    pub(super) async fn open_file(&mut self, path: &[u8]) -> Result<Input> {
        let place = self.place(path, Follow::Yes).await?;
        Input::open(&place, self.who).await
    }

    /// [`Invocation::open`] for commands that go on with the next file: none after the error was told.
    pub(super) async fn open_or_tell(&mut self, path: &[u8]) -> Option<Input> {
        match self.open(path).await {
            Ok(input) => Some(input),
            Err(error) => {
                self.tell(path, &error).await;
                None
            }
        }
    }

    /// `NAME: path: error`.
    pub(super) async fn tell(&mut self, path: &[u8], error: &vfs::Error) {
        self.warn(say!(named(path), ": ", words(error))).await;
    }

    /// The directory and name of what is to be made or removed as `path`.
    pub(super) async fn parent(&self, path: &[u8]) -> Result<Parent> {
        self.cwd.resolve_parent(self.who, path).await
    }

    /// The file called `path`, to be written: made where there is none, with `mode` but for the umask.
    pub(super) async fn create(&self, path: &[u8], mode: u32, flags: OpenFlags) -> Result<Created> {
        let mut from = self.cwd.clone();
        let mut path = path.to_vec();
        for _ in 0..MAX_LINKS {
            if !flags.contains(OpenFlags::EXCLUSIVE) {
                match from.resolve(self.who, &path, Follow::Yes).await {
                    Ok(place) => {
                        let file = place.open(self.who, flags).await?;
                        return Ok(Created { place, file });
                    }
                    Err(error) if error.is(Errno::ENOENT) => {}
                    Err(error) => return Err(error),
                }
            }
            if path.ends_with(b"/") {
                return Errno::EISDIR.into();
            }
            let Parent { dir, name, .. } = from.resolve_parent(self.who, &path).await?;
            let mode = Mode::new(mode & !self.shell.umask());
            match dir.create(self.who, name.as_name(), mode, flags | OpenFlags::EXCLUSIVE).await {
                Err(error) if error.is(Errno::EEXIST) && !flags.contains(OpenFlags::EXCLUSIVE) => {}
                made => return made,
            }
            // Either somebody was faster, or a link leads to where there is nothing yet.
            let there = dir.walk(self.who, &name).await?;
            if let Ok(target) = there.readlink().await {
                path = target.to_vec();
                from = dir;
            }
        }
        Errno::ELOOP.into()
    }

    /// [`Invocation::create`] with what `>` would do.
    pub(super) async fn output(&self, path: &[u8]) -> Result<Output> {
        let created = self.create(path, 0o666, OpenFlags::WRITE | OpenFlags::TRUNCATE).await?;
        Ok(Output::new(created.file))
    }

    /// Makes the directory `path`.
    pub(super) async fn make_directory(&self, path: &[u8], mode: u32) -> Result<Place> {
        let Parent { dir, name, .. } = self.parent(path).await?;
        let mode = Mode::new(mode & !self.shell.umask());
        dir.mkdir(self.who, name.as_name(), mode).await
    }

    /// What comes next in `input`; nothing is its end. Whoever reads our output has all of it before we wait.
    pub(super) async fn fill<'i>(&mut self, input: &'i mut Input) -> Result<&'i [u8]> {
        turn(self.shell).await;
        input.fill_behind(&mut self.stdout).await
    }

    /// Puts the next line of `input` in `line`, with its `end` if it has one; false where there is none left.
    pub(super) async fn line(&mut self, input: &mut Input, end: u8, line: &mut Vec<u8>) -> Result<bool> {
        line.clear();
        loop {
            let next = self.fill(input).await?;
            if next.is_empty() {
                return Ok(!line.is_empty());
            }
            let at = memchr::memchr(end, next);
            let count = at.map_or(next.len(), |at| at + 1);
            line.extend_from_slice(&next[..count]);
            input.take(count);
            if at.is_some() {
                return Ok(true);
            }
            input.keep(self.shell.memory(), line.len())?;
        }
    }

    /// All that is left of `input`, as far as memory goes.
    pub(super) async fn rest(&mut self, input: &mut Input) -> Result<Vec<u8>> {
        let mut all = Vec::new();
        loop {
            let next = self.fill(input).await?;
            if next.is_empty() {
                return Ok(all);
            }
            all.extend_from_slice(next);
            let count = next.len();
            input.take(count);
            input.keep(self.shell.memory(), all.len())?;
        }
    }

    /// Copies what is left of `input` to standard output.
    pub(super) async fn pass_on(&mut self, input: &mut Input) -> std::result::Result<(), Passing> {
        loop {
            turn(self.shell).await;
            let next = input.fill_behind(&mut self.stdout).await.map_err(Passing::Input)?;
            if next.is_empty() {
                return Ok(());
            }
            self.stdout.write(next).await.map_err(Passing::Output)?;
            let count = next.len();
            input.take(count);
        }
    }
}

/// Which side of a copy failed.
pub(super) enum Passing {
    Input(vfs::Error),
    Output(vfs::Error),
}

/// The last component of a path, without slashes behind it.
pub(super) fn base_name(path: &[u8]) -> &[u8] {
    let end = path.iter().rposition(|b| *b != b'/').map_or(0, |last| last + 1);
    if end == 0 {
        return if path.is_empty() { path } else { b"/" };
    }
    let start = path[..end].iter().rposition(|b| *b == b'/').map_or(0, |slash| slash + 1);
    &path[start..end]
}

/// `name` in the directory `dir`, as a path.
pub(super) fn joined(dir: &[u8], name: &[u8]) -> Vec<u8> {
    let mut path = dir.to_vec();
    if !path.ends_with(b"/") {
        path.push(b'/');
    }
    path.extend_from_slice(name);
    path
}

/// The operands, or standard input where there are none.
pub(super) fn or_stdin(operands: &[Vec<u8>]) -> Vec<Vec<u8>> {
    if operands.is_empty() { vec![b"-".to_vec()] } else { operands.to_vec() }
}
