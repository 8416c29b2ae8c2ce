//! A process that runs out of descriptors. Alone in its file: the limit is the whole process's.

mod host_support;

use host_support::*;
use rustix::process::{Resource, Rlimit, setrlimit};
use vfs::{FileRef, Mode, NodeRef};

#[test]
fn handles_make_room_for_open_files() {
    let host = host();
    (0..150).for_each(|i| host.put(&format!("{i}"), format!("{i}")));
    let limit = Rlimit { current: Some(200), maximum: Some(200) };
    setrlimit(Resource::Nofile, limit).unwrap();
    // The pool was made when there were more descriptors: it may hold all of these, and then nothing could be opened.
    let nodes: Vec<NodeRef> = (0..150).map(|i| host.walk(&format!("{i}")).unwrap()).collect();
    let files: Vec<FileRef> = nodes.iter().map(|node| open(node, READ).unwrap()).collect();
    let made: Vec<_> = (0..20).map(|i| host.create(&format!("new{i}"))).collect();
    let list_me = open(&host.root, READ).unwrap();
    assert_eq!(list(&list_me, 0, 1000).len(), 170);
    now(host.root.mkdir(&host.me, n("d"), Mode::new(0o755))).unwrap();
    for (i, (node, file)) in nodes.iter().zip(&files).enumerate() {
        assert_eq!(read(file), format!("{i}").as_bytes());
        assert!(stat(node).size > 0);
    }
    drop(made);
}
