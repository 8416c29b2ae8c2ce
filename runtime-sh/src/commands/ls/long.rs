//! ls's long format: what a line says of a file, in columns as wide as they must be.

use super::super::find::letter;
use super::super::mode;
use super::super::people::People;
use super::super::size::human;
use super::super::times;
use super::{Item, Settings};
use jiff::tz::TimeZone;
use vfs::{Kind, Time};

/// The columns of one file, but for its name.
pub struct Row {
    pub inode: String,
    pub blocks: String,
    mode: String,
    links: String,
    owner: String,
    group: String,
    size: String,
    when: String,
}

/// How wide each column is.
#[derive(Default)]
pub struct Widths {
    pub inode: usize,
    pub blocks: usize,
    links: usize,
    owner: usize,
    group: usize,
    size: usize,
}

/// A number of bytes in units of `block`, rounded up, or for people.
pub fn in_blocks(settings: &Settings, bytes: u64, block: u64) -> String {
    match settings.human {
        Some(base) => human(bytes, base),
        None => bytes.div_ceil(block).to_string(),
    }
}

pub fn row(settings: &Settings, people: &People, zone: &TimeZone, now: Time, item: &Item) -> Row {
    let stat = &item.stat;
    let (user, group) = if settings.numeric {
        (stat.uid.0.to_string(), stat.gid.0.to_string())
    } else {
        (people.user(stat.uid.0), people.group(stat.gid.0))
    };
    let size = match stat.kind() {
        Kind::CharDevice | Kind::BlockDevice => format!("{}, {}", stat.rdev.major, stat.rdev.minor),
        _ => in_blocks(settings, stat.size, settings.size_block),
    };
    Row {
        inode: stat.qid.path.to_string(),
        blocks: in_blocks(settings, stat.blocks * 512, settings.block),
        mode: format!("{}{}", letter(stat.kind()), mode::shown(stat.mode.bits())),
        links: stat.nlink.to_string(),
        owner: user,
        group,
        size,
        when: when(settings, zone, now, settings.clock.of(stat)),
    }
}

fn when(settings: &Settings, zone: &TimeZone, now: Time, time: Time) -> String {
    let recent = time <= now && now.secs - time.secs < 31_556_952 / 2;
    let format: Vec<u8> = match &settings.style[..] {
        b"full-iso" => b"%Y-%m-%d %H:%M:%S.%N %z".to_vec(),
        b"long-iso" => b"%Y-%m-%d %H:%M".to_vec(),
        b"iso" if recent => b"%m-%d %H:%M".to_vec(),
        b"iso" => b"%Y-%m-%d ".to_vec(),
        [b'+', format @ ..] => {
            let mut parts = format.splitn(2, |b| *b == b'\n');
            let old = parts.next().unwrap_or_default();
            match parts.next() {
                Some(new) if recent => new.to_vec(),
                _ => old.to_vec(),
            }
        }
        _ if recent => b"%b %e %H:%M".to_vec(),
        _ => b"%b %e  %Y".to_vec(),
    };
    String::from_utf8_lossy(&times::format(&times::zoned(time, zone), &format)).into_owned()
}

impl Widths {
    pub fn of(rows: &[Row]) -> Widths {
        let widest =
            |column: fn(&Row) -> &String| rows.iter().map(|row| column(row).len()).max().unwrap_or(0);
        Widths {
            inode: widest(|row| &row.inode),
            blocks: widest(|row| &row.blocks),
            links: widest(|row| &row.links),
            owner: widest(|row| &row.owner),
            group: widest(|row| &row.group),
            size: widest(|row| &row.size),
        }
    }
}

impl Row {
    /// The line, up to the name.
    pub fn line(&self, settings: &Settings, widths: &Widths) -> String {
        let mut line = String::new();
        if settings.inode {
            line.push_str(&format!("{:>1$} ", self.inode, widths.inode));
        }
        if settings.blocks {
            line.push_str(&format!("{:>1$} ", self.blocks, widths.blocks));
        }
        line.push_str(&format!("{} {:>2$} ", self.mode, self.links, widths.links));
        if settings.owner {
            line.push_str(&owner(settings, &self.owner, widths.owner));
        }
        if settings.group {
            line.push_str(&owner(settings, &self.group, widths.group));
        }
        if settings.author {
            line.push_str(&owner(settings, &self.owner, widths.owner));
        }
        line.push_str(&format!("{:>1$} {2} ", self.size, widths.size, self.when));
        line
    }
}

fn owner(settings: &Settings, name: &str, width: usize) -> String {
    if settings.numeric { format!("{name:>width$} ") } else { format!("{name:<width$} ") }
}
