//! Notices of what happens in a namespace: in memory at once, in a host directory as its kernel tells.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use vfs::*;

fn me() -> Caller {
    Caller::me()
}

fn memory() -> Place {
    Namespace::new(MemTree::new().root(), "mem").root()
}

fn host(dir: &Path) -> Place {
    Namespace::new(HostTree::open(dir).expect("a directory").root(), "host").root()
}

async fn at(root: &Place, path: &str) -> Place {
    root.resolve(&me(), path.as_bytes(), Follow::No).await.expect(path)
}

async fn mkdir(root: &Place, dir: &str, name: &str) {
    let dir = at(root, dir).await;
    dir.mkdir(&me(), Name::new(name.as_bytes()).expect("a name"), Mode::new(0o755)).await.expect(name);
}

async fn put(root: &Place, dir: &str, name: &str, text: &str) {
    let (dir, name) = (at(root, dir).await, Name::new(name.as_bytes()).expect("a name"));
    let flags = OpenFlags::WRITE | OpenFlags::TRUNCATE;
    let file = match dir.walk(&me(), name.as_bytes()).await {
        Ok(there) => there.open(&me(), flags).await.expect("a file"),
        Err(_) => dir.create(&me(), name, Mode::new(0o644), flags).await.expect("a file").file,
    };
    file.write(0, text.as_bytes()).await.expect("room");
}

async fn watch(root: &Place, path: &str, recursive: bool) -> Arc<Notices> {
    let room = WatchRoom::new(1000);
    Notices::open(at(root, path).await, &me(), recursive, &room).await.expect("it is watched")
}

/// The notices so far: `+name` came, went or was replaced, `~name` was changed.
fn taken(notices: &Notices) -> Vec<String> {
    let all = std::iter::from_fn(|| notices.take());
    let shown = all.map(|notice| {
        let sign = if notice.what == Happening::Renamed { '+' } else { '~' };
        format!("{sign}{}", String::from_utf8_lossy(&notice.path))
    });
    shown.collect()
}

/// Waits until `wanted` have come, in any number of steps.
async fn until(notices: &Notices, wanted: &[&str]) {
    let mut seen = Vec::new();
    while !wanted.iter().all(|one| seen.iter().any(|there| there == one)) {
        let waited = tokio::time::timeout(Duration::from_secs(20), notices.wait()).await;
        assert!(waited.is_ok(), "wanted {wanted:?}, came {seen:?}");
        seen.extend(taken(notices));
    }
}

#[tokio::test]
async fn a_directory_tells_of_its_entries_and_of_their_bytes_before_their_maker_hears_of_it() {
    let root = memory();
    mkdir(&root, "/", "d").await;
    put(&root, "/d", "old", "x").await;
    let notices = watch(&root, "/d", false).await;
    assert_eq!(taken(&notices), [""; 0]);
    put(&root, "/d", "new", "text").await;
    assert_eq!(taken(&notices), ["+new", "~new"]);
    put(&root, "/d", "old", "more").await;
    assert_eq!(taken(&notices), ["~old"]);
    let dir = at(&root, "/d").await;
    let (old, other) = (Name::new(b"old").expect("a name"), Name::new(b"other").expect("a name"));
    dir.rename(&me(), old, &dir, other, RenameFlags::empty()).await.expect("renamed");
    let said = taken(&notices);
    assert!(said.contains(&"+old".into()) && said.contains(&"+other".into()), "{said:?}");
    put(&root, "/d", "other", "again").await;
    assert_eq!(taken(&notices), ["~other"], "it is watched under its new name");
    dir.unlink(&me(), other).await.expect("unlinked");
    assert!(taken(&notices).contains(&"+other".into()));
    put(&root, "/", "elsewhere", "x").await;
    mkdir(&root, "/d", "sub").await;
    assert_eq!(taken(&notices), ["+sub"]);
    put(&root, "/d/sub", "deep", "x").await;
    assert_eq!(taken(&notices), [""; 0], "what is below is another's");
}

#[tokio::test]
async fn a_recursive_watch_follows_directories_that_come_and_go() {
    let root = memory();
    mkdir(&root, "/", "a").await;
    mkdir(&root, "/a", "b").await;
    let notices = watch(&root, "/a", true).await;
    put(&root, "/a/b", "f", "x").await;
    assert_eq!(taken(&notices), ["+b/f", "~b/f"]);
    mkdir(&root, "/a/b", "c").await;
    put(&root, "/a/b/c", "g", "x").await;
    assert_eq!(taken(&notices), ["+b/c", "+b/c/g", "~b/c/g"]);
    // A directory that comes with all that is in it.
    mkdir(&root, "/", "full").await;
    put(&root, "/full", "h", "x").await;
    let (from, to) = (at(&root, "/").await, at(&root, "/a").await);
    let full = Name::new(b"full").expect("a name");
    from.rename(&me(), full, &to, full, RenameFlags::empty()).await.expect("renamed");
    until(&notices, &["+full", "+full/h"]).await;
    to.rename(&me(), full, &from, full, RenameFlags::empty()).await.expect("renamed");
    assert!(taken(&notices).contains(&"+full".into()));
    put(&root, "/full", "h", "more").await;
    assert_eq!(taken(&notices), [""; 0], "it is not below any more");
}

#[tokio::test]
async fn a_file_tells_of_itself_and_a_flood_is_one_notice() {
    let root = memory();
    put(&root, "/", "f", "x").await;
    let notices = watch(&root, "/f", false).await;
    for n in 0..1000 {
        put(&root, "/", "f", &n.to_string()).await;
    }
    assert_eq!(taken(&notices), ["~"]);
    at(&root, "/").await.unlink(&me(), Name::new(b"f").expect("a name")).await.expect("unlinked");
    assert!(taken(&notices).contains(&"+".into()));
}

#[tokio::test]
async fn who_takes_nothing_is_told_that_more_happened_than_was_kept() {
    let root = memory();
    let room = WatchRoom::new(100_000);
    let notices = Notices::open(root.clone(), &me(), false, &room).await.expect("it is watched");
    for n in 0..10_000 {
        put(&root, "/", &n.to_string(), "").await;
    }
    let said = taken(&notices);
    assert!(said.len() <= 4096 && said.contains(&"+".into()), "{} notices", said.len());
}

#[tokio::test]
async fn watches_are_bounded_and_given_back() {
    let root = memory();
    for n in 0..10 {
        put(&root, "/", &n.to_string(), "").await;
    }
    let room = WatchRoom::new(15);
    let first = Notices::open(root.clone(), &me(), false, &room).await.expect("there is room");
    let error = Notices::open(root.clone(), &me(), false, &room).await.err().expect("there is none");
    assert!(error.is(Errno::ENOSPC), "{error}");
    drop(first);
    Notices::open(root, &me(), false, &room).await.expect("there is room again");
}

#[tokio::test]
async fn who_may_not_read_it_may_not_watch_it() {
    let root = memory();
    mkdir(&root, "/", "d").await;
    let none = SetStat { mode: Some(Mode::new(0o700)), ..SetStat::default() };
    at(&root, "/d").await.setstat(&me(), none).await.expect("its owner may");
    let (other, room) = (Caller::new(Uid(4711), Gid(4711)), WatchRoom::new(10));
    let error = Notices::open(at(&root, "/d").await, &other, false, &room).await.err().expect("refused");
    assert!(error.is(Errno::EACCES), "{error}");
}

#[tokio::test]
async fn what_is_bound_over_a_watched_directory_is_news() {
    let root = memory();
    mkdir(&root, "/", "d").await;
    let notices = watch(&root, "/", true).await;
    let other = MemTree::new().root();
    let place = at(&root, "/d").await;
    root.namespace().mount(other, "other", &place, BindFlags::empty()).expect("mounted");
    until(&notices, &["+d"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_directory_tells_of_changes_by_the_server_and_by_others() {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::create_dir(dir.path().join("sub")).expect("room");
    std::fs::write(dir.path().join("sub/old"), "x").expect("room");
    let root = host(dir.path());
    let notices = watch(&root, "/", true).await;
    put(&root, "/", "ours", "x").await;
    until(&notices, &["+ours", "~ours"]).await;
    std::fs::write(dir.path().join("theirs"), "x").expect("room");
    until(&notices, &["+theirs"]).await;
    std::fs::write(dir.path().join("sub/old"), "more").expect("room");
    until(&notices, &["~sub/old"]).await;
    std::fs::create_dir(dir.path().join("new")).expect("room");
    std::fs::write(dir.path().join("new/f"), "x").expect("room");
    until(&notices, &["+new", "+new/f"]).await;
    std::fs::rename(dir.path().join("sub/old"), dir.path().join("moved")).expect("room");
    until(&notices, &["+sub/old", "+moved"]).await;
    std::fs::remove_file(dir.path().join("moved")).expect("it is there");
    until(&notices, &["+moved"]).await;
}
