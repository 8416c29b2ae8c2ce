//! Connections to a container's ports whose writers are gone, or on their way, and whose answers nobody has read yet: for
//! `printf ... >data; cat data`, which opens the file twice. What was answered stays in the kernel's buffers, so that it is
//! bounded, and whoever answers more waits until somebody reads.

use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use vfs::Uid;

/// How long an answer is kept that nobody reads.
const PATIENCE: Duration = Duration::from_secs(60);
/// Of one container; then the oldest goes.
const MOST: usize = 64;

/// Connections that wait for a reader, the oldest first.
#[derive(Default)]
pub struct Answers(Mutex<Vec<Answer>>);

struct Answer {
    port: u16,
    uid: Uid,
    stream: Arc<TcpStream>,
}

impl Answers {
    /// `uid` has opened a connection to `port` for writing alone.
    pub fn expect(&self, port: u16, uid: Uid, stream: Arc<TcpStream>) {
        let mut answers = self.0.lock();
        if answers.len() == MOST {
            answers.remove(0);
        }
        answers.push(Answer { port, uid, stream });
    }

    /// The oldest one of `uid`'s connections to `port` that nobody reads from.
    pub fn take(&self, port: u16, uid: Uid) -> Option<Arc<TcpStream>> {
        let mut answers = self.0.lock();
        let at = answers.iter().position(|answer| answer.port == port && answer.uid == uid)?;
        Some(answers.remove(at).stream)
    }

    /// Waits for as long as the answer to `stream` is kept, and forgets it.
    pub async fn expire(&self, stream: Arc<TcpStream>) {
        tokio::time::sleep(PATIENCE).await;
        self.0.lock().retain(|answer| !Arc::ptr_eq(&answer.stream, &stream));
    }

    /// The container has come to its end.
    pub(crate) fn clear(&self) {
        self.0.lock().clear();
    }
}
