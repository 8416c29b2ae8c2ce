//! Linux's own 9P client at daily work, on our server and on diod. Both serve inside one guest kernel (QEMU, `tests/qemu`)
//! and are mounted over unix sockets with the same options: so a server's processor time counts in full, and no emulated
//! network hides it. diod serves a directory of the guest's tmpfs; ours its memory tree, and a directory of the same tmpfs
//! as a host directory.
//!
//! Where the guest is emulated the clock says mostly what else runs on the machine. What counts then is the processor time
//! of the emulator, which has one processor and no other work.

use crate::ninep::attach;
use crate::process::{TASKFS, run as run_program, there_is};
use crate::report::{Report, median};
use futures_util::{StreamExt, TryStreamExt, stream};
use nine::client::{ClientError, Fid};
use nine::wire::{Dialect, Mode, OpenFlags};
use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use tests::kernel::{Kernel, is_fast};

/// The first argument that makes this program fill a tree over 9P.
pub const FILL: &str = "fill";

/// Where the guest is emulated, a round takes ten minutes, and the next gives the same.
const ROUNDS: usize = 3;
/// Directories of a hundred files each, to be listed; and those of a git repository.
const LISTED: usize = 100;
const COMMITTED: usize = 20;

/// How everything is mounted, one after the other.
const MOUNTS: [&str; 2] = ["cache=none,msize=1048576", "cache=loose,msize=1048576"];

/// Where: the name, the server's socket and what is attached to, and where in the guest files are put for it (none: over
/// 9P).
struct Place {
    name: &'static str,
    socket: &'static str,
    aname: &'static str,
    store: Option<&'static str>,
}

const PLACES: [Place; 3] = [
    Place { name: "memory", socket: "/tmp/taskfs.sock", aname: "/tmp", store: None },
    Place { name: "host", socket: "/tmp/taskfs.sock", aname: "/host", store: Some("/tmp/host") },
    Place { name: "diod", socket: "/tmp/diod.sock", aname: "/tmp/diod", store: Some("/tmp/diod") },
];

/// What is done, in this order; `$M` is the mount. Each begins on a fresh mount, which has nothing in its cache.
const STEPS: [(&str, &str); 6] = [
    ("`ls -lR` of 10 000 files", "ls -lR $M/tree"),
    ("`git status` of 2000 files", "git -C $M/repo status --porcelain"),
    ("`dd` writes 64 MiB by 1 MiB", "dd if=/dev/zero of=$M/large bs=1M count=64 conv=fsync status=none"),
    ("`dd` reads 64 MiB by 1 MiB", "dd if=$M/large bs=1M status=none"),
    ("200 small files are made", "mkdir $M/new; for n in $(seq 200); do echo $n > $M/new/$n; done"),
    ("200 small files are removed", "rm -r $M/new"),
];

/// git asks who owns a repository, and would write what it finds: neither is what is measured.
const GIT: &str = "export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0='*'";

pub fn run(report: &mut Report) {
    let nothing = |report: &mut Report, why: &str| {
        report.section("Linux's own 9P client, on taskfs and on diod");
        report.note("all of it", &format!("not run: {why}"));
    };
    if let Some(program) = ["diod", "git"].into_iter().find(|program| !there_is(program)) {
        return nothing(report, &format!("{program} is not on the path"));
    }
    let Some(kernel) =
        Kernel::boot_with("backports", "the kernel's 9P client beside diod", &["--memory", "1536"])
    else {
        return nothing(report, "no guest kernel here");
    };
    // Not in /tmp: the guest has its own.
    let scratch = tempfile::tempdir_in(tests::top().join("build")).expect("a directory below build/");
    let archive = scratch.path().join("files.tar");
    make_files(scratch.path(), &archive);
    serve(&kernel);
    prepare(&kernel, &archive);
    for options in MOUNTS {
        let times = measure(&kernel, options);
        for place in &PLACES[..2] {
            report.section(&format!(
                "Linux {}'s own 9P client, {options}: {} beside diod",
                kernel.version, place.name
            ));
            for (number, (what, _)) in STEPS.iter().enumerate() {
                let of = |place| median(&times[&(number, place)]);
                report.beat(what, of(place.name), "diod", of("diod"), 1.0);
            }
        }
    }
}

/// The files that are listed, and a repository, in one archive: to be unpacked in each place.
fn make_files(dir: &Path, archive: &Path) {
    for (below, directories) in [("tree", LISTED), ("repo", COMMITTED)] {
        for number in 0..directories {
            let directory = dir.join(below).join(format!("d{number}"));
            fs::create_dir_all(&directory).expect("a directory");
            for file in 0..100 {
                fs::write(directory.join(format!("file{file}")), format!("{number} {file}\n"))
                    .expect("a file");
            }
        }
    }
    let git = |args: &[&str]| {
        let who = ["-c", "user.name=bench", "-c", "user.email=bench@localhost", "-c", "gc.auto=0"];
        run_program(Command::new("git").arg("-C").arg(dir.join("repo")).args(who).args(args));
    };
    git(&["init", "-q"]);
    git(&["add", "."]);
    git(&["commit", "-q", "-m", "all"]);
    run_program(Command::new("tar").arg("-C").arg(dir).arg("-cf").arg(archive).args(["tree", "repo"]));
}

/// Starts both servers in the guest.
fn serve(kernel: &Kernel) {
    let me = std::env::current_exe().expect("a running program has a path");
    let (ours, diod) = (&PLACES[1], &PLACES[2]);
    let started = kernel.exec(
        &format!(
            "mkdir -p {store} {export}
             setsid hostsh {me} {TASKFS} serve --listen unix://{socket} --cache /tmp/cache --bind {store}:{aname} \
                 </dev/null >/tmp/taskfs.log 2>&1 &
             setsid hostsh diod -f -n -N -l {diod} -e {export} </dev/null >/tmp/diod.log 2>&1 &
             for n in $(seq 600); do [ -S {socket} ] && [ -S {diod} ] && exit 0; usleep 100000; done
             cat /tmp/taskfs.log /tmp/diod.log; exit 1",
            me = me.display(),
            store = ours.store.expect("a host directory"),
            socket = ours.socket,
            aname = ours.aname,
            diod = diod.socket,
            export = diod.aname,
        ),
        120,
    );
    assert!(started.status.success(), "{}", String::from_utf8_lossy(&started.stdout));
}

fn mount(place: &Place, options: &str) -> String {
    let Place { name, socket, aname, .. } = place;
    format!(
        "mkdir -p /mnt/{name}
         mount -t 9p -o trans=unix,version=9p2000.L,uname=root,aname={aname},{options} {socket} /mnt/{name}\n"
    )
}

/// Puts the files in each place, and lets git look at them as it will see them.
fn prepare(kernel: &Kernel, archive: &Path) {
    let me = std::env::current_exe().expect("a running program has a path");
    let stored = PLACES[1].store.expect("a host directory");
    // The memory tree last, which is filled from what was unpacked for the host directory.
    for place in PLACES.iter().rev() {
        let Place { name, socket, aname, store } = place;
        let fill = match store {
            Some(store) => format!("tar -xf {} -C {store}", archive.display()),
            None => format!("{} {FILL} unix:{socket} {aname} {stored}", me.display()),
        };
        let mount = mount(place, MOUNTS[0]);
        let script = format!(
            "set -e; {GIT}; {fill}; {mount}git -C /mnt/{name}/repo status --porcelain; umount /mnt/{name}; echo done"
        );
        let (out, err) = kernel.bash(&script, &[], 0, 1800);
        assert_eq!(out, "done\n", "{name}: {err}");
        eprintln!("bench: {name}: the files are there");
    }
}

/// Copies the directory `from` to the tree `aname` of a server.
pub fn fill(address: &str, aname: &str, from: &Path) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a thread");
    let filled = runtime.block_on(async {
        let root = attach(address, Dialect::P9P2000L, aname).await?;
        let mut left = vec![(root, from.to_owned())];
        while let Some((directory, path)) = left.pop() {
            let mut files = Vec::new();
            for entry in fs::read_dir(&path)? {
                let path = entry?.path();
                if path.is_dir() {
                    let name = path.file_name().expect("an entry has a name").as_encoded_bytes();
                    directory.mkdir(name, Mode(0o755)).await?;
                    left.push((directory.walk([name]).await?, path));
                } else {
                    files.push(path);
                }
            }
            let directory = &directory;
            let puts = stream::iter(files).map(|path| async move { put(directory, &path).await });
            puts.buffer_unordered(16).try_collect::<()>().await?;
        }
        Ok::<_, ClientError>(())
    });
    filled.unwrap_or_else(|error| panic!("{address}: {error}"));
}

async fn put(directory: &Fid, path: &Path) -> Result<(), ClientError> {
    let name = path.file_name().expect("an entry has a name").as_encoded_bytes();
    let mode = Mode(fs::metadata(path)?.permissions().mode() & 0o777);
    let mut file = directory.walk::<&str>([]).await?;
    file.create(name, OpenFlags::WRONLY, mode).await?;
    file.write_all(0, &fs::read(path)?).await?;
    file.clunk().await
}

/// What each step took in each place, in turn.
fn measure(kernel: &Kernel, options: &str) -> HashMap<(usize, &'static str), Vec<Duration>> {
    let mut times: HashMap<_, Vec<_>> = HashMap::new();
    let rounds = if is_fast() { ROUNDS } else { 1 };
    for _ in 0..rounds {
        for (number, (what, step)) in STEPS.iter().enumerate() {
            for place in &PLACES {
                let name = place.name;
                let run = |script: &str| {
                    let (_, err) = kernel.bash(script, &[("M", &format!("/mnt/{name}"))], 0, 3600);
                    assert_eq!(err, "", "{what}, {name}");
                };
                run(&mount(place, options));
                let (began, used) = (Instant::now(), kernel.processor_time());
                run(&format!("{GIT} GIT_OPTIONAL_LOCKS=0; {{ {step}; }} > /dev/null"));
                let took = if is_fast() { began.elapsed() } else { kernel.processor_time() - used };
                run("umount $M");
                eprintln!("bench: {options}: {name}: {what}: {took:?}");
                times.entry((number, name)).or_default().push(took);
            }
        }
    }
    times
}
