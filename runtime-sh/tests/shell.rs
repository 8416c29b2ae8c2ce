//! A shell as a task: what it starts, what ends it, and what scripts that mean no good cannot do.

mod house;

use house::House;
use std::time::{Duration, Instant};
use task::State;

async fn until(what: &str, mut is: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is() {
        assert!(began.elapsed() < Duration::from_secs(30), "{what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_are_tasks_below_the_shell_and_are_gone_when_they_were_waited_for() {
    let house = House::new().await;
    house.write("/tmp/child", "#!/bin/sh\necho \"$# $0 $PPID\"; pwd; echo \"$X\"; exit 3\n", 0o755).await;
    let ran = house.sh("export X=y; cd /; /tmp/child a b; echo $? $$").await;
    assert_eq!(ran.stdout, "2 /tmp/child 1\n/\ny\n3 1\n");
    assert_eq!(house.table.len(), 0, "no task is left");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_of_tasks_carries_bytes_and_ends_a_writer_without_a_reader() {
    let house = House::new().await;
    house.write("/tmp/flood", "#!/bin/sh\nwhile :; do echo line; done\n", 0o755).await;
    house.write("/tmp/upper", "#!/bin/sh\nwhile read x; do echo \"[$x]\"; done\n", 0o755).await;
    let ran = house.sh("./flood | ./upper | head -n 2; echo done").await;
    assert_eq!((ran.stdout.as_str(), ran.code), ("[line]\n[line]\ndone\n", 0));
    assert_eq!(house.table.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_capability_no_program_is_started_and_commands_run_all_the_same() {
    let house = House::new().await;
    house.write("/tmp/child", "#!/bin/sh\necho never\n", 0o755).await;
    let task = house.table.make(&house.me).expect("a task");
    task.change_spec("argv", |spec| {
        spec.argv = [&b"sh"[..], b"-c", b"echo a | cat; /tmp/child; echo $?"].map(<[u8]>::to_vec).to_vec();
        Ok(())
    })
    .expect("new");
    house.start(&task).await;
    let ran = house.said(&task).await;
    assert_eq!(ran.stdout, "a\n126\n");
    assert!(ran.stderr.contains("no capability \"spawn\""), "{}", ran.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endless_loop_is_killed_at_once_and_stops_for_stop() {
    let house = House::new().await;
    for script in
        ["while :; do :; done", "f() { f & f | f; }; while :; do (:); done", "cat", "sleep 1000 | sleep 1000"]
    {
        let task = house.make(&["sh", "-c", script]);
        house.start(&task).await;
        house.ctl(&task, "stop").await;
        assert_eq!(task.life.state(), State::Stopped);
        // What runs at that moment is run to its next turn.
        let used = || task.usage.user_ns.load(std::sync::atomic::Ordering::Relaxed);
        let mut rounds = 0..200;
        let still = loop {
            let before = used();
            tokio::time::sleep(Duration::from_millis(50)).await;
            if used() == before || rounds.next().is_none() {
                break used() == before;
            }
        };
        assert!(still, "{script}: stopped, it uses no cpu");
        house.ctl(&task, "cont").await;
        house.ctl(&task, "kill").await;
        assert_eq!(house.ended(&task).await.code, 137, "{script}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fork_bomb_ends_by_itself_or_is_killed_and_the_server_lives() {
    let house = House::new().await;
    let task = house.make(&["sh", "-c", ":(){ :|:& };:; wait"]);
    house.ctl(&task, "limit tasks=20 cpu=2s").await;
    house.start(&task).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let other = house.sh("echo alive").await;
    assert_eq!(other.stdout, "alive\n");
    let _ended_by_its_limit = task.life.kill(task::Exit::killed(137, "enough"));
    house.ended(&task).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_strike_by_name() {
    let house = House::new().await;
    for (limit, script, message) in [
        ("cpu=50ms", "while :; do :; done", "cpu limit 50ms reached"),
        ("wall=50ms", "sleep 100", "wall limit 50ms reached"),
        ("output=1K", "while :; do echo xxxxxxxxxxxxxxxx; done", "output limit 1K reached"),
    ] {
        let task = house.make(&["sh", "-c", script]);
        house.ctl(&task, &format!("limit {limit}")).await;
        house.start(&task).await;
        assert_eq!(house.ended(&task).await.message, message);
    }
    let task = house.make(&["sh", "-c", "x=xxxxxxxxxxxxxxxx; while :; do x=$x$x; done"]);
    house.ctl(&task, "limit memory=8M").await;
    house.start(&task).await;
    let ran = house.said(&task).await;
    assert_eq!((ran.stderr.as_str(), ran.code), ("sh: 1: memory limit 8M reached\n", 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_nests_deep_ends_the_script_and_not_the_server() {
    let house = House::new().await;
    let deep = [
        "f() { f; }; f".to_owned(),
        "f() { (f); }; f".to_owned(),
        "f() { x=$(f); }; f".to_owned(),
        "f() { { { if :; then f; fi; }; }; }; f".to_owned(),
        "f() { eval f; }; f".to_owned(),
        "f() { : | f; }; f".to_owned(),
        "trap 'kill -USR1 $$' USR1; f() { case x in x) while f; do :; done;; esac; }; f".to_owned(),
        format!("{}:{}", "(".repeat(50_000), ")".repeat(50_000)),
        format!("{}:{}", "( ".repeat(50_000), " )".repeat(50_000)),
        format!("echo {}x{}", "$(echo ".repeat(50_000), ")".repeat(50_000)),
        format!("echo {}x{}", "${a-".repeat(50_000), "}".repeat(50_000)),
        format!("echo {}1{}", "$((".repeat(50_000), "))".repeat(50_000)),
        format!("echo $(({}1{}))", "(".repeat(50_000), ")".repeat(50_000)),
        format!("{}:{}", "if :; then ".repeat(50_000), "; fi".repeat(50_000)),
        format!("test {} x", " \\(".repeat(20_000)),
        format!("expr {} x", " \\(".repeat(20_000)),
    ];
    for script in deep {
        let task = house.make(&["sh", "-c", &script]);
        house.ctl(&task, "limit cpu=20s").await;
        house.start(&task).await;
        let exit = house.ended(&task).await;
        assert_ne!(exit.code, 0, "{}", &script[..40.min(script.len())]);
    }
    assert_eq!(house.sh("echo alive").await.stdout, "alive\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn signals_run_traps_or_end_the_shell_by_their_number() {
    let house = House::new().await;
    let task =
        house.make(&["sh", "-c", "trap 'echo caught; exit 7' TERM; echo ready; while :; do sleep 0; done"]);
    house.start(&task).await;
    until("it is ready", || task.stdio.stdout.len().0 >= 6).await;
    house.ctl(&task, "kill TERM").await;
    let ran = house.said(&task).await;
    assert_eq!((ran.stdout.as_str(), ran.code), ("ready\ncaught\n", 7));

    let task = house.make(&["sh", "-c", "trap 'echo woke' USR1; sleep 1000 & wait; echo $?"]);
    house.start(&task).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    house.ctl(&task, "kill USR1").await;
    let ran = house.said(&task).await;
    assert_eq!(ran.stdout, "woke\n138\n");

    let script = "trap 'echo asked to stop' TSTP; trap 'kill -TTIN $$; echo on; exit' USR1; echo ready; while :; do sleep 0; done";
    let task = house.make(&["sh", "-c", script]);
    house.start(&task).await;
    until("it is ready", || task.stdio.stdout.len().0 >= 6).await;
    house.ctl(&task, "kill TSTP").await;
    until("it was asked to stop", || task.stdio.stdout.len().0 >= 20).await;
    house.ctl(&task, "kill USR1").await;
    until("it stops itself", || task.life.state() == State::Stopped).await;
    house.ctl(&task, "cont").await;
    assert_eq!(house.said(&task).await.stdout, "ready\nasked to stop\non\n");

    let task = house.make(&["sh", "-c", "sleep 1000"]);
    house.start(&task).await;
    house.ctl(&task, "kill INT").await;
    let exit = house.ended(&task).await;
    assert_eq!((exit.code, exit.message.as_str()), (130, "killed by SIGINT"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_runs_out_of_time_gets_a_signal_and_may_do_something_about_it() {
    let house = House::new().await;
    house
        .write(
            "/tmp/child",
            "#!/bin/sh\ntrap 'echo told; exit 7' TERM\nwhile :; do sleep 0.01; done\n",
            0o755,
        )
        .await;
    house.write("/tmp/deaf", "#!/bin/sh\ntrap '' TERM\nwhile :; do sleep 0.01; done\n", 0o755).await;
    let script = "timeout 0.1 ./child; echo $?; timeout --preserve-status 0.1 env A=1 ./child; echo $?
        timeout -k 0.1 0.1 ./deaf; echo $?; timeout 0.1 xargs -n1 ./deaf </bin/ls; echo $?
        timeout -s INT 0.1 yes | head -n 1; timeout 0.1 yes >/dev/null; echo $?; timeout 9 sh -c 'exit 3'; echo $?";
    let ran = house.sh(script).await;
    assert_eq!(ran.stdout, "told\n124\ntold\n7\n137\n124\ny\n124\n3\n", "{}", ran.stderr);
    until("nothing is left", || house.table.is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_are_killed_with_their_shell() {
    let house = House::new().await;
    house.write("/tmp/child", "#!/bin/sh\nsleep 1000\n", 0o755).await;
    let task = house.make(&["sh", "-c", "/tmp/child & /tmp/child | /tmp/child"]);
    house.start(&task).await;
    until("three children run", || house.table.len() == 4).await;
    house.ctl(&task, "kill").await;
    house.ended(&task).await;
    until("they are gone", || house.table.len() == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_on_standard_input_run_as_they_come_and_share_it_with_what_they_run() {
    let house = House::new().await;
    let task = house.make(&["sh"]);
    house.start(&task).await;
    task.stdio.stdin.write(b"echo one\n").await.expect("written");
    until("the first ran", || task.stdio.stdout.len().0 == 4).await;
    task.stdio
        .stdin
        .write(b"read x\nvalue\necho \"<$x>\"\nhead -n 1\nline\ncat <<E\nhere\nE\nif :\nthen echo yes\nfi\n")
        .await
        .expect("written");
    task.stdio.stdin.end();
    let ran = house.said(&task).await;
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("one\n<value>\nline\nhere\nyes\n", ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn scripts_are_found_by_their_first_line_and_by_their_name() {
    let house = House::new().await;
    house.write("/tmp/a", "#!/usr/bin/env sh\necho $0 $*\n", 0o755).await;
    house.write("/tmp/b.sh", "echo $0 $*\n", 0o644).await;
    house.write("/tmp/c", "echo no line $*\n", 0o755).await;
    assert_eq!(house.run(&["./a", "x"]).await.stdout, "./a x\n");
    assert_eq!(house.run(&["/tmp/b.sh", "y"]).await.stdout, "/tmp/b.sh y\n");
    assert_eq!(house.sh("./c z").await.stdout, "no line z\n");
    assert_eq!(house.run(&["ls", "-d", "/tmp"]).await.stdout, "/tmp\n");
    let task = house.make(&["-x", "y"]);
    let set = task.change_spec("program", |spec| {
        spec.program = Some(b"/tmp/a".to_vec());
        Ok(())
    });
    set.expect("new");
    house.start(&task).await;
    assert_eq!(house.said(&task).await.stdout, "-x y\n", "a name is no option");
}

#[tokio::test(flavor = "multi_thread")]
async fn capabilities_bound_what_a_script_opens() {
    let house = House::new().await;
    house.write("/tmp/secret", "s\n", 0o644).await;
    let task = house.table.make(&house.me).expect("a task");
    task.change_spec("argv", |spec| {
        let line = b"cat </tmp/secret; echo x >/tmp/new; echo /tmp/s*; echo ok >/home/f; cat /home/f";
        spec.argv = [&b"sh"[..], b"-c", line].map(<[u8]>::to_vec).to_vec();
        Ok(())
    })
    .expect("new");
    task.change_caps(&house.me, |caps| {
        let words = |line: &str| line.split(' ').map(|word| word.as_bytes().to_vec()).collect::<Vec<_>>();
        caps.revoke(&task::Cap::parse(&words("fs:/ read write"))?)?;
        caps.grant(task::Cap::parse(&words("fs:/bin read"))?);
        caps.grant(task::Cap::parse(&words("fs:/home read write"))?);
        Ok(())
    })
    .expect("new");
    house.start(&task).await;
    let ran = house.said(&task).await;
    assert_eq!(ran.stdout, "/tmp/s*\nok\n");
    assert!(ran.stderr.contains("cannot open /tmp/secret: Permission denied"), "{}", ran.stderr);
    assert!(ran.stderr.contains("cannot create /tmp/new: Permission denied"), "{}", ran.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn job_control_reaches_what_runs_behind_the_scenes() {
    let house = House::new().await;
    house.write("/tmp/child", "#!/bin/sh\nwhile :; do sleep 0.01; done\n", 0o755).await;
    let script = "./child & id=$!; [ -d /task/$id ] && echo a task; kill $id; wait $id; echo $?; sleep 100 & kill %1; wait %1; echo $?; jobs";
    let ran = house.sh(script).await;
    assert_eq!(ran.stdout, "a task\n143\n143\n", "{}", ran.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn ps_shows_the_tasks_that_are_seen_and_kill_is_a_program_too() {
    let house = House::new().await;
    house.write("/tmp/child", "#!/bin/sh\nsleep 1000\n", 0o755).await;
    let script = "./child & x=$!; ps -p $x -o ppid=,stat=,args=; ps -e | head -n 1; ps | grep -c child
        env kill -0 $x && env kill -s CONT $x; echo $?; env kill -s TERM $x; wait $x; echo $?; env kill $x; echo $?; env kill -l 9 TERM 137";
    let ran = house.sh(script).await;
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert!(lines[0].starts_with("1 S ") && lines[0].ends_with("child"), "{ran:?}");
    assert_eq!(lines[1..], ["PID TTY     TIME CMD", "1", "0", "143", "1", "KILL", "15", "KILL"], "{ran:?}");
    assert!(ran.stderr.contains(") - No such process\n"), "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_is_nowhere_here_is_named() {
    let ran = House::new().await.sh("echo a b | awk '{ print $2 }'; echo $?; command -v awk; echo $?").await;
    assert_eq!(ran.stdout, "127\n127\n");
    assert!(ran.stderr.contains("awk: not found: there is no awk here"), "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn test_takes_up_to_four_arguments_by_their_number_where_dash_refuses_them() {
    let script = "for x in = '(' ')' '!' -a -o -n; do [ \"$x\" -a \"$x\" ] && [ ! \"$x\" -a '' ] && [ '' -o \"$x\" ] && echo \"<$x>\"; done
        [ ! ! ! a ]; echo $?; [ ! -o '' ]; echo $?; [ a b c d ]; echo $?";
    let ran = House::new().await.sh(script).await;
    assert_eq!(ran.stdout, "<=>\n<(>\n<)>\n<!>\n<-a>\n<-o>\n<-n>\n1\n0\n2\n", "{}", ran.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alias_in_a_command_that_comes_in_parts_is_put_in_once() {
    let house = House::new().await;
    let task = house.make(&["sh"]);
    house.start(&task).await;
    for part in ["e() { echo \"$@\"; }\nalias e='e a' e2='echo b'\ne '", "x\n", "y'; e2 '", "\n'\n"] {
        task.stdio.stdin.write(part.as_bytes()).await.expect("written");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    task.stdio.stdin.end();
    let ran = house.said(&task).await;
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("a x\ny\nb \n\n", ""));
}
