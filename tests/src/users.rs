//! Who a mount's processes are to the server: with access=user each is its own user, attached for on its first look.

use crate::kernel::Kernel;
use crate::matrix::serve;

/// A file of one user, and what others may do to it, in the dialects that have numbers for users.
pub fn every_process_is_its_own_user(kernel: &Kernel) {
    for dialect in ["9p2000.L", "9p2000.u"] {
        let server = serve();
        let at = format!("/mnt/{}", server.port());
        kernel.mount(&at, server.port(), &format!("version={dialect},cache=none,access=user"));
        let as_user = |uid, script: &str| kernel.bash(script, &[("M", &at)], uid, 60);
        let where_ = format!("{} {dialect}", kernel.version);

        let made = as_user(
            1000,
            "umask 077; echo secret > $M/tmp/mine; stat -c '%u %g %a' $M/tmp/mine; cat $M/tmp/mine",
        );
        assert_eq!(made, ("1000 1000 600\nsecret\n".to_owned(), String::new()), "{where_}");
        let script = "cat $M/tmp/mine; echo spoilt > $M/tmp/mine; rm -f $M/tmp/mine; stat -c %u $M/tmp/mine";
        let (out, err) = as_user(1001, script);
        assert_eq!(out, "1000\n", "{where_}: looking at a file is open to all, what is in it is not");
        assert_eq!(err.matches("Permission denied").count(), 2, "{where_}: {err}");
        assert_eq!(err.matches("Operation not permitted").count(), 1, "{where_}: {err}");
        let (out, _) = as_user(0, "cat $M/tmp/mine; rm $M/tmp/mine");
        assert_eq!(out, "secret\n", "{where_}");
        kernel.exec(&format!("umount {at}"), 60);
    }
}
