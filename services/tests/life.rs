//! What a task is from new to exited, as its files show it.

mod toy;

use std::time::Duration;
use toy::{Server, text, waits};
use vfs::{Errno, OpenFlags};

#[tokio::test]
async fn a_program_runs_through_nothing_but_cat_and_echo() {
    let server = Server::new().await;
    assert_eq!(server.cat("/task/new").await.as_deref(), Ok("1\n"));
    server.echo("echo 'hello  world'", "/task/1/cmd").await.expect("cmd");
    assert_eq!(server.cat("/task/1/status").await.as_deref(), Ok("new\n"));
    server.echo("start", "/task/1/ctl").await.expect("start");
    let line = server.cat("/task/1/wait").await.expect("wait");
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    assert_eq!((words.len(), words[0], words[4]), (5, "1", "''"), "{line}");
    assert_eq!(server.cat("/task/1/stdio/1").await.as_deref(), Ok("hello  world\n"));
    assert_eq!(server.cat("/task/1/status").await.as_deref(), Ok("exited\n"));
    assert_eq!(server.cat("/task/1/exitcode").await.as_deref(), Ok("0\n"));
    assert_eq!(server.cat("/task/1/wait").await, Ok(line), "late readers get the same line");
}

#[tokio::test]
async fn looking_at_new_and_clone_makes_nothing() {
    let server = Server::new().await;
    for file in ["/task/new", "/task/clone"] {
        server.stat(file).await.expect("stat");
        // grep -r opens what it comes across like this.
        let looks = server.open(file, OpenFlags::READ | OpenFlags::NONBLOCK).await.expect("open");
        let mut buf = [0; 16];
        assert_eq!(looks.read(0, &mut buf).await, Ok(0));
    }
    drop(server.open("/task/new", OpenFlags::READ).await.expect("open"));
    assert_eq!(server.ls("/task").await, Ok(vec!["new".to_owned(), "clone".to_owned()]));
}

#[tokio::test]
async fn one_open_of_new_makes_one_task_however_it_is_read() {
    let server = Server::new().await;
    let new = server.open("/task/new", OpenFlags::READ).await.expect("open");
    let mut one = [0; 1];
    assert_eq!(new.read(0, &mut one).await, Ok(1));
    assert_eq!(&one, b"1");
    assert_eq!(new.read(1, &mut one).await, Ok(1));
    assert_eq!(&one, b"\n");
    assert_eq!(new.read(2, &mut one).await, Ok(0));
    assert_eq!(new.read(0, &mut one).await, Ok(1));
    assert_eq!(server.table.len(), 1);
}

#[tokio::test]
async fn what_opening_clone_gives_is_the_ctl_of_a_new_task() {
    let server = Server::new().await;
    let flags = OpenFlags::READ | OpenFlags::WRITE;
    let ctl = server.open("/task/clone", flags).await.expect("clone");
    let mut buf = [0; 16];
    assert_eq!(ctl.read(0, &mut buf).await, Ok(2));
    assert_eq!(&buf[..2], b"1\n");
    ctl.write(0, b"exec sleep\n").await.expect("exec");
    assert_eq!(server.cat("/task/1/status").await.as_deref(), Ok("running\n"));
    drop(ctl);
    assert_eq!(
        server.cat("/task/1/status").await.as_deref(),
        Ok("running\n"),
        "without killonclose it stays"
    );
}

#[tokio::test]
async fn with_killonclose_the_last_close_of_ctl_ends_the_task() {
    let server = Server::new().await;
    let flags = OpenFlags::READ | OpenFlags::WRITE;
    let ctl = server.open("/task/clone", flags).await.expect("clone");
    ctl.write(0, b"killonclose\nexec sleep\n").await.expect("exec");
    let second = server.open("/task/1/ctl", flags).await.expect("ctl");
    drop(ctl);
    assert_eq!(server.cat("/task/1/status").await.as_deref(), Ok("running\n"));
    drop(second);
    let (message, _) = server.end("/task/1").await;
    assert_eq!(message, "killed: its ctl was closed");

    let unused = server.open("/task/clone", flags).await.expect("clone");
    unused.write(0, b"killonclose").await.expect("killonclose");
    drop(unused);
    assert!(server.place("/task/2").await.is_err(), "one that never ran is gone");
}

#[tokio::test]
async fn wait_blocks_every_reader_until_the_end_and_holds_up_nobody_else() {
    let server = std::sync::Arc::new(Server::new().await);
    let task = server.start("sleep").await;
    let waiters: Vec<_> = (0..2000)
        .map(|_| {
            let (server, path) = (server.clone(), format!("{task}/wait"));
            tokio::spawn(async move { server.cat(&path).await })
        })
        .collect();
    assert!(waits(server.cat(&format!("{task}/wait"))).await);
    server.echo("kill", &format!("{task}/ctl")).await.expect("kill");
    let mut lines = std::collections::HashSet::new();
    for waiter in waiters {
        lines.insert(waiter.await.expect("joined").expect("wait"));
    }
    assert_eq!(lines.len(), 1);
    assert!(lines.iter().all(|line| line.ends_with("'killed by SIGKILL'\n")), "{lines:?}");
    assert_eq!(server.cat(&format!("{task}/exitcode")).await.as_deref(), Ok("137\n"));
}

#[tokio::test]
async fn stop_freezes_and_cont_lets_go_on() {
    let server = Server::new().await;
    let task = server.start("spin").await;
    let used = || async {
        let usage = server.cat(&format!("{task}/usage")).await.expect("usage");
        usage
            .lines()
            .next()
            .and_then(|l| l.strip_prefix("user-ms "))
            .and_then(|n| n.parse::<u64>().ok())
            .expect("a number")
    };
    let ctl = format!("{task}/ctl");
    server.echo("stop", &ctl).await.expect("stop");
    assert_eq!(server.cat(&format!("{task}/status")).await.as_deref(), Ok("stopped\n"));
    tokio::time::sleep(Duration::from_millis(20)).await;
    let before = used().await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(used().await, before);
    assert_eq!(text(server.echo("stop", &ctl).await), "stop: task 1 is not running");
    server.echo("cont", &ctl).await.expect("cont");
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(used().await > before);
    server.echo("stop", &ctl).await.expect("stop");
    server.echo("kill", &ctl).await.expect("a stopped task can be killed");
    assert_eq!(server.cat(&format!("{task}/status")).await.as_deref(), Ok("exited\n"));
}

#[tokio::test]
async fn a_verb_that_does_not_fit_the_state_fails_and_says_why() {
    let server = Server::new().await;
    let task = server.start("sleep").await;
    let ctl = format!("{task}/ctl");
    assert_eq!(text(server.echo("start", &ctl).await), "start: task 1 is running");
    assert_eq!(text(server.echo("cont", &ctl).await), "cont: task 1 is not stopped");
    assert_eq!(text(server.echo("remove", &ctl).await), "remove: task 1 is running: kill it first");
    assert_eq!(server.rmdir("/task", "1").await.expect_err("busy").errno(), Errno::EBUSY);
    assert_eq!(text(server.echo("echo", &format!("{task}/cmd")).await), "cmd: task 1 is running");
    server.echo("kill", &ctl).await.expect("kill");
    assert_eq!(text(server.echo("start", &ctl).await), "start: task 1 has exited");
    assert_eq!(text(server.echo("kill", &ctl).await), "kill: task 1 has exited");
    assert_eq!(text(server.echo("A=1", &format!("{task}/env")).await), "env: task 1 has exited");
    assert_eq!(text(server.echo("memory=1M", &format!("{task}/limits")).await), "limit: task 1 has exited");
    server.rmdir("/task", "1").await.expect("one that has exited can go");
    assert!(server.place(&task).await.is_err());
}

#[tokio::test]
async fn removing_a_new_task_ends_those_who_wait_for_it() {
    let server = Server::new().await;
    let task = server.new_task().await;
    let (wait, stdout) = (format!("{task}/wait"), format!("{task}/stdio/1"));
    let (line, output, removed) = tokio::join!(server.cat(&wait), server.cat(&stdout), async {
        tokio::task::yield_now().await;
        server.rmdir("/task", "1").await
    });
    assert_eq!(removed, Ok(()));
    assert_eq!(line.as_deref(), Ok("1 0 0 0 'removed before it was started'\n"));
    assert_eq!(output.as_deref(), Ok(""));
}

#[tokio::test]
async fn starting_what_is_no_program_names_it_and_leaves_the_task_new() {
    let server = Server::new().await;
    server.make("/tmp/text", b"hello").await;
    server.make("/tmp/empty", b"").await;
    let task = server.new_task().await;
    let (ctl, cmd) = (format!("{task}/ctl"), format!("{task}/cmd"));
    assert_eq!(text(server.echo("start", &ctl).await), "start: no program: cmd is empty");
    for (program, said) in [
        ("/bin/nothing", "start: /bin/nothing: file does not exist"),
        ("nothing", "start: nothing: file does not exist (looked in /bin and /)"),
        ("/bin", "start: /bin: is a directory"),
        ("/tmp/text", "start: /tmp/text: no runtime takes it: it begins \"hello\" (tried toy)"),
        ("/tmp/empty", "start: /tmp/empty: no runtime takes it: it is empty (tried toy)"),
    ] {
        server.echo(program, &cmd).await.expect("cmd");
        assert_eq!(text(server.echo("start", &ctl).await), said);
        assert_eq!(server.cat(&format!("{task}/status")).await.as_deref(), Ok("new\n"));
    }
    server.echo("toy", &format!("{task}/type")).await.expect("type");
    assert_eq!(text(server.echo("start", &ctl).await), "start: not a toy");
    assert!(server.cat(&ctl).await.expect("ctl").ends_with("last error: start: not a toy\n"));
    server.echo("/bin/echo again", &cmd).await.expect("cmd");
    server.echo("start", &ctl).await.expect("a task whose start failed can be started");
    assert_eq!(server.end(&task).await, (String::new(), "again\n".into()));
}

#[tokio::test]
async fn a_start_under_way_can_be_cancelled_by_who_asked_and_by_kill() {
    let server = Server::new().await;
    let task = server.new_task().await;
    let (ctl, status) = (format!("{task}/ctl"), format!("{task}/status"));
    server.echo("slow-to-start", &format!("{task}/cmd")).await.expect("cmd");
    assert!(waits(server.echo("start", &ctl)).await, "and who asked goes away");
    assert_eq!(server.cat(&status).await.as_deref(), Ok("new\n"));
    let (started, _) = tokio::join!(server.echo("start", &ctl), async {
        tokio::task::yield_now().await;
        assert_eq!(text(server.echo("start", &ctl).await), "start: task 1 is starting");
        server.echo("kill", &ctl).await.expect("kill");
    });
    assert_eq!(text(started), "start: task 1 was killed");
    assert_eq!(server.cat(&status).await.as_deref(), Ok("new\n"));
}

#[tokio::test]
async fn a_program_that_does_not_end_when_it_is_killed_is_given_up() {
    let server = Server::new().await;
    let task = server.start("stubborn").await;
    server.echo("kill", &format!("{task}/ctl")).await.expect("kill");
    assert_eq!(server.end(&task).await.0, "killed by SIGKILL");
}

#[tokio::test]
async fn the_wall_limit_ends_what_its_runtime_does_not() {
    let server = Server::new().await;
    let task = server.new_task().await;
    server.echo("limit wall=100ms", &format!("{task}/ctl")).await.expect("limit");
    server.echo("exec sleep", &format!("{task}/ctl")).await.expect("exec");
    assert_eq!(server.end(&task).await.0, "wall limit 100ms reached");
}

#[tokio::test]
async fn the_output_limit_ends_a_flood_wherever_it_goes() {
    let server = Server::new().await;
    server.make("/tmp/out", b"").await;
    for bind in ["", "bind /tmp/out stdio/1\n"] {
        let task = server.new_task().await;
        let ctl = format!("{bind}limit output=10000\nexec flood");
        server.echo(&ctl, &format!("{task}/ctl")).await.expect("exec");
        let (message, output) = server.end(&task).await;
        assert_eq!(message, "output limit 10000 reached");
        assert_eq!(output.len(), if bind.is_empty() { 10000 } else { 0 });
        assert!(server.cat(&format!("{task}/usage")).await.expect("usage").contains("\noutput 10000\n"));
    }
    assert_eq!(server.stat("/tmp/out").await.expect("stat").size, 10000);
}

#[tokio::test]
async fn signals_that_a_runtime_cannot_deliver_end_the_task() {
    let server = Server::new().await;
    let task = server.start("sleep").await;
    assert_eq!(text(server.echo("kill FOO", &format!("{task}/ctl")).await), "kill: unknown signal \"FOO\"");
    server.echo("kill TERM", &format!("{task}/ctl")).await.expect("kill");
    assert_eq!(server.end(&task).await.0, "killed by SIGTERM");
    assert_eq!(server.cat(&format!("{task}/exitcode")).await.as_deref(), Ok("143\n"));
}

#[tokio::test]
async fn the_table_is_bounded_and_says_so() {
    let server = Server::with(|config| config.max_tasks = 2).await;
    server.new_task().await;
    server.new_task().await;
    assert_eq!(text(server.cat("/task/new").await), "too many tasks: this server holds 2");
    server.rmdir("/task", "1").await.expect("remove");
    assert_eq!(server.cat("/task/new").await.as_deref(), Ok("3\n"), "numbers are not used again");
}

#[tokio::test]
async fn ten_thousand_tasks_are_made_listed_and_removed_quickly() {
    let server = Server::new().await;
    let begun = std::time::Instant::now();
    for _ in 0..10_000 {
        server.new_task().await;
    }
    let names = server.ls("/task").await.expect("ls");
    assert_eq!(names.len(), 10_002);
    assert_eq!(names[2], "1");
    assert_eq!(names[10_001], "10000");
    for id in 1..=10_000 {
        server.rmdir("/task", &id.to_string()).await.expect("remove");
    }
    assert_eq!(server.table.len(), 0);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn stopping_the_server_ends_every_task() {
    let server = Server::new().await;
    let tasks = [server.start("sleep").await, server.start("spin").await, server.new_task().await];
    server.table.stop().await;
    for task in &tasks[..2] {
        assert_eq!(server.end(task).await.0, "killed: the server stops");
    }
}

#[tokio::test]
async fn signals_that_end_nothing_by_themselves_stop_it_or_are_let_go() {
    let server = Server::new().await;
    let task = server.start("sleep").await;
    let (ctl, status) = (format!("{task}/ctl"), format!("{task}/status"));
    for (signal, then) in [
        ("CHLD", "running\n"),
        ("WINCH", "running\n"),
        ("URG", "running\n"),
        ("TSTP", "stopped\n"),
        ("TTIN", "stopped\n"),
        ("STOP", "stopped\n"),
        ("CONT", "running\n"),
        ("CONT", "running\n"),
        ("TTOU", "stopped\n"),
        ("TERM", "exited\n"),
    ] {
        server.echo(&format!("kill {signal}"), &ctl).await.expect(signal);
        assert_eq!(server.cat(&status).await.as_deref(), Ok(then), "after {signal}");
    }
}
