//! The worker as the server starts it, with what it starts from inside.

fn main() {
    worker::main(worker::Seed::new(
        include_bytes!(concat!(env!("TASKFS_NODE_SEED"), "/snapshot.bin")),
        include_bytes!(concat!(env!("TASKFS_NODE_SEED"), "/sources.bin")),
    ));
}
