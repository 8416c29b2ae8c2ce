//! Two clients in Python, which share no code with each other, with Linux or with us: p9fs (with the py9p that it brings), in all
//! three dialects, and the asynchronous one of pyroute2, whose messages are its own plain 9P2000.

use std::time::Duration;
use tests::{Server, cannot_run, guests, sh, text, top};

const LIMIT: Duration = Duration::from_secs(60);

/// Runs a script with the environment that `make setup` made, on a server with the guests; nothing where `module` is missing.
/// The port, and what else is given, are its arguments.
fn run(module: &str, script: &str, more: &str) -> Option<String> {
    let python = top().join("build/venv/bin/python3");
    let vars = [("P", python.to_str().expect("a UTF-8 path")), ("SCRIPT", script), ("MORE", more)];
    if !sh(&format!("$P -c 'import {module}'"), &vars, LIMIT).status.success() {
        cannot_run(&format!("{module} as a client"), "pip could not install it (make setup)");
        return None;
    }
    let bind = format!("{}:/guests:ro", guests().display());
    let server = Server::start(&["--listen", "tcp://127.0.0.1:0", "--bind", &bind]);
    Some(text(sh(&format!(r#"$P -c "$SCRIPT" {} $MORE"#, server.port()), &vars, LIMIT)))
}

const P9FS: &str = r#"
import os, sys, p9fs
fs = p9fs.P9FileSystem("127.0.0.1", int(sys.argv[1]), "root", version=sys.argv[2], aname="/", skip_instance_cache=True)

def opened(path, flags, use):
    f = fs._open_fid(path, flags)
    try:
        return use(f)
    finally:
        fs._release_fid(f)

def read(path):
    def whole(f):
        data = b""
        while more := fs._read(4096, len(data), f):
            data += more
        return data.decode()
    return opened(path, os.O_RDONLY, whole)

def write(path, text):
    opened(path, os.O_WRONLY, lambda f: fs._write(text.encode(), 0, f))

# Files.
fs.mkdir("tmp/made", create_parents=False)
content = bytes(n % 251 for n in range(300_000))
with fs.open("tmp/made/file", "wb") as f:
    f.write(content)
info = fs.info("tmp/made/file")
print(info["type"], info["size"])
with fs.open("tmp/made/file", "rb") as f:
    print(f.read() == content)
    f.seek(1000)
    print(f.read(10) == content[1000:1010])
fs.cp_file("tmp/made/file", "tmp/made/copy")
print(sorted(os.path.basename(name) for name in fs.ls("tmp/made", detail=False)))
for name in "file", "copy":
    fs.rm_file("tmp/made/" + name)
fs.rmdir("tmp/made")
print(fs.exists("tmp/made"), fs.isdir("task"), fs.isfile("task/new"))

# A program, fed line by line.
task = "task/" + read("task/new").strip()
write(task + "/cmd", "/guests/cat.wasm\n")
write(task + "/ctl", "start\n")
print(read(task + "/status"), end="")
def follow(f):
    at = 0
    for line in "first", "second", "third":
        write(task + "/stdio/0", line + "\n")
        data = fs.client._read(f.fid, at, 4096).data
        at += len(data)
        print(data.decode(), end="")
opened(task + "/stdio/1", os.O_RDONLY, follow)
write(task + "/ctl", "eof")
print(read(task + "/wait").endswith("''\n"), read(task + "/stdio/1").split())
try:
    write(task + "/ctl", "frob 3")
except Exception as error:
    print(error)
"#;

#[test]
fn p9fs_works_with_files_and_runs_a_program_in_every_dialect() {
    for (dialect, refused) in [
        ("9P2000", r#"b'unknown control message "frob 3"'"#),
        ("9P2000.u", r#"b'unknown control message "frob 3"'"#),
        ("9P2000.L", "22"),
    ] {
        let Some(said) = run("p9fs", P9FS, dialect) else { return };
        let expected = format!(
            "file 300000\nTrue\nTrue\n['copy', 'file']\nFalse True True\n\
             running\nfirst\nsecond\nthird\nTrue ['first', 'second', 'third']\n{refused}\n"
        );
        assert_eq!(said, expected, "{dialect}");
    }
}

/// One request at a time: this client takes whatever arrives together for one message.
const PYROUTE2: &str = r#"
import asyncio, sys
from pyroute2.plan9 import msg_tclunk, msg_topen, msg_tstat
from pyroute2.plan9.client import Plan9ClientSocket

async def main():
    client = Plan9ClientSocket(address=("127.0.0.1", int(sys.argv[1])))
    await client.start_session()

    async def ask(message, **fields):
        for name, value in fields.items():
            message[name] = value
        return await client.request(message)

    # It has the message but no method that opens.
    async def opened(path, mode=0):
        fid = client.fid_pool.alloc()
        await client.walk(path, newfid=fid, fid=0)
        await ask(msg_topen(), fid=fid, mode=mode)
        return fid

    async def read(path):
        fid, data = await opened(path), b""
        while more := bytes((await client.read(fid, len(data)))["data"]):
            data += more
        await ask(msg_tclunk(), fid=fid)
        return data.decode()

    async def write(path, text):
        fid = await opened(path, 1)
        await client.write(fid, text.encode())
        await ask(msg_tclunk(), fid=fid)

    task = "task/" + (await read("task/new")).strip()
    await write(task + "/cmd", "/guests/cat.wasm\n")
    await write(task + "/ctl", "start\n")
    print((await read(task + "/status")).strip())
    output, at = await opened(task + "/stdio/1"), 0
    for line in "first", "second":
        await write(task + "/stdio/0", line + "\n")
        data = bytes((await client.read(output, at))["data"])
        at += len(data)
        print(data.decode(), end="")
    await write(task + "/ctl", "eof\n")
    print((await read(task + "/wait")).endswith("''\n"), (await read(task + "/stdio/1")).split())
    fid = await opened(task + "/exitcode")
    stat = (await ask(msg_tstat(), fid=fid))["stat"]
    print(stat["name"], oct(stat["mode"]), stat["length"])

asyncio.run(main())
"#;

#[test]
fn pyroute2_runs_a_program() {
    let Some(said) = run("pyroute2", PYROUTE2, "") else { return };
    assert_eq!(said, "running\nfirst\nsecond\nTrue ['first', 'second']\nexitcode 0o444 0\n");
}
