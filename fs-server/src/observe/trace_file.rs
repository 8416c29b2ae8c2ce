//! `--trace-9p[=FILE]`: the same lines as /dev/trace9, written to a file or to stderr.

use services::{Messages, Watch};
use std::convert::Infallible;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Where the lines go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    Stderr,
    /// Appended to, made where it is not there.
    File(PathBuf),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Stderr => f.write_str("-"),
            Target::File(path) => path.display().fmt(f),
        }
    }
}

impl FromStr for Target {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Target, Infallible> {
        Ok(if text == "-" { Target::Stderr } else { Target::File(text.into()) })
    }
}

/// The lines on their way into the file.
pub struct TraceFile {
    writer: JoinHandle<()>,
    stop: oneshot::Sender<()>,
}

impl TraceFile {
    /// Writes what passes from now on. The connections never wait for the file: what it is too slow for is missing, and the
    /// lines say so.
    pub fn start(messages: &Arc<Messages>, target: &Target) -> io::Result<TraceFile> {
        let file = match target {
            Target::Stderr => None,
            Target::File(path) => Some(OpenOptions::new().append(true).create(true).open(path)?),
        };
        let (stop, stopped) = oneshot::channel();
        let writer = tokio::spawn(write(messages.watch(), file, stopped));
        Ok(TraceFile { writer, stop })
    }

    /// Writes what is left.
    pub async fn stop(self) {
        // Where the writer has ended because of its file there is nobody to tell.
        let _ended = self.stop.send(());
        if let Ok(Err(error)) = tokio::time::timeout(Duration::from_secs(2), self.writer).await {
            tracing::error!("--trace-9p: {error}");
        }
    }
}

async fn write(watch: Watch, file: Option<File>, mut stopped: oneshot::Receiver<()>) {
    let file = Arc::new(file);
    let mut chunk = vec![0; 64 << 10];
    loop {
        let count = tokio::select! {
            biased;
            count = watch.read(&mut chunk) => count,
            // What was there has been written.
            _ = &mut stopped => return,
        };
        let file = file.clone();
        // The file may be on a disk that is slow: that is a blocking thread's to wait for.
        let wrote = tokio::task::spawn_blocking(move || {
            let wrote = match &*file {
                None => io::stderr().write_all(&chunk[..count]),
                Some(file) => (&*file).write_all(&chunk[..count]),
            };
            (wrote, chunk)
        });
        match wrote.await {
            Ok((Ok(()), buffer)) => chunk = buffer,
            Ok((Err(error), _)) => return tracing::error!("--trace-9p: {error}; nothing more is written"),
            Err(_) => return,
        }
    }
}
