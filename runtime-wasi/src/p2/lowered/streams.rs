//! `wasi:io`: streams, what can be waited for, and errors.

use super::Guest;
use super::abi::{Call, DONE, List, NOT_AT_ONCE, handle, number, own};
use super::calls::{AT_ONCE, Calls, Tries, WAITS, Word, full_name, give};
use wasmtime::component::ResourceTable;
use wasmtime::{Caller, Result};
use wasmtime_wasi_io::bindings::wasi::io::error::HostError;
use wasmtime_wasi_io::bindings::wasi::io::poll::{Host as Poll, HostPollable};
use wasmtime_wasi_io::bindings::wasi::io::streams::{
    Host as Streams, HostInputStream as Input, HostOutputStream as Output, StreamError,
};
use wasmtime_wasi_io::poll::{DynPollable, subscribe};
use wasmtime_wasi_io::streams::{DynInputStream, DynOutputStream, StreamResult};

const STREAMS: &str = "wasi:io/streams";
const POLL: &str = "wasi:io/poll";
const ERROR: &str = "wasi:io/error";

pub(super) fn define(calls: &mut Calls) -> Result<()> {
    give! { calls "wasi:io/streams"
        "[method]input-stream.read"(this: u32, len: u64) now read;
        "[method]input-stream.blocking-read"(this: u32, len: u64) waits blocking_read, at once read_at_once;
        "[method]input-stream.skip"(this: u32, len: u64) now skip;
        "[method]input-stream.blocking-skip"(this: u32, len: u64) waits blocking_skip;
        "[method]output-stream.check-write"(this: u32) now check_write;
        "[method]output-stream.write"(this: u32, at: u32, len: u32) now write;
        "[method]output-stream.blocking-write-and-flush"(this: u32, at: u32, len: u32) waits blocking_write_and_flush;
        "[method]output-stream.write-zeroes"(this: u32, len: u64) now write_zeroes;
        "[method]output-stream.blocking-write-zeroes-and-flush"(this: u32, len: u64)
            waits blocking_write_zeroes_and_flush;
        "[method]output-stream.flush"(this: u32) now flush;
        "[method]output-stream.blocking-flush"(this: u32) waits blocking_flush, at once flush_at_once;
        "[method]output-stream.splice"(this: u32, from: u32, len: u64) now splice;
        "[method]output-stream.blocking-splice"(this: u32, from: u32, len: u64) waits blocking_splice;
    }
    give! { calls "wasi:io/poll"
        "poll"(at: u32, count: u32) waits poll;
    }
    give! { calls "wasi:io/error"
        "[method]error.to-debug-string"(this: u32) now to_debug_string;
    }
    calls.host(STREAMS, "[method]input-stream.subscribe", |mut caller: Caller<'_, Guest>, this: u32| {
        subscribe(&mut caller.data_mut().table, handle::<DynInputStream>(this)?).map(|it| number(&it))
    })?;
    calls.host(STREAMS, "[method]output-stream.subscribe", |mut caller: Caller<'_, Guest>, this: u32| {
        subscribe(&mut caller.data_mut().table, handle::<DynOutputStream>(this)?).map(|it| number(&it))
    })?;
    calls.host(POLL, "[resource-drop]pollable", |mut caller: Caller<'_, Guest>, this: u32| {
        HostPollable::drop(&mut caller.data_mut().table, own(this)?)
    })?;
    calls.host(ERROR, "[resource-drop]error", |mut caller: Caller<'_, Guest>, this: u32| {
        HostError::drop(&mut caller.data_mut().table, own(this)?)
    })?;
    give_nothing(calls)
}

/// What a stream's call gives.
type Told<T> = Result<T, StreamError>;
type Answer<T> = Result<Told<T>>;

fn told<T>(table: &mut ResourceTable, result: StreamResult<T>) -> Answer<T> {
    match result {
        Ok(it) => Ok(Ok(it)),
        Err(error) => table.convert_stream_error(error).map(Err),
    }
}

fn read(call: &mut Call<'_>, this: u32, len: u64) -> Answer<Vec<u8>> {
    let table = &mut call.guest.table;
    let result = Input::read(table, handle(this)?, len);
    told(table, result)
}

async fn blocking_read(call: &mut Call<'_>, this: u32, len: u64) -> Answer<Vec<u8>> {
    let table = &mut call.guest.table;
    let result = Input::blocking_read(table, handle(this)?, len).await;
    told(table, result)
}

/// What is there.
fn read_at_once(call: &mut Call<'_>, this: u32, len: u64) -> Result<Option<Told<Vec<u8>>>> {
    let answer = read(call, this, len)?;
    let nothing = answer.as_ref().is_ok_and(|data| data.is_empty() && len > 0);
    Ok((!nothing).then_some(answer))
}

fn skip(call: &mut Call<'_>, this: u32, len: u64) -> Answer<u64> {
    let table = &mut call.guest.table;
    let result = Input::skip(table, handle(this)?, len);
    told(table, result)
}

async fn blocking_skip(call: &mut Call<'_>, this: u32, len: u64) -> Answer<u64> {
    let table = &mut call.guest.table;
    let result = Input::blocking_skip(table, handle(this)?, len).await;
    told(table, result)
}

fn check_write(call: &mut Call<'_>, this: u32) -> Answer<u64> {
    let table = &mut call.guest.table;
    let result = Output::check_write(table, handle(this)?);
    told(table, result)
}

fn write(call: &mut Call<'_>, this: u32, at: u32, len: u32) -> Answer<()> {
    let data = call.copied(at, len)?;
    let table = &mut call.guest.table;
    let result = Output::write(table, handle(this)?, data);
    told(table, result)
}

async fn blocking_write_and_flush(call: &mut Call<'_>, this: u32, at: u32, len: u32) -> Answer<()> {
    let data = call.copied(at, len)?;
    let table = &mut call.guest.table;
    let result = Output::blocking_write_and_flush(table, handle(this)?, data).await;
    told(table, result)
}

fn write_zeroes(call: &mut Call<'_>, this: u32, len: u64) -> Answer<()> {
    let table = &mut call.guest.table;
    let result = Output::write_zeroes(table, handle(this)?, len);
    told(table, result)
}

async fn blocking_write_zeroes_and_flush(call: &mut Call<'_>, this: u32, len: u64) -> Answer<()> {
    let table = &mut call.guest.table;
    let result = Output::blocking_write_zeroes_and_flush(table, handle(this)?, len).await;
    told(table, result)
}

fn flush(call: &mut Call<'_>, this: u32) -> Answer<()> {
    let table = &mut call.guest.table;
    let result = Output::flush(table, handle(this)?);
    told(table, result)
}

async fn blocking_flush(call: &mut Call<'_>, this: u32) -> Answer<()> {
    let table = &mut call.guest.table;
    let result = Output::blocking_flush(table, handle(this)?).await;
    told(table, result)
}

/// A stream that takes more has nothing left to flush.
fn flush_at_once(call: &mut Call<'_>, this: u32) -> Result<Option<Told<()>>> {
    if let Err(error) = flush(call, this)? {
        return Ok(Some(Err(error)));
    }
    Ok(match check_write(call, this)? {
        Ok(0) => None,
        Ok(_) => Some(Ok(())),
        Err(error) => Some(Err(error)),
    })
}

fn splice(call: &mut Call<'_>, this: u32, from: u32, len: u64) -> Answer<u64> {
    let table = &mut call.guest.table;
    let result = Output::splice(table, handle(this)?, handle(from)?, len);
    told(table, result)
}

async fn blocking_splice(call: &mut Call<'_>, this: u32, from: u32, len: u64) -> Answer<u64> {
    let table = &mut call.guest.table;
    let result = Output::blocking_splice(table, handle(this)?, handle(from)?, len).await;
    told(table, result)
}

async fn poll(call: &mut Call<'_>, at: u32, count: u32) -> Result<List<u32>> {
    let pollables = call.handles::<DynPollable>(at, count)?;
    Poll::poll(&mut call.guest.table, pollables).await.map(List)
}

fn to_debug_string(call: &mut Call<'_>, this: u32) -> Result<String> {
    HostError::to_debug_string(&mut call.guest.table, handle(this)?)
}

/// Defines the calls that give nothing and may wait.
fn give_nothing(calls: &mut Calls) -> Result<()> {
    macro_rules! waits {
        ($($interface:expr, $name:literal => |$table:ident, $this:ident| $done:expr;)*) => {$(
            calls.linker.func_wrap_async(
                WAITS,
                &full_name(($interface, $name)),
                |mut caller: Caller<'_, Guest>, ($this,): (u32,)| {
                    Box::new(async move {
                        let guest = caller.data_mut();
                        guest.looked.forget();
                        let $table = &mut guest.table;
                        $done.await?;
                        Ok(DONE)
                    })
                },
            )?;
            calls.between(($interface, $name), &["i32"], Tries::Waits);
        )*};
    }
    waits! {
        STREAMS, "[resource-drop]input-stream" => |table, this| Input::drop(table, own(this)?);
        STREAMS, "[resource-drop]output-stream" => |table, this| Output::drop(table, own(this)?);
        POLL, "[method]pollable.block" => |table, this| HostPollable::block(table, handle(this)?);
    }
    calls.linker.func_wrap_async(
        POLL,
        "[method]pollable.ready",
        |mut caller: Caller<'_, Guest>, (this,): (u32,)| {
            Box::new(async move {
                HostPollable::ready(&mut caller.data_mut().table, handle(this)?).await.map(u32::from)
            })
        },
    )?;
    calls.is_hosts(POLL, "[method]pollable.ready");
    Ok(())
}
