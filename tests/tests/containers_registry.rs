//! A registry that does what no registry should: npm in a container says so and ends, nothing of it is believed later, and other
//! containers go on. The registry is this machine's loopback's, behind the server's mirror.

use base64::Engine;
use sha2::{Digest, Sha512};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tests::Server;
use tests::project::{Project, has_npm};

/// What a package of that name has come to, and words of what npm says of it.
const MISDEEDS: [(&str, &[&str]); 10] = [
    ("silent", &["timeout", "ETIMEDOUT"]),
    ("trickle", &["timeout", "ETIMEDOUT"]),
    ("trickled-tarball", &["timeout", "ETIMEDOUT"]),
    ("garbage", &["E502"]),
    ("cut-list", &["E502"]),
    ("cut-tarball", &["E502"]),
    ("other-hash", &["another hash"]),
    ("going-round", &["E502"]),
    ("failing", &["E502"]),
    ("impostor", &["another package"]),
];

struct Rogue {
    base: String,
    /// It does nothing wrong any more.
    mended: AtomicBool,
}

/// What a request gets.
enum Answer {
    Good(Vec<u8>),
    Status(&'static str),
    Never,
    Slowly(Vec<u8>),
    /// Less than its head promised.
    Cut(Vec<u8>),
}

impl Rogue {
    fn open() -> Arc<Rogue> {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let base = format!("http://{}/npm/", listener.local_addr().expect("an address"));
        let rogue = Arc::new(Rogue { base, mended: AtomicBool::new(false) });
        let serving = rogue.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let rogue = serving.clone();
                std::thread::spawn(move || rogue.serve(stream));
            }
        });
        rogue
    }

    fn serve(&self, stream: TcpStream) {
        let lines = BufReader::new(stream.try_clone().expect("a descriptor")).lines();
        let mut lines = lines.map_while(Result::ok);
        while let Some(request) = lines.next() {
            while lines.next().is_some_and(|line| !line.is_empty()) {}
            let path = request.split(' ').nth(1).unwrap_or_default().trim_start_matches("/npm/").to_owned();
            // A client that has gone ends it.
            if self.say(&stream, &path).is_err() {
                return;
            }
        }
    }

    fn say(&self, mut stream: &TcpStream, path: &str) -> std::io::Result<()> {
        let head = |status: &str, length: usize, more: &str| {
            format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n{more}\r\n")
        };
        match self.answer(path) {
            Answer::Good(body) => {
                stream.write_all(head("200 OK", body.len(), "").as_bytes())?;
                stream.write_all(&body)
            }
            Answer::Status(status) => {
                let there = format!("Location: {}{path}\r\n", self.base);
                stream.write_all(head(status, 0, &there).as_bytes())
            }
            Answer::Never => {
                std::thread::sleep(Duration::from_secs(600));
                Ok(())
            }
            Answer::Slowly(body) => {
                stream.write_all(head("200 OK", body.len(), "").as_bytes())?;
                body.iter().try_for_each(|byte| {
                    std::thread::sleep(Duration::from_millis(200));
                    stream.write_all(&[*byte])
                })
            }
            Answer::Cut(body) => {
                stream.write_all(head("200 OK", body.len() * 2, "").as_bytes())?;
                stream.write_all(&body)?;
                stream.shutdown(std::net::Shutdown::Both)
            }
        }
    }

    fn answer(&self, path: &str) -> Answer {
        let (name, is_tarball) = match path.split_once("/-/") {
            Some((name, _)) => (name, true),
            None => (path, false),
        };
        if !MISDEEDS.iter().any(|(known, _)| *known == name) && !["good", "climber"].contains(&name) {
            return Answer::Status("404 Not Found");
        }
        let good = if is_tarball { tarball(name) } else { self.list(name) };
        if self.mended.load(Ordering::Relaxed) {
            return Answer::Good(good);
        }
        match (name, is_tarball) {
            ("silent", _) => Answer::Never,
            ("trickle", _) | ("trickled-tarball", true) => Answer::Slowly(good),
            ("garbage", _) => Answer::Good(b"<html>Please log in to this hotel's network</html>".to_vec()),
            // It ends where it says, and is no JSON.
            ("cut-list", _) => Answer::Good(good[..good.len() / 2].to_vec()),
            ("cut-tarball", true) => Answer::Cut(good[..good.len() / 2].to_vec()),
            ("other-hash", true) => Answer::Good([&good[..], b"more"].concat()),
            ("going-round", _) => Answer::Status("302 Found"),
            ("impostor", false) => Answer::Good(self.list("good")),
            ("failing", _) => Answer::Status("500 Internal Server Error"),
            _ => Answer::Good(good),
        }
    }

    fn list(&self, name: &str) -> Vec<u8> {
        let hash = base64::engine::general_purpose::STANDARD.encode(Sha512::digest(tarball(name)));
        let dist =
            format!(r#"{{"tarball":"{}{name}/-/x-1.0.0.tgz","integrity":"sha512-{hash}"}}"#, self.base);
        let version = format!(r#"{{"name":"{name}","version":"1.0.0","dist":{dist}}}"#);
        format!(r#"{{"name":"{name}","dist-tags":{{"latest":"1.0.0"}},"versions":{{"1.0.0":{version}}}}}"#)
            .into_bytes()
    }
}

/// The same bytes each time: a package that says its name. `climber` has a file that is to land beside node_modules.
fn tarball(name: &str) -> Vec<u8> {
    let dir = tempfile::tempdir().expect("a directory");
    let package = dir.path().join("package");
    std::fs::create_dir(&package).expect("a directory");
    let write = |file: &str, text: &str| std::fs::write(package.join(file), text).expect("a file");
    write("package.json", &format!(r#"{{"name":"{name}","version":"1.0.0"}}"#));
    write("index.js", &format!("module.exports = '{name}'"));
    let mut names = vec!["package/package.json", "package/index.js"];
    if name == "climber" {
        write("evil", "evil");
        names.push("package/evil");
    }
    let script = "tar --owner=0 --group=0 --mtime=@0 -P --transform 's,package/evil,package/../../../evil,' -cf - \"$@\" | gzip -n";
    let tar = Command::new("sh").args(["-c", script, "sh"]).args(names).current_dir(dir.path()).output();
    let tar = tar.expect("tar runs");
    assert!(tar.status.success(), "{}", String::from_utf8_lossy(&tar.stderr));
    tar.stdout
}

const APP: &str = r#"{"name":"app","version":"1.0.0"}"#;

#[test]
fn whatever_a_registry_does_npm_says_so_and_nothing_of_it_is_believed() {
    if !has_npm("a registry that misbehaves") {
        return;
    }
    let rogue = Rogue::open();
    let server =
        Server::start(&["--node-pool", "1", "--npm-registry", &rogue.base, "--npm-cache", "{dir}/npm"]);
    let bystander = Project::new(&server, APP);
    let working = bystander.start("node -e \"setInterval(() => {}, 1000)\"");
    let project = Project::new(&server, APP);
    // npm asks again, and waits, for minutes where nobody tells it otherwise.
    for setting in ["npm_config_fetch_retries=0", "npm_config_fetch_timeout=4000"] {
        project.ctl(&format!("env {setting}"));
    }
    for (name, wanted) in MISDEEDS {
        let said = project.fails(&format!("npm install {name}"));
        assert!(wanted.iter().any(|word| said.contains(word)), "{name}: wanted {wanted:?}: {said}");
        assert!(!project.has(&format!("/app/node_modules/{name}")), "{name}");
    }
    // Those who wait for nothing of it go on.
    assert_eq!(bystander.door.text(&format!("{working}/status")), "running\n");
    bystander.ok("npm install good");
    assert_eq!(bystander.ok("node -p \"require('good')\"").trim(), "good");

    // What came before was not kept: each is what it should be as soon as the registry is.
    rogue.mended.store(true, Ordering::Relaxed);
    let names: Vec<&str> = MISDEEDS.iter().map(|(name, _)| *name).collect();
    let fresh = Project::new(&server, APP);
    fresh.ok(&format!("npm install {}", names.join(" ")));
    let check =
        "for (const n of process.argv.slice(1)) if (require(n) !== n) throw n; console.log(\"each itself\")";
    fresh.put("/app/check.js", check.replace("slice(1)", "slice(2)").as_str());
    assert_eq!(fresh.ok(&format!("node check.js {}", names.join(" "))).trim(), "each itself");
    assert_eq!(bystander.door.text(&format!("{working}/status")), "running\n");
}

#[test]
fn a_tarball_whose_names_lead_out_leaves_nothing_outside_its_package() {
    if !has_npm("a tarball that leads out") {
        return;
    }
    let rogue = Rogue::open();
    let server =
        Server::start(&["--node-pool", "1", "--npm-registry", &rogue.base, "--npm-cache", "{dir}/npm"]);
    let project = Project::new(&server, APP);
    // npm leaves such a file out and warns, or refuses all of it: either will do.
    let (_, said) = project.run("npm install climber");
    let found = project.ok("find / -path /task -prune -o -name evil -print 2>/dev/null; echo looked");
    assert_eq!(found.trim(), "looked", "{said}");
}
