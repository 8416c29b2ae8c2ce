//! The files that say what to run and what it may use, and the ctl that changes the rest.

mod toy;

use toy::{Server, text};
use vfs::{Errno, OpenFlags, SetStat};

#[tokio::test]
async fn cmd_and_argv_are_two_views_of_one_thing() {
    let server = Server::new().await;
    let task = server.new_task().await;
    let (cmd, argv) = (format!("{task}/cmd"), format!("{task}/argv"));
    server.echo("echo 'a b' it''s", &cmd).await.expect("cmd");
    assert_eq!(server.cat(&argv).await.as_deref(), Ok("echo\na b\nits\n"));
    server.echo("echo\ntwo words", &argv).await.expect("argv");
    assert_eq!(server.cat(&cmd).await.as_deref(), Ok("echo 'two words'\n"));
    server.add("more", &argv).await.expect("argv");
    assert_eq!(server.cat(&cmd).await.as_deref(), Ok("echo 'two words' more\n"));
    assert_eq!(server.run("echo x").await.1, "x\n");
}

#[tokio::test]
async fn the_environment_is_replaced_by_one_arrow_and_added_to_by_two() {
    let server = Server::new().await;
    let task = server.new_task().await;
    let env = format!("{task}/env");
    server.echo("A=1\nB=it's", &env).await.expect("env");
    server.add("A=2", &env).await.expect("env");
    assert_eq!(server.cat(&env).await.as_deref(), Ok("A=2\nB=it's\n"));
    server.echo("C=3", &env).await.expect("env");
    assert_eq!(server.cat(&env).await.as_deref(), Ok("C=3\n"));
    assert_eq!(text(server.add("no value", &env).await), "want NAME=value, not \"no value\"");
    server.echo("exec env", &format!("{task}/ctl")).await.expect("exec");
    assert_eq!(server.end(&task).await.1, "C=3\n");
}

#[tokio::test]
async fn a_here_document_may_come_in_pieces_cut_anywhere() {
    let server = Server::new().await;
    let task = server.new_task().await;
    let text: String = (0..1000).map(|n| format!("NAME{n}=value {n}\n")).collect();
    let file =
        server.open(&format!("{task}/env"), OpenFlags::WRITE | OpenFlags::TRUNCATE).await.expect("env");
    let mut offset = 0;
    for piece in text.as_bytes().chunks(4096) {
        assert_eq!(file.write(offset, piece).await, Ok(piece.len()));
        offset += piece.len() as u64;
    }
    drop(file);
    assert_eq!(server.cat(&format!("{task}/env")).await, Ok(text));
}

#[tokio::test]
async fn a_long_text_without_a_last_line_end_is_whole_when_it_is_closed() {
    let server = Server::new().await;
    let task = server.new_task().await;
    let value = "x".repeat(5000);
    let file = server.open(&format!("{task}/env"), OpenFlags::WRITE).await.expect("env");
    file.write(0, format!("LONG={value}").as_bytes()).await.expect("write");
    file.flush().await.expect("flush");
    assert_eq!(server.cat(&format!("{task}/env")).await, Ok(format!("LONG={value}\n")));
}

#[tokio::test]
async fn type_takes_what_there_is_and_names_it_where_there_is_not() {
    let server = Server::new().await;
    let task = server.new_task().await;
    let kind = format!("{task}/type");
    assert_eq!(server.cat(&kind).await.as_deref(), Ok("auto\n"));
    server.echo("toy", &kind).await.expect("type");
    let error = text(server.echo("perl", &kind).await);
    assert_eq!(error, "unknown type \"perl\": want auto or a runtime of this server (toy)");
    assert_eq!(server.cat(&kind).await.as_deref(), Ok("toy\n"), "a failed write changes nothing");
}

#[tokio::test]
async fn cwd_must_be_a_directory_and_programs_are_found_from_it() {
    let server = Server::new().await;
    server.make("/tmp/here", b"TOY echo\n").await;
    let task = server.new_task().await;
    let cwd = format!("{task}/cwd");
    assert_eq!(text(server.echo("/nowhere", &cwd).await), "/nowhere: file does not exist");
    assert_eq!(text(server.echo("/bin/echo", &cwd).await), "/bin/echo: not a directory");
    server.echo("/tmp", &cwd).await.expect("cwd");
    assert_eq!(server.cat(&cwd).await.as_deref(), Ok("/tmp\n"));
    server.echo("exec ./here found", &format!("{task}/ctl")).await.expect("exec");
    assert_eq!(server.end(&task).await.1, "found\n");
}

#[tokio::test]
async fn limits_are_set_a_line_or_a_word_each_and_shown_as_they_can_be_written() {
    let server = Server::new().await;
    let task = server.new_task().await;
    let limits = format!("{task}/limits");
    server.echo("memory=64M\ncpu 2s", &limits).await.expect("limits");
    server.echo("limit wall=500ms files=64", &format!("{task}/ctl")).await.expect("limit");
    let shown = server.cat(&limits).await.expect("limits");
    assert_eq!(shown, "memory 64M\ncpu 2s\nwall 500ms\nfiles 64\noutput none\ntasks none\n");
    server.echo(&shown, &limits).await.expect("what is shown can be written");
    let ctl = format!("{task}/ctl");
    let error = text(server.echo("limit files=8 frob=1", &ctl).await);
    assert!(error.starts_with("limit: bad limit \"frob=1\""), "{error}");
    assert_eq!(server.cat(&limits).await, Ok(shown), "a bad word spoils them all");
}

#[tokio::test]
async fn an_error_of_ctl_is_an_error_of_the_write_and_changes_nothing() {
    let server = Server::new().await;
    let task = server.new_task().await;
    let ctl = format!("{task}/ctl");
    for (line, said) in [
        ("", "empty control message"),
        ("foo 'a b'", "unknown control message \"foo 'a b'\""),
        ("alias", "wrong number of arguments in control message \"alias\""),
        ("alias 'x", "unbalanced quote in control message \"alias 'x\\n\""),
        ("alias x\nfrob", "line 2: unknown control message \"frob\""),
    ] {
        let error = server.echo(line, &ctl).await.expect_err(line);
        assert_eq!((error.errno(), error.text()), (Errno::EINVAL, said));
        assert!(server.cat(&ctl).await.expect("ctl").ends_with(&format!("last error: {said}\n")));
    }
    assert_eq!(server.cat(&format!("{task}/alias")).await.as_deref(), Ok(""));
    let file = server.open(&ctl, OpenFlags::WRITE).await.expect("ctl");
    assert!(text(file.write(0, b"\xff\x00start").await).contains("not text"));
    assert_eq!(file.write(0, &vec![b'a'; 65537]).await.expect_err("too long").errno(), Errno::E2BIG);
    assert_eq!(
        file.write(7, b"alias half").await,
        Ok(10),
        "no line end, some offset: a command all the same"
    );
    assert_eq!(server.cat(&format!("{task}/alias")).await.as_deref(), Ok("half\n"));
}

#[tokio::test]
async fn lines_are_done_in_order_until_one_fails_which_is_named() {
    let server = Server::new().await;
    let task = server.new_task().await;
    let error = text(server.echo("alias a\ncont\nalias b", &format!("{task}/ctl")).await);
    assert_eq!(error, "command 2: cont: task 1 is not stopped");
    assert_eq!(server.cat(&format!("{task}/alias")).await.as_deref(), Ok("a\n"));
}

#[tokio::test]
async fn reading_ctl_lists_the_commands_and_what_each_takes() {
    let server = Server::new().await;
    let task = server.new_task().await;
    let help = server.cat(&format!("{task}/ctl")).await.expect("ctl");
    for verb in [
        "start",
        "stop",
        "cont",
        "kill [signal]",
        "bind [-abc] new old",
        "mount",
        "unmount",
        "eof",
        "hangup",
        "limit",
        "cap",
        "killonclose",
        "remove",
        "alias",
        "output",
    ] {
        assert!(help.lines().any(|line| line.starts_with(verb)), "{verb} in {help}");
    }
}

#[tokio::test]
async fn synthetic_files_have_no_length_take_truncation_and_belong_to_who_made_the_task() {
    let server = Server::new().await;
    let task = server.new_task().await;
    for name in server.ls(&task).await.expect("ls") {
        let path = format!("{task}/{name}");
        let place = server.place(&path).await.expect("walk");
        let stat = place.stat(&server.who).await.expect("stat");
        assert_eq!(stat.uid, server.who.uid, "{name}");
        if name == "root" {
            continue;
        }
        assert_eq!((stat.size, stat.qid.version), (0, 0), "{name}");
        if stat.mode.bits() & 0o200 != 0 && !place.kind().is_dir() {
            let size = SetStat { size: Some(0), ..SetStat::default() };
            place.setstat(&server.who, size).await.expect("truncate");
        }
    }
    let seen: std::collections::HashSet<u64> = {
        let mut all = Vec::new();
        for name in server.ls(&task).await.expect("ls") {
            all.push(server.stat(&format!("{task}/{name}")).await.expect("stat").qid.path);
        }
        all.into_iter().collect()
    };
    assert_eq!(
        seen.len(),
        server.ls(&task).await.expect("ls").len(),
        "every file has an identity of its own"
    );
}

#[tokio::test]
async fn what_runs_is_told_in_runtime_and_devices_are_there() {
    let server = Server::new().await;
    assert_eq!(server.ls("/runtime").await, Ok(vec!["toy".to_owned()]));
    assert_eq!(server.cat("/runtime/toy/version").await.as_deref(), Ok("toy 1\n"));
    assert_eq!(server.cat("/runtime/toy/capabilities").await.as_deref(), Ok("runs toys\n"));
    assert_eq!(server.cat("/dev/null").await.as_deref(), Ok(""));
    server.echo("gone", "/dev/null").await.expect("null");
    assert_eq!(server.echo("x", "/dev/full").await.expect_err("full").errno(), Errno::ENOSPC);
    let mut buf = [1; 32];
    let zero = server.open("/dev/zero", OpenFlags::READ).await.expect("zero");
    assert_eq!(zero.read(5, &mut buf).await, Ok(32));
    assert_eq!(buf, [0; 32]);
    let random = server.open("/dev/urandom", OpenFlags::READ).await.expect("urandom");
    assert_eq!(random.read(0, &mut buf).await, Ok(32));
    assert_ne!(buf, [0; 32]);
    let looks = server.open("/dev/zero", OpenFlags::READ | OpenFlags::NONBLOCK).await.expect("zero");
    assert_eq!(looks.read(0, &mut buf).await, Ok(0), "grep -r comes to an end");
    let names = server.ls("/").await.expect("ls");
    for name in ["bin", "tmp", "task", "runtime", "dev", "n", "srv"] {
        assert!(names.iter().any(|n| n == name), "{name} in {names:?}");
    }
}
