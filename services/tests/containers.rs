//! What a container is from new to destroyed, as its files show it.

mod toy;

use std::time::Duration;
use toy::{Server, text, waits};
use vfs::{Caller, Errno, FileRef, Gid, OpenFlags, Uid};

async fn read(file: &FileRef, offset: u64) -> String {
    let mut buf = vec![0; 64 << 10];
    let count = file.read(offset, &mut buf).await.expect("a read");
    String::from_utf8_lossy(&buf[..count]).into_owned()
}

/// What an open file gives first.
async fn next(file: &FileRef) -> String {
    read(file, 0).await
}

/// What events bring that nobody has read by this open file yet: behind all that it gave.
async fn news(events: &FileRef) -> String {
    read(events, 1 << 40).await
}

async fn events(server: &Server, container: &str) -> FileRef {
    server.open(&format!("{container}/events"), OpenFlags::READ).await.expect("events")
}

/// Reads events until one begins with `wanted`; gives all that came.
async fn until(events: &FileRef, wanted: &str) -> String {
    let mut all = String::new();
    while !all.lines().any(|line| line.starts_with(wanted)) {
        let more = tokio::time::timeout(Duration::from_secs(20), news(events)).await;
        let more = more.unwrap_or_else(|_| panic!("no {wanted:?} after {all}"));
        assert!(!more.is_empty(), "the end before {wanted:?}: {all}");
        all += &more;
    }
    all
}

async fn state(server: &Server, container: &str) -> String {
    let status = server.cat(&format!("{container}/status")).await.expect("status");
    status.lines().next().expect("a state").to_owned()
}

#[tokio::test]
async fn a_project_is_put_in_run_and_taken_out_through_nothing_but_files() {
    let server = Server::new().await;
    assert_eq!(server.cat("/web/container/new").await.as_deref(), Ok("1\n"));
    assert_eq!(state(&server, "/web/container/1").await, "new");
    server.make("/web/container/1/mount/bin/get", b"TOY get\n").await;
    server.make("/web/container/1/mount/home/data", b"what is in it").await;
    server.ctl("/web/container/1", "cwd home").await.expect("cwd");
    server.ctl("/web/container/1", "spawn get data").await.expect("spawn");
    let (message, out) = server.end("/web/container/1/processes/1").await;
    assert_eq!((message.as_str(), out.as_str()), ("", "what is in it"));
    assert_eq!(state(&server, "/web/container/1").await, "running");
    assert_eq!(server.cat("/task/1/container").await.as_deref(), Ok("1\n"));
    assert_eq!(server.cat(&format!("{}/container", server.new_task().await)).await.as_deref(), Ok(""));
}

#[tokio::test]
async fn looking_at_new_clone_and_fork_makes_nothing() {
    let server = Server::new().await;
    let container = server.new_container().await;
    for file in ["/web/container/new", "/web/container/clone"] {
        server.stat(file).await.expect("stat");
        let looks = server.open(file, OpenFlags::READ | OpenFlags::NONBLOCK).await.expect("open");
        assert_eq!(next(&looks).await, "");
    }
    for file in ["fork", "processes/new", "processes/clone", "export"] {
        let path = format!("{container}/{file}");
        let looks = server.open(&path, OpenFlags::READ | OpenFlags::NONBLOCK).await.expect("open");
        assert_eq!(next(&looks).await, "");
    }
    assert_eq!((server.containers.len(), server.table.len()), (1, 0));
}

#[tokio::test]
async fn what_opening_clone_gives_is_the_ctl_of_a_new_container() {
    let server = Server::new().await;
    let flags = OpenFlags::READ | OpenFlags::WRITE;
    let ctl = server.open("/web/container/clone", flags).await.expect("clone");
    assert_eq!(next(&ctl).await, "1\n");
    assert_eq!(ctl.write(0, b"label mine\n").await, Ok(11));
    let status = server.cat("/web/container/1/status").await.expect("status");
    assert!(status.contains("label mine\n"), "{status}");
}

#[tokio::test]
async fn reading_ctl_lists_the_commands_and_the_last_error_and_a_bad_one_changes_nothing() {
    let server = Server::new().await;
    let container = server.new_container().await;
    let help = server.cat(&format!("{container}/ctl")).await.expect("ctl");
    let verbs = ["start", "stop", "cont", "kill", "destroy", "spawn", "env", "cwd", "label", "limit", "cap"];
    for verb in verbs.into_iter().chain(["snapshot", "restore", "forget", "fork", "layer", "destroyonclose"])
    {
        assert!(help.lines().any(|line| line.split(' ').next() == Some(verb)), "{verb} in {help}");
    }
    let before = server.cat(&format!("{container}/status")).await;
    let bad = [
        ("frob 3", "unknown control message \"frob 3\""),
        ("start now", "wrong number of arguments in control message \"start now\""),
        ("spawn", "wrong number of arguments in control message \"spawn\""),
        ("label a\nfrob", "line 2: unknown control message \"frob\""),
        ("limit memory=lots", "limit: bad limit \"memory=lots\": unknown unit \"lots\""),
        ("limit frob=1", "limit: bad limit \"frob=1\": the limits are memory"),
        ("cap net:connect nowhere", "cap: bad capability \"net:connect nowhere\": want host:port"),
        ("env A", "env: want NAME=value, not \"A\""),
        ("env -d NO_SUCH", "env: no variable \"NO_SUCH\""),
        ("cwd /nowhere", "/nowhere: file does not exist"),
        ("snapshot ../../etc", "snapshot: bad name \"../../etc\""),
        ("restore nothing", "no snapshot \"nothing\""),
        ("layer /no/such", "/no/such: file does not exist"),
        ("kill FROB", "kill: unknown signal \"FROB\""),
        ("kill TERM", "kill: nothing runs in container 1"),
        ("cont", "cont: container 1 is new"),
        ("stop", "stop: container 1 is new"),
        ("spawn nothing", "start: nothing: file does not exist"),
    ];
    for (command, error) in bad {
        let said = text(server.ctl(&container, command).await);
        assert!(said.starts_with(error), "{command}: {said}");
        let help = server.cat(&format!("{container}/ctl")).await.expect("ctl");
        assert!(help.contains(&format!("last error: {error}")), "{command}: {help}");
    }
    let after = server.cat(&format!("{container}/status")).await.expect("status");
    let told =
        |status: &str| status.lines().filter(|l| !l.starts_with("error ")).collect::<Vec<_>>().join("\n");
    // A process that could not be started has started its container.
    assert_eq!(told(&after).replace("running", "new"), told(&before.expect("status")));
    assert_eq!(server.table.len(), 0, "and no process is left of it");
}

#[tokio::test]
async fn every_reader_of_events_gets_every_event_from_when_it_opened() {
    let server = Server::new().await;
    let container = server.new_container().await;
    let early = events(&server, &container).await;
    server.ctl(&container, "spawn exit 3").await.expect("spawn");
    let told = until(&early, "process 1 exited").await;
    assert_eq!(told, "container running\nprocess 1 started exit 3\nprocess 1 exited 3 'exit status 3'\n");
    let late = events(&server, &container).await;
    assert!(waits(news(&late)).await, "what has been is not told again");
    server.ctl(&container, "stop").await.expect("stop");
    assert_eq!(news(&late).await, "container stopped\n");
    assert_eq!(news(&early).await, "container stopped\n");
}

#[tokio::test]
async fn a_process_directory_is_a_task_directory_and_a_file_of_its_own() {
    let server = Server::new().await;
    let container = server.new_container().await;
    let process = server.process(&container, "cat").await;
    let task = "/task/1";
    assert_eq!(server.ls(&process).await, server.ls(task).await);
    server.make("/tmp/x", b"").await;
    let stdin = server.open(&format!("{process}/stdio/0"), OpenFlags::WRITE).await.expect("stdio/0");
    stdin.write(0, b"through the one").await.expect("a write");
    server.ctl(task, "eof").await.expect("and the other");
    assert_eq!(server.end(&process).await, (String::new(), "through the one".to_owned()));
    // A kernel knows one parent of a directory: what has two names is two files.
    for name in ["", "/ctl", "/stdio", "/stdio/1", "/root"] {
        let paths = [format!("{process}{name}"), format!("{task}{name}")];
        let [one, other] = [server.stat(&paths[0]).await, server.stat(&paths[1]).await];
        assert_ne!(one.expect("stat").qid.path, other.expect("stat").qid.path, "{name}");
    }
    server.rmdir(&format!("{container}/processes"), "1").await.expect("it has exited");
    assert_eq!(text(server.stat(task).await), "file does not exist");
    assert_eq!(server.ls(&format!("{container}/processes")).await, Ok(vec!["new".into(), "clone".into()]));
}

#[tokio::test]
async fn a_signal_for_a_container_does_to_each_process_what_it_does_by_itself() {
    let server = Server::new().await;
    let container = server.new_container().await;
    let (one, two) = (server.process(&container, "sleep").await, server.process(&container, "sleep").await);
    let status = async |process: &str| server.cat(&format!("{process}/status")).await.expect("status");
    let both = |state: &str| (format!("{state}\n"), format!("{state}\n"));
    for (signal, then) in [
        ("STOP", "stopped"),
        ("CONT", "running"),
        ("WINCH", "running"),
        ("TSTP", "stopped"),
        ("CONT", "running"),
    ] {
        server.ctl(&container, &format!("kill {signal}")).await.expect(signal);
        assert_eq!((status(&one).await, status(&two).await), both(then), "after {signal}");
    }
    server.ctl(&container, "kill HUP").await.expect("HUP");
    for process in [one, two] {
        assert_eq!(server.end(&process).await.0, "killed by SIGHUP");
    }
}

#[tokio::test]
async fn stop_freezes_every_process_and_cont_goes_on_with_those_that_ran() {
    let server = Server::new().await;
    let container = server.new_container().await;
    let (one, two) = (server.process(&container, "sleep").await, server.process(&container, "sleep").await);
    server.ctl(&two, "stop").await.expect("one is stopped by itself");
    server.ctl(&container, "stop").await.expect("stop");
    let status = async |process: &str| server.cat(&format!("{process}/status")).await.expect("status");
    assert_eq!((status(&one).await, status(&two).await), ("stopped\n".into(), "stopped\n".into()));
    let id = server.cat(&format!("{container}/processes/new")).await.expect("one more");
    let three = format!("{container}/processes/{}", id.trim_end());
    server.echo("sleep", &format!("{three}/cmd")).await.expect("cmd");
    assert_eq!(text(server.ctl(&three, "start").await), "start: container 1 is stopped: cont it first");
    assert_eq!(text(server.ctl(&container, "stop").await), "stop: container 1 is stopped");
    server.ctl(&container, "cont").await.expect("cont");
    assert_eq!((status(&one).await, status(&two).await), ("running\n".into(), "stopped\n".into()));
    server.ctl(&three, "start").await.expect("it may now");
}

#[tokio::test]
async fn kill_ends_every_process_and_nothing_starts_until_it_is_started_again() {
    let server = Server::new().await;
    let container = server.new_container().await;
    // One ignores it, and is given up.
    let (one, two) =
        (server.process(&container, "sleep").await, server.process(&container, "stubborn").await);
    server.ctl(&container, "kill").await.expect("kill");
    for process in [one, two] {
        assert_eq!(server.end(&process).await.0, "killed with its container");
    }
    assert_eq!(state(&server, &container).await, "exited");
    assert_eq!(
        text(server.ctl(&container, "spawn echo").await),
        "new: container 1 was killed: start it first"
    );
    assert_eq!(
        text(server.cat(&format!("{container}/processes/new")).await),
        "new: container 1 was killed: start it first"
    );
    server.stat(&format!("{container}/mount/bin/echo")).await.expect("files stay");
    server.ctl(&container, "start").await.expect("start");
    server.ctl(&container, "spawn echo").await.expect("spawn");
}

#[tokio::test]
async fn with_destroyonclose_the_last_close_of_ctl_destroys_it() {
    let server = Server::new().await;
    let container = server.new_container().await;
    let process = server.process(&container, "sleep").await;
    let wait = server.open(&format!("{process}/wait"), OpenFlags::READ).await.expect("wait");
    let ctl = async || server.open(&format!("{container}/ctl"), OpenFlags::WRITE).await.expect("ctl");
    drop(ctl().await);
    let (first, second) = (ctl().await, ctl().await);
    first.write(0, b"destroyonclose\n").await.expect("destroyonclose");
    drop(first);
    assert_eq!(server.containers.len(), 1, "somebody has it open still");
    drop(second);
    assert!(next(&wait).await.contains("its container was destroyed"));
    assert_eq!(server.containers.len(), 0);
}

#[tokio::test]
async fn destroy_kills_everything_and_frees_it_and_open_files_of_it_are_harmless() {
    let server = Server::new().await;
    let container = server.new_container().await;
    let process = server.process(&container, "sleep").await;
    server.process(&container, "stubborn").await;
    server.cat(&format!("{container}/processes/new")).await.expect("one that is new");
    let file = server.open(&format!("{container}/mount/bin/echo"), OpenFlags::READ).await.expect("a file");
    let told = events(&server, &container).await;
    let status = server.open(&format!("{container}/status"), OpenFlags::READ).await.expect("status");
    let ctl = server.open(&format!("{container}/ctl"), OpenFlags::WRITE).await.expect("ctl");
    let wait = server.open(&format!("{process}/wait"), OpenFlags::READ).await.expect("wait");
    server.ctl(&container, "destroy").await.expect("destroy");
    assert_eq!((server.containers.len(), server.table.len()), (0, 0));
    assert_eq!(text(server.stat(&container).await), "file does not exist");
    assert!(next(&wait).await.contains("its container was destroyed"));
    assert_eq!(next(&status).await.lines().next(), Some("destroyed"));
    assert_eq!(next(&file).await, "TOY echo\n");
    assert_eq!(text(ctl.write(0, b"spawn echo\n").await), "container 1 is destroyed");
    let last = until(&told, "container destroyed").await;
    assert!(last.contains("process 1 exited 137 'killed: its container was destroyed'\n"), "{last}");
    assert_eq!(news(&told).await, "", "and that was the last");
    // As rmdir does it.
    server.new_container().await;
    server.rmdir("/web/container", "2").await.expect("rmdir");
    assert_eq!(server.containers.len(), 0);
}

#[tokio::test]
async fn a_fork_goes_on_from_the_same_files_and_settings_and_neither_sees_the_others_changes() {
    let server = Server::new().await;
    let origin = server.new_container().await;
    for command in ["env A=1", "cwd /home", "limit tasks=7", "cap net:connect example.org:443"] {
        server.ctl(&origin, command).await.expect(command);
    }
    server.make(&format!("{origin}/mount/home/f"), b"before").await;
    let told = events(&server, &origin).await;
    assert_eq!(server.cat(&format!("{origin}/fork")).await.as_deref(), Ok("2\n"));
    server.ctl(&origin, "fork").await.expect("fork");
    assert_eq!(until(&told, "container forked 3").await, "container forked 2\ncontainer forked 3\n");
    assert!(server.cat(&format!("{origin}/status")).await.expect("status").contains("forked 3\n"));
    server.echo("after", &format!("{origin}/mount/home/f")).await.expect("a write");
    let fork = "/web/container/2";
    assert_eq!(server.cat(&format!("{fork}/mount/home/f")).await.as_deref(), Ok("before"));
    server.echo("mine", &format!("{fork}/mount/home/f")).await.expect("a write");
    assert_eq!(server.cat("/web/container/3/mount/home/f").await.as_deref(), Ok("before"));
    for file in ["limits", "caps"] {
        let [one, other] = [format!("{origin}/{file}"), format!("{fork}/{file}")];
        assert_eq!(server.cat(&one).await, server.cat(&other).await);
    }
    let process = server.process(fork, "env").await;
    assert!(server.end(&process).await.1.contains("A=1\n"));
    let process = server.process(fork, "get f").await;
    assert_eq!(server.end(&process).await.1, "mine\n");
    server.ctl(&origin, "destroy").await.expect("destroy");
    assert_eq!(server.cat(&format!("{fork}/mount/home/f")).await.as_deref(), Ok("mine\n"));
}

#[tokio::test]
async fn a_snapshot_is_what_the_files_were_for_any_container_of_its_owner() {
    let server = Server::new().await;
    let container = server.new_container().await;
    let file = format!("{container}/mount/home/f");
    server.make(&file, b"one").await;
    server.ctl(&container, "snapshot first").await.expect("snapshot");
    server.echo("two", &file).await.expect("a write");
    let process = server.process(&container, "sleep").await;
    let busy = text(server.ctl(&container, "restore first").await);
    assert_eq!(busy, "restore: container 1 has processes (1): kill it first");
    server.ctl(&process, "kill").await.expect("kill");
    server.ctl(&container, "restore first").await.expect("restore");
    assert_eq!(server.cat(&file).await.as_deref(), Ok("one"));
    let process = server.process(&container, "get /home/f").await;
    assert_eq!(server.end(&process).await.1, "one", "processes see it too");
    server.ctl(&container, "destroy").await.expect("destroy");
    server.cat("/web/container/new").await.expect("another");
    server.ctl("/web/container/2", "restore first").await.expect("restore");
    assert_eq!(server.cat("/web/container/2/mount/home/f").await.as_deref(), Ok("one"));
    let uid = server.who.uid.0;
    assert_eq!(server.cat("/web/container/snapshots").await, Ok(format!("first {uid}\n")));
    server.ctl("/web/container/2", "forget first").await.expect("forget");
    assert_eq!(text(server.ctl("/web/container/2", "restore first").await), "no snapshot \"first\"");
}

#[tokio::test]
async fn what_goes_out_as_an_archive_comes_in_again_and_half_of_one_does_nothing() {
    let server = Server::new().await;
    let origin = server.new_container().await;
    server.make(&format!("{origin}/mount/home/f"), b"in the archive").await;
    let export = server.open(&format!("{origin}/export"), OpenFlags::READ).await.expect("export");
    server.echo("later", &format!("{origin}/mount/home/f")).await.expect("a write");
    let mut archive = Vec::new();
    let mut buf = vec![0; 64 << 10];
    loop {
        match export.read(archive.len() as u64, &mut buf).await.expect("a read") {
            0 => break,
            count => archive.extend_from_slice(&buf[..count]),
        }
    }
    server.cat("/web/container/new").await.expect("another");
    let other = "/web/container/2";
    let import = async |data: &[u8]| {
        let file = server.open(&format!("{other}/import"), OpenFlags::WRITE).await?;
        // Closing the copies of a descriptor that a shell makes is no end.
        file.flush().await?;
        let mut offset = 0;
        for piece in data.chunks(30_000) {
            file.write(offset, piece).await?;
            offset += piece.len() as u64;
        }
        file.flush().await
    };
    let told = events(&server, other).await;
    assert!(text(import(&archive[..archive.len() / 2]).await).contains("the archive is cut off"));
    assert!(until(&told, "error import").await.contains("cut off"));
    assert_eq!(server.ls(&format!("{other}/mount/home")).await, Ok(Vec::new()));
    assert!(text(import(b"this is no archive, whatever it is called").await).starts_with("import: "));
    import(&archive).await.expect("a whole one");
    assert_eq!(server.cat(&format!("{other}/mount/home/f")).await.as_deref(), Ok("in the archive"));
    assert!(until(&told, "container import").await.starts_with("error import"));
}

#[tokio::test]
async fn a_directory_of_the_server_lies_below_the_files_and_is_not_changed() {
    let server = Server::new().await;
    server.make("/tmp/base", b"as it is").await;
    server.cat("/web/container/new").await.expect("a container");
    let container = "/web/container/1";
    server.ctl(container, "layer /tmp").await.expect("layer");
    assert_eq!(server.cat(&format!("{container}/mount/base")).await.as_deref(), Ok("as it is"));
    server.echo("changed", &format!("{container}/mount/base")).await.expect("a write");
    assert_eq!(server.cat("/tmp/base").await.as_deref(), Ok("as it is"));
    assert!(server.cat(&format!("{container}/status")).await.expect("status").contains("layer /tmp\n"));
}

#[tokio::test]
async fn an_archive_of_the_server_lies_below_the_files_or_changes_nothing() {
    let server = Server::new().await;
    let origin = server.new_container().await;
    server.make(&format!("{origin}/mount/home/base"), b"as it was").await;
    let export = server.open(&format!("{origin}/export"), OpenFlags::READ).await.expect("export");
    let (mut archive, mut buf) = (Vec::new(), vec![0; 64 << 10]);
    loop {
        match export.read(archive.len() as u64, &mut buf).await.expect("a read") {
            0 => break,
            count => archive.extend_from_slice(&buf[..count]),
        }
    }
    server.make("/tmp/base.tar", &archive).await;
    server.make("/tmp/half.tar", &archive[..archive.len() / 2]).await;
    server.make("/tmp/none.tar", b"this is no archive").await;
    server.cat("/web/container/new").await.expect("a container");
    let container = "/web/container/2";
    for (name, why) in [("half", "the archive is cut off"), ("none", "")] {
        let said = text(server.ctl(container, &format!("layer /tmp/{name}.tar")).await);
        assert!(said.starts_with(&format!("/tmp/{name}.tar: ")) && said.contains(why), "{said}");
    }
    assert_eq!(server.ls(&format!("{container}/mount/home")).await, Ok(Vec::new()));
    server.ctl(container, "layer /tmp/base.tar").await.expect("layer");
    let base = format!("{container}/mount/home/base");
    assert_eq!(server.cat(&base).await.as_deref(), Ok("as it was"));
    server.echo("changed", &base).await.expect("a write");
    assert_eq!(server.cat(&base).await.as_deref(), Ok("changed\n"));
    // Another one with the same layer has it as it was.
    server.cat("/web/container/new").await.expect("a container");
    server.ctl("/web/container/3", "layer /tmp/base.tar").await.expect("layer");
    assert_eq!(server.cat("/web/container/3/mount/home/base").await.as_deref(), Ok("as it was"));
}

/// What `who` finds in a directory of a namespace.
async fn list_as(root: &vfs::Place, who: &Caller, path: &str) -> vfs::Result<Vec<String>> {
    let dir = root.resolve(who, path.as_bytes(), vfs::Follow::Yes).await?;
    let dir = dir.open(who, OpenFlags::READ | OpenFlags::DIRECTORY).await?;
    let mut names = Vec::new();
    let mut sink = |entry: vfs::DirEntry<'_>| {
        names.push(entry.name.to_string());
        true
    };
    dir.readdir(0, &mut sink).await?;
    Ok(names)
}

#[tokio::test]
async fn a_process_sees_the_tasks_of_its_container_and_no_others_and_no_container() {
    let server = Server::new().await;
    let (one, two) = (server.new_container().await, server.new_container().await);
    let mine = server.process(&one, "sleep").await;
    server.process(&one, "sleep").await;
    server.process(&two, "sleep").await;
    server.start("sleep").await;
    let guest = server.table.get(vfs::TaskId(1)).expect("it runs").guest();
    let inside = server.place(&format!("{mine}/root")).await.expect("its root");
    // As it sees the world itself, and not through a portal.
    let root = server.table.get(vfs::TaskId(1)).expect("it runs").namespace().root();
    let list = async |path: &str| list_as(&root, &guest, path).await;
    let seen = list("/task").await.expect("a list");
    assert_eq!(seen, ["new", "clone", "self", "1", "2"]);
    for id in ["3", "4"] {
        let error = root.resolve(&guest, format!("/task/{id}/status").as_bytes(), vfs::Follow::Yes).await;
        assert!(error.expect_err("it is not of this container").is(Errno::EACCES));
    }
    assert!(list("/web").await.expect_err("no containers").is(Errno::ENOENT));
    assert_eq!(list("/dev").await.expect("a list"), ["null", "zero", "full", "random", "urandom"]);
    drop(inside);
    // A task of no container finds the directory, and nobody in it.
    let stranger = server.table.get(vfs::TaskId(4)).expect("it runs").guest();
    let home = server.ns.root();
    let found = home.resolve(&stranger, b"/web/container/1", vfs::Follow::Yes).await;
    assert!(found.expect_err("not for tasks").is(Errno::ENOENT));
    let new = home.resolve(&stranger, b"/web/container/new", vfs::Follow::Yes).await.expect("a file");
    let new = new.open(&stranger, OpenFlags::READ).await.expect("open");
    assert!(new.read(0, &mut [0; 8]).await.expect_err("tasks make none").is(Errno::EACCES));
}

#[tokio::test]
async fn a_container_is_its_owners_and_his_alone() {
    let server = Server::new().await;
    let container = server.new_container().await;
    let stranger = Caller::new(Uid(12345), Gid(12345));
    for (file, flags) in [
        ("ctl", OpenFlags::WRITE),
        ("mount", OpenFlags::READ),
        ("processes/new", OpenFlags::READ),
        ("processes/clone", OpenFlags::READ),
        ("events", OpenFlags::READ),
        ("export", OpenFlags::READ),
        ("import", OpenFlags::WRITE),
        ("limits", OpenFlags::WRITE),
        ("caps", OpenFlags::WRITE),
        ("fork", OpenFlags::READ),
    ] {
        let path = format!("{container}/{file}");
        let open = async {
            let place = server.ns.root().resolve(&stranger, path.as_bytes(), vfs::Follow::Yes).await?;
            place.open(&stranger, flags).await
        };
        let error = open.await.map(|_| ()).expect_err(file);
        assert!(error.is(Errno::EACCES), "{file}: {error}");
    }
    assert_eq!(server.table.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_containers_are_asked_for_at_once_and_are_a_thousand() {
    let server = std::sync::Arc::new(Server::new().await);
    let asked: Vec<_> = (0..1000)
        .map(|_| {
            let server = server.clone();
            tokio::spawn(async move { server.cat("/web/container/new").await.expect("a container") })
        })
        .collect();
    let mut ids = std::collections::BTreeSet::new();
    for one in asked {
        ids.insert(one.await.expect("joined"));
    }
    assert_eq!((ids.len(), server.containers.len()), (1000, 1000));
    assert_eq!(server.ls("/web/container").await.map(|names| names.len()), Ok(1003));
    let all: Vec<_> = (1..=1000)
        .map(|id| {
            let server = server.clone();
            tokio::spawn(async move { server.ctl(&format!("/web/container/{id}"), "destroy").await })
        })
        .collect();
    for one in all {
        one.await.expect("joined").expect("destroy");
    }
    assert!(server.containers.is_empty());
}

mod limits {
    use super::*;

    /// Says `limit` to a container that runs `cmd`, and gives what the process ended with and what was told.
    async fn strike(cmd: &str, limit: &str) -> (String, String, String) {
        let server = Server::new().await;
        let container = server.new_container().await;
        let told = events(&server, &container).await;
        server.ctl(&container, limit).await.expect(limit);
        let process = server.process(&container, cmd).await;
        let (message, _) = server.end(&process).await;
        let told = until(&told, "process 1 exited").await;
        (message, told, server.cat(&format!("{container}/status")).await.expect("status"))
    }

    async fn kills_all(name: &str, cmd: &str, value: &str) {
        let (message, told, status) = strike(cmd, &format!("limit {name}={value}")).await;
        let text = format!("limit {name}={value} of container 1 reached");
        assert_eq!(message, text);
        assert!(told.contains(&format!("limit {name} '{text}'\n")), "{told}");
        assert!(status.starts_with("exited\n") && status.contains(&format!("limit '{text}'\n")), "{status}");
    }

    #[tokio::test]
    async fn the_cpu_time_of_all_processes_together_is_bounded() {
        kills_all("cpu", "spin", "100ms").await;
    }
    #[tokio::test]
    async fn the_time_since_the_first_start_is_bounded() {
        kills_all("wall", "sleep", "100ms").await;
    }
    #[tokio::test]
    async fn a_container_in_which_nothing_happens_is_ended_in_time() {
        kills_all("idle", "sleep", "100ms").await;
    }

    #[tokio::test]
    async fn one_process_more_than_allowed_is_refused_and_told_of_once() {
        let server = Server::new().await;
        let container = server.new_container().await;
        server.ctl(&container, "limit tasks=2").await.expect("limit");
        let told = events(&server, &container).await;
        let first = server.process(&container, "sleep").await;
        server.process(&container, "sleep").await;
        for _ in 0..3 {
            let refused = server.cat(&format!("{container}/processes/new")).await;
            assert_eq!(text(refused), "limit tasks=2 of container 1 reached");
        }
        let all = until(&told, "limit tasks").await;
        assert_eq!(all.matches("\nlimit tasks").count(), 1, "{all}");
        server.ctl(&first, "kill").await.expect("kill");
        server.cat(&format!("{container}/processes/new")).await.expect("there is room again");
    }

    #[tokio::test]
    async fn files_of_its_own_are_bounded_in_bytes_and_in_number() {
        let server = Server::new().await;
        let container = server.new_container().await;
        let told = events(&server, &container).await;
        server.ctl(&container, "limit disk=128K").await.expect("limit");
        server.make(&format!("{container}/mount/tmp/a"), &[0; 4096]).await;
        let file = server.open(&format!("{container}/mount/tmp/a"), OpenFlags::WRITE).await.expect("open");
        let short = file.write(0, &vec![1; 1 << 20]).await.expect("as much as fits");
        assert!(short < 128 << 10);
        let error = file.write(short as u64, &vec![1; 1 << 20]).await;
        assert!(error.is_err_and(|error| error.is(Errno::ENOSPC)));
        let all = until(&told, "limit disk").await;
        assert_eq!(all, "limit disk 'limit disk=128K of container 1 reached'\n");
        server.ctl(&container, "limit disk=none inodes=1").await.expect("limit");
        let parent = server.place(&format!("{container}/mount/tmp")).await.expect("tmp");
        let name = vfs::Name::new(b"b").expect("a name");
        let made = parent.mkdir(&server.who, name, vfs::Mode::new(0o755)).await;
        assert!(made.is_err_and(|error| error.is(Errno::ENOSPC)));
        assert!(until(&told, "limit inodes").await.contains("inodes=1"));
    }

    #[tokio::test]
    async fn processes_that_use_more_than_their_share_rest_and_go_on_and_that_is_told_once() {
        let server = Server::new().await;
        let container = server.new_container().await;
        let told = events(&server, &container).await;
        server.ctl(&container, "limit share=10% cpu=400ms").await.expect("limit");
        let process = server.process(&container, "spin").await;
        let text = "limit share=10% of container 1 reached";
        let before = until(&told, "limit share").await;
        assert!(before.ends_with(&format!("limit share '{text}'\n")), "{before}");
        let status = server.cat(&format!("{container}/status")).await.expect("status");
        assert!(status.starts_with("running\n") && status.contains(&format!("limit '{text}'\n")), "{status}");
        // It goes on, with rests, until another limit ends it.
        let (message, _) = server.end(&process).await;
        assert_eq!(message, "limit cpu=400ms of container 1 reached");
        let rest = until(&told, "process 1 exited").await;
        assert!(!rest.contains("limit share"), "{rest}");
    }

    #[tokio::test]
    async fn what_a_limit_ended_runs_again_after_start() {
        let server = Server::new().await;
        let container = server.new_container().await;
        server.ctl(&container, "limit wall=50ms").await.expect("limit");
        let process = server.process(&container, "sleep").await;
        server.end(&process).await;
        assert_eq!(state(&server, &container).await, "exited");
        server.ctl(&container, "limit wall=none").await.expect("limit");
        server.ctl(&container, "start").await.expect("start");
        let process = server.process(&container, "echo again").await;
        assert_eq!(server.end(&process).await.1, "again\n");
        let status = server.cat(&format!("{container}/status")).await.expect("status");
        assert!(!status.contains("limit "), "{status}");
    }
}
