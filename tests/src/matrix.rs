//! The table of shell habits in every cell of kernels × dialects × caches, as Linux's own 9P client mounts: which cells there
//! are, which rows cannot hold in some of them, and why. A row that is said not to hold must not hold: when a kernel has
//! mended its fault, the entry here goes.

use crate::habits::{self, Habit};
use crate::kernel::Kernel;
use crate::live;
use crate::{Server, guests};
use std::sync::Mutex;

/// How a kernel mounts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cell {
    pub dialect: &'static str,
    pub cache: &'static str,
    /// What else is given to mount -o.
    pub more: &'static str,
}

pub const DIALECTS: [&str; 3] = ["9p2000.L", "9p2000.u", "9p2000"];
pub const CACHES: [&str; 3] = ["none", "mmap", "loose"];

impl Cell {
    pub const fn new(dialect: &'static str, cache: &'static str, more: &'static str) -> Cell {
        Cell { dialect, cache, more }
    }

    pub fn options(&self) -> String {
        // In plain 9P2000 a user is a name, and the kernel's own choice of one is nobody.
        let user = if self.dialect == "9p2000" { ",uname=root" } else { "" };
        let comma = if self.more.is_empty() { "" } else { "," };
        format!("version={},cache={}{user}{comma}{}", self.dialect, self.cache, self.more)
    }

    /// Every combination, and for each dialect one over a unix socket and one with a user for every process.
    pub fn all() -> Vec<Cell> {
        let plain = DIALECTS.iter().flat_map(|dialect| CACHES.map(|cache| Cell::new(dialect, cache, "")));
        let unix = DIALECTS.iter().map(|dialect| Cell::new(dialect, "none", "trans=unix"));
        let users = DIALECTS[..2]
            .iter()
            .flat_map(|dialect| ["mmap", "loose"].map(|cache| Cell::new(dialect, cache, "access=user")));
        plain.chain(unix).chain(users).collect()
    }

    /// Few enough for a machine that emulates its kernels: every dialect, both transports.
    pub fn few() -> Vec<Cell> {
        vec![
            Cell::new("9p2000.L", "none", ""),
            Cell::new("9p2000.u", "none", ""),
            Cell::new("9p2000", "none", "trans=unix"),
        ]
    }
}

/// A row that cannot hold in some cells, and why.
struct Fault {
    habit: &'static str,
    holds: fn(&Kernel, &Cell) -> bool,
    why: &'static str,
}

const FAULTS: &[Fault] = &[
    Fault {
        habit: "tail -f follows the output of a running program",
        holds: |_, cell| cell.dialect == "9p2000.L",
        why: TAIL,
    },
    Fault {
        habit: "tail -f follows the output of a running program",
        holds: |_, cell| cell.cache != "loose",
        why: LOOSE,
    },
    Fault {
        habit: "tail -f follows a file that a program writes",
        holds: |_, cell| cell.dialect == "9p2000.L",
        why: TAIL,
    },
    Fault {
        habit: "tail -f follows a file that a program writes",
        holds: |kernel, cell| cell.cache == "none" || cell.cache == "mmap" && kernel.is_before(6, 4),
        why: PAGES,
    },
    Fault {
        habit: "a finished task is removed with rmdir or a word",
        holds: |_, cell| cell.cache != "loose",
        why: LOOSE,
    },
    Fault {
        habit: "files written through the mount are the files that programs see",
        holds: |_, cell| cell.dialect != "9p2000",
        why: "its row makes a symbolic link, which plain 9P2000 does not have",
    },
];

const LOOSE: &str = "cache=loose believes the names and attributes that it has seen for as long as it has room for them: a file \
    that others change keeps its length, one that others remove stays";

const PAGES: &str = "what was read once is read from the kernel's pages, whoever has written since: with cache=loose always, with \
    cache=mmap since Linux 6.4 (before, only files that are mapped)";

const TAIL: &str = "tail asks statfs whether the file system is remote. 9P2000.L has a message for that; in the other \
    dialects the kernel answers by itself that this is v9fs, which tail holds to be local: it trusts inotify, which does not \
    see what others write, and reads to the end before it shows anything, which a live file has not yet";

/// Before Linux 6.4, cache=loose reads every file through the page cache, and that up to the length it knows: of what has length
/// 0, as synthetic files have, it reads nothing, and asks the server for nothing. Since then a qid of version 0 is read
/// directly (`v9fs_fid_add_modes`).
fn reads_only_what_is_stored(kernel: &Kernel, cell: &Cell) -> bool {
    cell.cache == "loose" && kernel.is_before(6, 4)
}

/// Shows it: a read through the cache brings nothing, the same read beside the cache makes a task.
const READS_NOTHING: &str = r#"
    cat $M/task/new | wc -c; dd if=$M/task/new iflag=direct bs=4096 count=1 status=none | grep -c '^[1-9][0-9]*$'"#;

fn impossible(kernel: &Kernel, cell: &Cell, habit: &Habit) -> Option<&'static str> {
    FAULTS
        .iter()
        .find(|fault| fault.habit == habit.name && !(fault.holds)(kernel, cell))
        .map(|fault| fault.why)
}

/// A server for a mount, with the guests.
pub fn serve() -> Server {
    let bind = format!("{}:/guests:ro", guests().display());
    Server::start(&["--listen", "tcp://127.0.0.1:0", "--bind", &bind])
}

/// Runs the table in each of `cells`, several at a time, each on a server of its own. Panics with all that went wrong.
pub fn every_habit_in_every_cell(kernel: &Kernel, cells: &[Cell], at_once: usize) {
    let only = std::env::var("TASKFS_CELL").unwrap_or_default();
    let left = Mutex::new(cells.iter().filter(|cell| cell.options().contains(&only)));
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                loop {
                    let Some(cell) = left.lock().expect("no holder panics").next() else { break };
                    let faults = every_habit(kernel, cell);
                    wrong.lock().expect("no holder panics").extend(faults);
                }
            });
        }
    });
    let wrong = wrong.into_inner().expect("no holder panicked");
    assert!(wrong.is_empty(), "{} cells of habits went wrong:\n{}", wrong.len(), wrong.join("\n"));
}

fn every_habit(kernel: &Kernel, cell: &Cell) -> Vec<String> {
    let server = serve();
    let at = format!("/mnt/{}", server.port());
    kernel.mount(&at, server.port(), &cell.options());
    let name = format!("{} {}", kernel.version, cell.options());
    let mut wrong = Vec::new();
    let mut habits = habits::wanted();
    let only_stored = reads_only_what_is_stored(kernel, cell);
    if only_stored {
        habits.retain(|habit| !habit.reads_tasks());
        let shown = kernel.bash(READS_NOTHING, &[("M", &at)], 0, 60);
        let is_so = shown.0 == "0\n1\n";
        eprintln!("{name}: {} synthetic files read as empty", if is_so { "fault" } else { "HOLDS" });
        if !is_so {
            wrong.push(format!("{name}: synthetic files are said to read as empty: {shown:?}"));
        }
    }
    let scripts: Vec<_> = habits.iter().map(|habit| habit.whole()).collect();
    let scripts: Vec<_> = scripts.iter().map(String::as_str).collect();
    let results = kernel.bash_each(&scripts, &[("M", &at)], 0, 150);
    let mut lines = String::new();
    for (habit, result) in habits.iter().zip(&results) {
        let (word, fault) = match (habit.fault(result), impossible(kernel, cell, habit)) {
            (None, None) => ("ok   ", None),
            (Some(_), Some(_)) => ("fault", None),
            (Some(fault), None) => ("FAIL ", Some(fault)),
            (None, Some(why)) => {
                ("HOLDS", Some(format!("{}\n  holds, though it is said: {why}", habit.name)))
            }
        };
        lines.push_str(&format!("{name}: {word} {}\n", habit.name));
        if let Some(fault) = fault {
            lines.push_str(&format!("{fault}\n"));
            wrong.push(format!("{name}: {fault}"));
        }
    }
    eprint!("{lines}");
    // Where the row of `tail` holds, it is among the readers of a live output.
    let tail = cell.dialect == "9p2000.L" && cell.cache != "loose";
    if !only_stored {
        for (what, fault) in [
            ("live output", live::output_shows_each_line_as_it_comes(kernel, &at, tail)),
            ("live wait", live::wait_shows_its_line_when_it_comes(kernel, &at)),
        ] {
            eprint!("{name}: {} {what}\n{fault}", if fault.is_empty() { "ok   " } else { "FAIL " });
            if !fault.is_empty() {
                wrong.push(format!("{name}: {what}: {fault}"));
            }
        }
    }
    let unmount = kernel.exec(&format!("umount {at} && rmdir {at}"), 60);
    if !unmount.status.success() {
        wrong.push(format!("{name}: umount: {}", String::from_utf8_lossy(&unmount.stdout)));
    }
    wrong
}
