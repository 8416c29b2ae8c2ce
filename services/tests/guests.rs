//! What a task sees: its namespace, itself, the tasks below it; and what it may do with them.

mod toy;

use toy::{Server, text};
use vfs::{Caller, Errno, Follow, OpenFlags, TaskId};

/// A guest of the task `id`, as a runtime has it.
fn guest(server: &Server, id: u32) -> Caller {
    server.table.get(TaskId(id)).expect("a task").guest()
}

/// As [`Server::cat`], but as a guest in its own namespace.
async fn cat(server: &Server, who: &Caller, path: &str) -> vfs::Result<String> {
    let id = who.task.expect("a guest");
    let ns = server.table.get(id).expect("a task").namespace();
    let file = ns.root().resolve(who, path.as_bytes(), Follow::Yes).await?.open(who, OpenFlags::READ).await?;
    let mut buf = [0; 4096];
    let count = file.read(0, &mut buf).await?;
    Ok(String::from_utf8_lossy(&buf[..count]).into_owned())
}

async fn echo(server: &Server, who: &Caller, text: &str, path: &str) -> vfs::Result<()> {
    let id = who.task.expect("a guest");
    let ns = server.table.get(id).expect("a task").namespace();
    let file =
        ns.root().resolve(who, path.as_bytes(), Follow::Yes).await?.open(who, OpenFlags::WRITE).await?;
    file.write(0, text.as_bytes()).await.map(|_| ())
}

#[tokio::test]
async fn self_is_the_task_that_asks_and_nothing_from_outside() {
    let server = Server::new().await;
    assert_eq!(text(server.cat("/task/self/pid").await), "/task/self: who asks is not a task");
    let task = server.new_task().await;
    server.echo("exec get /task/self/pid", &format!("{task}/ctl")).await.expect("exec");
    assert_eq!(server.end(&task).await, (String::new(), "1\n".into()));
}

#[tokio::test]
async fn a_bind_in_one_tasks_namespace_is_seen_there_and_nowhere_else() {
    let server = Server::new().await;
    server.make("/tmp/a", b"a").await;
    server.make("/tmp/b", b"b").await;
    let task = server.new_task().await;
    server.echo("bind /tmp/a /tmp/b\nexec get /tmp/b", &format!("{task}/ctl")).await.expect("exec");
    assert_eq!(server.end(&task).await.1, "a");
    assert_eq!(server.cat("/tmp/b").await.as_deref(), Ok("b"));
    assert_eq!(server.cat(&format!("{task}/root/tmp/b")).await.as_deref(), Ok("a"), "root/ is its namespace");
}

#[tokio::test]
async fn seen_through_root_there_are_no_tasks_or_a_walk_over_the_tree_would_never_end() {
    let server = Server::new().await;
    let task = server.new_task().await;
    assert!(server.ls(&format!("{task}/root")).await.expect("ls").contains(&"task".to_owned()));
    assert_eq!(server.ls(&format!("{task}/root/task")).await, Ok(Vec::new()));
    assert!(server.place(&format!("{task}/root{task}")).await.is_err());
}

#[tokio::test]
async fn a_namespace_can_be_saved_and_rebuilt_and_the_last_line_is_the_directory() {
    let server = Server::new().await;
    server.make("/tmp/a", b"a").await;
    server.make("/tmp/it's b", b"b").await;
    let (one, two) = (server.new_task().await, server.new_task().await);
    server
        .echo("bind /tmp/a '/tmp/it''s b'\nbind -a /bin /tmp\ncd /tmp", &format!("{one}/ctl"))
        .await
        .expect("ctl");
    let saved = server.cat(&format!("{one}/ns")).await.expect("ns");
    assert!(saved.ends_with("bind /tmp/a '/tmp/it''s b'\nbind -a /bin /tmp\ncd /tmp\n"), "{saved}");
    server.echo(&saved, &format!("{two}/ns")).await.expect("what was read can be written");
    assert_eq!(server.cat(&format!("{two}/ns")).await, Ok(saved.clone()));
    assert_eq!(server.cat(&format!("{two}/cwd")).await.as_deref(), Ok("/tmp\n"));
    server.echo("exec get 'it''s b'", &format!("{two}/ctl")).await.expect("exec");
    assert_eq!(server.end(&two).await.1, "a");

    let three = server.new_task().await;
    let ns = format!("{three}/ns");
    let before = server.cat(&ns).await.expect("ns");
    let error = text(server.echo(&saved.replace("/bin /tmp", "/bon /tmp"), &ns).await);
    assert_eq!(error, "bind -a /bon /tmp: /bon: file does not exist");
    assert_eq!(server.cat(&ns).await, Ok(before), "a rebuilding that fails changes nothing");
    assert!(text(server.echo("frob /a", &ns).await).contains("namespace line \"frob /a\""));
}

#[tokio::test]
async fn without_spawn_a_task_makes_no_tasks() {
    let server = Server::new().await;
    let task = server.new_task().await;
    server.echo("exec get /task/new", &format!("{task}/ctl")).await.expect("exec");
    assert_eq!(server.end(&task).await.0, "exit status 1");
    let said = server.cat(&format!("{task}/stdio/2")).await.expect("stdio/2");
    assert_eq!(said, "get: permission denied: no capability \"spawn\"\n");
}

#[tokio::test]
async fn a_child_starts_with_what_its_maker_has() {
    let server = Server::new().await;
    server.make("/tmp/a", b"a").await;
    server.make("/tmp/b", b"b").await;
    let task = server.new_task().await;
    server.echo("A=1", &format!("{task}/env")).await.expect("env");
    let setup = "cap spawn\nlimit memory=8M tasks=2\nbind /tmp/a /tmp/b\ncd /tmp\nexec sleep";
    server.echo(setup, &format!("{task}/ctl")).await.expect("ctl");
    let who = guest(&server, 1);
    assert_eq!(cat(&server, &who, "/task/new").await.as_deref(), Ok("2\n"));
    assert_eq!(server.cat("/task/2/ppid").await.as_deref(), Ok("1\n"));
    assert_eq!(server.cat("/task/2/env").await.as_deref(), Ok("A=1\n"));
    assert_eq!(server.cat("/task/2/cwd").await.as_deref(), Ok("/tmp\n"));
    assert_eq!(server.cat("/task/2/caps").await, server.cat("/task/1/caps").await);
    assert!(server.cat("/task/2/limits").await.expect("limits").starts_with("memory 8M\n"));
    echo(&server, &who, "exec get b", "/task/2/ctl").await.expect("exec");
    assert_eq!(server.end("/task/2").await.1, "a", "its namespace is a copy of the maker's");
    assert_eq!(cat(&server, &who, "/task/new").await.as_deref(), Ok("3\n"));
    assert_eq!(text(cat(&server, &who, "/task/new").await), "limit tasks=2 of task 1 reached");
}

#[tokio::test]
async fn a_task_gives_neither_itself_nor_a_child_more_than_it_has() {
    let server = Server::new().await;
    let task = server.new_task().await;
    server.echo("cap spawn\nlimit memory=8M\nexec sleep", &format!("{task}/ctl")).await.expect("ctl");
    let who = guest(&server, 1);
    cat(&server, &who, "/task/new").await.expect("a child");
    for target in ["/task/self/ctl", "/task/2/ctl"] {
        let error = echo(&server, &who, "limit memory=9M", target).await.expect_err("more");
        assert_eq!((error.errno(), error.text()), (Errno::EPERM, "limit memory: more than its maker has"));
        echo(&server, &who, "limit memory=4M", target).await.expect("less");
    }
    assert!(echo(&server, &who, "cap net:connect *:80", "/task/2/ctl").await.is_err());
    echo(&server, &who, "cap -d spawn", "/task/2/ctl").await.expect("less");
    server.echo("cap net:connect *:80", "/task/2/ctl").await.expect("from outside anything can be given");
}

#[tokio::test]
async fn a_task_reaches_those_below_it_and_no_others() {
    let server = Server::new().await;
    for _ in 0..2 {
        let task = server.new_task().await;
        server.echo("cap spawn\nexec sleep", &format!("{task}/ctl")).await.expect("exec");
    }
    let (one, two) = (guest(&server, 1), guest(&server, 2));
    cat(&server, &one, "/task/new").await.expect("a child");
    assert_eq!(cat(&server, &one, "/task/3/ppid").await.as_deref(), Ok("1\n"));
    for path in ["/task/1/status", "/task/1/root/tmp", "/task/3/ctl", "/task/1/stdio/1"] {
        let error = cat(&server, &two, path).await.expect_err(path);
        assert_eq!(error.errno(), Errno::EACCES, "{path}");
    }
    assert_eq!(
        text(echo(&server, &two, "kill", "/task/1/ctl").await),
        "permission denied: task 2 did not make task 1"
    );
    let ns = server.table.get(TaskId(2)).expect("a task").namespace();
    let dir = ns.root().walk(&two, b"task").await.expect("task");
    let open = dir.open(&two, OpenFlags::READ).await.expect("open");
    let mut names = Vec::new();
    open.readdir(0, &mut |entry| {
        names.push(entry.name.to_string());
        true
    })
    .await
    .expect("readdir");
    assert_eq!(names, ["new", "clone", "self", "2"]);
}

#[tokio::test]
async fn a_confined_task_sees_the_paths_it_was_given_and_no_way_round_them() {
    let server = Server::new().await;
    server.make("/tmp/open", b"open").await;
    server.make("/secret", b"secret").await;
    let try_it = async |cmd: &str| {
        let task = server.new_task().await;
        server
            .echo("cap none\ncap fs:/bin read\ncap fs:/tmp read", &format!("{task}/ctl"))
            .await
            .expect("cap");
        server.echo(cmd, &format!("{task}/cmd")).await.expect("cmd");
        server.echo("start", &format!("{task}/ctl")).await.expect("start");
        let (_, output) = server.end(&task).await;
        output + &server.cat(&format!("{task}/stdio/2")).await.expect("stdio/2")
    };
    assert_eq!(try_it("get /tmp/open").await, "open");
    assert_eq!(try_it("get /secret").await, "get: permission denied: no capability \"fs:/secret read\"\n");
    assert_eq!(
        try_it("put /tmp/open x").await,
        "put: permission denied: no capability \"fs:/tmp/open write\"\n"
    );
    assert!(try_it("get /task/self/root/secret").await.contains("permission denied"));
    assert_eq!(
        try_it("put /task/self/ctl 'bind /secret /tmp/open'").await,
        "put: permission denied: no capability \"fs:/secret read\"\n"
    );
    assert!(try_it("put /task/self/ctl 'mount mem /tmp'").await.contains("permission denied"));
    assert!(try_it("put /task/self/ns 'bind /secret /tmp/open'").await.contains("permission denied"));
}

#[tokio::test]
async fn variables_reach_the_program_only_where_env_names_them() {
    let server = Server::new().await;
    let task = server.new_task().await;
    server.echo("A=1\nSECRET=2", &format!("{task}/env")).await.expect("env");
    server.echo("fs:/ read write\nenv A", &format!("{task}/caps")).await.expect("caps");
    server.echo("exec env", &format!("{task}/ctl")).await.expect("exec");
    assert_eq!(server.end(&task).await.1, "A=1\n");
}

#[tokio::test]
async fn caps_are_replaced_by_one_arrow_and_show_what_can_be_written() {
    let server = Server::new().await;
    let task = server.new_task().await;
    let caps = format!("{task}/caps");
    let fresh = server.cat(&caps).await.expect("caps");
    assert!(fresh.ends_with("fs:/ read write\nenv *\n"), "{fresh}");
    server.add("net:connect *.example.org:443", &caps).await.expect("add");
    let shown = server.cat(&caps).await.expect("caps");
    server.echo("spawn", &caps).await.expect("replace");
    assert!(server.cat(&caps).await.expect("caps").ends_with(">> adds.\nspawn\n"));
    server.echo(&shown, &caps).await.expect("what is shown can be written");
    assert_eq!(server.cat(&caps).await, Ok(shown));
    assert!(text(server.add("frob", &caps).await).starts_with("bad capability \"frob\""));
}
