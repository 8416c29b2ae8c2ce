//! Ten thousand sleeping tasks in one server, driven through its socket by a client with many requests in flight; then as
//! many as the machine holds, and one more.

use crate::ninep::attach;
use crate::process::{Server, bind_of};
use crate::report::Report;
use crate::task::{end, read_in, task, tell};
use futures_util::{StreamExt, stream};
use nine::client::{ClientError, Fid};
use nine::wire::Dialect;
use std::time::{Duration, Instant};

const TASKS: usize = 10_000;
/// Far more than any machine's default limits let run.
const TRIES: usize = 40_000;
/// The client's requests at once.
const IN_FLIGHT: usize = 64;
const GIB: f64 = 1024.0 * 1024.0 * 1024.0;

pub fn run(report: &mut Report) {
    report.section(&format!("{TASKS} sleeping WASI tasks in one server, over its unix socket"));
    let server = Server::start(&[
        "--tasks",
        &(TRIES + 1).to_string(),
        "--bind",
        &bind_of("sleep.wasm"),
        "--bind",
        &bind_of("hello.wasm"),
    ]);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("threads").block_on(measure(report, &server)).expect("the server answers");
}

async fn measure(report: &mut Report, server: &Server) -> Result<(), ClientError> {
    let root = attach(&server.unix(), Dialect::P9P2000U, "/").await?;
    let empty = server.memory();
    report.note("the server before, resident", &format!("{:.0} MiB", empty as f64 / GIB * 1024.0));

    let began = Instant::now();
    let started: Vec<_> =
        stream::iter(0..TASKS).map(|_| sleeper(&root)).buffer_unordered(IN_FLIGHT).collect().await;
    let took = began.elapsed();
    let mut tasks = started.into_iter().collect::<Result<Vec<_>, _>>()?;
    // They count as started when they have said so themselves.
    let awake = stream::iter(&tasks).map(|task| read_in(&root, task, "stdio/1"));
    let said = awake
        .buffer_unordered(IN_FLIGHT)
        .collect::<Vec<_>>()
        .await
        .into_iter()
        .collect::<Result<Vec<_>, _>>()?;
    // Of a line that is written in two parts the first may have been all that was there.
    assert!(said.iter().all(|said| said.starts_with("sleeping")), "a sleeper says so");
    report.time("`new`, cmd, start of all", took);
    report.time("until all have said that they sleep", began.elapsed());
    report.time("each, start to start", took / TASKS as u32);
    let memory = server.memory();
    report.limit("resident, all asleep", memory as f64 / GIB * 1024.0, "MiB", 1024.0);
    report.note("each", &format!("{:.1} KiB", (memory - empty) as f64 / 1024.0 / TASKS as f64));

    let refused = loop {
        match sleeper(&root).await {
            Ok(task) => tasks.push(task),
            Err(error) => break error,
        }
        assert!(tasks.len() < TRIES, "there is a limit");
    };
    report.note("until one more was refused", &format!("{} tasks: \"{refused}\"", tasks.len()));
    let victim = tasks.pop().expect("ten thousand");
    end(&root, &victim).await?;
    let began = Instant::now();
    let hello = task(&root, "/bin/hello.wasm").await?;
    read_in(&root, &hello, "wait").await?;
    report.time("one killed, hello run in its place", began.elapsed());

    let count = tasks.len();
    let began = Instant::now();
    let ends: Vec<_> =
        stream::iter(&tasks).map(|task| end(&root, task)).buffer_unordered(IN_FLIGHT).collect().await;
    ends.into_iter().collect::<Result<(), _>>()?;
    report.time(&format!("kill of all {count}, each end seen in `wait`"), began.elapsed());
    let began = Instant::now();
    let removed: Vec<_> = stream::iter(&tasks)
        .map(|task| tell(&root, task, "remove"))
        .buffer_unordered(IN_FLIGHT)
        .collect()
        .await;
    removed.into_iter().collect::<Result<(), _>>()?;
    report.time("removal of all", began.elapsed());
    tokio::time::sleep(Duration::from_secs(1)).await;
    report.note("resident after that", &format!("{:.0} MiB", server.memory() as f64 / GIB * 1024.0));
    Ok(())
}

async fn sleeper(root: &Fid) -> Result<String, ClientError> {
    task(root, "/bin/sleep.wasm 3600").await
}
