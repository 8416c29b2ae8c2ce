//! What overlays cost: an operation beside the same one on the memory tree, and fork and end of a tree of 50 000 files.
//!
//! `cargo run --release -p vfs --example overlay_speed`

use std::hint::black_box;
use std::time::{Duration, Instant};
use vfs::*;

const ROUNDS: usize = 7;
/// Files in the directory that is worked on.
const COUNT: usize = 5000;
const RW: OpenFlags = OpenFlags::READ.union(OpenFlags::WRITE);

fn done<T>(op: Op<'_, T>) -> T {
    op.now().expect("memory never waits").expect("the operation succeeds")
}

fn timed<T>(run: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let result = run();
    (result, start.elapsed())
}

/// A directory to work in, and what must live meanwhile.
struct Ground {
    root: NodeRef,
    who: Caller,
    names: Vec<NameBuf>,
    _kept: Vec<Overlay>,
}

#[derive(Clone, Copy)]
enum Tree {
    Memory,
    Overlay,
    /// With a fork that has the same files.
    Forked,
    /// With 300 snapshots, between which something was changed.
    Snapshots,
    /// Over a memory tree that has the files.
    Layered,
}

const TREES: [(&str, Tree); 5] = [
    ("memory", Tree::Memory),
    ("overlay", Tree::Overlay),
    ("forked", Tree::Forked),
    ("300 forks", Tree::Snapshots),
    ("layer", Tree::Layered),
];

fn names(count: usize) -> Vec<NameBuf> {
    let names = (0..count).map(|n| Name::new(format!("file-{n}").as_bytes()).map(Name::to_owned));
    names.collect::<Result<_>>().expect("good names")
}

fn fill(root: &NodeRef, names: &[NameBuf]) {
    let who = Caller::new(Uid(0), Gid(0));
    for name in names {
        let (_, file) = done(root.create(&who, name.as_name(), Mode::new(0o644), RW));
        done(file.write(0, &[7; 4096]));
    }
}

fn overlay(layers: Vec<NodeRef>) -> Overlay {
    Overlay::new(layers, MemOptions::default()).expect("there are identities left")
}

fn fork(overlay: &Overlay) -> Overlay {
    overlay.fork().expect("there are identities left")
}

impl Ground {
    fn new(tree: Tree, full: bool) -> Ground {
        let (names, mut kept) = (names(COUNT), Vec::new());
        let count = if full { COUNT } else { 0 };
        let root = match tree {
            Tree::Memory => MemTree::new().root(),
            Tree::Layered => {
                let below = MemTree::new().root();
                fill(&below, &names[..count]);
                let overlay = overlay(vec![below]);
                kept.push(overlay.clone());
                overlay.root()
            }
            _ => {
                let overlay = overlay(Vec::new());
                kept.push(overlay.clone());
                overlay.root()
            }
        };
        if !matches!(tree, Tree::Layered) {
            fill(&root, &names[..count]);
        }
        match tree {
            Tree::Forked => kept.push(fork(&kept[0])),
            Tree::Snapshots => {
                for n in 0..300 {
                    let who = Caller::new(Uid(0), Gid(0));
                    let name = names[n % COUNT].as_name();
                    let (_, file) = done(root.create(&who, name, Mode::new(0o644), RW));
                    done(file.write(0, b"changed"));
                    kept.push(fork(&kept[0]));
                }
            }
            _ => {}
        }
        Ground { root, who: Caller::new(Uid(0), Gid(0)), names, _kept: kept }
    }

    fn each(&self, mut run: impl FnMut(Name<'_>)) {
        self.names.iter().for_each(|name| run(name.as_name()));
    }
}

/// Nanoseconds an operation, the best of several rounds; each sets up anew.
fn best(tree: Tree, full: bool, run: impl Fn(&Ground)) -> f64 {
    (0..ROUNDS)
        .map(|_| {
            let ground = Ground::new(tree, full);
            let took = timed(|| run(&ground)).1;
            drop(ground);
            // The end of a tree is on a thread of its own, and should not be in the next one's way.
            std::thread::sleep(Duration::from_millis(40));
            took.as_nanos() as f64 / COUNT as f64
        })
        .fold(f64::INFINITY, f64::min)
}

fn row(what: &str, full: bool, run: impl Fn(&Ground)) {
    print!("{what:<28}");
    for (_, tree) in TREES {
        print!("{:>12.0}", best(tree, full, &run));
    }
    println!();
}

fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux tells");
    4096 * statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).expect("a number of pages")
}

/// Bytes of memory that an empty file takes.
fn weight(root: &NodeRef) -> u64 {
    let (who, small, before) = (Caller::new(Uid(0), Gid(0)), names(25), resident());
    for dir in names(4000) {
        let dir = done(root.mkdir(&who, dir.as_name(), Mode::new(0o755)));
        for name in &small {
            drop(done(dir.create(&who, name.as_name(), Mode::new(0o644), RW)));
        }
    }
    (resident() - before) / 100_000
}

/// A tree like those of packages: directories of a few files each.
fn project(files: usize) -> Overlay {
    let overlay = overlay(Vec::new());
    let (root, who) = (overlay.root(), Caller::new(Uid(0), Gid(0)));
    let small = names(25);
    for dir in names(files / small.len()) {
        let dir = done(root.mkdir(&who, dir.as_name(), Mode::new(0o755)));
        fill(&dir, &small);
    }
    overlay
}

/// Out to tar and in again.
fn archives(tree: &Overlay) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let (who, mut tar) = (Caller::new(Uid(0), Gid(0)), Vec::new());
    let from = Namespace::new(tree.root(), "from").root();
    let (packed, out) = timed(|| runtime.block_on(vfs::archive::pack(&who, &from, &mut tar)));
    packed.expect("it is packed");
    let other = overlay(Vec::new());
    let onto = Namespace::new(other.root(), "onto").root();
    let bounds = vfs::archive::Bounds::default();
    let (unpacked, back) = timed(|| runtime.block_on(vfs::archive::unpack(&who, &tar[..], &onto, bounds)));
    let entries = unpacked.expect("it is unpacked").entries;
    println!("{entries} entries, {} MiB of tar: out {out:?}, in {back:?}", tar.len() >> 20);
}

fn main() {
    let (memory, above) = (MemTree::new(), overlay(Vec::new()));
    println!("bytes an empty file: memory {}, overlay {}", weight(&memory.root()), weight(&above.root()));

    println!("nanoseconds an operation, directory of {COUNT} files of 4 KiB");
    print!("{:<28}", "");
    TREES.iter().for_each(|(name, _)| print!("{name:>12}"));
    println!();
    row("create, close", false, |g| {
        g.each(|name| drop(done(g.root.create(&g.who, name, Mode::new(0o644), RW))));
    });
    row("walk, first time", true, |g| g.each(|name| drop(black_box(done(g.root.walk(&g.who, name))))));
    row("walk, stat", true, |g| {
        g.each(|name| {
            black_box(done(done(g.root.walk(&g.who, name)).stat()));
        });
    });
    row("walk, open, read 4 KiB", true, |g| {
        let mut buf = [0; 4096];
        g.each(|name| {
            let file = done(done(g.root.walk(&g.who, name)).open(&g.who, OpenFlags::READ));
            black_box(done(file.read(0, &mut buf)));
        });
    });
    row("walk, open, write 4 KiB", true, |g| {
        g.each(|name| {
            let file = done(done(g.root.walk(&g.who, name)).open(&g.who, RW));
            black_box(done(file.write(0, &[9; 4096])));
        });
    });
    row("write 4 KiB to one file", true, |g| {
        let file = done(done(g.root.walk(&g.who, g.names[0].as_name())).open(&g.who, RW));
        for _ in 0..COUNT {
            black_box(done(file.write(0, &[9; 4096])));
        }
    });
    row("list", true, |g| {
        let open = done(g.root.clone().open(&g.who, OpenFlags::READ));
        let mut count = 0;
        done(open.readdir(0, &mut |_| {
            count += 1;
            true
        }));
        assert_eq!(count, COUNT);
    });
    row("rename", true, |g| {
        let to = Name::new(b"elsewhere").expect("a good name");
        g.each(|name| done(g.root.rename(&g.who, name, &g.root, to, RenameFlags::empty())));
    });
    row("unlink", true, |g| g.each(|name| done(g.root.unlink(&g.who, name))));

    for files in [5_000, 50_000] {
        let tree = project(files);
        archives(&tree);
        let (_, first) = timed(|| drop(black_box(fork(&tree))));
        let (forks, all) = timed(|| (0..300).map(|_| fork(&tree)).collect::<Vec<_>>());
        let (_, ended) = timed(|| drop(tree));
        let (_, rest) = timed(|| drop(forks));
        println!(
            "{files} files: fork {first:?}, 300 more {all:?}, end of the tree {ended:?}, of the forks {rest:?}"
        );
    }
}
