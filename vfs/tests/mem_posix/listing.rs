//! Listing directories while they change.

use crate::world::*;
use std::collections::HashMap;
use vfs::*;

/// Lists `dir` in pieces of `size` entries and calls `between` after each.
fn list_in_pieces(dir: &FileRef, size: usize, mut between: impl FnMut(usize)) -> Vec<String> {
    let (mut names, mut cookie) = (Vec::new(), 0);
    loop {
        let before = names.len();
        done(dir.readdir(cookie, &mut |entry| {
            if names.len() == before + size {
                return false;
            }
            cookie = entry.cookie;
            names.push(entry.name.to_string());
            true
        }))
        .unwrap();
        if names.len() == before {
            return names;
        }
        between(names.len());
    }
}

#[test]
fn a_listing_goes_on_where_it_stopped() {
    let w = world();
    for n in 0..1000 {
        w.put(&n.to_string(), b"");
    }
    let dir = w.open("/", OpenFlags::READ).unwrap();
    for size in [1, 7, 500, 5000] {
        let mut names: Vec<u32> =
            list_in_pieces(&dir, size, |_| {}).iter().map(|n| n.parse().unwrap()).collect();
        names.sort_unstable();
        assert!(names.into_iter().eq(0..1000));
    }
}

#[test]
fn what_stays_is_listed_once_while_everything_else_comes_and_goes() {
    let w = world();
    for n in 0..400 {
        w.put(&format!("stay{n}"), b"");
        w.put(&format!("go{n}"), b"");
    }
    let dir = w.open("/", OpenFlags::READ).unwrap();
    let mut turn = 0;
    let names = list_in_pieces(&dir, 10, |_| {
        for n in 0..10 {
            let n = turn * 10 + n;
            if n < 400 {
                w.unlink(&format!("go{n}")).unwrap();
                w.put(&format!("new{n}"), b"");
            }
        }
        turn += 1;
    });
    let mut count: HashMap<&str, u32> = HashMap::new();
    for name in &names {
        *count.entry(name).or_default() += 1;
    }
    assert!((0..400).all(|n| count.get(format!("stay{n}").as_str()) == Some(&1)));
    assert!(count.values().all(|times| *times == 1));
}

#[test]
fn removing_everything_as_it_is_listed_removes_everything() {
    let w = world();
    for n in 0..3000 {
        w.put(&n.to_string(), b"");
    }
    let dir = w.open("/", OpenFlags::READ).unwrap();
    let mut cookie = 0;
    loop {
        let mut victims = Vec::new();
        done(dir.readdir(cookie, &mut |entry| {
            cookie = entry.cookie;
            victims.push(entry.name.to_string());
            victims.len() < 50
        }))
        .unwrap();
        if victims.is_empty() {
            break;
        }
        for victim in victims {
            w.unlink(&victim).unwrap();
        }
    }
    assert_eq!(w.names("/"), Vec::<String>::new());
    assert_eq!(w.tree.used_inodes(), 1);
}

#[test]
fn a_listings_caller_may_use_the_directory() {
    let w = world();
    for n in 0..300 {
        w.put(&n.to_string(), b"");
    }
    let dir = w.open("/", OpenFlags::READ).unwrap();
    done(dir.readdir(0, &mut |entry| {
        w.put(&format!("{}-too", entry.name), b"");
        w.stat(&entry.name.to_string());
        !entry.name.to_string().ends_with("-too")
    }))
    .unwrap();
    assert!(w.names("/").len() >= 600);
}
