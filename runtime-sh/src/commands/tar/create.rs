//! `tar -c`: the operands, and what is below them, into an archive.

use super::super::gnu::{Done, Failure, fail};
use super::super::messages::say;
use super::super::options::Args;
use super::super::walk::{Links, Step, Walk};
use super::super::{Invocation, Output, turn, words};
use super::{Excluded, Operand, PIPE, Squeeze, below, lead, operands, target};
use async_compression::tokio::write::{GzipEncoder, ZstdEncoder};
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream};
use vfs::archive::Packer;

type Sink = Box<dyn AsyncWrite + Unpin + Send + Sync>;

pub(super) async fn run(call: &mut Invocation<'_>, args: &Args) -> Done {
    let operands = operands(args);
    if operands.is_empty() {
        call.warn("Cowardly refusing to create an empty archive").await;
        call.warn_bare(b"Try 'tar --help' or 'tar --usage' for more information.\n").await;
        return Err(Failure::Status(2));
    }
    let to_stdout = matches!(args.value("f"), None | Some(b"-"));
    let (output, itself) = target(call, args).await?;
    let (near, far) = tokio::io::duplex(PIPE);
    let sink: Sink = match squeeze(args) {
        Squeeze::No => Box::new(near),
        Squeeze::Gzip => Box::new(GzipEncoder::new(near)),
        Squeeze::Zstd => Box::new(ZstdEncoder::new(near)),
    };
    let shell = call.shell;
    let sending = send(far, output, shell);
    let mut job =
        Job { excluded: Excluded::new(args), itself, to_stdout, args, failed: false, led: Vec::new() };
    let packing = job.pack(call, &operands, sink);
    // A file that takes no more is a better reason than a pipe that broke.
    let (packed, sent) = tokio::join!(packing, sending);
    match sent {
        Err(error) if to_stdout => return Err(Failure::Output(error)),
        Err(error) => {
            return fail(say!(args.value("f").unwrap_or_default(), ": Cannot write: ", words(&error)));
        }
        Ok(()) => {}
    }
    packed?;
    Ok(if job.failed { 2 } else { 0 })
}

/// What the options, or with -a the archive's name, ask for.
fn squeeze(args: &Args) -> Squeeze {
    let name = args.value("f").filter(|_| args.has("a")).unwrap_or_default();
    let ends = |suffixes: &[&str]| suffixes.iter().any(|suffix| name.ends_with(suffix.as_bytes()));
    if args.has("z") || ends(&[".gz", ".tgz"]) {
        Squeeze::Gzip
    } else if args.has("zstd") || ends(&[".zst", ".tzst"]) {
        Squeeze::Zstd
    } else {
        Squeeze::No
    }
}

async fn send(mut from: DuplexStream, mut to: Output, shell: &dyn super::super::Spawn) -> vfs::Result<()> {
    let mut piece = vec![0; PIPE];
    loop {
        turn(shell).await;
        match from.read(&mut piece).await? {
            0 => return to.flush().await,
            count => to.write(&piece[..count]).await?,
        }
    }
}

struct Job<'a> {
    excluded: Excluded,
    /// The archive itself, which is not to be in it.
    itself: Option<u64>,
    to_stdout: bool,
    args: &'a Args,
    failed: bool,
    /// Beginnings of names that were taken away, and told.
    led: Vec<Vec<u8>>,
}

impl Job<'_> {
    async fn pack(&mut self, call: &mut Invocation<'_>, operands: &[Operand], sink: Sink) -> Done<()> {
        let who = call.who;
        let mut packer = Packer::new(who, sink);
        for operand in operands {
            self.operand(call, operand, &mut packer).await?;
        }
        let ended = async { packer.end().await?.shutdown().await.map_err(vfs::Error::from) };
        ended.await.or_else(|error| fail(say!("Cannot write: ", words(&error))))
    }

    async fn operand(
        &mut self,
        call: &mut Invocation<'_>,
        operand: &Operand,
        packer: &mut Packer<'_, Sink>,
    ) -> Done<()> {
        let links = if self.args.has("h") { Links::Always } else { Links::Never };
        let from = below(&operand.dir, &operand.name);
        let mut walk = Walk::new(links);
        let mut step = Some(walk.begin(call, &from).await);
        while let Some(now) = step {
            match now {
                Step::Found(entry) => {
                    let shown = [&operand.name[..], &entry.path[from.len()..]].concat();
                    let is_dir = entry.stat.kind().is_dir();
                    if self.excluded.has(&shown) || self.itself == Some(entry.stat.qid.path) {
                        if self.itself == Some(entry.stat.qid.path) {
                            call.warn(say!(shown, ": file is the archive; not dumped")).await;
                        }
                        walk.skip();
                        step = walk.step(call).await;
                        continue;
                    }
                    if is_dir && self.args.has("n") {
                        walk.skip();
                    }
                    let name = self.member(call, &shown).await;
                    if let Err(error) = packer.add(&entry.place, &name).await {
                        if error.is(vfs::Errno::EPIPE) {
                            return Ok(());
                        }
                        self.failed = true;
                        call.warn(say!(shown, ": Cannot open: ", words(&error))).await;
                    } else if self.args.has("v") {
                        let line = say!(
                            shown.strip_suffix(b"/").unwrap_or(&shown),
                            if is_dir { "/" } else { "" },
                            "\n"
                        );
                        match self.to_stdout {
                            true => call.warn_bare(&line).await,
                            false => call.stdout.write(&line).await?,
                        }
                    }
                }
                Step::Left(_) | Step::Loop(_) => {}
                Step::Failed { path, error, listing } => {
                    self.failed = true;
                    let what = if listing { ": Cannot open: " } else { ": Cannot stat: " };
                    let shown = [&operand.name[..], path.get(from.len()..).unwrap_or_default()].concat();
                    call.warn(say!(shown, what, words(&error))).await;
                }
            }
            step = walk.step(call).await;
        }
        Ok(())
    }

    /// The name in the archive: nothing that leads out of where it will be unpacked.
    async fn member(&mut self, call: &mut Invocation<'_>, shown: &[u8]) -> Vec<u8> {
        let trimmed = match shown.iter().rposition(|b| *b != b'/') {
            Some(last) => &shown[..=last],
            None => &shown[..shown.len().min(1)],
        };
        if self.args.has("P") {
            return trimmed.to_vec();
        }
        let safe = lead(trimmed);
        if safe > 0 {
            let lead = trimmed[..safe].to_vec();
            if !self.led.contains(&lead) {
                call.warn(say!("Removing leading `", lead, "' from member names")).await;
                self.led.push(lead);
            }
        }
        let rest = &trimmed[safe..];
        if rest.is_empty() { b".".to_vec() } else { rest.to_vec() }
    }
}
