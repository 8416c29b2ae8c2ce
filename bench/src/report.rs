//! The table: what was measured, beside what, and the ratio.

use std::fmt;
use std::time::Duration;

#[derive(Default)]
pub struct Report(Vec<Section>);

struct Section {
    title: String,
    rows: Vec<Row>,
}

struct Row {
    what: String,
    ours: String,
    peer: String,
    ratio: Option<f64>,
    goal: String,
}

impl Report {
    pub fn section(&mut self, title: &str) {
        self.0.push(Section { title: title.to_owned(), rows: Vec::new() });
    }

    fn push(&mut self, row: Row) {
        let section = self.0.last_mut().expect("a section was begun");
        section.rows.push(row);
    }

    /// A time beside a peer's.
    pub fn compare(&mut self, what: &str, ours: Duration, peer_name: &str, peer: Duration, goal: &str) {
        self.push(Row {
            what: what.to_owned(),
            ours: shown(ours),
            peer: format!("{peer_name} {}", shown(peer)),
            ratio: Some(ours.as_secs_f64() / peer.as_secs_f64()),
            goal: goal.to_owned(),
        });
    }

    /// A figure beside a limit in the same unit.
    pub fn limit(&mut self, what: &str, ours: f64, unit: &str, limit: f64, goal: &str) {
        self.push(Row {
            what: what.to_owned(),
            ours: format!("{ours:.1} {unit}"),
            peer: format!("limit {limit:.0} {unit}"),
            ratio: Some(ours / limit),
            goal: goal.to_owned(),
        });
    }

    /// A time beside the limit that was set for it.
    pub fn within(&mut self, what: &str, ours: Duration, limit: Duration) {
        self.push(Row {
            what: what.to_owned(),
            ours: shown(ours),
            peer: format!("limit {}", shown(limit)),
            ratio: Some(ours.as_secs_f64() / limit.as_secs_f64()),
            goal: "≤ 1".to_owned(),
        });
    }

    /// What stands beside the others for orientation, or why it does not.
    pub fn note(&mut self, what: &str, ours: &str) {
        self.push(Row {
            what: what.to_owned(),
            ours: ours.to_owned(),
            peer: String::new(),
            ratio: None,
            goal: String::new(),
        });
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
    let digits = if value < 10.0 { 2 } else { usize::from(value < 100.0) };
    format!("{value:.digits$} {unit}")
}

/// The middle one.
pub fn median(mut all: Vec<Duration>) -> Duration {
    all.sort();
    all[all.len() / 2]
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for section in &self.0 {
            writeln!(f, "\n### {}\n\n| what | taskfs | beside | ratio | goal |\n|---|---|---|---|---|", section.title)?;
            for row in &section.rows {
                let ratio = row.ratio.map_or(String::new(), |r| format!("{r:.2}"));
                writeln!(f, "| {} | {} | {} | {ratio} | {} |", row.what, row.ours, row.peer, row.goal)?;
            }
        }
        Ok(())
    }
}
