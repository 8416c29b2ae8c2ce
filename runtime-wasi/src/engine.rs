//! The wasmtime engine that all guests share, and why it is set up as it is.

use crate::guest::Guest;
use crate::p1;
use crate::stacks::Stacks;
use std::sync::Arc;
use wasmtime::{Config, Engine, InstanceAllocationStrategy, Linker, OptLevel, WasmBacktraceDetails};

/// Stack that guest code may use before it traps. Interpreters recurse deeply: twice wasmtime's own default.
const GUEST_STACK: usize = 1 << 20;
/// The whole stack of a fiber: the guest's part, and as much for the host's calls above it. Only touched pages count.
const FIBER_STACK: usize = 2 << 20;

/// An engine whose guests are interrupted by epochs, and run on fibers.
///
/// Instances are allocated on demand: a pool starts one in 1.5 instead of 9 microseconds, but takes its address space and
/// mappings in advance, and where the mappings run out it takes the whole process with it.
pub(crate) fn engine() -> wasmtime::Result<Engine> {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .max_wasm_stack(GUEST_STACK)
        .async_stack_size(FIBER_STACK)
        .with_host_stack(Arc::new(Stacks::new(FIBER_STACK)))
        .allocation_strategy(InstanceAllocationStrategy::OnDemand)
        .cranelift_opt_level(OptLevel::Speed)
        // A trap shows the lines of its source where the program has them.
        .wasm_backtrace_details(WasmBacktraceDetails::Enable)
        // Everything about concurrency inside a store is for components.
        .concurrency_support(false);
    Engine::new(&config)
}

/// All that a module can import.
pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<Guest>> {
    let mut linker = Linker::new(engine);
    p1::add_to_linker(&mut linker)?;
    Ok(linker)
}
