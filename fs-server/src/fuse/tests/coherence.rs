//! What one mount believes while others change it: each kind of change, made through a second mount of the same namespace,
//! by another way to the same file, or behind the kernel's back, is seen at once.

use super::super::{Mount, Options, mount};
use super::{Rig, rig, rig_with};
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::Path;
use vfs::{BindFlags, Caller, Follow};

const ROUNDS: usize = 25;

/// The same namespace, mounted once more.
fn second(rig: &Rig) -> (Mount, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let mount = mount(rig.ns.clone(), dir.path(), &Options::default(), rig.runtime.handle().clone());
    (mount.expect("mounts"), dir)
}

/// Makes `here` believe everything that can be believed of what is in its directory `d`.
fn believe(here: &Path) {
    for entry in fs::read_dir(here.join("d")).unwrap() {
        let entry = entry.unwrap();
        let found = fs::symlink_metadata(entry.path()).unwrap();
        if found.is_file() {
            fs::read(entry.path()).unwrap();
        }
    }
    fs::metadata(here.join("d")).unwrap();
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Each kind of change is made `there` and looked at `here`.
fn every_kind_of_change(here: &Path, there: &Path) {
    fs::create_dir(there.join("d")).unwrap();
    for round in 0..ROUNDS {
        let (f, g) = (here.join("d/f"), here.join("d/g"));
        let (there_f, there_g) = (there.join("d/f"), there.join("d/g"));

        fs::write(&there_f, format!("first {round}")).unwrap();
        assert_eq!(fs::read_to_string(&f).unwrap(), format!("first {round}"), "made");
        believe(here);
        // The same size, within one tick of the clock.
        fs::write(&there_f, format!("other {round}")).unwrap();
        assert_eq!(fs::read_to_string(&f).unwrap(), format!("other {round}"), "written anew");

        let mut open = File::open(&f).unwrap();
        let mut text = String::new();
        open.read_to_string(&mut text).unwrap();
        File::options().write(true).open(&there_f).unwrap().write_all_at(b"OTHER", 0).unwrap();
        open.seek(SeekFrom::Start(0)).unwrap();
        text.clear();
        open.read_to_string(&mut text).unwrap();
        assert_eq!(text, format!("OTHER {round}"), "overwritten under an open file");

        OpenOptions::new().append(true).open(&there_f).unwrap().write_all(b" and on").unwrap();
        assert_eq!(fs::metadata(&f).unwrap().len(), format!("OTHER {round} and on").len() as u64, "appended");
        text.clear();
        open.read_to_string(&mut text).unwrap();
        assert_eq!(text, " and on", "read on behind the end");

        OpenOptions::new().write(true).open(&there_f).unwrap().set_len(3).unwrap();
        assert_eq!(fs::metadata(&f).unwrap().len(), 3, "cut");
        assert_eq!(fs::read(&f).unwrap(), b"OTH", "cut");

        let mode = 0o600 + (round as u32 % 64);
        fs::set_permissions(&there_f, fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(fs::metadata(&f).unwrap().mode() & 0o777, mode, "chmod");

        fs::hard_link(&there_f, &there_g).unwrap();
        assert_eq!(fs::metadata(&f).unwrap().nlink(), 2, "linked");
        assert_eq!(fs::metadata(&g).unwrap().ino(), fs::metadata(&f).unwrap().ino());
        fs::remove_file(&there_g).unwrap();
        assert!(!g.exists(), "unlinked");
        assert_eq!(fs::metadata(&f).unwrap().nlink(), 1, "unlinked");

        fs::write(&there_g, "replaced").unwrap();
        believe(here);
        fs::rename(&there_f, &there_g).unwrap();
        assert!(!f.exists(), "renamed");
        assert_eq!(fs::read(&g).unwrap(), b"OTH", "renamed over another");
        assert_eq!(names(&here.join("d")), ["g"]);

        fs::create_dir(there.join("d/sub")).unwrap();
        fs::write(there.join("d/sub/deep"), "deep").unwrap();
        assert_eq!(fs::metadata(here.join("d")).unwrap().nlink(), 3, "a directory made");
        assert_eq!(fs::read(here.join("d/sub/deep")).unwrap(), b"deep");
        fs::rename(there.join("d/sub"), there.join("moved")).unwrap();
        assert!(!here.join("d/sub/deep").exists(), "moved away");
        assert_eq!(fs::read(here.join("moved/deep")).unwrap(), b"deep", "and there it is");
        fs::remove_dir_all(there.join("moved")).unwrap();
        assert!(!here.join("moved").exists(), "removed");

        std::os::unix::fs::symlink("g", there.join("d/link")).unwrap();
        assert_eq!(fs::read(here.join("d/link")).unwrap(), b"OTH", "a link");
        fs::remove_file(there.join("d/link")).unwrap();
        std::os::unix::fs::symlink("nowhere", there.join("d/link")).unwrap();
        assert_eq!(fs::read_link(here.join("d/link")).unwrap(), Path::new("nowhere"), "another link");
        for name in ["d/link", "d/g"] {
            fs::remove_file(there.join(name)).unwrap();
        }
        assert!(names(&here.join("d")).is_empty());
    }
}

#[test]
fn what_one_mount_changes_the_other_sees_at_once() {
    let Some(rig) = rig() else { return };
    let (_mount, other) = second(&rig);
    every_kind_of_change(rig.dir.path(), other.path());
}

#[test]
fn what_is_changed_by_another_way_to_it_is_seen_at_once() {
    let Some(rig) = rig() else { return };
    // One kernel, which takes the two for different files.
    every_kind_of_change(rig.dir.path(), &rig.path("dev/root"));
}

#[test]
fn what_is_seen_by_another_way_to_it_is_as_it_was_changed() {
    let Some(rig) = rig() else { return };
    every_kind_of_change(&rig.path("dev/root"), rig.dir.path());
}

#[test]
fn what_is_bound_elsewhere_is_seen_there_as_it_is_changed_here() {
    let Some(rig) = rig() else { return };
    let me = Caller::me();
    for dir in ["src", "dst"] {
        fs::create_dir(rig.path(dir)).unwrap();
    }
    let at = |path: &str| rig.ns.root().resolve(&me, path.as_bytes(), Follow::Yes).now().unwrap().unwrap();
    rig.ns.bind(&at("/src"), &at("/dst"), BindFlags::empty()).unwrap();
    rig.heard();
    every_kind_of_change(&rig.path("dst"), &rig.path("src"));
}

#[test]
fn a_union_shows_what_its_members_have_now() {
    let Some(rig) = rig() else { return };
    let me = Caller::me();
    for dir in ["front", "back"] {
        fs::create_dir(rig.path(dir)).unwrap();
    }
    let at = |path: &str| rig.ns.root().resolve(&me, path.as_bytes(), Follow::Yes).now().unwrap().unwrap();
    rig.ns.bind(&at("/back"), &at("/front"), BindFlags::AFTER).unwrap();
    rig.heard();
    // Through another mount, so that the members are changed by another kernel.
    let (_mount, other) = second(&rig);
    let name = rig.path("front/x");
    for _ in 0..ROUNDS {
        fs::write(other.path().join("back/x"), "back").unwrap();
        assert_eq!(fs::read(&name).unwrap(), b"back");
        rig.inside("/front/x", b"both");
        assert_eq!(fs::read(&name).unwrap(), b"both", "the first that has it");
        fs::remove_file(other.path().join("back/x")).unwrap();
        assert!(!name.exists(), "the only one that had it has it no more");
    }
}

#[test]
fn what_is_bound_over_is_hidden_at_once_and_back_when_it_is_unmounted() {
    let Some(rig) = rig() else { return };
    let me = Caller::me();
    for dir in ["a", "b"] {
        fs::create_dir(rig.path(dir)).unwrap();
        fs::write(rig.path(dir).join("f"), dir).unwrap();
    }
    let at = |path: &str| rig.ns.root().resolve(&me, path.as_bytes(), Follow::Yes).now().unwrap().unwrap();
    for _ in 0..ROUNDS {
        assert_eq!(fs::read(rig.path("b/f")).unwrap(), b"b");
        rig.ns.bind(&at("/a"), &at("/b"), BindFlags::empty()).unwrap();
        rig.heard();
        assert_eq!(fs::read(rig.path("b/f")).unwrap(), b"a");
        rig.ns.unmount(None, &at("/b")).unwrap();
        rig.heard();
    }
}

/// Many at once, in both mounts and behind them: nobody waits for ever, and what is there in the end is what both show.
#[test]
fn two_mounts_that_are_changed_at_the_same_time_agree_in_the_end() {
    let Some(rig) = rig() else { return };
    let (_mount, other) = second(&rig);
    fs::create_dir(rig.path("d")).unwrap();
    let (stop, done) = (std::sync::atomic::AtomicBool::new(false), std::sync::atomic::AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let (stop, done) = (&stop, &done);
        for worker in 0..6 {
            let dir = if worker % 2 == 0 { rig.path("d") } else { other.path().join("d") };
            scope.spawn(move || {
                for n in 0..400 {
                    let (a, b) = (dir.join(format!("{}", n % 7)), dir.join(format!("{}", (n + worker) % 7)));
                    // Each may lose to another: only the end counts.
                    let _ = fs::write(&a, format!("{worker} {n}"));
                    let _ = fs::rename(&a, &b);
                    let _ = fs::read(&b);
                    let _ = fs::metadata(&a);
                    if n % 3 == 0 {
                        let _ = fs::remove_file(&b);
                    }
                }
                done.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            });
        }
        let rig = &rig;
        scope.spawn(move || {
            let mut n = 0;
            while !stop.load(std::sync::atomic::Ordering::SeqCst) {
                rig.inside(&format!("/d/{}", n % 7), b"inside");
                n += 1;
                if done.load(std::sync::atomic::Ordering::SeqCst) == 6 {
                    stop.store(true, std::sync::atomic::Ordering::SeqCst);
                }
            }
        });
    });
    let show = |dir: &Path| {
        let all = names(dir).into_iter();
        all.map(|name| (name.clone(), fs::read_to_string(dir.join(&name)).unwrap())).collect::<Vec<_>>()
    };
    assert_eq!(show(&rig.path("d")), show(&other.path().join("d")));
}

/// The nodes of synthetic trees are made anew at each walk, and are the same files all the same.
#[test]
fn looking_at_a_synthetic_file_again_and_again_is_nothing_to_be_told_of() {
    let Some(rig) = rig() else { return };
    for _ in 0..100 {
        fs::metadata(rig.path("dev/log")).unwrap();
        fs::metadata(rig.path("dev/root/dev/ctl")).unwrap();
    }
    let mount = rig.mount.as_ref().unwrap();
    assert_eq!(mount.notices.gate.ever_queued(), 0);
}

#[test]
fn a_directory_that_nobody_changes_is_listed_once_and_so_are_the_lists_of_its_files() {
    let options = Options::default();
    let Some(rig) = rig_with(&options) else { return };
    fs::create_dir(rig.path("d")).unwrap();
    for number in 0..500 {
        File::create(rig.path(&format!("d/{number}"))).unwrap();
    }
    let look = || {
        let all = fs::read_dir(rig.path("d")).unwrap();
        let all: Vec<_> = all.map(|entry| entry.unwrap().path()).collect();
        for path in &all {
            fs::symlink_metadata(path).unwrap();
            let list = rustix::fs::lgetxattr(path, "system.posix_acl_access", &mut [0; 8]);
            assert_eq!(list, Err(rustix::io::Errno::NODATA));
        }
        all.len()
    };
    let asked = || {
        let asked = options.counts.requests().filter(|(name, _)| *name != "opendir" && *name != "releasedir");
        asked.map(|(_, count)| count).sum::<u64>()
    };
    // The first makes the list; what the directory's time is by then, the second asks.
    assert_eq!((look(), look()), (500, 500));
    let before = asked();
    assert_eq!(look(), 500);
    assert_eq!(asked(), before, "it was all known");
    // Its own kernel's changes, a guest's, and those of what lies behind.
    File::create(rig.path("d/here")).unwrap();
    assert_eq!(look(), 501);
    rig.inside("/d/there", b"");
    assert_eq!(look(), 502);
    rig.inside("/d/there", b"more");
    fs::remove_file(rig.path("d/here")).unwrap();
    assert_eq!(look(), 501);
}

/// Changes come while the kernel is making its list: the one that it keeps has them.
#[test]
fn a_list_that_is_being_made_while_it_changes_is_not_kept_as_it_was() {
    let Some(rig) = rig() else { return };
    let (_mount, other) = second(&rig);
    fs::create_dir(rig.path("d")).unwrap();
    for number in 0..300 {
        File::create(rig.path(&format!("d/{number}"))).unwrap();
    }
    let over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !over.load(std::sync::atomic::Ordering::Relaxed) {
                    fs::read_dir(rig.path("d")).unwrap().count();
                }
            });
        }
        /// However it ends, those who list are told.
        struct Over<'b>(&'b std::sync::atomic::AtomicBool);
        impl Drop for Over<'_> {
            fn drop(&mut self) {
                self.0.store(true, std::sync::atomic::Ordering::Relaxed);
            }
        }
        let _over = Over(&over);
        for round in 0..ROUNDS * 20 {
            let name = format!("d/new-{round}");
            fs::write(other.path().join(&name), "").unwrap();
            let all = names(&rig.path("d"));
            assert!(all.len() == 301 && all.contains(&name[2..].to_owned()), "round {round}: {}", all.len());
            fs::remove_file(other.path().join(&name)).unwrap();
            assert_eq!(names(&rig.path("d")).len(), 300, "round {round}");
        }
    });
}
