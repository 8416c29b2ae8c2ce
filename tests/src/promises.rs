//! What POSIX and Linux promise of files, as a table of bash scripts: each works in an empty directory, and what it prints must
//! be what it prints on the tmpfs of the same kernel. The same table runs on every tree and on every way to it.
//!
//! The users are numbers: 2000 is also of the groups 2005 and 2006, 2002's own group is 2005, and all others have one of their
//! own number and no more. Over 9P, which tells no groups, the server must know them so ([`USERS`]).

use std::time::Duration;

/// A row of the table.
pub struct Promise {
    pub name: &'static str,
    /// Programs that it runs beside coreutils and python3.
    pub needs: &'static [&'static str],
    pub script: &'static str,
}

/// Before every script: the directory, and the words that scripts share. `as UID GID GROUPS COMMAND…` runs one as another user
/// (GROUPS: supplementary ones, by commas, or -); `no COMMAND…` is a command that must fail, and says how.
const PRELUDE: &str = r#"
set -u; umask 022; export LC_ALL=C.UTF-8 TZ=UTC
cd "$D" || exit 1
as() { local u=$1 g=$2 s=$3; shift 3; [ "$s" = - ] && s=--clear-groups || s=--groups=$s; setpriv --reuid "$u" --regid "$g" "$s" "$@"; }
no() { local said; if said=$("$@" 2>&1); then echo "done: $*: $said"; else echo "refused: ${said##*: }"; fi; }
mode() { stat -c '%A %u %g %n' "$@"; }
lists() { getfacl -nc "$@" 2>&1; }
py() { python3 -c "import errno, os, stat, struct, sys
def no(what, *args):
    try: print('done:', what(*args))
    except OSError as e: print('refused:', errno.errorcode[e.errno])
$1" "${@:2}"; }
"#;

/// Lines of passwd(5) and group(5).
pub const USERS: [&str; 2] =
    ["a:x:2000:2000::/:/bin/sh\nc:x:2002:2005::/:/bin/sh\n", "a:x:2000:\nfive:x:2005:a\nsix:x:2006:a\n"];

pub const PROMISES: &[Promise] = &[
    Promise {
        name: "access control lists: entries, mask and mode",
        needs: &["setfacl"],
        script: r#"
            touch f; mkdir d; ln -s f l; chmod 640 f
            setfacl -m u:1000:rw,u:1001:r,g:1002:rwx f; lists f; mode f
            chmod 604 f; lists f; mode f; chmod 664 f; lists f
            setfacl -m m::r f; mode f; setfacl -x u:1001 f; lists f; setfacl -x m f 2>&1 | head -1
            setfacl -m u::rwx,o::- f; mode f
            setfacl -b f; lists f; mode f
            setfacl -m u::r,g::w,o::x f; mode f; lists f; py 'print(os.listxattr("f"))'
            setfacl -d -m u:1000:rwx,o::- d; lists d; mode d; setfacl -k d; lists d
            setfacl -m u:1000:7 d; lists d; py 'print(sorted(os.listxattr("d")))'
            no setfacl -d -m u:1000:7 f
            py 'no(os.setxattr, "f", "system.posix_acl_access", b"\2\0\0\0" + b"\1\0\7\0" + b"\xff"*4)
no(os.setxattr, "f", "system.posix_acl_access", b"\1\0\0\0")
no(os.setxattr, "f", "system.posix_acl_access", b"\2\0\0")
no(os.getxattr, "f", "system.posix_acl_access"); no(os.getxattr, "f", "system.posix_acl_default")
no(os.removexattr, "f", "system.posix_acl_access"); no(os.removexattr, "f", "system.posix_acl_default")'"#,
    },
    Promise {
        name: "access control lists: who gets in",
        needs: &["setfacl", "setpriv"],
        script: r#"
            chmod 755 .; echo text > f; chmod 600 f; mkdir d; echo below > d/f; chmod 700 d
            try() { for u in '2000 2000 2005,2006' '2001 2001 -' '2002 2005 -' '2003 2003 -'; do
                for c in 'cat f' 'echo more >> f' 'cat d/f' 'ls d' 'touch d/new && rm d/new' 'test -x f' 'test -w f'; do
                    as $u bash -c "$c" > /tmp/out.$$ 2>&1 && r=yes || r=no; echo "$u: $c: $r"; done; done; rm -f /tmp/out.$$; }
            setfacl -m u:2001:rw,g:2005:r,g:2006:w f; setfacl -m u:2001:rwx,u:2003:x,g:2005:rx d; try
            chmod g=r f; chmod g=x d; try
            chown 2000:2005 f; setfacl -m u::-,g::rwx,m::rwx,o::rwx,u:2001:- f; try
            as 2001 2001 - bash -c 'chmod 777 f; setfacl -b f; setfacl -m u:2001:7 f; chown 2001 f' 2>&1 | sed 's/.*: //'
            as 2000 2000 2005,2006 setfacl -m u:2009:r f; lists f"#,
    },
    Promise {
        name: "access control lists: inherited, whatever the umask",
        needs: &["setfacl"],
        script: r#"
            mkdir d; setfacl -d -m u:1000:rwx,g:1001:rx,g::rx,o::x d
            umask 077; touch d/f; mkdir d/sub; mkdir -m 700 d/private; (umask 0; mkfifo d/p; mkdir d/open; touch d/g)
            ln -s f d/l; ln d/f d/name; cp /bin/true d/cp; install -m 750 /bin/true d/inst
            touch plain; mkdir pdir
            cd d; lists f sub private p open g name cp inst; mode f sub private p open g l cp inst; mode ../plain ../pdir
            mkdir sub/sub; touch sub/sub/f; lists sub/sub/f; mode sub/sub/f
            py 'import socket
s = socket.socket(socket.AF_UNIX); s.bind("s"); os.close(os.open("o", os.O_CREAT | os.O_RDWR, 0o640)); os.mknod("n", 0o664)'; lists o n; mode o n s
            setfacl -k .; touch h; mode h; setfacl -b sub; touch sub/k; mode sub/k"#,
    },
    Promise {
        name: "access control lists: set-group-id, copies and moves",
        needs: &["setfacl", "setpriv", "rsync"],
        script: r#"
            mkdir -m 2775 g; chgrp 60 g; chmod 2775 g; setfacl -d -m u:1000:rwx g; mkdir g/d; touch g/f; mode g/d g/f; lists g/d g/f
            touch s; chown 2001:2005 s; chmod 6755 s; as 2001 2001 - setfacl -m u:1001:r s; mode s
            touch t; chown 2000:2005 t; chmod 6755 t; as 2000 2000 2005,2006 setfacl -m u:1001:r t; mode t
            touch r; chmod 6755 r; setfacl -m u:1001:r r; mode r; as 1000 1000 - setfacl -m u:1001:r r 2>&1 | sed 's/.*: //'
            cp -a g c; lists c c/d c/f; mode c c/d c/f; mv c m; lists m
            rsync -aA g/ y/; lists y y/d y/f; mode y y/d
            getfacl -R g > /tmp/acls.$$; cp -r g z; setfacl -Rb z; mv g old; mv z g; setfacl --restore=/tmp/acls.$$; rm /tmp/acls.$$; lists g g/d"#,
    },
    Promise {
        name: "extended attributes: spaces, sizes and errors",
        needs: &["setpriv"],
        script: r#"
            touch f; chmod 666 f; mkdir d; ln -s f l; mkfifo p
            cat > /tmp/x.$$ <<'END'
x = [b"", b"v", bytes(range(256)), b"n" * 1000]
for name in ["trusted.t", "security.s", "security.capability", "system.x", "other.o", "user", "user.", "trusted.", ".x", "system.posix_acl_accessx"]:
    print(name); no(os.setxattr, "f", name, b"1"); no(os.getxattr, "f", name); no(os.removexattr, "f", name); no(os.getxattr, "f", name)
for value in x:
    no(os.setxattr, "f", "trusted.v", value); no(os.getxattr, "f", "trusted.v")
no(os.setxattr, "f", "trusted.v", b"2", os.XATTR_CREATE); no(os.setxattr, "f", "trusted.w", b"2", os.XATTR_REPLACE)
no(os.setxattr, "f", "trusted.w", b"2", os.XATTR_CREATE); no(os.setxattr, "f", "trusted.w", b"3", os.XATTR_REPLACE)
no(os.setxattr, "f", "trusted." + "n" * 247, b"long name"); no(os.setxattr, "f", "trusted." + "n" * 248, b""); no(os.getxattr, "f", "trusted." + "n" * 248)
no(os.setxattr, "f", "trusted.big", b"x" * 65537); no(os.getxattr, "f", "trusted.big")
print(sorted(n for n in os.listxattr("f") if not n.startswith("user.")))
for where in ["d", "p", "l"]:
    no(os.setxattr, where, "trusted.t", where.encode(), 0, ) ; no(lambda: os.setxattr(where, "trusted.s", b"itself", follow_symlinks=False)); no(lambda: os.getxattr(where, "trusted.s", follow_symlinks=False))
    print(sorted(n for n in os.listxattr(where, follow_symlinks=False) if not n.startswith("user.")))
import ctypes
c = ctypes.CDLL(None, use_errno=True)
b = ctypes.create_string_buffer(70000)
for size in [0, 1, 2, 1000, 65536, 70000]:
    print(size, c.getxattr(b"f", b"trusted.w", b, size), errno.errorcode.get(ctypes.get_errno(), 0)); ctypes.set_errno(0)
    print(size, c.listxattr(b"f", b, size) > 0, errno.errorcode.get(ctypes.get_errno(), 0)); ctypes.set_errno(0)
END
            py "$(cat /tmp/x.$$)"
            as 1000 1000 - python3 -c "import errno, os
$(sed -n '/^def no/,/refused/p' <<< "def no(what, *args):
    try: print('done:', what(*args))
    except OSError as e: print('refused:', errno.errorcode[e.errno])")
for name in ['trusted.w', 'security.s']:
    no(os.setxattr, 'f', name, b'1'); no(os.getxattr, 'f', name); no(os.removexattr, 'f', name)
print(sorted(n for n in os.listxattr('f') if not n.startswith('user.')))"
            rm /tmp/x.$$"#,
    },
    Promise {
        name: "set-id bits and capabilities go with a write, a cut and a new owner",
        needs: &["setpriv"],
        script: r#"
            cat > /tmp/p.$$ <<'END'
def made(mode):
    with open("f", "wb") as f: f.write(b"x" * 10000)
    os.chown("f", 0, 0); os.chmod("f", mode | 0o666)
def by(uid, what):
    # Opened first: what is passed through to the kernel must mind bits that come later.
    if os.fork() == 0:
        try:
            os.setgroups([]); os.setgid(uid); os.setuid(uid); what(os.open("f", os.O_RDWR)); os._exit(0)
        except BaseException as e: print(e); sys.stdout.flush(); os._exit(1)
    os.wait(); print(uid, what.__name__, oct(stat.S_IMODE(os.stat("f").st_mode)))
def write(fd): os.write(fd, b"y")
def pwrite(fd): os.pwrite(fd, b"y", 5000)
def append(fd): os.write(os.open("f", os.O_WRONLY | os.O_APPEND), b"y")
def nothing(fd): os.write(fd, b"")
def ftruncate(fd): os.ftruncate(fd, 5)
def longer(fd): os.ftruncate(fd, 50000)
def truncate(fd): os.truncate("f", 5)
def trunc_open(fd): os.open("f", os.O_WRONLY | os.O_TRUNC)
def fallocate(fd): os.posix_fallocate(fd, 0, 20000)
def read(fd): os.read(fd, 100)
def copy(fd): os.copy_file_range(os.open("f", os.O_RDONLY), fd, 100, 0, 500)
import time
todo = [write, pwrite, append, nothing, ftruncate, longer, truncate, trunc_open, read, copy]
if sys.argv[1:] != ["9p"]: todo.append(fallocate)
for mode in [0o6111, 0o2000, 0o4000, 0o6000]:
    for what in todo:
        for uid in [1000, 0]: made(mode); by(uid, what)
# Bits that are set while the file is open.
made(0); r, w = os.pipe(); r2, w2 = os.pipe()
if os.fork() == 0:
    os.setgid(1000); os.setuid(1000); fd = os.open("f", os.O_RDWR); os.write(w, b"1"); os.read(r2, 1); os.write(fd, b"late"); os._exit(0)
os.read(r, 1); os.chmod("f", 0o6777); os.write(w2, b"1"); os.wait(); print("late", oct(os.stat("f").st_mode))
for mode in [0o6755, 0o2745, 0o6644]:
    made(0); os.chmod("f", mode); os.chown("f", 1000, 1000); print("chown", oct(os.stat("f").st_mode))
    os.mkfifo("p"); os.chmod("p", mode); os.chown("p", 1000, 1000); print("fifo", oct(os.stat("p").st_mode)); os.unlink("p")
capability = struct.pack("<IIIII", 0x2000001, 1 << 10, 0, 0, 0)
for what in [write, truncate, trunc_open, lambda fd: os.chown("f", 1, 1)]:
    made(0); no(os.setxattr, "f", "security.capability", capability); no(os.getxattr, "f", "security.capability")
    what(os.open("f", os.O_RDWR)); no(os.getxattr, "f", "security.capability")
END
            chmod 777 .; py "$(cat /tmp/p.$$)" $KIND; rm /tmp/p.$$"#,
    },
    Promise {
        name: "supplementary groups open, and files are given to them",
        needs: &["setpriv"],
        script: r#"
            chmod 777 .; echo text > f; chgrp 2005 f; chmod 640 f; mkdir -m 770 d; chgrp 2005 d
            a() { as 2000 2000 2005,2006 "$@"; }; b() { as 2001 2001 - "$@"; }; c() { as 2002 2005 - "$@"; }
            a bash -c 'cat f; touch d/mine; ls d; test -w f || echo not to write'
            no b cat f; no b ls d; c cat f; c ls d
            a bash -c 'echo own > own; chgrp 2005 own; chgrp 2006 own; chmod 2755 own; stat -c "%u %g %a" own'
            no a chgrp 2007 own; mode own; chown 2001:2006 own; b chmod 2755 own; mode own
            chmod 2777 d; b bash -c 'touch d/theirs; mkdir d/dir; stat -c "%g %a" d/theirs d/dir'
            a bash -c 'umask 0; python3 -c "import os; os.mknod(\"d/sgid\", 0o2777)"; stat -c "%g %a" d/sgid'
            b bash -c 'umask 0; python3 -c "import os; os.mknod(\"d/nogid\", 0o2777)"; stat -c "%g %a" d/nogid'
            for u in a b; do printf '' > w; chown 0:2005 w; chmod 2666 w; $u bash -c 'echo >> w'; mode w; done
            chmod 1777 d; c rm -f d/mine 2>&1 | sed 's/.*: //'; a rm d/mine; ls d"#,
    },
    Promise {
        name: "times keep their nanoseconds before 1970 and beyond 2038",
        needs: &[],
        script: r#"
            touch f; for t in '1969-12-31 23:59:58.5' '2038-01-19 03:14:08.123456789' '2200-02-03 04:05:06.000000007' '1901-12-13 20:45:52'; do
                touch -d "$t" f; stat -c '%x %y' f; mkdir -p d; touch -d "$t" d; stat -c '%y' d; ln -sf x l; touch -hd "$t" l; stat -c %y l; done
            py 'os.utime("f", ns=(10**18 * 4 + 1, -10**9 - 1)); s = os.stat("f"); print(s.st_atime_ns, s.st_mtime_ns)'
            touch -a -d '2001-01-01' f; touch -m -d '2002-02-02' f; stat -c '%x %y' f; touch -r f g; stat -c '%y' g"#,
    },
    Promise {
        name: "files beyond 4 GiB",
        needs: &[],
        script: r#"
            py 'fd = os.open("f", os.O_RDWR | os.O_CREAT)
for at in [2**31 - 1, 2**32 - 2, 2**32, 5 * 2**30, 2**40]:
    print(os.pwrite(fd, b"four", at), os.pread(fd, 8, at - 2), os.fstat(fd).st_size, os.lseek(fd, 0, os.SEEK_END))
os.ftruncate(fd, 2**42 + 1); print(os.fstat(fd).st_size, os.pread(fd, 10, 2**42 - 1)); os.ftruncate(fd, 2**32 + 1); print(os.fstat(fd).st_size, os.pread(fd, 10, 2**32 - 4))
print(os.stat("f").st_blocks * 512 < 2**24)'
            stat -c %s f; tail -c 5 f | od -An -c; dd if=f bs=4096 skip=1048575 count=2 2>/dev/null | od -An -c | tail -2"#,
    },
    Promise {
        name: "names of 255 bytes and of any bytes",
        needs: &[],
        script: r#"
            py 'names = [bytes([c]) for c in range(1, 256) if c not in b"./"] + [bytes([255, 254, 128]) + b" not UTF-8", b"n" * 255, bytes([0xf0]) * 255, b"...", b"-rf", b" "]
for n in names: open(n, "wb").write(n)
assert sorted(os.listdir(b".")) == sorted(names); assert all(open(n, "rb").read() == n for n in names)
for n in names: os.rename(n, n[:200] + b"~renamed"); os.symlink(n, n)
print(len(os.listdir(b".")), all(os.readlink(n) == n for n in names))
no(open, "n" * 256, "w"); no(os.mkdir, "n" * 256); no(os.rename, "n" * 255, "n" * 256); no(os.stat, "./" * 2048 + "x"); no(os.symlink, "t" * 4096, "long")
os.symlink("t" * 4095, "longest"); print(len(os.readlink("longest")))'
            find . -type l | wc -l; find . -name '*renamed' -delete; ls | wc -l"#,
    },
    Promise {
        name: "open files outlive their names, and names move under them",
        needs: &[],
        script: r#"
            py 'f = open("f", "w+b", 0); f.write(b"before"); os.unlink("f"); no(os.stat, "f"); f.write(b"after"); f.seek(0); print(f.read(), os.fstat(f.fileno()).st_nlink, os.fstat(f.fileno()).st_size)
os.fchmod(f.fileno(), 0o600); os.ftruncate(f.fileno(), 3); print(oct(os.fstat(f.fileno()).st_mode), os.fstat(f.fileno()).st_size)
open("f", "w").write("another"); print(os.fstat(f.fileno()).st_ino != os.stat("f").st_ino)
g = open("g", "w+b", 0); g.write(b"old"); open("h", "w").write("new"); os.rename("h", "g"); g.seek(0); print(g.read(), open("g").read(), os.fstat(g.fileno()).st_nlink)
os.mkdir("d"); d = os.open("d", os.O_RDONLY); os.rmdir("d"); print(os.listdir(d)); no(lambda: os.open("x", os.O_CREAT | os.O_WRONLY, dir_fd=d))
os.mkdir("e"); os.mkdir("e/f"); no(os.rmdir, "e"); no(os.rename, "e", "e/f/g"); no(os.rename, "e", "f"); no(os.rename, "f", "e"); no(os.link, "e", "x"); no(os.unlink, "e"); no(os.rmdir, "f")'"#,
    },
];

/// A script that takes longer hangs.
pub fn patience() -> Duration {
    Duration::from_secs(120)
}

impl Promise {
    pub fn whole(&self) -> String {
        format!("{PRELUDE}\n{}", self.script)
    }
}

/// The rows that can be run here; those that a missing program keeps from running are noted.
pub fn wanted() -> Vec<&'static Promise> {
    let only = std::env::var("TASKFS_PROMISE").unwrap_or_default();
    let has = |program: &&str| {
        let found = crate::sh(&format!("command -v {program}"), &[], Duration::from_secs(20));
        found.status.success()
    };
    let all = PROMISES.iter().filter(|promise| promise.name.contains(&only));
    all.filter(|promise| match promise.needs.iter().find(|program| !has(program)) {
        Some(program) => {
            crate::cannot_run(promise.name, &format!("{program} is missing"));
            false
        }
        None => true,
    })
    .collect()
}

/// What differs between what a row printed on tmpfs and elsewhere, line by line; none where nothing does.
pub fn difference(promise: &Promise, on: &str, tmpfs: &str, there: &str) -> Option<String> {
    if tmpfs == there {
        return None;
    }
    let (mut ours, mut its) = (there.lines(), tmpfs.lines());
    let mut wrong = format!("{on}: {}:\n", promise.name);
    loop {
        match (its.next(), ours.next()) {
            (None, None) => return Some(wrong),
            (its, ours) if its == ours => {}
            (its, ours) => {
                let line = |line: Option<&str>| line.unwrap_or("(nothing)").to_owned();
                wrong.push_str(&format!("  tmpfs: {}\n  here:  {}\n", line(its), line(ours)));
            }
        }
    }
}
