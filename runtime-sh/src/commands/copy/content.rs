//! The bytes of one file, from one place to another.

use super::super::messages::{quoted, say};
use super::super::{Invocation, turn, words};
use super::Target;
use vfs::{Caller, Errno, Error, FileRef, Follow, Mode, NameBuf, OpenFlags, Place};

/// How much goes at once.
const BLOCK: usize = 256 << 10;

/// What went wrong, and on which side.
pub enum Fault {
    Open(Error),
    Create(Error),
    Read(Error),
    Write(Error),
}

impl Fault {
    pub fn told(&self, from: &[u8], to: &[u8]) -> Vec<u8> {
        match self {
            Fault::Open(error) => say!("cannot open ", quoted(from), " for reading: ", words(error)),
            Fault::Create(error) => say!("cannot create regular file ", quoted(to), ": ", words(error)),
            Fault::Read(error) => say!("error reading ", quoted(from), ": ", words(error)),
            Fault::Write(error) => say!("error writing ", quoted(to), ": ", words(error)),
        }
    }
}

/// A file that was made for a copy that is not whole yet; killed in the middle, it goes as far as that takes no waiting.
struct Unfinished<'a> {
    dir: &'a Place,
    name: &'a NameBuf,
    who: &'a Caller,
    made: bool,
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if self.made {
            drop(self.dir.unlink(self.who, self.name.as_name()).now());
        }
    }
}

/// Copies what is at `from`; the file that is there is overwritten, or made anew where it cannot be and `force` is set.
pub async fn content(
    call: &Invocation<'_>,
    from: &Place,
    to: &Target,
    mode: u32,
    force: bool,
) -> Result<Place, Fault> {
    let source = from.open(call.who, OpenFlags::READ).await.map_err(Fault::Open)?;
    let (place, file, made) = open(call, to, mode, force).await.map_err(Fault::Create)?;
    let mut unfinished = Unfinished { dir: &to.dir, name: &to.name, who: call.who, made };
    let (mut offset, mut block) = (0, vec![0; BLOCK]);
    loop {
        turn(call.shell).await;
        let count = source.read(offset, &mut block).await.map_err(Fault::Read)?;
        if count == 0 {
            break;
        }
        let mut rest = &block[..count];
        while !rest.is_empty() {
            let written = file.write(offset, rest).await.map_err(Fault::Write)?;
            offset += written as u64;
            rest = &rest[written.min(rest.len())..];
        }
    }
    unfinished.made = false;
    Ok(place)
}

async fn open(
    call: &Invocation<'_>,
    to: &Target,
    mode: u32,
    force: bool,
) -> vfs::Result<(Place, FileRef, bool)> {
    let flags = OpenFlags::WRITE | OpenFlags::TRUNCATE;
    match to.dir.resolve(call.who, &to.name, Follow::Yes).await {
        Ok(place) => match place.open(call.who, flags).await {
            Ok(file) => return Ok((place, file, false)),
            Err(_) if force => to.dir.unlink(call.who, to.name.as_name()).await?,
            Err(error) => return Err(error),
        },
        Err(error) if error.is(Errno::ENOENT) => {
            // A link that leads nowhere is not written through: what would be made there is nobody's intent.
            if to.dir.resolve(call.who, &to.name, Follow::No).await.is_ok() {
                return Err(Error::new(Errno::EEXIST, "not writing through dangling symlink"));
            }
        }
        Err(error) => return Err(error),
    }
    let mode = Mode::new(mode & 0o777 & !call.shell.umask());
    let created = to.dir.create(call.who, to.name.as_name(), mode, flags | OpenFlags::EXCLUSIVE).await?;
    Ok((created.place, created.file, true))
}
