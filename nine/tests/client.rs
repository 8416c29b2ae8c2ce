//! The client against the session, in all three dialects, over a pipe in memory.

mod memory;

use std::sync::Arc;
use std::time::Duration;

use memory::Memory;
use nine::client::{Client, ClientError, Fid};
use nine::server::{Config, serve};
use nine::wire::{
    AttrMask, Dialect, LockFlags, LockKind, LockStatus, LockedRange, Mode, Msize, OpenFlags, SetAttrFields,
    SetAttrMask, Uid, UnlinkFlags, XattrFlags,
};
use tokio::time::timeout;

async fn connect(memory: &Arc<Memory>, dialect: Dialect, msize: u32) -> Client {
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    tokio::spawn(serve(memory.clone(), Arc::new(42), theirs, Config::default()));
    Client::connect(ours, dialect, Msize(msize)).await.expect("the server speaks it")
}

async fn root(memory: &Arc<Memory>, dialect: Dialect) -> Fid {
    let client = connect(memory, dialect, 65536).await;
    client.attach(b"glenda", Some(Uid(1000)), b"/").await.expect("there is a root")
}

/// Until background work (a clunk, a flush) has reached the server.
async fn until(what: impl Fn() -> bool) {
    let done = async {
        while !what() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(Duration::from_secs(5), done).await.expect("it happens in time");
}

#[tokio::test]
async fn attach_tells_the_server_who_in_every_dialect() {
    let memory = Memory::new();
    for dialect in Dialect::ALL {
        root(&memory, dialect).await;
    }
    let attached = memory.attached.lock().clone();
    assert_eq!(
        attached,
        ["glenda None / 9P2000 42", "glenda Some(1000) / 9P2000.u 42", "glenda Some(1000) / 9P2000.L 42"]
    );
    let client = connect(&memory, Dialect::P9P2000L, 65536).await;
    let refused = client.attach(b"glenda", None, b"nowhere").await.expect_err("no such tree");
    assert_eq!(refused.errno(), Some(2));
}

#[tokio::test]
async fn files_are_read_whole_in_every_dialect() {
    for dialect in Dialect::ALL {
        let root = root(&Memory::new(), dialect).await;
        assert_eq!(root.read_file(["d", "e", "leaf"]).await.expect("readable"), b"leaf\n");
        assert_eq!(root.read_file(["big"]).await.expect("readable").len(), 200_000);
        assert_eq!(root.read_file(["slow"]).await.expect("readable"), b"slowly\n");
        assert_eq!(root.read_at_once(["hello"], 100).await.expect("readable"), "hello, world\n");
        let missing = root.read_at_once(["d", "nothing"], 100).await.expect_err("not there");
        assert_eq!(missing.to_string(), "file does not exist");
    }
}

#[tokio::test]
async fn large_reads_are_sent_from_where_the_file_has_its_data_between_other_replies() {
    for dialect in Dialect::ALL {
        let memory = Memory::new();
        let client = connect(&memory, dialect, 1 << 20).await;
        let root = client.attach(b"glenda", Some(Uid(1000)), b"/").await.expect("there is a root");
        let mut file = root.walk(["big"]).await.expect("there");
        file.open(OpenFlags::RDWR).await.expect("open");
        let data: Vec<u8> = (0..900_001u32).map(|i| (i % 251) as u8).collect();
        file.write_all(0, &data).await.expect("written");
        let (whole, small, tail, beyond) = tokio::join!(
            file.read(0, 1_000_000),
            root.read_file(["d", "e", "leaf"]),
            file.read(600_000, 500_000),
            file.read(900_001, 500_000),
        );
        assert!(whole.expect("read")[..] == data[..], "{dialect:?}");
        assert_eq!(small.expect("read"), b"leaf\n");
        assert!(tail.expect("read")[..] == data[600_000..], "{dialect:?}");
        assert!(beyond.expect("read").is_empty(), "the end");
    }
}

#[tokio::test]
async fn directories_are_listed_whole_in_every_dialect_even_through_small_frames() {
    let memory = Memory::new();
    for dialect in Dialect::ALL {
        let client = connect(&memory, dialect, 256).await;
        let root = client.attach(b"", None, b"").await.expect("there is a root");
        let names: Vec<_> = root.ls().await.expect("listable").into_iter().map(|item| item.name).collect();
        let expected: [&[u8]; 7] = [b"big", b"d", b"hello", b"link", b"pipe", b"slow", b"stuck"];
        assert_eq!(names, expected, "{dialect}");
    }
}

#[tokio::test]
async fn files_are_made_written_renamed_and_removed_in_every_dialect() {
    for dialect in Dialect::ALL {
        let memory = Memory::new();
        let root = root(&memory, dialect).await;
        root.mkdir(b"new", Mode(0o750)).await.expect("a directory");
        let mut file = root.walk(["new"]).await.expect("is there");
        file.create(b"f", OpenFlags::RDWR, Mode(0o640)).await.expect("a file");
        let content: Vec<u8> = (0..150_000u32).map(|i| (i / 7) as u8).collect();
        file.write_all(0, &content).await.expect("writable");
        assert_eq!(file.read_to_end().await.expect("readable"), content);
        file.clunk().await.expect("closable");
        let dir = root.walk(["new"]).await.expect("is there");
        dir.rename_at(b"f", &dir, b"g").await.expect("renamable");
        let file = dir.walk(["g"]).await.expect("is there");
        let attr = file.getattr(AttrMask::ALL).await.expect("has attributes");
        assert_eq!((attr.size, attr.mode, attr.uid), (150_000, Mode(0o100_640), Uid(7)), "{dialect}");
        let valid = SetAttrMask::SIZE | SetAttrMask::MODE;
        let change = SetAttrFields { valid, size: 3, mode: Mode(0o600), ..SetAttrFields::default() };
        file.setattr(change).await.expect("changeable");
        let attr = file.getattr(AttrMask::ALL).await.expect("has attributes");
        assert_eq!((attr.size, attr.mode), (3, Mode(0o100_600)), "{dialect}");
        file.fsync().await.unwrap_or_else(|error| assert_eq!(error.errno(), Some(9), "it is not open"));
        dir.unlink_at(b"g", UnlinkFlags::empty()).await.expect("removable");
        assert!(dir.ls().await.expect("listable").is_empty());
        dir.remove().await.expect("removable");
        assert!(root.walk(["new"]).await.is_err());
        drop(root);
        until(|| memory.alive() == 0).await;
    }
}

#[tokio::test]
async fn a_wstat_that_cannot_be_done_as_a_whole_changes_nothing() {
    let memory = Memory::new();
    let root = root(&memory, Dialect::P9P2000U).await;
    let file = root.walk(["hello"]).await.expect("is there");
    // The owner cannot be changed, so neither is the length.
    let valid = SetAttrMask::SIZE | SetAttrMask::UID;
    let refused = file.setattr(SetAttrFields { valid, uid: Uid(0), ..Default::default() }).await;
    assert_eq!(refused.expect_err("refused").errno(), Some(1));
    assert_eq!(root.read_file(["hello"]).await.expect("readable"), b"hello, world\n");
}

#[tokio::test]
async fn links_locks_xattrs_and_statfs_work_where_the_dialect_has_them() {
    let root = root(&Memory::new(), Dialect::P9P2000L).await;
    root.symlink(b"s", b"some/where").await.expect("a link");
    assert_eq!(root.walk(["s"]).await.expect("there").readlink().await.expect("a target"), b"some/where");
    let mut hello = root.walk(["hello"]).await.expect("there");
    root.link(&hello, b"again").await.expect("a hard link");
    assert_eq!(root.read_file(["again"]).await.expect("readable"), b"hello, world\n");
    hello.set_xattr(b"user.a", b"value", XattrFlags::empty()).await.expect("set");
    assert_eq!(hello.xattr(b"user.a").await.expect("get"), b"value");
    assert_eq!(hello.xattr(b"").await.expect("list"), b"user.a\0");
    hello.set_xattr(b"user.a", b"", XattrFlags::REPLACE).await.expect("removed");
    assert_eq!(hello.xattr(b"user.a").await.expect_err("gone").errno(), Some(61));
    assert_eq!(hello.statfs().await.expect("statfs").namelen, 255);
    hello.open(OpenFlags::RDWR).await.expect("opens");
    let range = LockedRange { start: 5, length: 0, proc_id: 1, client_id: b"here" };
    let status = hello.lock(LockKind::READ, LockFlags::empty(), range).await.expect("lockable");
    assert_eq!(status, LockStatus::SUCCESS);
    let held = hello.getlock(LockKind::READ, range).await.expect("asks").expect("the server says so");
    assert_eq!(
        (held.kind, held.start, held.proc_id, &held.client_id[..]),
        (LockKind::READ, 5, 1, &b"here"[..])
    );
}

#[tokio::test]
async fn the_unix_dialect_shows_where_links_lead_and_the_plain_one_has_no_links() {
    let memory = Memory::new();
    let link = root(&memory, Dialect::P9P2000U).await.walk(["link"]).await.expect("there");
    assert_eq!(link.readlink().await.expect("a target"), b"hello");
    let link = root(&memory, Dialect::P9P2000).await.walk(["link"]).await.expect("there");
    assert!(matches!(link.readlink().await, Err(ClientError::NotInDialect(_))));
}

#[tokio::test]
async fn many_requests_are_in_flight_from_clones_of_one_handle() {
    let memory = Memory::new();
    let root = Arc::new(root(&memory, Dialect::P9P2000L).await);
    let readers = (0..200).map(|i| {
        let root = root.clone();
        tokio::spawn(async move {
            let name = if i % 2 == 0 { "slow" } else { "big" };
            root.read_file([name]).await.expect("readable").len()
        })
    });
    let readers: Vec<_> = readers.collect();
    for (i, reader) in readers.into_iter().enumerate() {
        assert_eq!(reader.await.expect("no panic"), if i % 2 == 0 { 7 } else { 200_000 });
    }
}

#[tokio::test]
async fn dropping_a_request_flushes_it_and_the_connection_goes_on() {
    let memory = Memory::new();
    let root = root(&memory, Dialect::P9P2000L).await;
    let mut pipe = root.walk(["pipe"]).await.expect("there");
    pipe.open(OpenFlags::empty()).await.expect("opens");
    for _ in 0..50 {
        let read = pipe.read(0, 10);
        assert!(timeout(Duration::from_millis(2), read).await.is_err(), "it blocks");
    }
    until(|| memory.pending() == 0).await;
    memory.feed(b"late");
    assert_eq!(pipe.read(0, 10).await.expect("readable"), "late");
}

#[tokio::test]
async fn a_walk_that_is_dropped_leaves_no_fid_behind() {
    let memory = Memory::new();
    let client = connect(&memory, Dialect::P9P2000L, 65536).await;
    let root = client.attach(b"", None, b"").await.expect("there is a root");
    for _ in 0..100 {
        let walk = root.walk(["later", "e"]);
        tokio::select! { biased; _ = walk => {}, () = tokio::task::yield_now() => {} }
    }
    // Fids are the lowest free numbers again once all is flushed or clunked: a new one would be in use otherwise.
    for _ in 0..100 {
        root.walk(["d"]).await.expect("a fid that the server takes");
    }
}

#[tokio::test]
async fn dropping_a_fid_clunks_it_and_dropping_everything_ends_the_connection() {
    let memory = Memory::new();
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let served = tokio::spawn(serve(memory.clone(), Arc::new(1), theirs, Config::default()));
    let client = Client::connect(ours, Dialect::P9P2000L, Msize(8192)).await.expect("connects");
    let root = client.attach(b"", None, b"").await.expect("there is a root");
    let mut hello = root.walk(["hello"]).await.expect("there");
    hello.open(OpenFlags::empty()).await.expect("opens");
    assert_eq!(memory.alive(), 1);
    drop(hello);
    until(|| memory.alive() == 0).await;
    drop((root, client));
    let ended = timeout(Duration::from_secs(5), served).await.expect("in time").expect("no panic");
    ended.expect("closing is no error");
}

#[tokio::test]
async fn a_server_that_goes_away_fails_what_is_in_flight_and_what_comes_later() {
    let memory = Memory::new();
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let served = tokio::spawn(serve(memory.clone(), Arc::new(1), theirs, Config::default()));
    let client = Client::connect(ours, Dialect::P9P2000L, Msize(8192)).await.expect("connects");
    let root = client.attach(b"", None, b"").await.expect("there is a root");
    let mut stuck = root.walk(["stuck"]).await.expect("there");
    stuck.open(OpenFlags::empty()).await.expect("opens");
    let read = tokio::spawn(async move { stuck.read(0, 1).await });
    until(|| memory.pending() == 1).await;
    served.abort();
    let failed = timeout(Duration::from_secs(5), read).await.expect("in time").expect("no panic");
    assert!(failed.is_err());
    assert!(root.walk(["hello"]).await.is_err());
    assert_eq!((memory.pending(), memory.alive()), (0, 0));
}

/// How often a runtime of one thread has slept that asked a server on another for `times` words, and was told what came.
fn sleeps_of_who_looks(times: usize) -> usize {
    use std::sync::atomic::{AtomicUsize, Ordering};
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().expect("sockets");
    for socket in [&ours, &theirs] {
        socket.set_nonblocking(true).expect("a socket");
    }
    let server = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let server = server.expect("a runtime");
    server.spawn(async move {
        let theirs = tokio::net::UnixStream::from_std(theirs).expect("a socket");
        serve(Memory::new(), Arc::new(42), theirs, Config::default()).await
    });
    let slept = Arc::new(AtomicUsize::new(0));
    let count = slept.clone();
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.on_thread_park(move || {
        count.fetch_add(1, Ordering::Relaxed);
    });
    let arrivals = Arc::new(nine::patience::Arrivals::default());
    runtime.enable_all().build().expect("a runtime").block_on(async {
        let asked = async {
            let ours = tokio::net::UnixStream::from_std(ours).expect("a socket");
            let client = Client::connect(ours, Dialect::P9P2000L, Msize(65536)).await.expect("it is spoken");
            client.tell_arrivals(arrivals.clone());
            let root = client.attach(b"glenda", Some(Uid(1000)), b"/").await.expect("there is a root");
            slept.store(0, Ordering::Relaxed);
            for _ in 0..times {
                root.getattr(AttrMask::BASIC).await.expect("it has attributes");
            }
        };
        tokio::select! {
            () = asked => {}
            () = arrivals.look_for_more() => unreachable!("it never ends"),
        }
    });
    slept.load(Ordering::Relaxed)
}

#[test]
fn who_is_told_of_what_comes_to_a_client_looks_for_the_next_answer() {
    // Where there is one processor, nobody looks; where it is taken away meanwhile, looking is given up for a while.
    if std::thread::available_parallelism().is_ok_and(|processors| processors.get() > 1) {
        assert!((0..200).any(|_| sleeps_of_who_looks(200) < 100));
    }
}
