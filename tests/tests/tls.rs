//! 9P over TLS, as a user on another machine has it: certificates, tokens, and what each lets one do. Loopback here.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;
use tests::kernel::Kernel;
use tests::{Server, finish, guests, has_fuse, taskfs, text};

const LIMIT: Duration = Duration::from_secs(30);

/// A certificate authority, and the files of everybody it knows.
struct Authority {
    dir: tempfile::TempDir,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Authority {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let mut params = CertificateParams::new([]).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let cert = params.self_signed(&key).expect("signed");
        std::fs::write(dir.path().join("ca.pem"), cert.pem()).expect("written");
        let authority = Authority { dir, issuer: Issuer::new(params, key) };
        authority.issue("server", &["localhost", "127.0.0.1", "10.0.2.2"]);
        authority
    }

    /// NAME.pem and NAME.key.
    fn issue(&self, name: &str, hosts: &[&str]) {
        let hosts: Vec<String> = hosts.iter().map(|h| (*h).to_owned()).collect();
        let mut params = CertificateParams::new(hosts).expect("names of hosts");
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key");
        let cert = params.signed_by(&key, &self.issuer).expect("signed");
        std::fs::write(self.dir.path().join(format!("{name}.pem")), cert.pem()).expect("written");
        std::fs::write(self.dir.path().join(format!("{name}.key")), key.serialize_pem()).expect("written");
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
    fn path(&self, name: &str) -> String {
        self.file(name).to_str().expect("a UTF-8 path").to_owned()
    }

    /// Adds a user by `taskfs token`, and keeps the secret in NAME.token.
    fn token(&self, name: &str, args: &[&str]) {
        let users = self.path("users");
        let made = run(&[&["token", "--users", &users], args, &[name]].concat());
        std::fs::write(self.file(&format!("{name}.token")), text(made)).expect("written");
    }

    fn serve(&self, more: &[&str]) -> (Server, String) {
        let (cert, key, users) = (self.path("server.pem"), self.path("server.key"), self.path("users"));
        let bind = format!("{}:/guests:ro", guests().display());
        let args =
            ["--listen", "tls://127.0.0.1:0", "--tls-cert", &cert, "--tls-key", &key, "--users", &users];
        let server = Server::start(&[&args[..], &["--bind", &bind], more].concat());
        let tls = server.listening.iter().find(|a| a.starts_with("tls://")).expect("a TLS listener").clone();
        (server, tls)
    }

    /// A client command of the user who has NAME.token.
    fn as_user(&self, name: &str, addr: &str, command: &[&str]) -> Output {
        let (ca, token) = (self.path("ca.pem"), self.path(&format!("{name}.token")));
        run(&[&command[..1], &["-s", addr, "--ca", &ca, "--token-file", &token], &command[1..]].concat())
    }
}

fn run(args: &[&str]) -> Output {
    let mut command = Command::new(taskfs());
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    finish(command.spawn().expect("taskfs starts"), &args.join(" "), LIMIT)
}

/// Its message, after asserting that it failed with that status of sysexits(3).
fn refused(output: &Output, status: i32) -> String {
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(status), "{words}");
    words
}

#[test]
fn users_who_are_let_in_at_the_same_time_are_all_let_in_and_the_file_stays_what_it_was() {
    let authority = Authority::new();
    authority.token("first", &["--uid", "4711"]);
    let (users, real) = (authority.file("users"), authority.file("real"));
    std::fs::rename(&users, &real).expect("renamed");
    std::os::unix::fs::symlink("real", &users).expect("a link");
    std::fs::set_permissions(&real, std::fs::Permissions::from_mode(0o640)).expect("its mode");
    // What one that was killed left there.
    std::fs::write(authority.file("real.new"), "rubbish\n").expect("written");
    std::thread::scope(|all| {
        for n in 0..12 {
            let authority = &authority;
            all.spawn(move || authority.token(&format!("user{n}"), &["--uid", "4712"]));
        }
    });
    let text = std::fs::read_to_string(&real).expect("the users");
    assert!((0..12).all(|n| text.contains(&format!("\nuser{n} "))), "{text}");
    assert_eq!(text.lines().count(), 13, "{text}");
    assert!(users.is_symlink() && !authority.file("real.new").exists());
    assert_eq!(real.metadata().expect("it is there").mode() & 0o777, 0o640);
}

#[test]
fn who_has_a_token_is_its_user_whatever_number_he_names() {
    let authority = Authority::new();
    authority.token("alice", &["--uid", "4711", "--gid", "4712"]);
    let (server, tls) = authority.serve(&[]);
    text(authority.as_user("alice", &tls, &["write", "/tmp/mine", "from", "afar"]));
    assert_eq!(text(authority.as_user("alice", &tls, &["cat", "/tmp/mine"])), "from afar\n");
    let listed = text(run(&["ls", "-s", &server.unix(), "-l", "/tmp"]));
    assert!(listed.contains(" 4711  4712 "), "{listed}");
    // This test runs as root more often than not; alice is not.
    let words = refused(&authority.as_user("alice", &tls, &["write", "/dev/ns", "bind /tmp /bin"]), 77);
    assert!(words.contains("permission denied"), "{words}");
}

#[test]
fn a_program_runs_on_another_machines_server() {
    let authority = Authority::new();
    authority.token("alice", &["--uid", "4711"]);
    let (_server, tls) = authority.serve(&[]);
    let (ca, token) = (authority.path("ca.pem"), authority.path("alice.token"));
    let ran = run(&["run", "--server", &tls, "--ca", &ca, "--token-file", &token, "/guests/hello.wasm"]);
    assert_eq!(text(ran), "Hello, world!\n");
}

#[test]
fn a_user_sees_his_root_and_nothing_above_it() {
    let authority = Authority::new();
    authority.token("alice", &["--uid", "4711", "--root", "/tmp/alice"]);
    let (server, tls) = authority.serve(&[]);
    let unix = server.unix();
    // He cannot attach before his root is there, and is told so.
    let words = refused(&authority.as_user("alice", &tls, &["ls"]), 66);
    assert!(words.contains("file does not exist"), "{words}");
    let mount = |dir: &Path| {
        let dir = dir.to_str().expect("a UTF-8 path");
        text(run(&["mount", "--with", "fuse", &unix, dir]));
    };
    if !has_fuse("a user's root over TLS") {
        return;
    }
    let dir = tempfile::tempdir().expect("a temporary directory");
    mount(dir.path());
    std::fs::create_dir(dir.path().join("tmp/alice")).expect("made");
    std::fs::write(dir.path().join("tmp/alice/hers"), "hers\n").expect("written");
    std::os::unix::fs::symlink("/tmp", dir.path().join("tmp/alice/out")).expect("linked");
    std::fs::write(dir.path().join("tmp/not-hers"), "secret\n").expect("written");
    text(run(&["umount", dir.path().to_str().expect("a UTF-8 path")]));

    assert_eq!(text(authority.as_user("alice", &tls, &["ls"])), "hers\nout\n");
    assert_eq!(text(authority.as_user("alice", &tls, &["cat", "/../../hers"])), "hers\n");
    for path in ["/../not-hers", "/out/not-hers", "/tmp/not-hers"] {
        let output = authority.as_user("alice", &tls, &["cat", path]);
        assert!(!output.status.success(), "{path}: {}", String::from_utf8_lossy(&output.stdout));
    }
}

#[test]
fn capabilities_bind_a_user_and_the_tasks_he_makes() {
    let authority = Authority::new();
    authority.token(
        "ci",
        &["--uid", "4711", "--cap", "fs:/tmp read write", "--cap", "fs:/guests read", "--cap", "spawn"],
    );
    authority.token("reader", &["--uid", "4712", "--cap", "fs:/tmp read"]);
    let (server, tls) = authority.serve(&[]);
    text(run(&["write", "-s", &server.unix(), "/home/secret", "secret"]));
    text(run(&["write", "-s", &server.unix(), "/tmp/open", "open"]));

    let words = refused(&authority.as_user("ci", &tls, &["cat", "/home/secret"]), 77);
    assert!(words.contains("no capability \"fs:/home/secret read\""), "{words}");
    let id = text(authority.as_user("ci", &tls, &["cat", "/task/new"])).trim().to_owned();
    let ctl = format!("/task/{id}/ctl");
    let words = refused(&authority.as_user("ci", &tls, &["write", &ctl, "cap fs:/ read"]), 77);
    assert!(words.contains("its maker has not"), "{words}");
    text(authority.as_user(
        "ci",
        &tls,
        &["write", &format!("/task/{id}/cmd"), "/guests/cat.wasm /home/secret"],
    ));
    text(authority.as_user("ci", &tls, &["write", &ctl, "start"]));
    let wait = text(authority.as_user("ci", &tls, &["cat", &format!("/task/{id}/wait")]));
    assert!(!wait.contains("''"), "it was to fail: {wait}");
    assert_eq!(text(authority.as_user("ci", &tls, &["cat", &format!("/task/{id}/stdio/1")])), "");
    let words = refused(&authority.as_user("ci", &tls, &["write", "/dev/ns", "bind /home /tmp"]), 77);
    assert!(words.contains("permission denied"), "{words}");

    assert_eq!(text(authority.as_user("reader", &tls, &["cat", "/tmp/open"])), "open\n");
    refused(&authority.as_user("reader", &tls, &["write", "/tmp/open", "shut"]), 77);
    let words = refused(&authority.as_user("reader", &tls, &["cat", "/task/new"]), 77);
    assert!(words.contains("no capability \"spawn\""), "{words}");
}

#[test]
fn nobody_gets_in_without_a_token_or_certificate_that_the_server_knows() {
    let authority = Authority::new();
    authority.token("alice", &["--uid", "4711"]);
    let (server, tls) = authority.serve(&[]);
    let ca = authority.path("ca.pem");
    std::fs::write(authority.file("wrong.token"), "0123456789abcdef\n").expect("written");
    let words = refused(&authority.as_user("wrong", &tls, &["ls"]), 77);
    assert!(words.contains("unknown token"), "{words}");
    // No token at all; TLS of another authority; no TLS at all.
    assert!(!run(&["ls", "-s", &tls, "--ca", &ca]).status.success());
    let words = refused(&run(&["ls", "-s", &tls]), 69);
    assert!(words.contains("certificate"), "{words}");
    assert!(!run(&["ls", "-s", &tls.replace("tls:", "tcp:")]).status.success());
    // A user whose line is taken out.
    std::fs::write(authority.file("users"), "").expect("written");
    refused(&authority.as_user("alice", &tls, &["ls"]), 77);
    assert!(text(run(&["ls", "-s", &server.unix()])).contains("task"), "the others are served");
}

#[test]
fn a_client_certificate_is_the_user_of_its_name() {
    let authority = Authority::new();
    std::fs::write(authority.file("users"), "build uid=4711\n").expect("written");
    std::os::unix::fs::chown(authority.file("users"), None, None).expect("ours");
    let ca = authority.path("ca.pem");
    let (server, tls) = authority.serve(&["--tls-client-ca", &ca]);
    for name in ["build", "stranger"] {
        authority.issue(name, &[]);
    }
    let with = |of: &Authority, name: &str, command: &[&str]| {
        let (cert, key) = (of.path(&format!("{name}.pem")), of.path(&format!("{name}.key")));
        run(&[&command[..1], &["-s", &tls, "--ca", &ca, "--cert", &cert, "--key", &key], &command[1..]]
            .concat())
    };
    text(with(&authority, "build", &["write", "/tmp/built", "it"]));
    assert!(text(run(&["ls", "-s", &server.unix(), "-l", "/tmp"])).contains(" 4711 "));
    assert!(!with(&authority, "stranger", &["ls"]).status.success(), "his name is not listed");
    let other = Authority::new();
    other.issue("build", &[]);
    assert!(!with(&other, "build", &["ls"]).status.success(), "another authority's word counts for nothing");
}

#[test]
fn a_tls_listener_names_the_option_that_it_lacks() {
    let words = refused(&run(&["serve", "--listen", "tls://127.0.0.1:0"]), 64);
    assert!(words.contains("--tls-cert"), "{words}");
    let authority = Authority::new();
    let (cert, key) = (authority.path("server.pem"), authority.path("server.key"));
    let given = ["serve", "--listen", "tls://127.0.0.1:0", "--tls-cert", &cert, "--tls-key", &key];
    assert!(refused(&run(&given), 64).contains("--users"));
    std::fs::write(authority.file("users"), "alice uid=x\n").expect("written");
    let words = refused(&run(&[&given[..], &["--users", &authority.path("users")]].concat()), 66);
    assert!(words.contains("users:1: \"x\": not a user or group number"), "{words}");
    std::fs::write(authority.file("users"), "alice uid=1\n").expect("written");
    let words = refused(&run(&[&given[..6], &[&cert, "--users", &authority.path("users")]].concat()), 66);
    assert!(words.contains("server.pem"), "{words}");
}

#[test]
fn a_bad_line_for_the_users_file_is_refused_and_changes_nothing() {
    let authority = Authority::new();
    authority.token("alice", &["--uid", "4711"]);
    let before = std::fs::read(authority.file("users")).expect("there");
    let users = authority.path("users");
    for args in [&["--uid", "1", "--cap", "frob", "bob"][..], &["alice"], &["nobody-of-this-name"]] {
        refused(&run(&[&["token", "--users", &users], args].concat()), 64);
    }
    assert_eq!(std::fs::read(authority.file("users")).expect("there"), before);
}

#[test]
fn taskfs_mount_reaches_a_tls_server_over_fuse() {
    if !has_fuse("taskfs mount of a TLS server") {
        return;
    }
    let authority = Authority::new();
    authority.token("root", &["--uid", "0"]);
    let (_server, tls) = authority.serve(&[]);
    let dir = tempfile::tempdir().expect("a temporary directory");
    let at = dir.path().to_str().expect("a UTF-8 path");
    let (ca, token) = (authority.path("ca.pem"), authority.path("root.token"));
    text(run(&["mount", "--with", "fuse", "--ca", &ca, "--token-file", &token, &tls, at]));
    std::fs::write(dir.path().join("tmp/f"), "over TLS\n").expect("written");
    assert_eq!(text(authority.as_user("root", &tls, &["cat", "/tmp/f"])), "over TLS\n");
    text(run(&["umount", at]));
}

#[test]
fn the_kernels_client_reaches_a_tls_server_over_a_bridge_that_keeps_the_secret() {
    let Some(kernel) = Kernel::boot("base", "the kernel's 9p client and a TLS server") else { return };
    let authority = Authority::new();
    authority.token("guest", &["--uid", "4711"]);
    let (_server, tls) = authority.serve(&[]);
    let tls = tls.replace("127.0.0.1", "10.0.2.2");
    let secret = std::fs::read_to_string(authority.file("guest.token")).expect("there");
    let ca = std::fs::read_to_string(authority.file("ca.pem")).expect("there");
    let script = format!(
        "cd /tmp; printf %s \"$CA\" > ca.pem; printf %s \"$TOKEN\" > token; mkdir -p /mnt/tls
         {} mount --with kernel --ca ca.pem --token-file token {tls} /mnt/tls
         echo bridged > /mnt/tls/tmp/f && cat /mnt/tls/tmp/f && stat -c %u /mnt/tls/tmp/f
         grep ' /mnt/tls 9p ' /proc/mounts; umount /mnt/tls && ls /mnt/tls",
        taskfs().display(),
    );
    let (out, err) = kernel.bash(&script, &[("CA", &ca), ("TOKEN", secret.trim())], 0, 60);
    assert!(out.starts_with("bridged\n4711\n") && err.is_empty(), "{out}{err}");
    assert_eq!(out.lines().count(), 3, "{out}");
    assert!(!out.contains(secret.trim()), "{out}");
}
