//! What the mount costs: figures printed with `--nocapture`, and run by name (they are ignored otherwise).

use super::super::Options;
use super::rig_with;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

fn timed(what: &str, count: u32, work: impl Fn(u32)) {
    let begun = Instant::now();
    for n in 0..count {
        work(n);
    }
    println!("{what}: {:?} each", begun.elapsed() / count);
}

#[test]
#[ignore = "figures, not a test"]
fn figures() {
    for cache in [Duration::ZERO, Duration::from_secs(1)] {
        println!("names and attributes believed for {cache:?}:");
        measure(&Options { cache, ..Options::default() });
    }
}

fn measure(options: &Options) {
    let Some(rig) = rig_with(options) else { return };
    let file = rig.path("f");
    fs::write(&file, vec![1; 16 << 20]).unwrap();
    fs::create_dir_all(rig.path("a/b/c")).unwrap();
    fs::write(rig.path("a/b/c/f"), b"deep").unwrap();
    timed("stat", 5000, |_| assert!(fs::metadata(&file).is_ok()));
    timed("stat four deep", 5000, |_| assert!(fs::metadata(rig.path("a/b/c/f")).is_ok()));
    let open = File::open(&file).unwrap();
    timed("pread 4K, cached", 5000, |n| {
        open.read_exact_at(&mut [0; 4096], u64::from(n % 1000) * 4096).unwrap()
    });
    timed("open, read 16M, close", 10, |_| drop(fs::read(&file).unwrap()));
    let big = vec![2; 16 << 20];
    timed("write 16M", 10, |_| fs::write(&file, &big).unwrap());
    fs::create_dir(rig.path("many")).unwrap();
    timed("create", 5000, |n| drop(File::create(rig.path(&format!("many/{n}"))).unwrap()));
    timed("read_dir of 5000", 10, |_| assert_eq!(fs::read_dir(rig.path("many")).unwrap().count(), 5000));
    timed("read_dir of 5000 with stat", 10, |_| {
        let entries = fs::read_dir(rig.path("many")).unwrap();
        assert_eq!(entries.filter(|e| e.as_ref().unwrap().metadata().is_ok()).count(), 5000);
    });
    timed("ctl write", 5000, |_| fs::write(rig.path("dev/ctl"), b"start").unwrap());
    timed("unlink", 5000, |n| fs::remove_file(rig.path(&format!("many/{n}"))).unwrap());
}

/// How much of a processor the watch takes while many wait, and how long a signal takes then.
#[test]
#[ignore = "figures, not a test"]
fn thousands_of_blocked_readers() {
    let Some(rig) = rig_with(&Options::default()) else { return };
    for waiting in [1000, 4000] {
        let script = format!(
            "import threading, time\nthreading.stack_size(65536)\n\
             for _ in range({waiting}):\n threading.Thread(target=lambda: open('dev/pipe','rb',0).read(1)).start()\n\
             time.sleep(60)"
        );
        let mut python = std::process::Command::new("python3");
        let mut child = python.arg("-c").arg(script).current_dir(rig.dir.path()).spawn().unwrap();
        std::thread::sleep(Duration::from_secs(4));
        let before = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        std::thread::sleep(Duration::from_secs(3));
        let after = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        let spent = Duration::try_from(after).unwrap() - Duration::try_from(before).unwrap();
        let begun = Instant::now();
        child.kill().unwrap();
        child.wait().unwrap();
        println!(
            "{waiting} wait: {:.1} % of a processor; killed in {:?}",
            spent.as_secs_f64() / 0.03,
            begun.elapsed()
        );
    }
}
