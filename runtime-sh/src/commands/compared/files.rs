//! The files that every table begins with, and a listing of what is there afterwards.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

/// Seconds since the epoch of everything's mtime: 2021-03-04 05:06:07 UTC.
const WHEN: u64 = 1_614_834_367;

pub fn make(dir: &Path) {
    let write = |name: &str, text: &[u8]| fs::write(dir.join(name), text).expect("a temporary file");
    write("a.txt", b"alpha\nbeta\ngamma\nalpha beta\n\nDelta\ndelta\nfoo bar foo\nend\n");
    write("b.txt", b"beta\ngamma\nomega\n");
    write("nonl.txt", b"first\nlast without newline");
    write("empty", b"");
    write("numbers", b"10\n9\n-3\n2.5\n1e3\n\n007\n9\nabc\n+4\n  8\n.5\n");
    write("table", b"root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1::/:/no\njoe:x:1000:100:Joe:/home/joe:/bin/sh\nann:x:20:100:Ann:/home/ann:/bin/sh\n");
    write("spaces", b"one  two\tthree\n   lead\ntrail   \n\n\n\nx\ty\tz\n");
    write("dups", b"a\na\nb\nB\nb\nc\nc\nc\n");
    write("human", b"1K\n2M\n512\n1.5K\n3G\n1000\n-1K\n");
    write("versions", b"v1.10\nv1.9\nv1.0~rc1\nv1.0\nfile2\nfile10\nfile1.tar.gz\n");
    write("binary", b"ab\0cd\nfoo\xff\xfe\nalpha\0\n");
    write("latin", b"caf\xe9 alpha\n\xff\xfe\nplain\n");
    write("code.c", b"int main(void)\n{\n\treturn 0; /* alpha */\n}\n");
    write("old", b"one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine\nten\n");
    write("new", b"one\n2\nthree\nfour\nfive\nsix\nseven\neight\nnine and a half\nten\neleven\n");
    write("with space", b"spaced alpha\n");
    write("-dash", b"dashed\n");
    fs::write(dir.join(OsStr::from_bytes(b"odd\xff\nname")), b"odd alpha\n").expect("a temporary file");
    for sub in ["dir", "dir/sub", "dir/sub/deep", "dir/void", "other"] {
        fs::create_dir(dir.join(sub)).expect("a temporary directory");
    }
    write("dir/one.txt", b"alpha in dir\nnothing\n");
    write("dir/two.c", b"/* beta */\nalpha();\n");
    write("dir/.hidden", b"hidden alpha\n");
    write("dir/sub/three.txt", b"gamma\nalpha deep\n");
    write("dir/sub/deep/four", b"four alpha\n");
    write("other/b.txt", b"other beta\n");
    write("script", b"#!/bin/sh\necho hi\n");
    symlink("a.txt", dir.join("link")).expect("a link");
    symlink("dir", dir.join("dirlink")).expect("a link");
    symlink("nowhere", dir.join("dangling")).expect("a link");
    fs::hard_link(dir.join("b.txt"), dir.join("hard")).expect("a link");
    let big: Vec<u8> =
        (0..5000).flat_map(|n| format!("line {} of many {}\n", n, n * 7919 % 1000).into_bytes()).collect();
    write("big", &big);
    fs::set_permissions(dir.join("script"), fs::Permissions::from_mode(0o755)).expect("our own file");
    fs::set_permissions(dir.join("old"), fs::Permissions::from_mode(0o640)).expect("our own file");
    age(dir, dir);
}

/// Gives everything below `dir` a time of its own, the same in every run.
fn age(top: &Path, dir: &Path) {
    for entry in fs::read_dir(dir).expect("our own directory") {
        let path = entry.expect("an entry").path();
        let meta = path.symlink_metadata().expect("our own file");
        if meta.is_dir() {
            age(top, &path);
        }
        if !meta.is_symlink() {
            let name = path.strip_prefix(top).expect("below it").as_os_str().as_bytes();
            let sum: u64 = name.iter().map(|b| u64::from(*b)).sum();
            let file = fs::File::open(&path).expect("our own file");
            let time = UNIX_EPOCH + Duration::from_secs(WHEN + sum * 3600);
            file.set_times(fs::FileTimes::new().set_modified(time).set_accessed(time)).expect("our own file");
        }
    }
}

/// A line for every file: what it is, its mode, links, content.
pub fn listing(dir: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    list(dir, dir, &mut lines);
    lines.sort();
    lines
}

fn list(top: &Path, dir: &Path, lines: &mut Vec<String>) {
    for entry in fs::read_dir(dir).expect("our own directory") {
        let path = entry.expect("an entry").path();
        let meta = path.symlink_metadata().expect("our own file");
        let name =
            path.strip_prefix(top).expect("below it").as_os_str().as_bytes().escape_ascii().to_string();
        let content = if meta.is_symlink() {
            format!("-> {}", fs::read_link(&path).expect("a link").display())
        } else if meta.is_file() {
            // A file that must not be read is read by the superuser only.
            fs::read(&path).map_or("?".into(), |text| super::cut(&text))
        } else {
            String::new()
        };
        lines.push(format!(
            "{name} {:o} {} {}:{} {content}",
            meta.mode(),
            if meta.is_dir() { 0 } else { meta.nlink() },
            meta.uid(),
            meta.gid()
        ));
        if meta.is_dir() {
            list(top, &path, lines);
        }
    }
}
