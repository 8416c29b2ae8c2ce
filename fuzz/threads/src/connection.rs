//! A 9P connection with its client, used from several threads: requests that wait, their Tflush, and its end.

use crate::{fickle, in_many_schedules, join, thread};
use nine::client::{Client, ClientError, Fid};
use nine::server::{Config, Observed, Peer, serve_observed};
use nine::wire::{Dialect, Msize, OpenFlags as Flags, Uid as WireUid};
use parking_lot::Mutex;
use std::sync::Arc;
use vfs::export::{Admitted, Doorkeeper};
use vfs::{
    Caller, Device, Export, Follow, Gid, Import, Kind, MemTree, Mode, Name, Namespace, Op, OpenFlags, Uid,
};

struct Door(Namespace);

impl Doorkeeper for Door {
    type Context = ();

    fn admit<'a>(&'a self, _: &'a Peer<'a, ()>) -> Op<'a, Admitted> {
        let (place, who) = (self.0.root(), Arc::new(caller()));
        Op::ok(Admitted { place, who, connection: 1, top: None, overseer: None })
    }
}

fn caller() -> Caller {
    Caller { checked: true, ..Caller::new(Uid(0), Gid(0)) }
}

/// A connection to a tree with a fifo and a file, what serves it, and what that is seen to hold.
async fn connected() -> (Client, tokio::task::JoinHandle<()>, Arc<Observed>) {
    let namespace = Namespace::new(MemTree::new().root(), "mem");
    let (root, fifo) = (namespace.root(), Name::new(b"fifo").expect("a name"));
    root.mknod(&caller(), fifo, Kind::Fifo, Mode::new(0o666), Device::default()).await.expect("a fifo");
    let file = Name::new(b"file").expect("a name");
    let made = root.create(&caller(), file, Mode::new(0o666), OpenFlags::WRITE).await.expect("a file");
    made.file.write(0, b"content").await.expect("it is written");
    let (near, far) = tokio::io::duplex(64 << 10);
    let files = Arc::new(Export::new(Door(namespace)));
    let observed = Arc::new(Observed::default());
    let seen = observed.clone();
    let serving = tokio::spawn(async move {
        drop(serve_observed(files, Arc::new(()), far, Config::default(), seen).await);
    });
    let client = Client::connect(near, Dialect::P9P2000L, Msize(8192)).await.expect("it connects");
    (client, serving, observed)
}

/// The root of such a tree.
async fn attached() -> (Fid, tokio::task::JoinHandle<()>) {
    let (client, serving, _) = connected().await;
    (client.attach(b"root", Some(WireUid(0)), b"").await.expect("it attaches"), serving)
}

async fn open(root: &Fid, flags: Flags) -> Result<Fid, ClientError> {
    let mut fid = root.walk(&[b"fifo"]).await?;
    fid.open(flags).await?;
    Ok(fid)
}

#[test]
fn a_read_that_is_given_up_takes_nothing_from_the_one_that_stays() {
    in_many_schedules(|| {
        let (reading, writing) = shuttle::future::block_on(async {
            let (root, _) = attached().await;
            // For both, so that no open waits for the other side.
            let reading = open(&root, Flags::RDWR).await.expect("it opens");
            let writing = open(&root, Flags::WRONLY).await.expect("it opens");
            (Arc::new(reading), writing)
        });
        let got = Arc::new(Mutex::new(Vec::new()));
        let read = |count| {
            let (fid, got) = (reading.clone(), got.clone());
            async move {
                let data = fid.read(0, count).await.expect("it reads");
                got.lock().extend_from_slice(&data);
            }
        };
        let stays = thread(read(8));
        let leaves = fickle(read(8));
        let writes = thread(async move {
            assert_eq!(writing.write(0, b"12345678").await.expect("it writes"), 8);
            assert_eq!(writing.write(0, b"abcdefgh").await.expect("it writes"), 8);
        });
        leaves.leave();
        join(vec![stays, writes]);
        let got = got.lock().clone();
        // The one who left may have been answered before.
        assert!(got.len() == 8 || got.len() == 16, "{got:?}");
    });
}

#[test]
fn several_threads_ask_over_one_connection_and_each_gets_its_own_answer() {
    in_many_schedules(|| {
        let root = Arc::new(shuttle::future::block_on(attached()).0);
        let threads = [&b"fifo"[..], b"missing", b"fifo"].map(|name| {
            let root = root.clone();
            thread(async move {
                assert_eq!(root.walk(&[name]).await.is_ok(), name == b"fifo");
            })
        });
        join(threads.into());
    });
}

#[test]
fn whoever_waits_for_an_answer_is_told_when_the_connection_ends() {
    in_many_schedules(|| {
        let (root, serving) = shuttle::future::block_on(attached());
        let reads = thread(async move {
            if let Ok(reading) = open(&root, Flags::RDWR).await {
                assert!(reading.read(0, 8).await.is_err(), "nobody wrote");
            }
        });
        // At whatever point the other is.
        serving.abort();
        join(vec![reads]);
    });
}

#[test]
fn an_imported_tree_that_threads_use_and_leave_holds_nothing_at_the_server_in_the_end() {
    in_many_schedules(|| {
        let (client, _, observed) = shuttle::future::block_on(connected());
        let import = shuttle::future::block_on(Import::attach(client.clone(), b"root", Some(0), b""));
        let import = import.expect("it attaches");
        let root = Namespace::new(import.root(), "import").root();
        let read = |path: &'static [u8], flags| {
            let root = root.clone();
            async move {
                let place = root.resolve(&caller(), path, Follow::Yes).await.expect("it is there");
                let file = place.open(&caller(), flags).await.expect("it opens");
                let mut buf = [0; 16];
                let count = file.read(0, &mut buf).await.expect("it reads");
                assert_eq!(&buf[..count], b"content");
            }
        };
        let reads = [thread(read(b"file", OpenFlags::READ)), thread(read(b"file", OpenFlags::READ))];
        // Nobody writes: it waits for that, or for its open.
        let waits = [OpenFlags::READ, OpenFlags::READ.union(OpenFlags::WRITE)];
        let leaves = waits.map(|flags| fickle(read(b"fifo", flags)));
        leaves.into_iter().for_each(crate::Fickle::leave);
        join(reads.into());
        drop((root, import));
        // What was dropped is clunked behind its back; the answers come in the order of the questions.
        for _ in 0..64 {
            if observed.figures().fids == 0 {
                break;
            }
            let asks = client.attach(b"root", Some(WireUid(0)), b"");
            shuttle::future::block_on(async { drop(asks.await.expect("it attaches").clunk().await) });
        }
        assert_eq!((observed.figures().fids, observed.figures().in_flight), (0, 0));
    });
}
