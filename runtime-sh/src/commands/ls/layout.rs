//! How ls lays out names: one to a line, in columns downwards or across, or with commas; quoted, and with a sign for their kind.

use super::super::Invocation;
use super::super::find::letter;
use super::super::gnu::Done;
use super::super::messages::{named, quoted, say};
use super::super::people::People;
use super::super::times;
use super::long::{Widths, in_blocks, row};
use super::{Format, Indicator, Item, Quoting, Settings};
use vfs::{Stat, Time};

pub fn quoted_name(settings: &Settings, name: &[u8]) -> Vec<u8> {
    let hide = |name: &[u8]| -> Vec<u8> {
        name.iter().map(|b| if settings.hide_control && !(32..127).contains(b) { b'?' } else { *b }).collect()
    };
    match settings.quoting {
        Quoting::Literal => hide(name),
        Quoting::Shell => named(name),
        Quoting::Raw if named(name) == name => name.to_vec(),
        Quoting::Raw => say!("'", name.split(|b| *b == b'\'').collect::<Vec<_>>().join(&b"'\\''"[..]), "'"),
        Quoting::Always => quoted(name),
        Quoting::C => [b"\"", &escaped(name, b'"')[..], b"\""].concat(),
        Quoting::Escape => escaped(name, b' '),
    }
}

/// C's escapes; `also` is escaped too.
fn escaped(name: &[u8], also: u8) -> Vec<u8> {
    let mut out = Vec::new();
    for byte in name {
        match byte {
            7 => out.extend_from_slice(b"\\a"),
            8 => out.extend_from_slice(b"\\b"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\n' => out.extend_from_slice(b"\\n"),
            11 => out.extend_from_slice(b"\\v"),
            12 => out.extend_from_slice(b"\\f"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\\' => out.extend_from_slice(b"\\\\"),
            byte if *byte == also => out.extend_from_slice(&[b'\\', *byte]),
            32..127 => out.push(*byte),
            byte => out.extend_from_slice(format!("\\{byte:03o}").as_bytes()),
        }
    }
    out
}

fn sign(settings: &Settings, stat: &Stat) -> Option<u8> {
    if settings.indicator == Indicator::None {
        return None;
    }
    let full = settings.indicator != Indicator::Slash;
    match letter(stat.kind()) {
        'd' => Some(b'/'),
        'l' if full => Some(b'@'),
        'p' if full => Some(b'|'),
        's' if full => Some(b'='),
        '-' if settings.indicator == Indicator::Classify && stat.mode.bits() & 0o111 != 0 => Some(b'*'),
        _ => None,
    }
}

fn shown(settings: &Settings, item: &Item) -> Vec<u8> {
    let mut name = quoted_name(settings, &item.name);
    match &item.target {
        Some((to, behind)) if settings.format == Format::Long => {
            name.extend_from_slice(b" -> ");
            name.extend(quoted_name(settings, to));
            name.extend(behind.as_ref().and_then(|stat| sign(settings, stat)));
        }
        _ => name.extend(sign(settings, &item.stat)),
    }
    name
}

/// Prints `items`; with how much they take where they are a directory's.
pub async fn print(
    call: &mut Invocation<'_>,
    settings: &Settings,
    people: &People,
    items: &[Item],
    of_a_directory: bool,
) -> Done<()> {
    if of_a_directory && (settings.format == Format::Long || settings.blocks) {
        let total: u64 = items.iter().map(|item| item.stat.blocks * 512).sum();
        let line = format!("total {}", in_blocks(settings, total, settings.block));
        call.stdout.write(line.as_bytes()).await?;
        call.stdout.write(&[settings.end]).await?;
    }
    let zone = times::zone(call.env);
    let now = Time::now();
    let rows: Vec<_> = items.iter().map(|item| row(settings, people, &zone, now, item)).collect();
    let widths = Widths::of(&rows);
    let mut names = Vec::new();
    for (item, row) in items.iter().zip(&rows) {
        let mut name = Vec::new();
        if settings.format == Format::Long {
            name.extend(row.line(settings, &widths).into_bytes());
        } else {
            let aligned = settings.format != Format::Commas;
            if settings.inode {
                let width = if aligned { widths.inode } else { 0 };
                name.extend(format!("{:>width$} ", row.inode).into_bytes());
            }
            if settings.blocks {
                let width = if aligned { widths.blocks } else { 0 };
                name.extend(format!("{:>width$} ", row.blocks).into_bytes());
            }
        }
        name.extend(shown(settings, item));
        names.push(name);
    }
    let mut out = Vec::new();
    match settings.format {
        Format::Long | Format::OnePerLine => {
            for name in names {
                out.extend(name);
                out.push(settings.end);
                if out.len() > 32 << 10 {
                    call.stdout.write(&out).await?;
                    out.clear();
                }
            }
        }
        Format::Columns | Format::Across => columns(&names, settings, &mut out),
        Format::Commas => commas(&names, settings, &mut out),
    }
    call.stdout.write(&out).await?;
    Ok(())
}

/// As many columns as fit, each as wide as its longest name and two blanks.
fn columns(names: &[Vec<u8>], settings: &Settings, out: &mut Vec<u8>) {
    if names.is_empty() {
        return;
    }
    let down = settings.format == Format::Columns;
    let line = if settings.width == 0 { usize::MAX } else { settings.width };
    let most = (line / 3).clamp(1, names.len());
    let layout = |count: usize| {
        let rows = names.len().div_ceil(count);
        let mut widths = vec![0; count];
        for (index, name) in names.iter().enumerate() {
            let column = if down { index / rows } else { index % count };
            let last = column + 1 == count;
            widths[column] = widths[column].max(width(name) + if last { 0 } else { 2 });
        }
        (rows, widths)
    };
    let fits = (1..=most).rev().map(layout).find(|(_, widths)| widths.iter().sum::<usize>() < line);
    let (rows, widths) = fits.unwrap_or_else(|| layout(1));
    for row in 0..rows {
        let mut position = 0;
        let mut start = 0;
        for (column, width) in widths.iter().enumerate() {
            let index = if down { column * rows + row } else { row * widths.len() + column };
            let Some(name) = names.get(index).filter(|_| !down || index / rows == column) else { break };
            indent(position, start, out);
            out.extend_from_slice(name);
            position = start + self::width(name);
            start += width;
        }
        out.push(settings.end);
    }
}

/// Columns that a name takes: what cannot be printed takes none.
fn width(name: &[u8]) -> usize {
    name.iter().filter(|b| (32..127).contains(*b)).count()
}

/// From one column to another, with tabs where they reach.
fn indent(mut from: usize, to: usize, out: &mut Vec<u8>) {
    while from < to {
        if to / 8 > (from + 1) / 8 {
            out.push(b'\t');
            from += 8 - from % 8;
        } else {
            out.push(b' ');
            from += 1;
        }
    }
}

fn commas(names: &[Vec<u8>], settings: &Settings, out: &mut Vec<u8>) {
    let mut position = 0;
    for (index, name) in names.iter().enumerate() {
        if index > 0 {
            if settings.width == 0 || position + width(name) + 2 < settings.width {
                out.extend_from_slice(b", ");
                position += 2;
            } else {
                out.extend_from_slice(b",\n");
                position = 0;
            }
        }
        out.extend_from_slice(name);
        position += width(name);
    }
    if !names.is_empty() {
        out.push(settings.end);
    }
}
