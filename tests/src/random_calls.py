"""Random calls on directories that are to be alike, compared call by call, and the trees that are left.

usage: random_calls.py SEED ROUNDS [as=UID] [without=WHAT,WHAT...] REFERENCE DIR...

Each round is a new directory below each of those given, and 120 calls of one user: what a call gives or fails with must be what
it does in REFERENCE. The first difference of a round is shown with the round's number: `random_calls.py THAT 1 ...` does it again.

Not compared, or not done, is what docs/posix.md names: times of last access, times of fifos, where holes are, chown(2) of neither
owner, FALLOC_FL_ZERO_RANGE, O_TMPFILE, set-id bits of what is mapped, and devices, which a mount does not open. What differs on some
trees only is left out by `without`: a call by its name, set-id (bits are not compared), unappend (O_APPEND is not taken off),
replace-by-nothing (of an attribute's value), own-locks (an open file is not asked for them),
sockets (none is made), unlinked, unlinked-others (what is open and has no name is let be).
"""

import ctypes
import errno
import fcntl
import mmap
import os
import random
import shutil
import stat
import struct
import sys
import time

CALLS = 120
LIBC = ctypes.CDLL(None, use_errno=True)
NAMES = ["a", "b", "c", "d", "e", "a/x", "a/y", "b/x", "d/x", "d/y/z", "l", "l/x", "n" * 255, "n" * 256, "a/.", "d/", "l/",
         "b/x/", "c/x/../x", "\udcff\udc81"]
MODES = [0o644, 0o600, 0o755, 0o777, 0, 0o4755, 0o2711, 0o1777]
OPEN = [0, 0, 0, os.O_CREAT, os.O_CREAT, os.O_CREAT | os.O_EXCL, os.O_TRUNC, os.O_CREAT | os.O_TRUNC, os.O_APPEND,
        os.O_CREAT | os.O_APPEND, os.O_DIRECTORY, os.O_NOFOLLOW, os.O_CREAT | os.O_NOFOLLOW, os.O_TRUNC | os.O_NOFOLLOW, os.O_PATH]
ATTRIBUTES = ["user.a", "user.b", "trusted.c", "user.", "foo.x", "user." + "k" * 249, "user." + "k" * 251]
FIFO_OR_SUCH = [stat.S_IFIFO, stat.S_IFREG, stat.S_IFSOCK, stat.S_IFCHR]
# Times that were set are long ago.
SET = 10 ** 18
RWF_APPEND = 0x10
# What may change times, or must not.
TIMED = ["write", "pwrite", "map", "append", "truncate", "ftruncate", "chmod", "fchmod", "chown", "setxattr", "removexattr",
         "fallocate", "copy_file_range", "read", "stat", "listdir", "link", "access", "fsync", "writev", "open"]


class Skipped(Exception):
    """Not to be done here, for one of the reasons above."""


def system_call(name, *args):
    if getattr(LIBC, name)(*args) < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return "done"


def in_child(call):
    """What a process of its own gets for a call."""
    end, start = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            said = repr(call())
        except OSError as error:
            said = errno.errorcode.get(error.errno, "?")
        os.write(start, said.encode())
        os._exit(0)
    os.close(start)
    with open(end, "rb") as answer:
        said = answer.read()
    os.waitpid(child, 0)
    return said


def is_let_be(file):
    """Whether it is open, has no name, and is not looked at here."""
    if not {"unlinked", "unlinked-others"}.intersection(WITHOUT):
        return False
    try:
        about = os.fstat(file)
    except FileNotFoundError:
        return True
    # Linux's 9P client has nothing of its own of a fifo, nor of a directory that is open with O_PATH.
    others = stat.S_ISFIFO(about.st_mode) or stat.S_ISDIR(about.st_mode)
    return about.st_nlink == 0 and ("unlinked" in WITHOUT or others)


class Calls:
    """What can be called, in one directory. Each has the round's dice; all directories are thrown the same numbers."""

    def __init__(self, root, set_id):
        self.root, self.set_id, self.files, self.maps = root, set_id, {}, {}

    def path(self, dice):
        return os.path.join(self.root, dice.choice(NAMES))

    def file(self, dice):
        file = self.files.get(dice.randrange(6))
        if file is None or is_let_be(file):
            raise Skipped
        return file

    def regular(self, dice):
        file = self.file(dice)
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise Skipped
        return file

    def about(self, found):
        kind = stat.S_IFMT(found.st_mode)
        mode = found.st_mode
        if kind == stat.S_IFREG and not self.set_id:
            mode &= ~0o6000
        links = found.st_nlink if kind != stat.S_IFDIR else None
        size = found.st_size if kind in (stat.S_IFREG, stat.S_IFLNK) else None
        changed = found.st_mtime_ns if found.st_mtime_ns < SET and kind != stat.S_IFIFO else None
        return oct(mode), links, found.st_uid, found.st_gid, size, changed

    def open(self, dice):
        path, slot = self.path(dice), dice.randrange(6)
        flags = dice.choice([os.O_RDONLY, os.O_WRONLY, os.O_RDWR]) | dice.choice(OPEN) | os.O_NONBLOCK
        mode = dice.choice(MODES)
        try:
            if stat.S_ISCHR(os.stat(path).st_mode):
                raise Skipped
        except OSError:
            pass
        file = os.open(path, flags, mode)
        if slot in self.files:
            os.close(self.files[slot])
        self.files[slot] = file

    def close(self, dice):
        slot = dice.randrange(6)
        if slot in self.files:
            os.close(self.files.pop(slot))

    def write(self, dice):
        return os.write(self.file(dice), bytes([dice.randrange(256)]) * dice.randrange(5000))

    def pwrite(self, dice):
        return os.pwrite(self.file(dice), bytes([dice.randrange(256)]) * dice.randrange(9000), dice.randrange(30000))

    def read(self, dice):
        return os.pread(self.file(dice), dice.randrange(6000), dice.randrange(20000))

    def map(self, dice):
        file, at = self.regular(dice), dice.random()
        about = os.fstat(file)
        # Whether a write through a map takes them is not the same everywhere.
        if about.st_size < 10 or self.set_id and about.st_mode & 0o6000:
            raise Skipped
        with mmap.mmap(file, about.st_size) as pages:
            at = int(at * (about.st_size - 5))
            pages[at:at + 5] = b"paged"
            return bytes(pages)

    def keep_map(self, dice):
        """A map that outlives its descriptor, and what else is written meanwhile."""
        file, slot = self.regular(dice), dice.randrange(3)
        about = os.fstat(file)
        if about.st_size < 10 or self.set_id and about.st_mode & 0o6000:
            raise Skipped
        pages = mmap.mmap(file, about.st_size)
        self.let_go(slot)
        # By a descriptor of its own it is seen how long the file still is.
        self.maps[slot] = pages, os.open(f"/proc/self/fd/{file}", os.O_RDONLY)

    def use_map(self, dice):
        pages, file = self.maps.get(dice.randrange(3)) or (None, None)
        at, sync = dice.random(), dice.random() < 0.5
        if pages is None or os.fstat(file).st_size < len(pages) or self.set_id and os.fstat(file).st_mode & 0o6000:
            raise Skipped
        at = int(at * (len(pages) - 5))
        pages[at:at + 5] = b"kept!"
        if sync:
            pages.flush()
        return bytes(pages)

    def let_go(self, slot):
        pages, file = self.maps.pop(slot, (None, None))
        if pages is not None:
            pages.close()
            os.close(file)

    def writev(self, dice):
        pieces = [bytes([dice.randrange(256)]) * dice.randrange(3000) for _ in range(dice.randrange(5))]
        at, how = dice.randrange(20000), dice.choice([0, 0, os.RWF_DSYNC, RWF_APPEND])
        return os.pwritev(self.file(dice), pieces, at, how)

    def readv(self, dice):
        into = [bytearray(dice.randrange(3000)) for _ in range(dice.randrange(5))]
        return os.preadv(self.file(dice), into, dice.randrange(20000)), into

    def sendfile(self, dice):
        target, source = self.file(dice), self.file(dice)
        # From a file to itself: what is sent on may have been written a moment ago, or not.
        if os.path.samestat(os.fstat(target), os.fstat(source)):
            raise Skipped
        return os.sendfile(target, source, dice.randrange(9000), dice.randrange(9000))

    def seek(self, dice):
        file, how = self.file(dice), dice.choice([os.SEEK_SET, os.SEEK_CUR, os.SEEK_END])
        if stat.S_ISDIR(os.fstat(file).st_mode):
            raise Skipped
        at = os.lseek(file, dice.randrange(-3000, 9000), how)
        return at, os.read(file, dice.randrange(3000)), os.lseek(file, 0, os.SEEK_CUR)

    def flock(self, dice):
        fcntl.flock(self.file(dice), dice.choice([fcntl.LOCK_SH, fcntl.LOCK_EX, fcntl.LOCK_UN]) | fcntl.LOCK_NB)

    def lock(self, dice):
        """A lock of the open file, which the other slots' are in the way of."""
        file, how = self.file(dice), dice.choice([fcntl.F_RDLCK, fcntl.F_WRLCK, fcntl.F_UNLCK])
        asked = struct.pack("hhqqi4x", how, os.SEEK_SET, dice.randrange(50), dice.randrange(50), 0)
        command = dice.choice([fcntl.F_OFD_SETLK, fcntl.F_OFD_SETLK, fcntl.F_OFD_GETLK])
        if (command, how) == (fcntl.F_OFD_GETLK, fcntl.F_UNLCK) and "own-locks" in WITHOUT:
            raise Skipped
        found = fcntl.fcntl(file, command, asked)
        return found[:24]

    def child_locks(self, dice):
        """Another process asks for what may be locked here, and has it until it ends."""
        path, how = self.path(dice), dice.choice([fcntl.LOCK_SH, fcntl.LOCK_EX])
        length, start = dice.randrange(50), dice.randrange(50)

        def asks():
            with open(path, "r+b", 0) as file:
                fcntl.lockf(file, how | fcntl.LOCK_NB, length, start)
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise Skipped
        return in_child(asks)

    def child_writes(self, dice):
        """Another process writes by a descriptor that both have, and their offset is one."""
        file = self.file(dice)
        return in_child(lambda: os.write(file, b"child" * 20))

    def at(self, dice):
        """Below an open directory, wherever that is by now."""
        file, name, how = self.file(dice), dice.choice(["x", "y", ".", "..", "new"]), dice.randrange(5)
        if not stat.S_ISDIR(os.fstat(file).st_mode):
            raise Skipped
        if how == 0:
            os.mkdir(name, 0o755, dir_fd=file)
        elif how == 1:
            os.close(os.open(name, os.O_CREAT | os.O_WRONLY | os.O_NONBLOCK, 0o644, dir_fd=file))
        elif how == 2:
            return oct(os.stat(name, dir_fd=file, follow_symlinks=False).st_mode)
        elif how == 3:
            os.rename(name, "other", src_dir_fd=file, dst_dir_fd=file)
        else:
            return sorted(os.listdir(file))

    def times(self, dice):
        """Whether a call changes a file's times, and its directory's."""
        path, name, seed = self.path(dice), dice.choice([name for name in TIMED if name not in WITHOUT]), dice.random()
        if not stat.S_ISREG(os.stat(path).st_mode) and not stat.S_ISDIR(os.stat(path).st_mode):
            raise Skipped
        above = os.path.dirname(path.rstrip("/"))
        time.sleep(0.012)
        before = os.stat(path), os.stat(above)
        answer = self.on(path, name, random.Random(seed))
        after = os.stat(path), os.stat(above)
        return name, answer, [(was.st_mtime_ns != now.st_mtime_ns, was.st_ctime_ns != now.st_ctime_ns)
                              for was, now in zip(before, after)]

    def on(self, path, name, dice):
        own = type(self)(self.root, self.set_id)
        own.path = lambda _: path
        try:
            own.files = {slot: os.open(path, os.O_RDWR | os.O_NONBLOCK) for slot in range(6)}
        except OSError:
            pass
        try:
            return own.do(name, dice.random())
        finally:
            own.close_all()

    def append(self, dice):
        """O_APPEND is put on, or taken off, and something written."""
        file, flags, length = self.regular(dice), dice.choice([0, os.O_APPEND]), dice.randrange(50)
        was = fcntl.fcntl(file, fcntl.F_GETFL)
        if was & os.O_APPEND and not flags and "unappend" in WITHOUT:
            raise Skipped
        fcntl.fcntl(file, fcntl.F_SETFL, was & ~os.O_APPEND | flags)
        return os.write(file, b"+" * length)

    def truncate(self, dice):
        os.truncate(self.path(dice), dice.randrange(40000))

    def ftruncate(self, dice):
        os.ftruncate(self.file(dice), dice.randrange(40000))

    def stat(self, dice):
        return self.about(os.stat(self.path(dice), follow_symlinks=dice.random() < 0.5))

    def fstat(self, dice):
        return self.about(os.fstat(self.file(dice)))

    def mkdir(self, dice):
        os.mkdir(self.path(dice), dice.choice(MODES))

    def rmdir(self, dice):
        os.rmdir(self.path(dice))

    def unlink(self, dice):
        os.unlink(self.path(dice))

    def rename(self, dice):
        os.rename(self.path(dice), self.path(dice))

    def renameat2(self, dice):
        here, old, new = -100, os.fsencode(self.path(dice)), os.fsencode(self.path(dice))
        return system_call("renameat2", here, old, here, new, dice.choice([1, 2, 3, 8]))

    def link(self, dice):
        os.link(self.path(dice), self.path(dice), follow_symlinks=dice.random() < 0.5)

    def symlink(self, dice):
        os.symlink(dice.choice(["a", "b/x", "l", "nowhere", "x/../b", "d/"]), self.path(dice))

    def readlink(self, dice):
        return os.readlink(self.path(dice))

    def chmod(self, dice):
        os.chmod(self.path(dice), dice.choice(MODES))

    def fchmod(self, dice):
        os.fchmod(self.file(dice), dice.choice(MODES))

    def chown(self, dice):
        path, uid, gid = self.path(dice), dice.choice([-1, 0, 1000]), dice.choice([-1, 0, 1000])
        if (uid, gid) == (-1, -1):
            raise Skipped
        os.chown(path, uid, gid, follow_symlinks=dice.random() < 0.7)

    def utime(self, dice):
        path, times = self.path(dice), (dice.randrange(10 ** 9), dice.randrange(4 * 10 ** 9))
        os.utime(path, ns=times, follow_symlinks=dice.random() < 0.5)

    def listdir(self, dice):
        entries = os.scandir(self.path(dice))
        return sorted((entry.name, entry.is_dir(follow_symlinks=False), entry.is_symlink()) for entry in entries)

    def setxattr(self, dice):
        path, name, value = self.path(dice), dice.choice(ATTRIBUTES), b"v" * dice.choice([0, 1, 100, 4000])
        how = dice.choice([0, 0, os.XATTR_CREATE, os.XATTR_REPLACE])
        if "replace-by-nothing" in WITHOUT and how == os.XATTR_REPLACE and not value:
            raise Skipped
        os.setxattr(path, name, value, how, follow_symlinks=dice.random() < 0.7)

    def getxattr(self, dice):
        return os.getxattr(self.path(dice), dice.choice(ATTRIBUTES), follow_symlinks=dice.random() < 0.7)

    def listxattr(self, dice):
        names = os.listxattr(self.path(dice), follow_symlinks=dice.random() < 0.7)
        return sorted(name for name in names if not name.startswith("security."))

    def removexattr(self, dice):
        os.removexattr(self.path(dice), dice.choice(ATTRIBUTES))

    def fallocate(self, dice):
        file, how = self.file(dice), dice.choice([0, 0, 1, 3, 0x8, 0x20])
        return system_call("fallocate", file, how, ctypes.c_long(dice.randrange(20000)), ctypes.c_long(dice.randrange(20000)))

    def copy_file_range(self, dice):
        source, target = self.file(dice), self.file(dice)
        return os.copy_file_range(source, target, dice.randrange(8000), dice.randrange(5000), dice.randrange(5000))

    def mknod(self, dice):
        path, kind = self.path(dice), dice.choice(FIFO_OR_SUCH)
        if kind == stat.S_IFSOCK and "sockets" in WITHOUT:
            raise Skipped
        os.mknod(path, kind | 0o644, os.makedev(1, 3))

    def access(self, dice):
        return os.access(self.path(dice), dice.choice([0, 1, 2, 4, 7]))

    def fsync(self, dice):
        os.fsync(self.file(dice))

    def do(self, name, seed):
        """What the call gives, or the name of its error."""
        try:
            return getattr(self, name)(random.Random(seed))
        except Skipped:
            return "skipped"
        except OSError as error:
            return errno.errorcode.get(error.errno, error.errno)

    def tree(self):
        left = {}
        for directory, directories, files in os.walk(self.root):
            for name in directories + files:
                path = os.path.join(directory, name)
                try:
                    about = self.about(os.lstat(path))
                except PermissionError:
                    about = "hidden"
                content = None
                if stat.S_ISLNK(os.lstat(path).st_mode) if about != "hidden" else False:
                    content = os.readlink(path)
                elif os.path.isfile(path) and os.access(path, os.R_OK):
                    with open(path, "rb") as file:
                        content = file.read()
                left[os.path.relpath(path, self.root)] = about, content
        return left

    def close_all(self):
        for file in self.files.values():
            os.close(file)
        for slot in list(self.maps):
            self.let_go(slot)

    def end(self):
        self.close_all()
        shutil.rmtree(self.root, ignore_errors=True)


OWN = ("path", "file", "regular", "about", "let_go", "on", "do", "tree", "close_all", "end")
WEIGHTS = {"open": 8, "mkdir": 2, "unlink": 2, "rename": 2, "write": 4, "append": 3, "map": 6}
KNOWN = [name for name, call in vars(Calls).items()
         if callable(call) and not name.startswith("_") and name not in OWN]


def shown(value):
    text = repr(value)
    return text if len(text) < 200 else f"{text[:200]}… ({len(text)} characters)"


def play(seed, roots):
    """One round; what was different, if anything was."""
    dice = random.Random(seed)
    umask = dice.choice([0o22, 0, 0o77])
    dirs = []
    for root in roots:
        os.umask(0o22)
        os.mkdir(os.path.join(root, str(seed)))
        dirs.append(Calls(os.path.join(root, str(seed)), "set-id" not in WITHOUT))
    os.umask(umask)
    names = [name for name in KNOWN if name not in WITHOUT for _ in range(WEIGHTS.get(name, 1))]
    history = []
    try:
        for number in range(CALLS):
            name, throw = dice.choice(names), dice.random()
            reference, *others = [calls.do(name, throw) for calls in dirs]
            history.append(f"{number} {name} = {shown(reference)}")
            for calls, answer in zip(dirs[1:], others):
                if answer != reference:
                    last = "\n  ".join(history[-8:])
                    return f"{calls.root}: call {number}, {name}, gives {shown(answer)}\n  {last}"
        reference, *others = [calls.tree() for calls in dirs]
        for calls, left in zip(dirs[1:], others):
            for path in sorted(reference.keys() | left.keys()):
                if reference.get(path) != left.get(path):
                    return f"{calls.root}: {path!r} is {shown(left.get(path))}, and {shown(reference.get(path))} in the reference"
        return None
    finally:
        for calls in dirs:
            calls.end()


seed, rounds, *roots = sys.argv[1:]
WITHOUT = []
while "=" in roots[0]:
    option, value = roots.pop(0).split("=")
    if option == "without":
        WITHOUT = value.split(",")
    else:
        os.setgroups([])
        os.setgid(int(value))
        os.setuid(int(value))
differences = 0
for number in range(int(seed), int(seed) + int(rounds)):
    difference = play(number, roots)
    if difference:
        differences += 1
        print(f"round {number}: {difference}")
sys.exit(1 if differences else 0)
