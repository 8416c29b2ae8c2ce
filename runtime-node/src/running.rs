//! A task's program that runs in a worker.

use crate::worker::Worker;
use futures_util::future::BoxFuture;
use std::sync::Arc;
use task::{Exit, Limits, Running, Signal};

pub(crate) struct RunningWorker(pub Arc<Worker>);

impl Running for RunningWorker {
    fn stop(&self) {
        self.0.stop();
        if let Some(given) = self.0.link.given()
            && let Some(screen) = &given.screen
        {
            screen.leave();
        }
    }
    fn cont(&self) {
        if let Some(given) = self.0.link.given()
            && let Some(screen) = &given.screen
        {
            screen.come_back();
        }
        self.0.link.signal(Signal::CONT);
        self.0.cont();
    }
    fn kill(&self, exit: Exit) {
        self.0.kill(exit);
    }
    fn signal(&self, signal: i32) -> bool {
        Signal::numbered(signal).is_some_and(|signal| self.0.link.signal(signal))
    }
    fn measure(&self) {
        self.0.count();
    }
    fn set_limits(&self, limits: Limits) {
        self.0.set_limits(limits);
    }
    fn wait(&self) -> BoxFuture<'static, Exit> {
        Box::pin(self.0.wait())
    }
}

impl Drop for RunningWorker {
    /// Nobody can ask for its end any more.
    fn drop(&mut self) {
        self.0.kill(Exit::killed(128 + 9, "given up"));
    }
}
