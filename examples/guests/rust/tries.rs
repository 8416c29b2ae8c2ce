//! tries: does what the lines of a file say, and prints what came of each: `NUMBER GOT what` or `NUMBER ERRNO`.
//!
//! read PATH | list PATH | write PATH TEXT | descriptors [PATH] | variable NAME
//!
//! tests/tests/container_attackers.rs writes the lines and reads the answers.

use std::fs::{self, File};
use std::io;

/// An errno of WASI's by its name, or whatever was wrong in its own words.
fn name(error: &io::Error) -> String {
    let known = match error.raw_os_error() {
        Some(2) => "EACCES",
        Some(8) => "EBADF",
        Some(31) => "EISDIR",
        Some(44) => "ENOENT",
        Some(54) => "ENOTDIR",
        Some(63) => "EPERM",
        Some(76) => "ENOTCAPABLE",
        _ => return error.to_string(),
    };
    known.to_owned()
}

#[repr(C)]
struct Buffer {
    at: *mut u8,
    length: usize,
}

#[link(wasm_import_module = "wasi_snapshot_preview1")]
extern "C" {
    fn fd_read(fd: u32, buffers: *const Buffer, count: usize, read: *mut usize) -> u16;
}

/// What any descriptor that it did not open gives to read, where none but `path` is open.
fn descriptors(path: Option<&&str>) -> io::Result<String> {
    let _kept = path.map(File::open).transpose()?;
    let mut found = Vec::new();
    for fd in 3..300 {
        let mut data = [0; 20];
        let mut count = 0;
        let buffer = Buffer { at: data.as_mut_ptr(), length: data.len() };
        // SAFETY: one buffer, which is as long as it says.
        if unsafe { fd_read(fd, &buffer, 1, &mut count) } == 0 {
            found.push(String::from_utf8_lossy(&data[..count]).into_owned());
        }
    }
    if found.is_empty() {
        return Err(io::Error::from_raw_os_error(8));
    }
    Ok(found.join(" "))
}

fn list(path: &str) -> io::Result<String> {
    let names: io::Result<Vec<String>> =
        fs::read_dir(path)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect();
    Ok(names?.join(" "))
}

fn answer(words: &[&str]) -> Result<String, String> {
    let done = match words {
        ["read", path] => fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
        ["list", path] => list(path),
        ["write", path, text] => fs::write(path, format!("{}\n", text)).map(|()| "written".to_owned()),
        ["descriptors", path @ ..] => descriptors(path.first()),
        ["variable", name] => return std::env::var(name).map_err(|_| "unset".to_owned()),
        _ => return Err("unknown".to_owned()),
    };
    done.map_err(|error| name(&error))
}

fn main() {
    let tries = std::env::args().nth(1).expect("usage: tries FILE");
    let tries = fs::read_to_string(tries).expect("a file of tries");
    for (number, line) in tries.lines().enumerate() {
        let words: Vec<&str> = line.split(' ').collect();
        match answer(&words) {
            Ok(text) => println!("{} GOT {}", number, text.replace('\n', " ")),
            Err(error) => println!("{} {}", number, error),
        }
    }
}
