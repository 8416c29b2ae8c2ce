#!/bin/sh
# Unmounts a taskfs mount, FUSE or 9p. With it ends the server that mount-fuse.sh started for it.
#
# usage: umount.sh [-l] DIR
#   -l   lazily: the mount goes out of sight now, and away when the last user leaves it
#
# exit status: 0 unmounted; 64 usage; 69 not a mount of ours; 71 the kernel refused (busy, for one); 77 not permitted
set -eu

name=umount.sh
die() { status=$1; shift; printf '%s: %s\n' "$name" "$*" >&2; exit "$status"; }
usage() { sed -n '/^# usage/,/^# exit/s/^# \{0,1\}//p' "$0" >&2; exit 64; }

lazy=""
case ${1:-} in -l) lazy=yes; shift ;; esac
case ${1:-} in '' | -*) usage ;; esac
[ $# -eq 1 ] || usage

# No cd into it: the server behind it may be gone, and then every look at the directory fails.
parent=$(cd "$(dirname "$1")" 2>/dev/null && pwd -P) || die 69 "$1: no such directory"
dir=${parent%/}/$(basename "$1")
seen=$(printf '%s' "$dir" | sed 's/ /\\\\040/g')
unmount() { umount ${lazy:+-l} -- "$dir"; }
type=$(awk -v dir="$seen" '$2 == dir { type = $3 } END { print type }' /proc/self/mounts)
case $type in
    fuse | fuse.*)
        if [ "$(id -u)" != 0 ]; then
            command -v fusermount3 >/dev/null || die 69 "unmounting as a user needs fusermount3 (Debian package fuse3)"
            unmount() { fusermount3 -u ${lazy:+-z} -- "$dir"; }
        fi
        ;;
    9p) [ "$(id -u)" = 0 ] || die 77 "$dir: only root can unmount 9p" ;;
    '') die 69 "$dir: nothing is mounted there" ;;
    *) die 69 "$dir: a mount of type $type, not one of ours" ;;
esac
unmount || die 71 "$dir: could not be unmounted"

if server=$(cat "$dir.pid" 2>/dev/null); then
    rm -f "$dir.pid"
    # The id may have become another process's since.
    if tr '\0' ' ' 2>/dev/null <"/proc/$server/cmdline" | grep -qF -- "serve --mount $dir "; then
        kill "$server" || true # it went by itself in between
    fi
fi
