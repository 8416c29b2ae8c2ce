//! Node programs at a terminal: what they know of it, keys and lines, the signals that are typed, and that it is left as it was.

use nine::wire::Dialect;
use tests::door::Door;
use tests::engines::{Engine, engines};
use tests::typist::{Typist, has_script};
use tests::{Server, taskfs};

/// A server of this engine's, and somebody at the terminal of a task on it that runs `cmd`, of 33 rows and 99 columns. `text` is
/// /tmp/program.mjs.
struct Seat {
    door: Door,
    task: String,
    typist: Typist,
    _server: Server,
}

fn seat(engine: &Engine, text: &str, cmd: &str) -> Seat {
    let server = Server::start(&["--node", engine.worker()]);
    let door = Door::nine(&server, Dialect::P9P2000U);
    door.put("/tmp/program.mjs", text.as_bytes());
    let task = door.task(cmd);
    door.say(&format!("{task}/env"), "TERM=xterm-256color\nHOME=/tmp\n");
    door.say(&format!("{task}/ctl"), "cap spawn\n");
    door.say(&format!("{task}/ctl"), "tty on 33 99\n");
    door.say(&format!("{task}/ctl"), "start\n");
    let typist = Typist::at_task(&door, &task);
    Seat { door, task, typist, _server: server }
}

impl Seat {
    fn ctl(&self, line: &str) {
        self.door.say(&format!("{}/ctl", self.task), &format!("{line}\n"));
    }
    /// Waits for the first text, and then for what is to be shown of each that is typed.
    fn talk(&mut self, first: &str, lines: &[(&str, &str)]) {
        self.typist.sees(first);
        for (typed, shown) in lines {
            self.typist.types(typed);
            self.typist.sees(shown);
        }
    }
    /// How the task ended, and all that was shown.
    fn end(self) -> (String, String) {
        let end = self.door.end_of(&self.task);
        (end, self.typist.ends())
    }
}

const PROGRAM: &str = "node /tmp/program.mjs";

#[test]
fn a_program_knows_its_terminal() {
    let text = r#"
import tty from "node:tty";
import net from "node:net";
const { stdin, stdout, stderr } = process;
const say = (...words) => console.log(words.join(" "));
say(stdin.isTTY, stdout.isTTY, stderr.isTTY, [0, 1, 2, 3].map((fd) => tty.isatty(fd)));
say(stdin instanceof tty.ReadStream, stdout instanceof tty.WriteStream, stdout instanceof net.Socket);
say(stdout.columns, stdout.rows, stdout.getWindowSize(), stdout.getColorDepth(), stdout.hasColors(256), stdout.hasColors(2 ** 24));
console.log({ colours: true });
try { new tty.ReadStream(7) } catch (e) { console.log(e.code) }
stdout.write("half "); stdout.write(Buffer.from("and half\n"), () => console.log("written"));
stdout.on("resize", () => { say("now", stdout.columns, stdout.rows); process.exit() });
stdin.resume();
console.log("ready");
"#;
    for engine in engines("a terminal") {
        let mut seat = seat(&engine, text, PROGRAM);
        seat.typist.sees("ready\r\n");
        seat.ctl("winsize 40 120");
        seat.typist.sees("now 120 40\r\n");
        let (end, shown) = seat.end();
        let expected = "true true true true,true,true,false\r\ntrue true true\r\n99 33 99,33 8 true false\r\n\
            { colours: \u{1b}[33mtrue\u{1b}[39m }\r\nERR_TTY_INIT_FAILED\r\nhalf and half\r\nready\r\nwritten\r\nnow 120 40\r\n";
        assert_eq!((end.as_str(), shown.as_str()), ("", expected), "{}", engine.name);
    }
}

#[test]
fn without_a_terminal_there_is_none() {
    let text = "const tty = require('node:tty'); console.log(process.stdin.isTTY, process.stdout.isTTY, tty.isatty(1), process.stdout.columns)";
    for engine in engines("a terminal") {
        let ran = engine.script("none.js", text, &[]);
        assert_eq!(ran.out, "undefined undefined false undefined\n", "{}: {}", engine.name, ran.err);
    }
}

#[test]
fn keys_are_read_one_by_one_in_raw_mode_and_nothing_is_echoed() {
    let text = r#"
process.stdin.setRawMode(true);
process.stdin.setEncoding("utf8").on("data", (key) => {
  console.log(`${process.stdin.isRaw} ${JSON.stringify(key)}`);
  if (key === "q") process.exit();
});
console.log("ready");
"#;
    for engine in engines("a terminal") {
        let mut seat = seat(&engine, text, PROGRAM);
        seat.typist.sees("ready\r\n");
        for (key, shown) in
            [("a", "a"), ("\r", "\\r"), ("\u{1b}[A", "\\u001b[A"), ("\u{3}", "\\u0003"), ("\u{4}", "\\u0004")]
        {
            seat.typist.types(key);
            seat.typist.sees(&format!("true \"{shown}\"\r\n"));
        }
        seat.typist.types("q");
        let (end, shown) = seat.end();
        assert_eq!(end, "", "{}", engine.name);
        assert!(!shown.contains('^') && shown.matches("true").count() == 6, "{}: {shown:?}", engine.name);
    }
}

#[test]
fn a_line_can_be_mended_and_its_forerunners_recalled_in_readline() {
    let text = r#"
import readline from "node:readline";
const asks = readline.createInterface({ input: process.stdin, output: process.stdout });
asks.setPrompt("? ");
asks.on("line", (line) => { console.log(`<${line}>`); line === "end" ? asks.close() : asks.prompt() });
asks.on("SIGINT", () => { console.log("interrupted"); asks.prompt() });
asks.on("close", () => console.log(`closed ${process.stdin.isRaw}`));
asks.prompt();
"#;
    for engine in engines("a terminal") {
        let mut seat = seat(&engine, text, PROGRAM);
        let typist = &mut seat.typist;
        typist.sees("? ");
        typist.types("two words\u{7f}\u{7f}\u{7f}rld\r");
        typist.sees("<two world>\r\n");
        typist.sees("? ");
        // Left five times, and something before it.
        typist.types("\u{1b}[A\u{1b}[D\u{1b}[D\u{1b}[D\u{1b}[D\u{1b}[Dbig \r");
        typist.sees("<two big world>\r\n");
        typist.sees("? ");
        typist.types("\u{3}");
        typist.sees("interrupted\r\n");
        typist.sees("? ");
        typist.types("end\r");
        let (end, shown) = seat.end();
        assert_eq!(end, "", "{}: {shown:?}", engine.name);
        assert!(shown.ends_with("<end>\r\nclosed false\r\n"), "{}: {shown:?}", engine.name);
    }
}

#[test]
fn in_cooked_mode_lines_come_when_they_are_whole_and_control_d_is_the_end() {
    let text = r#"
process.stdin.setEncoding("utf8").on("data", (text) => console.log(JSON.stringify(text))).on("end", () => console.log("the end"));
console.log("ready");
"#;
    for engine in engines("a terminal") {
        let mut seat = seat(&engine, text, PROGRAM);
        seat.talk("ready\r\n", &[("one\u{7f}\u{7f}ak\r", "\"oak\\n\"\r\n"), ("\u{4}", "the end\r\n")]);
        assert_eq!(seat.end().0, "", "{}", engine.name);
    }
}

/// How a program ends that says `ready` and at whose terminal ^C is typed then, and all that was shown.
fn interrupted(engine: &Engine, text: &str) -> (String, String) {
    let mut seat = seat(engine, text, PROGRAM);
    seat.typist.sees("ready\r\n");
    seat.typist.types("\u{3}");
    seat.end()
}

#[test]
fn control_c_ends_a_program_or_is_its_to_handle() {
    let handled = "process.on('SIGINT', () => { console.log('caught'); process.exit(3) }); console.log('ready'); setInterval(() => {}, 1000)";
    for engine in engines("a terminal") {
        let is = |text: &str| {
            let (end, shown) = interrupted(&engine, text);
            format!("{end}: {shown}")
        };
        let plain = is("console.log('ready'); setInterval(() => {}, 1000)");
        assert_eq!(plain, "killed by SIGINT: ready\r\n^C\r\n", "{}", engine.name);
        let busy = is("console.log('ready'); for (;;);");
        assert!(busy.starts_with("killed by SIGINT: "), "{}: in an endless loop: {busy}", engine.name);
        assert_eq!(is(handled), "exit status 3: ready\r\n^C\r\ncaught\r\n", "{}", engine.name);
    }
}

/// A program with two children, of which one is detached; each says when it hears of ^C.
const FAMILY: &str = r#"
import { spawn } from "node:child_process";
const text = (name) => `process.on("SIGINT", () => { console.log("${name} heard"); process.exit(3) });
  setInterval(() => {}, 1000); console.log("${name} there")`;
const born = (name, more) => spawn(process.execPath, ["-e", text(name)], { stdio: ["ignore", "inherit", "inherit"], ...more });
const children = [born("child"), born("piped", { stdio: ["pipe", "inherit", "pipe"] })];
const apart = born("apart", { detached: true });
process.on("SIGINT", () => console.log("maker heard"));
let left = children.length;
for (const child of children) child.on("exit", (code) => {
  console.log(`code ${code}`);
  if (--left === 0) setTimeout(() => { console.log(`apart ${apart.exitCode}`); apart.kill("SIGKILL"); process.exit() }, 100);
});
"#;

#[test]
fn control_c_is_for_the_children_of_a_program_too_but_not_for_a_detached_one() {
    for engine in engines("a terminal") {
        // Typed at its own terminal, and at that of a shell which runs it.
        for shell in [false, true] {
            let mut seat = seat(&engine, FAMILY, if shell { "sh" } else { PROGRAM });
            if shell {
                seat.typist.types("node /tmp/program.mjs; exit\r");
            }
            for _ in 0..3 {
                seat.typist.sees(" there\r\n");
            }
            seat.typist.types("\u{3}");
            seat.typist.sees("apart null\r\n");
            let (_, shown) = seat.end();
            for said in ["maker heard", "child heard", "piped heard"] {
                assert_eq!(shown.matches(said).count(), 1, "{}: {said}: {shown}", engine.name);
            }
            assert!(
                shown.matches("code 3\r\n").count() == 2 && !shown.contains("apart heard"),
                "{}: {shown}",
                engine.name
            );
        }
    }
}

#[test]
fn control_z_stops_a_program_and_cont_is_told_to_it() {
    let text = "process.on('SIGCONT', () => { console.log('on again'); process.exit() }); console.log('ready'); setInterval(() => {}, 1000)";
    for engine in engines("a terminal") {
        let mut seat = seat(&engine, text, PROGRAM);
        seat.typist.sees("ready\r\n");
        seat.typist.types("\u{1a}");
        let status = format!("{}/status", seat.task);
        loop {
            match seat.door.text(&status).as_str() {
                "stopped\n" => break,
                "running\n" => std::thread::sleep(std::time::Duration::from_millis(5)),
                other => panic!("{}: {other}", engine.name),
            }
        }
        seat.ctl("cont");
        seat.typist.sees("on again\r\n");
        assert_eq!(seat.end().0, "", "{}", engine.name);
    }
}

#[test]
fn a_shells_terminal_is_its_programs_too_and_is_cooked_again_after_each() {
    let text = r#"
import { spawnSync } from "node:child_process";
if (process.argv[2] === "below") {
  console.log(`below ${process.stdin.isTTY} ${process.stdout.columns}`);
  process.exit();
}
console.log(`above ${process.stdin.isTTY} ${process.stdout.columns}`);
spawnSync(process.execPath, [process.argv[1], "below"], { stdio: "inherit" });
process.stdout.on("resize", () => { console.log(`now ${process.stdout.columns}`); process.exit() });
process.stdin.setRawMode(true).resume();
console.log("raw");
"#;
    for engine in engines("a terminal") {
        let mut seat = seat(&engine, text, "sh");
        seat.typist.types("node /tmp/program.mjs; echo status $?\r");
        seat.typist.sees("above true 99\r\nbelow true 99\r\nraw\r\n");
        seat.ctl("winsize 40 120");
        // What is typed before the shell asks again is echoed before that.
        seat.typist.sees("now 120\r\nstatus 0\r\n$ ");
        // A line's end is one only where the terminal is cooked.
        seat.typist.types("echo $((6*7))\r");
        seat.typist.sees("\r\n42\r\n");
        seat.typist.types("exit 5\r");
        assert_eq!(seat.end().0, "exit status 5", "{}", engine.name);
    }
}

#[test]
fn readline_stops_itself_and_goes_on_in_a_shell() {
    let text = r#"
import readline from "node:readline";
const asks = readline.createInterface({ input: process.stdin, output: process.stdout, prompt: "? " });
asks.on("line", (line) => { console.log(`<${line}>`); asks.close() });
asks.on("SIGCONT", () => asks.prompt());
asks.prompt();
"#;
    for engine in engines("a terminal") {
        let mut seat = seat(&engine, text, "sh");
        let typist = &mut seat.typist;
        typist.types("node /tmp/program.mjs\r");
        typist.sees("? ");
        typist.types("\u{1a}");
        typist.sees("[1] + Stopped node\r\n$ ");
        typist.types("echo $((6*7))\r");
        typist.sees("\r\n42\r\n");
        typist.types("fg\r");
        typist.sees("? ");
        typist.types("words\r");
        // What is typed before the shell asks again is the program's still.
        typist.sees("<words>\r\n");
        typist.sees("$ ");
        typist.types("exit\r");
        assert_eq!(seat.end().0, "", "{}", engine.name);
    }
}

#[test]
fn a_killed_program_leaves_the_terminal_as_it_was() {
    let text = "process.stdin.setRawMode(true).resume(); console.log(`pid ${process.pid}`)";
    for engine in engines("a terminal") {
        let mut seat = seat(&engine, text, "sh");
        seat.typist.types("node /tmp/program.mjs\r");
        seat.typist.sees("pid ");
        let child = seat
            .door
            .list("/task")
            .iter()
            .filter_map(|name| name.parse::<u32>().ok())
            .max()
            .expect("a child");
        seat.door.say(&format!("/task/{child}/ctl"), "kill\n");
        seat.typist.sees("Killed\r\n$ ");
        seat.typist.types("echo $((6*7)); exit\r");
        seat.typist.sees("\r\n42\r\n");
        seat.end();
    }
}

#[test]
fn node_without_a_script_runs_what_is_typed() {
    for engine in engines("a terminal") {
        let mut seat = seat(&engine, "", "node");
        seat.typist.sees("Type \".help\" for more information.\r\n");
        let lines = [
            ("let half = 21\r", "undefined"),
            ("half * 2\r", "42"),
            ("require('node:os').hostname()\r", "'taskfs'"),
            ("null.x\r", "TypeError"),
        ];
        seat.talk("> ", &lines);
        seat.typist.types(".exit\r");
        assert_eq!(seat.end().0, "", "{}", engine.name);
    }
}

/// Somebody at a terminal of this machine's, where a shell runs `line`; `$T` is taskfs, `$W` the worker, `$P` a program of this text.
fn at_machine(engine: &Engine, text: &str, line: &str) -> (Typist, tempfile::TempDir) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let program = dir.path().join("program.js");
    std::fs::write(&program, text).expect("room for a program");
    let taskfs = taskfs();
    let vars = [
        ("T", taskfs.to_str().expect("UTF-8")),
        ("W", engine.worker()),
        ("P", program.to_str().expect("UTF-8")),
        ("TERM", "xterm"),
    ];
    (Typist::at_script(line, &vars), dir)
}

#[test]
fn control_z_stops_taskfs_run_too_and_fg_lets_both_go_on() {
    if !has_script("^Z at taskfs run -t", "bash") {
        return;
    }
    let text = r#"
process.stdin.setRawMode(true).on("data", (key) => {
  if (String(key) === "q") process.exit(6);
  process.stdin.setRawMode(false);
  process.kill(process.pid, "SIGTSTP");
});
process.on("SIGCONT", () => {
  process.stdin.setRawMode(true);
  console.log(`on again ${process.stdout.columns}x${process.stdout.rows}`);
});
console.log("ready");
"#;
    for engine in engines("^Z at taskfs run -t") {
        let line = "stty rows 33 columns 99; PS1='sh> ' exec bash --norc --noprofile -i";
        let (mut typist, _dir) = at_machine(&engine, text, line);
        typist.sees("sh> ");
        typist.types("$T run -t --node $W $P\r");
        typist.sees("ready\r\n");
        for size in ["40 120", "20 70"] {
            typist.types("\u{1a}");
            typist.sees("Stopped");
            typist.sees("sh> ");
            typist.types(&format!("stty rows {0} columns {1}; echo $((6*7))\r", &size[..2], &size[3..]));
            typist.sees("42\r\n");
            typist.types("fg\r");
            typist.sees(&format!("on again {}x{}\r\n", &size[3..], &size[..2]));
        }
        typist.types("q");
        // What is typed before the shell asks again is the program's still.
        typist.sees("sh> ");
        typist.types("echo status $?; exit\r");
        typist.sees("status 6\r\n");
        typist.ends();
    }
}

#[test]
fn the_users_terminal_is_a_node_programs_until_its_end() {
    if !has_script("taskfs run -t with a Node program", "sh") {
        return;
    }
    let text = r#"
const readline = require("node:readline");
const asks = readline.createInterface({ input: process.stdin, output: process.stdout });
asks.question("who? ", (who) => {
  asks.close();
  process.stdin.setRawMode(true).resume().once("data", (key) => {
    console.log(`${who} ${JSON.stringify(String(key))} ${process.stdout.columns}x${process.stdout.rows}`);
    process.exit(6);
  });
  console.log("a key");
});
"#;
    for engine in engines("taskfs run -t") {
        let line = "stty rows 33 columns 99; before=$(stty -g); $T run -t --node $W $P; echo status $?; \
            [ \"$before\" = \"$(stty -g)\" ] && echo restored";
        let (mut typist, _dir) = at_machine(&engine, text, line);
        typist.sees("who? ");
        typist.types("glendx\u{7f}a\r");
        typist.sees("a key\r\n");
        typist.types("\u{3}");
        typist.sees("glenda \"\\u0003\" 99x33\r\n");
        let shown = typist.ends();
        assert!(shown.ends_with("status 6\r\nrestored\r\n"), "{}: {shown:?}", engine.name);
    }
}
