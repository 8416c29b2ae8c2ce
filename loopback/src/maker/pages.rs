//! What a fork of the server holds of the server's memory would be kept from the machine for as long as the fork lives. The
//! maker uses nothing of it but its stack and its thread's own variables, and gives back the rest.

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::read;
use rustix::mm::{Advice, madvise};

/// Smaller areas stay: among them are the variables of the program and its libraries that are no file's, and they are few.
const LARGE: usize = 2 << 20;

/// The memory that nobody but a process has, and that is no file's: its pages are forgotten, but for where this runs.
/// Where the table cannot be read, nothing is given back.
pub(super) fn give_back() {
    let Ok(table) = openat(CWD, c"/proc/self/maps", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()) else {
        return;
    };
    let here = 0u8;
    // SAFETY: gives the address of this thread's errno, which lies among its variables.
    let variables = unsafe { libc::__errno_location() } as usize;
    let kept = [&raw const here as usize, variables];
    let mut line = Line::default();
    let mut bytes = [0; 4096];
    loop {
        match read(&table, &mut bytes) {
            Ok(count) if count > 0 => {
                for byte in bytes.get(..count).unwrap_or_default() {
                    if let Some(area) = line.take(*byte)
                        && area.end - area.start >= LARGE
                        && !kept.iter().any(|at| (area.start..area.end).contains(at))
                    {
                        let start = area.start as *mut core::ffi::c_void;
                        // SAFETY: private memory without a file that neither the stack nor a variable in use is in: nothing
                        // refers to it that this process will follow.
                        let _given = unsafe { madvise(start, area.end - area.start, Advice::LinuxDontNeed) };
                    }
                }
            }
            _ => return,
        }
    }
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
struct Area {
    start: usize,
    end: usize,
}

/// One line of maps (proc_pid_maps(5)), taken in a byte at a time: `START-END rw-p OFFSET DEV INODE NAME`.
#[derive(Default)]
struct Line {
    field: u8,
    start: usize,
    end: usize,
    /// Its four letters.
    letters: [u8; 4],
    letter: usize,
    inode: usize,
    /// Its name begins so: memory of the kernel's is `[vvar]`, `[vdso]`.
    name: u8,
    second: u8,
}

impl Line {
    /// The area, where `byte` ends the line of one that can be given back.
    fn take(&mut self, byte: u8) -> Option<Area> {
        let digit = |number: usize| (number << 4) | (byte as char).to_digit(16).unwrap_or(0) as usize;
        match (byte, self.field) {
            (b'\n', _) => {
                let line = std::mem::take(self);
                let is_ours = line.letters == *b"rw-p" && line.inode == 0 && line.second != b'v';
                return is_ours.then_some(Area { start: line.start, end: line.end });
            }
            (b'-', 0) | (b' ', 0..=4) => self.field += 1,
            (_, 0) => self.start = digit(self.start),
            (_, 1) => self.end = digit(self.end),
            (_, 2) => {
                if let Some(place) = self.letters.get_mut(self.letter) {
                    *place = byte;
                }
                self.letter += 1;
            }
            (_, 5) if byte.is_ascii_digit() && self.name == 0 => {
                self.inode = self.inode.saturating_mul(10).saturating_add(usize::from(byte - b'0'));
            }
            (b' ', _) => {}
            (_, 5) if self.name == 0 => self.name = byte,
            (_, 5) if self.second == 0 => self.second = byte,
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn area(line: &str) -> Option<Area> {
        let mut state = Line::default();
        line.bytes().map(|byte| state.take(byte)).last().flatten()
    }

    #[test]
    fn heaps_and_stacks_are_given_back_and_files_are_not() {
        let heap = "55d0c8a00000-55d0c8a21000 rw-p 00000000 00:00 0                          [heap]\n";
        assert_eq!(area(heap), Some(Area { start: 0x55d0_c8a0_0000, end: 0x55d0_c8a2_1000 }));
        assert!(area("7f2c40000000-7f2c40021000 rw-p 00000000 00:00 0 \n").is_some());
        for kept in [
            "7f2c48a3e000-7f2c48a40000 rw-p 001d4000 fe:00 1049 /usr/lib/libc.so.6\n",
            "7f2c48a3e000-7f2c48a40000 rw-s 00000000 00:01 1049 /dev/zero (deleted)\n",
            "7f2c48a3e000-7f2c48a40000 r--p 00000000 00:00 0 \n",
            "7ffd4c1f1000-7ffd4c1f5000 r--p 00000000 00:00 0 [vvar]\n",
            "7ffd4c1f1000-7ffd4c1f5000 rw-p 00000000 00:00 0 [vvar]\n",
        ] {
            assert_eq!(area(kept), None, "{kept}");
        }
    }
}
