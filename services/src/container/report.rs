//! What can only be seen of a container: status, usage.

use crate::container::{attr, file};
use crate::synth::{Show, Text};
use ::container::Container;
use std::sync::Arc;
use vfs::{Kind, NodeRef, Op};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Report {
    /// One word: new, running, stopped, exited; then `name value` lines.
    Status,
    /// `name value` lines, live, of all processes together and those that have ended.
    Usage,
}

struct ReportOn {
    container: Arc<Container>,
    report: Report,
}

pub(super) fn node(container: Arc<Container>, report: Report) -> NodeRef {
    let number = file::REPORTS + report as u64;
    Text::node(attr(&container, Kind::File, number, 0o444), ReportOn { container, report })
}

impl Show for ReportOn {
    fn show(&self) -> Op<'_, Vec<u8>> {
        let text = match self.report {
            Report::Status => self.container.status(),
            Report::Usage => self.container.usage(),
        };
        Op::ok(text.into_bytes())
    }
}
