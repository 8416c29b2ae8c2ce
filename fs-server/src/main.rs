//! The `taskfs` command: reads the command line, does it, and turns what went wrong into a message and an exit status.

use clap::Parser;
use fs_server::cli::{self, Cli};
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: fs_server::memory::Allocator = fs_server::memory::ALLOCATOR;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Nobody reads what cannot be printed.
            let _nobody_reads = error.print();
            // Help and the version are no mistakes.
            return if error.use_stderr() {
                u8::from(sysexits::ExitCode::Usage).into()
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    cli::log();
    match cli::run(cli) {
        Ok(code) => code,
        Err(fault) => {
            cli::say::err(format_args!("taskfs: {fault}"));
            ExitCode::from(u8::from(fault.code))
        }
    }
}
