"""A command component in Python: what it is given, what it can do with files, and whom it can reach.

about            arguments, the variable A, the current directory
files            makes, appends to, reads, lists, links, renames and removes files of the current directory
upper            standard input, in capitals
tcp HOST PORT    sends a line there, and shows what comes back
http HOST:PORT   gets /greeting there
serve PORT       listens there, and answers one who connects
tries FILE       does what its lines say, and prints what came of each (examples/guests/rust/tries.rs)
"""

# Codecs are found while the component is made, not when it runs.
import encodings.idna  # noqa: F401
import errno
import os
import socket
import sys

from componentize_py_types import Err, Ok
from wit_world import exports
from wit_world.imports import outgoing_handler
from wit_world.imports.wasi_http_types import Fields, IncomingBody, OutgoingRequest, Scheme_Http


def about(*_):
    print("argv", *sys.argv[1:])
    print("A", os.environ.get("A"))
    print("cwd", os.getcwd())


def files():
    os.mkdir("made")
    with open("made/f", "w") as f:
        f.write("one\n")
    with open("made/f", "a") as f:
        f.write("two\n")
    with open("made/f", "r+b") as f:
        f.seek(4)
        f.write(b"TWO")
        f.truncate(7)
    with open("made/f") as f:
        print("read", f.read().split())
    os.utime("made/f", (1, 86400))
    about = os.stat("made/f")
    print("stat", about.st_size, int(about.st_mtime))
    os.symlink("f", "made/link")
    print("link", os.readlink("made/link"), os.stat("made/link").st_size)
    os.link("made/f", "made/hard")
    os.rename("made/f", "made/g")
    print("list", sorted(os.listdir("made")), [e.is_symlink() for e in os.scandir("made") if e.name == "link"])
    for name in os.listdir("made"):
        os.unlink(os.path.join("made", name))
    os.rmdir("made")
    try:
        os.stat("made")
    except FileNotFoundError:
        print("gone")


def upper():
    for line in sys.stdin:
        sys.stdout.write(line.upper())
        sys.stdout.flush()


def tcp(host, port):
    try:
        with socket.create_connection((host, int(port))) as peer:
            peer.sendall(b"ping\n")
            print("got", peer.recv(100).decode().strip())
    except OSError as error:
        print("failed", type(error).__name__)
        sys.exit(1)


def http(authority):
    request = OutgoingRequest(Fields())
    request.set_scheme(Scheme_Http())
    request.set_authority(authority)
    request.set_path_with_query("/greeting")
    try:
        pending = outgoing_handler.handle(request, None)
        with pending.subscribe() as ready:
            ready.block()
        match pending.get():
            case Ok(Ok(response)):
                body = response.consume()
                with body.stream() as stream:
                    text = stream.blocking_read(100).decode()
                print("got", response.status(), text.strip())
                IncomingBody.finish(body)
                return
            case Ok(Err(error)):
                print("failed", type(error).__name__.removeprefix("ErrorCode_"))
    except Err as error:
        print("failed", type(error.value).__name__.removeprefix("ErrorCode_"))
    sys.exit(1)


def serve(port):
    with socket.create_server(("127.0.0.1", int(port))) as listener:
        print("listening", flush=True)
        peer, address = listener.accept()
        with peer:
            print("heard", peer.recv(100).decode().strip(), "from", address[0])
            peer.sendall(b"pong\n")


def descriptors(path=None):
    """What any descriptor that it did not open gives to read, where none but path is open."""
    if path:
        os.open(path, os.O_RDONLY)
    found = []
    for fd in range(3, 300):
        try:
            found.append(os.read(fd, 20).decode())
        except OSError as error:
            if error.errno not in (errno.EBADF, errno.EISDIR):
                raise
    if not found:
        raise OSError(errno.EBADF, "nothing is open")
    return " ".join(found)


def write(path, text):
    with open(path, "w") as f:
        f.write(text + "\n")
    return "written"


def read(path):
    with open(path) as f:
        return f.read()


def connect(host, port):
    socket.create_connection((host, int(port))).close()
    return "connected"


def tries(path):
    verbs = {
        "read": read,
        "write": write,
        "list": lambda path: " ".join(os.listdir(path)),
        "descriptors": descriptors,
        "variable": lambda name: os.environ[name],
        "connect": connect,
    }
    for number, line in enumerate(read(path).splitlines()):
        verb, *words = line.split(" ")
        try:
            print(number, "GOT", verbs[verb](*words).replace("\n", " ")[:100])
        except OSError as error:
            print(number, errno.errorcode.get(error.errno, error))
        except KeyError:
            print(number, "unset")


class Run(exports.Run):
    def run(self) -> None:
        # Its C library knows the directory of the time when the component was made.
        os.chdir(os.environ.get("PWD", "/"))
        command, *args = sys.argv[1:]
        commands = {"about": about, "files": files, "upper": upper, "tcp": tcp, "http": http}
        commands |= {"serve": serve, "tries": tries}
        commands[command](*args)
