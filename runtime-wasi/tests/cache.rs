//! The cache of compiled programs: what is found again, what is not trusted, what is forgotten.

mod host;

use host::{Host, With, wat};
use runtime_wasi::Config;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use task::{Exit, Runtime};
use vfs::Errno;

fn program(n: u32) -> String {
    wat(&format!(r#"(func (export "_start") (call $proc_exit (i32.const {n})))"#))
}

fn host(dir: &Path, cache_bytes: u64) -> Host {
    Host::with(Config { cache_dir: Some(dir.to_owned()), cache_bytes, ..Config::default() })
}

/// A value of the cache's text.
fn value(host: &Host, key: &str) -> u64 {
    let text = host.runtime.cache();
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("{key} ")));
    line.unwrap_or_else(|| panic!("no {key} in {text}")).parse().expect("a number")
}

fn compiled_files(dir: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(dir).expect("a directory").flatten().map(|entry| entry.path());
    files.filter(|path| path.extension().is_some_and(|e| e == "cwasm")).collect()
}

#[tokio::test]
async fn a_program_is_compiled_once_for_all_servers_with_the_same_cache() {
    let dir = tempfile::tempdir().expect("a directory");
    let cache = dir.path().join("a/cache");
    let first = host(&cache, 1 << 30);
    assert_eq!(first.run(&program(1), With::default()).await.0.code, 1);
    assert_eq!(first.run(&program(1), With::default()).await.0.code, 1);
    assert_eq!((value(&first, "compiled"), value(&first, "hits")), (1, 1));
    let second = host(&cache, 1 << 30);
    assert_eq!(second.run(&program(1), With::default()).await.0.code, 1);
    assert_eq!((value(&second, "compiled"), value(&second, "diskhits")), (0, 1));
    assert_eq!(fs::metadata(&cache).expect("there").permissions().mode() & 0o777, 0o700);
    assert_eq!(fs::metadata(cache.join("key")).expect("there").permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn a_warm_start_does_not_read_the_program_and_a_changed_program_is_seen() {
    let host = Host::new();
    let text = program(1);
    host.start("main.wat", text.as_bytes(), With::default()).await.expect("started").end().await;
    let place = host.place("/main.wat").await.expect("there");
    let atime = place.stat(&host.who).await.expect("a stat").atime;
    let again = host.start_again("main.wat", With::default()).await.expect("started");
    assert_eq!(again.end().await.code, 1);
    assert_eq!(value(&host, "hits"), 1);
    assert_eq!(place.stat(&host.who).await.expect("a stat").atime, atime);
    let changed = host.start("main.wat", program(2).as_bytes(), With::default()).await.expect("started");
    assert_eq!(changed.end().await.code, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_is_started_twice_at_once_is_compiled_once() {
    let host = Host::new();
    host.put("/main.wat", program(3).as_bytes()).await;
    let starts = (0..8).map(|_| host.start_again("main.wat", With::default()));
    for task in futures_util::future::join_all(starts).await {
        assert_eq!(task.expect("started").end().await.code, 3);
    }
    assert_eq!(value(&host, "compiled"), 1);
}

#[tokio::test]
async fn what_was_changed_on_disk_is_compiled_again_and_never_loaded() {
    let dir = tempfile::tempdir().expect("a directory");
    let cache = dir.path().join("cache");
    let first = host(&cache, 1 << 30);
    first.run(&program(4), With::default()).await;
    first.run(&program(5), With::default()).await;
    let files = compiled_files(&cache);
    let (one, two) = (fs::read(&files[0]).expect("read"), fs::read(&files[1]).expect("read"));
    let mut flipped = one.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    // Corrupt; cut; of another program; of no program; open to others.
    let damages: [(&str, Vec<u8>, u32); 5] = [
        ("a flipped bit", flipped, 0o600),
        ("cut", one[..one.len() / 2].to_vec(), 0o600),
        ("another's", two, 0o600),
        ("short", b"x".to_vec(), 0o600),
        ("writable by others", one.clone(), 0o666),
    ];
    for (what, bytes, mode) in damages {
        fs::write(&files[0], &bytes).expect("written");
        fs::set_permissions(&files[0], fs::Permissions::from_mode(mode)).expect("set");
        let next = host(&cache, 1 << 30);
        assert_eq!(next.run(&program(4), With::default()).await.0.code, 4, "{what}");
        assert_eq!(next.run(&program(5), With::default()).await.0.code, 5, "{what}");
        assert_eq!((value(&next, "compiled"), value(&next, "refused")), (1, 1), "{what}");
        assert_eq!(fs::read(&files[0]).expect("read").len(), one.len(), "{what}: it is stored anew");
    }
}

#[tokio::test]
async fn a_link_in_the_cache_is_not_followed() {
    let dir = tempfile::tempdir().expect("a directory");
    let cache = dir.path().join("cache");
    host(&cache, 1 << 30).run(&program(6), With::default()).await;
    let file = compiled_files(&cache).remove(0);
    let moved = dir.path().join("moved");
    fs::rename(&file, &moved).expect("moved");
    std::os::unix::fs::symlink(&moved, &file).expect("linked");
    let next = host(&cache, 1 << 30);
    assert_eq!(next.run(&program(6), With::default()).await.0.code, 6);
    assert_eq!(value(&next, "compiled"), 1);
}

#[tokio::test]
async fn the_cache_on_disk_forgets_what_was_not_used_for_longest() {
    let dir = tempfile::tempdir().expect("a directory");
    let cache = dir.path().join("cache");
    host(&cache, 1 << 30).run(&program(10), With::default()).await;
    let one = fs::metadata(&compiled_files(&cache)[0]).expect("there").len();
    let small = host(&cache, one * 3 + one / 2);
    for n in 11..16 {
        small.run(&program(n), With::default()).await;
    }
    assert_eq!(compiled_files(&cache).len(), 3);
    let next = host(&cache, 1 << 30);
    next.run(&program(15), With::default()).await;
    assert_eq!((value(&next, "compiled"), value(&next, "diskhits")), (0, 1), "the last is there");
    next.run(&program(10), With::default()).await;
    assert_eq!(value(&next, "compiled"), 1, "the first is gone");
}

#[tokio::test]
async fn the_cache_in_memory_is_bounded() {
    let host = Host::with(Config { memory_cache_bytes: 1, ..Config::default() });
    for n in 0..4 {
        assert_eq!(host.run(&program(n), With::default()).await.0.code, n as i32);
    }
    assert_eq!(value(&host, "programs"), 1);
    assert_eq!(host.run(&program(3), With::default()).await.0, Exit::with_code(3));
}

#[tokio::test]
async fn a_cache_directory_that_others_can_use_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("set");
    let config = Config { cache_dir: Some(dir.path().to_owned()), ..Config::default() };
    let Err(error) = runtime_wasi::WasiRuntime::new(config) else { panic!("accepted") };
    assert_eq!(error.errno(), Errno::EACCES);
    assert!(error.text().contains("open to others (mode 755, not 700)"), "{error}");
}
