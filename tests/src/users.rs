//! Who a mount's processes are to the server, by the kernel's `access` option: with `user` and `client` each is its own user,
//! attached for on its first look; with `any` all are the mount's one user, with a number only the user of that number is.

use crate::Server;
use crate::kernel::Kernel;
use crate::matrix::serve;

/// A mount, and where the tests run on it.
struct Mounted<'a> {
    kernel: &'a Kernel,
    at: String,
    /// For whoever reads a failure.
    name: String,
    _server: Server,
}

impl<'a> Mounted<'a> {
    fn new(kernel: &'a Kernel, options: &str) -> Self {
        let server = serve();
        let at = format!("/mnt/{}", server.port());
        kernel.mount(&at, server.port(), options);
        Mounted { kernel, at, name: format!("{} {options}", kernel.version), _server: server }
    }

    fn as_user(&self, uid: u32, script: &str) -> (String, String) {
        self.kernel.bash(script, &[("M", &self.at)], uid, 60)
    }

    /// What a script printed, which complains of nothing.
    fn said(&self, uid: u32, script: &str) -> String {
        let (out, err) = self.as_user(uid, script);
        assert_eq!(err, "", "{}: {uid}: {script}", self.name);
        out
    }
}

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        // Where a test has failed, the guest ends with it.
        let _unmounted = self.kernel.exec(&format!("umount {}", self.at), 60);
    }
}

/// All of it, in the dialects that have numbers for users.
pub fn every_access_is_what_its_name_says(kernel: &Kernel) {
    for options in
        ["version=9p2000.L,access=user", "version=9p2000.L,access=client", "version=9p2000.u,access=user"]
    {
        each_is_its_own_user(&Mounted::new(kernel, &format!("{options},cache=none")));
    }
    for dialect in ["9p2000.L", "9p2000.u"] {
        all_are_one_user(&Mounted::new(kernel, &format!("version={dialect},access=any,cache=none")));
        one_alone_may(&Mounted::new(kernel, &format!("version={dialect},access=1000,cache=none")));
    }
}

fn each_is_its_own_user(mount: &Mounted<'_>) {
    let name = &mount.name;
    let made = mount
        .said(1000, "umask 077; echo secret > $M/tmp/mine; stat -c '%u %g %a' $M/tmp/mine; cat $M/tmp/mine");
    assert_eq!(made, "1000 1000 600\nsecret\n", "{name}");
    let script = "cat $M/tmp/mine; echo spoilt > $M/tmp/mine; rm -f $M/tmp/mine; stat -c %u $M/tmp/mine";
    let (out, err) = mount.as_user(1001, script);
    assert_eq!(out, "1000\n", "{name}: looking at a file is open to all, what is in it is not");
    assert_eq!(err.matches("Permission denied").count(), 2, "{name}: {err}");
    assert_eq!(err.matches("Operation not permitted").count(), 1, "{name}: {err}");
    let shared = mount.said(1001, "umask 022; echo open > $M/tmp/theirs; stat -c '%u %a' $M/tmp/theirs");
    assert_eq!(shared, "1001 644\n", "{name}");
    let (out, err) = mount.as_user(1000, "cat $M/tmp/theirs; echo spoilt > $M/tmp/theirs");
    assert_eq!((&*out, err.matches("Permission denied").count()), ("open\n", 1), "{name}: {err}");
    assert_eq!(mount.said(0, "cat $M/tmp/mine; rm $M/tmp/mine $M/tmp/theirs"), "secret\n", "{name}");
}

/// Without a `uname` the kernel names nobody.
fn all_are_one_user(mount: &Mounted<'_>) {
    let name = &mount.name;
    let made = mount.said(1000, "umask 0; echo a > $M/tmp/any; stat -c '%u %a' $M/tmp/any");
    assert_eq!(made, "65534 666\n", "{name}: to the server 1000 is nobody");
    let more = mount.said(1001, "echo b >> $M/tmp/any; stat -c %u $M/tmp/any; cat $M/tmp/any");
    assert_eq!(more, "65534\na\nb\n", "{name}: and so is 1001");
    let (_, err) = mount.as_user(0, "echo c > $M/at-the-top");
    assert!(err.contains("Permission denied"), "{name}: and so is the superuser: {err}");
}

fn one_alone_may(mount: &Mounted<'_>) {
    let name = &mount.name;
    assert_eq!(mount.said(1000, "echo a > $M/tmp/one; cat $M/tmp/one"), "a\n", "{name}");
    let (out, err) = mount.as_user(1001, "ls $M/tmp");
    assert_eq!(out, "", "{name}");
    assert!(err.contains("Operation not permitted") || err.contains("Permission denied"), "{name}: {err}");
}
