//! Synthetic files through the mount: reads that wait, devices that take commands.

use super::rig;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

#[test]
fn a_shell_writes_commands_and_reads_answers() {
    let Some(rig) = rig() else { return };
    let script = r#"
        set -e
        echo start > dev/ctl
        test "$(cat dev/ctl)" = start
        echo more >> dev/ctl
        read word < dev/ctl
        test "$word" = more
        test -e dev/ctl -a -f dev/ctl -a ! -s dev/ctl
        if echo bad 2>/dev/null > dev/ctl; then exit 1; fi
        exec 3<>dev/pipe
        echo through >&3
        read word <&3
        test "$word" = through
        cat > dev/ctl <<END
from here
END
        test "$(cat dev/ctl)" = "from here"
        echo piped | cat > dev/ctl
        test "$(cat dev/ctl)" = piped
        ls -l dev | grep -q ctl
    "#;
    let out = Command::new("sh").arg("-ec").arg(script).current_dir(rig.dir.path()).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    assert_eq!(*rig.toys.0.truncations.lock(), 4, "each > is one open that truncates");
}

#[test]
fn a_live_log_shows_its_lines_as_they_come() {
    let Some(rig) = rig() else { return };
    rig.toys.log(b"first\n");
    for program in [&["cat"][..], &["tail", "-f"], &["head", "-n", "2"]] {
        let mut child = Command::new(program[0])
            .args(&program[1..])
            .arg(rig.path("dev/log"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert_eq!(lines.next().unwrap().unwrap(), "first", "{program:?}");
        rig.toys.log(b"second\n");
        assert_eq!(lines.next().unwrap().unwrap(), "second", "{program:?}");
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let reader = std::thread::spawn({
        let path = rig.path("dev/log");
        move || fs::read_to_string(path).unwrap()
    });
    std::thread::sleep(Duration::from_millis(50));
    assert!(!reader.is_finished());
    rig.toys.end_log();
    assert_eq!(reader.join().unwrap(), "first\nsecond\nsecond\nsecond\n");
}

#[test]
fn a_descriptor_that_does_not_block_says_so() {
    let Some(rig) = rig() else { return };
    let mut file = File::open(rig.path("dev/pipe")).unwrap();
    let flags = rustix::fs::fcntl_getfl(&file).unwrap();
    rustix::fs::fcntl_setfl(&file, flags | rustix::fs::OFlags::NONBLOCK).unwrap();
    let error = file.read(&mut [0; 10]).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EAGAIN));
    rig.toys.pipe(b"now");
    assert_eq!(file.read(&mut [0; 10]).unwrap(), 3);
}

#[test]
fn poll_waits_for_what_comes() {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let Some(rig) = rig() else { return };
    let file = File::open(rig.path("dev/pipe")).unwrap();
    let mut fds = [PollFd::new(&file, PollFlags::IN)];
    let short = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
    assert_eq!(poll(&mut fds, Some(&short)).unwrap(), 0);
    let toys = rig.toys.clone();
    let later = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(100));
        toys.pipe(b"news");
    });
    let begun = Instant::now();
    let long = Timespec { tv_sec: 5, tv_nsec: 0 };
    assert_eq!(poll(&mut fds, Some(&long)).unwrap(), 1);
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    later.join().unwrap();
}

#[test]
fn a_panic_in_a_tree_is_one_failed_request() {
    let Some(rig) = rig() else { return };
    for _ in 0..20 {
        let error = fs::write(rig.path("dev/ctl"), b"panic").unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EIO));
    }
    fs::write(rig.path("dev/ctl"), b"fine").unwrap();
}

#[test]
fn two_hundred_blocked_readers_slow_nobody_down() {
    let Some(rig) = rig() else { return };
    let readers: Vec<_> = (0..200)
        .map(|_| {
            let path = rig.path("dev/pipe");
            std::thread::Builder::new()
                .stack_size(64 << 10)
                .spawn(move || File::open(path).unwrap().read(&mut [0; 1]).unwrap())
                .unwrap()
        })
        .collect();
    std::thread::sleep(Duration::from_millis(200));
    let begun = Instant::now();
    let workers: Vec<_> = (0..4)
        .map(|n| {
            let dir = rig.path(&format!("w{n}"));
            std::thread::spawn(move || {
                fs::create_dir(&dir).unwrap();
                for i in 0..200 {
                    let path = dir.join(i.to_string());
                    fs::write(&path, b"content").unwrap();
                    assert_eq!(fs::read(&path).unwrap(), b"content");
                    fs::remove_file(&path).unwrap();
                }
            })
        })
        .collect();
    for worker in workers {
        worker.join().unwrap();
    }
    let took = begun.elapsed();
    println!("800 files made, read and removed beside 200 blocked readers: {took:?}");
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert!(readers.iter().all(|reader| !reader.is_finished()));
    OpenOptions::new().write(true).open(rig.path("dev/pipe")).unwrap().write_all(&[7; 200]).unwrap();
    assert_eq!(readers.into_iter().map(|reader| reader.join().unwrap()).sum::<usize>(), 200);
}
