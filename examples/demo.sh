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

title "A server, on a unix socket and mounted on a directory"
printf '$ taskfs serve --listen unix://%s/sock --mount %s &\n' "$work" "$mnt"
"$taskfs" serve --listen "unix://$work/sock" --mount "$mnt" >"$work/log" 2>&1 &
server=$!
tries=0
until grep -qx ready "$work/log"; do
    tries=$((tries + 1))
    if [ "$tries" -gt 100 ] || ! kill -0 "$server" 2>/dev/null; then
        echo "demo: the server did not get ready:" >&2
        cat "$work/log" >&2
        exit 70
    fi
    sleep 0.1
done
cd "$mnt"

title "A WASI program, compiled from C, goes into the tree and becomes a task"
show "cat $guests/hello.wasm > tmp/hello.wasm"
show "cat task/new"
show "echo /tmp/hello.wasm > task/1/cmd"
show "echo start > task/1/ctl"
show "cat task/1/wait"
show "cat task/1/stdio/1"

title "Another is fed through a file"
show "cat $guests/cat.wasm > tmp/cat.wasm"
show "cat task/new"
show "echo /tmp/cat.wasm > task/2/cmd"
show "echo start > task/2/ctl"
show "echo over a file > task/2/stdio/0"
show "echo eof > task/2/ctl"
show "cat task/2/wait"
show "cat task/2/stdio/1"

title "One that loops for ever hurts nobody, and is killed"
show "cat $guests/loop.wasm > tmp/loop.wasm"
show "cat task/new"
show "echo /tmp/loop.wasm > task/3/cmd"
show "echo start > task/3/ctl"
show "cat task/3/status"
show "echo kill > task/3/ctl"
show "cat task/3/wait"

title "A mistake is a failed write that says what is wrong"
show_refused "echo frobnicate > task/3/ctl"
show "cat task/3/ctl"

title "That was all: the server ends and unmounts"
