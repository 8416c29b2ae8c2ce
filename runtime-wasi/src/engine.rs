//! The wasmtime engine that all guests share, and why it is set up as it is.

use crate::guest::Guest;
use crate::stacks::Stacks;
use crate::{p1, p2};
use std::sync::Arc;
use wasmtime::component;
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
        // Calls that run beside each other in one store are for WASI 0.3.
        .concurrency_support(false);
    Engine::new(&config)
}

/// All that a program can import.
pub(crate) struct Linkers {
    pub modules: Arc<Linker<Guest>>,
    pub components: component::Linker<p2::Guest>,
    pub lowered: Arc<p2::lowered::Lowered>,
}

pub(crate) fn linkers(engine: &Engine) -> wasmtime::Result<Linkers> {
    let mut modules = Linker::new(engine);
    p1::add_to_linker(&mut modules)?;
    let mut components = component::Linker::new(engine);
    p2::add_to_linker(&mut components)?;
    let lowered = Arc::new(p2::lowered::Lowered::new(engine)?);
    Ok(Linkers { modules: Arc::new(modules), components, lowered })
}
