//! Programs that read a file which grows, on a mount of a real kernel: each must show a line before the next one is written.
//! Nothing here is measured by a clock; a line that does not come is waited for, for long, and then named.

use crate::kernel::Kernel;

/// A reader of `$F` that shows what it reads as it comes: its name, and the command.
const FOLLOWERS: &[(&str, &str)] = &[
    ("cat", "cat $F"),
    ("cat-of-stdin", "cat < $F"),
    ("busybox-cat", "$B cat $F"),
    ("bash-read", r#"while read -r line; do echo "$line"; done < $F"#),
    ("dash-read", r#"sh -c 'while read -r line; do echo "$line"; done' < $F"#),
    ("busybox-read", r#"$B sh -c 'while read -r line; do echo "$line"; done' < $F"#),
    ("dd-1", "dd if=$F bs=1 status=none"),
    ("dd-512", "dd if=$F bs=512 status=none"),
    ("dd-4k", "dd if=$F bs=4k status=none"),
    ("dd-128k", "dd if=$F bs=128k status=none"),
    ("dd-1M", "dd if=$F bs=1M status=none"),
    ("dd-3M", "dd if=$F bs=3M status=none"),
    ("dd-direct-512", "dd if=$F bs=512 iflag=direct status=none"),
    ("dd-direct-1M", "dd if=$F bs=1M iflag=direct status=none"),
    ("dd-direct-3M", "dd if=$F bs=3M iflag=direct status=none"),
    ("busybox-dd-1M", "$B dd if=$F bs=1M 2>/dev/null"),
    (
        "python-stdin",
        r#"python3 -c 'import sys
for line in sys.stdin: print(line, end="", flush=True)' < $F"#,
    ),
    (
        "python-readline",
        r#"python3 -c 'import sys
file = open(sys.argv[1])
while line := file.readline(): print(line, end="", flush=True)' $F"#,
    ),
    (
        "python-os.read-64k",
        r#"python3 -c 'import os, sys
file = os.open(sys.argv[1], os.O_RDONLY)
while data := os.read(file, 1 << 16): os.write(1, data)' $F"#,
    ),
    (
        "python-os.read-1M",
        r#"python3 -c 'import os, sys
file = os.open(sys.argv[1], os.O_RDONLY)
while data := os.read(file, 1 << 20): os.write(1, data)' $F"#,
    ),
];

/// A reader that ends by itself once it has seen so many lines.
const ENOUGH: &[(&str, usize, &str)] = &[
    ("head-1", 1, "head -n 1 $F"),
    ("head-2", 2, "head -n 2 $F"),
    ("busybox-head-1", 1, "$B head -n 1 $F"),
    ("busybox-head-2", 2, "$B head -n 2 $F"),
    ("sed-2q", 2, "sed 2q $F"),
];

const WORDS: &str = r#"
B=/tmp/busybox
# arrived N: every follower shows N lines by now, and those that need no more have ended; says which are late
arrived() {
    for _ in $(seq 450); do
        late=
        for f in $W/out/*; do
            mapfile -t shown < $f
            [ ${#shown[@]} -ge $1 ] || late="$late ${f##*/}"
        done
        for f in $W/ends/$1/*; do
            [ ! -e $f ] || [ -e $W/ended/${f##*/} ] || late="$late ${f##*/}"
        done
        [ -n "$late" ] || return 0
        sleep 0.2
    done
    echo "line $1 is not shown by:$late"
}
mkdir $W/out $W/all $W/ends $W/ended
"#;

fn readers(followers: bool) -> String {
    let follow = FOLLOWERS.iter().map(|(name, command)| format!("({command}) > $W/out/{name} &\n"));
    let enough = ENOUGH.iter().map(|(name, lines, command)| {
        format!(
            "mkdir -p $W/ends/{lines}; : > $W/ends/{lines}/{name}\n\
             ({command}; : > $W/ended/{name}) > $W/all/{name} &\n"
        )
    });
    if followers { follow.chain(enough).collect() } else { follow.collect() }
}

/// The output of a running program, line by line. `tail` where it can follow: see [`crate::matrix`].
pub fn output_shows_each_line_as_it_comes(kernel: &Kernel, mount: &str, tail: bool) -> String {
    let tail = if tail { "tail -f $F" } else { "cat $F" };
    let script = format!(
        r#"{}{WORDS}run /guests/cat.wasm; F=$t/stdio/1
{}(timeout 300 {tail} > $W/out/tail) & tail=$!
for n in 1 2 3 4; do echo "line $n" > $t/stdio/0; arrived $n; done
pkill -P $tail; wait $tail 2>/dev/null
echo eof > $t/ctl; wait
seq -f 'line %g' 4 > $W/expected
for f in $W/out/*; do cmp $f $W/expected; done
echo done"#,
        crate::habits::PRELUDE,
        readers(true)
    );
    said(kernel, mount, &script)
}

/// The one line of a program's end, to those who wait for it.
pub fn wait_shows_its_line_when_it_comes(kernel: &Kernel, mount: &str) -> String {
    let script = format!(
        r#"{}{WORDS}run /guests/cat.wasm; F=$t/wait
{}sleep 1; for f in $W/out/*; do [ ! -s $f ] || echo "${{f##*/}} shows too much"; done
echo eof > $t/ctl; arrived 1; wait
cat $t/wait > $W/expected
for f in $W/out/*; do cmp $f $W/expected; done
echo done"#,
        crate::habits::PRELUDE,
        readers(false)
    );
    said(kernel, mount, &script)
}

/// What is wrong: nothing, if all is well.
fn said(kernel: &Kernel, mount: &str, script: &str) -> String {
    kernel.exec("[ -e /tmp/busybox ] || cp /bin/busybox /tmp/busybox", 60);
    let (out, err) = kernel.bash(script, &[("M", mount)], 0, 400);
    out.strip_suffix("done\n").map_or_else(|| format!("{out}{err}not done\n"), str::to_owned)
}
