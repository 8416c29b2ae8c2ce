//! Commands that cannot finish: a tree that is full, files that may not be touched, an end in the middle. What was there stays.

use super::{Desk, all_of, block_on, sink, split};
use crate::commands::{Call, Env};
use vfs::{Caller, Gid, MemOptions, MemTree, Mode, Name, Namespace, OpenFlags, Uid};

/// A tree with room for `bytes`, and a file `a` of 5000 short lines in it.
async fn tree(bytes: u64) -> Namespace {
    let options = MemOptions { max_bytes: bytes, ..MemOptions::default() };
    let ns = Namespace::new(MemTree::with(options).root(), "mem");
    let name = Name::new(b"a").expect("a name");
    let made = ns.root().create(&Caller::me(), name, Mode::new(0o644), OpenFlags::WRITE).await.expect("room");
    made.file.write(0, &b"some x\n".repeat(5000)).await.expect("room");
    ns
}

async fn run(desk: &Desk, line: &str) -> (u8, String, String) {
    let argv = split(line);
    let side = Namespace::new(MemTree::new().root(), "mem");
    let [input, out, err] = [sink(&side, b"in").await, sink(&side, b"out").await, sink(&side, b"err").await];
    let (env, cwd) = (Env::default(), desk.ns.root());
    let call = Call { argv: &argv, env: &env, cwd: &cwd, stdio: [input, out.clone(), err.clone()] };
    let status = desk.call(call).await.expect("a command of ours");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (status, text(all_of(&out).await), text(all_of(&err).await))
}

#[test]
fn what_a_full_tree_refuses_is_named_and_leaves_nothing_behind() {
    block_on(async {
        let desk = Desk::new(tree(50_000).await);
        let full = "file system is full: it may hold 50000 bytes\n";
        for (line, status, said) in [
            ("cp a b", 1, "cp: error writing 'b': "),
            ("sed -i s/x/yyyyyyyyy/ a", 4, "sed: couldn't write to a: "),
            ("cp -r a b", 1, "cp: error writing 'b': "),
        ] {
            let (code, _, err) = run(&desk, line).await;
            assert_eq!((code, err), (status, format!("{said}{full}")), "{line}");
            assert_eq!(run(&desk, "ls -A").await.1, "a\n", "after {line}");
            assert_eq!(run(&desk, "grep -c x$ a").await.1, "5000\n", "after {line}");
        }
    });
}

#[test]
fn what_is_not_ones_own_is_refused_by_name() {
    block_on(async {
        let mut desk = Desk::new(tree(1 << 20).await);
        desk.who = Caller::new(Uid(4711), Gid(4711));
        for (line, said) in [
            ("rm a", "rm: cannot remove 'a': Permission denied\n"),
            ("touch b", "touch: cannot touch 'b': Permission denied\n"),
            ("mkdir b", "mkdir: cannot create directory 'b': Permission denied\n"),
            ("chmod 600 a", "chmod: changing permissions of 'a': Operation not permitted\n"),
            ("mv a b", "mv: cannot move 'a' to 'b': Permission denied\n"),
        ] {
            let (code, _, err) = run(&desk, line).await;
            assert_eq!((code, err.as_str()), (1, said), "{line}");
        }
    });
}

#[test]
fn a_command_that_is_killed_leaves_the_file_it_was_changing() {
    block_on(async {
        let mut desk = Desk::new(tree(1 << 20).await);
        desk.busy = true;
        let mut edit = Box::pin(run(&desk, "sed -i s/x/y/ a"));
        for _ in 0..100 {
            let polled = futures_util::future::poll_immediate(edit.as_mut()).await;
            assert!(polled.is_none(), "it gives way in each line");
        }
        drop(edit);
        desk.busy = false;
        assert_eq!(run(&desk, "ls -A").await.1, "a\n");
        assert_eq!(run(&desk, "grep -c x$ a").await.1, "5000\n");
    });
}

#[test]
fn what_gathers_lines_stops_at_the_memory_that_it_may_have() {
    block_on(async {
        let desk = Desk::new(tree(1 << 20).await);
        desk.memory.set_limit(Some(64 << 10));
        let (code, out, err) = run(&desk, "sort a").await;
        assert_eq!((code, out.as_str()), (2, ""));
        assert!(err.contains("memory limit 64K reached"), "{err}");
        assert_eq!(run(&desk, "wc -l a").await.1, "5000 a\n", "what streams is not bound by it");
        assert_eq!(run(&desk, "sed -i s/x/\\\\t/ a").await.0, 0);
        assert_eq!(run(&desk, "expand -t 9999999999 a").await.0, 1, "a tab is as wide as memory goes");
    });
}
