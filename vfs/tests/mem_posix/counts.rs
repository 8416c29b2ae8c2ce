//! What a tree says of its files, against what there is.

use crate::world::*;
use std::collections::HashMap;
use vfs::*;

/// Walks the whole tree: links of each directory are two and its subdirectories, links of each file its names, and every
/// inode is counted.
pub fn check_counts(w: &World) {
    let mut names: HashMap<u64, (u64, u64)> = HashMap::new();
    let mut todo = vec![w.root.clone()];
    let mut dirs = 0;
    while let Some(dir) = todo.pop() {
        dirs += 1;
        let mut below = Vec::new();
        let open = done(dir.open(&w.who, OpenFlags::READ)).unwrap();
        done(open.readdir(0, &mut |entry| {
            below.push(entry.name.to_owned());
            true
        }))
        .unwrap();
        let mut subdirs = 0;
        for name in below {
            let place = done(dir.walk(&w.who, &name)).unwrap();
            if place.kind().is_dir() {
                subdirs += 1;
                todo.push(place);
            } else {
                let stat = done(place.stat(&w.who)).unwrap();
                let seen = names.entry(stat.qid.path).or_insert((0, stat.nlink));
                seen.0 += 1;
            }
        }
        assert_eq!(done(dir.stat(&w.who)).unwrap().nlink, 2 + subdirs, "links of {dir:?}");
    }
    assert!(names.values().all(|(seen, nlink)| seen == nlink));
    assert_eq!(w.tree.used_inodes(), dirs + names.len() as u64);
}
