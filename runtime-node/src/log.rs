//! What a worker says on its standard error: nothing, as long as all is well. The end of it explains a crash.

use parking_lot::Mutex;
use std::collections::VecDeque;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;

/// So much of the end is kept.
const KEPT: usize = 4 << 10;
/// Characters of it that a message shows.
const SHOWN: usize = 300;
/// Whoever says more than this is not listened to any more: the pipe fills, and he waits for ever.
const MOST: usize = 1 << 20;

#[derive(Default)]
pub(crate) struct Log(Mutex<VecDeque<u8>>);

impl Log {
    fn add(&self, data: &[u8]) {
        let mut kept = self.0.lock();
        kept.extend(data);
        let over = kept.len().saturating_sub(KEPT);
        kept.drain(..over);
    }

    /// Listens until the worker's end.
    pub async fn listen(&self, mut pipe: Receiver) {
        let (mut buf, mut heard) = ([0; 1024], 0);
        while let Ok(count @ 1..) = pipe.read(&mut buf).await {
            self.add(&buf[..count]);
            heard += count;
            if heard > MOST {
                self.add(b"\n(and more)\n");
                std::future::pending::<()>().await;
            }
        }
    }

    /// What explains an end, in one line: from the panic or the fatal error on, where there is one, else the last line.
    pub fn explanation(&self) -> Option<String> {
        let bytes: Vec<u8> = self.0.lock().iter().copied().collect();
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let begins =
            |line: &&str| line.contains("panicked at") || line.to_ascii_lowercase().contains("fatal");
        let from = lines.iter().position(begins).unwrap_or(lines.len().checked_sub(1)?);
        let said = lines[from..].join(" ");
        Some(said.chars().filter(|c| !c.is_control()).take(SHOWN).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_told_from_its_beginning() {
        let log = Log::default();
        log.add(b"warning: x\nthread 'main' panicked at a.rs:1:2:\nout of luck\nnote: run with\n");
        let told = "thread 'main' panicked at a.rs:1:2: out of luck note: run with";
        assert_eq!(log.explanation().as_deref(), Some(told));
    }

    #[test]
    fn the_end_is_kept_and_no_more() {
        let log = Log::default();
        assert_eq!(log.explanation(), None);
        log.add(&vec![b'x'; 3 * KEPT]);
        log.add(b"\nthread panicked\x07: out of\tluck\n\n");
        assert_eq!(log.explanation().as_deref(), Some("thread panicked: out ofluck"));
        assert_eq!(log.0.lock().len(), KEPT);
    }
}
