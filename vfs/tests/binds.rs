//! What binds do to a namespace: search order, creation, unions, forks, identities, and the text of it all.

use std::sync::Arc;
use vfs::mem::MemTree;
use vfs::{
    BindFlags, Caller, Errno, Error, Follow, Gid, Mode, Name, Namespace, NodeRef, OpenFlags, Place, Recall,
    RenameFlags, Uid,
};

fn root() -> Caller {
    Caller::new(Uid(0), Gid(0))
}

struct World {
    ns: Namespace,
    who: Caller,
}

impl World {
    /// A memory tree with the directories and files (name equals content) given.
    fn new(paths: &[&str]) -> World {
        let tree = MemTree::new();
        let world = World { ns: Namespace::new(tree.root(), "mem"), who: root() };
        for path in paths {
            world.make(path);
        }
        world
    }
    fn make(&self, path: &str) {
        let top = self.ns.root();
        let parent = top
            .resolve_parent(&self.who, path.trim_end_matches('/').as_bytes())
            .now()
            .expect("now")
            .expect(path);
        if path.ends_with('/') {
            parent
                .dir
                .mkdir(&self.who, parent.name.as_name(), Mode::new(0o755))
                .now()
                .expect("now")
                .expect(path);
        } else {
            let flags = OpenFlags::READ | OpenFlags::WRITE;
            let made = parent.dir.create(&self.who, parent.name.as_name(), Mode::new(0o644), flags);
            let made = made.now().expect("now").expect(path);
            made.file.write(0, path.as_bytes()).now().expect("now").expect(path);
        }
    }
    fn place(&self, path: &str) -> Place {
        self.try_place(path).unwrap_or_else(|e| panic!("{path}: {e}"))
    }
    fn try_place(&self, path: &str) -> Result<Place, Error> {
        self.ns.root().resolve(&self.who, path.as_bytes(), Follow::Yes).now().expect("now")
    }
    fn bind(&self, new: &str, old: &str, flags: BindFlags) {
        self.ns.bind(&self.place(new), &self.place(old), flags).expect("bind");
    }
    fn read(&self, path: &str) -> String {
        let file = self.place(path).open(&self.who, OpenFlags::READ).now().expect("now").expect(path);
        let mut buf = [0; 100];
        let n = file.read(0, &mut buf).now().expect("now").expect(path);
        String::from_utf8(buf[..n].to_vec()).expect("text")
    }
    fn list(&self, path: &str) -> Vec<String> {
        let dir = self.place(path).open(&self.who, OpenFlags::READ).now().expect("now").expect(path);
        let mut names = Vec::new();
        let mut sink = |entry: vfs::DirEntry<'_>| {
            names.push(entry.name.to_string());
            true
        };
        dir.readdir(0, &mut sink).now().expect("now").expect(path);
        names.sort();
        names
    }
    fn text(&self) -> String {
        self.ns.lines().iter().map(|l| format!("{l}\n")).collect()
    }
}

fn name(text: &str) -> Name<'_> {
    Name::new(text.as_bytes()).expect("a name")
}

#[test]
fn a_bind_replaces_what_was_there() {
    let w = World::new(&["/a/", "/a/x", "/b/", "/b/y"]);
    w.bind("/a", "/b", BindFlags::empty());
    assert_eq!(w.list("/b"), ["x"]);
    assert_eq!(w.read("/b/x"), "/a/x");
    assert_eq!(w.list("/a"), ["x"]);
}

#[test]
fn a_union_is_searched_in_the_order_of_its_members() {
    let w = World::new(&["/a/", "/a/x", "/b/", "/b/x", "/b/y", "/c/", "/c/x", "/c/z"]);
    w.bind("/b", "/a", BindFlags::AFTER);
    w.bind("/c", "/a", BindFlags::BEFORE);
    assert_eq!(w.list("/a"), ["x", "y", "z"]);
    assert_eq!(w.read("/a/x"), "/c/x");
    assert_eq!(w.read("/a/y"), "/b/y");
}

#[test]
fn new_files_go_to_the_first_member_bound_with_create() {
    let w = World::new(&["/a/", "/b/", "/c/"]);
    w.bind("/b", "/a", BindFlags::BEFORE);
    w.make("/a/old-side");
    assert_eq!(w.list("/b"), Vec::<String>::new(), "a member bound without -c takes nothing");
    w.bind("/c", "/a", BindFlags::BEFORE | BindFlags::CREATE);
    w.make("/a/new");
    assert_eq!(w.list("/c"), ["new"]);
}

#[test]
fn a_name_that_any_member_has_cannot_be_made_again() {
    let w = World::new(&["/a/", "/b/", "/b/x"]);
    w.bind("/b", "/a", BindFlags::AFTER);
    let made = w.place("/a").mkdir(&w.who, name("x"), Mode::new(0o755)).now().expect("now");
    assert!(made.expect_err("an error").is(Errno::EEXIST));
}

#[test]
fn removing_takes_the_entry_from_the_member_that_shows_it() {
    let w = World::new(&["/a/", "/a/x", "/b/", "/b/x"]);
    w.bind("/b", "/a", BindFlags::BEFORE);
    w.place("/a").unlink(&w.who, name("x")).now().expect("now").expect("unlink");
    assert_eq!(w.list("/b"), Vec::<String>::new());
    assert_eq!(w.read("/a/x"), "/a/x");
}

#[test]
fn a_file_can_be_bound_over_a_file_only() {
    let w = World::new(&["/a/", "/x", "/y"]);
    w.bind("/x", "/y", BindFlags::empty());
    assert_eq!(w.read("/y"), "/x");
    let error =
        w.ns.bind(&w.place("/x"), &w.place("/a"), BindFlags::empty()).expect_err("a file over a directory");
    assert!(error.text().contains("/a"), "{error}");
    let error =
        w.ns.bind(&w.place("/a"), &w.place("/x"), BindFlags::empty()).expect_err("a directory over a file");
    assert!(error.text().contains("/x"), "{error}");
    let error = w.ns.bind(&w.place("/x"), &w.place("/y"), BindFlags::AFTER).expect_err("a union of files");
    assert!(error.text().contains("only directories"), "{error}");
}

#[test]
fn unmounting_gives_back_what_was_there() {
    let w = World::new(&["/a/", "/a/x", "/b/", "/b/y", "/c/", "/c/z"]);
    w.bind("/a", "/b", BindFlags::AFTER);
    w.bind("/c", "/b", BindFlags::AFTER);
    assert_eq!(w.list("/b"), ["x", "y", "z"]);
    w.ns.unmount(Some(&w.place("/a")), &w.place("/b")).expect("unmount one");
    assert_eq!(w.list("/b"), ["y", "z"]);
    w.ns.unmount(None, &w.place("/b")).expect("unmount the rest");
    assert_eq!(w.list("/b"), ["y"]);
    let error = w.ns.unmount(None, &w.place("/b")).expect_err("nothing is mounted");
    assert!(error.text().contains("/b: not mounted"), "{error}");
}

#[test]
fn a_fork_and_its_origin_do_not_see_each_others_binds() {
    let w = World::new(&["/a/", "/a/x", "/b/"]);
    let fork = World { ns: w.ns.fork(), who: root() };
    fork.bind("/a", "/b", BindFlags::empty());
    assert_eq!(fork.list("/b"), ["x"]);
    assert_eq!(w.list("/b"), Vec::<String>::new());
    let shared = World { ns: w.ns.clone(), who: root() };
    shared.bind("/a", "/b", BindFlags::empty());
    assert_eq!(w.list("/b"), ["x"]);
}

#[test]
fn dot_dot_goes_back_by_name() {
    let w = World::new(&["/a/", "/a/x/", "/b/"]);
    w.bind("/a/x", "/b", BindFlags::empty());
    assert_eq!(w.place("/b/..").path(), b"/");
    assert_eq!(w.place("/b/../a/x").path(), b"/a/x");
    assert_eq!(w.place("/../../..").path(), b"/");
}

#[test]
fn one_directory_at_two_names_has_two_identities_and_keeps_them() {
    let w = World::new(&["/a/", "/a/x", "/b/"]);
    w.bind("/a", "/b", BindFlags::empty());
    assert_ne!(w.place("/a").qid().path, w.place("/b").qid().path);
    assert_ne!(w.place("/a/x").qid().path, w.place("/b/x").qid().path);
    assert_eq!(w.place("/b/x").qid(), w.place("/b/x").qid());
    let stat = w.place("/b/x").stat(&w.who).now().expect("now").expect("stat");
    assert_eq!(stat.qid.path, w.place("/b/x").qid().path);
}

#[test]
fn a_place_held_since_before_a_bind_sees_it() {
    let w = World::new(&["/a/", "/a/x", "/b/", "/b/y"]);
    let held = w.place("/b");
    w.bind("/a", "/b", BindFlags::BEFORE);
    let found = held.walk(&w.who, b"x").now().expect("now").expect("x");
    assert_eq!(found.path(), b"/b/x");
}

#[test]
fn a_bind_inside_a_bound_directory_stays_on_that_name() {
    let w = World::new(&["/a/", "/a/sub/", "/b/", "/c/", "/c/z"]);
    w.bind("/a", "/b", BindFlags::empty());
    w.bind("/c", "/b/sub", BindFlags::empty());
    assert_eq!(w.list("/b/sub"), ["z"]);
    assert_eq!(w.list("/a/sub"), Vec::<String>::new());
}

#[test]
fn a_mount_point_cannot_be_removed_or_renamed() {
    let w = World::new(&["/a/", "/b/"]);
    w.bind("/a", "/b", BindFlags::empty());
    let top = w.ns.root();
    let error = top.rmdir(&w.who, name("b")).now().expect("now").expect_err("a mount point");
    assert!(error.is(Errno::EBUSY) && error.text().contains("/b"), "{error:?}");
    let error = top.rename(&w.who, name("b"), &top, name("c"), RenameFlags::empty()).now().expect("now");
    assert!(error.expect_err("a mount point").is(Errno::EBUSY));
}

#[test]
fn the_text_names_trees_and_binds_in_order_and_forgets_what_was_undone() {
    let w = World::new(&["/a/", "/b/", "/it's here/"]);
    let other: NodeRef = MemTree::new().root();
    w.ns.mount(Arc::clone(&other), "#other", &w.place("/a"), BindFlags::empty()).expect("mount");
    w.bind("/a", "/b", BindFlags::AFTER | BindFlags::CREATE);
    w.bind("/b", "/it's here", BindFlags::empty());
    assert_eq!(w.text(), "mount -c mem /\nmount '#other' /a\nbind -ac /a /b\nbind /b '/it''s here'\n");
    assert!(w.ns.tree(b"#other").is_some());
    w.ns.unmount(None, &w.place("/b")).expect("unmount");
    assert_eq!(w.text(), "mount -c mem /\nmount '#other' /a\nbind /b '/it''s here'\n");
}

#[test]
fn links_are_followed_through_binds_and_end_in_eloop() {
    let w = World::new(&["/a/", "/a/x", "/b/"]);
    let top = w.ns.root();
    let link = |name: &str, target: &str| {
        top.symlink(&w.who, Name::new(name.as_bytes()).expect("a name"), target.as_bytes())
            .now()
            .expect("now")
            .expect(name);
    };
    link("abs", "/b/x");
    link("rel", "a/../b/./x");
    link("loop", "loop");
    link("out", "../../../../a/x");
    link("slash", "a/x/");
    link("dir", "a/");
    w.bind("/a", "/b", BindFlags::empty());
    assert_eq!(w.read("/abs"), "/a/x");
    assert_eq!(w.read("/rel"), "/a/x");
    assert_eq!(w.read("/out"), "/a/x");
    assert!(w.try_place("/loop").expect_err("a loop").is(Errno::ELOOP));
    assert!(w.try_place("/abs/").expect_err("a file").is(Errno::ENOTDIR));
    assert!(w.try_place("/slash").expect_err("a file").is(Errno::ENOTDIR));
    assert_eq!(w.read("/dir/x"), "/a/x");
    assert!(w.try_place("").expect_err("nothing").is(Errno::ENOENT));
}

#[test]
fn a_union_dir_can_be_listed_while_entries_come_and_go() {
    let w = World::new(&["/a/", "/a/1", "/a/2", "/b/", "/b/3", "/b/4"]);
    w.bind("/b", "/a", BindFlags::AFTER);
    let dir = w.place("/a").open(&w.who, OpenFlags::READ).now().expect("now").expect("open");
    let (mut seen, mut cookie) = (Vec::new(), 0);
    loop {
        let (before, from) = (seen.len(), cookie);
        let mut sink = |entry: vfs::DirEntry<'_>| {
            if seen.len() > before {
                return false;
            }
            seen.push(entry.name.to_string());
            cookie = entry.cookie;
            true
        };
        dir.readdir(from, &mut sink).now().expect("now").expect("readdir");
        if seen.len() == before {
            break;
        }
        w.place("/a").unlink(&w.who, name(seen.last().expect("one"))).now().expect("now").expect("unlink");
    }
    seen.sort();
    assert_eq!(seen, ["1", "2", "3", "4"]);
}

#[test]
fn what_the_mode_bits_refuse_is_refused() {
    let w = World::new(&["/a/", "/a/x", "/t/", "/t/theirs"]);
    let user = Caller::new(Uid(1000), Gid(1000));
    let other = Caller::new(Uid(1001), Gid(1001));
    let top = w.ns.root();
    let set = |path: &str, mode: u32, uid: u32| {
        let set = vfs::SetStat { mode: Some(Mode::new(mode)), uid: Some(Uid(uid)), ..Default::default() };
        w.place(path).setstat(&w.who, set).now().expect("now").expect(path);
    };
    set("/a/x", 0o640, 1000);
    let open = |who: &Caller, flags| w.place("/a/x").open(who, flags).now().expect("now").map(drop);
    assert!(open(&user, OpenFlags::READ | OpenFlags::WRITE).is_ok());
    assert!(open(&other, OpenFlags::READ).expect_err("0640").is(Errno::EACCES));
    assert!(top.mkdir(&user, name("new"), Mode::new(0o755)).now().expect("now").is_err(), "/ is root's");
    set("/t", 0o1777, 0);
    set("/t/theirs", 0o666, 1001);
    let error = w.place("/t").unlink(&user, name("theirs")).now().expect("now").expect_err("sticky");
    assert!(error.is(Errno::EPERM));
    w.place("/t").unlink(&other, name("theirs")).now().expect("now").expect("his own");
    set("/a", 0o700, 1001);
    let error =
        top.resolve(&user, b"/a/x", Follow::Yes).now().expect("now").expect_err("no search permission");
    assert!(error.is(Errno::EACCES));
}

/// Unions, binds over files and directories, links and what a user may not search; and a place held from before.
fn tangled() -> (World, Place) {
    let world = World::new(&[
        "/a/",
        "/a/x",
        "/a/shut/",
        "/a/shut/y",
        "/b/",
        "/b/x",
        "/b/z",
        "/c/",
        "/c/d/",
        "/c/d/e",
        "/f",
        "/g",
        "/u/",
    ]);
    let me = root();
    let dir = world.place("/a");
    dir.symlink(&me, name("link"), b"x").now().expect("now").expect("link");
    dir.symlink(&me, name("loop"), b"loop").now().expect("now").expect("loop");
    let shut = vfs::SetStat { mode: Some(Mode::new(0o700)), ..Default::default() };
    world.place("/a/shut").setstat(&me, shut).now().expect("now").expect("chmod");
    world.bind("/a", "/u", BindFlags::BEFORE);
    world.bind("/b", "/u", BindFlags::AFTER);
    world.bind("/f", "/g", BindFlags::empty());
    let held = world.place("/c");
    world.bind("/a", "/c/d", BindFlags::empty());
    (world, held)
}

const PATHS: [&str; 34] = [
    "", "/", ".", "..", "a", "/a/", "/a/x", "a/x/", "a/x/.", "a/x/..", "a/x/y", "a/none", "none/a", "a//x",
    "a/./x", "/a/link", "/a/link/", "a/loop", "a/shut", "a/shut/y", "b/../a/x", "f", "g", "u", "u/x", "u/z",
    "u/none", "u/link", "c/d", "c/d/x", "d", "d/x", "d/e", "e",
];

#[test]
fn a_look_tells_what_the_place_itself_would() {
    let (world, held) = tangled();
    let (me, user) = (root(), Caller::new(Uid(5), Gid(5)));
    let long = [b'n'; 256];
    for from in [&world.ns.root(), &held, &world.place("/u"), &world.place("/f")] {
        for who in [&me, &user] {
            for path in PATHS.map(str::as_bytes).into_iter().chain([&b"a\0"[..], &long, &[b'/'; 5000]]) {
                for follow in [Follow::Yes, Follow::No] {
                    let looked = from.look(who, path, follow).now().expect("now");
                    let place = from.resolve(who, path, follow).now().expect("now");
                    let stat = place.and_then(|place| {
                        let stat = place.stat(who).now().expect("now")?;
                        Ok((place.node().qid(), stat))
                    });
                    let show = |result| format!("{result:?}");
                    let what = path.escape_ascii();
                    assert_eq!(show(looked), show(stat), "{what} from {from:?} as {:?}, {follow:?}", who.uid);
                }
            }
        }
    }
}

#[test]
fn what_is_opened_by_its_path_at_once_is_what_is_found_there() {
    let (world, held) = tangled();
    let (me, user) = (root(), Caller::new(Uid(5), Gid(5)));
    let text = |file: &vfs::FileRef| {
        let mut buf = [0; 100];
        let n = file.read(0, &mut buf).now().expect("now").expect("a file");
        buf[..n].to_vec()
    };
    for from in [&world.ns.root(), &held, &world.place("/u"), &world.place("/f")] {
        for who in [&me, &user] {
            for path in PATHS {
                let mut recall = Recall::default();
                let mut open = || from.open_at_once(who, path.as_bytes(), OpenFlags::READ, &mut recall);
                // The third time the way is known, where it can be.
                let first =
                    open().map(|opened| opened.map(|opened| opened.identity()).map_err(|e| e.errno()));
                open();
                let third = open();
                let again = third.as_ref().map(|opened| match opened {
                    Ok(opened) => Ok(opened.identity()),
                    Err(error) => Err(error.errno()),
                });
                assert_eq!(first, again, "{path} from {from:?}");
                let Some(opened) = third else { continue };
                let found = from.resolve(who, path.as_bytes(), Follow::Yes).now().expect("now");
                match (opened, found) {
                    (Ok(opened), Ok(place)) => {
                        let file = place.open(who, OpenFlags::READ).now().expect("now").expect(path);
                        assert_eq!(opened.identity(), place.qid().path, "{path} from {from:?}");
                        assert_eq!(text(&opened.file), text(&file), "{path} from {from:?}");
                    }
                    (opened, found) => {
                        let (opened, found) = (opened.map(drop), found.map(drop));
                        let errno = |result: Result<(), Error>| result.map_err(|error| error.errno());
                        assert_eq!(errno(opened), errno(found), "{path} from {from:?}");
                    }
                }
            }
        }
    }
    // Binds elsewhere in the tree are in nobody's way.
    let root = world.ns.root();
    assert!(root.open_at_once(&me, b"/a/x", OpenFlags::READ, &mut Recall::default()).is_some());
    assert!(
        root.open_at_once(&me, b"/g", OpenFlags::READ, &mut Recall::default()).is_none(),
        "something is bound there"
    );
    assert!(
        root.open_at_once(&user, b"/a/x", OpenFlags::READ, &mut Recall::default()).is_none(),
        "the mode bits are to be asked"
    );
}

#[test]
fn what_is_made_and_removed_by_its_path_at_once_is_not_what_something_is_bound_over() {
    let (world, _) = tangled();
    let (me, root) = (root(), world.ns.root());
    let make = |path: &str, flags| {
        root.open_or_create_at_once(
            &me,
            path.as_bytes(),
            Mode::new(0o644),
            OpenFlags::WRITE | flags,
            &mut Recall::default(),
        )
    };
    let made = make("/a/new", OpenFlags::EXCLUSIVE).expect("now").expect("made");
    assert_eq!(made.identity(), world.place("/a/new").qid().path);
    let again = make("/a/new", OpenFlags::empty()).expect("now").expect("opened");
    assert_eq!(again.identity(), made.identity());
    assert!(make("/a/new", OpenFlags::EXCLUSIVE).is_none(), "the long way says that it is there");
    assert!(make("/g", OpenFlags::TRUNCATE).is_none(), "something is bound there");
    assert!(make("/u/new", OpenFlags::empty()).is_none(), "a union has a member that takes it");
    world.ns.unmount(None, &world.place("/g")).expect("bound");
    assert_eq!(world.read("/g"), "/g", "what lay under was not cut");
    world.bind("/f", "/g", BindFlags::empty());

    let remove = |path: &str| root.remove_at_once(&me, path.as_bytes(), &mut Recall::default());
    assert!(remove("/g").is_none(), "something is bound there");
    assert!(remove("/u/z").is_none(), "in a union");
    assert!(remove("/b").expect("now").expect_err("a directory").is(Errno::EISDIR));
    assert!(remove("/a/none").expect("now").expect_err("nothing").is(Errno::ENOENT));
    remove("/b/z").expect("now").expect("removed");
    assert!(world.try_place("/b/z").is_err());
    assert_eq!(world.read("/g"), "/f");
}
