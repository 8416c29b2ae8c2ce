//! `/dev/ns`: the server's own namespace as text, which 9P clients attach to and new tasks get a copy of. Lines written to it
//! are binds, mounts and unmounts (namespace(6)); only the server's user may write, and no task.

use crate::synth::{Attr, Edit, Edited};
use std::sync::Arc;
use task::TaskTable;
use vfs::{Caller, NodeRef, Op};

pub(crate) fn node(attr: Attr, table: Arc<TaskTable>) -> NodeRef {
    Edited::node(attr, ServerNs(table))
}

struct ServerNs(Arc<TaskTable>);

impl Edit for ServerNs {
    fn name(&self) -> &'static str {
        "ns"
    }
    fn text(&self) -> Vec<u8> {
        self.0.home_text()
    }
    fn change<'a>(&'a self, who: &'a Caller, lines: Vec<u8>) -> Op<'a, ()> {
        Op::started(async move { self.0.write_home(who, &lines).await })
    }
}
