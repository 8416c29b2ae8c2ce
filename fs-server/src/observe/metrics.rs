//! The text of /dev/metrics: OpenMetrics 1.0, encoded by crate prometheus-client, every figure taken when it is read.

use super::Connections;
use super::process::Process;
use crate::fuse;
use nine::server::ANSWER_TIMES;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use task::{State, TaskTable};

/// The whole text.
pub fn text(connections: &Arc<Connections>, fuse: &Arc<fuse::Counts>, table: &Arc<TaskTable>) -> Vec<u8> {
    let mut registry = Registry::default();
    let server = Server { connections: connections.clone(), fuse: fuse.clone(), table: table.clone() };
    registry.register_collector(Box::new(server));
    let mut out = String::new();
    match text::encode(&mut out, &registry) {
        Ok(()) => out.into_bytes(),
        // A String takes everything; half a text must not pass for a whole one.
        Err(error) => format!("# not made: {error}\n").into_bytes(),
    }
}

struct Server {
    connections: Arc<Connections>,
    fuse: Arc<fuse::Counts>,
    table: Arc<TaskTable>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Server")
    }
}

/// The metrics of a text, one after the other.
struct Metrics<'a>(DescriptorEncoder<'a>);

impl Metrics<'_> {
    fn counter(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        self.0
            .encode_descriptor(name, help, None, MetricType::Counter)?
            .encode_counter::<NoLabelSet, _, u64>(&value, None)
    }

    fn gauge(&mut self, name: &str, help: &str, unit: Option<&Unit>, value: u64) -> fmt::Result {
        self.0.encode_descriptor(name, help, unit, MetricType::Gauge)?.encode_gauge(&(value as f64))
    }

    /// A metric with one label.
    fn family<V: AsRef<str>>(
        &mut self,
        name: &str,
        help: &str,
        (label, kind): (&str, MetricType),
        values: impl IntoIterator<Item = (V, u64)>,
    ) -> fmt::Result {
        let mut family: MetricEncoder<'_> = self.0.encode_descriptor(name, help, None, kind)?;
        for (value, figure) in values {
            let labels = [(label, value.as_ref())];
            let mut one = family.encode_family(&labels)?;
            match kind {
                MetricType::Counter => one.encode_counter::<NoLabelSet, _, u64>(&figure, None)?,
                _ => one.encode_gauge(&(figure as f64))?,
            }
        }
        Ok(())
    }
}

impl Collector for Server {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut metrics = Metrics(encoder);
        self.nine(&mut metrics)?;
        self.mounts(&mut metrics)?;
        self.tasks(&mut metrics)?;
        self.runtimes(&mut metrics)?;
        process(&mut metrics)
    }
}

impl Server {
    fn nine(&self, metrics: &mut Metrics<'_>) -> fmt::Result {
        let (open, figures) = self.connections.sum();
        let (entered, turned_away) = self.connections.counts();
        metrics.gauge("taskfs_9p_connections", "9P connections now", None, open as u64)?;
        metrics.counter("taskfs_9p_connections_accepted", "9P connections so far", entered)?;
        let help = "9P connections that were turned away: too many, or another user's";
        metrics.counter("taskfs_9p_connections_refused", help, turned_away)?;
        metrics.gauge("taskfs_9p_fids", "Fids of all connections", None, figures.fids)?;
        metrics.gauge(
            "taskfs_9p_requests_in_flight",
            "Requests not answered yet",
            None,
            figures.in_flight,
        )?;
        let help = "Bytes that wait to be written to clients, or that pending requests keep";
        metrics.gauge("taskfs_9p_buffered", help, Some(&Unit::Bytes), figures.buffered)?;
        let counters = |label| (label, MetricType::Counter);
        metrics.family("taskfs_9p_requests", "Requests by type", counters("type"), figures.requests())?;
        let errors = figures.errors().map(|(errno, count)| (errno_name(errno), count));
        metrics.family("taskfs_9p_errors", "Requests that failed, by errno", counters("errno"), errors)?;
        metrics.counter("taskfs_9p_received_bytes", "Bytes from clients", figures.received)?;
        metrics.counter("taskfs_9p_sent_bytes", "Bytes that clients have taken", figures.sent)?;

        let help = "From a request's arrival to its answer; without those that wait for something to happen";
        let unit = Unit::Seconds;
        let mut histogram =
            metrics.0.encode_descriptor("taskfs_9p_answer", help, Some(&unit), MetricType::Histogram)?;
        let bounds = ANSWER_TIMES.iter().map(|time| time.as_secs_f64()).chain([f64::INFINITY]);
        let buckets: Vec<(f64, u64)> = bounds.zip(figures.answered).collect();
        let (sum, count) = (figures.answer_nanos as f64 / 1e9, figures.answered.iter().sum());
        histogram.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
    }

    fn mounts(&self, metrics: &mut Metrics<'_>) -> fmt::Result {
        let held = self.fuse.held();
        metrics.gauge("taskfs_fuse_mounts", "FUSE mounts now", None, held.mounts as u64)?;
        metrics.gauge("taskfs_fuse_inodes", "Inodes that the kernel knows", None, held.inodes as u64)?;
        metrics.gauge("taskfs_fuse_files", "Files that are open on FUSE mounts", None, held.files as u64)?;
        metrics.gauge(
            "taskfs_fuse_requests_waiting",
            "FUSE requests that wait",
            None,
            self.fuse.waiting() as u64,
        )?;
        let label = ("operation", MetricType::Counter);
        metrics.family("taskfs_fuse_requests", "FUSE requests by operation", label, self.fuse.requests())?;
        metrics.counter("taskfs_fuse_errors", "FUSE requests that failed", self.fuse.errors())
    }

    fn tasks(&self, metrics: &mut Metrics<'_>) -> fmt::Result {
        let all = [State::New, State::Running, State::Stopped, State::Exited];
        let mut states: BTreeMap<String, u64> = all.iter().map(|state| (state.to_string(), 0)).collect();
        for task in self.table.after(0, usize::MAX) {
            *states.entry(task.life.state().to_string()).or_default() += 1;
        }
        metrics.family("taskfs_tasks", "Tasks by state", ("state", MetricType::Gauge), states)
    }

    /// What each runtime says in /runtime/<name>/stats and cache.
    fn runtimes(&self, metrics: &mut Metrics<'_>) -> fmt::Result {
        let runtimes: Vec<(&str, String, String)> = self
            .table
            .registry()
            .iter()
            .map(|runtime| (runtime.name(), runtime.stats(), runtime.cache()))
            .collect();
        for (figure, metric, help, kind) in RUNTIME_FIGURES {
            let said = |stats: &str, cache: &str| {
                let (text, name) = match figure.split_once('/') {
                    Some(("cache", name)) => (cache.to_owned(), name),
                    _ => (stats.to_owned(), figure),
                };
                let line =
                    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok());
                line as Option<u64>
            };
            let values =
                runtimes.iter().filter_map(|(name, stats, cache)| Some((*name, said(stats, cache)?)));
            let values: Vec<(&str, u64)> = values.collect();
            if !values.is_empty() {
                metrics.family(metric, help, ("runtime", kind), values)?;
            }
        }
        Ok(())
    }
}

/// The figures of runtimes: the name in stats, or behind `cache/` in cache, and the metric.
const RUNTIME_FIGURES: [(&str, &str, &str, MetricType); 10] = [
    ("instances", "taskfs_runtime_guests", "Guests that are there now", MetricType::Gauge),
    ("maxinstances", "taskfs_runtime_guests_max", "The most guests at once", MetricType::Gauge),
    (
        "memory",
        "taskfs_runtime_memory_bytes",
        "Memory of all guests that counts against their budget",
        MetricType::Gauge,
    ),
    ("maxmemory", "taskfs_runtime_memory_max_bytes", "The budget of all guests' memory", MetricType::Gauge),
    ("threads", "taskfs_runtime_threads", "Threads that guests run on", MetricType::Gauge),
    ("cache/programs", "taskfs_runtime_cache_programs", "Compiled programs in memory", MetricType::Gauge),
    ("cache/bytes", "taskfs_runtime_cache_bytes", "What they take", MetricType::Gauge),
    (
        "cache/hits",
        "taskfs_runtime_cache_hits",
        "Starts that found their program in memory",
        MetricType::Counter,
    ),
    ("cache/diskhits", "taskfs_runtime_cache_disk_hits", "Starts that found it on disk", MetricType::Counter),
    ("cache/compiled", "taskfs_runtime_cache_compiled", "Programs that were compiled", MetricType::Counter),
];

fn process(metrics: &mut Metrics<'_>) -> fmt::Result {
    let process = Process::now();
    let bytes = Some(&Unit::Bytes);
    let mut gauge = |name: &str, help: &str, unit, value: Option<u64>| match value {
        Some(value) => metrics.gauge(name, help, unit, value),
        None => Ok(()),
    };
    gauge("process_resident_memory", "Memory of the server in RAM", bytes, process.resident_bytes)?;
    gauge("process_virtual_memory", "Its address space", bytes, process.virtual_bytes)?;
    gauge("process_threads", "Its threads", None, process.threads)?;
    gauge("process_open_fds", "Its file descriptors", None, process.open_files)?;
    gauge("process_max_fds", "The most it may have", None, process.max_files)?;
    let seconds = Unit::Seconds;
    if let Some(cpu) = process.cpu_seconds {
        let name = "process_cpu";
        let mut counter =
            metrics.0.encode_descriptor(name, "Its processor time", Some(&seconds), MetricType::Counter)?;
        counter.encode_counter::<NoLabelSet, _, f64>(&cpu, None)?;
    }
    if let Some(started) = process.started {
        let help = "When it started, since the epoch";
        let unit = Some(&seconds);
        metrics
            .0
            .encode_descriptor("process_start_time", help, unit, MetricType::Gauge)?
            .encode_gauge(&started)?;
    }
    Ok(())
}

/// `ENOENT` for 2; the number where Linux has no name for it.
fn errno_name(errno: u32) -> String {
    let named = i32::try_from(errno).ok().filter(|errno| *errno > 0).map(nix::errno::Errno::from_raw);
    match named {
        Some(nix::errno::Errno::UnknownErrno) | None => errno.to_string(),
        Some(named) => format!("{named:?}"),
    }
}
