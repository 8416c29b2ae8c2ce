//! `wasi:random`: the system's own randomness, for those who would take less too.

use super::{Guest, instance};
use wasmtime::StoreContextMut;
use wasmtime::component::Linker;

type Store<'s> = StoreContextMut<'s, Guest>;

/// A call gives at most this many bytes, and traps where it is asked for more: they are held by the server until the guest
/// has made room for them. No program that seeds itself comes near.
const MAX: u64 = 16 << 20;

pub(super) fn bytes(len: u64) -> wasmtime::Result<Vec<u8>> {
    if len > MAX {
        return Err(wasmtime::Error::msg(format!("{len} random bytes asked for at once, of {MAX} allowed")));
    }
    let mut bytes = vec![0; len as usize];
    getrandom::fill(&mut bytes).map_err(|error| wasmtime::Error::msg(error.to_string()))?;
    Ok(bytes)
}

pub(super) fn number() -> wasmtime::Result<u64> {
    getrandom::u64().map_err(|error| wasmtime::Error::msg(error.to_string()))
}

pub(super) fn define(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let mut random = instance(linker, "random/random")?;
    random.func_wrap("get-random-bytes", |_: Store<'_>, (len,): (u64,)| Ok((bytes(len)?,)))?;
    random.func_wrap("get-random-u64", |_: Store<'_>, (): ()| Ok((number()?,)))?;
    let mut insecure = instance(linker, "random/insecure")?;
    insecure.func_wrap("get-insecure-random-bytes", |_: Store<'_>, (len,): (u64,)| Ok((bytes(len)?,)))?;
    insecure.func_wrap("get-insecure-random-u64", |_: Store<'_>, (): ()| Ok((number()?,)))?;
    instance(linker, "random/insecure-seed")?
        .func_wrap("insecure-seed", |_: Store<'_>, (): ()| Ok(((number()?, number()?),)))
}
