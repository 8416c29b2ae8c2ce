#!/bin/sh
# Starts a taskfs server of its own and mounts it on DIR over FUSE. Returns when the mount can be used; the server
# goes on in the background until umount.sh ends both; DIR.pid beside DIR tells which process it is.
#
# usage: mount-fuse.sh DIR [SERVE-OPTION...]
#   SERVE-OPTION   options of "taskfs serve", such as --root host:/srv/data
# The binary is $TASKFS_BIN or the taskfs on the path. The server's log is $TASKFS_LOGFILE (default: DIR.log beside DIR).
#
# exit status: 0 mounted; 64 usage; 69 something is missing; 70 the server ended early; 75 it did not mount in time
set -eu

name=mount-fuse.sh
die() { status=$1; shift; printf '%s: %s\n' "$name" "$*" >&2; exit "$status"; }
usage() { sed -n '/^# usage/,/^# exit/s/^# \{0,1\}//p' "$0" >&2; exit 64; }

case ${1:-} in '' | -*) usage ;; esac
dir=$1
shift
taskfs=${TASKFS_BIN:-taskfs}
command -v "$taskfs" >/dev/null || die 69 "no taskfs binary: set TASKFS_BIN, or build one with make build"
[ -d "$dir" ] || die 69 "$dir: no such directory"
[ -e /dev/fuse ] || die 69 "this machine has no /dev/fuse (try: modprobe fuse)"
[ -w /dev/fuse ] || die 69 "/dev/fuse: not permitted"
[ "$(id -u)" = 0 ] || command -v fusermount3 >/dev/null || die 69 "mounting as a user needs fusermount3 (Debian package fuse3)"

dir=$(cd "$dir" && pwd -P)
# /proc writes a space as \040, and awk -v takes one backslash away.
seen=$(printf '%s' "$dir" | sed 's/ /\\\\040/g')
is_mounted() { awk -v dir="$seen" '$2 == dir && $3 ~ /^fuse/ { found = 1 } END { exit !found }' /proc/self/mounts; }
is_mounted && die 69 "$dir: something is mounted there already"

log=${TASKFS_LOGFILE:-$dir.log}
: >>"$log" || die 69 "$log: cannot be written; set TASKFS_LOGFILE"
# A session of its own: Ctrl-C in this terminal is not for the server.
setsid "$taskfs" serve --mount "$dir" "$@" </dev/null >>"$log" 2>&1 &
server=$!
echo "$server" >"$dir.pid"
tries=0
until is_mounted; do
    if ! kill -0 "$server" 2>/dev/null; then
        rm -f "$dir.pid"
        tail -n 3 "$log" >&2
        die 70 "the server ended before it had mounted; its log is $log"
    fi
    tries=$((tries + 1))
    if [ "$tries" -gt 100 ]; then
        kill "$server"
        rm -f "$dir.pid"
        die 75 "no mount on $dir after 10 s; the server's log is $log"
    fi
    sleep 0.1
done
