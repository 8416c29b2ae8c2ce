//! Ten thousand tasks fit one server.

mod host;

use host::{Host, With, wat};
use runtime_wasi::Config;
use std::time::{Duration, Instant};
use task::{Exit, Runtime};

/// Resident memory of this process, in bytes.
fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages: usize = text.split(' ').nth(1).and_then(|n| n.parse().ok()).expect("a number");
    pages * rustix::param::page_size()
}

#[tokio::test]
async fn ten_thousand_sleeping_guests_fit_in_a_gigabyte_and_one_too_many_is_refused() {
    let host = Host::with(Config { max_instances: Some(10_000), ..Config::default() });
    // As large as a small C program: a memory of 17 MiB, data behind its stack, and a read that waits.
    let program = wat(r#"
  (data (i32.const 0x1000000) "waiting")
  (func (export "_start")
    (i32.store (i32.const 0) (i32.const 64))
    (i32.store (i32.const 4) (i32.const 1))
    (drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8))))"#)
    .replace("(memory (export \"memory\") 1)", "(memory (export \"memory\") 260)");
    let first = host.start("main.wat", program.as_bytes(), With::default()).await.expect("started");
    let before = resident();
    let mut tasks = vec![first];
    let refused = loop {
        match host.start_again("main.wat", With::default()).await {
            Ok(task) => tasks.push(task),
            Err(error) => break error,
        }
    };
    assert_eq!(refused.text(), "too many running wasi tasks (10000)");
    assert_eq!(tasks.len(), 10_000);
    // All of them wait for input by then.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let used = resident() - before;
    assert!(used < 1 << 30, "{} KiB each", used / tasks.len() / 1024);
    let began = Instant::now();
    for task in &tasks {
        task.running.kill(Exit::success());
    }
    for task in &tasks {
        assert_eq!(task.end().await, Exit::success());
    }
    assert!(began.elapsed() < Duration::from_secs(20), "killed in {:?}", began.elapsed());
    assert!(host.runtime.stats().starts_with("instances 0\n"));
}
