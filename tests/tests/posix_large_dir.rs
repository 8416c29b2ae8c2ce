//! A directory of 100 000 entries, listed by 9P clients while others come and go in it: what stays is listed exactly once, in
//! every dialect, with small messages and large ones, and by the kernel's own client.

use nine::client::{Client, Fid};
use nine::wire::{Dialect, Mode, Msize, OpenFlags, Uid, UnlinkFlags};
use std::collections::HashSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use tests::Server;
use tests::kernel::Kernel;
use tokio::task::JoinSet;

const STAY: usize = 100_000;

/// A server with two such directories: /tmp/large of its memory and /host/large below `host`.
async fn server(host: &Path) -> Server {
    let bind = format!("{}:/host", host.display());
    let server = Server::start(&["--listen", "tcp://127.0.0.1:0", "--bind", &bind]);
    let large = host.join("large");
    std::fs::create_dir(&large).expect("a directory");
    let first = large.join("stays0");
    std::fs::write(&first, b"").expect("a file");
    for n in 1..STAY {
        std::fs::hard_link(&first, large.join(format!("stays{n}"))).expect("a name more");
    }
    let root = root(&server, Dialect::P9P2000L, 1 << 20).await;
    root.walk(["tmp"]).await.expect("/tmp").mkdir(b"large", Mode(0o755)).await.expect("a directory");
    let (dir, file) = (large_dir(&root, "tmp").await, first_file(&root, "tmp").await);
    let (dir, file) = (std::sync::Arc::new(dir), std::sync::Arc::new(file));
    let mut linking = JoinSet::new();
    for part in 0..8 {
        let (dir, file) = (dir.clone(), file.clone());
        linking.spawn(async move {
            for n in (1..STAY).filter(|n| n % 8 == part) {
                dir.link(&file, format!("stays{n}").as_bytes()).await.expect("a name more");
            }
        });
    }
    linking.join_all().await;
    server
}

async fn root(server: &Server, dialect: Dialect, msize: u32) -> Fid {
    let stream = tokio::net::UnixStream::connect(server.path("sock")).await.expect("it listens");
    let client = Client::connect(stream, dialect, Msize(msize)).await.expect("it speaks the dialect");
    client.attach(b"", Some(Uid(rustix::process::geteuid().as_raw())), b"/").await.expect("a root")
}

async fn large_dir(root: &Fid, tree: &str) -> Fid {
    root.walk([tree, "large"]).await.expect("the directory")
}

/// Made where it is not there yet.
async fn first_file(root: &Fid, tree: &str) -> Fid {
    if let Ok(file) = root.walk([tree, "large", "stays0"]).await {
        return file;
    }
    let mut made = large_dir(root, tree).await;
    made.create(b"stays0", OpenFlags::RDWR, Mode(0o644)).await.expect("a file");
    root.walk([tree, "large", "stays0"]).await.expect("just made")
}

/// Names come and go until `stop`.
async fn churn(server: &Server, tree: &str, from: usize, stop: &AtomicBool, changes: &AtomicU32) {
    let root = root(server, Dialect::P9P2000L, 1 << 16).await;
    let (dir, file) = (large_dir(&root, tree).await, first_file(&root, tree).await);
    let mut n = from;
    while !stop.load(Ordering::Relaxed) {
        let _there_already = dir.link(&file, format!("comes{}", n % 3000).as_bytes()).await;
        let gone = format!("comes{}", (n + 1500) % 3000);
        let _gone_already = dir.unlink_at(gone.as_bytes(), UnlinkFlags::empty()).await;
        changes.fetch_add(1, Ordering::Relaxed);
        n += 7;
    }
}

async fn listed_once(server: &Server, tree: &str, dialect: Dialect, msize: u32) {
    let what = format!("/{tree} over {dialect} with messages of {msize}");
    let mut dir = large_dir(&root(server, dialect, msize).await, tree).await;
    dir.open(OpenFlags::empty()).await.expect("it opens");
    let entries = dir.ls().await.unwrap_or_else(|error| panic!("{what}: {error}"));
    let mut seen = HashSet::with_capacity(STAY);
    for entry in &entries {
        if entry.name.starts_with(b"stays") {
            assert!(seen.insert(&entry.name), "{what}: {} twice", entry.name.escape_ascii());
        }
    }
    assert_eq!(seen.len(), STAY, "{what}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_stays_in_a_large_directory_that_changes_is_listed_exactly_once() {
    let host = tempfile::tempdir_in("/dev/shm").expect("tmpfs");
    let server = server(host.path()).await;
    for tree in ["tmp", "host"] {
        let (stop, changes) = (AtomicBool::new(false), AtomicU32::new(0));
        let listing = async {
            for dialect in [Dialect::P9P2000L, Dialect::P9P2000U] {
                for msize in [8 << 10, 1 << 20] {
                    listed_once(&server, tree, dialect, msize).await;
                }
            }
            stop.store(true, Ordering::Relaxed);
        };
        let one = churn(&server, tree, 0, &stop, &changes);
        let two = churn(&server, tree, 1000, &stop, &changes);
        tokio::join!(one, two, listing);
        assert!(changes.load(Ordering::Relaxed) > 10, "nothing changed meanwhile");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "soak: takes a minute where the kernel is emulated"]
async fn soak_the_kernels_client_lists_what_stays_in_a_large_directory_exactly_once() {
    let Some(kernel) = Kernel::boot_with("base", "large directories over v9fs", &["--memory", "768"]) else {
        return;
    };
    let host = tempfile::tempdir_in("/dev/shm").expect("tmpfs");
    let server = server(host.path()).await;
    for dialect in ["9p2000.L", "9p2000.u"] {
        kernel.mount("/mnt/t", server.port(), &format!("version={dialect},cache=none,msize=131072"));
        for tree in ["tmp", "host"] {
            let script = "cd $M; (while [ ! -e /tmp/stop ]; do : > comes1; : > comes2; rm comes1; : > comes3; rm comes2 comes3; done) &
                for i in 1 2; do ls -f | grep '^stays' | sort > /tmp/list; wc -l < /tmp/list; uniq -d /tmp/list | wc -l; done
                touch /tmp/stop; wait; rm /tmp/stop /tmp/list";
            let said = kernel.bash(script, &[("M", &format!("/mnt/t/{tree}/large"))], 0, 400);
            assert_eq!(said.0, format!("{STAY}\n0\n").repeat(2), "{dialect}, /{tree}: {}", said.1);
        }
        kernel.exec("umount /mnt/t", 60);
    }
}
