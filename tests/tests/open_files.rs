//! A server is not bound by the soft limit of open files that it was started with, and its tasks have their own.

use nine::wire::Dialect;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tests::door::Door;
use tests::{Server, guest};

/// In a program of its own, for the limit is the process's.
#[test]
fn more_connections_are_served_than_the_soft_limit_that_the_server_was_started_with_allows() {
    let limit = getrlimit(Resource::Nofile);
    let soft = 200;
    assert!(limit.maximum.is_none_or(|most| most >= 1000), "this machine allows {limit:?}");
    setrlimit(Resource::Nofile, Rlimit { current: Some(soft), ..limit }).expect("a lower limit");
    let server = Server::start(&[]);
    setrlimit(Resource::Nofile, limit).expect("as it was");

    let door = Door::nine(&server, Dialect::P9P2000L);
    let others: Vec<_> = (0..2 * soft).map(|_| Door::nine(&server, Dialect::P9P2000L)).collect();
    let descriptors = std::fs::read_dir(format!("/proc/{}/fd", server.pid())).expect("ours").count();
    assert!(descriptors as u64 > soft, "each has a descriptor: {descriptors}");

    door.put("/tmp/hello.wasm", &std::fs::read(guest("hello.wasm")).expect("readable"));
    let task = door.start("/tmp/hello.wasm", "");
    assert_eq!(door.end_of(&task), "", "a task starts meanwhile");
    drop(others);
}
