//! Large reads, which are answered with parts of the file itself.

use super::rig;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use vfs::{Caller, Follow, OpenFlags};

/// Whose reads are all asked of the server, each as it is.
fn direct(path: &Path) -> File {
    OpenOptions::new().read(true).custom_flags(libc::O_DIRECT).open(path).unwrap()
}

#[test]
fn reads_of_any_size_give_what_is_there_holes_and_the_end_included() {
    let Some(rig) = rig() else { return };
    let path = rig.path("f");
    let mut content: Vec<u8> = (0..1_500_000u32).map(|n| (n * 7 + n / 251) as u8).collect();
    fs::write(&path, &content).unwrap();
    let hole = 2_000_000;
    content.resize(hole, 0);
    content.extend((0..100_001u32).map(|n| (n * 3) as u8));
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    file.write_all_at(&content[hole..], hole as u64).unwrap();
    content.resize(content.len() + 70_000, 0);
    file.set_len(content.len() as u64).unwrap();

    let sizes = [1, 4096, (32 << 10) - 1, 32 << 10, (64 << 10) + 1, 128 << 10, 1 << 20, 3 << 20];
    let starts = [
        0,
        1,
        65_535,
        65_536,
        1_000_000,
        1_499_999,
        1_999_999,
        hole + 50_000,
        content.len() - 1,
        content.len(),
    ];
    for file in [direct(&path), File::open(&path).unwrap()] {
        for size in sizes {
            let mut read = vec![1; size];
            for start in starts {
                let there = &content[start..content.len().min(start + size)];
                let mut filled = 0;
                while let n @ 1.. = file.read_at(&mut read[filled..], (start + filled) as u64).unwrap() {
                    filled += n;
                }
                assert!(&read[..filled] == there, "{size} bytes at {start}: {filled}");
            }
        }
    }
}

#[test]
fn a_large_read_is_of_one_moment_whoever_writes_meanwhile() {
    const LENGTH: usize = 512 << 10;
    let Some(rig) = rig() else { return };
    let path = rig.path("f");
    fs::write(&path, vec![0; LENGTH]).unwrap();
    let me = Caller::me();
    let place = rig.ns.root().resolve(&me, b"/f", Follow::No).now().unwrap().unwrap();
    let inside = place.open(&me, OpenFlags::WRITE).now().unwrap().unwrap();
    let (file, over) = (direct(&path), AtomicBool::new(false));
    std::thread::scope(|threads| {
        threads.spawn(|| {
            for byte in (1..=255).cycle() {
                inside.write(0, &[byte; LENGTH]).now().unwrap().unwrap();
                if over.load(Ordering::Relaxed) {
                    break;
                }
            }
        });
        let mut read = vec![0; LENGTH];
        for _ in 0..300 {
            file.read_exact_at(&mut read, 0).unwrap();
            if read.iter().any(|byte| *byte != read[0]) {
                over.store(true, Ordering::Relaxed);
                panic!("of two moments");
            }
        }
        over.store(true, Ordering::Relaxed);
    });
}
