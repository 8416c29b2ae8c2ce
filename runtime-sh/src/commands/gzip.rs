//! gzip(1), gunzip, zcat: RFC 1952, with flate2 for what is in it. A file gives way to its other form only when all of that is written;
//! what comes of a few bytes is written piece by piece, so that a bomb fills no memory.

use super::gnu::{Done, Program};
use super::messages::{named, say};
use super::options::Args;
use super::reach::or_stdin;
use super::{Input, Invocation, Output, words};
use flate2::write::{GzDecoder, GzEncoder};
use flate2::{Compression, GzBuilder};
use std::io::{ErrorKind, Write};
use vfs::{Error, Follow, Kind, Mode, OpenFlags, SetStat, SetTime, Stat};

const OPTIONS: &str = "c,stdout,to-stdout d,decompress,uncompress f,force k,keep n,no-name N,name q,quiet t,test v,verbose S,suffix= \
     1,fast 2 3 4 5 6 7 8 9,best";

pub(super) const PROGRAM: Program = Program::new(
    "[OPTION]... [FILE]...",
    "Compress or uncompress FILEs (by default, compress FILES in-place).",
    OPTIONS,
);
pub(super) const GUNZIP: Program =
    Program::new("[OPTION]... [FILE]...", "Uncompress FILEs in-place.", OPTIONS);
pub(super) const ZCAT: Program =
    Program::new("[OPTION]... [FILE]...", "Uncompress FILEs to standard output.", OPTIONS);

/// How much is given to the decoder at once: what comes of it is up to a thousand times as much.
const PIECE: usize = 2 << 10;

/// What is to be done with each file.
struct Job<'a> {
    expand: bool,
    to_stdout: bool,
    test: bool,
    force: bool,
    keep: bool,
    quiet: bool,
    nameless: bool,
    level: Compression,
    suffix: &'a [u8],
}

/// Why a file was not done: gzip's exit status, 2 and 0 for what is only a warning, and its line.
struct Fault(u8, Vec<u8>);

pub(super) async fn run(call: &mut Invocation<'_>, args: Args) -> Done {
    all(call, &args, args.has("d"), args.has("c")).await
}

pub(super) async fn gunzip(call: &mut Invocation<'_>, args: Args) -> Done {
    all(call, &args, true, args.has("c")).await
}

pub(super) async fn zcat(call: &mut Invocation<'_>, args: Args) -> Done {
    all(call, &args, true, true).await
}

async fn all(call: &mut Invocation<'_>, args: &Args, expand: bool, to_stdout: bool) -> Done {
    let level = args.last(&["1", "2", "3", "4", "5", "6", "7", "8", "9"]);
    let level = level.and_then(|digit| digit.parse().ok()).map_or(Compression::default(), Compression::new);
    let test = args.has("t");
    let job = Job {
        expand: expand || test,
        to_stdout: to_stdout && !test,
        test,
        force: args.has("f"),
        keep: args.has("k"),
        quiet: args.has("q"),
        nameless: args.last(&["n", "N"]) == Some("n"),
        level,
        suffix: args.value("S").unwrap_or(b".gz"),
    };
    let mut status = 0;
    for path in or_stdin(&args.operands) {
        let done = if path == b"-" { job.filter(call).await? } else { job.file(call, &path).await? };
        let Err(Fault(code, text)) = done else { continue };
        // An error counts more than a warning.
        status = if code == 1 || status == 0 { code } else { status };
        if code == 1 || !job.quiet {
            call.warn_bare(&say!(text, "\n")).await;
        }
    }
    Ok(status)
}

fn wrong(path: &[u8], why: impl AsRef<[u8]>) -> Fault {
    Fault(1, say!("gzip: ", named(path), ": ", why))
}

/// What is wrong with what is in a file: gzip begins a line for that, whatever was on the screen.
fn damaged(path: &[u8], why: &str) -> Fault {
    Fault(1, say!("\ngzip: ", path, ": ", why))
}

fn warning(text: Vec<u8>) -> Fault {
    Fault(2, say!("gzip: ", text))
}

impl Job<'_> {
    /// Standard input to standard output.
    async fn filter(&self, call: &mut Invocation<'_>) -> Done<Result<(), Fault>> {
        let mut input = call.stdin.surrender();
        self.pass(call, &mut input, None, b"stdin", None).await
    }

    async fn file(&self, call: &mut Invocation<'_>, path: &[u8]) -> Done<Result<(), Fault>> {
        let (mut input, stat, shown) = match self.open(call, path).await {
            Ok(opened) => opened,
            Err(fault) => return Ok(Err(fault)),
        };
        if self.to_stdout || self.test {
            return self.pass(call, &mut input, None, &shown, Some(&stat)).await;
        }
        if stat.nlink > 1 && !self.force {
            let others = stat.nlink - 1;
            let links =
                format!(" has {others} other link{} -- file ignored", if others == 1 { "" } else { "s" });
            return Ok(Err(warning(say!(named(&shown), links))));
        }
        let target = match self.target(&shown) {
            Ok(target) => target,
            Err(fault) => return Ok(Err(fault)),
        };
        let flags = OpenFlags::WRITE | if self.force { OpenFlags::TRUNCATE } else { OpenFlags::EXCLUSIVE };
        let mut output = match call.create(&target, 0o600, flags).await {
            Ok(made) => Output::new(made.file),
            Err(error) if error.is(vfs::Errno::EEXIST) => {
                return Ok(Err(warning(say!(named(&target), " already exists;\tnot overwritten"))));
            }
            Err(error) => return Ok(Err(wrong(&target, words(&error)))),
        };
        let done = match self.pass(call, &mut input, Some(&mut output), &shown, Some(&stat)).await? {
            Ok(()) => output.flush().await.map_err(|error| wrong(&target, words(&error))),
            Err(fault @ Fault(1, _)) => Err(fault),
            // A warning leaves a whole file all the same.
            Err(fault) => output.flush().await.map_err(|error| wrong(&target, words(&error))).and(Err(fault)),
        };
        if let Err(Fault(1, _)) = done {
            // What is not whole is worth nothing, and its own error is the better one.
            let _gone = unlink(call, &target).await;
            return Ok(done);
        }
        let set = SetStat {
            mode: Some(Mode::new(stat.mode.bits())),
            atime: Some(SetTime::To(stat.atime)),
            mtime: Some(SetTime::To(stat.mtime)),
            ..SetStat::default()
        };
        if let Ok(place) = call.place(&target, Follow::No).await {
            // The content is what counts; whose file it is may forbid the rest.
            let _as_far_as_it_goes = place.setstat(call.who, set).await;
        }
        if !self.keep
            && let Err(error) = unlink(call, &shown).await
        {
            return Ok(Err(wrong(&shown, words(&error))));
        }
        Ok(done)
    }

    /// The file, under the name that it was found by: gunzip takes one that lacks the suffix.
    async fn open(&self, call: &mut Invocation<'_>, path: &[u8]) -> Result<(Input, Stat, Vec<u8>), Fault> {
        let mut shown = path.to_vec();
        let mut place = call.place(path, Follow::Yes).await;
        if self.expand && place.as_ref().is_err_and(|error| error.is(vfs::Errno::ENOENT)) {
            let longer = [path, self.suffix].concat();
            match call.place(&longer, Follow::Yes).await {
                Ok(there) => (shown, place) = (longer, Ok(there)),
                // gzip names what it tried last.
                Err(_) if !path.ends_with(self.suffix) => shown = longer,
                Err(_) => {}
            }
        }
        let failed = |error: Error| wrong(&shown, words(&error));
        let place = place.map_err(failed)?;
        let stat = place.stat(call.who).await.map_err(failed)?;
        if stat.kind() == Kind::Dir {
            return Err(warning(say!(named(&shown), " is a directory -- ignored")));
        }
        let input = Input::open(&place, call.who).await.map_err(failed)?;
        Ok((input, stat, shown))
    }

    /// What the other form of `path` is called.
    fn target(&self, path: &[u8]) -> Result<Vec<u8>, Fault> {
        if !self.expand {
            return match path.ends_with(self.suffix) && !self.force {
                // It is as it was asked for: no failure.
                true => Err(Fault(
                    0,
                    say!("gzip: ", named(path), " already has ", self.suffix, " suffix -- unchanged"),
                )),
                false => Ok([path, self.suffix].concat()),
            };
        }
        let known: [(&[u8], &[u8]); 4] =
            [(self.suffix, b""), (b".gz", b""), (b".tgz", b".tar"), (b"-gz", b"")];
        let stem = known.iter().find_map(|(suffix, other)| {
            let stem = path.strip_suffix(*suffix).filter(|stem| !stem.is_empty() && !stem.ends_with(b"/"))?;
            Some([stem, *other].concat())
        });
        stem.ok_or_else(|| warning(say!(named(path), ": unknown suffix -- ignored")))
    }

    /// From `input` to `output`, or to standard output.
    async fn pass(
        &self,
        call: &mut Invocation<'_>,
        input: &mut Input,
        output: Option<&mut Output>,
        shown: &[u8],
        stat: Option<&Stat>,
    ) -> Done<Result<(), Fault>> {
        let mut sink = Sink { output, shown, nothing: self.test };
        if self.expand {
            expand(call, input, &mut sink).await
        } else {
            self.squeeze(call, input, &mut sink, stat).await
        }
    }

    async fn squeeze(
        &self,
        call: &mut Invocation<'_>,
        input: &mut Input,
        sink: &mut Sink<'_>,
        stat: Option<&Stat>,
    ) -> Done<Result<(), Fault>> {
        let mut header = GzBuilder::new();
        if let (Some(stat), false) = (stat, self.nameless) {
            let name: Vec<u8> = super::reach::base_name(sink.shown).to_vec();
            header = header.filename(name).mtime(u32::try_from(stat.mtime.secs).unwrap_or(0));
        }
        let mut encoder: GzEncoder<Vec<u8>> = header.operating_system(3).write(Vec::new(), self.level);
        let into_memory = "memory takes what is written to it";
        loop {
            let next = match call.fill(input).await {
                Ok(next) => next,
                Err(error) => return Ok(Err(wrong(sink.shown, words(&error)))),
            };
            if next.is_empty() {
                let rest = encoder.finish().expect(into_memory);
                return sink.put(call, &rest).await;
            }
            encoder.write_all(next).expect(into_memory);
            let count = next.len();
            input.take(count);
            let made = std::mem::take(encoder.get_mut());
            if let Err(fault) = sink.put(call, &made).await? {
                return Ok(Err(fault));
            }
        }
    }
}

/// All members of `input`, one behind the other.
async fn expand(
    call: &mut Invocation<'_>,
    input: &mut Input,
    sink: &mut Sink<'_>,
) -> Done<Result<(), Fault>> {
    let mut members = 0;
    loop {
        let first = match call.fill(input).await {
            Ok(next) => next.first().copied(),
            Err(error) => return Ok(Err(wrong(sink.shown, words(&error)))),
        };
        match first {
            None if members > 0 => return Ok(Ok(())),
            // The empty file is one that was cut off.
            None => return Ok(Err(damaged(sink.shown, "unexpected end of file"))),
            // What fills the last block of a tape.
            Some(0) if members > 0 => {
                input.take(1);
                continue;
            }
            Some(_) => {}
        }
        match member(call, input, sink).await? {
            Ok(()) => members += 1,
            Err(Trouble::NoHeader) if members > 0 => {
                let Fault(_, text) = damaged(sink.shown, "decompression OK, trailing garbage ignored");
                return Ok(Err(Fault(2, text)));
            }
            Err(Trouble::NoHeader) => return Ok(Err(damaged(sink.shown, "not in gzip format"))),
            Err(Trouble::Other(fault)) => return Ok(Err(fault)),
        }
    }
}

enum Trouble {
    NoHeader,
    Other(Fault),
}

async fn member(
    call: &mut Invocation<'_>,
    input: &mut Input,
    sink: &mut Sink<'_>,
) -> Done<Result<(), Trouble>> {
    let mut decoder = GzDecoder::new(Vec::new());
    let shown = sink.shown;
    let bad = |why: &str| Trouble::Other(damaged(shown, why));
    match call.fill(input).await {
        Ok([0x1f] | [0x1f, 0x8b, ..]) => {}
        Ok(_) => return Ok(Err(Trouble::NoHeader)),
        Err(error) => return Ok(Err(Trouble::Other(wrong(shown, words(&error))))),
    }
    loop {
        let next = match call.fill(input).await {
            Ok(next) => next,
            Err(error) => return Ok(Err(Trouble::Other(wrong(shown, words(&error))))),
        };
        let piece = &next[..next.len().min(PIECE)];
        let ended = piece.is_empty();
        let taken = if ended {
            0
        } else {
            match decoder.write(piece) {
                Ok(taken) => taken,
                Err(_) if decoder.header().is_none() => return Ok(Err(Trouble::NoHeader)),
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => 0,
                Err(_) => return Ok(Err(bad("invalid compressed data--format violated"))),
            }
        };
        input.take(taken);
        if taken > 0 {
            let made = std::mem::take(decoder.get_mut());
            match sink.put(call, &made).await? {
                Ok(()) => continue,
                Err(fault) => return Ok(Err(Trouble::Other(fault))),
            }
        }
        if decoder.header().is_none() {
            return Ok(Err(bad("unexpected end of file")));
        }
        // It takes no more where it has its end, which is good where the checksum is.
        if ended && !matches!(decoder.write(&[0]), Ok(0)) {
            return Ok(Err(bad("unexpected end of file")));
        }
        return Ok(match decoder.finish() {
            Ok(rest) => sink.put(call, &rest).await?.map_err(Trouble::Other),
            Err(_) => Err(bad("invalid compressed data--crc error")),
        });
    }
}

/// Where what comes of a file goes, and what the file is called.
struct Sink<'o> {
    output: Option<&'o mut Output>,
    shown: &'o [u8],
    nothing: bool,
}

impl Sink<'_> {
    async fn put(&mut self, call: &mut Invocation<'_>, data: &[u8]) -> Done<Result<(), Fault>> {
        if self.nothing {
            return Ok(Ok(()));
        }
        match &mut self.output {
            None => call.stdout.write(data).await?,
            Some(output) => {
                if let Err(error) = output.write(data).await {
                    return Ok(Err(wrong(self.shown, words(&error))));
                }
            }
        }
        Ok(Ok(()))
    }
}

async fn unlink(call: &Invocation<'_>, path: &[u8]) -> vfs::Result<()> {
    let parent = call.parent(path).await?;
    parent.dir.unlink(call.who, parent.name.as_name()).await
}
