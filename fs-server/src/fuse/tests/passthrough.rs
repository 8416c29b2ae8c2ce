//! Host directories, whose files the kernel reads and writes by itself where it may.

use super::super::{Mount, Options, mount};
use super::cannot_run;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use vfs::{HostTree, Namespace};

/// A host directory, and where it is mounted.
struct Shared {
    _mount: Mount,
    host: tempfile::TempDir,
    dir: tempfile::TempDir,
    _runtime: tokio::runtime::Runtime,
}

fn shared() -> Option<Shared> {
    shared_with(&Options::default())
}

fn shared_with(options: &Options) -> Option<Shared> {
    if !std::path::Path::new("/dev/fuse").exists() {
        cannot_run("fuse: no /dev/fuse");
        return None;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    // On a file system that is not stacked itself, as the directory of a container may be.
    let host = tempfile::tempdir_in("/dev/shm").unwrap();
    let ns = Namespace::new(HostTree::open(host.path()).unwrap().root(), "host");
    let dir = tempfile::tempdir().unwrap();
    let mount = mount(ns, dir.path(), options, runtime.handle().clone()).expect("mounts");
    Some(Shared { _mount: mount, host, dir, _runtime: runtime })
}

impl Shared {
    fn both(&self, name: &str) -> (PathBuf, PathBuf) {
        (self.dir.path().join(name), self.host.path().join(name))
    }
}

#[test]
fn a_file_is_the_same_through_the_mount_and_beside_it() {
    let Some(shared) = shared() else { return };
    let (through, beside) = shared.both("f");
    for round in 0..50 {
        let text = format!("round {round}");
        fs::write(&through, &text).unwrap();
        assert_eq!(fs::read_to_string(&beside).unwrap(), text);
        let text = format!("other {round}");
        fs::write(&beside, &text).unwrap();
        assert_eq!(
            fs::read_to_string(&through).unwrap(),
            text,
            "the same length, within a tick of the clock"
        );
        OpenOptions::new().append(true).open(&through).unwrap().write_all(b" more").unwrap();
        assert_eq!(fs::metadata(&through).unwrap().len(), text.len() as u64 + 5);
        assert_eq!(fs::metadata(&beside).unwrap().len(), text.len() as u64 + 5);
    }
}

#[test]
fn one_file_is_open_in_many_ways_at_once() {
    let Some(shared) = shared() else { return };
    let (through, beside) = shared.both("f");
    let mut made =
        OpenOptions::new().read(true).write(true).create_new(true).open(&through).expect("a new file");
    let reader = File::open(&through).unwrap();
    let mut appender = OpenOptions::new().append(true).open(&through).unwrap();
    made.write_all(b"made ").unwrap();
    appender.write_all(b"appended ").unwrap();
    let cut = OpenOptions::new().write(true).open(&through).unwrap();
    cut.write_all_at(b"MADE", 0).unwrap();
    let mut read = [0; 14];
    reader.read_exact_at(&mut read, 0).unwrap();
    assert_eq!(&read, b"MADE appended ");
    cut.set_len(4).unwrap();
    assert_eq!(reader.read_at(&mut read, 0).unwrap(), 4);
    made.seek(SeekFrom::Start(0)).unwrap();
    let mut all = String::new();
    made.read_to_string(&mut all).unwrap();
    assert_eq!(all, "MADE");
    fs::remove_file(&through).unwrap();
    assert!(!beside.exists());
    assert_eq!(reader.read_at(&mut read, 0).unwrap(), 4, "open files outlive their names");
    fs::write(&through, "another").unwrap();
    assert_eq!(reader.read_at(&mut read, 0).unwrap(), 4);
    assert_eq!(fs::read(&through).unwrap(), b"another");
}

#[test]
fn a_program_in_a_host_directory_loses_its_set_id_bits_when_it_is_written() {
    let Some(shared) = shared() else { return };
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let (through, beside) = shared.both("program");
    for dir in [shared.dir.path(), shared.host.path()] {
        fs::set_permissions(dir, fs::Permissions::from_mode(0o777)).unwrap();
    }
    fs::write(&through, "one").unwrap();
    fs::set_permissions(&through, fs::Permissions::from_mode(0o6777)).unwrap();
    let mut shell = std::process::Command::new("setpriv");
    shell.args(["--reuid=1001", "--regid=1001", "--clear-groups", "sh", "-c", "echo two >> program"]);
    assert!(shell.current_dir(shared.dir.path()).status().unwrap().success());
    assert_eq!(fs::metadata(&beside).unwrap().permissions().mode() & 0o7777, 0o777);
}

/// How often the kernel has asked for names and attributes.
fn asked(options: &Options) -> u64 {
    let asked = options.counts.requests().filter(|(what, _)| matches!(*what, "lookup" | "getattr"));
    asked.map(|(_, count)| count).sum()
}

#[test]
fn names_and_attributes_are_asked_for_each_time_unless_they_may_be_believed() {
    for (cache, most) in [(Duration::ZERO, u64::MAX), (Duration::from_secs(3600), 8)] {
        let options = Options { cache, ..Options::default() };
        let Some(shared) = shared_with(&options) else { return };
        let (through, beside) = shared.both("f");
        fs::create_dir(shared.host.path().join("d")).unwrap();
        fs::write(&beside, "text").unwrap();
        let before = asked(&options);
        for _ in 0..100 {
            assert_eq!(fs::metadata(&through).unwrap().len(), 4);
            assert!(fs::metadata(shared.dir.path().join("d")).unwrap().is_dir());
        }
        let asked = asked(&options) - before;
        assert!(if cache.is_zero() { asked >= 200 } else { asked <= most }, "{asked} within {cache:?}");
    }
}

#[test]
fn what_others_change_is_seen_where_it_is_believed_as_soon_as_the_kernel_tells() {
    let options = Options { cache: Duration::from_secs(3600), ..Options::default() };
    let Some(shared) = shared_with(&options) else { return };
    let (through, beside) = shared.both("f");
    let (moved, moved_beside) = shared.both("moved");
    let soon = |what: &str, seen: &dyn Fn() -> bool| {
        let began = Instant::now();
        while !seen() {
            assert!(began.elapsed() < Duration::from_secs(60), "{what} is not seen");
            std::thread::sleep(Duration::from_millis(1));
        }
    };
    assert!(!through.exists());
    fs::write(&beside, "one").unwrap();
    soon("a new file", &|| through.exists());
    assert_eq!(fs::read(&through).unwrap(), b"one");
    fs::write(&beside, "longer").unwrap();
    soon("its new length", &|| fs::metadata(&through).unwrap().len() == 6);
    soon("its new text", &|| fs::read(&through).unwrap() == b"longer");
    fs::set_permissions(&beside, fs::Permissions::from_mode(0o600)).unwrap();
    soon("its new mode", &|| fs::metadata(&through).unwrap().permissions().mode() & 0o777 == 0o600);
    fs::rename(&beside, &moved_beside).unwrap();
    soon("its new name", &|| moved.exists() && !through.exists());
    fs::hard_link(&moved_beside, shared.host.path().join("link")).unwrap();
    fs::write(&beside, "another").unwrap();
    fs::rename(&beside, &moved_beside).unwrap();
    soon("what took its place", &|| fs::read(&moved).unwrap() == b"another");
    fs::remove_file(&moved_beside).unwrap();
    soon("that it is gone", &|| !moved.exists());
    // And what is done here is seen there and here at once.
    fs::write(&through, "here").unwrap();
    assert_eq!(fs::read(&beside).unwrap(), b"here");
    assert_eq!(fs::metadata(&through).unwrap().len(), 4);
    fs::remove_file(&through).unwrap();
    assert!(!through.exists() && !beside.exists());
}

#[test]
fn who_stands_in_a_directory_that_was_just_made_or_moved_stands_there_still() {
    let options = Options { cache: Duration::from_secs(3600), ..Options::default() };
    let Some(shared) = shared_with(&options) else { return };
    fs::create_dir(shared.dir.path().join("in")).unwrap();
    for script in ["mkdir in/d && cd in/d", "mv in/d in/e && cd in/e", "cd in && mkdir f && mv f e && cd e/f"]
    {
        // Meanwhile the kernel tells of what was done.
        let script = format!("{script} && sleep 0.3 && /bin/pwd -P");
        let mut shell = std::process::Command::new("sh");
        let said = shell.args(["-c", &script]).current_dir(shared.dir.path()).output().unwrap();
        assert!(said.status.success(), "{script}: {}", String::from_utf8_lossy(&said.stderr));
    }
}
