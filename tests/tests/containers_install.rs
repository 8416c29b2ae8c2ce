//! Installs that the server does itself, and the same ones by npm: the same files, to the byte, whatever the project. What is
//! npm's alone is handed over, and comes out as npm's.

use nine::wire::OpenFlags;
use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use tests::Server;
use tests::project::{Project, with_registry};

fn server(what: &str, more: &[&str]) -> Option<Server> {
    with_registry(what, &Path::new(env!("CARGO_TARGET_TMPDIR")).join("npm"), more)
}

/// How often the server installed, and how often npm did.
fn counts(project: &Project) -> (u64, u64) {
    let said = project.door.text("/runtime/npm/stats");
    let count = |name: &str| {
        let line = said.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|count| count.trim().parse().ok()).expect("a count")
    };
    (count("installed"), count("handed-over"))
}

/// All that is in the project: kinds, modes, links, and what is in files. Of times nothing.
fn files_of(project: &Project) -> BTreeSet<String> {
    let archive = project.door.read(&format!("{}/export", project.dir)).expect("an archive");
    let dir = tempfile::tempdir().expect("a directory");
    let mut tar = Command::new("tar")
        .args(["-xpf", "-", "-C"])
        .arg(dir.path())
        .stdin(Stdio::piped())
        .spawn()
        .expect("tar");
    tar.stdin.take().expect("a pipe").write_all(&archive).expect("it is taken");
    assert!(tar.wait().expect("it ends").success());
    let script = "cd app && find . -printf '%P %y %m %l\\n' | sort && find . -type f -print0 | sort -z | xargs -0 sha256sum";
    let said = Command::new("sh").args(["-c", script]).current_dir(dir.path()).output().expect("sh");
    let said = String::from_utf8(said.stdout).expect("text");
    said.lines().map(str::to_owned).collect()
}

struct Done {
    files: BTreeSet<String>,
    lock: String,
    by_server: bool,
}

/// A command in a new container with a project, and whether the server did it.
fn done(server: &Server, project: &[(&str, &str)], line: &str, by_npm: bool) -> Done {
    let project = Project::new_at(server, "/app", project);
    if by_npm {
        project.ctl("env TASKFS_NPM_CLI=1");
    }
    let before = counts(&project);
    let said = project.ok(line);
    assert!(said.contains("added "), "{said}");
    let after = counts(&project);
    assert_eq!(after.0 + after.1, before.0 + before.1 + 1, "{said}");
    let done = Done {
        files: files_of(&project),
        lock: project.text("/app/package-lock.json"),
        by_server: after.0 > before.0,
    };
    project.ctl("destroy");
    done
}

#[track_caller]
fn same(ours: &Done, theirs: &Done, what: &str) {
    let missing: Vec<_> = theirs.files.difference(&ours.files).take(20).collect();
    let more: Vec<_> = ours.files.difference(&theirs.files).take(20).collect();
    if ours.lock != theirs.lock {
        let pair = ours.lock.lines().zip(theirs.lock.lines()).find(|(ours, theirs)| ours != theirs);
        panic!("{what}: the lock files differ: {pair:?}");
    }
    assert!(missing.is_empty() && more.is_empty(), "{what}: npm has {missing:#?}, the server {more:#?}");
}

/// Installs without a lock file, with the one that came of it, and as it says: each by the server and by npm. The first is the
/// server's where `fresh` says so; else it may be npm's.
fn compare(server: &Server, manifest: &str, fresh: bool) {
    let project = [("package.json", manifest)];
    let ours = done(server, &project, "npm install", false);
    assert!(ours.by_server || !fresh, "{manifest}");
    let theirs = done(server, &project, "npm install", true);
    same(&ours, &theirs, manifest);
    let locked = [("package.json", manifest), ("package-lock.json", theirs.lock.as_str())];
    for line in ["npm ci", "npm install"] {
        let ours = done(server, &locked, line, false);
        assert!(ours.by_server, "{line}: {manifest}");
        same(&ours, &theirs, &format!("{line}: {manifest}"));
    }
}

/// What npm printed, but for how long it took.
fn summary(said: &str) -> Vec<&str> {
    let lines = said.lines().filter(|line| !line.is_empty());
    let mut lines: Vec<&str> =
        lines.map(|line| line.rsplit_once(" in ").map_or(line, |(what, _)| what)).collect();
    lines.sort_unstable();
    lines
}

/// Command lines one after the other, in a project of the server's and in one of npm's: both are the same after each. A line in
/// front of which there is `npm's: ` may be npm's in both; the others must be the server's.
fn compare_steps(server: &Server, files: &[(&str, &str)], lines: &[&str]) {
    let (ours, theirs) = (Project::new_at(server, "/app", files), Project::new_at(server, "/app", files));
    theirs.ctl("env TASKFS_NPM_CLI=1");
    for line in lines {
        let (is_free, line) = line.strip_prefix("npm's: ").map_or((false, *line), |line| (true, line));
        let before = counts(&ours);
        let said = ours.ok(line);
        let after = counts(&ours);
        let is_npm = line.starts_with("npm ");
        assert!(is_free || !is_npm || after == (before.0 + 1, before.1), "{line} is npm's: {said}");
        let by_npm = theirs.ok(line);
        assert_eq!(summary(&said), summary(&by_npm), "{line}");
        let (mine, npms) = (files_of(&ours), files_of(&theirs));
        for name in ["package.json", "package-lock.json"] {
            let text = |project: &Project| project.run(&format!("cat {name}")).1;
            assert_eq!(text(&ours), text(&theirs), "{line}: {name}");
        }
        let missing: Vec<_> = npms.difference(&mine).take(20).collect();
        let more: Vec<_> = mine.difference(&npms).take(20).collect();
        assert!(missing.is_empty() && more.is_empty(), "{line}: npm has {missing:#?}, the server {more:#?}");
    }
    ours.ctl("destroy");
    theirs.ctl("destroy");
}

const APP: &str = "{\n  \"name\": \"app\",\n  \"version\": \"1.0.0\"\n}\n";

#[test]
fn packages_that_are_asked_for_by_name_come_change_and_go_as_with_npm() {
    let Some(server) = server("packages by name compared with npm's", &[]) else { return };
    let lines = [
        "npm install ms@2.0.0",
        "npm install",
        "npm i debug",
        "npm install -D @types/node@20 mime@~3.0.0",
        "npm i ms@latest --save-exact",
        "npm install mime",
        "npm uninstall debug",
        "npm rm not-there",
        "npm install rimraf@5",
        "npm i ms@^2.0.0 chalk@4",
        "npm ci",
        "npm uninstall rimraf ms",
        "npm remove @types/node mime chalk",
    ];
    compare_steps(&server, &[("package.json", APP)], &lines);
}

#[test]
fn an_application_grows_as_with_npm() {
    let Some(server) = server("an application that grows compared with npm's", &[]) else { return };
    let tabs = "{\n\t\"license\": \"MIT\",\n\t\"scripts\": {},\n\t\"dependencies\": {}\n}";
    let lines = [
        "npm install express@4",
        "npm install -D typescript@5 @types/express",
        "npm i express@5",
        "npm install react@19 react-dom@19",
        "npm uninstall express",
        "sed -i s/react-dom.*/react-is\\\":\\\"19\\\"/ package.json && npm install",
    ];
    compare_steps(&server, &[("package.json", tabs)], &lines);
}

#[test]
fn a_project_without_a_package_json_gets_one() {
    let Some(server) = server("a new project compared with npm's", &[]) else { return };
    compare_steps(&server, &[], &["npm install ms@2", "npm i -D mime"]);
    let line = [("package.json", r#"{"name":"app"}"#)];
    compare_steps(&server, &line, &["npm install ms"]);
}

#[test]
fn express_packages_with_scopes_and_other_names_come_out_as_npm_makes_them() {
    let Some(server) = server("installs compared with npm's", &[]) else { return };
    compare(&server, r#"{"name":"app","version":"1.0.0","dependencies":{"express":"^5"}}"#, true);
    let manifest = r#"{"license":"MIT","dependencies":{"express":"^4","@types/express":"latest","chalk":"4"},
        "devDependencies":{"typescript":"^5","mime":"3","rimraf":"^5"},"engines":{"node":">=18"}}"#;
    compare(&server, manifest, true);
    let manifest = r#"{"name":"app","dependencies":{"other":"npm:ms@2.1.3","react-dom":"^19","react":"19"}}"#;
    compare(&server, manifest, true);
}

#[test]
fn jest_comes_out_as_npm_makes_it() {
    let Some(server) = server("jest's install compared with npm's", &[]) else { return };
    compare(&server, r#"{"name":"app","devDependencies":{"jest":"^29","@types/jest":"^29"}}"#, false);
}

#[test]
fn vite_with_react_comes_out_as_npm_makes_it() {
    let Some(server) = server("vite's install compared with npm's", &["--npm-wasm"]) else { return };
    let manifest = r#"{"name":"app","type":"module","dependencies":{"react":"^19","react-dom":"^19"},
        "devDependencies":{"vite":"^6","@vitejs/plugin-react":"^4"}}"#;
    compare(&server, manifest, false);
}

#[test]
fn what_leaves_anything_open_is_handed_over_to_npm() {
    let Some(server) = server("installs that are npm's", &[]) else { return };
    let plain = r#"{"name":"app","dependencies":{"ms":"2.1.3"}}"#;
    let by_server = |files: &[(&str, &str)], line: &str| done(&server, files, line, false).by_server;
    assert!(by_server(&[("package.json", plain)], "npm install --no-audit"));
    assert!(!by_server(&[("package.json", plain)], "npm install other@npm:ms@2.1.2"));
    assert!(!by_server(&[("package.json", plain)], "npm install --omit=dev"));
    assert!(!by_server(&[("package.json", plain), (".npmrc", "save-exact=true\n")], "npm install"));
    let own = r#"{"name":"app","dependencies":{"here":"file:."}}"#;
    assert!(!by_server(&[("package.json", own)], "npm install"));
    let overrides = r#"{"name":"app","dependencies":{"debug":"4"},"overrides":{"ms":"2.1.2"}}"#;
    assert!(!by_server(&[("package.json", overrides)], "npm install"));
    // Its own lock file says otherwise.
    let lock = r#"{"name":"app","lockfileVersion":3,"requires":true,"packages":{"":{"name":"app","dependencies":{"ms":"1"}}}}"#;
    assert!(!by_server(&[("package.json", plain), ("package-lock.json", lock)], "npm install"));

    let project = Project::new_at(&server, "/app", &[("package.json", plain)]);
    let events = project.door.open(&format!("{}/events", project.dir), OpenFlags::empty()).expect("events");
    project.ok("npm install");
    let (mut told, mut read) = (String::new(), 0);
    while !told.contains("progress npm 'added 1 package in ") {
        let more = events.read(read, 4096).expect("more events");
        read += more.len() as u64;
        told += &String::from_utf8_lossy(&more);
    }
    assert!(told.contains("progress npm '0 of 1 packages'\n"), "{told}");
    let before = counts(&project);
    assert!(
        project.ok("TASKFS_NPM_CLI=1 npm install").contains("up to date"),
        "npm knows the server's work again"
    );
    assert_eq!(counts(&project), (before.0, before.1 + 1));
    assert!(project.ok("npm install").contains("up to date"), "and the server npm's");
    assert_eq!(counts(&project), (before.0 + 1, before.1 + 1));
    // What somebody took away npm looks for itself.
    project.ok("rm -r node_modules/ms");
    assert!(project.ok("npm install").contains("added 1 package"));
    assert_eq!(counts(&project), (before.0 + 1, before.1 + 2));
}

#[test]
fn of_an_install_that_cannot_go_on_npm_says_why() {
    let Some(server) = server("installs without room", &[]) else { return };
    let manifest = r#"{"name":"app","devDependencies":{"typescript":"^5"}}"#;
    let project = Project::new(&server, manifest);
    project.ctl("limit disk=4M");
    let said = project.fails("npm install");
    assert!(said.contains("ENOSPC"), "{said}");
    project.ctl("limit disk=none");
    project.ok("rm -rf node_modules package-lock.json && npm install");
    assert_eq!(project.ok("node -p \"typeof require(\\\"typescript\\\").version\"").trim(), "string");
}
