//! The `taskfs` command: reads the command line, does it, and turns what went wrong into a message and an exit status.

use clap::Parser;
use fs_server::cli::{self, Cli};
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = Cli::parse();
    cli::log();
    match cli::run(cli) {
        Ok(code) => code,
        Err(fault) => {
            eprintln!("taskfs: {fault}");
            ExitCode::from(u8::from(fault.code))
        }
    }
}
