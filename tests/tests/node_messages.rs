//! How many messages, and how many waits for their answers, a file call of a Node program costs: pinned, so that one which sneaks in is
//! seen. What a call costs in time is bench/'s to say.

use nine::wire::Dialect;
use tests::Server;
use tests::door::Door;
use tests::engines::engines;

/// A call, and what it costs: messages, and waits. `i` is another number every time, `d` a directory of its own.
const CALLS: &[(&str, u64, u64)] = &[
    ("fs.statSync(d + '/f')", 4, 1),
    ("fs.lstatSync(d + '/f')", 4, 1),
    ("fs.existsSync(d + '/f')", 3, 1),
    ("fs.existsSync(d + '/none')", 3, 1),
    ("fs.accessSync(d + '/f')", 4, 1),
    ("fs.readFileSync(d + '/f')", 5, 1),
    ("await fs.promises.readFile(d + '/f')", 5, 1),
    ("fs.writeFileSync(d + '/f', 'text')", 4, 1),
    ("await fs.promises.writeFile(d + '/f', 'text')", 4, 1),
    ("fs.appendFileSync(d + '/f', 'more')", 4, 1),
    ("fs.readdirSync(d)", 6, 1),
    ("fs.mkdirSync(d + '/dir' + i)", 3, 1),
    ("fs.mkdirSync(d + '/a' + i + '/b/c', { recursive: true })", 15, 1),
    ("fs.renameSync(d + '/o' + i, d + '/p' + i)", 5, 1),
    ("fs.unlinkSync(d + '/u' + i)", 3, 1),
    ("fs.copyFileSync(d + '/f', d + '/copy')", 11, 2),
    ("const fd = fs.openSync(d + '/f'); fs.fstatSync(fd); fs.readSync(fd, buffer); fs.closeSync(fd)", 7, 3),
    ("const file = await fs.promises.open(d + '/f'); await file.read(buffer); await file.close()", 6, 2),
    ("require(d + '/m' + i + '.js')", 7, 1),
    ("process.stdout.write('word')", 1, 1),
];

/// Messages and waits of a task that has ended.
fn cost(door: &Door, task: &str) -> (u64, u64) {
    let usage = door.text(&format!("{task}/usage"));
    let figure = |name: &str| {
        let line = usage.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|rest| rest.trim().parse().ok()).unwrap_or_else(|| panic!("{name} in {usage}"))
    };
    (figure("calls "), figure("round-trips "))
}

#[test]
fn a_file_call_costs_as_many_messages_and_waits_as_it_did() {
    // The number of times is a program's argument: what it does beside is the same.
    const TIMES: [u64; 2] = [10, 40];
    for engine in engines("messages of file calls") {
        let server = Server::start(&["--node", engine.worker()]);
        let door = Door::nine(&server, Dialect::P9P2000U);
        let mut wrong = Vec::new();
        for (number, (call, messages, waits)) in CALLS.iter().enumerate() {
            let program = format!(
                "const fs = require('node:fs'), d = '/tmp/d' + process.argv[2], buffer = Buffer.alloc(64);
                fs.mkdirSync(d); fs.writeFileSync(d + '/f', 'text');
                for (let i = 0; i < 40; i++) for (const name of ['o', 'u', 'm']) fs.writeFileSync(d + '/' + name + i + (name === 'm' ? '.js' : ''), '');
                const run = async () => {{ for (let i = 0; i < Number(process.argv[3]); i++) {{ {call} }} }};
                run();"
            );
            let path = format!("/tmp/{number}.cjs");
            door.put(&path, program.as_bytes());
            let costs = TIMES.map(|times| {
                let task = door.start(&format!("{path} {number}-{times} {times}"), "");
                assert_eq!(
                    door.end_of(&task),
                    "",
                    "{}: {call}: {}",
                    engine.name,
                    door.text(&format!("{task}/stdio/2"))
                );
                cost(&door, &task)
            });
            // The last words of a program are now and then one message more or less.
            let each = |of: fn((u64, u64)) -> u64| {
                (of(costs[1]).saturating_sub(of(costs[0])) + 15) / (TIMES[1] - TIMES[0])
            };
            let (said, waited) = (each(|cost| cost.0), each(|cost| cost.1));
            if (said, waited) != (*messages, *waits) {
                wrong.push(format!("{call}: {said} messages and {waited} waits, not {messages} and {waits}"));
            }
        }
        assert!(wrong.is_empty(), "on {}:\n{}", engine.name, wrong.join("\n"));
    }
}
