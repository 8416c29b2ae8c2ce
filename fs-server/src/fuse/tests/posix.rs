//! Storage through the mount, as POSIX programs use it.

use super::rig;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt, symlink};
use std::process::Command;
use std::time::{Duration, UNIX_EPOCH};

fn errno<T: std::fmt::Debug>(result: std::io::Result<T>) -> i32 {
    result.unwrap_err().raw_os_error().unwrap()
}

#[test]
fn what_is_written_is_read_back_and_appended_to() {
    let Some(rig) = rig() else { return };
    let path = rig.path("f");
    fs::write(&path, b"hello ").unwrap();
    OpenOptions::new().append(true).open(&path).unwrap().write_all(b"world").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"hello world");
    let big: Vec<u8> = (0..5_000_000u32).map(|n| (n * 7 + n / 251) as u8).collect();
    fs::write(&path, &big).unwrap();
    assert!(fs::read(&path).unwrap() == big);
    assert_eq!(fs::metadata(&path).unwrap().len(), big.len() as u64);
}

#[test]
fn two_appenders_never_overwrite_each_other() {
    let Some(rig) = rig() else { return };
    let path = rig.path("log");
    let writers: Vec<_> = (0..4)
        .map(|n| {
            let mut file = OpenOptions::new().append(true).create(true).open(&path).unwrap();
            std::thread::spawn(move || {
                for i in 0..200 {
                    file.write_all(format!("{n} {i:03}\n").as_bytes()).unwrap();
                }
            })
        })
        .collect();
    for writer in writers {
        writer.join().unwrap();
    }
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().count(), 800);
    assert!(text.lines().all(|line| line.len() == 5), "a torn line");
}

#[test]
fn names_come_go_and_move() {
    let Some(rig) = rig() else { return };
    let (a, b) = (rig.path("a"), rig.path("b"));
    fs::write(&a, b"a").unwrap();
    fs::write(&b, b"b").unwrap();
    assert_eq!(errno(OpenOptions::new().write(true).create_new(true).open(&a)), libc::EEXIST);
    let mut open = File::open(&b).unwrap();
    fs::rename(&a, &b).unwrap();
    assert_eq!(fs::read(&b).unwrap(), b"a");
    let mut old = String::new();
    open.read_to_string(&mut old).unwrap();
    assert_eq!(old, "b", "the file that was renamed over stays open");
    assert_eq!(errno(fs::metadata(&a)), libc::ENOENT);

    fs::create_dir(rig.path("d")).unwrap();
    fs::write(rig.path("d/x"), b"x").unwrap();
    assert_eq!(errno(fs::remove_dir(rig.path("d"))), libc::ENOTEMPTY);
    fs::rename(rig.path("d"), rig.path("e")).unwrap();
    assert_eq!(fs::read(rig.path("e/x")).unwrap(), b"x");
    fs::write(rig.path("e/y"), b"y").unwrap();
    fs::remove_file(rig.path("e/x")).unwrap();
    fs::remove_file(rig.path("e/y")).unwrap();
    fs::remove_dir(rig.path("e")).unwrap();
    assert_eq!(errno(fs::metadata(rig.path(&"n".repeat(256)))), libc::ENAMETOOLONG);
}

#[test]
fn renameat2_knows_noreplace_and_exchange() {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    let Some(rig) = rig() else { return };
    let (a, b) = (rig.path("a"), rig.path("b"));
    fs::write(&a, b"a").unwrap();
    fs::write(&b, b"b").unwrap();
    let refused = renameat_with(CWD, &a, CWD, &b, RenameFlags::NOREPLACE);
    assert_eq!(refused, Err(rustix::io::Errno::EXIST));
    renameat_with(CWD, &a, CWD, &b, RenameFlags::EXCHANGE).unwrap();
    assert_eq!((fs::read(&a).unwrap(), fs::read(&b).unwrap()), (b"b".to_vec(), b"a".to_vec()));
}

#[test]
fn hard_links_share_an_inode_and_symlinks_point() {
    let Some(rig) = rig() else { return };
    let (a, b, s) = (rig.path("a"), rig.path("b"), rig.path("s"));
    fs::write(&a, b"1").unwrap();
    fs::hard_link(&a, &b).unwrap();
    let (ma, mb) = (fs::metadata(&a).unwrap(), fs::metadata(&b).unwrap());
    assert_eq!((ma.nlink(), mb.nlink()), (2, 2));
    assert_eq!(ma.ino(), mb.ino());
    fs::write(&b, b"22").unwrap();
    assert_eq!(fs::read(&a).unwrap(), b"22");
    fs::remove_file(&a).unwrap();
    assert_eq!(fs::metadata(&b).unwrap().nlink(), 1);
    symlink("b", &s).unwrap();
    assert_eq!(fs::read_link(&s).unwrap().to_str(), Some("b"));
    assert_eq!(fs::read(&s).unwrap(), b"22");
    assert!(fs::symlink_metadata(&s).unwrap().is_symlink());
}

#[test]
fn modes_owners_times_and_sizes_can_be_set() {
    let Some(rig) = rig() else { return };
    let path = rig.path("f");
    fs::write(&path, b"0123456789").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(&path, Some(12), Some(34)).unwrap();
        let meta = fs::metadata(&path).unwrap();
        assert_eq!((meta.uid(), meta.gid()), (12, 34));
    }
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    let (atime, mtime) =
        (UNIX_EPOCH + Duration::new(1_000_000_000, 123_456_789), UNIX_EPOCH - Duration::from_millis(1500));
    file.set_times(fs::FileTimes::new().set_accessed(atime).set_modified(mtime)).unwrap();
    let meta = fs::metadata(&path).unwrap();
    assert_eq!((meta.accessed().unwrap(), meta.modified().unwrap()), (atime, mtime));
    assert_eq!(meta.mode() & 0o7777, 0o640);
    file.set_len(4).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"0123");
    file.set_len(1 << 33).unwrap();
    let meta = fs::metadata(&path).unwrap();
    assert_eq!(meta.len(), 1 << 33);
    assert!(meta.blocks() < 100, "a sparse file takes no room: {} blocks", meta.blocks());
    let mut last = [1; 4];
    File::open(&path).unwrap().read_exact_at(&mut last, (1 << 33) - 4).unwrap();
    assert_eq!(last, [0; 4]);
}

#[test]
fn a_write_takes_set_id_bits_off_for_all_but_root() {
    let Some(rig) = rig() else { return };
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let path = rig.path("suid");
    fs::write(&path, b"x").unwrap();
    std::os::unix::fs::chown(&path, Some(1000), Some(1000)).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o6777)).unwrap();
    fs::write(&path, b"by root").unwrap();
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o6777);
    for script in ["printf y >> suid", "printf y > suid"] {
        fs::set_permissions(&path, fs::Permissions::from_mode(0o6777)).unwrap();
        let mut shell = Command::new("setpriv");
        shell.args(["--reuid=1001", "--regid=1001", "--clear-groups", "sh", "-c", script]);
        // The directory above belongs to root alone.
        fs::set_permissions(rig.dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        assert!(shell.current_dir(rig.dir.path()).status().unwrap().success());
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o777, "{script}");
    }
}

#[test]
fn a_file_without_a_name_lives_until_it_is_closed() {
    let Some(rig) = rig() else { return };
    let path = rig.path("f");
    let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&path).unwrap();
    file.write_all(b"still here").unwrap();
    fs::remove_file(&path).unwrap();
    assert_eq!(file.metadata().unwrap().nlink(), 0);
    file.set_len(5).unwrap();
    let mut text = String::new();
    file.seek(SeekFrom::Start(0)).unwrap();
    file.read_to_string(&mut text).unwrap();
    assert_eq!(text, "still");
}

#[test]
fn five_thousand_names_are_listed_once_each_while_others_come_and_go() {
    let Some(rig) = rig() else { return };
    let dir = rig.path("many");
    fs::create_dir(&dir).unwrap();
    for n in 0..5000 {
        File::create(dir.join(format!("stays-{n}"))).unwrap();
    }
    let churned = dir.clone();
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let stopped = stop.clone();
    let churn = std::thread::spawn(move || {
        for n in 0.. {
            if stopped.load(std::sync::atomic::Ordering::Relaxed) {
                break;
            }
            let path = churned.join(format!("goes-{n}"));
            File::create(&path).unwrap();
            fs::remove_file(&path).unwrap();
        }
    });
    for _ in 0..5 {
        let mut names: Vec<String> =
            fs::read_dir(&dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.retain(|name| name.starts_with("stays"));
        let listed = names.len();
        names.sort();
        names.dedup();
        assert_eq!((names.len(), listed), (5000, 5000));
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    churn.join().unwrap();
    let out = Command::new("ls").arg("-la").arg(&dir).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    assert_eq!(String::from_utf8_lossy(&out.stdout).lines().count(), 5003);
}

#[test]
fn a_shared_mapping_is_written_to_the_file() {
    let Some(rig) = rig() else { return };
    let path = rig.path("f");
    fs::write(&path, vec![0; 8192]).unwrap();
    let file = OpenOptions::new().read(true).write(true).open(&path).unwrap();
    // SAFETY: a fresh mapping of 8192 bytes that nothing else uses, unmapped before the file goes.
    unsafe {
        use rustix::mm::{MapFlags, MsyncFlags, ProtFlags, mmap, msync, munmap};
        let at =
            mmap(std::ptr::null_mut(), 8192, ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED, &file, 0)
                .unwrap();
        std::ptr::copy_nonoverlapping(b"mapped".as_ptr(), at.cast::<u8>().add(4096), 6);
        msync(at, 8192, MsyncFlags::SYNC).unwrap();
        munmap(at, 8192).unwrap();
    }
    assert_eq!(&fs::read(&path).unwrap()[4096..4102], b"mapped");
}

#[test]
fn extended_attributes_are_set_listed_and_removed() {
    use rustix::fs::{XattrFlags, getxattr, listxattr, removexattr, setxattr};
    let Some(rig) = rig() else { return };
    let path = rig.path("f");
    fs::write(&path, b"").unwrap();
    setxattr(&path, "user.color", b"blue", XattrFlags::CREATE).unwrap();
    let again = setxattr(&path, "user.color", b"red", XattrFlags::CREATE);
    assert_eq!(again, Err(rustix::io::Errno::EXIST));
    let mut value = [0; 16];
    assert_eq!(getxattr(&path, "user.color", &mut value).unwrap(), 4);
    assert_eq!(&value[..4], b"blue");
    assert_eq!(getxattr(&path, "user.color", &mut [0; 2]), Err(rustix::io::Errno::RANGE));
    let mut list = [0; 64];
    let n = listxattr(&path, &mut list).unwrap();
    assert_eq!(&list[..n], b"user.color\0");
    removexattr(&path, "user.color").unwrap();
    assert_eq!(getxattr(&path, "user.color", &mut value), Err(rustix::io::Errno::NODATA));
}

#[test]
fn locks_keep_other_processes_out() {
    let Some(rig) = rig() else { return };
    fs::write(rig.path("f"), b"").unwrap();
    let try_both = |expected: &str| {
        let script = r#"
import fcntl, sys
f = open("f", "r+")
out = []
for take in (fcntl.flock, fcntl.lockf):
    try:
        take(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
        out.append("got")
    except BlockingIOError:
        out.append("busy")
print(" ".join(out))
"#;
        let out = Command::new("python3").arg("-c").arg(script).current_dir(rig.dir.path()).output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        assert_eq!(String::from_utf8_lossy(&out.stdout).trim(), expected);
    };
    let file = OpenOptions::new().read(true).write(true).open(rig.path("f")).unwrap();
    try_both("got got");
    rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive).unwrap();
    try_both("busy got");
    rustix::fs::fcntl_lock(&file, rustix::fs::FlockOperation::LockExclusive).unwrap();
    try_both("busy busy");
    drop(file);
    // close(2) does not wait for the end of an open file, with which its flock goes (docs/posix.md); flock(1) does.
    let waits = Command::new("flock").arg(rig.path("f")).arg("true").status().unwrap();
    assert!(waits.success());
    try_both("got got");
}

#[test]
fn what_a_guest_changes_is_seen_at_once() {
    let Some(rig) = rig() else { return };
    let path = rig.path("out.txt");
    rig.inside("/out.txt", b"old");
    let mut open = File::open(&path).unwrap();
    let mut text = String::new();
    open.read_to_string(&mut text).unwrap();
    assert_eq!(text, "old");
    for n in 0..200 {
        let content = format!("{}{n}", "new".repeat(n % 7));
        assert_eq!(errno(fs::metadata(rig.path(&format!("made-{n}")))), libc::ENOENT);
        rig.inside("/out.txt", content.as_bytes());
        rig.inside(&format!("/made-{n}"), b"");
        assert_eq!(fs::metadata(&path).unwrap().len(), content.len() as u64);
        text.clear();
        open.seek(SeekFrom::Start(0)).unwrap();
        open.read_to_string(&mut text).unwrap();
        assert_eq!(text, content, "through a descriptor that was open before");
        assert_eq!(fs::read_to_string(&path).unwrap(), content);
        fs::metadata(rig.path(&format!("made-{n}"))).unwrap();
    }
}

#[test]
fn what_grows_behind_the_kernel_is_appended_to_at_its_true_end() {
    let Some(rig) = rig() else { return };
    let path = rig.path("log");
    let mut file = OpenOptions::new().append(true).create(true).open(&path).unwrap();
    file.write_all(b"one\n").unwrap();
    rig.inside("/log", b"one\nguest\n");
    file.write_all(b"two\n").unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "one\nguest\ntwo\n");
}

#[test]
fn others_are_kept_out_by_modes() {
    let Some(rig) = rig() else { return };
    if !rustix::process::geteuid().is_root() {
        return;
    }
    fs::set_permissions(rig.dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(rig.path("secret")).unwrap();
    let mut shell = Command::new("setpriv");
    shell.args(["--reuid=1001", "--regid=1001", "--clear-groups", "sh", "-c", "cat secret; echo x > new"]);
    let out = shell.current_dir(rig.dir.path()).output().unwrap();
    let said = String::from_utf8_lossy(&out.stderr).to_lowercase();
    assert_eq!(said.matches("permission denied").count(), 2, "{said}");
}

#[test]
fn random_reads_writes_and_truncations_agree_with_a_model() {
    let Some(rig) = rig() else { return };
    let path = rig.path("f");
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&path).unwrap();
    let mut appender = OpenOptions::new().append(true).open(&path).unwrap();
    let mut model: Vec<u8> = Vec::new();
    let mut seed = 0x2545_f491_4f6c_dd1du64;
    let mut random = |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed % below as u64) as usize
    };
    for step in 0..3000 {
        let (at, len) = (random(200_000), 1 + random(20_000));
        let data = vec![step as u8; len];
        match random(6) {
            0 => {
                file.write_all_at(&data, at as u64).unwrap();
                model.resize(model.len().max(at + len), 0);
                model[at..at + len].copy_from_slice(&data);
            }
            1 if model.len() < 300_000 => {
                appender.write_all(&data).unwrap();
                model.extend_from_slice(&data);
            }
            2 => {
                file.set_len(at as u64).unwrap();
                model.resize(at, 0);
            }
            // A guest writes behind the kernel's back, and the file has another size or time.
            3 => {
                rig.inside("/f", &data);
                model = data;
            }
            4 => {
                assert!(fs::read(&path).unwrap() == model, "step {step}: another descriptor reads otherwise")
            }
            _ => {
                let mut got = vec![0; len];
                let n = file.read_at(&mut got, at as u64).unwrap();
                let expected = model.get(at..model.len().min(at + len)).unwrap_or(&[]);
                assert!(&got[..n] == expected, "step {step}: {n} bytes at {at}, expected {}", expected.len());
            }
        }
        assert_eq!(file.metadata().unwrap().len(), model.len() as u64, "step {step}");
    }
}
