//! dd(1): a file copied in blocks. `operands` reads the command line; what was copied is told by `tally`. EBCDIC and records of a fixed length
//! are not there.

mod operands;
mod tally;

use super::gnu::{Done, Failure, Program, fail};
use super::messages::{named, quoted, say};
use super::options::Args;
use super::{Invocation, Output, turn, words};
use operands::{Operands, Status};
use tally::Tally;
use vfs::{Errno, FileRef, Follow, Nature, OpenFlags, SetStat};

pub(super) const PROGRAM: Program = Program::new(
    "[OPERAND]...",
    "Copy a file in blocks. Operands: if= of= bs= ibs= obs= count= skip= (iseek=) seek= (oseek=) status=none,noxfer,progress\n\
     conv=lcase,ucase,swab,sync,noerror,notrunc,nocreat,excl,sparse,fsync,fdatasync\n\
     iflag=fullblock,count_bytes,skip_bytes oflag=append,seek_bytes. A number may have a suffix, be a product (4x2), and count bytes (5B).",
    "",
)
.raw();

/// Where blocks come from.
struct Source {
    file: FileRef,
    shown: Vec<u8>,
    /// A file of if=, which is read at offsets.
    opened: bool,
    offset: u64,
}

impl Source {
    /// As much of `block` as one read gives, or with `full` as there is.
    async fn read(&mut self, block: &mut [u8], full: bool) -> vfs::Result<usize> {
        let mut have = 0;
        loop {
            let count = self.file.read(self.offset, &mut block[have..]).await?;
            self.offset += count as u64;
            have += count;
            if count == 0 || have == block.len() || !full {
                return Ok(have);
            }
        }
    }
}

pub(super) async fn run(call: &mut Invocation<'_>, _none: Args) -> Done {
    let operands = Operands::read(call.args())?;
    let mut source = source(call, &operands).await?;
    let (mut output, shown) = output(call, &operands).await?;
    let room = operands.ibs.saturating_mul(2).saturating_add(operands.obs);
    let _held = call.shell.memory().hold(room)?;
    let mut tally = Tally::new();
    let mut failed = false;
    skip(call, &mut source, &operands).await?;
    let done = copy(call, &operands, &mut source, &mut output, &mut tally, &mut failed).await;
    let mut end = Ok(u8::from(failed));
    if let Err(error) = done {
        // Who reads a pipe no more ends it as ever.
        if error.is(Errno::EPIPE) {
            return Err(Failure::Output(error));
        }
        call.warn(say!("error writing ", quoted(&shown), ": ", words(&error))).await;
        end = Err(Failure::Status(1));
    } else if operands.syncs
        && let Err(error) = output.file().fsync(false).await
    {
        call.warn(say!("fsync failed for ", quoted(&shown), ": ", words(&error))).await;
        end = Err(Failure::Status(1));
    }
    tell(call, &operands, &tally).await;
    end
}

async fn tell(call: &mut Invocation<'_>, operands: &Operands, tally: &Tally) {
    let text = match operands.status {
        Status::None => return,
        Status::Records => tally.records(),
        Status::All => tally.records() + &tally.transfer(),
    };
    call.warn_bare(text.as_bytes()).await;
}

async fn source(call: &mut Invocation<'_>, operands: &Operands) -> Done<Source> {
    let Some(path) = &operands.input else {
        let file = call.stdin.file().clone();
        return Ok(Source { file, shown: b"standard input".to_vec(), opened: false, offset: 0 });
    };
    let opened = match call.place(path, Follow::Yes).await {
        Ok(place) => place.open(call.who, OpenFlags::READ).await,
        Err(error) => Err(error),
    };
    match opened {
        Ok(file) => Ok(Source { file, shown: path.clone(), opened: true, offset: 0 }),
        Err(error) => fail(say!("failed to open ", quoted(path), ": ", words(&error))),
    }
}

/// The output where it is to be written first, and its name.
async fn output(call: &mut Invocation<'_>, operands: &Operands) -> Done<(Output, Vec<u8>)> {
    let Some(path) = &operands.output else {
        let shown = b"standard output".to_vec();
        if operands.seek > 0 {
            return fail(say!(quoted(&shown), ": cannot seek: ", "Illegal seek"));
        }
        return Ok((Output::new(call.stdout.file().clone()), shown));
    };
    let mut flags = OpenFlags::WRITE;
    if operands.excludes {
        flags |= OpenFlags::EXCLUSIVE;
    }
    if operands.appends {
        flags |= OpenFlags::APPEND;
    }
    if operands.truncates && operands.seek == 0 {
        flags |= OpenFlags::TRUNCATE;
    }
    let opened = if operands.creates {
        call.create(path, 0o666, flags).await.map(|made| (made.place, made.file))
    } else {
        match call.place(path, Follow::Yes).await {
            Ok(place) => place.open(call.who, flags).await.map(|file| (place, file)),
            Err(error) => Err(error),
        }
    };
    let (place, file) = match opened {
        Ok(opened) => opened,
        Err(error) => return fail(say!("failed to open ", quoted(path), ": ", words(&error))),
    };
    if operands.truncates && operands.seek > 0 && file.nature() == Nature::Storage {
        let set = SetStat { size: Some(operands.seek), ..SetStat::default() };
        if let Err(error) = place.setstat(call.who, set).await {
            let wanted = operands.seek.to_string();
            let what = say!("failed to truncate to ", wanted, " bytes in output file ", quoted(path));
            return fail(say!(what, ": ", words(&error)));
        }
    }
    Ok((Output::at(file, operands.seek), path.clone()))
}

/// Passes over what skip= says.
async fn skip(call: &mut Invocation<'_>, source: &mut Source, operands: &Operands) -> Done<()> {
    let mut left = operands.skip;
    if source.opened && source.file.nature() == Nature::Storage {
        let size = source.file.stat().await.map_or(u64::MAX, |stat| stat.size);
        source.offset = left;
        left = left.saturating_sub(size);
    } else {
        let mut block = vec![0; operands.ibs];
        while left > 0 {
            turn(call.shell).await;
            let most = usize::try_from(left).unwrap_or(usize::MAX).min(block.len());
            match source.read(&mut block[..most], false).await {
                Ok(0) => break,
                Ok(count) => left -= count as u64,
                Err(error) => {
                    return fail(say!("error reading ", quoted(&source.shown), ": ", words(&error)));
                }
            }
        }
    }
    if left > 0 {
        call.warn(say!(named(&source.shown), ": cannot skip to specified offset")).await;
    }
    Ok(())
}

/// Copies block for block. What cannot be read is told here; the error is one of writing.
async fn copy(
    call: &mut Invocation<'_>,
    operands: &Operands,
    source: &mut Source,
    output: &mut Output,
    tally: &mut Tally,
    failed: &mut bool,
) -> vfs::Result<()> {
    let mut block = vec![0; operands.ibs];
    let mut gathered = Vec::new();
    // Of an odd number of bytes the last one is swapped with the first of the next block.
    let mut odd = None;
    let mut read = 0u64;
    loop {
        turn(call.shell).await;
        let most = match (operands.count_bytes, operands.count) {
            (_, None) => block.len(),
            (true, Some(count)) => usize::try_from(count - read).unwrap_or(usize::MAX).min(block.len()),
            (false, Some(count)) if tally.read.blocks() < count => block.len(),
            (false, Some(_)) => 0,
        };
        if most == 0 {
            break;
        }
        let mut count = match source.read(&mut block[..most], operands.full_blocks).await {
            Ok(0) => break,
            Ok(count) => {
                read += count as u64;
                tally.read.count(count, operands.ibs);
                count
            }
            Err(error) => {
                *failed = true;
                call.warn(say!("error reading ", quoted(&source.shown), ": ", words(&error))).await;
                let size = source.file.stat().await.map_or(0, |stat| stat.size);
                source.offset += most as u64;
                if !operands.goes_on || !source.opened || source.offset >= size {
                    break;
                }
                tell(call, operands, tally).await;
                tally.read.count(0, operands.ibs);
                0
            }
        };
        if operands.pads {
            block[count..].fill(0);
            count = block.len();
        }
        if count == 0 {
            continue;
        }
        if !operands.gathers {
            write(output, &block[..count], operands.obs, tally).await?;
            continue;
        }
        let start = gathered.len();
        gathered.extend(odd.take());
        gathered.extend(block[..count].iter().map(|byte| operands.case.of(*byte)));
        if operands.swaps {
            if (gathered.len() - start) % 2 == 1 {
                odd = gathered.pop();
            }
            gathered[start..].chunks_exact_mut(2).for_each(|pair| pair.swap(0, 1));
        }
        let whole = gathered.len() - gathered.len() % operands.obs;
        for piece in gathered[..whole].chunks(operands.obs) {
            write(output, piece, operands.obs, tally).await?;
        }
        gathered.drain(..whole);
    }
    gathered.extend(odd);
    for piece in gathered.chunks(operands.obs) {
        write(output, piece, operands.obs, tally).await?;
    }
    Ok(())
}

async fn write(output: &mut Output, block: &[u8], size: usize, tally: &mut Tally) -> vfs::Result<()> {
    output.write(block).await?;
    output.flush().await?;
    tally.written.count(block.len(), size);
    tally.bytes += block.len() as u64;
    Ok(())
}
