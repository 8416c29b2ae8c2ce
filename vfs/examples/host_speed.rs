//! What a host directory costs when it is served as a tree: nanoseconds an operation beside the bare system calls, taken
//! in turns in one run. `cargo run --release -p vfs --example host_speed [DIR]`

use rustix::fs::{AtFlags, Mode as FsMode, OFlags, RawDir, StatxFlags, openat, statx, unlinkat};
use std::hint::black_box;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use vfs::host::HostTree;
use vfs::{Caller, DirEntry, Mode, Name, NodeRef, Op, OpenFlags, RenameFlags};

const FILES: usize = 5000;
const ROUNDS: usize = 15;

type Error = Box<dyn std::error::Error>;

struct Bench {
    root: NodeRef,
    /// The same directory, natively.
    dir: OwnedFd,
    me: Caller,
    names: Vec<String>,
}

fn name(name: &str) -> Name<'_> {
    Name::new(name.as_bytes()).expect("made below, without a slash")
}

fn now<T>(op: Op<'_, T>) -> Result<T, Error> {
    Ok(op.now().ok_or("a host directory does not wait")??)
}

impl Bench {
    fn open(&self, name: &str, flags: OFlags) -> Result<OwnedFd, Error> {
        Ok(openat(&self.dir, name, flags | OFlags::CLOEXEC, FsMode::from_raw_mode(0o644))?)
    }

    /// The shortest of several rounds each, in turns, so that a busy machine is unfair to neither.
    fn compare(
        &self,
        what: &str,
        per_round: usize,
        mut tree: impl FnMut() -> Result<(), Error>,
        mut native: impl FnMut() -> Result<(), Error>,
    ) -> Result<(), Error> {
        let (mut ours, mut its) = (Duration::MAX, Duration::MAX);
        for _ in 0..ROUNDS {
            let start = Instant::now();
            native()?;
            its = its.min(start.elapsed());
            let start = Instant::now();
            tree()?;
            ours = ours.min(start.elapsed());
        }
        let each = |time: Duration| time.as_nanos() as f64 / per_round as f64;
        let (ours, its) = (each(ours), each(its));
        println!("{what:<28} {ours:>9.0} {its:>9.0} {:>6.2}", ours / its);
        Ok(())
    }
}

fn main() -> Result<(), Error> {
    let place = std::env::args_os().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let path = place.join(format!("host_speed-{}", std::process::id()));
    std::fs::create_dir(&path)?;
    let result = run(&path);
    std::fs::remove_dir_all(&path)?;
    result
}

fn run(path: &std::path::Path) -> Result<(), Error> {
    let bench = Bench {
        root: HostTree::open(path)?.root(),
        dir: openat(rustix::fs::CWD, path, OFlags::PATH | OFlags::DIRECTORY, FsMode::empty())?,
        me: Caller::me(),
        names: (0..FILES).map(|i| format!("file-{i:05}")).collect(),
    };
    println!("{:<28} {:>9} {:>9} {:>6}", "ns", "tree", "native", "ratio");
    create_and_unlink(&bench)?;
    for name in &bench.names {
        std::fs::write(path.join(name), [7; 4096])?;
    }
    look(&bench)?;
    open_and_use(&bench)
}

fn create_and_unlink(bench: &Bench) -> Result<(), Error> {
    let exclusive = OpenFlags::READ | OpenFlags::WRITE | OpenFlags::EXCLUSIVE;
    let create = || {
        bench.names.iter().try_for_each(|n| {
            now(bench.root.create(&bench.me, name(n), Mode::new(0o644), exclusive)).map(drop)
        })
    };
    let unlink = || bench.names.iter().try_for_each(|n| now(bench.root.unlink(&bench.me, name(n))));
    let native_create = || {
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR;
        bench.names.iter().try_for_each(|n| bench.open(n, flags).map(drop))
    };
    let native_unlink =
        || bench.names.iter().try_for_each(|n| Ok(unlinkat(&bench.dir, n.as_str(), AtFlags::empty())?));
    // Each half is timed with the other half done natively in between, outside of the clock.
    let (mut times, mut native_times) = ([Duration::MAX; 2], [Duration::MAX; 2]);
    for _ in 0..ROUNDS {
        timed(&mut native_times[0], native_create)?;
        timed(&mut native_times[1], native_unlink)?;
        timed(&mut times[0], create)?;
        timed(&mut times[1], unlink)?;
    }
    for (index, what) in ["create+close", "unlink"].into_iter().enumerate() {
        let each = |time: Duration| time.as_nanos() as f64 / FILES as f64;
        let (ours, its) = (each(times[index]), each(native_times[index]));
        println!("{what:<28} {ours:>9.0} {its:>9.0} {:>6.2}", ours / its);
    }
    Ok(())
}

fn timed(best: &mut Duration, run: impl Fn() -> Result<(), Error>) -> Result<(), Error> {
    let start = Instant::now();
    run()?;
    *best = (*best).min(start.elapsed());
    Ok(())
}

fn look(bench: &Bench) -> Result<(), Error> {
    let mask = StatxFlags::BASIC_STATS | StatxFlags::BTIME;
    let native_look = |n: &String| -> Result<OwnedFd, Error> {
        let fd = bench.open(n, OFlags::PATH | OFlags::NOFOLLOW)?;
        black_box(statx(&fd, c"", AtFlags::EMPTY_PATH, mask)?);
        Ok(fd)
    };
    bench.compare(
        "walk (O_PATH+statx+close)",
        FILES,
        || bench.names.iter().try_for_each(|n| now(bench.root.walk(&bench.me, name(n))).map(drop)),
        || bench.names.iter().try_for_each(|n| native_look(n).map(drop)),
    )?;
    let nodes: Vec<_> =
        bench.names.iter().map(|n| now(bench.root.walk(&bench.me, name(n)))).collect::<Result<_, _>>()?;
    bench.compare(
        "walk to a node that lives",
        FILES,
        || bench.names.iter().try_for_each(|n| now(bench.root.walk(&bench.me, name(n))).map(drop)),
        || bench.names.iter().try_for_each(|n| native_look(n).map(drop)),
    )?;
    let fds: Vec<_> = bench.names.iter().map(native_look).collect::<Result<_, _>>()?;
    bench.compare(
        "stat (statx of an O_PATH fd)",
        FILES,
        || nodes.iter().try_for_each(|node| now(node.stat()).map(|stat| _ = black_box(stat))),
        || {
            fds.iter().try_for_each(|fd| {
                black_box(statx(fd, c"", AtFlags::EMPTY_PATH, mask)?);
                Ok(())
            })
        },
    )?;
    bench.compare(
        "open+close",
        FILES,
        || nodes.iter().try_for_each(|node| now(node.clone().open(&bench.me, OpenFlags::READ)).map(drop)),
        || bench.names.iter().try_for_each(|n| bench.open(n, OFlags::RDONLY).map(drop)),
    )?;
    bench.compare(
        "open by name+close",
        FILES,
        || {
            bench.names.iter().try_for_each(|n| {
                let opened = bench.root.walk_open(&bench.me, name(n), OpenFlags::READ);
                opened.ok_or("an open of a regular file takes no walk")?.map(drop)?;
                Ok(())
            })
        },
        || bench.names.iter().try_for_each(|n| bench.open(n, OFlags::RDONLY).map(drop)),
    )?;
    let again = [bench.names[0].as_str(); FILES];
    bench.compare(
        "the same again by name+close",
        FILES,
        || {
            again.iter().try_for_each(|n| {
                let opened = bench.root.walk_open(&bench.me, name(n), OpenFlags::READ);
                opened.ok_or("an open of a regular file takes no walk")?.map(drop)?;
                Ok(())
            })
        },
        || again.iter().try_for_each(|n| bench.open(n, OFlags::RDONLY).map(drop)),
    )?;
    bench.compare(
        "its stat (fstatat)",
        FILES,
        || {
            again.iter().try_for_each(|n| {
                let mut stat = None;
                bench.root.look(&bench.me, name(n), &mut stat).ok_or("a look takes no walk")??;
                black_box(&stat);
                Ok(())
            })
        },
        || {
            again.iter().try_for_each(|n| {
                black_box(rustix::fs::statat(&bench.dir, *n, AtFlags::SYMLINK_NOFOLLOW)?);
                Ok(())
            })
        },
    )?;
    let native_list = || {
        let dir = bench.open(".", OFlags::RDONLY | OFlags::DIRECTORY)?;
        let mut space = [MaybeUninit::uninit(); 32 * 1024];
        let mut entries = RawDir::new(&dir, &mut space);
        while let Some(entry) = entries.next() {
            black_box(entry?.ino());
        }
        Ok(())
    };
    bench.compare("readdir, an entry", FILES, || list_all(bench, usize::MAX), native_list)?;
    bench.compare("readdir, 100 at a time", FILES, || list_all(bench, 100), native_list)
}

/// Lists the whole directory, `most` entries a call.
fn list_all(bench: &Bench, most: usize) -> Result<(), Error> {
    let dir = now(bench.root.clone().open(&bench.me, OpenFlags::READ))?;
    let mut from = 0;
    loop {
        let (mut taken, mut last) = (0, from);
        {
            let mut sink = |entry: DirEntry<'_>| {
                if taken == most {
                    return false;
                }
                black_box(entry.qid);
                last = entry.cookie;
                taken += 1;
                true
            };
            now(dir.readdir(from, &mut sink))?;
        }
        if taken == 0 {
            return Ok(());
        }
        from = last;
    }
}

fn open_and_use(bench: &Bench) -> Result<(), Error> {
    const TIMES: usize = 20_000;
    let first = &bench.names[0];
    let node = now(bench.root.walk(&bench.me, name(first)))?;
    let file = now(node.open(&bench.me, OpenFlags::READ | OpenFlags::WRITE))?;
    let fd = bench.open(first, OFlags::RDWR)?;
    let (mut buf, mut native_buf) = ([0; 4096], [0; 4096]);
    bench.compare(
        "pread 4K",
        TIMES,
        || (0..TIMES).try_for_each(|_| now(file.read(0, &mut buf)).map(drop)),
        || (0..TIMES).try_for_each(|_| Ok(rustix::io::pread(&fd, &mut native_buf, 0).map(drop)?)),
    )?;
    let data = [1; 4096];
    bench.compare(
        "pwrite 4K",
        TIMES,
        || (0..TIMES).try_for_each(|_| now(file.write(0, &data)).map(drop)),
        || (0..TIMES).try_for_each(|_| Ok(rustix::io::pwrite(&fd, &data, 0).map(drop)?)),
    )?;
    let (a, b) = (first.as_str(), "renamed");
    bench.compare(
        "rename, there and back",
        200,
        || {
            (0..100).try_for_each(|_| {
                now(bench.root.rename(&bench.me, name(a), &bench.root, name(b), RenameFlags::empty()))?;
                now(bench.root.rename(&bench.me, name(b), &bench.root, name(a), RenameFlags::empty()))
            })
        },
        || {
            (0..100).try_for_each(|_| {
                rustix::fs::renameat(&bench.dir, a, &bench.dir, b)?;
                Ok(rustix::fs::renameat(&bench.dir, b, &bench.dir, a)?)
            })
        },
    )?;
    bench.compare(
        "mkdir+rmdir",
        100,
        || {
            (0..100).try_for_each(|_| {
                now(bench.root.mkdir(&bench.me, name("d"), Mode::new(0o755)))?;
                now(bench.root.rmdir(&bench.me, name("d")))
            })
        },
        || {
            (0..100).try_for_each(|_| {
                rustix::fs::mkdirat(&bench.dir, "d", FsMode::from_raw_mode(0o755))?;
                Ok(unlinkat(&bench.dir, "d", AtFlags::REMOVEDIR)?)
            })
        },
    )
}
