//! Output that is kept for any number of readers, input that is a pipe, and what can be bound over both.

mod toy;

use std::time::Duration;
use toy::{Server, text, waits};
use vfs::{Errno, Interest, OpenFlags};

async fn read(file: &vfs::FileRef, offset: u64) -> String {
    let mut buf = [0; 64];
    let count = file.read(offset, &mut buf).await.expect("read");
    String::from_utf8_lossy(&buf[..count]).into_owned()
}

#[tokio::test]
async fn what_is_written_to_stdin_comes_out_live_and_eof_ends_it() {
    let server = Server::new().await;
    let task = server.start("cat").await;
    let (stdin, stdout) = (format!("{task}/stdio/0"), format!("{task}/stdio/1"));
    let reader = server.open(&stdout, OpenFlags::READ).await.expect("stdio/1");
    let mut buf = [0; 8];
    assert!(waits(async { reader.read(0, &mut buf).await }).await, "nothing yet");
    server.echo("one", &stdin).await.expect("stdin");
    assert_eq!(read(&reader, 0).await, "one\n");
    server.add("two", &stdin).await.expect("stdin");
    assert_eq!(read(&reader, 4).await, "two\n");
    let late = server.open(&stdout, OpenFlags::READ).await.expect("stdio/1");
    assert_eq!(read(&late, 0).await, "one\ntwo\n", "a late reader reads from the start");
    server.echo("eof", &format!("{task}/ctl")).await.expect("eof");
    assert_eq!(read(&reader, 8).await, "");
    assert_eq!(server.end(&task).await, (String::new(), "one\ntwo\n".into()));
    let error = server.echo("late", &stdin).await.expect_err("finished");
    assert_eq!(
        (error.errno(), error.text()),
        (Errno::EPIPE, "/task/1/stdio/0: task 1 has exited and reads no more")
    );
}

#[tokio::test]
async fn input_may_come_before_the_start() {
    let server = Server::new().await;
    let task = server.new_task().await;
    server.echo("early", &format!("{task}/stdio/0")).await.expect("stdin");
    server.echo("eof\nexec cat", &format!("{task}/ctl")).await.expect("exec");
    assert_eq!(server.end(&task).await.1, "early\n");
}

#[tokio::test]
async fn with_hangup_a_writers_last_close_is_the_end() {
    let server = Server::new().await;
    let task = server.new_task().await;
    server.echo("hangup\nexec cat", &format!("{task}/ctl")).await.expect("exec");
    server.echo("all of it", &format!("{task}/stdio/0")).await.expect("stdin");
    assert_eq!(server.end(&task).await.1, "all of it\n");
}

#[tokio::test]
async fn a_full_pipe_holds_its_writer_until_it_is_read_and_a_writer_that_leaves_has_written_nothing() {
    let server = Server::new().await;
    let task = server.new_task().await;
    let stdin = server.open(&format!("{task}/stdio/0"), OpenFlags::WRITE).await.expect("stdin");
    assert_eq!(stdin.write(0, &[b'a'; 100_000]).await, Ok(65536), "as much as it holds");
    assert!(waits(stdin.write(0, b"gone")).await);
    assert!(waits(stdin.ready(Interest::Write)).await);
    server.echo("exec cat", &format!("{task}/ctl")).await.expect("exec");
    stdin.ready(Interest::Write).await.expect("ready");
    assert_eq!(stdin.write(0, b"here").await, Ok(4));
    server.echo("eof", &format!("{task}/ctl")).await.expect("eof");
    let output = server.end(&task).await.1;
    assert_eq!(output.len(), 65540);
    assert!(output.ends_with("ahere"));
}

#[tokio::test]
async fn a_writer_that_waits_is_told_when_the_task_ends() {
    let server = Server::new().await;
    let task = server.start("sleep").await;
    let stdin = server.open(&format!("{task}/stdio/0"), OpenFlags::WRITE).await.expect("stdin");
    assert_eq!(stdin.write(0, &[0; 65536]).await, Ok(65536));
    let (written, killed) = tokio::join!(stdin.write(0, b"more"), async {
        tokio::task::yield_now().await;
        server.echo("kill", &format!("{task}/ctl")).await
    });
    assert_eq!(killed, Ok(()));
    assert_eq!(text(written), "/task/1/stdio/0: task 1 has exited and reads no more");
}

#[tokio::test]
async fn from_outside_stdin_is_only_written_and_output_only_read() {
    let server = Server::new().await;
    let task = server.new_task().await;
    let (stdin, stdout) = (format!("{task}/stdio/0"), format!("{task}/stdio/1"));
    assert_eq!(text(server.cat(&stdin).await), "/task/1/stdio/0: only tasks read it");
    assert_eq!(text(server.echo("x", &stdout).await), "/task/1/stdio/1: only tasks write it");
    // `exec 3<>f`, and kernels that cache.
    let both = OpenFlags::READ | OpenFlags::WRITE;
    let file = server.open(&stdin, both).await.expect("read-write");
    assert_eq!(file.write(0, b"x").await, Ok(1));
    assert_eq!(file.read(0, &mut [0; 4]).await.expect_err("read").errno(), Errno::EPERM);
    let file = server.open(&stdout, both).await.expect("read-write");
    assert_eq!(file.write(0, b"x").await.expect_err("write").errno(), Errno::EPERM);
}

#[tokio::test]
async fn who_opens_without_waiting_is_told_to_come_again() {
    let server = Server::new().await;
    let task = server.start("sleep").await;
    let mut buf = [0; 8];
    for file in ["stdio/1", "stdio/2", "wait", "trace"] {
        let file =
            server.open(&format!("{task}/{file}"), OpenFlags::READ | OpenFlags::NONBLOCK).await.expect(file);
        assert_eq!(file.read(0, &mut buf).await.expect_err("nothing yet").errno(), Errno::EAGAIN);
        assert!(waits(file.ready(Interest::Read)).await);
    }
}

#[tokio::test]
async fn a_flood_that_nobody_reads_keeps_its_newest_and_runs_on() {
    let server = Server::new().await;
    let task = server.new_task().await;
    server.echo("output auto 64K\nexec flood", &format!("{task}/ctl")).await.expect("exec");
    tokio::time::sleep(Duration::from_millis(50)).await;
    let written = server.stat(&format!("{task}/stdio/1")).await.expect("stat").size;
    assert!(written > 1 << 20, "{written} bytes");
    server.echo("kill", &format!("{task}/ctl")).await.expect("kill");
    assert_eq!(server.end(&task).await.1.len(), 64 << 10);
}

#[tokio::test]
async fn with_output_wait_a_writer_is_held_until_somebody_reads() {
    let server = Server::new().await;
    let task = server.new_task().await;
    server.echo("output wait 64K\nexec flood", &format!("{task}/ctl")).await.expect("exec");
    tokio::time::sleep(Duration::from_millis(50)).await;
    let size = || async { server.stat(&format!("{task}/stdio/1")).await.expect("stat").size };
    assert_eq!(size().await, 64 << 10);
    let reader = server.open(&format!("{task}/stdio/1"), OpenFlags::READ).await.expect("open");
    let mut buf = vec![0; 32 << 10];
    assert_eq!(reader.read(0, &mut buf).await, Ok(32 << 10));
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(size().await, 96 << 10);
    server.echo("output drop", &format!("{task}/ctl")).await.expect("output");
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(size().await > 200 << 10, "dropping waits for nobody");
    server.echo("kill", &format!("{task}/ctl")).await.expect("kill");
}

#[tokio::test]
async fn a_reader_behind_what_was_dropped_goes_on_at_the_oldest_kept_without_a_repeat() {
    let server = Server::new().await;
    let task = server.new_task().await;
    server.echo("output drop 8\nexec cat", &format!("{task}/ctl")).await.expect("exec");
    let reader = server.open(&format!("{task}/stdio/1"), OpenFlags::READ).await.expect("open");
    server.echo("0123456789ab", &format!("{task}/stdio/0")).await.expect("stdin");
    tokio::time::sleep(Duration::from_millis(20)).await;
    let mut four = [0; 4];
    assert_eq!(reader.read(0, &mut four).await, Ok(4));
    assert_eq!(&four, b"5678");
    assert_eq!(read(&reader, 4).await, "9ab\n");
}

#[tokio::test]
async fn a_pipeline_is_a_bind_of_one_tasks_output_over_anothers_input() {
    let server = Server::new().await;
    let (first, second) = (server.new_task().await, server.new_task().await);
    server.echo("bind /task/1/stdio/1 stdio/0", &format!("{second}/ctl")).await.expect("bind");
    server.echo("exec cat", &format!("{second}/ctl")).await.expect("exec");
    server.echo("exec echo through the pipe", &format!("{first}/ctl")).await.expect("exec");
    assert_eq!(server.end(&second).await, (String::new(), "through the pipe\n".into()));
}

#[tokio::test]
async fn a_pipeline_may_be_bound_from_the_writing_end_too() {
    let server = Server::new().await;
    let (first, second) = (server.new_task().await, server.new_task().await);
    server.echo("hangup\nexec cat", &format!("{second}/ctl")).await.expect("exec");
    server
        .echo("bind /task/2/stdio/0 /task/1/stdio/1\nexec echo pushed", &format!("{first}/ctl"))
        .await
        .expect("exec");
    assert_eq!(server.end(&second).await.1, "pushed\n");
    assert_eq!(server.end(&first).await.1, "", "its own log got nothing");
}

#[tokio::test]
async fn storage_files_can_be_stdin_and_stdout() {
    let server = Server::new().await;
    server.make("/tmp/in", b"from a file\n").await;
    server.make("/tmp/out", b"kept: ").await;
    let task = server.new_task().await;
    server
        .echo("bind /tmp/in stdio/0\nbind /tmp/out stdio/1\nexec cat", &format!("{task}/ctl"))
        .await
        .expect("exec");
    assert_eq!(server.end(&task).await.0, "");
    assert_eq!(server.cat("/tmp/out").await.as_deref(), Ok("kept: from a file\n"));
}

#[tokio::test]
async fn two_tasks_may_share_one_output_which_ends_with_the_last() {
    let server = Server::new().await;
    let (first, second) = (server.new_task().await, server.new_task().await);
    server.echo("bind /task/1/stdio/1 stdio/1\nexec cat", &format!("{second}/ctl")).await.expect("exec");
    server.echo("exec echo first", &format!("{first}/ctl")).await.expect("exec");
    server.cat(&format!("{first}/wait")).await.expect("wait");
    let reader = server.open(&format!("{first}/stdio/1"), OpenFlags::READ).await.expect("open");
    assert_eq!(read(&reader, 0).await, "first\n");
    let mut buf = [0; 8];
    assert!(waits(async { reader.read(6, &mut buf).await }).await, "the second still writes");
    server.echo("second", &format!("{second}/stdio/0")).await.expect("stdin");
    server.echo("eof", &format!("{second}/ctl")).await.expect("eof");
    assert_eq!(read(&reader, 6).await, "second\n");
    assert_eq!(read(&reader, 13).await, "");
}

#[tokio::test]
async fn a_thousand_readers_of_one_output_all_get_all_of_it() {
    let server = std::sync::Arc::new(Server::new().await);
    let task = server.start("cat").await;
    let readers: Vec<_> = (0..1000)
        .map(|_| {
            let (server, path) = (server.clone(), format!("{task}/stdio/1"));
            tokio::spawn(async move { server.cat(&path).await })
        })
        .collect();
    for n in 0..10 {
        server.echo(&n.to_string(), &format!("{task}/stdio/0")).await.expect("stdin");
        tokio::task::yield_now().await;
    }
    server.echo("eof", &format!("{task}/ctl")).await.expect("eof");
    for reader in readers {
        assert_eq!(reader.await.expect("joined").as_deref(), Ok("0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n"));
    }
}

#[tokio::test]
async fn the_trace_says_what_the_guest_asks_for_while_it_is_read() {
    let server = Server::new().await;
    server.make("/tmp/file", b"x").await;
    let task = server.new_task().await;
    let trace = server.open(&format!("{task}/trace"), OpenFlags::READ).await.expect("trace");
    server.echo("exec get /tmp/file", &format!("{task}/ctl")).await.expect("exec");
    assert_eq!(read(&trace, 0).await, "open \"/tmp/file\"\n");
    server.cat(&format!("{task}/wait")).await.expect("wait");
    assert_eq!(read(&trace, 17).await, "", "it ends with the task");
}
