//! What the fuzzers check: each module takes any bytes at all, makes of them what it needs, and panics where the code
//! under test breaks a promise.
//!
//! ```text
//! targets/   one executable a module for cargo-fuzz, a workspace of its own (libFuzzer wants a nightly compiler)
//! corpus/    inputs that reach different code, a file a target; tests/replay.rs runs them in `make test`
//! run        all targets, each for so many minutes
//! ```

#![forbid(unsafe_code)]

pub mod bytes;
pub mod codec;
pub mod corpus;
pub mod ctl;
pub mod interleave;
pub mod names;
pub mod session;
