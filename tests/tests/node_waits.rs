//! Programs whose modules wait for what never comes.

use tests::engines::engines;

/// What keeps no program alive, and what lets a module go on.
const PROGRAMS: &[(&str, &str, i32)] = &[
    ("plain", "await new Promise(() => {})", 13),
    ("a listener of a signal", "process.on('SIGTERM', () => {}); await new Promise(() => {})", 13),
    ("a timer that is of no account", "setTimeout(() => {}, 1e6).unref(); await new Promise(() => {})", 13),
    ("a timer before", "setTimeout(() => {}, 20); await new Promise(() => {})", 13),
    ("a status of its own", "process.exitCode = 4; await new Promise(() => {})", 4),
    ("a listener of the end", "process.on('exit', (code) => { process.exitCode = code + 1 }); await new Promise(() => {})", 14),
    (
        "what settles late",
        "import fs from 'node:fs/promises'; import timers from 'node:timers/promises';
         process.on('SIGTERM', () => {}); await timers.setTimeout(30); await fs.readFile('/bin/node'); process.exitCode = 5",
        5,
    ),
    (
        "another module",
        "process.on('SIGTERM', () => {}); await (await import('data:text/javascript,export const later = new Promise((done) => setTimeout(done, 20))')).later; process.exitCode = 6",
        6,
    ),
    ("an import that nobody waits for", "import('data:text/javascript,await new Promise(() => {})'); process.exitCode = 7", 7),
];

#[test]
fn a_module_that_waits_for_ever_is_status_13_and_one_that_does_not_is_waited_for() {
    for engine in engines("top-level await") {
        for (name, text, code) in PROGRAMS {
            let ran = engine.script("waits.mjs", text, &[]);
            assert_eq!(ran.code, Some(*code), "{}: {name}: {}", engine.name, ran.err);
            let warned = ran.err.starts_with("Warning: Detected unsettled top-level await");
            assert_eq!(warned, *code == 13, "{}: {name}: {}", engine.name, ran.err);
        }
    }
}
