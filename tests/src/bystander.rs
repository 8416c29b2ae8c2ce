//! Somebody else on the same server: a task that echoes lines, and a reader of a file on another connection. Whatever is
//! done to the server, both must go on working, and at speed.

use crate::Server;
use crate::door::Door;
use nine::wire::{Dialect, OpenFlags};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Works from [`Bystander::start`] until [`Bystander::finish`].
pub struct Bystander {
    done: Arc<AtomicBool>,
    work: JoinHandle<Vec<Duration>>,
}

/// How long the bystander's rounds took: a line there and back, a file read.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    pub rounds: usize,
    pub median: Duration,
    pub worst: Duration,
}

const CONTENT: &[u8] = b"what the bystander reads\n";

impl Bystander {
    /// Reads its file through the mount where there is one.
    pub fn start(server: &Server, mount: Option<&Path>) -> Bystander {
        let (writer, nine) = (Door::nine(server, Dialect::P9P2000L), Door::nine(server, Dialect::P9P2000U));
        let path = format!("/tmp/bystander-{:?}", std::thread::current().id()).replace(['(', ')'], "");
        nine.put(&path, CONTENT);
        let reader = mount.map_or(nine, |dir| Door::Mount(dir.to_owned()));
        let task = writer.start("/guests/cat.wasm", "");
        let done = Arc::new(AtomicBool::new(false));
        let finished = done.clone();
        let work = std::thread::spawn(move || {
            let input = writer.open(&format!("{task}/stdio/0"), OpenFlags::WRONLY).expect("its input");
            let output = writer.open(&format!("{task}/stdio/1"), OpenFlags::empty()).expect("its output");
            let (mut times, mut read) = (Vec::new(), 0);
            while !finished.load(Ordering::Relaxed) || times.len() < 20 {
                let start = Instant::now();
                let line = format!("line {}\n", times.len());
                input.write_all(line.as_bytes()).expect("the bystander's task takes a line");
                let mut back = Vec::new();
                while back.len() < line.len() {
                    let more = output.read(read, 4096).expect("the bystander's task answers");
                    // Nothing is the end of what there was, as Linux's clients see a live file.
                    read += more.len() as u64;
                    back.extend(more);
                }
                assert_eq!(back, line.as_bytes(), "what comes back is what went in");
                assert_eq!(reader.read(&path).expect("the bystander's file"), CONTENT);
                times.push(start.elapsed());
                std::thread::sleep(Duration::from_millis(2));
            }
            writer.say(&format!("{task}/ctl"), "eof\n");
            assert_eq!(writer.end_of(&task), "", "the bystander's task ends well");
            writer.remove(&task).expect("a finished task can be removed");
            times
        });
        Bystander { done, work }
    }

    /// Ends it, and fails where it did not get on: half of its rounds within 100 ms, every one within 5 s.
    pub fn finish(self, what: &str) -> Pace {
        self.done.store(true, Ordering::Relaxed);
        let mut times = self.work.join().expect("the bystander gets on with its work");
        times.sort();
        let (rounds, worst) = (times.len(), *times.last().expect("it did some"));
        let pace = Pace { rounds, median: times[rounds / 2], worst };
        eprintln!("bystander of {what}: {rounds} rounds, median {:?}, worst {worst:?}", pace.median);
        assert!(pace.median < Duration::from_millis(100), "{what}: {pace:?}");
        assert!(worst < Duration::from_secs(5), "{what}: {pace:?}");
        pace
    }
}
