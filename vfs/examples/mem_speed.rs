//! What an operation on the memory tree costs inside the server, beside the same operation on the kernel's tmpfs.
//!
//! `cargo run --release -p vfs --example mem_speed [DIR]`; DIR is a directory on a tmpfs, /dev/shm where none is given.

use rustix::fs::{AtFlags, Mode as Bits, OFlags, RawDir};
use std::hint::black_box;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::time::Instant;
use vfs::*;

const ROUNDS: usize = 7;
const COUNT: usize = 5000;

/// Nanoseconds an operation, the best of several rounds; each sets up anew.
fn best<S>(mut set_up: impl FnMut() -> S, count: usize, mut run: impl FnMut(&mut S)) -> f64 {
    (0..ROUNDS)
        .map(|_| {
            let mut state = set_up();
            let start = Instant::now();
            run(&mut state);
            start.elapsed().as_nanos() as f64 / count as f64
        })
        .fold(f64::INFINITY, f64::min)
}

fn done<T>(op: Op<'_, T>) -> T {
    op.now().expect("memory never waits").expect("the operation succeeds")
}

/// One kind of operation, done `COUNT` times by each side.
struct Row {
    what: &'static str,
    ours: f64,
    kernels: f64,
}

struct Ours {
    root: NodeRef,
    who: Caller,
    names: Vec<NameBuf>,
}

const RW: OpenFlags = OpenFlags::READ.union(OpenFlags::WRITE);

impl Ours {
    fn empty() -> Ours {
        let names = (0..COUNT).map(|n| Name::new(format!("file-{n}").as_bytes()).map(Name::to_owned));
        let names = names.collect::<Result<_>>().expect("good names");
        Ours { root: MemTree::new().root(), who: Caller::new(Uid(0), Gid(0)), names }
    }
    fn create_all(&self) {
        for name in &self.names {
            drop(done(self.root.create(&self.who, name.as_name(), Mode::new(0o644), RW)));
        }
    }
    fn full() -> Ours {
        let ours = Ours::empty();
        ours.create_all();
        ours
    }
    fn file() -> FileRef {
        let ours = Ours::empty();
        let (_, file) = done(ours.root.create(&ours.who, ours.names[0].as_name(), Mode::new(0o644), RW));
        for n in 0..COUNT as u64 {
            done(file.write(n % 16 * 4096, &[1; 4096]));
        }
        file
    }
}

struct Kernels {
    dir: OwnedFd,
    path: std::path::PathBuf,
    names: Vec<String>,
}

impl Kernels {
    fn empty(below: &str) -> Kernels {
        let path = std::path::Path::new(below).join(format!("mem_speed-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir(&path).expect("a writable tmpfs");
        let dir = rustix::fs::open(&path, OFlags::RDONLY | OFlags::DIRECTORY, Bits::empty());
        let names = (0..COUNT).map(|n| format!("file-{n}")).collect();
        Kernels { dir: dir.expect("the directory just made"), path, names }
    }
    fn open(&self, name: &str, flags: OFlags) -> OwnedFd {
        rustix::fs::openat(&self.dir, name, flags, Bits::from_raw_mode(0o644)).expect("opens")
    }
    fn create_all(&self) {
        for name in &self.names {
            drop(self.open(name, OFlags::RDWR | OFlags::CREATE | OFlags::EXCL));
        }
    }
    fn full(below: &str) -> Kernels {
        let kernels = Kernels::empty(below);
        kernels.create_all();
        kernels
    }
    fn file(below: &str) -> (Kernels, OwnedFd) {
        let kernels = Kernels::empty(below);
        let file = kernels.open("f", OFlags::RDWR | OFlags::CREATE);
        for n in 0..COUNT as u64 {
            rustix::io::pwrite(&file, &[1; 4096], n % 16 * 4096).expect("writes");
        }
        (kernels, file)
    }
}

impl Drop for Kernels {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

fn content(tmpfs: &str) -> Vec<Row> {
    let mut buf = vec![0u8; 4096];
    let read = Row {
        what: "read 4K",
        ours: best(Ours::file, COUNT, |file| {
            for n in 0..COUNT as u64 {
                black_box(done(file.read(n % 16 * 4096, &mut buf)));
            }
        }),
        kernels: best(
            || Kernels::file(tmpfs),
            COUNT,
            |(_, file)| {
                for n in 0..COUNT as u64 {
                    black_box(rustix::io::pread(&*file, &mut [0; 4096][..], n % 16 * 4096).expect("reads"));
                }
            },
        ),
    };
    let data = vec![7u8; 4096];
    let write = Row {
        what: "write 4K",
        ours: best(Ours::file, COUNT, |file| {
            for n in 0..COUNT as u64 {
                black_box(done(file.write(n % 16 * 4096, &data)));
            }
        }),
        kernels: best(
            || Kernels::file(tmpfs),
            COUNT,
            |(_, file)| {
                for n in 0..COUNT as u64 {
                    black_box(rustix::io::pwrite(&*file, &data, n % 16 * 4096).expect("writes"));
                }
            },
        ),
    };
    let grow = Row {
        what: "write 4K, growing",
        ours: best(
            || {
                let ours = Ours::empty();
                done(ours.root.create(&ours.who, ours.names[0].as_name(), Mode::new(0o644), RW)).1
            },
            COUNT,
            |file| {
                for n in 0..COUNT as u64 {
                    black_box(done(file.write(n * 4096, &data)));
                }
            },
        ),
        kernels: best(
            || {
                let kernels = Kernels::empty(tmpfs);
                let file = kernels.open("f", OFlags::RDWR | OFlags::CREATE);
                (kernels, file)
            },
            COUNT,
            |(_, file)| {
                for n in 0..COUNT as u64 {
                    black_box(rustix::io::pwrite(&*file, &data, n * 4096).expect("writes"));
                }
            },
        ),
    };
    vec![read, write, grow]
}

fn names(tmpfs: &str) -> Vec<Row> {
    let stat = Row {
        what: "fstat",
        ours: best(Ours::file, COUNT, |file| {
            for _ in 0..COUNT {
                black_box(done(file.node().stat()));
            }
        }),
        kernels: best(
            || Kernels::file(tmpfs),
            COUNT,
            |(_, file)| {
                for _ in 0..COUNT {
                    black_box(rustix::fs::fstat(&*file).expect("stats"));
                }
            },
        ),
    };
    let walk = Row {
        what: "walk (the kernel: stat by name)",
        ours: best(Ours::full, COUNT, |ours| {
            for name in &ours.names {
                black_box(done(ours.root.walk(&ours.who, name.as_name())));
            }
        }),
        kernels: best(
            || Kernels::full(tmpfs),
            COUNT,
            |kernels| {
                for name in &kernels.names {
                    black_box(rustix::fs::statat(&kernels.dir, name, AtFlags::empty()).expect("stats"));
                }
            },
        ),
    };
    let open = Row {
        what: "open, close (the kernel: by name)",
        ours: best(Ours::file, COUNT, |file| {
            let who = Caller::new(Uid(0), Gid(0));
            for _ in 0..COUNT {
                drop(black_box(done(file.node().clone().open(&who, RW))));
            }
        }),
        kernels: best(
            || Kernels::file(tmpfs),
            COUNT,
            |(kernels, _)| {
                for _ in 0..COUNT {
                    drop(black_box(kernels.open("f", OFlags::RDWR)));
                }
            },
        ),
    };
    let create = Row {
        what: "create, close",
        ours: best(Ours::empty, COUNT, |ours| ours.create_all()),
        kernels: best(|| Kernels::empty(tmpfs), COUNT, |kernels| kernels.create_all()),
    };
    let unlink = Row {
        what: "unlink",
        ours: best(Ours::full, COUNT, |ours| {
            for name in &ours.names {
                done(ours.root.unlink(&ours.who, name.as_name()));
            }
        }),
        kernels: best(
            || Kernels::full(tmpfs),
            COUNT,
            |kernels| {
                for name in &kernels.names {
                    rustix::fs::unlinkat(&kernels.dir, name, AtFlags::empty()).expect("unlinks");
                }
            },
        ),
    };
    vec![stat, walk, open, create, unlink, listing(tmpfs)]
}

fn listing(tmpfs: &str) -> Row {
    Row {
        what: "readdir of 5000, an entry",
        ours: best(
            || {
                let ours = Ours::full();
                let dir = done(ours.root.clone().open(&ours.who, OpenFlags::READ));
                (ours, dir)
            },
            COUNT,
            |(_, dir)| {
                let mut seen = 0;
                done(dir.readdir(0, &mut |entry| {
                    black_box(entry.name.as_bytes());
                    seen += 1;
                    true
                }));
                assert_eq!(seen, COUNT);
            },
        ),
        kernels: best(
            || (Kernels::full(tmpfs), vec![MaybeUninit::uninit(); 64 << 10]),
            COUNT,
            |(kernels, buf)| {
                let mut seen = 0;
                let mut dir = RawDir::new(&kernels.dir, buf);
                while let Some(entry) = dir.next() {
                    black_box(entry.expect("lists").file_name());
                    seen += 1;
                }
                assert_eq!(seen, COUNT + 2);
            },
        ),
    }
}

fn main() {
    let tmpfs = std::env::args().nth(1).unwrap_or_else(|| "/dev/shm".to_owned());
    println!("{:34} {:>9} {:>9} {:>7}", "operation", "memory ns", "tmpfs ns", "ratio");
    for Row { what, ours, kernels } in content(&tmpfs).into_iter().chain(names(&tmpfs)) {
        println!("{what:34} {ours:9.0} {kernels:9.0} {:7.2}", ours / kernels);
    }
}
