//! Prepares what `taskfs-node` embeds, in the folder that its argument names. Part of the build, of no use afterwards.

fn main() {
    let Some(folder) = std::env::args_os().nth(1) else {
        eprintln!("usage: taskfs-node-seed FOLDER");
        std::process::exit(64);
    };
    if let Err(e) = worker::write_seed(folder.as_ref()) {
        eprintln!("taskfs-node-seed: {}: {e}", folder.to_string_lossy());
        std::process::exit(70);
    }
}
