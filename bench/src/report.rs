//! The table: what was measured, beside what, the ratio, and whether that is what was wanted.

use std::fmt;
use std::time::Duration;

#[derive(Default)]
pub struct Report(Vec<Section>);

struct Section {
    title: String,
    rows: Vec<Row>,
}

#[derive(Default)]
struct Row {
    what: String,
    ours: String,
    beside: String,
    /// Ours to the other.
    ratio: Option<f64>,
    goal: Option<Goal>,
}

/// What a ratio is wanted to be.
#[derive(Clone, Copy)]
pub enum Goal {
    AtMost(f64),
    AtLeast(f64),
}

impl Goal {
    fn is_met(self, ratio: f64) -> bool {
        match self {
            Goal::AtMost(most) => ratio <= most,
            Goal::AtLeast(least) => ratio >= least,
        }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Goal::AtMost(most) => write!(f, "≤ {most}"),
            Goal::AtLeast(least) => write!(f, "≥ {least}"),
        }
    }
}

impl Report {
    pub fn section(&mut self, title: &str) {
        self.0.push(Section { title: title.to_owned(), rows: Vec::new() });
    }

    fn push(&mut self, row: Row) {
        self.0.last_mut().expect("every part begins with a section").rows.push(row);
    }

    /// A time beside a peer's, of which it may be `goal` times as long.
    pub fn beat(&mut self, what: &str, ours: Duration, peer: &str, theirs: Duration, goal: f64) {
        self.times(what, ours, peer, theirs, Some(Goal::AtMost(goal)));
    }

    /// A time beside a peer's, for orientation.
    pub fn beside(&mut self, what: &str, ours: Duration, peer: &str, theirs: Duration) {
        self.times(what, ours, peer, theirs, None);
    }

    /// A time beside a peer's, and what their ratio should be.
    pub fn times(&mut self, what: &str, ours: Duration, peer: &str, theirs: Duration, goal: Option<Goal>) {
        self.push(Row {
            what: what.to_owned(),
            ours: shown(ours),
            beside: format!("{peer} {}", shown(theirs)),
            ratio: Some(ours.as_secs_f64() / theirs.as_secs_f64()),
            goal,
        });
    }

    /// Something a second beside a peer's; more is better.
    pub fn rates(
        &mut self,
        what: &str,
        unit: &str,
        ours: f64,
        (peer, theirs): (&str, f64),
        goal: Option<Goal>,
    ) {
        self.push(Row {
            what: what.to_owned(),
            ours: format!("{ours:.0} {unit}"),
            beside: format!("{peer} {theirs:.0} {unit}"),
            ratio: Some(ours / theirs),
            goal,
        });
    }

    /// A time beside the limit that is set for it.
    pub fn within(&mut self, what: &str, ours: Duration, limit: Duration) {
        self.times(what, ours, "limit", limit, Some(Goal::AtMost(1.0)));
    }

    /// A figure beside the limit that is set for it.
    pub fn limit(&mut self, what: &str, ours: f64, unit: &str, limit: f64) {
        self.push(Row {
            what: what.to_owned(),
            ours: format!("{ours:.0} {unit}"),
            beside: format!("limit {limit:.0} {unit}"),
            ratio: Some(ours / limit),
            goal: Some(Goal::AtMost(1.0)),
        });
    }

    /// What stands alone, or why there is nothing to stand beside.
    pub fn note(&mut self, what: &str, ours: &str) {
        self.push(Row { what: what.to_owned(), ours: ours.to_owned(), ..Row::default() });
    }

    pub fn time(&mut self, what: &str, ours: Duration) {
        self.note(what, &shown(ours));
    }
}

/// Three significant figures in the unit that fits.
pub fn shown(d: Duration) -> String {
    let ns = d.as_secs_f64() * 1e9;
    let (value, unit) = match ns {
        ..1e3 => (ns, "ns"),
        1e3..1e6 => (ns / 1e3, "µs"),
        1e6..1e9 => (ns / 1e6, "ms"),
        _ => (ns / 1e9, "s"),
    };
    let digits = match value {
        ..10.0 => 2,
        10.0..100.0 => 1,
        _ => 0,
    };
    format!("{value:.digits$} {unit}")
}

/// The middle one.
pub fn median(times: &[Duration]) -> Duration {
    percentile(times, 50)
}

/// What `part` of a hundred did not exceed.
pub fn percentile(times: &[Duration], part: usize) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort();
    sorted[sorted.len() * part / 100]
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Row { what, ours, beside, ratio, goal } = self;
        let ratio_shown = ratio.map_or(String::new(), |ratio| format!("{ratio:.2}"));
        let verdict = match (ratio, goal) {
            (Some(ratio), Some(goal)) if goal.is_met(*ratio) => format!("{goal}: met"),
            (Some(_), Some(goal)) => format!("{goal}: **missed**"),
            _ => String::new(),
        };
        writeln!(f, "| {what} | {ours} | {beside} | {ratio_shown} | {verdict} |")
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for section in &self.0 {
            writeln!(f, "\n### {}\n\n| what | taskfs | beside | ratio | goal |", section.title)?;
            writeln!(f, "|---|---|---|---|---|")?;
            for row in &section.rows {
                write!(f, "{row}")?;
            }
        }
        Ok(())
    }
}
