//! `bench wasmtime COMPONENT DIR`: a component on wasmtime-wasi's own host, set up as `wasmtime run` sets it up: the peer of our
//! host for components, with the same engine, crossing and libc.

use std::path::Path;
use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime::{Config, Engine, Store};
use wasmtime_wasi::p2::bindings::Command;
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

/// The first argument that makes this program that host.
pub const WASMTIME: &str = "wasmtime";

/// Where the program finds the directory.
const NAME: &str = "/host";

struct Host {
    table: ResourceTable,
    ctx: WasiCtx,
}

impl WasiView for Host {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.ctx, table: &mut self.table }
    }
}

/// Runs the component, and ends with it.
pub fn run(component: &Path, dir: &Path) {
    let mut config = Config::new();
    // As ours: calls beside each other are for WASI 0.3.
    config.concurrency_support(false);
    let engine = Engine::new(&config).expect("an engine");
    let component = Component::from_file(&engine, component).expect("a component");
    let mut linker = Linker::new(&engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker).expect("interfaces that are each there once");
    let ctx = WasiCtxBuilder::new()
        .inherit_stdio()
        .args(&["program", NAME])
        .allow_blocking_current_thread(true)
        .preopened_dir(dir, NAME, FsPerms::ReadWrite)
        .expect("a directory")
        .build();
    let mut store = Store::new(&engine, Host { table: ResourceTable::new(), ctx });
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let command = Command::instantiate_async(&mut store, &component, &linker).await;
        let run = command.expect("a command component").wasi_cli_run().call_run(&mut store).await;
        run.expect("no trap").expect("success");
    });
}
