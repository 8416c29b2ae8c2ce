//! WASI preview 2 (WASI 0.2, `wasi:cli/command`) over a task's namespace: the programs are components.
//!
//! ```text
//! component ─► cli, clocks, random ─► ours (cli, clocks, random)
//!           ─► filesystem          ─► ours: descriptor ─► Place, OpenFile ─► vfs
//!           ─► io/streams          ─► wasmtime-wasi-io's resources; those of files and stdio are ours (input, output)
//!           ─► io/poll             ─► wasmtime-wasi-io
//!           ─► sockets/tcp         ─► net: may it, and in which network? ─► ours (tcp)
//!           ─► sockets/udp, http   ─► net: may it? ─► wasmtime-wasi, wasmtime-wasi-http
//! ```
//!
//! Files and stdio never leave the namespace's own road: an operation on memory is done at once, one that has to wait is
//! awaited on the guest's fiber, and no thread is held by either. Interfaces are defined at their newest 0.2 version, which
//! serves the components of all earlier ones. Nothing of preview 1 is in the way of a component or the other way round; one that
//! is nothing but a preview 1 command behind the adapter does not come here ([`crate::inner`]).
//!
//! WebAssembly/wasi-testsuite has no programs of preview 2. Its 72 of preview 1, made components by the adapter between the
//! two (`examples/wasi_run.rs --component`), pass but for six: the three that do not pass as modules either (see
//! [`crate::p1`]), and three of AssemblyScript that the adapter does not serve as preview 1 itself does:
//! `args_get-multiple-arguments` and `environ_get-multiple-variables` trap in the adapter's own assertions, and
//! `fd_write-to-invalid-fd` gets another errno from it.

mod call;
mod cli;
mod clocks;
mod descriptor;
mod fault;
mod files;
mod guest;
mod http;
mod input;
mod listing;
mod looked;
mod lookup;
pub(crate) mod lowered;
mod names;
mod net;
mod output;
mod passing;
mod quick;
mod random;
mod run;
mod sockets;
mod tcp;

pub(crate) use guest::Guest;
pub(crate) use net::Sockets;
pub(crate) use run::{Command, run};

use wasmtime::component::{HasData, Linker, LinkerInstance, ResourceTable};

/// The version of every interface that is offered.
const VERSION: &str = "0.2.12";

/// The resources of one guest, as wasmtime-wasi-io's interfaces ask for them.
struct Io;

impl HasData for Io {
    type Data<'a> = &'a mut ResourceTable;
}

/// All that a component can import.
pub(crate) fn add_to_linker(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    use wasmtime_wasi_io::bindings::wasi::io::{error, poll, streams};
    error::add_to_linker::<Guest, Io>(linker, |guest| &mut guest.table)?;
    poll::add_to_linker::<Guest, Io>(linker, |guest| &mut guest.table)?;
    streams::add_to_linker::<Guest, Io>(linker, |guest| &mut guest.table)?;
    cli::define(linker)?;
    clocks::define(linker)?;
    random::define(linker)?;
    sockets::define(linker)?;
    lookup::define(linker)?;
    http::define(linker)?;
    let mut types = instance(linker, "filesystem/types")?;
    files::define(&mut types)?;
    names::define(&mut types)?;
    listing::define(&mut types)?;
    descriptor::define_preopens(&mut instance(linker, "filesystem/preopens")?)?;
    Ok(())
}

/// The interface `wasi:<name>`, to be filled.
fn instance<'l>(linker: &'l mut Linker<Guest>, name: &str) -> wasmtime::Result<LinkerInstance<'l, Guest>> {
    linker.instance(&format!("wasi:{name}@{VERSION}"))
}
