//! The figures of docs/performance.md: each is taken beside a peer or a limit in the same run, and printed as a ratio.
//!
//! `make bench` runs all but kernel, which takes long where its guest is emulated; `cargo run --release -p bench -- NAME…`
//! some: guest, start, many, mount, fuse, ninep, hold, node, gateway, container,
//! kernel. This program is also the server that it measures: as
//! `bench taskfs …` it is the `taskfs` command, so that nothing else has to be built, and what is measured is never of another
//! build.

mod bare;
#[path = "../../runtime-wasi/tests/host/component.rs"]
mod component;
mod confined;
mod container;
mod floor;
mod fuse;
mod gateway;
mod guest;
mod hold;
mod kernel;
mod many;
mod mount;
mod ninep;
mod node;
// The limit of what the library can do: see there.
#[allow(dead_code)]
#[path = "../../nine/examples/nothing.rs"]
mod nothing;
mod peer;
mod plain;
mod process;
mod report;
mod simple;
mod start;
mod task;

use clap::Parser;
use fs_server::cli::{self, Cli};
use report::Report;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: fs_server::memory::Allocator = fs_server::memory::ALLOCATOR;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.first().map(String::as_str) {
        Some(process::TASKFS) => {
            let cli = Cli::parse_from(&args);
            cli::log();
            cli::run(cli).unwrap_or_else(|fault| {
                eprintln!("taskfs: {fault}");
                ExitCode::from(u8::from(fault.code))
            })
        }
        Some(start::ONCE) => {
            start::once(args[1].as_ref());
            ExitCode::SUCCESS
        }
        Some(bare::BARE) => {
            bare::run(args[1].as_ref(), args[2].as_ref(), &args[3..]);
            ExitCode::SUCCESS
        }
        Some(peer::WASMTIME) => {
            peer::run(args[1].as_ref(), args[2].as_ref());
            ExitCode::SUCCESS
        }
        Some(fuse::SIMPLE) => {
            simple::serve(args[1].as_ref(), args.len() > 2);
            ExitCode::SUCCESS
        }
        Some(kernel::FILL) => {
            kernel::fill(&args[1], &args[2], args[3].as_ref());
            ExitCode::SUCCESS
        }
        Some(ninep::NOTHING) => {
            ninep::serve_nothing(&args[1]);
            ExitCode::SUCCESS
        }
        Some(floor::FLOOR) => {
            let awake = args.get(2).is_some_and(|arg| arg == floor::AWAKE);
            let manner = if awake { plain::Manner::Awake } else { plain::Manner::Asleep };
            floor::serve(&args[1], manner).expect("a free address");
            ExitCode::SUCCESS
        }
        _ => {
            measure(&args);
            ExitCode::SUCCESS
        }
    }
}

fn measure(wanted: &[String]) {
    let mut report = Report::default();
    type Section = fn(&mut Report);
    let all: [(&str, Section); 11] = [
        ("guest", guest::run),
        ("start", start::run),
        ("many", many::run),
        ("mount", mount::run),
        ("fuse", fuse::run),
        ("ninep", ninep::run),
        ("hold", hold::run),
        ("node", node::run),
        ("gateway", gateway::run),
        ("container", container::run),
        ("kernel", kernel::run),
    ];
    for (name, run) in all {
        if wanted.is_empty() && name != "kernel" || wanted.iter().any(|w| w == name) {
            eprintln!("bench: {name} …");
            run(&mut report);
        }
    }
    print!("{report}");
}
