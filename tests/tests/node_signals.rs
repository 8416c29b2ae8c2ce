//! Signals that reach a Node program while it waits blocked for the server.

use nine::wire::Dialect;
use std::time::Duration;
use tests::Server;
use tests::door::Door;
use tests::engines::engines;
use tests::typist::Typist;

#[test]
fn a_signal_that_comes_during_a_blocked_read_keeps_it_from_nothing() {
    let text = r#"
const fs = require("node:fs");
process.on("SIGUSR1", () => console.log("heard"));
console.log("ready");
const buffer = Buffer.alloc(16);
console.log(`read ${fs.readSync(0, buffer)}`);
setTimeout(() => {}, 50);
"#;
    for engine in engines("signals") {
        let server = Server::start(&["--node", engine.worker()]);
        let door = Door::nine(&server, Dialect::P9P2000U);
        door.put("/tmp/blocked.cjs", text.as_bytes());
        let task = door.start("/tmp/blocked.cjs", "");
        let mut typist = Typist::at_task(&door, &task);
        typist.sees("ready\n");
        // By now it reads, unless this machine is very busy: then there is nothing to see.
        std::thread::sleep(Duration::from_millis(200));
        door.say(&format!("{task}/ctl"), "kill USR1\n");
        std::thread::sleep(Duration::from_millis(200));
        typist.types("words");
        typist.sees("read 5\nheard\n");
        assert_eq!(door.end_of(&task), "", "{}", engine.name);
    }
}
