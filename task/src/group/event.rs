//! What happens in a container, a line each: a kind and its words, quoted as rc(1) quotes.
//!
//! ```text
//! container STATE                       new running stopped exited destroyed, and what was done: snapshot NAME, restore NAME
//! process ID started WORD…
//! process ID exited CODE 'message'      '' for success, as wait has it
//! port N open ID                        task ID listens
//! port N closed
//! server-ready N URL                    the first answer is there to be had
//! progress WHAT 'message'               of something long: an install
//! limit NAME 'message'
//! error WHAT 'message'
//! ```

use crate::rc;
use std::fmt;
use vfs::TaskId;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Of the container itself.
    Life(Vec<String>),
    Started {
        task: TaskId,
        argv: Vec<Vec<u8>>,
    },
    Exited {
        task: TaskId,
        code: i32,
        message: String,
    },
    PortOpened {
        port: u16,
        task: Option<TaskId>,
    },
    PortClosed {
        port: u16,
    },
    ServerReady {
        port: u16,
        url: String,
    },
    Progress {
        what: String,
        message: String,
    },
    Limit {
        name: String,
        message: String,
    },
    Error {
        what: String,
        message: String,
    },
}

impl Event {
    fn words(&self) -> Vec<Vec<u8>> {
        let own = |words: &[&str]| words.iter().map(|w| w.as_bytes().to_vec()).collect::<Vec<_>>();
        match self {
            Event::Life(words) => [b"container".to_vec()]
                .into_iter()
                .chain(words.iter().map(|w| w.clone().into_bytes()))
                .collect(),
            Event::Started { task, argv } => {
                let mut words = own(&["process", &task.to_string(), "started"]);
                words.extend(argv.iter().cloned());
                words
            }
            Event::Exited { task, code, message } => {
                own(&["process", &task.to_string(), "exited", &code.to_string(), message])
            }
            Event::PortOpened { port, task: Some(task) } => {
                own(&["port", &port.to_string(), "open", &task.to_string()])
            }
            Event::PortOpened { port, task: None } => own(&["port", &port.to_string(), "open"]),
            Event::PortClosed { port } => own(&["port", &port.to_string(), "closed"]),
            Event::ServerReady { port, url } => own(&["server-ready", &port.to_string(), url]),
            Event::Progress { what, message } => own(&["progress", what, message]),
            Event::Limit { name, message } => own(&["limit", name, message]),
            Event::Error { what, message } => own(&["error", what, message]),
        }
    }

    /// One line, its end included: line ends within a word are spaces.
    pub(super) fn line(&self) -> Vec<u8> {
        let mut words = self.words();
        for byte in words.iter_mut().flatten().filter(|b| b.is_ascii_control()) {
            *byte = b' ';
        }
        let mut line = rc::join(&words);
        line.push(b'\n');
        line
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(String::from_utf8_lossy(&self.line()).trim_end())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line_whatever_a_program_is_called() {
        let argv = vec![b"sh".to_vec(), b"-c".to_vec(), b"echo a\necho b".to_vec()];
        let event = Event::Started { task: TaskId(3), argv };
        assert_eq!(event.line(), b"process 3 started sh -c 'echo a echo b'\n");
        let event = Event::Exited { task: TaskId(3), code: 0, message: String::new() };
        assert_eq!(event.line(), b"process 3 exited 0 ''\n");
    }
}
