//! Locks among all ways to one file, as a table: whoever holds a lock by one call, on two mounts, on an import that `taskfs
//! mount` mounts and in a kernel of its own over v9fs, and whether another is let in by another call elsewhere.
//!
//! 9P has one message for flock(2) and fcntl(2), so what came over it excludes both; on mounts of the server itself they do
//! not see each other, as in Linux. Open file description locks are fcntl(2)'s.

use std::path::Path;
use std::time::{Duration, Instant};
use tests::kernel::Kernel;
use tests::{Import, Server, has_fuse, sh, text};

/// `hold CALL SORT` takes the lock and keeps it until the file `go` is there; `ask` tries every call and sort in turn.
const PROGRAM: &str = r#"
import errno, fcntl, os, struct, sys, time
file, what = sys.argv[1:3]
def take(call, sort):
    f = open(file, "r+b")
    how = {"ex": (fcntl.LOCK_EX, fcntl.F_WRLCK), "sh": (fcntl.LOCK_SH, fcntl.F_RDLCK)}[sort]
    try:
        if call == "flock": fcntl.flock(f, how[0] | fcntl.LOCK_NB)
        elif call == "fcntl": fcntl.lockf(f, how[0] | fcntl.LOCK_NB, 10, 5)
        else: fcntl.fcntl(f, 37, struct.pack("hhqqi4x", how[1], 0, 5, 10, 0))
    except OSError as e:
        if e.errno not in (errno.EAGAIN, errno.EACCES): raise
        return None
    return f
if what == "hold":
    held = take(*sys.argv[3:5])
    open(file + ".held", "w").write("held" if held else "refused")
    while not os.path.exists(file + ".go"): time.sleep(0.02)
    os.unlink(file + ".go"); held.close()
else:
    for call in ["flock", "fcntl", "ofd"]:
        for sort in ["ex", "sh"]:
            f = take(call, sort); print(call, sort, "had" if f else "busy")
            if f: f.close()
"#;

const CALLS: [(&str, &str); 5] =
    [("flock", "ex"), ("flock", "sh"), ("fcntl", "ex"), ("fcntl", "sh"), ("ofd", "ex")];

/// A way to the file.
struct Way<'a> {
    name: &'static str,
    file: String,
    is_ninep: bool,
    run: Box<dyn Fn(&str) -> String + 'a>,
}

impl Way<'_> {
    fn python(&self, words: &str) -> String {
        format!("python3 -c \"$P\" {} {words}", self.file)
    }
    /// Starts a holder; it holds when this returns.
    fn hold(&self, call: &str, sort: &str) {
        let (file, program) = (&self.file, self.python(&format!("hold {call} {sort}")));
        let script = format!(
            "setsid {program} >/dev/null 2>&1 </dev/null & for i in $(seq 1000); do [ -s {file}.held ] && break; sleep 0.02; done; cat {file}.held; rm {file}.held"
        );
        assert_eq!((self.run)(&script), "held", "{}: {call} {sort}", self.name);
    }
    fn ask(&self) -> String {
        (self.run)(&self.python("ask"))
    }
    fn let_go(&self) {
        let file = &self.file;
        let script =
            format!("touch {file}.go; for i in $(seq 1000); do [ -e {file}.go ] || break; sleep 0.02; done");
        (self.run)(&script);
    }
}

/// What is asked for while `call` and `sort` are held, and whether it is to be had.
fn expected(call: &str, sort: &str, either_is_ninep: bool) -> String {
    let mut lines = String::new();
    for asked in ["flock", "fcntl", "ofd"] {
        for asked_sort in ["ex", "sh"] {
            let same_world = (asked == "flock") == (call == "flock") || either_is_ninep;
            let free = !same_world || (sort == "sh" && asked_sort == "sh");
            lines.push_str(&format!("{asked} {asked_sort} {}\n", if free { "had" } else { "busy" }));
        }
    }
    lines
}

fn every_pair(ways: &[Way<'_>]) {
    let mut wrong = String::new();
    let free = expected("flock", "sh", false).replace("busy", "had");
    for holder in ways {
        for (call, sort) in CALLS {
            holder.hold(call, sort);
            for asker in ways {
                let said = asker.ask();
                let expected = expected(call, sort, holder.is_ninep || asker.is_ninep);
                if said != expected {
                    let (holder, asker) = (holder.name, asker.name);
                    wrong.push_str(&format!("{holder} holds {call} {sort}, {asker} asks:\n{said}"));
                }
            }
            holder.let_go();
            // The end of an open file is told without waiting for an answer.
            let deadline = Instant::now() + Duration::from_secs(20);
            while ways[0].ask() != free {
                assert!(Instant::now() < deadline, "{} let go of {call} {sort}, and it is held", holder.name);
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// One server, mounted twice, imported once, and mounted by `kernel` where there is one.
fn table(what: &str, kernel: Option<&Kernel>) {
    if !has_fuse(what) {
        return;
    }
    let mounts = tempfile::tempdir().expect("a directory");
    let [one, two, three] = ["one", "two", "import"].map(|name| {
        let dir = mounts.path().join(name);
        std::fs::create_dir(&dir).expect("a mount point");
        dir.to_str().expect("a UTF-8 path").to_owned()
    });
    let args = ["--listen", "tcp://127.0.0.1:0", "--mount", &one, "--mount", &two];
    let server = Server::start(&args);
    let _import = Import::of(&server, Path::new(&three));
    std::fs::write(format!("{one}/tmp/locked"), [0; 100]).expect("a file on the mount");
    let local = |name, dir: &str, is_ninep| Way {
        name,
        file: format!("{dir}/tmp/locked"),
        is_ninep,
        run: Box::new(|script| text(sh(script, &[("P", PROGRAM)], Duration::from_secs(60)))),
    };
    let mut ways = vec![
        local("a mount", &one, false),
        local("another mount", &two, false),
        local("taskfs mount", &three, true),
    ];
    if let Some(kernel) = kernel {
        kernel.mount("/mnt/t", server.port(), "version=9p2000.L,cache=none,access=user,msize=65536");
        ways.push(Way {
            name: "v9fs",
            file: "/mnt/t/tmp/locked".to_owned(),
            is_ninep: true,
            run: Box::new(|script| kernel.bash(script, &[("P", PROGRAM)], 0, 120).0),
        });
    }
    every_pair(&ways);
}

#[test]
fn every_call_excludes_what_it_should_among_two_mounts_and_an_import() {
    table("locks among mounts and an import", None);
}

#[test]
#[ignore = "soak: takes minutes where the kernel is emulated"]
fn soak_every_call_excludes_what_it_should_among_mounts_an_import_and_v9fs() {
    let what = "locks between v9fs and mounts";
    let Some(kernel) = Kernel::boot("base", what) else { return };
    table(what, Some(&kernel));
}
