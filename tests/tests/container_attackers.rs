//! The attacker inside: programs of every kind that run in a container try each way that they have to another container, to the
//! server and to its machine. What is refused is refused as what is not there, or is not theirs; and to show that a try would
//! get through where there is a way, each is made at what is their own too.

use nine::wire::Dialect;
use std::net::TcpListener;
use tests::door::Door;
use tests::engines::{Engine, engines};
use tests::inside::{Inside, get, hello};
use tests::{Server, cannot_run, guests, top};

/// What a program is to do, and how that has to end.
struct Try {
    line: String,
    wanted: &'static [&'static str],
}

/// Files and processes that are not there at all, and those that are another's.
const NOWHERE: &[&str] = &["ENOENT"];
const ANOTHERS: &[&str] = &["EACCES"];
const DONE: &[&str] = &["GOT"];
/// Nothing that a machine has: there root has a home of his own.
const OUR_PASSWD: &[&str] = &["GOT root:x:0:0:root:/home:/bin/sh "];
const OUR_GROUP: &[&str] = &["GOT root:x:0: "];

/// A kind of program, how it is started, and what it has no call for.
struct Tool {
    name: &'static str,
    program: &'static str,
    start: &'static str,
    /// What has it compiled, where that takes long.
    first: Option<&'static str>,
    lacks: &'static [&'static str],
}

const NODE: Tool = Tool {
    name: "Node",
    program: "tests/attackers/tries.cjs",
    start: "node /home/tries.cjs /home/lines",
    first: None,
    lacks: &[],
};
const SH: Tool = Tool {
    name: "sh",
    program: "tests/attackers/tries.sh",
    start: "sh /home/tries.sh /home/lines",
    first: None,
    lacks: &["connect"],
};
const WASI: Tool = Tool {
    name: "WASI",
    program: "rust-tries.wasm",
    start: "/home/rust-tries.wasm /home/lines",
    first: None,
    lacks: &["connect", "kill"],
};
const COMPONENT: Tool = Tool {
    name: "a component",
    program: "component-py.wasm",
    start: "/home/component-py.wasm tries /home/lines",
    first: Some("/home/component-py.wasm about"),
    lacks: &["kill"],
};

/// Two containers on a server of one engine, which the machine has files and ports beside.
struct Scene<'d> {
    victim: Inside<'d>,
    attacker: Inside<'d>,
    /// The victim's processes: its server, and one that only waits.
    processes: Vec<String>,
    tries: Vec<Try>,
    _machine: TcpListener,
}

impl<'d> Scene<'d> {
    fn new(server: &Server, door: &'d Door) -> Scene<'d> {
        door.put("/tmp/servers", b"the server's");
        std::fs::write(server.path("machines"), "the machine's").expect("room for a file");
        let machine = TcpListener::bind("127.0.0.1:0").expect("a port");

        let mut victim = Inside::new(door);
        victim.put("/home/secret", b"the victim's");
        victim.ctl("env SECRET=victims");
        let processes = vec![victim.run(&hello(3000, "the victim")), victim.spawn("sleep 1000")];
        victim.opened(3000);

        let mut attacker = Inside::new(door);
        attacker.put("/home/own", b"its own");
        attacker.ctl("env OWN=own");
        let own = attacker.run(&hello(4000, "the attacker"));
        attacker.opened(4000);

        let file = server.path("machines").display().to_string();
        let targets = [
            ("link-out", format!("/../../../../..{file}")),
            ("link-up", format!("../../../../../../../..{file}")),
            ("link-task", format!("/task/{}/root/home/secret", processes[0])),
            ("link-container", format!("../../../../web/container/{}/mount/home/secret", victim.id)),
            ("link-own", "../home/own".to_owned()),
        ];
        for (name, target) in &targets {
            door.symlink(&attacker.path(&format!("mount/home/{name}")), target).expect(name);
        }
        let (_, gateway) = victim.url(3000);
        let port = machine.local_addr().expect("bound").port();
        let tries = Scene::tries(&victim.id, &processes, &own, &file, [gateway, port]);
        Scene { victim, attacker, processes, tries, _machine: machine }
    }

    fn tries(victim: &str, processes: &[String], own: &str, file: &str, ports: [u16; 2]) -> Vec<Try> {
        let mut tries = Vec::new();
        let mut add = |line: String, wanted| tries.push(Try { line, wanted });
        // Files of the machine, of the server and of the other, by every name that they might go by.
        for path in [file, &format!("/../../..{file}"), "/tmp/servers", "/../tmp/servers", "/home/secret"] {
            add(format!("read {path}"), NOWHERE);
        }
        for link in ["link-out", "link-up", "link-container"] {
            add(format!("read /home/{link}"), NOWHERE);
        }
        add("read /home/link-task".into(), ANOTHERS);
        let container = format!("/web/container/{victim}");
        for name in ["mount/home/secret", "ctl", "status", "events", "export", "usage", "ports/3000/data"] {
            add(format!("read {container}/{name}"), NOWHERE);
        }
        add(format!("write {container}/ctl destroy"), NOWHERE);
        add("read /web/container/new".into(), NOWHERE);
        add("list /web/container".into(), NOWHERE);
        // The container's own, not the machine's.
        add("read /etc/passwd".into(), OUR_PASSWD);
        add("read /etc/group".into(), OUR_GROUP);
        for name in ["/etc/shadow", "/etc/hostname", "/proc/self/maps", "/proc/1/environ", "/proc/self/fd/0"]
        {
            add(format!("read {name}"), NOWHERE);
        }
        for dir in ["/proc", "/sys", "/srv", "/n", "/net", "/runtime", "/lib/node/../../web"] {
            add(format!("list {dir}"), NOWHERE);
        }
        add("read /home/own".into(), DONE);
        add("read /../home/own".into(), DONE);
        add("read /home/link-own".into(), DONE);

        // Processes of the other.
        for process in processes {
            let task = format!("/task/{process}");
            for name in ["status", "env", "cmd", "usage", "ns", "stdio/1", "root/home/secret", "ctl"] {
                add(format!("read {task}/{name}"), ANOTHERS);
            }
            add(format!("list {task}"), ANOTHERS);
            add(format!("list {task}/root"), ANOTHERS);
            add(format!("write {task}/ctl kill"), ANOTHERS);
            add(format!("write {task}/stdio/0 x"), ANOTHERS);
            add(format!("kill {process}"), &["ESRCH"]);
        }
        for name in ["status", "env", "root/home/own", "ns"] {
            add(format!("read /task/self/{name}"), DONE);
        }
        add(format!("read /task/{own}/status"), DONE);
        add(format!("read /task/{own}/root/home/own"), DONE);

        // What tells time, load or happenings of the server or the machine.
        for name in ["metrics", "trace9", "watch", "ns", "time", "kmsg", "mem", "pts/0", "shm"] {
            add(format!("read /dev/{name}"), NOWHERE);
        }
        for name in ["stat", "uptime", "loadavg", "meminfo", "net/tcp", "interrupts", "self/mountinfo"] {
            add(format!("read /proc/{name}"), NOWHERE);
        }
        add("read /dev/null".into(), DONE);

        // What it was given along.
        add("descriptors".into(), &["EBADF"]);
        add("descriptors /home/own".into(), DONE);
        for name in ["SECRET", "TASKFS_CACHE", "TASKFS_SERVER"] {
            add(format!("variable {name}"), &["unset"]);
        }
        add("variable OWN".into(), DONE);

        // Ports: the other's, the gateway's and the machine's on what is called the loopback; a cloud's metadata.
        for host in ["127.0.0.1", "0.0.0.0", "127.9.9.9"] {
            for port in [3000, ports[0], ports[1]] {
                // "Any" is nobody's address in wasi:sockets.
                let wanted: &[&str] =
                    if host == "0.0.0.0" { &["ECONNREFUSED", "EINVAL"] } else { &["ECONNREFUSED"] };
                add(format!("connect {host} {port}"), wanted);
            }
        }
        add("connect 169.254.169.254 80".into(), ANOTHERS);
        add("connect 127.0.0.1 4000".into(), DONE);
        tries
    }

    /// Has `tool` try everything, and checks how each ended; last it kills one of its own, as it could not another's.
    fn attack(&mut self, server: &Server, tool: &Tool) {
        let name = tool.program.rsplit('/').next().expect("a name");
        let local = if tool.program.contains('/') { top().join(tool.program) } else { guests().join(name) };
        if !local.exists() {
            return cannot_run(&format!("attacks by {}", tool.name), &format!("there is no {name}"));
        }
        self.attacker.put(&format!("/home/{name}"), &std::fs::read(local).expect("the program"));
        if let Some(first) = tool.first {
            self.attacker.compile(server, first);
        }
        let fellow = self.attacker.spawn("sleep 1000");
        let last = [Try { line: format!("write /task/{fellow}/ctl kill"), wanted: DONE }];
        let verb = |line: &str| line.split(' ').next().unwrap_or_default().to_owned();
        let all: Vec<&Try> = self.tries.iter().chain(&last).collect();
        let tries: Vec<&Try> =
            all.into_iter().filter(|one| !tool.lacks.contains(&&*verb(&one.line))).collect();
        let lines: String = tries.iter().map(|one| format!("{}\n", one.line)).collect();
        self.attacker.put("/home/lines", lines.as_bytes());
        let process = self.attacker.spawn(tool.start);
        let said = self.attacker.said(&process);
        let answers: Vec<&str> = said.lines().collect();
        let told = self.attacker.door.text(&self.attacker.path(&format!("processes/{process}/stdio/2")));
        assert_eq!(answers.len(), tries.len(), "{}: {said}{told}", tool.name);
        let wrong: Vec<String> = tries
            .iter()
            .zip(&answers)
            .enumerate()
            .filter_map(|(number, (one, answer))| {
                let got = answer.strip_prefix(&format!("{number} ")).unwrap_or(answer);
                let fits = one.wanted.iter().any(|wanted| {
                    got == *wanted || wanted.starts_with("GOT") && format!("{got} ").starts_with(wanted)
                });
                (!fits).then(|| format!("{}: {got}, not {:?}", one.line, one.wanted))
            })
            .collect();
        assert!(wrong.is_empty(), "{}: {wrong:#?}", tool.name);
        // As wait tells, which comes back when it has ended.
        assert!(self.attacker.door.text(&format!("/task/{fellow}/wait")).contains("kill"), "{}", tool.name);
    }

    fn is_unharmed(&mut self) {
        let door = self.victim.door;
        for process in &self.processes {
            assert_eq!(door.text(&format!("/task/{process}/status")), "running\n");
        }
        assert_eq!(door.text(&self.victim.path("mount/home/secret")), "the victim's");
        let (host, gateway) = self.victim.url(3000);
        assert!(get(gateway, &host, "/").contains("the victim /"));
    }
}

fn attacked_by(engine: &Engine, tools: &[&Tool]) {
    let server = Server::start(&["--gateway", "127.0.0.1:0", "--node", engine.worker()]);
    let door = Door::nine(&server, Dialect::P9P2000L);
    let mut scene = Scene::new(&server, &door);
    for tool in tools {
        scene.attack(&server, tool);
        scene.is_unharmed();
    }
}

#[test]
fn a_node_program_gets_at_nothing_but_its_containers_own() {
    for engine in engines("attacks by Node programs") {
        attacked_by(&engine, &[&NODE]);
    }
}

#[test]
fn a_shell_and_programs_for_wasi_get_at_nothing_but_their_containers_own() {
    if let Some(engine) = engines("attacks by sh and WASI programs").first() {
        attacked_by(engine, &[&SH, &WASI, &COMPONENT]);
    }
}
