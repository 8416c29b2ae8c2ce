//! A shell on a terminal, as somebody who types at it sees it.

mod house;

use house::House;
use std::sync::Arc;
use std::time::{Duration, Instant};
use task::{State, Task};
use vfs::{Follow, OpenFlags, Terminal};

/// Somebody at the terminal: types, and reads what is shown.
struct Person<'h> {
    house: &'h House,
    task: Arc<Task>,
}

impl<'h> Person<'h> {
    async fn at(house: &'h House, argv: &[&str]) -> Person<'h> {
        let task = house.make(argv);
        house.ctl(&task, "tty on 30 100").await;
        house.start(&task).await;
        Person { house, task }
    }
    async fn types(&self, text: &str) {
        let path = format!("/task/{}/stdio/0", self.task.id);
        let place =
            self.house.ns.root().resolve(&self.house.me, path.as_bytes(), Follow::Yes).await.expect("there");
        let file = place.open(&self.house.me, OpenFlags::WRITE).await.expect("open");
        file.write(0, text.as_bytes()).await.expect("typed");
    }
    async fn shown(&self) -> String {
        let (length, _) = self.task.stdio.stdout.len();
        let path = format!("/task/{}/stdio/1", self.task.id);
        let place =
            self.house.ns.root().resolve(&self.house.me, path.as_bytes(), Follow::Yes).await.expect("there");
        let file = place.open(&self.house.me, OpenFlags::READ).await.expect("open");
        let mut text = vec![0; length as usize];
        let count = match file.read(0, &mut text) {
            op if self.task.stdio.stdout.len().0 > 1 => op.await.expect("read"),
            _ => 0,
        };
        String::from_utf8_lossy(&text[..count]).into_owned()
    }
    /// Waits until what is shown ends so.
    async fn sees(&self, end: &str) {
        let began = Instant::now();
        loop {
            let shown = self.shown().await;
            if shown.ends_with(end) {
                return;
            }
            assert!(began.elapsed() < Duration::from_secs(20), "want {end:?} at the end of {shown:?}");
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prompt_a_line_and_its_answer_are_shown_and_the_end_is_typed() {
    let house = House::new().await;
    let person = Person::at(&house, &["sh"]).await;
    person.sees("$ ").await;
    person.types("echo hellp\x7fo; test -t 0 && echo terminal\r").await;
    person.sees("hello\r\nterminal\r\n$ ").await;
    person.types("if :\r").await;
    person.sees("if :\r\n> ").await;
    person.types("then echo two lines; fi\r").await;
    person.sees("two lines\r\n$ ").await;
    person.types("echo )\r").await;
    person.sees("Syntax error: \")\" unexpected\r\n$ ").await;
    person.types("nosuch; echo $?\r").await;
    person.sees("127\r\n$ ").await;
    person.types("PS1='ready> '\r").await;
    person.sees("ready> ").await;
    person.types("exit 4\r").await;
    assert_eq!(house.ended(&person.task).await.code, 4);

    let person = Person::at(&house, &["sh"]).await;
    person.sees("$ ").await;
    person.types("\x04").await;
    assert_eq!(house.ended(&person.task).await.code, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn control_c_ends_what_runs_and_gives_the_prompt_back() {
    let house = House::new().await;
    house.write("/tmp/child", "#!/bin/sh\nsleep 1000\n", 0o755).await;
    let person = Person::at(&house, &["sh"]).await;
    person.sees("$ ").await;
    for line in
        ["sleep 1000", "/tmp/child", "while :; do :; done", "sleep 1000 | cat", "cat", "echo half typ"]
    {
        person.types(line).await;
        if !line.starts_with("echo") {
            person.types("\r").await;
        }
        person.sees(&format!("{line}{}", if line.starts_with("echo") { "" } else { "\r\n" })).await;
        tokio::time::sleep(Duration::from_millis(30)).await;
        person.types("\x03").await;
        person.sees("^C\r\n$ ").await;
        person.types("echo $?\r").await;
        person.sees("130\r\n$ ").await;
    }
    assert_eq!(house.table.len(), 1, "no program is left");
}

#[tokio::test(flavor = "multi_thread")]
async fn control_z_stops_a_program_and_fg_and_bg_let_it_go_on() {
    let house = House::new().await;
    house.write("/tmp/child", "#!/bin/sh\nread x\necho \"got $x\"\n", 0o755).await;
    let person = Person::at(&house, &["sh"]).await;
    person.sees("$ ").await;
    person.types("/tmp/child\r").await;
    let began = Instant::now();
    while house.table.len() < 2 {
        assert!(began.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    person.types("\x1a").await;
    person.sees("[1] + Stopped /tmp/child\r\n$ ").await;
    person.types("jobs\r").await;
    person.sees("[1] + Stopped                    /tmp/child\r\n$ ").await;
    person.types("fg\r").await;
    person.sees("/tmp/child\r\n").await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    person.types("word\r").await;
    person.sees("got word\r\n$ ").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn control_z_stops_a_script_that_is_no_job_of_a_shell() {
    let house = House::new().await;
    let person = Person::at(&house, &["sh", "-c", "echo ready; cat; echo over"]).await;
    person.sees("ready\r\n").await;
    person.types("\x1a").await;
    let began = Instant::now();
    while person.task.life.state() != State::Stopped {
        assert!(began.elapsed() < Duration::from_secs(20), "{:?}", person.task.life.state());
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
    house.ctl(&person.task, "cont").await;
    person.types("word\r\x04").await;
    person.sees("word\r\nword\r\nover\r\n").await;
    assert_eq!(house.ended(&person.task).await.code, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_windows_size_is_told_by_a_signal() {
    let house = House::new().await;
    let person = Person::at(
        &house,
        &["sh", "-c", "trap 'echo changed; exit' WINCH; echo ready; while :; do sleep 0; done"],
    )
    .await;
    person.sees("ready\r\n").await;
    assert_eq!(person.task.window(), (30, 100));
    house.ctl(&person.task, "winsize 30 100").await;
    house.ctl(&person.task, "winsize 40 120").await;
    assert_eq!(house.ended(&person.task).await.code, 0);
    assert_eq!(person.task.window(), (40, 120));
    person.sees("ready\r\nchanged\r\n").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_raw_terminal_gives_every_byte_as_it_is_typed() {
    let house = House::new().await;
    let person =
        Person::at(&house, &["sh", "-c", "echo tty raw >/task/self/ctl; echo ready; head -c 2 | wc -c"])
            .await;
    person.sees("ready\n").await;
    person.types("\x03").await;
    person.types("x").await;
    person.sees("2\n").await;
    assert_eq!(house.ended(&person.task).await.code, 0);
}
