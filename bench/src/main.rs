//! The figures of docs/performance.md: each is taken beside a peer or a limit in the same run, and printed as a ratio.
//!
//! `make bench` runs all; `cargo run --release -p bench -- NAME…` some: guest, start, many, mount, ninep.

mod guest;
mod many;
mod mount;
mod ninep;
mod report;
mod start;

use report::Report;

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let mut report = Report::default();
    let all: [(&str, fn(&mut Report)); 5] = [
        ("guest", guest::run),
        ("start", start::run),
        ("many", many::run),
        ("mount", mount::run),
        ("ninep", ninep::run),
    ];
    for (name, run) in all {
        if wanted.is_empty() || wanted.iter().any(|w| w == name) {
            eprintln!("bench: {name} …");
            run(&mut report);
        }
    }
    print!("{report}");
}
