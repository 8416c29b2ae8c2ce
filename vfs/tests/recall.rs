//! Whoever remembers where a path led finds what a walk finds, whatever happens to the names on the way.

use tempfile::TempDir;
use vfs::mem::MemTree;
use vfs::{
    BindFlags, Caller, Follow, Gid, HostTree, Mode, Name, Namespace, NodeRef, OpenFlags, Place, Recall,
    RenameFlags, SetStat, Uid,
};

/// Numbers that are the same in each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % end
    }
    fn of<'a>(&mut self, some: &[&'a str]) -> &'a str {
        some[self.below(some.len())]
    }
}

const NAMES: [&str; 4] = ["a", "b", "h", "link"];
const WAYS: [&str; 8] = ["", "a/", "b/", "h/", "a/b/", "b/a/", "a/h/", "link/"];

struct World {
    ns: Namespace,
    me: Caller,
    host: NodeRef,
    _dir: TempDir,
}

impl World {
    fn new() -> World {
        let ns = Namespace::new(MemTree::new().root(), "mem");
        let dir = tempfile::tempdir().expect("a directory");
        for name in NAMES {
            std::fs::write(dir.path().join(name), name).expect("a file");
        }
        let host = HostTree::open(dir.path()).expect("a tree").root();
        World { ns, me: Caller::new(Uid(0), Gid(0)), host, _dir: dir }
    }

    fn place(&self, path: &str) -> Option<Place> {
        self.ns.root().resolve(&self.me, path.as_bytes(), Follow::No).now().expect("at once").ok()
    }

    /// Something that may change where paths lead, of so many sorts; what cannot be done is left.
    fn change(&self, dice: &mut Dice, sorts: usize) {
        let me = &self.me;
        let way = format!("/{}", dice.of(&WAYS));
        let (Some(dir), name) = (self.place(&way), dice.of(&NAMES)) else { return };
        let entry = Name::new(name.as_bytes()).expect("a name");
        match dice.below(sorts) {
            0..8 => drop(dir.mkdir(me, entry, Mode::new(0o755)).now()),
            8..12 => drop(dir.create(me, entry, Mode::new(0o644), OpenFlags::WRITE).now()),
            12..16 => drop(dir.unlink(me, entry).now()),
            16..20 => drop(dir.rmdir(me, entry).now()),
            20..30 => {
                let to = self.place(&format!("/{}", dice.of(&WAYS)));
                let new = Name::new(dice.of(&NAMES).as_bytes()).expect("a name");
                if let Some(to) = to {
                    let _ = dir.rename(me, entry, &to, new, RenameFlags::empty()).now();
                }
            }
            30..34 => drop(dir.symlink(me, entry, b"/a").now()),
            34..36 => {
                let mode = Mode::new([0o755, 0o700, 0o711][dice.below(3)]);
                let _ = dir.setstat(me, SetStat { mode: Some(mode), ..SetStat::default() }).now();
            }
            36 | 40..50 => {
                let _ = match self.place(&format!("{way}{name}")) {
                    Some(at) if dice.below(2) == 0 => {
                        self.ns.mount(self.host.clone(), "host", &at, BindFlags::empty())
                    }
                    Some(at) => self.ns.bind(&self.ns.root(), &at, BindFlags::AFTER | BindFlags::CREATE),
                    None => Ok(()),
                };
            }
            _ => {
                if let Some(at) = self.place(&format!("{way}{name}")) {
                    let _ = self.ns.unmount(None, &at);
                }
            }
        }
    }
}

#[test]
fn a_way_that_is_remembered_leads_where_a_walk_leads_whatever_is_changed() {
    let mut known = 0;
    for seed in 0..20 {
        let (world, mut dice) = (World::new(), Dice(seed));
        let callers = [world.me.clone(), Caller::new(Uid(7), Gid(7))];
        let mut recalls = [Recall::default(), Recall::default()];
        let root = world.ns.root();
        let mut way = "";
        for _ in 0..1500 {
            if dice.below(3) == 0 {
                // With binds that come and go, or nearly without.
                world.change(&mut dice, if seed % 2 == 0 { 40 } else { 60 });
            }
            // Mostly where it went before.
            if dice.below(8) == 0 {
                way = dice.of(&WAYS);
            }
            let path = format!("/{way}{}", dice.of(&NAMES));
            let follow = if dice.below(2) == 0 { Follow::Yes } else { Follow::No };
            for (who, recall) in callers.iter().zip(&mut recalls) {
                // Often enough that the way is learned.
                for _ in 0..3 {
                    let walked = root.resolve(who, path.as_bytes(), follow).now().expect("at once");
                    let stat = walked.and_then(|place| place.stat(who).now().expect("at once"));
                    let wanted = stat.map(|stat| (stat.qid.path, stat.mode)).map_err(|error| error.errno());
                    let mut stat = None;
                    if let Some(looked) = root.look_at_once(who, path.as_bytes(), follow, recall, &mut stat) {
                        let told = |_| stat.map(|stat| (stat.qid.path, stat.mode)).expect("the stat");
                        let got = looked.map(told).map_err(|error| error.errno());
                        assert_eq!(got, wanted, "seed {seed}: {path} by {:?}", who.uid);
                        known += 1;
                    }
                    if let Some(opened) = root.open_at_once(who, path.as_bytes(), OpenFlags::READ, recall) {
                        let place = root.resolve(who, path.as_bytes(), Follow::Yes).now().expect("at once");
                        let found = place.and_then(|place| {
                            let opened = place.open(who, OpenFlags::READ).now().expect("at once");
                            opened.map(|_| place.qid().path)
                        });
                        let got = opened.map(|opened| opened.identity()).map_err(|error| error.errno());
                        assert_eq!(got, found.map_err(|e| e.errno()), "seed {seed}: {path} by {:?}", who.uid);
                    }
                }
            }
        }
    }
    assert!(known > 10_000, "{known} of 180 000 were known");
}

#[test]
fn a_directory_is_stamped_anew_when_its_names_or_its_mode_change_and_not_when_it_is_looked_at() {
    let world = World::new();
    let (root, me) = (world.ns.root(), &world.me);
    let stamp = || root.node().stamp().expect("memory trees count");
    let before = stamp();
    assert!(root.walk(me, b"a").now().expect("at once").is_err());
    root.stat(me).now().expect("at once").expect("a stat");
    assert_eq!(stamp(), before);
    root.mkdir(me, Name::new(b"a").expect("a name"), Mode::new(0o755)).now().expect("at once").expect("made");
    let made = stamp();
    assert_ne!(made, before);
    let mode = SetStat { mode: Some(Mode::new(0o700)), ..SetStat::default() };
    root.setstat(me, mode).now().expect("at once").expect("set");
    assert_ne!(stamp(), made);
}
