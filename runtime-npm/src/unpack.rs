//! A package's files out of its tarball, as npm takes them: regular files only, without the first directory of their names.

use crate::unusual::{Plain, Unusual};
use flate2::read::GzDecoder;
use std::collections::{BTreeMap, HashSet};
use std::io::Read;
use tar::EntryType;

/// Of one package, unpacked.
const MOST_BYTES: u64 = 256 << 20;
const MOST_FILES: usize = 20_000;

pub struct File {
    pub mode: u32,
    pub data: Vec<u8>,
}

/// By their paths below the package.
pub type Files = BTreeMap<String, File>;

fn unusual(what: impl std::fmt::Display) -> Unusual {
    Unusual::new(format!("in a tarball: {what}"))
}

/// The path below the package, where there is nothing about it to be seen to.
fn below(path: &str) -> Option<&str> {
    let (_, below) = path.split_once('/')?;
    let plain = |part: &str| !matches!(part, "" | "." | "..") && part.len() <= 255;
    let is_plain = path.split('/').all(plain) && !path.contains(['\\', '\0', ':']) && path.len() <= 1024;
    is_plain.then_some(below)
}

/// `.gitignore` is `.npmignore`, where there was none before.
fn name_of_ignored(path: &str, seen: &mut HashSet<String>) -> Option<String> {
    let (dir, base) = path.rsplit_once('/').map_or(("", path), |(dir, base)| (dir, base));
    let of_npm = if dir.is_empty() { ".npmignore".to_owned() } else { format!("{dir}/.npmignore") };
    match base {
        ".npmignore" => {
            seen.insert(of_npm.clone());
            Some(of_npm)
        }
        ".gitignore" => (!seen.contains(&of_npm)).then_some(of_npm),
        _ => Some(path.to_owned()),
    }
}

/// # Errors
/// Whatever is damaged, or of another kind than packages are made of.
pub fn unpack(tarball: &[u8]) -> Plain<Files> {
    let mut archive = tar::Archive::new(GzDecoder::new(tarball).take(MOST_BYTES + 1));
    let (mut files, mut ignored, mut bytes) = (Files::new(), HashSet::new(), 0);
    for entry in archive.entries().map_err(unusual)? {
        let mut entry = entry.map_err(unusual)?;
        match entry.header().entry_type() {
            EntryType::Regular | EntryType::Continuous => {}
            EntryType::Directory | EntryType::XGlobalHeader | EntryType::Link | EntryType::Symlink => {
                continue;
            }
            other => return Err(unusual(format_args!("a {other:?}"))),
        }
        let path = entry.path_bytes().into_owned();
        let path = String::from_utf8(path).map_err(unusual)?;
        let path = below(&path).ok_or_else(|| unusual(&path))?;
        let mode = entry.header().mode().map_err(unusual)?;
        if mode & !0o777 & 0o7777 != 0 {
            return Err(unusual(format_args!("{path}: mode {mode:o}")));
        }
        let Some(path) = name_of_ignored(path, &mut ignored) else { continue };
        let size = entry.size();
        bytes += size;
        if bytes > MOST_BYTES || files.len() >= MOST_FILES {
            return Err(unusual("very much of it"));
        }
        let mut data = Vec::with_capacity(usize::try_from(size.min(1 << 20)).unwrap_or_default());
        entry.read_to_end(&mut data).map_err(unusual)?;
        if data.len() as u64 != size {
            return Err(unusual(format_args!("{path} is cut off")));
        }
        // Everybody may read it, and the owner write; who makes it takes away what his umask does.
        let file = File { mode: mode & 0o777 | 0o666, data };
        if files.insert(path.clone(), file).is_some() {
            return Err(unusual(format_args!("{path} is there twice")));
        }
    }
    let is_dir = |path: &String| {
        files
            .range(format!("{path}/")..)
            .next()
            .is_some_and(|(next, _)| next.starts_with(&format!("{path}/")))
    };
    match files.keys().find(|path| is_dir(path)) {
        Some(path) => Err(unusual(format_args!("{path} is a file and a directory"))),
        None => Ok(files),
    }
}

/// A program whose first line ends as lines do elsewhere, as it runs here (`#!` lines only).
pub fn mended(data: &[u8]) -> Option<Vec<u8>> {
    let end = data.iter().take(2048).position(|byte| *byte == b'\n')?;
    let windows =
        data.starts_with(b"#!") && end > 3 && data[end - 1] == b'\r' && std::str::from_utf8(data).is_ok();
    windows.then(|| [&data[..end - 1], &data[end..]].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::io::Write;

    fn tarball(entries: &[(&str, u32, EntryType)]) -> Vec<u8> {
        let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        for (path, mode, kind) in entries {
            let mut header = tar::Header::new_ustar();
            header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
            header.set_mode(*mode);
            header.set_entry_type(*kind);
            let data: &[u8] = if *kind == EntryType::Regular { b"data" } else { b"" };
            header.set_size(data.len() as u64);
            header.set_cksum();
            tar.append(&header, data).expect("an entry");
        }
        let mut gz = tar.into_inner().expect("an archive");
        gz.flush().expect("memory takes it");
        gz.finish().expect("a tarball")
    }

    #[test]
    fn files_lose_the_first_directory_and_become_readable_and_links_are_left_out() {
        let files = [
            ("package/a.js", 0o600, EntryType::Regular),
            ("package/bin/b", 0o755, EntryType::Regular),
            ("package/empty", 0o755, EntryType::Directory),
            ("package/link", 0o777, EntryType::Symlink),
            ("package/.gitignore", 0o644, EntryType::Regular),
        ];
        let files = unpack(&tarball(&files)).expect("plain");
        let modes: Vec<(&str, u32)> = files.iter().map(|(path, file)| (path.as_str(), file.mode)).collect();
        assert_eq!(modes, [(".npmignore", 0o666), ("a.js", 0o666), ("bin/b", 0o777)]);
        assert!(files.values().all(|file| file.data == b"data"));
    }

    #[test]
    fn what_leads_out_or_is_no_package_is_refused() {
        for path in ["package/../../x", "/etc/x", "package//x", "package/./x", "x", "package/a\\b"] {
            assert!(unpack(&tarball(&[(path, 0o644, EntryType::Regular)])).is_err(), "{path}");
        }
        assert!(unpack(&tarball(&[("package/x", 0o4755, EntryType::Regular)])).is_err());
        assert!(unpack(&tarball(&[("package/x", 0o644, EntryType::Fifo)])).is_err());
        let twice = ("package/x", 0o644, EntryType::Regular);
        assert!(unpack(&tarball(&[twice, twice])).is_err());
        assert!(unpack(&tarball(&[twice, ("package/x/y", 0o644, EntryType::Regular)])).is_err());
        let whole = tarball(&[twice]);
        assert!(unpack(&whole[..whole.len() / 2]).is_err() && unpack(b"<html>").is_err());
    }

    #[test]
    fn the_first_line_of_a_program_ends_as_lines_do_here() {
        assert_eq!(
            mended(b"#!/usr/bin/env node\r\nx\r\n").as_deref(),
            Some(&b"#!/usr/bin/env node\nx\r\n"[..])
        );
        assert_eq!(mended(b"#!/usr/bin/env node\nx\r\n"), None);
        assert_eq!(mended(b"x\r\n"), None);
    }
}
