//! The client of crate `ninep`, which is another hand's plain 9P2000: a program is run with it from the first file to the last.

use ninep::fs::{Mode, Perm};
use ninep::sync::client::Client;
use tests::{Server, guests};

fn served() -> Server {
    let bind = format!("{}:/guests:ro", guests().display());
    Server::start(&["--listen", "tcp://127.0.0.1:0", "--bind", &bind])
}

/// Both ways in.
fn clients(server: &Server) -> [Client; 2] {
    let tcp = Client::new_tcp("root", ("127.0.0.1", server.port()), "/").expect("it attaches over TCP");
    let unix = Client::new_unix_with_explicit_path("root", server.path("sock"), "/");
    [tcp, unix.expect("it attaches over a unix socket")]
}

/// Writes what its fid is opened for. It keeps the fid of every path it has walked, and would open it again, which open(5)
/// forbids: so the fid is given back.
fn write(client: &Client, path: &str, content: &str) -> Result<usize, ninep::sansio::client::Error> {
    let wrote = client.write_str(path, 0, content);
    let _not_walked_to = client.clunk_path(path);
    wrote
}

#[test]
fn a_program_is_made_fed_and_waited_for() {
    let server = served();
    for client in clients(&server) {
        let id = client.read_str("task/new").expect("a task");
        let file = |name: &str| format!("task/{}/{name}", id.trim());
        write(&client, &file("cmd"), "/guests/cat.wasm").expect("cmd");
        write(&client, &file("ctl"), "start\n").expect("start");
        assert_eq!(client.read_str(file("status")).expect("status"), "running\n");
        let mut lines = client.iter_lines(file("stdio/1")).expect("its output");
        for line in ["first", "second", "third"] {
            // Each line is there before the next is written.
            write(&client, &file("stdio/0"), &format!("{line}\n")).expect("its input");
            assert_eq!(lines.next().as_deref(), Some(line));
        }
        write(&client, &file("ctl"), "eof").expect("eof");
        assert_eq!(lines.next(), None);
        let wait = client.read_str(file("wait")).expect("wait");
        assert!(wait.starts_with(id.trim()) && wait.ends_with(" ''\n"), "{wait:?}");
        assert_eq!(client.read_str(file("exitcode")).expect("exitcode"), "0\n");
        let names: Vec<_> =
            client.read_dir(file("stdio")).expect("a directory").into_iter().map(|s| s.name).collect();
        assert_eq!(names, ["0", "1", "2"]);
        write(&client, &file("ctl"), "remove").expect("remove");
        let left = client.read_dir("task").expect("a directory");
        assert!(left.iter().all(|stat| stat.name != id.trim()), "{left:?}");
    }
}

#[test]
fn files_are_written_read_and_removed() {
    let server = served();
    let content: Vec<u8> = (0..100_000u32).map(|n| (n % 251) as u8).collect();
    for client in clients(&server) {
        client.create("tmp", "made", Perm::OWNER_READ | Perm::OWNER_WRITE, Mode::READ_WRITE).expect("create");
        client.clunk_path("tmp/made").expect("it is open");
        assert_eq!(client.write("tmp/made", 0, &content).expect("write"), content.len());
        client.clunk_path("tmp/made").expect("it is open");
        assert_eq!(client.read("tmp/made").expect("read"), content, "many messages, byte for byte");
        let stat = client.stat("tmp/made").expect("stat");
        assert_eq!((stat.n_bytes, &*stat.name), (content.len() as u64, "made"));
        client.remove("tmp/made").expect("remove");
        assert!(client.stat("tmp/made").is_err());
    }
}

#[test]
fn a_bad_command_is_an_error_with_its_words() {
    let server = served();
    for client in clients(&server) {
        let id = client.read_str("task/new").expect("a task");
        let refused =
            client.write_str(format!("task/{}/ctl", id.trim()), 0, "frob 3").expect_err("no such command");
        assert!(refused.to_string().contains(r#"unknown control message "frob 3""#), "{refused}");
    }
}
