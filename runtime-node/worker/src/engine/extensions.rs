//! Deno's extensions that Node programs need, in the order that they depend on each other, and their services.
//!
//! Left out: webgpu, image and canvas, ffi, napi, kv, cron, cache, web storage, sqlite, bundle and desktop. Native code
//! cannot be loaded behind the wall, and what keeps files of its own has none.

use super::thread::Shared;
use crate::files::Tree;
use crate::modules::{Checker, Packages, Services};
use crate::ops::{Names, taskfs};
use deno_core::{Extension, ExtensionArguments};
use deno_os::ExitCode;
use std::rc::Rc;
use std::sync::Arc;

/// All of them, without what depends on the task.
pub fn all() -> Vec<Extension> {
    vec![
        deno_telemetry::deno_telemetry::init(),
        deno_webidl::deno_webidl::init(),
        deno_web::deno_web::lazy_init(),
        deno_fetch::deno_fetch::lazy_init(),
        deno_websocket::deno_websocket::lazy_init(),
        deno_crypto::deno_crypto::lazy_init(),
        deno_net::deno_net::lazy_init(),
        deno_tls::deno_tls::init(),
        deno_http::deno_http::lazy_init(),
        deno_io::deno_io::lazy_init(),
        deno_fs::deno_fs::lazy_init(),
        deno_os::deno_os::lazy_init(),
        deno_process::deno_process::lazy_init(),
        deno_node_crypto::deno_node_crypto::init(),
        deno_node::deno_node::lazy_init::<Checker, Packages, Tree>(),
        taskfs::init(),
    ]
}

/// What they need of the task.
pub fn services(
    tree: &Tree,
    shared: &Shared,
    node: Services,
    names: Names,
    exit_code: ExitCode,
) -> Vec<ExtensionArguments> {
    let fs: deno_fs::FileSystemRc = Arc::new(tree.clone());
    let fetch = deno_fetch::Options {
        user_agent: format!("Node.js/{}", deno_node::NODE_VERSION),
        resolver: deno_fetch::dns::Resolver::custom(Arc::new(names)),
        file_fetch_handler: Rc::new(deno_fetch::FsFetchHandler),
        ..Default::default()
    };
    vec![
        deno_web::deno_web::args(shared.blobs.clone(), None, false, shared.broadcast.clone()),
        deno_fetch::deno_fetch::args(fetch),
        deno_websocket::deno_websocket::args(),
        deno_crypto::deno_crypto::args(None),
        deno_net::deno_net::args(None, None),
        deno_http::deno_http::args(Default::default()),
        // The standard files are registered by number, as ours.
        deno_io::deno_io::args(None),
        deno_fs::deno_fs::args(fs.clone()),
        deno_os::deno_os::args(Some(exit_code)),
        deno_process::deno_process::args(None),
        deno_node::deno_node::args::<Checker, Packages, Tree>(Some(node), fs),
    ]
}
