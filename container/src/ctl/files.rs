//! `layer`, `snapshot`, `restore`, `forget`, `fork`: where files come from, and what is kept of them.

use super::{Parsed, Verb};
use crate::container::Container;
use crate::layer;
use crate::snapshots::{Snapshot, check_name};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use task::ctl::language::{Command, Wrong};
use vfs::{Caller, Errno, Error, Follow, Op, Result};

pub(super) const LAYER: Verb = Verb {
    name: "layer",
    takes: "dir|archive",
    does: "put a directory, or the files of a tar archive, of the server below its files, read-only; while nothing runs",
    parse: |words| one(words, |dir| Ok(Box::new(Layer(dir)))),
};
pub(super) const SNAPSHOT: Verb = Verb {
    name: "snapshot",
    takes: "name",
    does: "keep its files as they are now",
    parse: |words| named(words, |name| Box::new(Keep(name))),
};
pub(super) const RESTORE: Verb = Verb {
    name: "restore",
    takes: "name",
    does: "go on from a snapshot; while nothing runs",
    parse: |words| named(words, |name| Box::new(Restore(name))),
};
pub(super) const FORGET: Verb = Verb {
    name: "forget",
    takes: "name",
    does: "throw a snapshot away",
    parse: |words| named(words, |name| Box::new(Forget(name))),
};
pub(super) const FORK: Verb = Verb {
    name: "fork",
    takes: "",
    does: "make a container with the same files (its number: events, status)",
    parse: |words| if words.is_empty() { Ok(Box::new(Fork)) } else { Err(Wrong::Arguments) },
};

fn one(words: &[&str], make: impl FnOnce(String) -> Parsed) -> Parsed {
    match words {
        [word] => make((*word).to_owned()),
        _ => Err(Wrong::Arguments),
    }
}

fn named(words: &[&str], make: impl FnOnce(String) -> Box<dyn Command<Container>>) -> Parsed {
    one(words, |name| {
        check_name(&name)?;
        Ok(make(name))
    })
}

impl Container {
    /// Fails where something runs, or might.
    fn must_be_quiet(&self, verb: &str) -> Result<()> {
        let alive = self.group().alive();
        if alive.is_empty() {
            return Ok(());
        }
        let ids: Vec<String> = alive.iter().map(|task| task.id.to_string()).collect();
        let text = format!("{verb}: container {} has processes ({}): kill it first", self.id, ids.join(" "));
        Err(Error::new(Errno::EBUSY, text))
    }

    /// A container with the same files, settings, limits and capabilities, in which nothing runs.
    pub async fn fork(&self, who: &Caller) -> Result<Arc<Container>> {
        self.must_be_there()?;
        self.reachable_by(who)?;
        let _turn = self.turn.lock().await;
        let fork = self.table()?.make_fork(self.identity(), self).await?;
        self.forked.store(fork.id.into(), Ordering::SeqCst);
        self.say_life(&["forked", &fork.id.to_string()]);
        Ok(fork)
    }
}

struct Layer(String);

impl Command<Container> for Layer {
    fn apply<'a>(&'a self, container: &'a Arc<Container>, who: &'a Caller) -> Op<'a, ()> {
        Op::started(async move {
            let _turn = container.turn.lock().await;
            container.must_be_quiet("layer")?;
            let table = container.table()?;
            let home = table.tasks().home().ok_or(Errno::ENXIO)?;
            let place = home.root().resolve(who, self.0.as_bytes(), Follow::Yes).await;
            let place = place.map_err(|error| error.context(&self.0))?;
            let tree = layer::of(who, &place).await.map_err(|error| error.context(&self.0))?;
            container.add_layer(tree, self.0.clone()).await
        })
    }
}

struct Keep(String);

impl Command<Container> for Keep {
    fn apply<'a>(&'a self, container: &'a Arc<Container>, _who: &'a Caller) -> Op<'a, ()> {
        Op::started(async move {
            let _turn = container.turn.lock().await;
            let snapshot = Snapshot { files: container.files().fork()?, layers: container.layer_trees() };
            let table = container.table()?;
            table.snapshots().keep(container.owner().0, &self.0, snapshot).await?;
            container.say_life(&["snapshot", &self.0]);
            Ok(())
        })
    }
}

struct Restore(String);

impl Command<Container> for Restore {
    fn apply<'a>(&'a self, container: &'a Arc<Container>, _who: &'a Caller) -> Op<'a, ()> {
        Op::started(async move {
            let _turn = container.turn.lock().await;
            container.must_be_quiet("restore")?;
            let table = container.table()?;
            let snapshot = table.snapshots().get(container.identity(), &self.0).await?;
            container.set_files(snapshot.files.fork()?, Some(snapshot.layers)).await?;
            container.say_life(&["restore", &self.0]);
            Ok(())
        })
    }
}

struct Forget(String);

impl Command<Container> for Forget {
    fn apply<'a>(&'a self, container: &'a Arc<Container>, _who: &'a Caller) -> Op<'a, ()> {
        Op::started(async move {
            let table = container.table()?;
            table.snapshots().forget(container.owner().0, &self.0).await
        })
    }
}

struct Fork;

impl Command<Container> for Fork {
    fn apply<'a>(&'a self, container: &'a Arc<Container>, who: &'a Caller) -> Op<'a, ()> {
        Op::started(async move { container.fork(who).await.map(|_| ()) })
    }
}
