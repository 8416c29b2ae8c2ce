//! What `process`, `os` and the standard files tell a program: of its task, and nothing of the host.

mod served;

use served::Program;

#[test]
fn arguments_environment_and_directory_are_the_tasks() {
    let ended = Program::new(&[(
        "app/tell.js",
        "console.log(process.argv.join(), process.env.NAME, Object.keys(process.env).join(), process.cwd(), process.pid, process.ppid)",
    )])
    .args(&["a", "b c"])
    .env("NAME", "glenda")
    .cwd("/app")
    .run("/app/tell.js");
    assert_eq!(ended.output(), "/bin/node,/app/tell.js,a,b c glenda NAME /app 7 3\n");
}

#[test]
fn os_describes_the_task() {
    let ended = Program::new(&[(
        "os.js",
        "const os = require('node:os');
         console.log(os.hostname(), os.platform(), os.userInfo().uid, os.homedir(), os.tmpdir(), os.cpus().length > 0, process.getuid());",
    )])
    .env("HOME", "/home/glenda")
    .run("/os.js");
    assert_eq!(ended.output(), "taskfs linux 0 /home/glenda /tmp true 0\n");
}

#[test]
fn standard_input_flows_and_ends() {
    let ended = Program::new(&[(
        "upper.js",
        "let text = ''; process.stdin.setEncoding('utf8').on('data', (part) => text += part).on('end', () => process.stdout.write(text.toUpperCase()))",
    )])
    .stdin("one\ntwo\n")
    .run("/upper.js");
    assert_eq!(ended.output(), "ONE\nTWO\n");
    let ended = Program::new(&[("sync.js", "console.log(require('fs').readFileSync(0, 'utf8').length)")])
        .stdin("12345")
        .run("/sync.js");
    assert_eq!(ended.output(), "5\n");
}

#[test]
fn output_is_written_before_the_program_exits() {
    let ended = Program::new(&[(
        "much.js",
        "process.stdout.write('x'.repeat(1 << 20)); process.stderr.write('e'); process.exit(3); console.log('never')",
    )])
    .run("/much.js");
    assert_eq!((ended.stdout.len(), ended.stderr.as_str()), (1 << 20, "e"));
    assert_eq!(ended.exit["code"], 3);
}

#[test]
fn exit_codes_are_those_that_the_program_sets() {
    for (text, code) in [
        ("process.exitCode = 9", 9),
        ("process.exit()", 0),
        ("process.on('exit', () => process.exitCode = 4)", 4),
    ] {
        let ended = Program::new(&[("code.js", text)]).run("/code.js");
        assert_eq!(ended.exit["code"], code, "{text}");
    }
}

#[test]
fn a_signal_to_itself_reaches_its_listener_or_ends_it() {
    let ended = Program::new(&[(
        "listens.js",
        "process.on('SIGTERM', (name) => { console.log(name); process.exit(0) }); setInterval(() => {}, 1000); process.kill(process.pid, 'SIGTERM')",
    )])
    .run("/listens.js");
    assert_eq!(ended.output(), "SIGTERM\n");
    let ended =
        Program::new(&[("ends.js", "process.kill(process.pid, 'SIGTERM'); for (;;);")]).run("/ends.js");
    assert_eq!(ended.exit["signal"], "SIGTERM");
}

#[test]
fn nothing_else_can_be_signalled() {
    let text = "for (const pid of [1, 2, -1, 99999]) try { process.kill(pid, 0); console.log('reached', pid) } catch (e) { console.log(e.code) }";
    let ended = Program::new(&[("kill.js", text)]).run("/kill.js");
    assert_eq!(ended.output(), "ESRCH\nESRCH\nESRCH\nESRCH\n");
}

#[test]
fn clocks_and_memory_are_told() {
    let ended = Program::new(&[(
        "clock.js",
        "const { heapUsed, rss } = process.memoryUsage();
         console.log(process.uptime() >= 0, process.hrtime.bigint() > 0n, heapUsed > 0, rss > 0, performance.now() > 0, process.resourceUsage().maxRSS > 0)",
    )])
    .run("/clock.js");
    assert_eq!(ended.output(), "true true true true true true\n");
}

#[test]
fn nodes_own_command_line_is_understood() {
    let ended = Program::new(&[("app.js", "console.log(process.argv.slice(2).join())")])
        .args(&["--no-warnings", "app.js", "-e", "x"])
        .run_as_node();
    assert_eq!(ended.output(), "-e,x\n");
    let ended = Program::new(&[])
        .args(&["-p", "require('path').basename('/a/b') + process.argv[1]", "c"])
        .run_as_node();
    assert_eq!(ended.output(), "bc\n");
    let ended = Program::new(&[]).stdin("console.log('from stdin')").run_as_node();
    assert_eq!(ended.output(), "from stdin\n");
}
