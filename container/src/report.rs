//! What a container tells of itself: status and usage, as `name value` lines.

use crate::Container;
use std::fmt::Write as _;
use std::sync::atomic::Ordering;
use task::rc;

/// A value that reads back as one word.
fn word(text: &str) -> String {
    String::from_utf8_lossy(&rc::quote(text.as_bytes())).into_owned()
}

impl Container {
    /// The first word is the state; lines follow that say more.
    pub fn status(&self) -> String {
        let mut text = format!("{}\n", self.state());
        let settings = self.settings();
        let mut line = |name: &str, value: String| {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{name} {value}");
        };
        if !settings.label.is_empty() {
            line("label", word(&settings.label));
        }
        line("cwd", word(&String::from_utf8_lossy(&settings.spec.cwd)));
        let running: Vec<String> =
            self.group.alive().iter().map(|task| format!("{}:{}", task.id, task.life.state())).collect();
        line("processes", if running.is_empty() { "none".to_owned() } else { running.join(" ") });
        for layer in self.layers() {
            line("layer", word(&layer));
        }
        match self.forked.load(Ordering::SeqCst) {
            0 => {}
            id => line("forked", id.to_string()),
        }
        if let Some(limit) = self.group.struck() {
            line("limit", word(&limit));
        }
        if let Some(error) = self.last_error() {
            line("error", word(&error));
        }
        text
    }

    pub fn usage(&self) -> String {
        let sum = self.group.usage();
        let (disk, inodes) = self.files().usage();
        let lines = [
            ("user-ms", sum.user.as_millis() as u64),
            ("sys-ms", sum.sys.as_millis() as u64),
            ("real-ms", self.group.real().as_millis() as u64),
            ("memory", sum.memory),
            ("files", sum.files),
            ("calls", sum.calls),
            ("read", sum.read),
            ("written", sum.written),
            ("output", sum.output),
            ("network", sum.network),
            ("processes", sum.tasks),
            ("disk", disk),
            ("inodes", inodes),
        ];
        lines.iter().map(|(name, value)| format!("{name} {value}\n")).collect()
    }
}
