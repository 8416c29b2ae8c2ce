//! Snapshots on a host root: what was kept is there for the next server, and nothing unfinished is.

mod toy;

use container::Snapshots;
use toy::{Server, text};
use vfs::{Caller, Device, Gid, Kind, Mode, Name, Uid};

async fn server(root: &std::path::Path) -> Server {
    let snapshots = Snapshots::on_host(root).expect("a host root");
    Server::containing(|config| config.snapshots = snapshots).await
}

#[tokio::test]
async fn the_next_server_lists_and_restores_what_the_last_one_kept() {
    let root = tempfile::tempdir().expect("a directory");
    let first = server(root.path()).await;
    let container = first.new_container().await;
    first.make(&format!("{container}/mount/home/f"), b"kept").await;
    first.ctl(&container, "snapshot one").await.expect("snapshot");
    first.echo("not kept", &format!("{container}/mount/home/f")).await.expect("a write");
    drop(first);
    let second = server(root.path()).await;
    let uid = second.who.uid.0;
    assert_eq!(second.cat("/web/container/snapshots").await, Ok(format!("one {uid}\n")));
    second.cat("/web/container/new").await.expect("a container");
    second.ctl("/web/container/1", "restore one").await.expect("restore");
    assert_eq!(second.cat("/web/container/1/mount/home/f").await.as_deref(), Ok("kept"));
    let process = second.process("/web/container/1", "get /home/f").await;
    assert_eq!(second.end(&process).await.1, "kept");
    second.ctl("/web/container/1", "forget one").await.expect("forget");
    drop(second);
    let third = server(root.path()).await;
    assert_eq!(third.cat("/web/container/snapshots").await.as_deref(), Ok(""));
}

#[tokio::test]
async fn devices_and_sockets_last_as_long_as_the_server_and_hinder_nothing_after_that() {
    let root = tempfile::tempdir().expect("a directory");
    let first = server(root.path()).await;
    let container = first.new_container().await;
    first.make(&format!("{container}/mount/home/f"), b"kept").await;
    let home = first.place(&format!("{container}/mount/home")).await.expect("a directory");
    // Device files are the superuser's to make.
    let superuser = Caller::new(Uid(0), Gid(0));
    for (name, kind) in [("device", Kind::CharDevice), ("block", Kind::BlockDevice), ("socket", Kind::Socket)]
    {
        let (name, device) = (Name::new(name.as_bytes()).expect("a name"), Device { major: 1, minor: 3 });
        home.mknod(&superuser, name, kind, Mode::new(0o600), device).await.expect("a node");
    }
    first.ctl(&container, "snapshot one").await.expect("snapshot");
    first.ctl(&container, "kill").await.ok();
    let again = first.cat("/web/container/new").await.expect("a container");
    let again = format!("/web/container/{}", again.trim());
    first.ctl(&again, "restore one").await.expect("restore");
    assert_eq!(first.ls(&format!("{again}/mount/home")).await.expect("names").len(), 4);
    drop(first);
    let second = server(root.path()).await;
    second.cat("/web/container/new").await.expect("a container");
    second.ctl("/web/container/1", "restore one").await.expect("restore");
    assert_eq!(second.ls("/web/container/1/mount/home").await, Ok(vec!["f".to_owned()]));
}

#[tokio::test]
async fn what_a_server_left_unfinished_is_thrown_away_by_the_next() {
    let root = tempfile::tempdir().expect("a directory");
    let first = server(root.path()).await;
    let container = first.new_container().await;
    first.ctl(&container, "snapshot one").await.expect("snapshot");
    let shelf = root.path().join(format!(".taskfs/snapshots/{}", first.who.uid.0));
    drop(first);
    std::fs::write(shelf.join(".new-1-1"), b"half of an archive").expect("a file");
    let second = server(root.path()).await;
    assert_eq!(std::fs::read_dir(&shelf).expect("the shelf").count(), 1);
    // A damaged one is refused, and the container is as it was.
    std::fs::write(shelf.join("two.tar.zst"), b"no archive").expect("a file");
    let container = second.new_container().await;
    assert!(text(second.ctl(&container, "restore two").await).contains("/two: "));
    second.stat(&format!("{container}/mount/bin/echo")).await.expect("as it was");
}

#[tokio::test]
async fn a_link_in_the_place_of_the_shelf_leads_nowhere() {
    let (root, elsewhere) = (tempfile::tempdir().expect("one"), tempfile::tempdir().expect("two"));
    let server = server(root.path()).await;
    std::os::unix::fs::symlink(elsewhere.path(), root.path().join(".taskfs")).expect("a link");
    let container = server.new_container().await;
    assert!(server.ctl(&container, "snapshot one").await.is_err());
    assert_eq!(std::fs::read_dir(elsewhere.path()).expect("a directory").count(), 0);
}
