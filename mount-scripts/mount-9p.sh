#!/bin/sh
# Mounts a running taskfs server on DIR with the kernel's own 9P client, over TCP or a unix socket.
#
# usage: mount-9p.sh [-m MSIZE] [-a ACCESS] [-c CACHE] [-n ANAME] [-u UNAME] [-V VERSION] ADDRESS DIR
#   ADDRESS   tcp://HOST:PORT, or unix:///path/of/the/socket, as "taskfs serve --listen" takes them
#   -m        largest message in bytes (262144: more than the buffer of cat, which shows live output only so)
#   -a        who may use the mount: user (each user attaches on his own), client, any or a uid (user)
#   -c        none, or what mount(8) calls a cache mode (none: files that are alive must not be cached)
#   -n        which tree to attach to (the root)
#   -u        the user to attach as (the caller); with -a user and 9p2000.L or .u that is the first attach only
#   -V        9p2000.L, 9p2000.u or 9p2000 (9p2000.L)
#
# exit status: 0 mounted; 64 usage; 69 something is missing; 71 the kernel refused; 77 not root
set -eu

name=mount-9p.sh
die() { status=$1; shift; printf '%s: %s\n' "$name" "$*" >&2; exit "$status"; }
usage() { sed -n '/^# usage/,/^# exit/s/^# \{0,1\}//p' "$0" >&2; exit 64; }

msize=262144 access=user cache=none aname="" uname="" version=9p2000.L
while getopts m:a:c:n:u:V: option; do
    case $option in
        m) msize=$OPTARG ;;
        a) access=$OPTARG ;;
        c) cache=$OPTARG ;;
        n) aname=$OPTARG ;;
        u) uname=$OPTARG ;;
        V) version=$OPTARG ;;
        *) usage ;;
    esac
done
shift $((OPTIND - 1))
[ $# -eq 2 ] || usage
address=$1 dir=$2

# Plain 9p2000 has no numeric users: without a name the kernel attaches as "nobody", for everyone.
options="version=$version,msize=$msize,cache=$cache,access=$access,uname=${uname:-$(id -un)}${aname:+,aname=$aname}"
case $address in
    tcp://*)
        host=${address#tcp://}
        port=${host##*:}
        host=${host%:*}
        case $port in '' | *[!0-9]*) die 64 "$address: no port number (tcp://HOST:PORT)" ;; esac
        # The kernel resolves no names.
        case $host in
            *[!0-9.]*)
                resolved=$(getent ahostsv4 "$host" 2>/dev/null | awk 'NR == 1 { print $1 }') || true
                [ -n "$resolved" ] || die 69 "$host: unknown host"
                host=$resolved
                ;;
        esac
        source=$host
        options="trans=tcp,port=$port,$options"
        ;;
    unix://*)
        source=${address#unix://}
        [ -S "$source" ] || die 69 "$source: no such socket; is the server running?"
        options="trans=unix,$options"
        ;;
    *) die 64 "$address: neither tcp://HOST:PORT nor unix:///PATH" ;;
esac

[ -d "$dir" ] || die 69 "$dir: no such directory"
[ "$(id -u)" = 0 ] || die 77 "only root can mount 9p (or use mount-fuse.sh, or taskfs mount)"
for module in 9p 9pnet_fd; do
    modprobe "$module" 2>/dev/null || true # built in, or refused: the check below tells
done
grep -qw 9p /proc/filesystems ||
    die 69 "the kernel $(uname -r) has no 9p file system (module 9p; Debian's cloud kernels lack it, linux-image-amd64 has it)"
mount -t 9p -o "$options" "$source" "$dir" ||
    die 71 "the kernel could not mount $address on $dir with $options (dmesg may say more)"
