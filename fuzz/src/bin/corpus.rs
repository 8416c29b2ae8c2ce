//! `corpus unpack FILE DIR` makes a file of each line; `corpus pack DIR FILE` the other way round.

use fuzz::corpus;
use std::path::Path;
use std::process::ExitCode;
use std::{fs, io};

/// A corpus is kept to so many bytes of inputs: twice as much as text.
const MOST: usize = 60_000;

fn unpack(file: &Path, dir: &Path) -> io::Result<()> {
    let inputs = corpus::read(&fs::read_to_string(file)?);
    let inputs = inputs.map_err(|line| io::Error::other(format!("line {line} is no input")))?;
    fs::create_dir_all(dir)?;
    inputs.iter().enumerate().try_for_each(|(index, input)| fs::write(dir.join(format!("{index:05}")), input))
}

fn pack(dir: &Path, file: &Path) -> io::Result<()> {
    let inputs: io::Result<Vec<Vec<u8>>> = fs::read_dir(dir)?.map(|entry| fs::read(entry?.path())).collect();
    fs::write(file, corpus::write(inputs?, MOST))
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let done = match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["unpack", file, dir] => {
            unpack(file.as_ref(), dir.as_ref()).map_err(|error| format!("{file}: {error}"))
        }
        ["pack", dir, file] => pack(dir.as_ref(), file.as_ref()).map_err(|error| format!("{dir}: {error}")),
        _ => Err("usage: corpus unpack FILE DIR | corpus pack DIR FILE".to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("corpus: {error}");
            ExitCode::FAILURE
        }
    }
}
