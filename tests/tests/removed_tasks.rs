//! A task that was removed costs nothing any more, whoever removed it and whatever was still open: neither the kernel of a
//! mount nor a fid keeps it alive.

use std::fs::File;
use std::io::Read;
use std::time::{Duration, Instant};
use tests::door::Door;
use tests::{Server, guests, has_fuse};

const TASKS: usize = 20;

struct Site {
    _server: Server,
    mount: tempfile::TempDir,
    nine: Door,
}

impl Site {
    fn start() -> Site {
        let mount = tempfile::tempdir().expect("a directory");
        let bind = format!("{}:/guests:ro", guests().display());
        let server = Server::start(&["--bind", &bind, "--mount", mount.path().to_str().expect("UTF-8")]);
        let nine = Door::nine(&server, nine::wire::Dialect::P9P2000L);
        Site { _server: server, mount, nine }
    }

    fn mount(&self) -> Door {
        Door::Mount(self.mount.path().to_owned())
    }

    /// A task that has ended, made and looked at through the mount.
    fn ended(&self) -> String {
        let door = self.mount();
        let task = door.start("/guests/hello.wasm", "");
        assert_eq!(door.end_of(&task), "");
        assert!(!door.text(&format!("{task}/stdio/1")).is_empty());
        task
    }

    fn open(&self, path: &str) -> File {
        File::open(self.mount.path().join(path.trim_start_matches('/'))).expect("it can be opened")
    }

    fn figure(&self, name: &str) -> u64 {
        let text = self.nine.text("/dev/metrics");
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.expect("a figure of the server").parse::<f64>().expect("a number") as u64
    }

    /// The kernel forgets in its own time, but soon.
    fn forgets_down_to(&self, inodes: u64) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while self.figure("taskfs_fuse_inodes") > inodes {
            assert!(
                Instant::now() < deadline,
                "the kernel knows {} inodes, {inodes} before",
                self.figure("taskfs_fuse_inodes")
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Ends `TASKS` tasks by `end`, after one whose traces in the kernel are those that stay.
fn nothing_stays(what: &str, end: impl Fn(&Site, &str)) {
    if !has_fuse(what) {
        return;
    }
    let site = Site::start();
    let first = site.ended();
    site.mount().remove(&first).expect("it has ended");
    assert!(site.mount().exists("/task/clone"));
    site.forgets_down_to(8);
    let before = site.figure("taskfs_fuse_inodes");
    for _ in 0..TASKS {
        let task = site.ended();
        end(&site, &task);
    }
    site.forgets_down_to(before);
}

#[test]
fn a_task_that_is_removed_while_its_files_are_open_is_forgotten_when_they_are_closed() {
    nothing_stays("removed tasks", |site, task| {
        let open = ["wait", "stdio/1", "stdio", "."].map(|name| site.open(&format!("{task}/{name}")));
        site.mount().remove(task).expect("it has ended");
        let mut wait = String::new();
        (&open[0]).read_to_string(&mut wait).expect("an open file is good until it is closed");
        assert!(wait.ends_with("''\n"), "{wait:?}");
    });
}

#[test]
fn a_task_that_others_remove_is_forgotten_by_the_kernel_that_looked_at_it() {
    nothing_stays("tasks removed by others", |site, task| site.nine.remove(task).expect("it has ended"));
}

#[test]
fn a_task_that_others_remove_while_its_files_are_open_is_forgotten_when_they_are_closed() {
    nothing_stays("open tasks removed by others", |site, task| {
        let _open = ["wait", "stdio/2"].map(|name| site.open(&format!("{task}/{name}")));
        site.nine.remove(task).expect("it has ended");
    });
}

#[test]
fn a_task_that_ends_with_its_ctl_is_forgotten_too() {
    nothing_stays("killonclose", |site, ended| {
        site.mount().remove(ended).expect("it has ended");
        let mount = site.mount.path();
        let mut ctl =
            File::options().read(true).write(true).open(mount.join("task/clone")).expect("a new task");
        let mut id = String::new();
        let mut byte = [0];
        while ctl.read(&mut byte).expect("its number") == 1 && byte[0] != b'\n' {
            id.push(byte[0].into());
        }
        let task = mount.join("task").join(id);
        std::io::Write::write_all(&mut ctl, b"killonclose").expect("a command");
        std::fs::read(task.join("status")).expect("it is there");
        drop(ctl);
        while task.exists() {
            std::thread::sleep(Duration::from_millis(1));
        }
    });
}
