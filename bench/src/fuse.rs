//! FUSE at its own work: our mount beside the simplest memory file system over crate fuser (`simple`), and beside tmpfs; and a
//! host directory (of tmpfs) through our mount, beside the same directory itself.

use crate::process::{Server, me, own_processor_time, processor_time, tmpfs};
use crate::report::{Goal, Report, median};
use rustix::fs::{Mode, OFlags};
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The first argument that makes this program the simplest file system.
pub const SIMPLE: &str = "simple-fuse";

const ROUNDS: usize = 5;
const CALLS: usize = 1000;
const ENTRIES: usize = 5000;
const LARGE: usize = 64 << 20;

type Measure = dyn Fn(&Path, Meter) -> Took;

/// One thing to do, at a size of request where it has one.
struct Row {
    what: String,
    measure: Box<Measure>,
    /// What a read of 128 KiB or more may take of tmpfs's time.
    goal: Option<f64>,
}

/// What each of many calls took.
#[derive(Clone, Copy)]
struct Took {
    clock: Duration,
    /// The processor time of this program and the server together.
    processor: Duration,
}

/// Measures calls that the process `server` answers, where it is not the kernel itself.
#[derive(Clone, Copy)]
struct Meter {
    server: Option<u32>,
}

impl Meter {
    fn each(self, count: usize, mut call: impl FnMut(usize) -> std::io::Result<()>) -> Took {
        let server = || self.server.map_or(Duration::ZERO, processor_time);
        let (theirs, mine) = (server(), own_processor_time());
        let began = Instant::now();
        for n in 0..count {
            call(n).expect("a file operation");
        }
        let (clock, mine) = (began.elapsed(), own_processor_time() - mine);
        let processor = mine + server() - theirs;
        Took { clock: clock / count as u32, processor: processor / count as u32 }
    }
}

pub fn run(report: &mut Report) {
    if !Path::new("/dev/fuse").exists() {
        report.section("FUSE");
        return report.note("all of it", "not run: no /dev/fuse here");
    }
    let (ours, simple, native) = (tempfile::tempdir(), tempfile::tempdir(), tmpfs());
    let (ours, simple) = (ours.expect("a directory"), simple.expect("a directory"));
    let mount = ours.path().to_str().expect("a UTF-8 path");
    let host = tmpfs();
    let bind = format!("{}:/host", host.path().display());
    let server = Server::start(&["--mount", mount, "--bind", &bind]);
    let peer = Simple::start(simple.path(), &[]);
    // As deep in the one as in the other: the kernel walks every name.
    let (ours, simple) = (ours.path().join("tmp"), simple.path().join("tmp"));
    fs::create_dir(&simple).expect("a directory");

    let mut took = Vec::new();
    for row in rows() {
        let places = [
            (ours.as_path(), Some(server.pid())),
            (simple.as_path(), Some(peer.child.id())),
            (native.path(), None),
        ];
        // Each once before it counts: files are made, caches filled.
        let mut times = places.map(|_| (Vec::new(), Vec::new()));
        for round in 0..=ROUNDS {
            for ((place, server), times) in places.iter().zip(&mut times) {
                let took = (row.measure)(place, Meter { server: *server });
                if round > 0 {
                    times.0.push(took.clock);
                    times.1.push(took.processor);
                }
            }
        }
        took.push((row, times.map(|(clock, processor)| (median(&clock), median(&processor)))));
    }
    report.section("The memory tree through FUSE, beside the simplest file system over crate fuser");
    for (row, [ours, simple, _]) in &took {
        report.beat(&row.what, ours.0, "simple", simple.0, 1.0);
    }
    let telling = tempfile::tempdir().expect("a directory");
    let _telling = Simple::start(telling.path(), &["told-of-closes"]);
    let telling = telling.path().join("tmp");
    fs::create_dir(&telling).expect("a directory");
    let closes = names().into_iter().filter(|row| row.what == "open and close");
    beside_another(report, &ours, ("simple, told of closes", &telling), closes.collect());
    report.section("The same in processor time, of the program that asks and of the server together");
    // What another program does is not in it.
    for (row, [ours, simple, _]) in took.iter().filter(|(row, _)| !row.what.starts_with("`ls")) {
        report.beat(&row.what, ours.1, "simple", simple.1, 1.0);
    }
    report.section("The memory tree through FUSE, beside tmpfs");
    for (row, [(ours, _), _, (native, _)]) in &took {
        report.times(&row.what, *ours, "tmpfs", *native, row.goal.map(Goal::AtMost));
    }
    let beside = host.path().join("beside");
    fs::create_dir(&beside).expect("a directory");
    report.section("A host directory (of tmpfs) through FUSE, beside the directory itself");
    beside_another(report, &Path::new(mount).join("host"), ("tmpfs", &beside), rows());
    let believing = tempfile::tempdir().expect("a directory");
    let mount = believing.path().to_str().expect("a UTF-8 path");
    let _believing = Server::start(&["--mount", mount, "--bind", &bind, "--fuse-cache", "1s"]);
    report.section("The same with --fuse-cache 1s");
    beside_another(report, &Path::new(mount).join("host"), ("tmpfs", &beside), names());
}

fn beside_another(report: &mut Report, through: &Path, (name, beside): (&str, &Path), rows: Vec<Row>) {
    for row in rows {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for round in 0..=ROUNDS {
            let meter = Meter { server: None };
            let took = ((row.measure)(through, meter), (row.measure)(beside, meter));
            if round > 0 {
                ours.push(took.0.clock);
                theirs.push(took.1.clock);
            }
        }
        report.times(&row.what, median(&ours), name, median(&theirs), row.goal.map(Goal::AtMost));
    }
}

/// What asks for names and attributes.
fn names() -> Vec<Row> {
    let row = |what: &str, measure: fn(&Path, Meter) -> Took| Row {
        what: what.to_owned(),
        measure: Box::new(measure),
        goal: None,
    };
    vec![
        row("stat", |dir, meter| {
            let file = small(dir);
            meter.each(CALLS, |_| fs::metadata(&file).map(drop))
        }),
        row("open and close", |dir, meter| {
            let file = small(dir);
            meter.each(CALLS, |_| File::open(&file).map(drop))
        }),
        row("open, read 4 KiB, close", |dir, meter| {
            let (file, mut buf) = (small(dir), [0; 4096]);
            meter.each(CALLS, |_| File::open(&file)?.read_exact_at(&mut buf, 0))
        }),
        row("create and close", |dir, meter| {
            let dir = tempfile::tempdir_in(dir).expect("a directory");
            meter.each(CALLS, |n| File::create(dir.path().join(n.to_string())).map(drop))
        }),
        row("create, close, unlink", |dir, meter| {
            let file = dir.join("new");
            meter.each(CALLS, |_| File::create(&file).and_then(|_| fs::remove_file(&file)))
        }),
        row("names of a directory of 5000", |dir, meter| {
            let list = many(dir);
            meter.each(10, |_| fs::read_dir(&list).map(|names| assert_eq!(names.count(), ENTRIES)))
        }),
        row("`ls -l` of 5000", |dir, _| {
            // Its processor time is another program's.
            let clock = crate::process::run(Command::new("ls").arg("-l").arg(many(dir)));
            Took { clock, processor: Duration::ZERO }
        }),
    ]
}

fn rows() -> Vec<Row> {
    let mut rows = names();
    for size in [4 << 10, 128 << 10, 1 << 20] {
        for direct in [false, true] {
            for random in [false, true] {
                for writing in [false, true] {
                    rows.push(transfer(Transfer { size, direct, random, writing }));
                }
            }
        }
    }
    rows
}

/// Through a file of 64 MiB that is there, by requests of `size`.
#[derive(Clone, Copy)]
struct Transfer {
    size: usize,
    direct: bool,
    random: bool,
    writing: bool,
}

fn transfer(how: Transfer) -> Row {
    let Transfer { size, direct, random, writing } = how;
    let shown = if size < 1 << 20 { format!("{} KiB", size >> 10) } else { format!("{} MiB", size >> 20) };
    let what = format!(
        "{} {} of {shown}{}",
        if random { "random" } else { "sequential" },
        if writing { "writes" } else { "reads" },
        if direct { ", O_DIRECT" } else { "" },
    );
    let goal = (!writing && size >= 128 << 10).then_some(1.5);
    Row { what, measure: Box::new(move |dir, meter| how.measure(dir, meter)), goal }
}

impl Transfer {
    fn measure(self, dir: &Path, meter: Meter) -> Took {
        let path = dir.join("large");
        if !path.exists() {
            fs::write(&path, vec![7; LARGE]).expect("a file");
        }
        let mut flags = if self.writing { OFlags::WRONLY } else { OFlags::RDONLY };
        flags.set(OFlags::DIRECT, self.direct);
        let file = File::from(rustix::fs::open(&path, flags, Mode::empty()).expect("it is there"));
        // O_DIRECT wants memory that begins where a page does.
        let mut memory = vec![7; self.size + 4096];
        let start = memory.as_ptr().align_offset(4096);
        let buf = &mut memory[start..start + self.size];
        let (blocks, count) = (LARGE / self.size, (LARGE / self.size).min(2048));
        let mut at = 0;
        meter.each(count, |n| {
            // An odd step visits the blocks, a power of two of them, in no order that a readahead foresees.
            at = if self.random { (at + 7919) % blocks } else { n };
            let offset = (at * self.size) as u64;
            if self.writing { file.write_all_at(buf, offset) } else { file.read_exact_at(buf, offset) }
        })
    }
}

fn small(dir: &Path) -> PathBuf {
    let file = dir.join("small");
    if !file.exists() {
        fs::write(&file, [7; 4096]).expect("a file");
    }
    file
}

fn many(dir: &Path) -> PathBuf {
    let list = dir.join("list");
    if fs::create_dir(&list).is_ok() {
        for n in 0..ENTRIES {
            File::create(list.join(n.to_string())).expect("a file");
        }
    }
    list
}

/// The simplest file system, in a process of its own; unmounted when dropped.
struct Simple {
    child: Child,
    dir: PathBuf,
}

impl Simple {
    fn start(dir: &Path, options: &[&str]) -> Simple {
        let mut command = me();
        command.arg(SIMPLE).arg(dir).args(options).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("this program starts");
        let mut said = String::new();
        let out = child.stdout.take().expect("piped");
        BufReader::new(out).read_line(&mut said).expect("what it says");
        assert_eq!(said, "ready\n", "the simplest file system is mounted");
        Simple { child, dir: dir.to_owned() }
    }
}

impl Drop for Simple {
    fn drop(&mut self) {
        // A mount namespace that somebody has made meanwhile may keep the mount, and with it the session.
        let _unmounted = Command::new("umount").arg(&self.dir).status();
        let _ended = self.child.kill();
        let _waited = self.child.wait();
    }
}
