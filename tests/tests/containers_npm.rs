//! npm in containers, with the engine that people use: installing and running, what is off until it is allowed, and what goes
//! wrong at a registry. A small registry on this machine's loopback is the registry here, behind the server's mirror, so that
//! nothing depends on the network; that
//! real packages install is tried in containers_projects.rs.

use base64::Engine;
use sha2::{Digest, Sha512};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tests::Server;
use tests::project::{Project, has_npm};

/// A registry that is reached through a proxy only.
const BEHIND_PROXY: &str = "http://registry.invalid/npm/";

/// Manifest, tarball, and the hash that is told of it.
type Offer = (String, Vec<u8>, String);

/// A registry of a few small packages.
#[derive(Default)]
struct Shop {
    packages: Mutex<HashMap<String, Offer>>,
    requests: AtomicUsize,
    closed: AtomicBool,
    /// Tarballs come as slowly as never.
    stalls: AtomicBool,
}

impl Shop {
    fn open() -> (Arc<Shop>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let at = format!("http://{}/npm/", listener.local_addr().expect("an address"));
        let shop = Arc::new(Shop::default());
        let (serving, base) = (shop.clone(), at.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (shop, base) = (serving.clone(), base.clone());
                std::thread::spawn(move || shop.serve(stream, &base));
            }
        });
        (shop, at)
    }

    /// Offers version 1.0.0 of `name`, with these files.
    fn offer(&self, name: &str, manifest: &str, files: &[(&str, &str)]) {
        let dir = tempfile::tempdir().expect("a directory");
        let package = dir.path().join("package");
        std::fs::create_dir(&package).expect("a directory");
        let manifest = format!(r#"{{"name":"{name}","version":"1.0.0",{manifest}"main":"index.js"}}"#);
        for (file, text) in files.iter().copied().chain([("package.json", manifest.as_str())]) {
            std::fs::write(package.join(file), text).expect("a file");
        }
        let mut tar = Command::new("tar");
        let tar = tar.args(["-czf", "-", "package"]).current_dir(dir.path()).output().expect("tar runs");
        assert!(tar.status.success());
        let hash = base64::engine::general_purpose::STANDARD.encode(Sha512::digest(&tar.stdout));
        self.packages.lock().expect("no panic").insert(name.into(), (manifest, tar.stdout, hash));
    }

    fn spoil(&self, name: &str) {
        let mut packages = self.packages.lock().expect("no panic");
        packages.get_mut(name).expect("it is offered").1.push(0);
    }

    fn serve(&self, stream: TcpStream, base: &str) {
        let mut lines =
            BufReader::new(stream.try_clone().expect("a descriptor")).lines().map_while(Result::ok);
        while let Some(request) = lines.next() {
            while lines.next().is_some_and(|line| !line.is_empty()) {}
            if self.closed.load(Ordering::Relaxed) {
                return;
            }
            self.requests.fetch_add(1, Ordering::Relaxed);
            let path = request.split(' ').nth(1).unwrap_or_default();
            // As a proxy it is asked for a whole URL.
            let (path, base) = match path.strip_prefix(BEHIND_PROXY) {
                Some(path) => (path, BEHIND_PROXY),
                None => (path.trim_start_matches("/npm/"), base),
            };
            let (status, body) = self.answer(&path.replace("%2f", "/"), base);
            let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", body.len());
            let sent = (&stream).write_all(head.as_bytes()).and_then(|()| (&stream).write_all(&body));
            if sent.is_err() {
                return;
            }
        }
    }

    fn answer(&self, path: &str, base: &str) -> (&'static str, Vec<u8>) {
        let name = path.split("/-/").next().unwrap_or_default();
        let packages = self.packages.lock().expect("no panic");
        let Some((manifest, tarball, hash)) = packages.get(name).cloned() else {
            return ("404 Not Found", Vec::new());
        };
        drop(packages);
        if path.contains("/-/") {
            while self.stalls.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(20));
            }
            return ("200 OK", tarball);
        }
        let dist =
            format!(r#""dist":{{"tarball":"{base}{name}/-/x-1.0.0.tgz","integrity":"sha512-{hash}"}}"#);
        let version = format!("{},{dist}}}", manifest.trim_end_matches('}'));
        let list = format!(
            r#"{{"name":"{name}","dist-tags":{{"latest":"1.0.0"}},"versions":{{"1.0.0":{version}}}}}"#
        );
        ("200 OK", list.into_bytes())
    }
}

fn server(registry: &str) -> Server {
    Server::start(&["--node-pool", "1", "--npm-registry", registry, "--npm-cache", "{dir}/npm"])
}

const EMPTY: &str = r#"{"name":"app","version":"2.1.0"}"#;

#[test]
fn packages_are_installed_by_name_scope_and_lock_file_and_a_second_container_needs_no_registry() {
    if !has_npm("installing with npm") {
        return;
    }
    let (shop, at) = Shop::open();
    shop.offer("@us/inner", "", &[("index.js", "module.exports = 'inner'")]);
    let program = "#!/usr/bin/env node\nconsole.log('says', require('@us/inner'), ...process.argv.slice(2))";
    let manifest = r#""bin":{"says":"cli.js"},"dependencies":{"@us/inner":"^1.0.0"},"#;
    shop.offer("outer", manifest, &[("cli.js", program), ("index.js", "module.exports = 'outer'")]);
    let server = server(&at);

    let first = Project::new(&server, EMPTY);
    first.ok("npm install outer");
    assert_eq!(first.ok("node -p \"require('outer')\"").trim(), "outer");
    assert_eq!(first.ok("node_modules/.bin/says so").trim(), "says inner so");
    assert_eq!(first.ok("npx says it").trim(), "says inner it");
    let runner = "#!/usr/bin/env node\nconsole.log('ran', process.argv[2])";
    shop.offer("runner", r#""bin":"cli.js","#, &[("cli.js", runner), ("index.js", "")]);
    assert_eq!(first.ok("npx --yes runner once").trim(), "ran once");
    assert!(!first.has("/app/node_modules/runner"));
    let lock = first.text("/app/package-lock.json");
    assert!(lock.contains("https://registry.npmjs.org/outer/-/"), "good for every registry: {lock}");
    for kept in ["content-v2", "index-v5"] {
        assert!(!first.has(&format!("/home/.npm/_cacache/{kept}")), "the mirror's cache is enough: {kept}");
    }

    shop.closed.store(true, Ordering::Relaxed);
    let asked = shop.requests.load(Ordering::Relaxed);
    let second = Project::new(&server, &first.text("/app/package.json"));
    second.put("/app/package-lock.json", &lock);
    second.ok("npm ci");
    assert_eq!(second.ok("node_modules/.bin/says again").trim(), "says inner again");
    assert_eq!(shop.requests.load(Ordering::Relaxed), asked);

    let third = Project::new(&server, EMPTY);
    third.ctl("cap net:deny 127.0.0.1:4873");
    let said = third.fails("npm install outer");
    assert!(said.contains("ECONNREFUSED"), "{said}");
}

#[test]
fn scripts_run_in_the_shell_and_those_of_packages_only_where_it_is_allowed() {
    if !has_npm("scripts of npm") {
        return;
    }
    let (shop, at) = Shop::open();
    let manifest = r#""bin":"cli.js","scripts":{"postinstall":"echo ran > ran"},"#;
    let program = "#!/usr/bin/env node\nconsole.log('a tool')";
    shop.offer("tool", manifest, &[("cli.js", program), ("index.js", "")]);
    let server = server(&at);
    let project = Project::new(
        &server,
        r#"{"name":"app","version":"2.1.0","scripts":{"preall":"echo before","postall":"echo after",
            "all":"echo $npm_package_version && tool | tr a-z A-Z","fails":"exit 3"}}"#,
    );
    project.ok("npm install tool");
    assert!(!project.has("/app/node_modules/tool/ran"));
    let said = project.ok("npm run -s all");
    assert_eq!(said, "2.1.0\nA TOOL\n");
    assert_eq!(project.ok("true && npm run -s all"), said, "also where a shell gave npm its standard files");
    project.fails("npm run -s fails");

    project.ctl("env npm_config_ignore_scripts=false");
    assert_eq!(project.ok("npm run -s all"), "before\n2.1.0\nA TOOL\nafter\n");
    project.ok("npm rebuild");
    assert!(project.has("/app/node_modules/tool/ran"));
}

#[test]
fn workspaces_are_linked_and_run_by_their_names() {
    if !has_npm("npm's workspaces") {
        return;
    }
    let (_shop, at) = Shop::open();
    let server = server(&at);
    let project = Project::new(&server, r#"{"name":"app","workspaces":["one","two"]}"#);
    project.ok("mkdir one two");
    project.put("/app/one/package.json", r#"{"name":"one","version":"1.0.0"}"#);
    project.put("/app/one/index.js", "module.exports = 'of one'");
    let two = r#"{"name":"two","dependencies":{"one":"1"},"scripts":{"go":"node -p 'require(\"one\")'"}}"#;
    project.put("/app/two/package.json", two);
    project.ok("npm install");
    assert_eq!(project.ok("npm run -s go -w two").trim(), "of one");
}

#[test]
fn a_project_may_be_the_containers_root_and_an_es_module_there() {
    if !has_npm("npm in a container's root") {
        return;
    }
    let (shop, at) = Shop::open();
    shop.offer("tool", "", &[("index.js", "module.exports = 'a tool'")]);
    let server = server(&at);
    let manifest = r#"{"name":"app","type":"module","scripts":{"hi":"echo hi"}}"#;
    let project = Project::new_at(&server, "/", &[("package.json", manifest), ("src/only-once", "")]);
    project.ok("npm install tool");
    assert_eq!(project.ok("npm run -s hi"), "hi\n");
    assert_eq!(project.ok("npx -c pwd"), "/\n");
    // A program that looks through its root finds each file once, and not again in every task.
    assert_eq!(project.ok("find / -name only-once"), "/src/only-once\n");
}

#[test]
fn the_registry_is_reached_through_a_proxy_where_one_is_set() {
    if !has_npm("npm's registry behind a proxy") {
        return;
    }
    let (shop, at) = Shop::open();
    shop.offer("far", "", &[("index.js", "module.exports = 'from far'")]);
    let proxy = at.replace("/npm/", "/");
    let server = Server::start(&[
        "--node-pool",
        "1",
        "--npm-registry",
        BEHIND_PROXY,
        "--npm-proxy",
        &proxy,
        "--npm-cache",
        "{dir}/npm",
    ]);
    let project = Project::new(&server, EMPTY);
    project.ok("npm install far");
    assert_eq!(project.ok("node -p \"require('far')\"").trim(), "from far");
}

#[test]
fn what_is_wrong_is_said_by_npm_and_the_container_goes_on() {
    if !has_npm("npm's errors") {
        return;
    }
    let (shop, at) = Shop::open();
    for name in ["good", "spoilt"] {
        shop.offer(name, "", &[("index.js", "module.exports = 1")]);
    }
    shop.spoil("spoilt");
    let server = server(&at);
    let project = Project::new(&server, "{ this is not JSON");
    let said = project.fails("npm install good");
    assert!(said.contains("EJSONPARSE"), "{said}");
    project.put("/app/package.json", EMPTY);
    let said = project.fails("npm install spoilt");
    assert!(said.contains("another hash"), "{said}");
    let said = project.fails("npm install nowhere");
    assert!(said.contains("E404"), "{said}");
    project.ok("npm install good");
    shop.closed.store(true, Ordering::Relaxed);
    let said = project.fails("npm install never-seen");
    assert!(said.contains("502") && said.contains(&at), "{said}");
    assert_eq!(project.ok("node -p \"require('good')\"").trim(), "1");
}

#[test]
fn a_container_is_destroyed_in_the_middle_of_an_install_and_another_one_installs() {
    if !has_npm("destroying amid npm install") {
        return;
    }
    let (shop, at) = Shop::open();
    shop.offer("slow", "", &[("index.js", "module.exports = 1")]);
    shop.stalls.store(true, Ordering::Relaxed);
    let server = server(&at);
    let first = Project::new(&server, EMPTY);
    first.start("npm install slow");
    let deadline = Instant::now() + Duration::from_secs(120);
    while shop.requests.load(Ordering::Relaxed) < 2 {
        assert!(Instant::now() < deadline, "npm asked for nothing");
        std::thread::sleep(Duration::from_millis(10));
    }
    first.ctl("destroy");
    assert!(!first.door.exists(&first.dir));
    shop.stalls.store(false, Ordering::Relaxed);
    let second = Project::new(&server, EMPTY);
    second.ok("npm install slow");
    assert_eq!(second.ok("node -p \"require('slow')\"").trim(), "1");
}
