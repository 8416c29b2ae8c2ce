# The same as tries.cjs, for sh.

named() {
    case $1 in
    *"No such file or directory"* | *"Directory nonexistent"*) echo ENOENT ;;
    *"Permission denied"*) echo EACCES ;;
    *"Operation not permitted"*) echo EPERM ;;
    *"Bad file descriptor"*) echo EBADF ;;
    *"No such process"*) echo ESRCH ;;
    *) echo "? $1" ;;
    esac
}

try() {
    case $1 in
    read) cat "$2" 2>&1 ;;
    list) ls "$2" 2>&1 ;;
    write) { echo "$3" >"$2"; } 2>&1 ;;
    kill) kill -KILL "$2" 2>&1 ;;
    descriptors)
        if [ -n "$2" ]; then exec 3<"$2"; fi
        found=
        for fd in 3 4 5 6 7 8 9; do
            if said=$(eval "cat <&$fd" 2>&1); then found="$found $said"; fi
        done
        if [ -n "$2" ]; then exec 3<&-; fi
        echo "${found:-$said}"
        [ -n "$found" ]
        ;;
    esac
}

number=0
while read -r verb one two <&8; do
    if [ "$verb" = variable ]; then
        eval "if [ -n \"\${$one+set}\" ]; then echo \"$number GOT \$$one\"; else echo $number unset; fi"
    elif said=$(try "$verb" "$one" "$two" 8<&-); then
        echo "$number GOT $(echo "$said" | tr '\n' ' ' | head -c 100)"
    else
        echo "$number $(named "$said")"
    fi
    number=$((number + 1))
done 8<"$1"
