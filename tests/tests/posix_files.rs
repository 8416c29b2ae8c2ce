//! What POSIX and Linux promise of files, through the mount, on the memory tree, on a host directory and on an overlay: each
//! test runs on all, and first on tmpfs, which must pass it too.

use rustix::fs::{AtFlags, FallocateFlags, Mode, OFlags, RenameFlags, SeekFrom, Timespec, Timestamps};
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tests::{Import, Server, has_fuse};

/// Does `test` on tmpfs and on each tree's mount, in an empty directory.
fn everywhere(what: &str, test: impl Fn(&str, &Path)) {
    let shared = tempfile::tempdir_in("/dev/shm").expect("tmpfs");
    test("tmpfs", shared.path());
    if !has_fuse(what) {
        return;
    }
    let below = tempfile::tempdir_in("/dev/shm").expect("tmpfs");
    let below = below.path().display();
    let roots = ["mem".to_owned(), format!("host:{below}"), format!("overlay:{below}")];
    for (name, root) in ["memory", "host", "overlay"].into_iter().zip(roots) {
        let mount = tempfile::tempdir().expect("a mount point");
        let dir = mount.path().to_str().expect("a UTF-8 path").to_owned();
        let server = Server::start(&["--root", &root, "--mount", &dir]);
        // What is left of the host's is the overlay's layer.
        let here = mount.path().join(name);
        fs::create_dir(&here).expect("a directory");
        test(name, &here);
        drop(server);
    }
}

fn errno<T>(result: std::io::Result<T>) -> i32 {
    result.err().expect("it fails").raw_os_error().expect("an errno")
}

fn raw<T>(result: rustix::io::Result<T>) -> i32 {
    result.err().expect("it fails").raw_os_error()
}

fn open(path: impl AsRef<Path>) -> File {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).expect("it opens")
}

#[test]
fn a_file_without_a_name_is_read_written_measured_and_changed_until_it_is_closed() {
    everywhere("files without names", |on, dir| {
        let path = dir.join("f");
        let file = open(&path);
        file.write_all_at(b"before", 0).unwrap();
        fs::remove_file(&path).unwrap();
        assert_eq!(errno(fs::metadata(&path)), libc::ENOENT, "{on}");
        file.write_all_at(b"after", 6).unwrap();
        let mut buf = [0; 11];
        file.read_exact_at(&mut buf, 0).unwrap();
        assert_eq!(&buf, b"beforeafter", "{on}");
        file.set_permissions(fs::Permissions::from_mode(0o640)).unwrap();
        file.set_len(3).unwrap();
        let stat = file.metadata().unwrap();
        assert_eq!((stat.nlink(), stat.len(), stat.mode() & 0o7777), (0, 3, 0o640), "{on}");
        // The name is free for another file, which is not this one.
        fs::write(&path, b"other").unwrap();
        assert_eq!(file.metadata().unwrap().len(), 3, "{on}");
        assert_ne!(file.metadata().unwrap().ino(), fs::metadata(&path).unwrap().ino(), "{on}");
    });
}

#[test]
fn a_rename_over_an_open_file_leaves_it_open_and_flags_keep_or_swap_names() {
    everywhere("rename", |on, dir| {
        let (a, b) = (dir.join("a"), dir.join("b"));
        fs::write(&a, b"a").unwrap();
        fs::write(&b, b"b").unwrap();
        let old = open(&b);
        let rename = |from: &Path, to: &Path, flags| {
            rustix::fs::renameat_with(rustix::fs::CWD, from, rustix::fs::CWD, to, flags)
        };
        assert_eq!(raw(rename(&a, &b, RenameFlags::NOREPLACE)), libc::EEXIST, "{on}");
        rename(&a, &b, RenameFlags::EXCHANGE).unwrap();
        assert_eq!((fs::read(&a).unwrap(), fs::read(&b).unwrap()), (b"b".to_vec(), b"a".to_vec()), "{on}");
        old.write_all_at(b"B", 0).unwrap();
        assert_eq!(fs::read(&a).unwrap(), b"B", "{on}: the open file has moved with its name");
        rename(&b, &a, RenameFlags::empty()).unwrap();
        let mut buf = [0];
        old.read_exact_at(&mut buf, 0).unwrap();
        assert_eq!((&buf, old.metadata().unwrap().nlink()), (b"B", 0), "{on}");
        assert_eq!(raw(rename(&b, &a, RenameFlags::EXCHANGE)), libc::ENOENT, "{on}");
    });
}

#[test]
fn holes_are_found_punched_and_filled_and_cost_no_blocks() {
    everywhere("sparse files", |on, dir| {
        const MIB: u64 = 1 << 20;
        let file = open(dir.join("sparse"));
        file.write_all_at(&[7; 1 << 20], 0).unwrap();
        file.write_all_at(b"end", 8 * MIB).unwrap();
        let seek = |from| rustix::fs::seek(&file, from);
        assert_eq!(seek(SeekFrom::Hole(0)).unwrap(), MIB, "{on}");
        assert_eq!(seek(SeekFrom::Data(2 * MIB)).unwrap(), 8 * MIB, "{on}");
        assert_eq!(seek(SeekFrom::Data(0)).unwrap(), 0, "{on}");
        assert_eq!(raw(seek(SeekFrom::Data(8 * MIB + 3))), libc::ENXIO, "{on}");
        assert!(file.metadata().unwrap().blocks() * 512 < 2 * MIB, "{on}");
        let punch = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        // Within one of the memory tree's chunks, and over several.
        rustix::fs::fallocate(&file, punch, 10_000, 20_000).unwrap();
        rustix::fs::fallocate(&file, punch, 100_000, 800_000).unwrap();
        let mut bytes = vec![0; 1 << 20];
        file.read_exact_at(&mut bytes, 0).unwrap();
        let hole = |at: usize| (10_000..30_000).contains(&at) || (100_000..900_000).contains(&at);
        assert!(bytes.iter().enumerate().all(|(at, byte)| *byte == if hole(at) { 0 } else { 7 }), "{on}");
        assert!(file.metadata().unwrap().blocks() * 512 < MIB / 2, "{on}: the space is given back");
        assert_eq!(file.metadata().unwrap().len(), 8 * MIB + 3, "{on}");
        rustix::fs::fallocate(&file, FallocateFlags::KEEP_SIZE, 8 * MIB, 2 * MIB).unwrap();
        assert_eq!(file.metadata().unwrap().len(), 8 * MIB + 3, "{on}");
        rustix::fs::fallocate(&file, FallocateFlags::empty(), 8 * MIB, 2 * MIB).unwrap();
        assert_eq!(file.metadata().unwrap().len(), 10 * MIB, "{on}");
        if on == "memory" {
            rustix::fs::fallocate(&file, FallocateFlags::ZERO_RANGE, 0, 1000).unwrap();
            file.read_exact_at(&mut bytes[..1001], 0).unwrap();
            assert!(bytes[..1000].iter().all(|byte| *byte == 0) && bytes[1000] == 7);
        }
        assert_eq!(
            raw(rustix::fs::fallocate(&file, FallocateFlags::COLLAPSE_RANGE, 0, 4096)),
            libc::EOPNOTSUPP
        );
    });
}

#[test]
fn files_grow_beyond_four_gib_and_end_where_offsets_end() {
    everywhere("large files", |on, dir| {
        let file = open(dir.join("large"));
        for offset in [(4u64 << 30) - 1, 5 << 30, 1 << 40] {
            file.write_all_at(b"xy", offset).unwrap();
            let mut buf = [0; 4];
            file.read_exact_at(&mut buf[..3], offset - 1).unwrap();
            assert_eq!(&buf[..3], b"\0xy", "{on}, {offset}");
        }
        assert_eq!(file.metadata().unwrap().len(), (1 << 40) + 2, "{on}");
        assert_eq!(errno(file.write_at(b"x", i64::MAX as u64)), libc::EINVAL, "{on}");
        assert_eq!(errno(file.write_at(b"x", u64::MAX)), libc::EINVAL, "{on}");
        assert_eq!(raw(rustix::fs::ftruncate(&file, u64::MAX)), libc::EINVAL, "{on}");
        file.set_len(i64::MAX as u64).unwrap();
        assert_eq!(file.metadata().unwrap().len(), i64::MAX as u64, "{on}");
        assert_eq!(file.read_at(&mut [0; 4], i64::MAX as u64 - 4).unwrap(), 4, "{on}");
    });
}

#[test]
fn appenders_of_several_processes_never_overwrite_each_other() {
    everywhere("appending", |on, dir| {
        let path = dir.join("log");
        File::create(&path).unwrap();
        let children: Vec<_> = (0..4)
            .map(|n| {
                let script = format!("for i in $(seq 100); do echo {n} $i >> \"$1\"; done");
                std::process::Command::new("bash").args(["-c", &script, "bash"]).arg(&path).spawn().unwrap()
            })
            .collect();
        for mut child in children {
            assert!(child.wait().unwrap().success());
        }
        let text = fs::read_to_string(&path).unwrap();
        let mut lines: Vec<_> = text.lines().collect();
        lines.sort_unstable();
        lines.dedup();
        assert_eq!((text.lines().count(), lines.len()), (400, 400), "{on}");
    });
}

#[test]
fn names_are_any_bytes_up_to_255_of_them_and_paths_end_at_4095() {
    everywhere("names", |on, dir| {
        for name in
            [&b"\xff\xfe\x80 not UTF-8"[..], b"new\nline", &[b'n'; 255], b"...", b" ", b"\\", &[0xf0; 255]]
        {
            let path = dir.join(OsStr::from_bytes(name));
            fs::write(&path, name).unwrap();
            assert_eq!(fs::read(&path).unwrap(), name, "{on}");
            let listed =
                fs::read_dir(dir).unwrap().any(|entry| entry.unwrap().file_name().as_bytes() == name);
            assert!(listed, "{on}: {}", name.escape_ascii());
            fs::remove_file(&path).unwrap();
        }
        assert_eq!(
            errno(fs::write(dir.join(OsStr::from_bytes(&[b'n'; 256])), b"")),
            libc::ENAMETOOLONG,
            "{on}"
        );
        let target = "t".repeat(4095);
        std::os::unix::fs::symlink(&target, dir.join("link")).unwrap();
        assert_eq!(fs::read_link(dir.join("link")).unwrap().as_os_str().len(), 4095, "{on}");
        assert_eq!(
            errno(std::os::unix::fs::symlink("t".repeat(4096), dir.join("long"))),
            libc::ENAMETOOLONG,
            "{on}"
        );
        assert_eq!(errno(fs::metadata(dir.join("./".repeat(2100)))), libc::ENAMETOOLONG, "{on}");
    });
}

#[test]
fn times_keep_their_nanoseconds_before_1970_and_beyond_2038() {
    everywhere("times", |on, dir| {
        let path = dir.join("t");
        let file = open(&path);
        for (secs, nanos) in [
            (0, 0),
            (-1, 1),
            (-86_400, 999_999_999),
            (1 << 31, 123_456_789),
            (1 << 33, 7),
            (-(1i64 << 31), 5),
        ] {
            let time = Timespec { tv_sec: secs, tv_nsec: nanos };
            rustix::fs::futimens(&file, &Timestamps { last_access: time, last_modification: time }).unwrap();
            let stat = fs::metadata(&path).unwrap();
            assert_eq!((stat.mtime(), stat.mtime_nsec()), (secs, nanos), "{on}");
            assert_eq!((stat.atime(), stat.atime_nsec()), (secs, nanos), "{on}");
        }
        // The ends of what a number holds: whatever is made of them, the server goes on.
        for secs in [i64::MIN, i64::MIN + 1, i64::MAX] {
            let time = Timespec { tv_sec: secs, tv_nsec: 999_999_999 };
            let _clamped_or_refused =
                rustix::fs::futimens(&file, &Timestamps { last_access: time, last_modification: time });
            fs::metadata(&path).unwrap();
        }
    });
}

#[test]
fn attributes_of_users_have_the_limits_of_xattr_7() {
    use rustix::fs::{XattrFlags, fgetxattr, flistxattr, fremovexattr, fsetxattr};
    everywhere("extended attributes", |on, dir| {
        // tmpfs has user attributes since Linux 6.6 only, and a host directory what its file system has.
        let file = open(dir.join("x"));
        if fsetxattr(&file, "user.a", b"1", XattrFlags::CREATE).is_err() {
            assert_ne!(on, "memory");
            return;
        }
        assert_eq!(raw(fsetxattr(&file, "user.a", b"2", XattrFlags::CREATE)), libc::EEXIST, "{on}");
        assert_eq!(raw(fsetxattr(&file, "user.b", b"2", XattrFlags::REPLACE)), libc::ENODATA, "{on}");
        let mut buf = vec![0; 70_000];
        assert_eq!(fgetxattr(&file, "user.a", &mut buf).unwrap(), 1, "{on}");
        fsetxattr(&file, "user.a", b"longer", XattrFlags::REPLACE).unwrap();
        assert_eq!(raw(fgetxattr(&file, "user.a", &mut buf[..3])), libc::ERANGE, "{on}");
        assert_eq!(
            raw(fsetxattr(&file, "user.big", &vec![0; 65_537], XattrFlags::empty())),
            libc::E2BIG,
            "{on}"
        );
        assert_eq!(
            raw(fsetxattr(&file, format!("user.{}", "n".repeat(251)), b"", XattrFlags::empty())),
            libc::ERANGE
        );
        assert_eq!(raw(fsetxattr(&file, "other.a", b"", XattrFlags::empty())), libc::EOPNOTSUPP, "{on}");
        let length = flistxattr(&file, &mut buf).unwrap();
        assert!(buf[..length].split(|byte| *byte == 0).any(|name| name == b"user.a"), "{on}");
        fremovexattr(&file, "user.a").unwrap();
        assert_eq!(raw(fgetxattr(&file, "user.a", &mut buf)), libc::ENODATA, "{on}");
    });
}

#[test]
fn open_flags_do_what_open_2_says() {
    everywhere("open flags", |on, dir| {
        let flags = |flags: i32| OpenOptions::new().read(true).custom_flags(flags).open(dir.join("link"));
        fs::write(dir.join("file"), b"content").unwrap();
        std::os::unix::fs::symlink("file", dir.join("link")).unwrap();
        assert_eq!(errno(flags(libc::O_NOFOLLOW)), libc::ELOOP, "{on}");
        assert_eq!(errno(flags(libc::O_DIRECTORY)), libc::ENOTDIR, "{on}");
        assert!(flags(libc::O_PATH | libc::O_NOFOLLOW).unwrap().metadata().unwrap().is_symlink(), "{on}");
        let made = OpenOptions::new().write(true).create_new(true).open(dir.join("link"));
        assert_eq!(errno(made), libc::EEXIST, "{on}");
        let path = flags(libc::O_PATH).unwrap();
        assert_eq!(errno(path.read_at(&mut [0], 0)), libc::EBADF, "{on}");
        OpenOptions::new().write(true).truncate(true).open(dir.join("link")).unwrap();
        assert_eq!(fs::metadata(dir.join("file")).unwrap().len(), 0, "{on}");
        assert_eq!(errno(OpenOptions::new().write(true).open(dir)), libc::EISDIR, "{on}");
        let unnamed = rustix::fs::open(dir, OFlags::TMPFILE | OFlags::RDWR, Mode::RUSR | Mode::WUSR);
        // FUSE_TMPFILE is not among the messages that fuser passes on (docs/posix.md).
        assert_eq!(unnamed.is_ok(), on == "tmpfs", "{on}");
    });
}

#[test]
fn mapped_pages_are_the_files_bytes_both_ways() {
    everywhere("mmap", |on, dir| {
        let path = dir.join("mapped");
        fs::write(&path, vec![b'.'; 100_000]).unwrap();
        let file = open(&path);
        let script = "import mmap, sys\nf = open(sys.argv[1], 'r+b')\nm = mmap.mmap(f.fileno(), 0)\n\
            m[50000:50005] = b'hello'\nm.flush()\nf2 = open(sys.argv[1], 'r+b')\nf2.seek(70000)\nf2.write(b'there')\nf2.flush()\n\
            assert m[70000:70005] == b'there', m[70000:70005]\n";
        let done = std::process::Command::new("python3").args(["-c", script]).arg(&path).status().unwrap();
        assert!(done.success(), "{on}");
        let mut buf = [0; 5];
        file.read_exact_at(&mut buf, 50_000).unwrap();
        assert_eq!(&buf, b"hello", "{on}");
    });
}

/// Bytes that are written through a map of a file that is open to append, and after O_APPEND was taken off, go where they are written.
/// $1 is the file; with a second word nothing is taken off.
const APPENDED: &str = "import fcntl, mmap, os, sys\n\
    f = os.open(sys.argv[1], os.O_CREAT | os.O_RDWR | os.O_APPEND, 0o600)\n\
    os.write(f, b'.' * 3000)\n\
    m = mmap.mmap(f, 3000)\nm[10:16] = b'mapped'\nm.flush()\nm.close()\n\
    os.pwrite(f, b'end', 0)\n\
    if len(sys.argv) < 3:\n    \
        fcntl.fcntl(f, fcntl.F_SETFL, 0)\n    os.pwrite(f, b'start', 0)\n    fcntl.fcntl(f, fcntl.F_SETFL, os.O_APPEND)\n    os.pwrite(f, b'!', 0)\n\
    os.close(f)\n\
    print(open(sys.argv[1]).read().replace('.', ''), os.stat(sys.argv[1]).st_size)\n";

#[test]
fn a_map_of_a_file_that_is_open_to_append_is_written_in_its_place() {
    let run = |dir: &Path, word: &[&str]| {
        let path = dir.join("appended");
        let done = std::process::Command::new("python3").args(["-c", APPENDED]).arg(path).args(word).output();
        String::from_utf8(done.expect("python3").stdout).expect("UTF-8")
    };
    everywhere("mmap of files that are appended to", |on, dir| {
        // The kernel goes on with the flags of the opening where it passes a file through (docs/posix.md).
        let (word, shown): (&[_], _) = match on {
            "host" => (&["kept"], "mappedend 3003\n"),
            _ => (&[], "startmappedend! 3004\n"),
        };
        assert_eq!(run(dir, word), shown, "{on}");
    });
    if !has_fuse("mmap of files that are appended to on an import") {
        return;
    }
    let (server, mount) = (Server::start(&[]), tempfile::tempdir().expect("a mount point"));
    let _import = Import::of(&server, mount.path());
    assert_eq!(run(&mount.path().join("tmp"), &[]), "startmappedend! 3004\n", "import");
}

#[test]
fn ranges_are_copied_between_files() {
    everywhere("copy_file_range", |on, dir| {
        let (from, to) = (open(dir.join("from")), open(dir.join("to")));
        let bytes: Vec<u8> = (0..300_000u32).map(|n| (n / 7) as u8).collect();
        from.write_all_at(&bytes, 0).unwrap();
        let (mut at, mut into) = (1000, 5);
        while at < 200_000 {
            let left = 200_000 - at as usize;
            assert!(
                rustix::fs::copy_file_range(&from, Some(&mut at), &to, Some(&mut into), left).unwrap() > 0
            );
        }
        let copied = fs::read(dir.join("to")).unwrap();
        assert!(copied[..5] == [0; 5] && copied[5..] == bytes[1000..200_000], "{on}");
    });
}

#[test]
fn directories_count_their_links_and_listings_tell_kinds() {
    everywhere("directories", |on, dir| {
        let links = |path: &Path| fs::metadata(path).unwrap().nlink();
        assert_eq!(links(dir), 2, "{on}");
        for name in ["a", "b"] {
            fs::create_dir(dir.join(name)).unwrap();
        }
        fs::write(dir.join("file"), b"").unwrap();
        std::os::unix::fs::symlink("file", dir.join("link")).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, dir.join("fifo"), rustix::fs::FileType::Fifo, Mode::RUSR, 0)
            .unwrap();
        assert_eq!(links(dir), 4, "{on}");
        fs::rename(dir.join("a"), dir.join("b/a")).unwrap();
        assert_eq!((links(dir), links(&dir.join("b"))), (3, 3), "{on}");
        let kind = |name: &str| {
            let found =
                fs::read_dir(dir).unwrap().map(Result::unwrap).find(|entry| entry.file_name() == name);
            found.unwrap().file_type().unwrap()
        };
        use std::os::unix::fs::FileTypeExt;
        assert!(
            kind("b").is_dir()
                && kind("file").is_file()
                && kind("link").is_symlink()
                && kind("fifo").is_fifo()
        );
        for n in 0..1000 {
            fs::hard_link(dir.join("file"), dir.join(format!("name{n}"))).unwrap();
        }
        assert_eq!(links(&dir.join("file")), 1001, "{on}");
    });
}

#[test]
fn set_id_bits_go_with_their_owner_and_setgid_directories_pass_their_group_on() {
    everywhere("set-id bits", |on, dir| {
        if rustix::process::geteuid().as_raw() != 0 {
            return;
        }
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o7777;
        let path = dir.join("program");
        fs::write(&path, b"").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o6755)).unwrap();
        std::os::unix::fs::chown(&path, Some(65534), None).unwrap();
        assert_eq!(mode(&path), 0o755, "{on}");
        let group = dir.join("group");
        fs::create_dir(&group).unwrap();
        std::os::unix::fs::chown(&group, None, Some(60)).unwrap();
        fs::set_permissions(&group, fs::Permissions::from_mode(0o2775)).unwrap();
        fs::write(group.join("file"), b"").unwrap();
        fs::create_dir(group.join("dir")).unwrap();
        let gid = |name: &str| fs::metadata(group.join(name)).unwrap().gid();
        assert_eq!((gid("file"), gid("dir")), (60, 60), "{on}");
        assert_eq!(mode(&group.join("dir")) & 0o2000, 0o2000, "{on}");
    });
}

#[test]
fn statfs_and_access_answer_as_the_tree_does() {
    everywhere("statfs", |on, dir| {
        let fs = rustix::fs::statfs(dir).unwrap();
        assert!(
            fs.f_namelen == 255 && fs.f_bsize >= 512 && fs.f_blocks > 0 && fs.f_bfree <= fs.f_blocks,
            "{on}"
        );
        let path = dir.join("f");
        fs::write(&path, b"").unwrap();
        let access = |access| rustix::fs::accessat(rustix::fs::CWD, &path, access, AtFlags::empty());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        access(rustix::fs::Access::READ_OK | rustix::fs::Access::WRITE_OK).unwrap();
        assert_eq!(raw(access(rustix::fs::Access::EXEC_OK)), libc::EACCES, "{on}");
    });
}

#[test]
fn a_large_directory_that_changes_lists_what_stays_exactly_once() {
    large_directories(20_000);
}

#[test]
#[ignore = "soak: takes a minute"]
fn soak_a_directory_of_100_000_entries_that_changes_lists_what_stays_exactly_once() {
    large_directories(100_000);
}

/// Entries that are there throughout are listed exactly once, whatever comes and goes beside them.
fn large_directories(stay: usize) {
    everywhere("large directories", |on, dir| {
        let stays = |n: usize| dir.join(format!("stays{n}"));
        let first = stays(0);
        File::create(&first).unwrap();
        for n in 1..stay {
            fs::hard_link(&first, stays(n)).unwrap();
        }
        let stop = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            let churn = |from: usize| {
                let (stop, first, dir) = (&stop, &first, dir);
                move || {
                    let mut n = from;
                    while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                        let name: PathBuf = dir.join(format!("comes{}", n % 3000));
                        let _there_already = fs::hard_link(first, &name);
                        let _gone_already = fs::remove_file(dir.join(format!("comes{}", (n + 1500) % 3000)));
                        n += 7;
                    }
                }
            };
            scope.spawn(churn(0));
            scope.spawn(churn(1000));
            for _ in 0..3 {
                let mut seen = vec![0u8; stay];
                for entry in fs::read_dir(dir).unwrap() {
                    let name = entry.unwrap().file_name();
                    if let Some(n) = name.to_str().and_then(|name| name.strip_prefix("stays")) {
                        seen[n.parse::<usize>().unwrap()] += 1;
                    }
                }
                let wrong = seen.iter().filter(|count| **count != 1).count();
                assert_eq!(wrong, 0, "{on}: of {stay} entries");
            }
            stop.store(true, std::sync::atomic::Ordering::Relaxed);
        });
    });
}

#[test]
fn what_is_written_through_one_descriptor_is_read_through_another_at_once() {
    everywhere("coherence", |on, dir| {
        let path = dir.join("f");
        let (mut writer, reader) = (File::create(&path).unwrap(), File::open(&path).unwrap());
        let mut expected = Vec::new();
        for n in 0..200 {
            let line = format!("line {n}\n");
            writer.write_all(line.as_bytes()).unwrap();
            expected.extend_from_slice(line.as_bytes());
            let mut buf = vec![0; expected.len() + 1];
            let length = reader.read_at(&mut buf, 0).unwrap();
            assert!(buf[..length] == expected, "{on}: after {n} lines");
        }
    });
}
