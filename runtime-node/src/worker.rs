//! One worker, from its hello to its end: its socket is served, its log listened to, its process waited for, by one task.

use crate::bounds::Bounds;
use crate::cgroup::{Cgroup, Cgroups};
use crate::door::Door;
use crate::ipc::Exchange;
use crate::link::{Given, Link};
use crate::log::Log;
use crate::net;
use crate::process::{End, Process, Used, name_of};
use crate::spawn::Spawned;
use nine::server::thread::{OnRuntime, Thread, Threads};
use nine::server::{Config, Observed, ServeError, serve_observed};
use nine::shm::{self, Memory};
use parking_lot::Mutex;
use rustix::net::sockopt;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream as StdStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use task::{Exit, Limits, Usage};
use tokio::net::unix::pipe::Receiver;
use tokio::sync::watch;
use vfs::Export;
use wall::{Hello, Report};

/// A worker may have so many fids beyond its task's limit on open files: the control tree's, directories on the way.
const SPARE_FIDS: usize = 256;

/// Requests that a worker may have pending: a blocked read for each stream, child and watch, and what it sends ahead.
const IN_FLIGHT: usize = 1024;
/// What the server keeps for one worker, of replies it does not read and of requests that wait.
const BUFFERED: usize = 16 << 20;

/// How long a worker that has closed its socket may take to end, and what it said last to be heard.
const LAST_BREATH: Duration = Duration::from_millis(500);

/// What is between a worker and the server: memory where a thread serves it.
type Way = (StdStream, Option<Memory>, Option<Thread>);

static NUMBERS: AtomicU64 = AtomicU64::new(1);

pub(crate) struct Worker {
    pub link: Arc<Link>,
    pub report: Report,
    process: Arc<Process>,
    observed: Arc<Observed>,
    log: Arc<Log>,
    /// How it ended, when it has.
    exit: watch::Receiver<Option<Exit>>,
    /// Where its time and memory are counted, once it has a task.
    usage: watch::Sender<Option<Arc<Usage>>>,
    bounds: Bounds,
    /// What the kernel keeps it within.
    cgroup: Mutex<Option<Cgroup>>,
}

impl Worker {
    /// Lets a worker that said hello go on, and keeps it. To be called within a tokio runtime.
    pub fn keep(
        spawned: Spawned,
        export: Arc<Export<Door>>,
        exchange: Arc<Exchange>,
        threads: Threads,
        cgroups: Option<&Cgroups>,
    ) -> io::Result<Arc<Worker>> {
        let Spawned { socket, hello, log } = spawned;
        let Hello { report, init, worker, listener } = hello;
        let process = Arc::new(Process::new(init, worker)?);
        // Who looks for requests has a thread of his own.
        let thread = threads.take();
        let memory = match (&thread, report.memory) {
            (Some(_), true) => Some(Memory::new()?),
            _ => None,
        };
        Hello::accept(&socket, memory.as_ref().map(AsFd::as_fd))?;
        sockopt::set_socket_timeout(&socket, sockopt::Timeout::Recv, None)?;
        let stream = StdStream::from(socket);
        stream.set_nonblocking(true)?;
        let pipe = Receiver::from_owned_fd(log)?;
        let link = Arc::new(Link::new(NUMBERS.fetch_add(1, Ordering::Relaxed), exchange));
        let (tell, exit) = watch::channel(None);
        let cgroup = cgroups.map(|groups| groups.put(link.number, &process.pids())).transpose()?;
        let worker = Arc::new(Worker {
            cgroup: Mutex::new(cgroup),
            observed: Arc::new(Observed::new(link.number, nine::server::Messages::default())),
            link,
            report,
            process,
            log: Arc::default(),
            exit,
            usage: watch::Sender::new(None),
            bounds: Bounds::new(),
        });
        let supervised = match listener {
            Some(listener) => Some(net::supervise(listener, worker.process.worker()?, worker.link.clone())),
            // Its filter refuses them.
            None => None,
        };
        tokio::spawn(worker.clone().live((stream, memory, thread), pipe, export, supervised, tell));
        Ok(worker)
    }

    /// Its socket: by a thread of its own where there was one left, else on the runtime.
    async fn serve(
        self: Arc<Worker>,
        (stream, memory, thread): Way,
        export: Arc<Export<Door>>,
        config: Config,
    ) -> Result<(), ServeError> {
        let (context, observed) = (Arc::new(self.link.clone()), self.observed.clone());
        let served = match (thread, memory) {
            (None, _) => {
                return serve_observed(export, context, stream.on_runtime()?, config, observed).await;
            }
            (Some(thread), None) => {
                let serve = |stream| serve_observed(export, context, stream, config, observed);
                thread.serve(stream, serve).await
            }
            (Some(thread), Some(memory)) => {
                let serve = |stream| serve_observed(export, context, stream, config, observed);
                thread.serve(shm::End::of_maker(&memory, stream)?, serve).await
            }
        };
        served.unwrap_or_else(|| Err(io::Error::other("the thread that served it is gone").into()))
    }

    /// Its whole life. Whatever ends it, the process is gone and its files are closed before anyone hears of its end.
    async fn live(
        self: Arc<Worker>,
        way: Way,
        pipe: Receiver,
        export: Arc<Export<Door>>,
        supervised: Option<impl Future<Output = io::Result<()>>>,
        tell: watch::Sender<Option<Exit>>,
    ) {
        let config = Config {
            fids: Config::default().fids + SPARE_FIDS,
            in_flight: IN_FLIGHT,
            buffered: BUFFERED,
            ..Config::default()
        };
        let served = self.clone().serve(way, export, config);
        let end = {
            let heard = self.log.listen(pipe);
            let struck = self.bounds.strike(&self.process);
            let mut supervising = supervised.is_some();
            let supervised = async {
                match supervised {
                    Some(supervised) => supervised.await,
                    None => Ok(()),
                }
            };
            tokio::pin!(served, heard, struck, supervised);
            let (mut serving, mut listening, mut striking, mut alone) = (true, true, true, None);
            let end = loop {
                tokio::select! {
                    end = self.process.ended() => break end,
                    () = self.link.ended() => {
                        self.count();
                        self.process.kill();
                        break self.process.ended().await;
                    }
                    exit = &mut struck, if striking => {
                        striking = false;
                        self.link.end(exit);
                    }
                    // Who has no threads left makes no calls; where it fails, they do (ENOSYS).
                    result = &mut supervised, if supervising => {
                        supervising = false;
                        if let Err(error) = result {
                            tracing::debug!("a worker's network: {error}");
                        }
                    }
                    result = &mut served, if serving => {
                        serving = false;
                        // A connection that broke is an end like every other: how the process ended says more.
                        if let Err(ServeError::Protocol(fault)) = result {
                            self.link.end(Exit::killed(128 + 9, format!("its worker was ended: the peer was thrown out: {fault}")));
                        }
                        alone = Some(Box::pin(tokio::time::sleep(LAST_BREATH)));
                    }
                    () = &mut heard, if listening => listening = false,
                    // It has closed its socket, and lives on without being of use to anybody.
                    () = async { alone.as_mut().expect("asked for below").await }, if alone.is_some() => {
                        alone = None;
                        self.process.kill();
                    }
                }
            };
            if listening {
                // What it said last lies in the pipe.
                let _heard = tokio::time::timeout(LAST_BREATH, heard).await;
            }
            end
        };
        let exit = self.why(&end);
        drop(self.cgroup.lock().take());
        if let (Ok(end), Some(usage)) = (&end, &*self.usage.borrow()) {
            self.figures(usage);
            let Used { user, system, .. } = self.bounds.tasks_part(end.used);
            usage.user_ns.store(nanos(user), Ordering::Relaxed);
            usage.sys_ns.store(nanos(system), Ordering::Relaxed);
            usage.round_trips.store(self.link.round_trips.load(Ordering::Relaxed), Ordering::Relaxed);
            usage.memory.store(0, Ordering::Relaxed);
            usage.files.store(0, Ordering::Relaxed);
        }
        if let Some(given) = self.link.given() {
            if let Some(screen) = &given.screen {
                screen.leave();
            }
            if let Some(channel) = &given.ipc {
                channel.close();
            }
            self.link.children.leave(&given).await;
        }
        tell.send_replace(Some(exit));
    }

    /// How the task ended, where its worker has.
    fn why(&self, end: &io::Result<End>) -> Exit {
        if let Some(exit) = self.link.how_it_ended() {
            return exit.clone();
        }
        let said = self.log.explanation().map(|line| format!(": {line}")).unwrap_or_default();
        match end {
            Ok(_) if self.cgroup.lock().as_ref().is_some_and(Cgroup::was_out_of_memory) => {
                self.bounds.out_of_memory()
            }
            Ok(End { status, .. }) if *status > 128 => {
                let signal = name_of(status - 128);
                Exit::killed(*status, format!("its worker crashed: {signal}{said}"))
            }
            Ok(End { status, .. }) => {
                Exit::killed(128 + 9, format!("its worker ended without a word, status {status}{said}"))
            }
            Err(error) => Exit::killed(128 + 9, format!("its worker was lost: {error}")),
        }
    }

    pub fn give(&self, task: Given, usage: Arc<Usage>, limits: Limits) {
        self.link.files.set_limit(limits.files);
        self.bounds.begin(&self.process, limits);
        self.bound(limits);
        self.usage.send_replace(Some(usage));
        self.link.give(task);
    }

    /// What it has used so far, into its task's counters.
    pub fn count(&self) {
        let Some(usage) = self.usage.borrow().clone() else { return };
        self.figures(&usage);
        if let Some(used) = self.process.used() {
            let Used { user, system, memory } = self.bounds.tasks_part(used);
            usage.user_ns.store(nanos(user), Ordering::Relaxed);
            usage.sys_ns.store(nanos(system), Ordering::Relaxed);
            usage.set_memory(memory);
        }
    }

    fn figures(&self, usage: &Usage) {
        let figures = self.observed.figures();
        let requests = figures.requests().map(|(_, count)| count).sum();
        usage.calls.store(requests, Ordering::Relaxed);
        usage.read_bytes.store(figures.sent, Ordering::Relaxed);
        usage.written_bytes.store(figures.received, Ordering::Relaxed);
        usage.files.store(self.link.files.open(), Ordering::Relaxed);
    }

    pub fn set_limits(&self, limits: Limits) {
        self.link.files.set_limit(limits.files);
        self.bounds.set(limits);
        self.bound(limits);
    }
    fn bound(&self, limits: Limits) {
        if let Some(group) = &*self.cgroup.lock() {
            group.bound(limits.memory);
        }
    }
    pub fn stop(&self) {
        self.process.stop();
    }
    pub fn cont(&self) {
        self.process.cont();
    }
    /// Ends it at once, as `exit`.
    pub fn kill(&self, exit: Exit) {
        self.link.end(exit);
        // Not left to whoever keeps it: a server that is busy kills as quickly as an idle one.
        self.process.kill();
    }

    pub fn has_ended(&self) -> bool {
        self.exit.borrow().is_some() || !self.process.lives()
    }
    /// Its end, when it comes.
    pub fn wait(&self) -> impl Future<Output = Exit> + Send + use<> {
        let mut exit = self.exit.clone();
        async move {
            let ended = exit.wait_for(Option::is_some).await.map(|exit| exit.clone());
            // Whoever keeps it tells before he goes, unless the server goes with him.
            ended.ok().flatten().unwrap_or_else(|| Exit::killed(128 + 9, "the server stopped while it ran"))
        }
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
