//! What the import module says of round trips is counted here: bursts of requests that a server sees, each after its answers
//! to the last.

mod import_support;

use import_support::{World, known};
use nine::server::Config;
use nine::wire::Dialect;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use vfs::{DirEntry, Mode, OpenFlags};

/// Passes bytes on, and counts how often requests come after answers.
fn counted(client: DuplexStream, trips: Arc<AtomicUsize>) -> DuplexStream {
    let (ours, mut theirs) = tokio::io::duplex(1 << 20);
    tokio::spawn(async move {
        let mut server = client;
        let (mut up, mut down) = (vec![0; 1 << 20], vec![0; 1 << 20]);
        let mut asked = false;
        loop {
            tokio::select! {
                read = theirs.read(&mut up) => match read {
                    Ok(0) | Err(_) => return,
                    Ok(len) => {
                        if !asked {
                            trips.fetch_add(1, Ordering::SeqCst);
                        }
                        asked = true;
                        server.write_all(&up[..len]).await.expect("the server lives");
                    }
                },
                read = server.read(&mut down) => match read {
                    Ok(0) | Err(_) => return,
                    Ok(len) => {
                        asked = false;
                        theirs.write_all(&down[..len]).await.expect("the client lives");
                    }
                },
            }
        }
    });
    ours
}

#[tokio::test]
async fn round_trips_are_as_few_as_the_module_says() {
    let trips = Arc::new(AtomicUsize::new(0));
    let counter = trips.clone();
    let w = World::with(Dialect::P9P2000L, Config::default(), move |ours| counted(ours, counter)).await;
    let (root, who) = (w.root(), &w.who);
    w.make("f", b"content").await;
    let taken = || trips.swap(0, Ordering::SeqCst);
    taken();

    let place = root.walk(who, b"f").await.unwrap();
    place.stat(who).await.unwrap();
    assert_eq!(taken(), 1, "walk and stat");
    let file = place.open(who, OpenFlags::READ).await.unwrap();
    assert_eq!(taken(), 1, "open");
    assert_eq!(file.read(0, &mut [0; 100]).await.unwrap(), 7);
    assert_eq!(taken(), 1, "read, and that there is no more");

    let dir = root.node();
    dir.create(who, known("g"), Mode::new(0o644), OpenFlags::WRITE).await.unwrap();
    assert_eq!(taken(), 2, "make a file");
    dir.mkdir(who, known("d"), Mode::new(0o755)).await.unwrap();
    assert_eq!(taken(), 2, "make a directory");
    dir.unlink(who, known("g")).await.unwrap();
    taken();

    let open = root.open(who, OpenFlags::READ).await.unwrap();
    taken();
    let mut names = 0;
    let mut sink = |_: DirEntry<'_>| {
        names += 1;
        true
    };
    open.readdir(0, &mut sink).await.unwrap();
    assert_eq!((names, taken()), (2, 2), "list, and that there is no more");
}
