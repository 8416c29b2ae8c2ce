//! What people use a file system for: git, cargo, sqlite3, vim, rsync, tar, find, du and make, each as a bash script that
//! works in a directory of its own. What a script prints, and the tree that it leaves, must be the same as on tmpfs.

use std::time::Duration;

/// One program's script.
pub struct Program {
    pub name: &'static str,
    /// What it runs, as `command -v` finds it.
    pub needs: &'static str,
    pub script: &'static str,
}

/// Before every script: strict mode, the directory, and the words that scripts share. `$D` is the directory, `$N` how much
/// work there is to do (1, or 3 in the long runs).
const PRELUDE: &str = r#"
set -eu
umask 022
export LC_ALL=C.UTF-8 TZ=UTC HOME=$D/home
export GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@example.org GIT_COMMITTER_NAME=a
export GIT_COMMITTER_EMAIL=a@example.org GIT_AUTHOR_DATE='2024-01-02T03:04:05Z' GIT_COMMITTER_DATE='2024-01-02T03:04:05Z'
mkdir -p "$D/home"; cd "$D"
# some FILES DIR: text files of all sizes in a few directories, the same every time.
some() {
    for i in $(seq "$1"); do
        d=$2/d$((i % 7)); mkdir -p "$d"
        seq "$i" $((i * 40)) > "$d/f$i"
    done
}
# tree DIR [FIND'S TESTS]: names, kinds, modes, link counts, link targets, and what files hold.
tree() {
    local dir=$1; shift
    (cd "$dir"; find . "$@" -printf '%P %y %m %n %l\n' | sort
     find . "$@" -type f -printf '%p %s ' -exec sha256sum {} \; | sed 's/  .*//' | sort)
}
# $F: the fraction of a second that times are set to; empty where the mount's kernel sets whole seconds, and then `whole FILES`
# gives files such times before anyone copies them.
F=${F-.5}
# $E: the earliest time to be set: the kernel's 9P client knows none before 1970.
E=${E-1965-01-01}
# $P: empty where space cannot be preallocated: 9P has no message for it.
P=${P-yes}
# $W: sqlite's WAL; empty where the kernel's 9P client loses what several processes write beside a mapping (docs/clients.md).
W=${W-wal}
# $A: empty where tmpfs keeps no attributes of users, which it does since Linux 6.6.
A=${A-yes}
whole() { [ -n "$F" ] || find "$@" -exec touch -hd '2020-02-03 04:05:06' {} +; }
# all PIDS: waits for each; fails where one did.
all() { local bad=0; for pid in "$@"; do wait "$pid" || bad=1; done; return $bad; }
"#;

pub const PROGRAMS: &[Program] = &[
    Program {
        name: "git: init, add, commit, clone, gc, fsck, status",
        needs: "git",
        script: r#"
            git init -q -b main repo; cd repo
            some $((60 * N)) src; ln -s src/d1 link; chmod +x src/d2/f2
            git add .; git commit -qm one; git status --porcelain
            for i in $(seq 1 5 $((60 * N))); do echo more >> src/d$((i % 7))/f$i; done
            git mv src/d3 src/moved; git rm -q src/d4/f4; git status --porcelain | sort
            git add -A; git commit -qm two; git tag v1; git rev-parse HEAD HEAD^ 'HEAD^{tree}'
            git checkout -q -b side HEAD^; echo side > side; git add side; git commit -qm side
            git checkout -q main; git merge -q -m merged side; git rev-parse HEAD
            git fsck --strict 2>&1 | grep -v '^\(Checking\|notice\)' || true
            git gc -q --prune=now; git count-objects -v | grep -v size; git fsck --strict --full
            git clone -q . ../near; git clone -q --no-local . ../far
            for c in near far; do (cd ../$c; git rev-parse HEAD; git status --porcelain; git fsck --full); done
            git stash -q 2>&1 || true; echo dirty >> side; git stash -q; git stash pop -q; git diff --stat
            git checkout -q side; git status --porcelain; git checkout -q main
            git grep -c more | wc -l; git log --oneline --stat | tail -3
            tree . -path ./.git -prune -o -true; tree ../far -path '*/.git' -prune -o -true"#,
    },
    Program {
        name: "cargo: a build, a test, nothing to do, and a change",
        needs: "cargo",
        script: r#"
            mkdir -p crate/src crate/tests; cd crate
            printf '[package]\nname = "small"\nversion = "0.1.0"\nedition = "2021"\n[profile.dev]\ndebug = 0\n' > Cargo.toml
            for i in $(seq $((5 * N))); do
                echo "mod m$i;" >> src/main.rs; echo "pub fn f() -> u32 { $i }" > src/m$i.rs
            done
            { echo 'fn main() {'; echo '    let mut sum = 0;'
              for i in $(seq $((5 * N))); do echo "    sum += m$i::f();"; done
              echo '    println!("{sum}");'; echo '}'; } >> src/main.rs
            printf '#[test]\nfn one() { assert_eq!(std::fs::read("Cargo.toml").unwrap()[0], b"["[0]); }\n' > tests/one.rs
            # Whoever runs the tests with cargo has told it where to build: not us.
            unset ${!CARGO_@}; cargo build -q --offline; target/debug/small
            cargo build --offline 2>&1 | grep -c Compiling || true
            sed -i 's/{ 1 }/{ 1001 }/' src/m1.rs; cargo build -q --offline; target/debug/small
            cargo test -q --offline --test one 2>&1 | grep -c 'test result: ok'
            tree . -path ./target -prune -o -true; cargo clean -q --offline; ls"#,
    },
    Program {
        name: "sqlite3: several writers, with rollback journals and with a WAL",
        needs: "sqlite3",
        script: r#"
            for mode in delete truncate persist $W; do
                db=$mode.db
                sqlite3 $db "pragma journal_mode=$mode; create table t (id integer primary key, who int, n int, x blob);
                             create index i on t (who, n);"
                pids=
                for who in 1 2 3 4; do
                    { echo '.timeout 60000'
                      for n in $(seq $((8 * N))); do
                          echo "begin immediate; insert into t (who, n, x) values ($who, $n, zeroblob(1000 + $n));
                                update t set x = zeroblob(2000) where who = $who and n = $n / 2; commit;"
                      done; } | sqlite3 $db > /dev/null &
                    pids="$pids $!"
                done
                for n in 1 2 3; do sqlite3 -cmd '.timeout 60000' $db 'select count(*) >= 0 from t'; done
                all $pids
                sqlite3 -cmd '.timeout 60000' $db 'pragma integrity_check; select who, count(*), sum(length(x)) from t group by who;'
                sqlite3 $db "begin; delete from t where n > 4; rollback; select count(*) from t;"
                sqlite3 $db 'pragma wal_checkpoint(truncate); vacuum; pragma integrity_check; select count(*) from t;'
            done
            ls"#,
    },
    Program {
        name: "vim: edits, with swap and backup files",
        needs: "vim",
        script: r#"
            some 12 text; umask 027; chmod 640 text/d1/f1
            edit() { vim -N -u NONE -i NONE --cmd 'set backupskip=' -es "$@" < /dev/null; }
            edit -c 'set backup writebackup backupcopy=no swapfile' -c '%s/1/one/g' -c wq text/d1/f1
            edit -c 'set backup writebackup backupcopy=yes' -c 'g/0/d' -c wq text/d2/f2
            edit -c 'set nobackup nowritebackup' -c '1,3d' -c 'w! new' -c 'r new' -c wq text/d3/f3
            edit -c 'set undofile undodir=.' -c 'normal Gox' -c wq text/d4/f4; rm text/d4/.f4.un~; ls -A
            edit -c 'set swapfile directory=.' -c 'e text/d5/f5' -c 'normal ox' -c preserve -c 'redir! > swap' \
                -c 'silent echo glob(".*.swp")' -c 'redir END' -c 'qall!'; cat swap; echo
            ls -A; tree text"#,
    },
    Program {
        name: "rsync -a: once, twice, and what changed",
        needs: "rsync",
        script: r#"
            some $((50 * N)) from; mkdir from/empty; ln -s d1/f1 from/link; ln from/d2/f2 from/hard
            chmod 600 from/d3/f3; chmod 1777 from/empty; touch -d "2001-02-03 04:05:06$F" from/d4/f4
            touch -d "$E" from/d5/f5; touch -d '2040-01-01' from/d6/f6; truncate -s 3M from/sparse
            [ -n "$A" ] && setfattr -n user.note -v 'kept' from/d1/f1 2>/dev/null && X=X || X=
            rsync -aHS$X from/ to
            rsync -aHS$X --itemize-changes from/ to; rsync -aHc --itemize-changes from/ to
            rsync -aH --stats from/ to | grep -E 'transferred|created'
            echo change >> from/d0/f7; rm from/d1/f8; touch -d '2002-01-01' from/d0/f7 from/d1 from/d2/f9
            rsync -aHS --delete --itemize-changes from/ to; rsync -anc --delete --itemize-changes from/ to
            [ -z "$X" ] || getfattr --only-values -n user.note to/d1/f1
            tree from; tree to; stat -c '%y %s' to/d4/f4 to/d5/f5 to/d6/f6; diff -r from to"#,
    },
    Program {
        name: "tar: links, sparse files, attributes, there and back",
        needs: "tar",
        script: r#"
            some $((40 * N)) t; ln -s ../elsewhere t/dangling; ln t/d1/f1 t/hard; mkfifo t/fifo; mkdir -m 2755 t/setgid
            chmod 4755 t/d2/f2; chmod 000 t/d3/f3
            truncate -s 5M t/sparse; printf end >> t/sparse; printf mid | dd of=t/sparse bs=1 seek=1M conv=notrunc status=none
            long=$(printf 'n%.0s' $(seq 250)); echo long > t/$long
            whole t; touch -d "1999-12-31 23:59:59$F" t/d4/f4
            [ -z "$A" ] || setfattr -n user.a -v one t/d5/f5 2>/dev/null || true
            tar --sort=name --sparse --xattrs -cf t.tar t; tar -tf t.tar | sha256sum
            mkdir out; tar --xattrs -xpf t.tar -C out; tar -df t.tar -C out; echo same $?
            getfattr -R -d out 2>/dev/null || true
            [ $(du -k out/t/sparse | cut -f1) -lt 200 ] && echo sparse
            tar --sort=name -czf t.tgz -C out t; mkdir again; tar -xpzf t.tgz -C again; diff -r --no-dereference -x fifo out again
            tree t; tree again; stat -c '%y %A' again/t/d4/f4
            tar --sort=name -cf plain.tar t/d0; tar --sort=name -rf plain.tar t/d1
            tar --sort=name -uf plain.tar t/d2; tar --delete -f plain.tar t/d0
            tar -tf plain.tar"#,
    },
    Program {
        name: "find: by time, size, mode, link and kind",
        needs: "find",
        script: r#"
            some $((40 * N)) t; mkdir t/empty t/full; ln t/d1/f1 t/full/same; ln -s d1 t/link; mkfifo t/fifo
            touch -d '2020-01-01' t/d2/f2; touch -d '2020-01-02' t/d3/f3; chmod 640 t/d4/f4; chmod 4711 t/d5/f5
            cd t; q() { echo "$*"; find . "$@" | sort; }
            q -newer d3/f3 -type f -name 'f1*'; q ! -newer d2/f2; q -newermt 2020-01-01T12:00:00 ! -newermt 2020-01-03
            q -type f -size +3k -size -5k; q -type f -size 0; q -perm 640; q -perm -4000; q -perm /022; q -samefile d1/f1; q -empty
            q -links 2 -type f; q -type p; q -type l -lname 'd*'; q -L -maxdepth 2 -name f1 2>/dev/null || find -L . -name f1 | sort
            find . -depth -name 'f2*' -delete; find . -type f -name 'f3*' -exec rm {} +; find . -type f | wc -l
            tree ."#,
    },
    Program {
        name: "du, df, ls: sizes are sensible",
        needs: "du",
        script: r#"
            some $((20 * N)) t; truncate -s 10M t/sparse; head -c 1M /dev/zero > t/million; ln t/million t/linked
            du -b --apparent-size t/million t/sparse | awk '{print $1, $2}'
            du -b --apparent-size -l t/d* | awk '{print $2, ($1 > 0)}'
            [ $(du -k t/sparse | cut -f1) -lt 64 ] && echo 'a hole takes no space'
            k=$(du -k t/million | cut -f1); [ $k -ge 1024 ] && [ $k -le 1100 ] && echo 'a million takes a million'
            [ $(du -k t | tail -1 | cut -f1) -lt $((2200 + 200 * N)) ] && echo 'linked files count once'
            [ $(df --output=size -k . | tail -1) -gt 0 ] && [ $(df --output=used -k . | tail -1) -gt 0 ] && echo 'df knows'
            [ $(df --output=itotal . | tail -1) != 0 ] && echo 'inodes too'
            [ -z "$P" ] || { fallocate -l 1M alloc && stat -c %s alloc; fallocate -p -o 0 -l 512K alloc; }
            ls -ls t/d1 | awk '{print $2, $3, $6, $NF}' | grep -v ^total; ls -R t | wc -l; stat -c '%s %h %F' t/million"#,
    },
    Program {
        name: "make -j8: a C project, nothing to do, and a changed header",
        needs: "cc",
        script: r#"
            mkdir src; cd src; n=$((24 * N))
            echo '#define BASE 1' > base.h
            for i in $(seq $n); do printf '#include "base.h"\nint f%d(void) { return BASE * %d; }\n' $i $i > f$i.c; done
            { for i in $(seq $n); do echo "int f$i(void);"; done; echo '#include <stdio.h>'
              echo 'int main(void) { int s = 0;'; for i in $(seq $n); do echo "s += f$i();"; done
              echo 'printf("%d\n", s); return 0; }'; } > main.c
            cat > Makefile <<'EOF'
OBJECTS := $(patsubst %.c,%.o,$(sort $(wildcard *.c)))
prog: lib.a main.o
	cc -o $@ main.o lib.a
lib.a: $(filter-out main.o,$(OBJECTS))
	ar rcD $@ $^
%.o: %.c base.h
	cc -O0 -c -o $@ $<
EOF
            make -j8 > log 2>&1; ./prog; make -j8 | grep -c 'up to date'
            sleep 0.01; echo '#define BASE 2' > base.h; make -j8 | grep -c '^cc' ; ./prog
            sleep 0.01; touch f3.c; make -j8 | grep -c '^cc'; ./prog
            rm log; tree . ! -name prog"#,
    },
];

/// Runs every program in a new directory below `base`, with as much work as `n` says: `run` takes a script and variables
/// and gives what it printed on standard output and on standard error. `wanted` names the programs (none: all); with
/// TASKFS_PROGRAM=WORDS only those with these words in their name are run.
pub fn every_program(
    on: &str,
    base: &str,
    n: u32,
    wanted: &[&str],
    mut run: impl FnMut(&str, &[(&str, &str)]) -> (String, String),
) -> Vec<Outcome> {
    let only = std::env::var("TASKFS_PROGRAM").unwrap_or_default();
    let short = |program: &Program| program.name.split([':', ' ', ',']).next().expect("a name");
    PROGRAMS
        .iter()
        .filter(|program| program.name.contains(&only))
        .filter(|program| wanted.is_empty() || wanted.contains(&short(program)))
        .map(|program| {
            let short = short(program);
            let dir = format!("{base}/{short}");
            let script = format!(
                "{PRELUDE}command -v {} > /dev/null || {{ echo {MISSING}; exit; }}\nset +e\n(set -e\n{}\n)\n\
                 echo \"status $?\"; cd /; rm -rf \"$D\"; [ ! -e \"$D\" ] && echo removed",
                program.needs, program.script
            );
            let begun = std::time::Instant::now();
            let (out, err) = run(&script, &[("D", &dir), ("N", &n.to_string())]);
            eprintln!("{on}: {:5.1} s  {}", begun.elapsed().as_secs_f64(), program.name);
            Outcome { program, out, err }
        })
        .collect()
}

/// What a script prints where its program is not there.
const MISSING: &str = "no such program";

/// What a program's script printed.
pub struct Outcome {
    program: &'static Program,
    out: String,
    err: String,
}

impl Outcome {
    fn is_missing(&self) -> bool {
        self.out.trim() == MISSING
    }
    fn is_complete(&self) -> bool {
        self.out.ends_with("status 0\nremoved\n")
    }
}

/// Panics with all that is not the same on `on` as on tmpfs.
pub fn compare(on: &str, tmpfs: &[Outcome], ours: &[Outcome]) {
    let mut wrong = Vec::new();
    for (native, ours) in tmpfs.iter().zip(ours) {
        let name = native.program.name;
        if native.is_missing() || ours.is_missing() {
            crate::cannot_run(&format!("{name} on {on}"), &format!("no {} here", native.program.needs));
            continue;
        }
        assert!(native.is_complete(), "{name}, on tmpfs itself: {}\n{}", native.out, native.err);
        if native.out != ours.out {
            wrong.push(format!("{name}\n{}stderr: {}", difference(&native.out, &ours.out), ours.err));
        }
    }
    assert!(wrong.is_empty(), "{on}: {} of {} programs:\n{}", wrong.len(), tmpfs.len(), wrong.join("\n"));
}

/// The first lines that are not the same.
fn difference(tmpfs: &str, ours: &str) -> String {
    let (mut tmpfs, mut ours) = (tmpfs.lines(), ours.lines());
    let mut shown = String::new();
    for number in 1.. {
        match (tmpfs.next(), ours.next()) {
            (None, None) => break,
            (a, b) if a == b => {}
            (a, b) => {
                let line = |line: Option<&str>| line.unwrap_or("(nothing)").to_owned();
                shown += &format!("  line {number}\n    tmpfs: {}\n    here:  {}\n", line(a), line(b));
                if shown.len() > 2000 {
                    break;
                }
            }
        }
    }
    shown
}

/// How long a script may take, with `n` times the work.
pub fn patience(n: u32) -> Duration {
    Duration::from_secs(120 * u64::from(n))
}
