//! What dd has copied, and its words for it.

use crate::printf::float;
use std::time::Instant;

/// Blocks of one side: whole ones, and others.
#[derive(Default)]
pub struct Records {
    whole: u64,
    partial: u64,
}

impl Records {
    pub fn count(&mut self, bytes: usize, block: usize) {
        if bytes == block {
            self.whole += 1;
        } else {
            self.partial += 1;
        }
    }
    pub fn blocks(&self) -> u64 {
        self.whole + self.partial
    }
}

pub struct Tally {
    pub read: Records,
    pub written: Records,
    /// Those that were written.
    pub bytes: u64,
    began: Instant,
}

impl Tally {
    pub fn new() -> Tally {
        Tally { read: Records::default(), written: Records::default(), bytes: 0, began: Instant::now() }
    }

    pub fn records(&self) -> String {
        let Tally { read, written, .. } = self;
        format!(
            "{}+{} records in\n{}+{} records out\n",
            read.whole, read.partial, written.whole, written.partial
        )
    }

    pub fn transfer(&self) -> String {
        transfer(self.bytes, self.began.elapsed().as_secs_f64())
    }
}

fn transfer(bytes: u64, seconds: f64) -> String {
    let amount = bytes as f64;
    let told = match bytes {
        1 => "1 byte".to_owned(),
        0..1000 => format!("{bytes} bytes"),
        1000..1024 => format!("{bytes} bytes ({})", scaled(amount, 1000)),
        _ => format!("{bytes} bytes ({}, {})", scaled(amount, 1000), scaled(amount, 1024)),
    };
    let rate = if seconds > 0.0 { scaled(amount / seconds, 1000) } else { "Infinity B".to_owned() };
    format!("{told} copied, {} s, {rate}/s\n", float(seconds, b'g', None, false))
}

/// `4.2 MB`: two digits or more, rounded to the nearest.
fn scaled(amount: f64, base: u32) -> String {
    let units = if base == 1024 {
        ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]
    } else {
        ["B", "kB", "MB", "GB", "TB", "PB", "EB"]
    };
    let (mut rest, mut unit) = (amount, 0);
    while rest.round() >= f64::from(base) && unit + 1 < units.len() {
        rest /= f64::from(base);
        unit += 1;
    }
    // A fraction is shown where there is one digit before it. Rates below the first unit are in it.
    if unit == 0 && base == 1000 && rest.fract() > 0.0 {
        (rest, unit) = (rest / 1000.0, 1);
    }
    match unit {
        0 => format!("{rest} B"),
        _ if rest < 9.95 => format!("{rest:.1} {}", units[unit]),
        _ => format!("{rest:.0} {}", units[unit]),
    }
}

#[cfg(test)]
mod tests {
    use super::transfer;

    #[test]
    fn a_transfer_is_told_in_dds_words() {
        for (bytes, seconds, told) in [
            (0, 1.0, "0 bytes copied, 1 s, 0 B/s\n"),
            (1, 1.0, "1 byte copied, 1 s, 1 B/s\n"),
            (26, 7.7489e-5, "26 bytes copied, 7.7489e-05 s, 336 kB/s\n"),
            (1010, 0.1, "1010 bytes (1.0 kB) copied, 0.1 s, 10 kB/s\n"),
            (5000, 0.1, "5000 bytes (5.0 kB, 4.9 KiB) copied, 0.1 s, 50 kB/s\n"),
            (1 << 20, 0.25, "1048576 bytes (1.0 MB, 1.0 MiB) copied, 0.25 s, 4.2 MB/s\n"),
        ] {
            assert_eq!(transfer(bytes, seconds), told);
        }
    }
}
