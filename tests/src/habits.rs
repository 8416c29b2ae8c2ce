//! The shell habits that must just work on every kind of mount: one table, run over each of them.
//!
//! A row is a bash script in which `$M` is the mount and `new PROGRAM…` makes a task; what it prints must be `expect`.

/// One habit.
pub struct Habit {
    pub name: &'static str,
    pub script: &'static str,
    pub expect: &'static str,
}

/// Before every script: strict mode, and the words that rows share.
pub const PRELUDE: &str = r#"
set -u
# new COMMAND…: makes a task that would run it; its directory is $t.
new() { id=$(cat "$M/task/new"); t=$M/task/$id; echo "$*" > "$t/cmd"; }
run() { new "$@"; echo start > "$t/ctl"; }
gone() { # gone PID: it ends within two seconds
    for _ in $(seq 200); do kill -0 "$1" 2>/dev/null || { echo gone; return; }; sleep 0.01; done; echo "still there"
}
W=$(mktemp -d /tmp/habit.XXXXXX); trap 'rm -rf "$W"' EXIT # for what a row writes beside the mount
cd /
"#;

/// The rows to be run: all, or with TASKFS_HABIT=WORDS those with these words in their name.
pub fn wanted() -> Vec<&'static Habit> {
    let only = std::env::var("TASKFS_HABIT").unwrap_or_default();
    HABITS.iter().filter(|habit| habit.name.contains(&only)).collect()
}

impl Habit {
    /// Whether it is about more than files that are stored.
    pub fn reads_tasks(&self) -> bool {
        ["/task", "new /", "run /"].iter().any(|word| self.script.contains(word))
    }

    /// The row as a whole script.
    pub fn whole(&self) -> String {
        format!("{PRELUDE}{}", self.script)
    }

    /// What is wrong with what it printed on standard output and on standard error, if anything.
    pub fn fault(&self, (out, err): &(String, String)) -> Option<String> {
        (out != self.expect).then(|| {
            format!("{}\n  expected {:?}\n  got      {out:?}\n  stderr   {err:?}", self.name, self.expect)
        })
    }
}

/// Runs every row on the mount `mount`: `run` takes a script and gives what it printed on standard output and on standard
/// error. Panics with all that went wrong.
pub fn every_habit(mount: &str, run: impl Fn(&str) -> (String, String)) {
    let mut wrong = Vec::new();
    for habit in wanted() {
        let fault = habit.fault(&run(&habit.whole()));
        eprintln!("{mount}: {} {}", if fault.is_none() { "ok  " } else { "FAIL" }, habit.name);
        wrong.extend(fault);
    }
    assert!(wrong.is_empty(), "{mount}: {} of {} habits:\n{}", wrong.len(), HABITS.len(), wrong.join("\n"));
}

pub const HABITS: &[Habit] = &[
    Habit {
        name: "a program runs with nothing but cat and echo",
        script: r#"id=$(cat $M/task/new); echo '/guests/hello.wasm a b' > $M/task/$id/cmd; echo start > $M/task/$id/ctl
                   cat $M/task/$id/stdio/1; cat $M/task/$id/exitcode"#,
        expect: "Hello, world!\n0\n",
    },
    Habit {
        name: "looking around makes nothing",
        script: r#"before=$(ls $M/task | wc -l); ls -lR $M/task > /dev/null; stat $M/task/new $M/task/clone > /dev/null
                   grep -r --exclude-dir='[0-9]*' nothing-like-this $M/task; find $M/task -maxdepth 1 > /dev/null
                   test $(ls $M/task | wc -l) = $before && echo unchanged"#,
        expect: "unchanged\n",
    },
    Habit {
        name: "what is appended to a file that is open for reading too is all that comes to it",
        script: r#"printf %05540d 0 > $M/tmp/plus; sync; python3 -c 'import sys; open(sys.argv[1], "a+").write("c" * 100)' $M/tmp/plus; sync
                   run /bin/sh -c "'wc -c < /tmp/plus; tail -c 101 /tmp/plus'"; cat $t/stdio/1; rm $M/tmp/plus"#,
        expect: "5640\n0cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc",
    },
    Habit {
        name: "wait gives the same line to early and late readers",
        script: r#"new /guests/exit.wasm 3; cat $t/wait > $W/early & sleep 0.2; echo start > $t/ctl; wait
                   cat $t/wait > $W/late; cmp $W/early $W/late && echo same
                   sed -E "s/^$id [0-9]+ [0-9]+ [0-9]+ //" $W/late"#,
        expect: "same\n'exit status 3'\n",
    },
    Habit {
        name: "stdin is fed by echo, and ended by eof",
        script: r#"run /guests/cat.wasm; echo one > $t/stdio/0; echo two > $t/stdio/0; echo eof > $t/ctl; cat $t/stdio/1"#,
        expect: "one\ntwo\n",
    },
    Habit {
        name: "a pipe into a file feeds a program",
        script: r#"run /guests/cat.wasm; seq 1 5 | cat > $t/stdio/0; echo eof > $t/ctl; cat $t/stdio/1"#,
        expect: "1\n2\n3\n4\n5\n",
    },
    Habit {
        name: "a here-document writes several lines",
        script: "new /guests/env.wasm; cat > $t/env <<END\nA=1\nB=two words\nEND\ncat $t/env; echo C=3 >> $t/env; cat $t/env",
        expect: "A=1\nB=two words\nA=1\nB=two words\nC=3\n",
    },
    Habit {
        name: "a settable file reads back what was written, and is replaced by the next write",
        script: r#"new /guests/hello.wasm; cat $t/cmd; echo "/guests/exit.wasm 'a b' 7" > $t/cmd; cat $t/cmd; cat $t/argv"#,
        expect: "/guests/hello.wasm\n/guests/exit.wasm 'a b' 7\n/guests/exit.wasm\na b\n7\n",
    },
    Habit {
        name: "a file descriptor can be opened for reading and writing and used for both",
        script: r#"new /guests/hello.wasm; exec 3<>$t/ctl; echo start >&3; exec 3>&-; cat $t/stdio/1"#,
        expect: "Hello, world!\n",
    },
    Habit {
        name: "clone is the new task's ctl, and gives its id",
        script: r#"exec 3<>$M/task/clone; read -r id <&3; test -d $M/task/$id && echo there
                   echo "alias cloned" >&3; cat $M/task/$id/alias; exec 3>&-"#,
        expect: "there\ncloned\n",
    },
    Habit {
        name: "a bad command is a failed write that changes nothing",
        script: r#"new /guests/hello.wasm; if echo 'frob 3' > $t/ctl; then echo taken; else echo refused; fi 2>/dev/null
                   cat $t/status; grep -c 'unknown control message' $t/ctl"#,
        expect: "refused\nnew\n1\n",
    },
    Habit {
        name: "starting what is not there is a failed write that names it",
        script: r#"new /no/such/program; echo start > $t/ctl 2>/dev/null && echo started; cat $t/status
                   grep -o '/no/such/program[^,]*' $t/ctl | head -1"#,
        expect: "new\n/no/such/program: file does not exist\n",
    },
    Habit {
        name: "read, test, ls and wc look at synthetic files",
        script: r#"run /guests/hello.wasm; cat $t/wait > /dev/null; read -r line < $t/stdio/1; echo "$line"
                   test -e $t/status && test -d $t/stdio && test ! -e $t/nothing && echo tested
                   ls $t/stdio; wc -l < $t/stdio/1; ls -l $t > /dev/null && echo listed"#,
        expect: "Hello, world!\ntested\n0\n1\n2\n1\nlisted\n",
    },
    Habit {
        name: "output shows live, line by line",
        script: r#"run /guests/cat.wasm; (cat $t/stdio/1 > $W/live) & echo first > $t/stdio/0
                   for _ in $(seq 300); do grep -q first $W/live && break; sleep 0.01; done; cat $W/live
                   echo second > $t/stdio/0; echo eof > $t/ctl; wait; cat $W/live"#,
        expect: "first\nfirst\nsecond\n",
    },
    Habit {
        name: "tail -f follows the output of a running program",
        script: r#"run /guests/cat.wasm; echo first > $t/stdio/0; sleep 0.3
                   (timeout 20 tail -f $t/stdio/1 > $W/tail) & p=$!
                   for _ in $(seq 300); do grep -q first $W/tail 2>/dev/null && break; sleep 0.01; done
                   echo second > $t/stdio/0
                   for _ in $(seq 300); do grep -q second $W/tail && break; sleep 0.01; done
                   cat $W/tail; pkill -P $p tail 2>/dev/null; kill $p 2>/dev/null; wait 2>/dev/null
                   echo kill > $t/ctl"#,
        expect: "first\nsecond\n",
    },
    Habit {
        name: "tail -f follows a file that a program writes",
        script: r#"echo before > $M/tmp/log; new /guests/cat.wasm; echo "bind /tmp/log /task/$id/stdio/1" > $t/ctl; echo start > $t/ctl
                   (timeout 20 tail -f $M/tmp/log > $W/tail) & p=$!
                   for _ in $(seq 300); do grep -q before $W/tail 2>/dev/null && break; sleep 0.01; done
                   echo after > $t/stdio/0
                   for _ in $(seq 500); do grep -q after $W/tail && break; sleep 0.01; done
                   cat $W/tail; pkill -P $p tail 2>/dev/null; kill $p 2>/dev/null; wait 2>/dev/null
                   echo kill > $t/ctl; rm $M/tmp/log"#,
        expect: "before\nafter\n",
    },
    Habit {
        name: "head and dd take what they need",
        script: r#"run /guests/cat.wasm; echo one > $t/stdio/0; echo two > $t/stdio/0; echo eof > $t/ctl; cat $t/wait >/dev/null
                   head -n 1 $t/stdio/1; dd if=$t/stdio/1 bs=3 count=1 2>/dev/null; echo"#,
        expect: "one\none\n",
    },
    Habit {
        name: "kill ends a program that loops, and says so",
        script: r#"run /guests/loop.wasm; cat $t/status; echo kill > $t/ctl; cat $t/wait > /dev/null; cat $t/status
                   grep -c killed $t/wait"#,
        expect: "running\nexited\n1\n",
    },
    Habit {
        name: "stop freezes a program and cont lets it go on",
        script: r#"run /guests/cat.wasm; echo stop > $t/ctl; cat $t/status; echo word > $t/stdio/0; timeout 0.5 cat $t/stdio/1
                   echo cont > $t/ctl; cat $t/status; echo eof > $t/ctl; cat $t/stdio/1"#,
        expect: "stopped\nrunning\nword\n",
    },
    Habit {
        name: "a reader that is killed is gone at once",
        script: r#"run /guests/sleep.wasm 60; cat $t/wait & p=$!; sleep 0.3; kill -9 $p; gone $p
                   cat $t/stdio/1 > /dev/null & p=$!; sleep 0.3; kill -TERM $p; gone $p; echo kill > $t/ctl"#,
        expect: "gone\ngone\n",
    },
    Habit {
        name: "Ctrl-C ends a blocked reader",
        script: r#"run /guests/sleep.wasm 60; timeout -s INT 0.3 cat $t/wait; echo "status $?"; echo kill > $t/ctl"#,
        expect: "status 124\n",
    },
    Habit {
        name: "programs become a pipeline by binding one's output over another's input",
        script: r#"new /guests/hello.wasm; a=$id; new /guests/cat.wasm; echo "bind /task/$a/stdio/1 /task/$id/stdio/0" > $t/ctl
                   echo start > $t/ctl; echo start > $M/task/$a/ctl; cat $t/stdio/1"#,
        expect: "Hello, world!\n",
    },
    Habit {
        name: "files written through the mount are the files that programs see",
        script: r#"mkdir -p $M/tmp/h && echo content > $M/tmp/h/file; run /guests/cat.wasm /tmp/h/file; cat $t/stdio/1
                   echo more >> $M/tmp/h/file; cat $M/tmp/h/file; mv $M/tmp/h/file $M/tmp/h/moved; cat $M/tmp/h/moved
                   ln -s moved $M/tmp/h/link; cat $M/tmp/h/link; rm -r $M/tmp/h; ls $M/tmp/h 2>/dev/null || echo removed"#,
        expect: "content\ncontent\nmore\ncontent\nmore\ncontent\nmore\nremoved\n",
    },
    Habit {
        name: "root is the task's own namespace, with its binds",
        script: r#"mkdir -p $M/tmp/r; echo there > $M/tmp/r/f; new /guests/cat.wasm /mnt/f; mkdir -p $M/mnt 2>/dev/null
                   echo 'bind /tmp/r /mnt' > $t/ctl; cat $t/root/mnt/f; ls $M/mnt; grep '^bind' $t/ns
                   echo start > $t/ctl; cat $t/stdio/1; rm -r $M/tmp/r"#,
        expect: "there\nbind /tmp/r /mnt\nthere\n",
    },
    Habit {
        name: "limits and environment are set by echo",
        script: r#"new /guests/env.wasm; echo GREETING=hi > $t/env; echo 'limit wall=5s' > $t/ctl; grep wall $t/limits
                   echo start > $t/ctl; cat $t/wait > /dev/null; grep -o GREETING=hi $t/stdio/1"#,
        expect: "wall 5s\nGREETING=hi\n",
    },
    Habit {
        name: "vi-like editing: write beside, rename over",
        script: r#"mkdir -p $M/tmp/e; echo old > $M/tmp/e/f; echo new > $M/tmp/e/f.swp; mv $M/tmp/e/f.swp $M/tmp/e/f; cat $M/tmp/e/f
                   tar -C $M/tmp -cf - e | tar -tf - | sort; rm -r $M/tmp/e"#,
        expect: "new\ne/\ne/f\n",
    },
    Habit {
        name: "a finished task is removed with rmdir or a word",
        script: r#"run /guests/hello.wasm; cat $t/wait > /dev/null; echo remove > $t/ctl; test -e $t || echo removed
                   run /guests/hello.wasm; cat $t/wait > /dev/null; rmdir $t; test -e $t || echo removed"#,
        expect: "removed\nremoved\n",
    },
];
