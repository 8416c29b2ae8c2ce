//! `taskfs run` between a program and whoever reads what it writes.

use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tests::{finish, sh, taskfs};

/// A program that writes `blocks` of 64 KiB, each of the byte of its number, and then ends.
fn writer(dir: &tempfile::TempDir, blocks: u32) -> PathBuf {
    let path = dir.path().join("writer.wat");
    let text = format!(
        r#"(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 2)
  (func (export "_start") (local $block i32) (local $at i32)
    (loop $blocks
      (memory.fill (i32.const 65536) (local.get $block) (i32.const 65536))
      (local.set $at (i32.const 0))
      (loop $rest
        (i32.store (i32.const 0) (i32.add (i32.const 65536) (local.get $at)))
        (i32.store (i32.const 4) (i32.sub (i32.const 65536) (local.get $at)))
        (if (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)) (then unreachable))
        (local.set $at (i32.add (local.get $at) (i32.load (i32.const 8))))
        (br_if $rest (i32.lt_u (local.get $at) (i32.const 65536))))
      (local.set $block (i32.add (local.get $block) (i32.const 1)))
      (br_if $blocks (i32.lt_u (local.get $block) (i32.const {blocks}))))))"#
    );
    std::fs::write(&path, text).expect("written");
    path
}

fn run(program: &PathBuf) -> Child {
    let mut command = Command::new(taskfs());
    command.arg("run").arg(program).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("taskfs starts")
}

const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn all_that_a_program_writes_arrives_from_its_first_byte() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let program = writer(&dir, 48);
    // Several at once, so that none of them has the machine for itself.
    let runs: Vec<Child> = (0..8).map(|_| run(&program)).collect();
    let readers = runs.into_iter().map(|child| std::thread::spawn(|| finish(child, "writer", LIMIT)));
    for reader in readers.collect::<Vec<_>>() {
        let output = reader.join().expect("read");
        assert!(output.status.success());
        assert_eq!(output.stdout.len(), 48 << 16);
        let blocks = output.stdout.chunks(1 << 16).zip(0_u8..);
        assert!(blocks.into_iter().all(|(block, number)| block.iter().all(|byte| *byte == number)));
    }
}

#[test]
fn a_signal_ends_it_while_nobody_reads() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let child = run(&writer(&dir, u32::MAX));
    // Its output fills the pipe, and then everything on the way to it.
    std::thread::sleep(Duration::from_millis(500));
    kill_process(Pid::from_child(&child), Signal::TERM).expect("it runs");
    let mut child = child;
    let ended = (0..200).find_map(|_| {
        std::thread::sleep(Duration::from_millis(50));
        child.try_wait().expect("a child")
    });
    let _stuck = child.kill();
    assert_eq!(
        ended.and_then(|status| status.signal()),
        Some(15),
        "as it would have ended the program itself"
    );
}

#[test]
fn it_ends_as_by_sigpipe_and_says_nothing_once_its_reader_is_gone() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let program = writer(&dir, u32::MAX);
    let script = "set -o pipefail; \"$T\" run \"$P\" | head -c 10";
    let show = |path: &Path| path.display().to_string();
    let output = sh(script, &[("T", &show(&taskfs())), ("P", &show(&program))], LIMIT);
    let first = &output.stdout[..];
    assert_eq!((output.status.code(), first), (Some(128 + 13), &[0; 10][..]));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn a_variable_of_several_lines_is_refused() {
    let mut command = Command::new(taskfs());
    command.args(["run", "-e", "A=one\nB=two", "sh", "-c", "echo $A $B"]).stdin(Stdio::null());
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("taskfs starts");
    let output = finish(child, "sh", LIMIT);
    assert_eq!(output.status.code(), Some(64));
    assert!(String::from_utf8_lossy(&output.stderr).contains("more than one line"));
}

fn script(text: &str, vars: &[(&str, &Path)]) -> std::process::Output {
    let vars: Vec<(&str, String)> = [("T", taskfs())]
        .iter()
        .map(|(n, v)| (*n, v.as_path()))
        .chain(vars.iter().copied())
        .map(|(name, path)| (name, path.display().to_string()))
        .collect();
    let vars: Vec<(&str, &str)> = vars.iter().map(|(name, value)| (*name, value.as_str())).collect();
    sh(text, &vars, LIMIT)
}

#[test]
fn a_signal_that_the_program_handles_costs_a_slow_reader_nothing() {
    let text = r#""$T" run sh -c "trap 'echo heard' TERM; sleep 0.6; sleep 0.2; head -c 800000 /dev/zero" > >(sleep 3; wc -c) & p=$!
        sleep 0.4; kill -TERM $p; wait $p; echo $?; sleep 3"#;
    let output = script(text, &[]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let words: Vec<&str> = said.split_whitespace().collect();
    assert!(words.contains(&"0") && words.contains(&"800006"), "{said} {output:?}");
}

#[test]
fn a_signal_that_it_was_started_to_ignore_is_ignored() {
    let text = r#"(trap '' HUP; exec "$T" run sh -c 'sleep 1; echo ok') & p=$!
        sleep 0.5; kill -HUP $p; wait $p; echo $?"#;
    assert_eq!(String::from_utf8_lossy(&script(text, &[]).stdout), "ok\n0\n");
}

#[test]
fn what_a_wasi_program_writes_at_once_is_written_at_once_however_slow_its_reader() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let program = dir.path().join("exact.wat");
    // 5000 writes of 1000 bytes, none of which may be short.
    let text = r#"(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "_start") (local $n i32)
    (i32.store (i32.const 0) (i32.const 64))
    (i32.store (i32.const 4) (i32.const 1000))
    (loop $more
      (if (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)) (then unreachable))
      (if (i32.ne (i32.load (i32.const 8)) (i32.const 1000)) (then unreachable))
      (local.set $n (i32.add (local.get $n) (i32.const 1)))
      (br_if $more (i32.lt_u (local.get $n) (i32.const 5000))))))"#;
    std::fs::write(&program, text).expect("written");
    let output = script(r#""$T" run "$P" | (sleep 0.3; wc -c); echo ${PIPESTATUS[0]}"#, &[("P", &program)]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "5000000\n0\n", "{output:?}");
}

#[test]
fn what_stands_behind_the_program_is_the_programs() {
    let text = r#"echo 'echo $# $*' > /tmp/$$.sh; "$T" run sh /tmp/$$.sh -e x -l --help -- y; rm /tmp/$$.sh
        "$T" run -e A=b sh -e -c 'echo $A'; "$T" run sh -- -c 'echo c'; "$T" run --frob sh 2>&1; echo $?"#;
    let said = String::from_utf8_lossy(&script(text, &[]).stdout).into_owned();
    assert_eq!(said, "6 -e x -l --help -- y\nb\nc\ntaskfs: --frob: no such option (taskfs run --help)\n64\n");
}

#[test]
fn a_word_that_happens_to_name_a_file_here_is_a_word() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let text = r#"cd "$D"; echo 'echo script $1' > make; "$T" run echo make; "$T" run sh -c 'echo $0' make; "$T" run sh make x; "$T" run sh -x make y 2> /dev/null"#;
    assert_eq!(
        String::from_utf8_lossy(&script(text, &[("D", dir.path())]).stdout),
        "make\nmake\nscript x\nscript y\n"
    );
}

#[test]
fn a_program_that_says_130_itself_was_not_ended_by_a_signal() {
    let mut command = Command::new("env");
    command.arg("--default-signal").arg(taskfs()).args(["run", "sh", "-c"]);
    command.arg("trap 'exit 130' INT; echo up; while :; do sleep 0.1; done");
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("taskfs starts");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    assert_eq!(lines.next().expect("a line").expect("read"), "up");
    kill_process(Pid::from_child(&child), Signal::INT).expect("it runs");
    assert_eq!(child.wait().expect("a child").code(), Some(130));
}

/// bash ends its loop where the command that it waits for was ended by SIGINT, and goes on where that has a status, be it 130.
#[test]
fn an_interrupt_ends_the_shells_loop_that_it_is_in() {
    let mut shell = Command::new("env");
    shell.args(["--default-signal", "bash", "-c", "while :; do \"$T\" run sh -c 'echo up; sleep 100'; done"]);
    shell.env("T", taskfs()).stdin(Stdio::null()).stdout(Stdio::piped()).process_group(0);
    let mut shell = shell.spawn().expect("bash starts");
    let mut lines = BufReader::new(shell.stdout.take().expect("a pipe")).lines();
    assert_eq!(lines.next().expect("a line").expect("read"), "up");
    kill_process_group(Pid::from_child(&shell), Signal::INT).expect("it runs");
    assert!(lines.next().is_none(), "it is not run again");
    assert_eq!(shell.wait().expect("a child").signal(), Some(2));
}

#[test]
fn standard_input_and_output_on_which_nothing_waits_lose_nothing() {
    let (input, mut to) = pipe_with(PipeFlags::NONBLOCK | PipeFlags::CLOEXEC)
        .map(|(r, w)| (r, std::fs::File::from(w)))
        .expect("a pipe");
    let (from, output) = pipe_with(PipeFlags::NONBLOCK | PipeFlags::CLOEXEC).expect("a pipe");
    for end in [rustix::fd::AsFd::as_fd(&from), rustix::fd::AsFd::as_fd(&to)] {
        rustix::fs::fcntl_setfl(end, rustix::fs::OFlags::empty()).expect("these wait");
    }
    let mut command = Command::new(taskfs());
    command.args(["run", "cat"]).stdin(input).stdout(output).stderr(Stdio::piped());
    let child = command.spawn().expect("taskfs starts");
    drop(command);
    let sent: Vec<u8> = (0..3_000_000u32).map(|n| (n / 7) as u8).collect();
    let writer = std::thread::spawn({
        let sent = sent.clone();
        move || {
            std::thread::sleep(Duration::from_millis(200));
            to.write_all(&sent)
        }
    });
    std::thread::sleep(Duration::from_millis(500));
    let mut came = Vec::new();
    std::fs::File::from(from).read_to_end(&mut came).expect("read");
    writer.join().expect("it ends").expect("written");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!((output.status.code(), &output.stderr[..]), (Some(0), &b""[..]));
    assert!(came == sent, "{} bytes came", came.len());
}

#[test]
fn an_input_that_cannot_be_read_is_not_taken_for_one_that_has_ended() {
    let output = script(r#""$T" run cat < /tmp; echo $?; "$T" run cat < /dev/null; echo $?"#, &[]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "74\n0\n");
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "taskfs: standard input: Is a directory (os error 21)\n"
    );
}
