//! What a worker's socket serves: its control tree, and, once it has a task, the task's namespace as the task's caller.

use crate::control;
use crate::link::Link;
use crate::overseen::Overseen;
use nine::server::Peer;
use std::sync::Arc;
use task::OpenFiles;
use vfs::export::{Admitted, Doorkeeper};
use vfs::{Caller, Errno, Error, Gid, Op, Result, TreeTag, Uid};

/// The name of the control tree in a Tattach.
const CONTROL: &[u8] = b"worker";

pub(crate) struct Door {
    tag: Arc<TreeTag>,
}

impl Door {
    pub fn new(tag: TreeTag) -> Door {
        Door { tag: Arc::new(tag) }
    }

    fn admit(&self, aname: &[u8], link: &Arc<Link>) -> Result<Admitted> {
        if aname == CONTROL {
            let place = control::root(&self.tag, link);
            let who = Arc::new(Caller::new(Uid(0), Gid(0)));
            let top = Some(place.qid().path);
            return Ok(Admitted { place, who, connection: link.number, top, overseer: None });
        }
        if !aname.is_empty() && aname != b"/" {
            let text = format!("attach: {}: want \"worker\" or nothing", String::from_utf8_lossy(aname));
            return Err(Error::new(Errno::ENOENT, text));
        }
        let given = link.given().ok_or_else(|| Error::new(Errno::ENXIO, "attach: there is no task yet"))?;
        // A task's root may be a place within a larger tree.
        let top = Some(given.root.qid().path);
        let together = OpenFiles::of(given.group.clone());
        let overseer = Arc::new(Overseen { link: link.clone(), trace: given.trace.clone(), together });
        Ok(Admitted {
            place: given.root.clone(),
            who: given.who.clone(),
            connection: link.number,
            top,
            overseer: Some(overseer),
        })
    }
}

impl Doorkeeper for Door {
    type Context = Arc<Link>;

    fn admit<'a>(&'a self, peer: &'a Peer<'a, Arc<Link>>) -> Op<'a, Admitted> {
        Op::from(self.admit(peer.aname, peer.context))
    }
}
