//! To and from GNU tar.

use crate::world::*;
use async_compression::tokio::bufread::{GzipEncoder, ZstdEncoder};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;
use tokio::io::AsyncReadExt;
use vfs::archive::{Bounds, Unpacked, pack, unpack};
use vfs::*;

pub fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

pub fn packed(w: &World) -> Vec<u8> {
    let mut bytes = Vec::new();
    wait(pack(&w.who, &w.root, &mut bytes)).unwrap();
    bytes
}

pub fn unpacked(w: &World, bytes: &[u8]) -> Result<Unpacked> {
    wait(unpack(&w.who, bytes, &w.root, Bounds::default()))
}

/// All that there is to see, a line a name: kind and mode, links, owner, time, size, target or content.
pub fn shown(w: &World) -> Vec<String> {
    let mut lines = Vec::new();
    let mut todo = vec![w.root.clone()];
    while let Some(dir) = todo.pop() {
        let mut names = Vec::new();
        let open = done(dir.open(&w.who, OpenFlags::READ)).unwrap();
        let mut sink = |entry: DirEntry<'_>| {
            names.push(entry.name.to_owned());
            true
        };
        done(open.readdir(0, &mut sink)).unwrap();
        for name in names {
            let place = done(dir.walk(&w.who, &name)).unwrap();
            let stat = done(place.stat(&w.who)).unwrap();
            let what = match place.kind() {
                Kind::Dir => {
                    todo.push(place.clone());
                    Vec::new()
                }
                Kind::Symlink => done(place.readlink()).unwrap().to_vec(),
                Kind::File => content(&done(place.open(&w.who, OpenFlags::READ)).unwrap()),
                _ => Vec::new(),
            };
            let tail = &what[what.len().saturating_sub(50)..];
            lines.push(format!(
                "{} {:o} {} {:?} {:?} {} {} {}",
                place.shown(),
                stat.st_mode(),
                stat.nlink,
                stat.uid,
                stat.gid,
                stat.mtime.secs,
                stat.size,
                tail.escape_ascii(),
            ));
        }
    }
    lines.sort();
    lines
}

/// Something of everything that an archive can have.
fn motley() -> World {
    let w = world();
    let long = "n".repeat(120);
    w.mkdir("d").unwrap();
    w.mkdir(&format!("d/{long}")).unwrap();
    w.mkdir(&format!("d/{long}/{long}")).unwrap();
    w.put(&format!("d/{long}/{long}/f"), b"deep");
    w.put("d/empty", b"");
    w.put("d/big", &(0..200_000u32).map(|n| (n % 251) as u8).collect::<Vec<_>>());
    w.put("d/block", &[7; 512]);
    w.link("d/big", "linked").unwrap();
    w.link("d/big", &format!("d/{long}/linked")).unwrap();
    w.symlink("d/l", "../linked").unwrap();
    w.symlink("far", &format!("d/{long}/{long}/f")).unwrap();
    w.put("name with spaces\nand a line", b"x");
    w.put("\u{e4}\u{1f600}", b"x");
    w.chmod("d/block", 0o4751);
    w.chmod("d", 0o1777);
    let who = &w.who;
    done(w.root.mknod(who, name("pipe"), Kind::Fifo, Mode::new(0o600), Device::default())).unwrap();
    let early = SetTime::To(Time { secs: -100, nanos: 0 });
    let owner = SetStat { uid: Some(Uid(3_000_000)), gid: Some(Gid(7)), ..SetStat::default() };
    w.set("d/block", SetStat { mtime: Some(SetTime::To(Time { secs: 1 << 20, nanos: 0 })), ..owner })
        .unwrap();
    w.set("d/empty", SetStat { mtime: Some(early), ..SetStat::default() }).unwrap();
    let value = b"a value\nof lines = two";
    let block = w.at("d/block").unwrap();
    done(block.setxattr(who, b"user.note", value, SetXattr::empty())).unwrap();
    w.set("d", SetStat { mtime: Some(SetTime::To(Time { secs: 77, nanos: 0 })), ..SetStat::default() })
        .unwrap();
    w
}

#[test]
fn what_is_packed_is_what_is_unpacked() {
    let (w, other) = (motley(), world());
    let bytes = packed(&w);
    assert_eq!(bytes.len() % 10240, 0);
    let brought = unpacked(&other, &bytes).unwrap();
    assert_eq!(shown(&other), shown(&w));
    assert_eq!(brought.bytes, 200_000 + 512 + 4 + 2);
    let block = other.at("d/block").unwrap();
    assert_eq!(&*done(block.getxattr(&other.who, b"user.note")).unwrap(), b"a value\nof lines = two");
    // The bytes of the archive are counted once.
    assert_eq!(other.tree.0.usage(), w.tree.0.usage());
    // And what came from an archive is as good as any other.
    done(other.open("linked", RW).unwrap().write(0, b"changed")).unwrap();
    assert_eq!(&other.bytes("d/big")[..7], b"changed");
    other.mv("d", "e").unwrap();
    other.unlink("e/l").unwrap();
    fails(other.rmdir("e"), Errno::ENOTEMPTY);
    other.truncate("linked", 3).unwrap();
    assert_eq!(other.bytes("e/big"), b"cha");
}

fn tar(args: &[&str], dir: &Path) -> Vec<u8> {
    let out = Command::new("tar").args(args).current_dir(dir).output().unwrap();
    assert!(out.status.success(), "tar {args:?}: {}", String::from_utf8_lossy(&out.stderr));
    out.stdout
}

#[test]
fn gnu_tar_takes_what_is_packed() {
    let w = motley();
    w.unlink("pipe").unwrap();
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a.tar"), packed(&w)).unwrap();
    std::fs::create_dir(dir.path().join("out")).unwrap();
    let out = tar(&["-xpf", "a.tar", "-C", "out", "--xattrs"], dir.path());
    assert!(out.is_empty());
    let out = dir.path().join("out");
    assert_eq!(std::fs::read(out.join("linked")).unwrap(), w.bytes("linked"));
    assert_eq!(std::fs::metadata(out.join("linked")).unwrap().nlink(), 3);
    let block = std::fs::metadata(out.join("d/block")).unwrap();
    assert_eq!((block.mtime(), block.permissions().mode() & 0o777), (1 << 20, 0o751));
    let long = "n".repeat(120);
    assert_eq!(std::fs::read(out.join("far")).unwrap(), b"deep");
    assert_eq!(std::fs::read_link(out.join("far")).unwrap(), Path::new(&format!("d/{long}/{long}/f")));
    assert_eq!(std::fs::read(out.join("name with spaces\nand a line")).unwrap(), b"x");
    assert_eq!(std::fs::metadata(out.join("d/empty")).unwrap().mtime(), -100);
    assert_eq!(std::fs::metadata(out.join("d")).unwrap().mtime(), 77);
}

#[test]
fn every_format_of_gnu_tar_is_taken() {
    let dir = tempfile::tempdir().unwrap();
    let src = dir.path().join("src");
    let long = "m".repeat(90);
    let deep = src.join(&long);
    std::fs::create_dir_all(deep.join("x")).unwrap();
    std::fs::write(deep.join("x/f"), vec![5; 70_000]).unwrap();
    std::fs::write(src.join("plain"), b"plain").unwrap();
    std::fs::hard_link(src.join("plain"), src.join("second")).unwrap();
    std::os::unix::fs::symlink(format!("{long}/x/f"), src.join("link")).unwrap();
    for (format, longer) in [("v7", 0), ("ustar", 0), ("oldgnu", 1), ("gnu", 1), ("pax", 1)] {
        let very = deep.join(format!("{}-{longer}", "z".repeat(150)));
        if longer == 1 {
            std::fs::write(&very, b"longer than ustar's names").unwrap();
        }
        let bytes = tar(&["-c", &format!("--format={format}"), "-f", "-", "."], &src);
        let w = world();
        unpacked(&w, &bytes).unwrap_or_else(|error| panic!("{format}: {error}"));
        assert_eq!(w.bytes(&format!("{long}/x/f")), [5; 70_000]);
        assert_eq!((w.stat("plain").nlink, w.bytes("second")), (2, b"plain".to_vec()));
        assert_eq!(w.stat("link").kind(), Kind::Symlink);
        assert_eq!(w.names(&long).len(), 1 + longer, "{format}");
    }
}

#[test]
fn gzip_and_zstd_are_undone() {
    let (w, mut gzip, mut zstd) = (motley(), Vec::new(), Vec::new());
    let bytes = packed(&w);
    wait(async {
        GzipEncoder::new(&bytes[..]).read_to_end(&mut gzip).await.unwrap();
        ZstdEncoder::new(&bytes[..]).read_to_end(&mut zstd).await.unwrap();
    });
    for squeezed in [&gzip, &zstd] {
        assert!(squeezed.len() < bytes.len() / 2);
        let other = world();
        unpacked(&other, squeezed).unwrap();
        assert_eq!(shown(&other), shown(&w));
        let cut = &squeezed[..squeezed.len() - 3];
        let empty = world();
        assert!(unpacked(&empty, cut).is_err());
        assert_eq!(empty.names("/"), Vec::<String>::new());
    }
    // Of several members or frames, one archive.
    let at = bytes.len() / 3;
    let mut two = Vec::new();
    wait(async {
        GzipEncoder::new(&bytes[..at]).read_to_end(&mut two).await.unwrap();
        GzipEncoder::new(&bytes[at..]).read_to_end(&mut two).await.unwrap();
    });
    let other = world();
    unpacked(&other, &two).unwrap();
    assert_eq!(shown(&other), shown(&w));
}

#[test]
fn an_archive_is_merged_with_what_is_there() {
    let (w, archive) = (world(), world());
    archive.mkdir("d").unwrap();
    archive.put("d/new", b"new");
    archive.put("d/old", b"from the archive");
    archive.mkdir("fresh").unwrap();
    archive.put("fresh/f", b"");
    w.mkdir("d").unwrap();
    w.put("d/kept", b"kept");
    let old = w.put("d/old", b"before");
    w.chmod("d", 0o700);
    let links = w.stat("/").nlink;
    unpacked(&w, &packed(&archive)).unwrap();
    assert_eq!(w.names("d"), ["kept", "new", "old"]);
    assert_eq!(w.bytes("d/old"), b"from the archive");
    assert_eq!(content(&old), b"before");
    assert_eq!(w.stat("d").mode, Mode::new(0o700));
    assert_eq!(w.stat("/").nlink, links + 1);
    drop(old);
    assert_eq!(w.tree.0.usage(), (3 * 4096, 1 + 2 + 4));
}

#[test]
fn what_others_unpack_belongs_to_them_and_goes_where_they_may_write() {
    let (w, archive) = (world(), world());
    archive.mkdir("d").unwrap();
    archive.put("d/f", b"");
    let bytes = packed(&archive);
    let user = w.seen_by(1000, 100);
    fails(unpacked(&user, &bytes), Errno::EACCES);
    w.chmod("/", 0o777);
    unpacked(&user, &bytes).unwrap();
    assert_eq!((w.stat("d").uid, w.stat("d/f").gid), (Uid(1000), Gid(100)));
    w.mkdir("e").unwrap();
    let (more, inside) = (world(), w.mkdir("e/d").unwrap());
    more.mkdir("e").unwrap();
    more.mkdir("e/d").unwrap();
    more.put("e/d/f", b"");
    fails(unpacked(&user, &packed(&more)), Errno::EACCES);
    assert_eq!(w.names("e/d"), Vec::<String>::new());
    drop(inside);
}

#[test]
fn who_looks_meanwhile_sees_nothing_of_an_archive_or_all() {
    let w = world();
    for dir in ["a", "b", "c"] {
        w.mkdir(dir).unwrap();
    }
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let looking = scope.spawn(|| {
            let mut seen = 0;
            loop {
                let last = stop.load(std::sync::atomic::Ordering::Relaxed);
                for (first, second) in [("a", "c"), ("c", "b"), ("b", "a")] {
                    let newest = w.names(first).len();
                    assert!(w.names(second).len() >= newest, "{second} lacks what {first} has");
                    seen = seen.max(newest);
                }
                if last {
                    return seen;
                }
            }
        });
        for round in 0..100 {
            let archive = world();
            for dir in ["a", "b", "c"] {
                archive.mkdir(dir).unwrap();
                archive.put(&format!("{dir}/{round}"), b"");
            }
            unpacked(&w, &packed(&archive)).unwrap();
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        assert_eq!(looking.join().unwrap(), 100);
    });
}

/// Lets its caller write below /home only.
#[derive(Debug)]
struct HomeOnly;

impl Guard for HomeOnly {
    fn allow(&self, path: &[u8], want: Access) -> Result<()> {
        if path.starts_with(b"/home") || path == b"/" || !want.contains(Access::WRITE) {
            return Ok(());
        }
        Err(Error::new(Errno::EACCES, "not below /home"))
    }
}

#[test]
fn capabilities_hold_for_each_entry() {
    let (archive, bound) = (world(), world());
    archive.mkdir("home").unwrap();
    archive.put("home/f", b"");
    let guard: std::sync::Arc<dyn Guard> = std::sync::Arc::new(HomeOnly);
    let bound = World { who: Caller { guard: Some(guard), ..bound.who }, ..bound };
    unpacked(&bound, &packed(&archive)).unwrap();
    archive.put("\u{e4}", b"");
    let error = unpacked(&bound, &packed(&archive)).unwrap_err();
    assert_eq!(error.text(), "\u{e4}: not below /home");
}

#[test]
fn later_entries_take_the_place_of_earlier_ones() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    std::fs::write(at.join("f"), b"first").unwrap();
    tar(&["-cf", "a.tar", "f"], at);
    std::fs::write(at.join("f"), b"second").unwrap();
    tar(&["-rf", "a.tar", "f"], at);
    let w = world();
    unpacked(&w, &std::fs::read(at.join("a.tar")).unwrap()).unwrap();
    assert_eq!(w.bytes("f"), b"second");
    assert_eq!(w.tree.0.usage(), (4096, 2));
}
