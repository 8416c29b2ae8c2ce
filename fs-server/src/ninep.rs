//! The namespace as a 9P server: who may attach, as whom and to which directory. What happens from then on is
//! [`vfs::export`]'s.

pub(crate) mod users;

use crate::auth::Identity;
use crate::fuse;
use crate::observe::Connections;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use nine::server::Peer;
use std::sync::Arc;
use vfs::export::{Admitted, Doorkeeper};
use vfs::{Caller, Follow, Namespace, Op, OpenFile, Place};

/// Serves one namespace.
pub type Export = vfs::export::Export<Reception>;

/// Who may come in from outside.
pub struct Reception {
    ns: Namespace,
    connections: Arc<Connections>,
}

/// What is known of a connection.
#[derive(Debug)]
pub struct Connection {
    /// Unique in the server: a lock's owner is a process of a connection.
    pub id: u64,
    /// Who the peer proved to be; then its attaches are his, whomever they name.
    pub identity: Option<Identity>,
}

impl Reception {
    /// For `ns`, with its connections among `connections`.
    pub fn new(ns: Namespace, connections: Arc<Connections>) -> Reception {
        Reception { ns, connections }
    }

    pub fn connections(&self) -> &Arc<Connections> {
        &self.connections
    }

    async fn admit(&self, peer: &Peer<'_, Connection>, aname: &[u8]) -> vfs::Result<Admitted> {
        let (root, context) = (self.ns.root(), peer.context);
        match &context.identity {
            None => {
                let who = users::caller(peer.uname, peer.n_uname.map(|uid| uid.0));
                let place = root.resolve(&who, aname, Follow::Yes).await?;
                Ok(Admitted { place, who, connection: context.id, top: None, overseer: None })
            }
            Some(identity) => {
                let who = identity.caller.clone();
                // Where his root is was chosen by who wrote the users file, and needs no rights of his.
                let top = root.resolve(&Caller::me(), &identity.root, Follow::Yes).await?;
                let place = below(&top, &who, aname).await?;
                Ok(Admitted { place, who, connection: context.id, top: Some(top.qid().path), overseer: None })
            }
        }
    }
}

/// The file at `path` below `top`: name by name and through no link, so that nothing above can be named.
async fn below(top: &Place, who: &Caller, path: &[u8]) -> vfs::Result<Place> {
    let mut place = top.clone();
    for name in path.split(|b| *b == b'/').filter(|name| !matches!(*name, b"" | b".")) {
        if name == b".." && place.qid().path == top.qid().path {
            continue;
        }
        place = place.walk(who, name).await?;
    }
    Ok(place)
}

impl Doorkeeper for Reception {
    type Context = Connection;

    fn admit<'a>(&'a self, peer: &'a Peer<'a, Connection>) -> Op<'a, Admitted> {
        // aname selects the tree: a directory of the namespace, / where there is none. Diod's clients name their own.
        let aname: &[u8] = if peer.aname.is_empty() { b"/" } else { peer.aname };
        Op::later(async move {
            let admitted = Reception::admit(self, peer, aname).await;
            admitted.map_err(|e| e.context(format_args!("attach: {}", String::from_utf8_lossy(aname))))
        })
    }

    /// The kernels of FUSE mounts are to know of a change before the client hears of it.
    fn unheard(&self) -> Option<BoxFuture<'static, ()>> {
        fuse::unheard().map(FutureExt::boxed)
    }

    fn shows_messages(&self, file: &dyn OpenFile) -> bool {
        services::shows_messages(file)
    }
}
