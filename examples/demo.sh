#!/bin/sh
# The demo: a server, a mount, and programs that are started, fed, watched and killed with nothing but cat and echo.
# Every command is shown as it would be typed, with its output. `make demo` builds what this needs and runs it.
set -eu
cd "$(dirname "$0")/.."
top=$PWD
taskfs=${TASKFS_BIN:-$top/target/release/taskfs}
guests=${TASKFS_GUESTS:-$top/build/guests}
[ -x "$taskfs" ] || { echo "demo: no binary $taskfs: run make demo" >&2; exit 69; }
[ -e "$guests/hello.wasm" ] || { echo "demo: no guests in $guests: run make demo" >&2; exit 69; }

work=$(mktemp -d "${TMPDIR:-/tmp}/taskfs-demo.XXXXXX")
mnt=$work/mnt
mkdir "$mnt"
: >"$work/log"
server=""
clean_up() {
    cd /
    if [ -n "$server" ]; then
        kill "$server" 2>/dev/null || true # on SIGTERM the server unmounts, then ends
        wait "$server" 2>/dev/null || true
    fi
    rmdir "$mnt" 2>/dev/null || { umount -l "$mnt" 2>/dev/null || fusermount3 -uz "$mnt"; } 2>/dev/null || true
    rm -rf --one-file-system "$work"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

title() { printf '\n\033[1m# %s\033[0m\n' "$*"; }
show() {
    printf '$ %s\n' "$1"
    eval "$1"
}
show_refused() { # a command that has to fail
    printf '$ %s\n' "$1"
    if (eval "$1") 2>&1; then
        echo "demo: that should have failed" >&2
        exit 70
    fi
}

title "A server: on a directory of this machine, on a unix socket, and on loopback TCP"
printf '$ taskfs serve --mount %s --listen tcp://127.0.0.1:0 --bind %s:/guests:ro &\n' "$mnt" "build/guests"
"$taskfs" serve --mount "$mnt" --listen tcp://127.0.0.1:0 --bind "$guests:/guests:ro" >"$work/log" 2>&1 &
server=$!
tries=0
until grep -qx ready "$work/log"; do
    tries=$((tries + 1))
    if [ "$tries" -gt 200 ] || ! kill -0 "$server" 2>/dev/null; then
        echo "demo: the server did not get ready:" >&2
        cat "$work/log" >&2
        exit 70
    fi
    sleep 0.1
done
cat "$work/log"
tcp=$(sed -n 's/^listening on \(tcp:.*\)/\1/p' "$work/log")
cd "$mnt"
show "ls"
show "ls guests | head -5"

title "Started: read new, write cmd and ctl, read wait and the output"
show "cat task/new"
show "echo '/guests/hello.wasm' > task/1/cmd"
show "echo start > task/1/ctl"
show "cat task/1/wait"
show "cat task/1/stdio/1"

title "Fed: what is written to stdio/0 is its standard input"
show "cat task/new"
show "echo /guests/cat.wasm > task/2/cmd"
show "echo start > task/2/ctl"
show "echo over a file > task/2/stdio/0"
show "echo eof > task/2/ctl"
show "cat task/2/stdio/1"

title "The files it sees are the files you see"
show "echo 'written by a shell' > tmp/note"
show "cat task/new"
show "echo '/guests/cat.wasm /tmp/note' > task/3/cmd"
show "echo start > task/3/ctl"
show "cat task/3/stdio/1"

title "Watched and killed: one that loops for ever hurts nobody"
show "cat task/new"
show "echo /guests/loop.wasm > task/4/cmd"
show "echo start > task/4/ctl"
show "cat task/4/status"
show "echo stop > task/4/ctl"
show "cat task/4/status"
show "echo cont > task/4/ctl"
show "echo kill > task/4/ctl"
show "cat task/4/wait"

title "Limited: this one takes memory for ever, and may have 32 MB"
show "cat task/new"
show "echo /guests/alloc.wasm > task/5/cmd"
show "echo 'limit memory=32M' > task/5/ctl"
show "echo start > task/5/ctl"
show "cat task/5/wait"

title "Composed: one program's output bound over another's input"
show "cat task/new"
show "cat task/new"
show "echo /guests/hello.wasm > task/6/cmd"
show "echo /guests/cat.wasm > task/7/cmd"
show "echo 'bind /task/6/stdio/1 /task/7/stdio/0' > task/7/ctl"
show "echo start > task/7/ctl"
show "echo start > task/6/ctl"
show "cat task/7/stdio/1"

title "A mistake is a failed write that says what is wrong, and changes nothing"
show_refused "echo frobnicate > task/4/ctl"
show "tail -1 task/4/ctl"

title "The same over TCP, from a program that cannot mount"
cd "$top"
over_tcp() {
    printf '$ taskfs %s\n' "$*"
    "$taskfs" "$@"
}
over_tcp cat -s "$tcp" /task/new
over_tcp write -s "$tcp" /task/8/cmd /guests/hello.wasm
over_tcp write -s "$tcp" /task/8/ctl start
over_tcp cat -s "$tcp" /task/8/wait /task/8/stdio/1

title "And through the kernel's own client: mount -t 9p, in a Linux started under QEMU for this"
if tests/qemu/guest kernels 2>/dev/null | grep -q .; then
    cat >"$work/in-the-guest" <<END
show() { printf '(guest) \$ %s\n' "\$1"; eval "\$1"; }
show 'uname -sr'
show 'mount -t 9p -o trans=tcp,port=${tcp##*:},version=9p2000.L,uname=root 10.0.2.2 /mnt'
cd /mnt
show 'cat tmp/note'
show 'cat task/new'
show 'echo /guests/cat.wasm > task/9/cmd'
show 'echo start > task/9/ctl'
show 'echo from another kernel > task/9/stdio/0'
show 'echo eof > task/9/ctl'
show 'cat task/9/stdio/1'
show 'cat task/9/wait'
cd /; umount /mnt
END
    tests/qemu/guest run "$work/in-the-guest"
else
    echo "(not here: QEMU or its kernels could not be set up)"
fi

title "A web server in Node: another process, behind a wall, on the same files"
cd "$mnt"
if [ -d runtime/nodejs ]; then
    port=$((20000 + $$ % 20000))
    show "cat runtime/nodejs/version"
    printf '$ cat > home/server.js\n'
    tee home/server.js <<'END'
const http = require('http');
const fs = require('fs');
http.createServer((request, response) => {
  console.log(request.method, request.url);
  response.end(`${fs.readFileSync('/tmp/note')}read by Node ${process.version}\n`);
}).listen(Number(process.argv[2]), '127.0.0.1', () => console.log('listening'));
END
    show "id=\$(cat task/new)"
    show "echo 'net:listen 127.0.0.1:$port' >> task/\$id/caps"
    show "echo 'server.js $port' > task/\$id/cmd"
    show "echo /home > task/\$id/cwd"
    show "echo start > task/\$id/ctl"
    show "head -1 task/\$id/stdio/1"
    if command -v curl >/dev/null; then
        show "curl -s http://127.0.0.1:$port/page"
    else
        show "python3 -c 'import urllib.request as u; print(u.urlopen(\"http://127.0.0.1:$port/page\").read().decode(), end=\"\")'"
    fi
    show "echo kill > task/\$id/ctl"
    show "cat task/\$id/stdio/1"
else
    echo "(not here: no worker for Node programs could be built)"
fi

title "A shell that is no process of this machine: type sh"
show "id=\$(cat task/new)"
show "echo \"sh -c 'ls /bin | grep -c . ; for n in 1 2 3; do echo line \\\$n; done | sort -r'\" > task/\$id/cmd"
show "echo start > task/\$id/ctl"
show "cat task/\$id/stdio/1"

title "A container: files, processes, ports and events of its own, through nothing but cat and echo"
show "c=web/container/\$(cat web/container/new)"
container=$(eval 'echo "$c"')
show "ls \$c"
if [ -d runtime/nodejs ]; then
    printf '$ cat > %s/mount/home/server.js\n' "$container"
    tee "$container/mount/home/server.js" <<'END'
require('http').createServer((request, response) => {
  response.end(`a page from container port 3000, files here: ${require('fs').readdirSync('/')}\n`);
}).listen(3000);
END
    show "exec 4< \$c/events"
    show "echo 'spawn node /home/server.js' > \$c/ctl"
    show "grep -m 1 'port 3000' <&4"
    show "exec 4<&-"
    show "printf 'GET / HTTP/1.0\\r\\n\\r\\n' > \$c/ports/3000/data"
    show "cat \$c/ports/3000/data"
fi
show "echo \"spawn 'echo made in a container > /tmp/made'\" > \$c/ctl"
show "until [ -s \$c/mount/tmp/made ]; do sleep 0.1; done; cat \$c/mount/tmp/made"
show "echo 'snapshot before' > \$c/ctl; cat web/container/snapshots"
show "tar tf \$c/export | head -5"
show "echo destroy > \$c/ctl; ls web/container"

title "That was all: the server ends and unmounts"
