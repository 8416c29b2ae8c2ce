//! An imported tree against a 9P session over a pipe in memory: what another server has is used like any tree, a read that
//! blocks there blocks here and can be given up, and a server that goes away is an error that names it.

mod import_support;

use import_support::{Teller, World, known};
use nine::server::Config;
use nine::wire::Dialect;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::timeout;
use vfs::lock::{Lock, LockKind, LockOwner, LockSort};
use vfs::{
    BindFlags, Device, DirEntry, Errno, FileRef, Kind, MemTree, Mode, Nature, OpenFlags, Place, RenameFlags,
    SetStat, SetTime, SetXattr, Time,
};

const BOTH: OpenFlags = OpenFlags::READ.union(OpenFlags::WRITE);
const PATIENCE: Duration = Duration::from_secs(5);

async fn until(what: impl Fn() -> bool) {
    let done = async {
        while !what() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(PATIENCE, done).await.expect("it happens in time");
}

/// At most `most` entries behind a cookie: names, identities and cookies.
async fn list(file: &FileRef, cookie: u64, most: usize) -> Vec<(String, u64, u64)> {
    let mut entries = Vec::new();
    let mut sink = |entry: DirEntry<'_>| {
        if entries.len() == most {
            return false;
        }
        entries.push((entry.name.to_string(), entry.qid.path, entry.cookie));
        true
    };
    file.readdir(cookie, &mut sink).await.expect("listed");
    entries
}

/// The memory tree with a synthetic file bound over /tell.
async fn with_teller() -> (World, Arc<Teller>) {
    let teller = Teller::new();
    let world = World::new().await;
    let root = world.export.root();
    let who = &world.who;
    root.mknod(who, known("tell"), Kind::File, Mode::new(0o666), Device::default()).await.expect("made");
    let tell = root.walk(who, b"tell").await.expect("there");
    root.namespace().mount(teller.clone(), "#teller", &tell, BindFlags::empty()).expect("bound");
    (world, teller)
}

#[tokio::test]
async fn a_file_is_made_written_read_and_described() {
    let w = World::new().await;
    let content: Vec<u8> = (0..100_000u32).map(|i| (i * 7) as u8).collect();
    let place = w.make("f", &content).await;
    assert_eq!(w.read("f").await, content, "longer than a message both ways");
    let stat = place.stat(&w.who).await.unwrap();
    assert_eq!((stat.kind(), stat.size, stat.mode.bits(), stat.nlink), (Kind::File, 100_000, 0o644, 1));
    assert_eq!(place.nature(), Nature::Storage);
    let file = place.open(&w.who, OpenFlags::READ).await.unwrap();
    let mut buf = [0; 10];
    assert_eq!(file.read(99_995, &mut buf).await.unwrap(), 5);
    assert_eq!(buf[..5], content[99_995..]);
    assert_eq!(file.read(100_000, &mut buf).await.unwrap(), 0);
    assert!(file.write(0, b"x").await.unwrap_err().is(Errno::EBADF));
}

#[tokio::test]
async fn an_empty_file_of_storage_is_storage_and_a_new_one_wherever_it_is_made() {
    let w = World::new().await;
    let place = w.make("empty", b"").await;
    assert_eq!(place.stat(&w.who).await.unwrap().size, 0);
    assert_eq!(place.nature(), Nature::Storage);
    w.export.counts_no_versions.store(true, Ordering::SeqCst);
    let place = w.make("new", &[7; 100_000]).await;
    assert_eq!((place.nature(), w.read("new").await.len()), (Nature::Storage, 100_000));
}

#[tokio::test]
async fn appending_goes_to_the_end_and_tells_where_that_is() {
    let w = World::new().await;
    let place = w.make("log", b"one ").await;
    let file = place.open(&w.who, OpenFlags::WRITE | OpenFlags::APPEND).await.unwrap();
    assert_eq!(file.append(b"two ").await.unwrap(), (4, 8));
    assert_eq!(file.append(b"three").await.unwrap(), (5, 13));
    let plain = place.open(&w.who, OpenFlags::WRITE).await.unwrap();
    assert_eq!(plain.append(b"!").await.unwrap(), (1, 14));
    assert_eq!(w.read("log").await, b"one two three!");
}

#[tokio::test]
async fn truncation_comes_with_the_open_the_file_or_the_name() {
    let w = World::new().await;
    let place = w.make("f", b"content").await;
    let file = place.open(&w.who, BOTH).await.unwrap();
    file.set_size(3).await.unwrap();
    assert_eq!(w.read("f").await, b"con");
    place.setstat(&w.who, SetStat { size: Some(1), ..SetStat::default() }).await.unwrap();
    assert_eq!(w.read("f").await, b"c");
    place.open(&w.who, OpenFlags::WRITE | OpenFlags::TRUNCATE).await.unwrap();
    assert_eq!(w.read("f").await, b"");
    let reader = place.open(&w.who, OpenFlags::READ).await.unwrap();
    assert!(reader.set_size(0).await.unwrap_err().is(Errno::EINVAL));
    file.fsync(false).await.unwrap();
    file.fsync(true).await.unwrap();
}

#[tokio::test]
async fn attributes_are_set_all_of_them() {
    let w = World::new().await;
    let place = w.make("f", b"x").await;
    let when = Time { secs: -1_000, nanos: 42 };
    let set = SetStat {
        mode: Some(Mode::new(0o4751)),
        uid: Some(vfs::Uid(12)),
        gid: Some(vfs::Gid(34)),
        atime: Some(SetTime::Now),
        mtime: Some(SetTime::To(when)),
        ..SetStat::default()
    };
    place.setstat(&w.who, set).await.unwrap();
    let stat = place.stat(&w.who).await.unwrap();
    assert_eq!((stat.mode.bits(), stat.uid.0, stat.gid.0, stat.mtime), (0o4751, 12, 34, when));
    assert!(stat.atime.secs > 1_600_000_000);
    place.setstat(&w.who, SetStat::default()).await.unwrap();
}

#[tokio::test]
async fn directories_links_and_devices_are_made_and_removed() {
    let w = World::new().await;
    let (root, who) = (w.root(), &w.who);
    let dir = root.mkdir(who, known("d"), Mode::new(0o750)).await.unwrap();
    assert_eq!((dir.kind(), dir.stat(who).await.unwrap().mode.bits()), (Kind::Dir, 0o750));
    let link = dir.symlink(who, known("l"), b"../f").await.unwrap();
    assert_eq!((link.kind(), &link.readlink().await.unwrap()[..]), (Kind::Symlink, &b"../f"[..]));
    assert!(dir.readlink().await.unwrap_err().is(Errno::EINVAL));
    let numbers = Device { major: 1, minor: 3 };
    let null = dir.mknod(who, known("null"), Kind::CharDevice, Mode::new(0o666), numbers).await.unwrap();
    assert_eq!((null.kind(), null.stat(who).await.unwrap().rdev), (Kind::CharDevice, numbers));
    let fifo = dir.mknod(who, known("p"), Kind::Fifo, Mode::new(0o666), Device::default()).await.unwrap();
    assert_eq!((fifo.kind(), fifo.nature()), (Kind::Fifo, Nature::Stream));
    assert!(root.rmdir(who, known("d")).await.unwrap_err().is(Errno::ENOTEMPTY));
    assert!(root.unlink(who, known("d")).await.unwrap_err().is(Errno::EISDIR));
    for name in ["l", "null", "p"] {
        dir.unlink(who, known(name)).await.unwrap();
    }
    root.rmdir(who, known("d")).await.unwrap();
    assert!(w.at("d").await.unwrap_err().is(Errno::ENOENT));
    assert_eq!(root.statfs().await.unwrap().kind, 0x6573_5546, "the server's file system, not ours");
}

#[tokio::test]
async fn renames_move_within_the_tree_and_refuse_what_9p_cannot_say() {
    let w = World::new().await;
    let (root, who) = (w.root(), &w.who);
    w.make("a", b"content").await;
    let dir = root.mkdir(who, known("d"), Mode::new(0o755)).await.unwrap();
    root.rename(who, known("a"), &dir, known("b"), RenameFlags::empty()).await.unwrap();
    assert_eq!(w.read("d/b").await, b"content");
    assert!(w.at("a").await.unwrap_err().is(Errno::ENOENT));
    let refused = dir.rename(who, known("b"), &root, known("a"), RenameFlags::NOREPLACE).await;
    assert!(refused.unwrap_err().is(Errno::EINVAL));
    let elsewhere = vfs::Namespace::new(MemTree::new().root(), "#m").root();
    let refused = dir.rename(who, known("b"), &elsewhere, known("a"), RenameFlags::empty()).await;
    assert!(refused.unwrap_err().is(Errno::EXDEV));
}

#[tokio::test]
async fn one_file_has_one_identity_by_whatever_name_and_walk() {
    let w = World::new().await;
    let (root, who) = (w.root(), &w.who);
    let made = w.make("one", b"x").await;
    root.link(who, &made, known("two")).await.unwrap();
    w.make("other", b"x").await;
    let (one, again, two) =
        (w.at("one").await.unwrap(), w.at("one").await.unwrap(), w.at("two").await.unwrap());
    let identity = made.node().qid().path;
    assert_eq!([&one, &again, &two].map(|p| p.node().qid().path), [identity; 3]);
    assert_eq!(two.stat(who).await.unwrap().nlink, 2);
    assert_ne!(w.at("other").await.unwrap().node().qid().path, identity);
    let dir = root.open(who, OpenFlags::READ | OpenFlags::DIRECTORY).await.unwrap();
    let listed: Vec<_> =
        list(&dir, 0, 10).await.into_iter().filter(|(_, path, _)| *path == identity).collect();
    assert_eq!(listed.len(), 2, "a listing says so too: {listed:?}");
    drop((made, one, again, two));
    assert_eq!(w.at("one").await.unwrap().node().qid().path, identity, "also when nobody holds it any more");
}

#[tokio::test]
async fn a_large_directory_is_listed_whole_a_few_at_a_time_and_from_any_cookie() {
    let w = World::new().await;
    let (root, who) = (w.root(), &w.who);
    let there = w.export.root();
    for n in 0..3000 {
        let name = format!("file-number-{n}");
        there.mknod(who, known(&name), Kind::File, Mode::new(0o644), Device::default()).await.unwrap();
    }
    let dir = root.open(who, OpenFlags::READ | OpenFlags::DIRECTORY).await.unwrap();
    let whole = list(&dir, 0, usize::MAX).await;
    let names: HashSet<_> = whole.iter().map(|(name, ..)| name.clone()).collect();
    assert_eq!((whole.len(), names.len()), (3000, 3000), "and neither . nor ..");
    let asked = w.export.listings.load(Ordering::SeqCst);
    let (mut cookie, mut pieces) = (0, Vec::new());
    loop {
        let piece = list(&dir, cookie, 7).await;
        let Some((_, _, last)) = piece.last() else { break };
        cookie = *last;
        pieces.extend(piece);
    }
    assert_eq!(pieces, whole);
    let asked = w.export.listings.load(Ordering::SeqCst) - asked;
    assert!(asked < 20, "{asked} requests: entries that came along are not asked for again");
    for at in [0, 1, 1499, 2998] {
        assert_eq!(list(&dir, whole[at].2, 3).await, whole[at + 1..whole.len().min(at + 4)]);
    }
    assert!(list(&dir, whole[2999].2, 3).await.is_empty());
    let new = known("new");
    there.mknod(who, new, Kind::File, Mode::new(0o644), Device::default()).await.unwrap();
    assert!(
        list(&dir, 0, usize::MAX).await.iter().any(|(name, ..)| name == "new"),
        "from the start it is new"
    );
}

#[tokio::test]
async fn a_directory_is_no_file_and_a_file_no_directory() {
    let w = World::new().await;
    let place = w.make("f", b"x").await;
    let file = place.open(&w.who, OpenFlags::READ).await.unwrap();
    let dir = w.root().open(&w.who, OpenFlags::READ).await.unwrap();
    assert!(dir.read(0, &mut [0; 8]).await.unwrap_err().is(Errno::EISDIR));
    assert!(file.readdir(0, &mut |_| true).await.unwrap_err().is(Errno::ENOTDIR));
    assert!(w.at("f/g").await.unwrap_err().is(Errno::ENOTDIR));
    let again = w.root().mkdir(&w.who, known("f"), Mode::new(0o755)).await;
    let error = again.unwrap_err();
    assert_eq!((error.errno(), error.text()), (Errno::EEXIST, "file already exists"));
}

#[tokio::test]
async fn extended_attributes_go_over() {
    let w = World::new().await;
    let (place, who) = (w.make("f", b"x").await, &w.who);
    place.setxattr(who, b"user.a", b"value", SetXattr::CREATE).await.unwrap();
    place.setxattr(who, b"user.empty", b"", SetXattr::empty()).await.unwrap();
    assert_eq!(place.getxattr(who, b"user.a").await.unwrap()[..], b"value"[..]);
    assert_eq!(place.getxattr(who, b"user.empty").await.unwrap()[..], b""[..]);
    let mut names = place.listxattr(who).await.unwrap();
    names.sort();
    assert_eq!(names, [Box::from(&b"user.a"[..]), Box::from(&b"user.empty"[..])]);
    let again = place.setxattr(who, b"user.a", b"other", SetXattr::CREATE).await;
    assert!(again.unwrap_err().is(Errno::EEXIST));
    place.removexattr(who, b"user.a").await.unwrap();
    assert!(place.getxattr(who, b"user.a").await.unwrap_err().is(Errno::ENODATA));
    assert!(place.removexattr(who, b"user.a").await.unwrap_err().is(Errno::ENODATA));
}

fn owner(n: u64) -> LockOwner {
    LockOwner { client: 1, owner: n, sort: LockSort::Record, pid: 1000 + n as u32 }
}

fn lock(kind: LockKind, start: u64, end: u64) -> Lock {
    Lock { kind, start, end }
}

#[tokio::test]
async fn locks_are_the_servers_and_can_be_waited_for() {
    let w = World::new().await;
    let place = w.make("f", b"x").await;
    let one = place.open(&w.who, BOTH).await.unwrap();
    let two = place.open(&w.who, BOTH).await.unwrap();
    let all = lock(LockKind::Write, 0, u64::MAX);
    one.lock(owner(1), lock(LockKind::Write, 5, 10), false).await.unwrap();
    assert!(two.lock(owner(2), all, false).await.unwrap_err().is(Errno::EAGAIN));
    let (holder, held) = two.getlock(owner(2), all).await.unwrap().expect("somebody is in the way");
    assert_eq!((holder.pid, held), (1001, lock(LockKind::Write, 5, 10)));
    // Another process of the same owner is the same owner.
    assert_eq!(one.getlock(LockOwner { pid: 0, ..owner(1) }, all).await.unwrap(), None, "it is his own");
    one.lock(LockOwner { pid: 7, ..owner(1) }, lock(LockKind::Read, 5, 10), false).await.unwrap();
    let waiter = two.clone();
    let waiting = tokio::spawn(async move { waiter.lock(owner(2), all, true).await });
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(!waiting.is_finished());
    one.release(LockOwner { pid: 8, ..owner(1) });
    timeout(PATIENCE, waiting).await.expect("in time").unwrap().unwrap();
    // Who gives up waiting does not get it later.
    let given_up = one.lock(owner(1), all, true);
    assert!(timeout(Duration::from_millis(20), given_up).await.is_err());
    two.lock(owner(2), lock(LockKind::Unlock, 0, u64::MAX), false).await.unwrap();
    two.lock(owner(3), all, false).await.unwrap();
    assert!(one.getlock(owner(1), all).await.unwrap().is_some());
    two.release(owner(3));
    let free = async { while one.getlock(owner(1), all).await.unwrap().is_some() {} };
    timeout(PATIENCE, free).await.expect("it is given up");
}

#[tokio::test]
async fn a_read_that_blocks_over_there_waits_and_can_be_given_up() {
    let (w, teller) = with_teller().await;
    let place = w.at("tell").await.unwrap();
    assert_eq!((place.nature(), place.node().qid().version), (Nature::Stream, 0));
    let file = place.open(&w.who, BOTH).await.unwrap();
    let reader = file.clone();
    let read = tokio::spawn(async move {
        let mut buf = [0; 64];
        let len = reader.read(0, &mut buf).await.unwrap();
        buf[..len].to_vec()
    });
    until(|| teller.waiting.load(Ordering::SeqCst) == 1).await;
    assert_eq!(file.write(0, b"meanwhile\n").await.unwrap(), 10, "writing does not wait for it");
    teller.say(b"hello\n");
    assert_eq!(timeout(PATIENCE, read).await.expect("in time").unwrap(), b"hello\n");
    let mut buf = [0; 64];
    assert!(timeout(Duration::from_millis(20), file.read(0, &mut buf)).await.is_err());
    until(|| teller.waiting.load(Ordering::SeqCst) == 0).await;
    teller.say(b"again\n");
    assert_eq!(file.read(0, &mut buf).await.unwrap(), 6, "nothing of what was given up is lost");
}

#[tokio::test]
async fn a_write_to_a_synthetic_file_is_one_write_there() {
    let (w, teller) = with_teller().await;
    let flags = OpenFlags::WRITE | OpenFlags::TRUNCATE;
    let file = w.at("tell").await.unwrap().open(&w.who, flags).await.unwrap();
    file.write(0, b"start\n").await.unwrap();
    file.write(6, b"").await.unwrap();
    assert_eq!(*teller.heard.lock(), [b"start\n".to_vec(), b"".to_vec()]);
    let taken = file.write(0, &[b'x'; 100_000]).await.unwrap();
    assert!(0 < taken && taken < 100_000, "what does not fit one message is the writer's to say again");
    assert_eq!(teller.heard.lock().len(), 3);
}

#[tokio::test]
async fn a_file_opened_with_remove_on_close_goes_with_the_open_file() {
    let w = World::new().await;
    w.make("f", b"x").await;
    let flags = OpenFlags::READ | OpenFlags::REMOVE_ON_CLOSE;
    let file = w.at("f").await.unwrap().open(&w.who, flags).await.unwrap();
    assert!(w.at("f").await.is_ok());
    drop(file);
    assert!(w.at("f").await.unwrap_err().is(Errno::ENOENT));
}

#[tokio::test]
async fn a_walk_brings_the_attributes_of_the_next_stat_and_of_no_other() {
    let w = World::new().await;
    let made = w.make("f", b"x").await;
    let looks = || w.export.looks.load(Ordering::SeqCst);
    let place = w.at("f").await.unwrap();
    let before = looks();
    assert_eq!(place.stat(&w.who).await.unwrap().size, 1);
    assert_eq!(looks(), before, "it had come along");
    assert_eq!(place.stat(&w.who).await.unwrap().size, 1);
    assert_eq!(looks(), before + 1, "once");
    let place = w.at("f").await.unwrap();
    made.open(&w.who, BOTH).await.unwrap().write(0, b"longer").await.unwrap();
    assert_eq!(place.stat(&w.who).await.unwrap().size, 6, "our own writes are never missed");
}

#[tokio::test]
async fn a_server_that_goes_away_is_an_error_that_names_it() {
    let (w, teller) = with_teller().await;
    let ended = w.import.ended();
    let file = w.at("tell").await.unwrap().open(&w.who, OpenFlags::READ).await.unwrap();
    let waiting = tokio::spawn(async move { file.read(0, &mut [0; 8]).await });
    until(|| teller.waiting.load(Ordering::SeqCst) == 1).await;
    w.served.abort();
    let broken = timeout(PATIENCE, waiting).await.expect("nobody waits for ever").unwrap().unwrap_err();
    for error in [broken, w.at("f").await.unwrap_err(), timeout(PATIENCE, ended).await.expect("in time")] {
        assert_eq!(error.errno(), Errno::ECONNRESET);
        assert!(error.text().starts_with("unix:///there: "), "{error}");
    }
}

#[tokio::test]
async fn the_connection_ends_when_nobody_holds_the_tree_any_more() {
    let w = World::new().await;
    let ended = w.import.ended();
    let file = w.make("f", b"x").await.open(&w.who, OpenFlags::READ).await.unwrap();
    drop(w.import);
    assert_eq!(file.read(0, &mut [0; 8]).await.unwrap(), 1);
    drop(file);
    timeout(PATIENCE, ended).await.expect("in time");
}

#[tokio::test]
async fn the_plain_dialects_have_files_and_directories() {
    for dialect in [Dialect::P9P2000, Dialect::P9P2000U] {
        let w = World::speaking(dialect).await;
        let who = &w.who;
        let dir: Place = w.root().mkdir(who, known("d"), Mode::new(0o755)).await.unwrap();
        for n in 0..200 {
            let name = format!("f{n}");
            dir.create(who, known(&name), Mode::new(0o600), BOTH).await.unwrap();
        }
        let open = dir.open(who, OpenFlags::READ).await.unwrap();
        let whole = list(&open, 0, usize::MAX).await;
        assert_eq!(whole.len(), 200, "{dialect}");
        assert_eq!(list(&open, whole[99].2, 3).await, whole[100..103], "{dialect}");
        let file = w.at("d/f7").await.unwrap();
        let open = file.open(who, BOTH).await.unwrap();
        assert_eq!(open.write(0, b"seven").await.unwrap(), 5);
        assert_eq!(w.read("d/f7").await, b"seven");
        assert_eq!(file.stat(who).await.unwrap().size, 5);
        dir.rename(who, known("f7"), &dir, known("g"), RenameFlags::empty()).await.unwrap();
        dir.unlink(who, known("g")).await.unwrap();
        assert!(w.at("d/g").await.unwrap_err().is(Errno::ENOENT), "{dialect}");
        let refused = dir.symlink(who, known("l"), b"x").await.unwrap_err();
        assert!(refused.is(Errno::EOPNOTSUPP), "{refused:?}");
    }
}

#[tokio::test]
async fn more_nodes_are_held_than_the_server_has_fids_and_each_is_found_again() {
    const FIDS: usize = (16 << 10) + 64;
    const FILES: usize = 20_000;
    let config = Config { fids: FIDS, ..Config::default() };
    let w = World::with(Dialect::P9P2000L, config, |ours| ours).await;
    let there = w.export.root();
    let dir = there.mkdir(&w.who, known("d"), Mode::new(0o755)).await.unwrap();
    for n in 0..FILES {
        let name = format!("{n}");
        dir.mknod(&w.who, known(&name), Kind::File, Mode::new(0o644), Device::default()).await.unwrap();
    }
    let imported = w.at("d").await.unwrap();
    let mut places = Vec::new();
    for n in 0..FILES {
        places.push(imported.walk(&w.who, format!("{n}").as_bytes()).await.expect("there is a fid for it"));
    }
    let identities: HashSet<_> = places.iter().map(|p| p.node().qid().path).collect();
    assert_eq!(identities.len(), FILES);
    for place in places.iter().step_by(100) {
        let stat = place.stat(&w.who).await.expect("walked to again");
        assert_eq!(stat.qid.path, place.qid().path);
    }
    // Those of which nobody has asked anything for long, and what became of their names.
    let (gone, replaced, open) = (&places[1], &places[2], &places[3]);
    let file = open.open(&w.who, OpenFlags::READ).await.unwrap();
    dir.unlink(&w.who, known("1")).await.unwrap();
    dir.unlink(&w.who, known("2")).await.unwrap();
    dir.unlink(&w.who, known("3")).await.unwrap();
    dir.mknod(&w.who, known("2"), Kind::File, Mode::new(0o644), Device::default()).await.unwrap();
    for place in [gone, replaced] {
        // The first answer may still be what the walk brought along.
        let _brought_along = place.stat(&w.who).await;
        assert!(place.stat(&w.who).await.unwrap_err().is(Errno::ESTALE));
    }
    let _brought_along = open.stat(&w.who).await;
    assert_eq!(open.stat(&w.who).await.unwrap().nlink, 0, "an open file keeps its fid");
    drop(file);
}

#[tokio::test]
async fn opening_tells_of_what_another_client_wrote_whether_or_not_the_server_counts_versions() {
    for counts_none in [false, true] {
        let w = World::new().await;
        w.export.counts_no_versions.store(counts_none, Ordering::SeqCst);
        w.make("f", b"old").await;
        let place = w.at("f").await.unwrap();
        let version = || place.node().qid().version;
        place.open(&w.who, OpenFlags::READ).await.unwrap();
        let first = version();
        place.open(&w.who, OpenFlags::READ).await.unwrap();
        assert!(first != 0 && first == version(), "nothing has changed");
        assert_eq!(place.nature(), Nature::Storage);
        let other = w.attach(b"/").await.unwrap().root();
        let theirs = other.walk(&w.who, known("f")).await.unwrap();
        // Where only times tell, they have to have moved on.
        tokio::time::sleep(Duration::from_millis(10)).await;
        theirs.open(&w.who, BOTH).await.unwrap().write(0, b"new").await.unwrap();
        place.open(&w.who, OpenFlags::READ).await.unwrap();
        assert_ne!(version(), first, "counts_none: {counts_none}");
    }
}

#[tokio::test]
async fn a_tree_is_attached_by_name_and_a_name_that_is_not_there_is_refused() {
    let w = World::new().await;
    let dir = w.root().mkdir(&w.who, known("d"), Mode::new(0o755)).await.unwrap();
    dir.mkdir(&w.who, known("below"), Mode::new(0o755)).await.unwrap();
    assert!(w.attach(b"/d").await.unwrap().root().walk(&w.who, known("below")).await.is_ok());
    assert!(w.attach(b"/missing").await.err().expect("refused").is(Errno::ENOENT));
}

#[tokio::test]
async fn a_listing_shows_no_name_that_is_none_and_ends_where_it_does_not_go_on() {
    let w = World::new().await;
    w.export.lists_nonsense.store(true, Ordering::SeqCst);
    let dir = w.root().open(&w.who, OpenFlags::READ).await.unwrap();
    let mut names = HashSet::new();
    let mut sink = |entry: DirEntry<'_>| {
        names.insert((entry.name.to_string(), entry.qid.kind));
        true
    };
    let listed = timeout(PATIENCE, dir.readdir(0, &mut sink)).await.expect("not for ever");
    let error = listed.expect_err("the server breaks the protocol");
    assert_eq!(error.errno(), Errno::EPROTO);
    assert!(error.text().starts_with("unix:///there: "), "{error}");
    // What the entry does not say, its qid does.
    assert_eq!(names, HashSet::from([("good".to_string(), Kind::Dir)]));
}
