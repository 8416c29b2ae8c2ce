//! What makes containers and their processes: `new`, `clone`, `fork`, `processes/new`, `processes/clone`.

use crate::container::ctl;
use crate::task::{Make, Product, Shown};
use ::container::{Container, ContainerTable};
use std::sync::Arc;
use vfs::{Caller, FileRef, Op, OpenFlags};

pub(super) use crate::task::{clone, new};

/// Makes containers.
pub(super) struct MakesContainers(pub Arc<ContainerTable>);

impl Make for MakesContainers {
    fn make<'a>(&'a self, who: &'a Caller) -> Op<'a, Box<dyn Product>> {
        Op::started(async move { Ok(Box::new(Fresh(self.0.make(who).await?)) as Box<dyn Product>) })
    }
}

/// Makes containers that go on from one's files.
pub(super) struct Forks(pub Arc<Container>);

impl Make for Forks {
    fn make<'a>(&'a self, who: &'a Caller) -> Op<'a, Box<dyn Product>> {
        Op::started(async move { Ok(Box::new(Fresh(self.0.fork(who).await?)) as Box<dyn Product>) })
    }
}

struct Fresh(Arc<Container>);

impl Product for Fresh {
    fn number(&self) -> u32 {
        self.0.id
    }
    fn open_ctl(self: Box<Self>, who: &Caller, flags: OpenFlags) -> FileRef {
        ctl::open_clone(self.0, who, flags)
    }
}

/// Makes processes of a container.
pub(super) struct MakesProcesses(pub Arc<Container>);

impl Make for MakesProcesses {
    fn make<'a>(&'a self, who: &'a Caller) -> Op<'a, Box<dyn Product>> {
        let made = self.0.make_process(who);
        made.map(|task| Box::new(Shown::aside(task)) as Box<dyn Product>).into()
    }
}
