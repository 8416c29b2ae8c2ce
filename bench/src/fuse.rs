//! FUSE at its own work: our mount beside the simplest memory file system over crate fuser (`simple`), and beside tmpfs; and a
//! host directory (of tmpfs) through our mount, beside the same directory itself.

use crate::process::{Server, me, tmpfs};
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

/// One thing to do, at a size of request where it has one.
struct Row {
    what: String,
    measure: Box<dyn Fn(&Path) -> Duration>,
    /// What a read of 128 KiB or more may take of tmpfs's time.
    goal: Option<f64>,
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
    let _server = Server::start(&["--mount", mount, "--bind", &bind]);
    let _simple = Simple::start(simple.path());
    let ours = ours.path().join("tmp");

    let mut took = Vec::new();
    for row in rows() {
        let places = [ours.as_path(), simple.path(), native.path()];
        // Each once before it counts: files are made, caches filled.
        let mut times = places.map(|_| Vec::new());
        for round in 0..=ROUNDS {
            for (place, times) in places.iter().zip(&mut times) {
                let time = (row.measure)(place);
                if round > 0 {
                    times.push(time);
                }
            }
        }
        took.push((row, times.map(|times| median(&times))));
    }
    report.section("The memory tree through FUSE, beside the simplest file system over crate fuser");
    for (row, [ours, simple, _]) in &took {
        report.beat(&row.what, *ours, "simple", *simple, 1.0);
    }
    report.section("The memory tree through FUSE, beside tmpfs");
    for (row, [ours, _, native]) in &took {
        report.times(&row.what, *ours, "tmpfs", *native, row.goal.map(Goal::AtMost));
    }
    let beside = host.path().join("beside");
    fs::create_dir(&beside).expect("a directory");
    report.section("A host directory (of tmpfs) through FUSE, beside the directory itself");
    beside_itself(report, &Path::new(mount).join("host"), &beside, rows());
}

fn beside_itself(report: &mut Report, through: &Path, beside: &Path, rows: Vec<Row>) {
    for row in rows {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for round in 0..=ROUNDS {
            let times = ((row.measure)(through), (row.measure)(beside));
            if round > 0 {
                ours.push(times.0);
                theirs.push(times.1);
            }
        }
        report.times(&row.what, median(&ours), "tmpfs", median(&theirs), row.goal.map(Goal::AtMost));
    }
}

/// What asks for names and attributes.
fn names() -> Vec<Row> {
    let row = |what: &str, measure: fn(&Path) -> Duration| Row {
        what: what.to_owned(),
        measure: Box::new(measure),
        goal: None,
    };
    vec![
        row("stat", |dir| {
            let file = small(dir);
            each(CALLS, |_| fs::metadata(&file).map(drop))
        }),
        row("open and close", |dir| {
            let file = small(dir);
            each(CALLS, |_| File::open(&file).map(drop))
        }),
        row("open, read 4 KiB, close", |dir| {
            let (file, mut buf) = (small(dir), [0; 4096]);
            each(CALLS, |_| File::open(&file)?.read_exact_at(&mut buf, 0))
        }),
        row("create and close", |dir| {
            let dir = tempfile::tempdir_in(dir).expect("a directory");
            each(CALLS, |n| File::create(dir.path().join(n.to_string())).map(drop))
        }),
        row("create, close, unlink", |dir| {
            let file = dir.join("new");
            each(CALLS, |_| File::create(&file).and_then(|_| fs::remove_file(&file)))
        }),
        row("names of a directory of 5000", |dir| {
            let list = many(dir);
            each(10, |_| fs::read_dir(&list).map(|names| assert_eq!(names.count(), ENTRIES)))
        }),
        row("`ls -l` of 5000", |dir| crate::process::run(Command::new("ls").arg("-l").arg(many(dir)))),
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
    Row { what, measure: Box::new(move |dir| how.measure(dir)), goal }
}

impl Transfer {
    fn measure(self, dir: &Path) -> Duration {
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
        each(count, |n| {
            // An odd step visits the blocks, a power of two of them, in no order that a readahead foresees.
            at = if self.random { (at + 7919) % blocks } else { n };
            let offset = (at * self.size) as u64;
            if self.writing { file.write_all_at(buf, offset) } else { file.read_exact_at(buf, offset) }
        })
    }
}

/// The mean of many.
fn each(count: usize, mut call: impl FnMut(usize) -> std::io::Result<()>) -> Duration {
    let began = Instant::now();
    for n in 0..count {
        call(n).expect("a file operation");
    }
    began.elapsed() / count as u32
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
        each(ENTRIES, |n| File::create(list.join(n.to_string())).map(drop));
    }
    list
}

/// The simplest file system, in a process of its own; unmounted when dropped.
struct Simple {
    child: Child,
    dir: PathBuf,
}

impl Simple {
    fn start(dir: &Path) -> Simple {
        let mut command = me();
        command.arg(SIMPLE).arg(dir).stdin(Stdio::null()).stdout(Stdio::piped());
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
