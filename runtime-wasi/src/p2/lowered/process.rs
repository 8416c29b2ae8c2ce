//! `wasi:cli`, `wasi:clocks` and `wasi:random`.

use super::Guest;
use super::abi::{Call, List, NOT_AT_ONCE, number, own};
use super::calls::{AT_ONCE, Calls, Tries, Word, full_name, give};
use crate::p2::cli::{self, TerminalInput, TerminalOutput};
use crate::p2::{clocks, random};
use wasmtime::component::Resource;
use wasmtime::{Caller, Result};
use wasmtime_wasi::p2::bindings::clocks::wall_clock::Datetime;

const MONOTONIC: &str = "wasi:clocks/monotonic-clock";

pub(super) fn define(calls: &mut Calls) -> Result<()> {
    give! { calls "wasi:cli/environment"
        "get-environment"() now get_environment;
        "get-arguments"() now get_arguments;
        "initial-cwd"() now initial_cwd;
    }
    give! { calls "wasi:cli/terminal-stdin" "get-terminal-stdin"() now terminal_stdin; }
    give! { calls "wasi:cli/terminal-stdout" "get-terminal-stdout"() now terminal_stdout; }
    give! { calls "wasi:cli/terminal-stderr" "get-terminal-stderr"() now terminal_stderr; }
    give! { calls "wasi:clocks/wall-clock"
        "now"() now wall_clock;
        "resolution"() now wall_clock_resolution;
    }
    give! { calls "wasi:random/random" "get-random-bytes"(len: u64) now random_bytes; }
    give! { calls "wasi:random/insecure" "get-insecure-random-bytes"(len: u64) now random_bytes; }
    give! { calls "wasi:random/insecure-seed" "insecure-seed"() now seed; }
    calls.host("wasi:random/random", "get-random-u64", random::number)?;
    calls.host("wasi:random/insecure", "get-insecure-random-u64", random::number)?;
    calls.host("wasi:cli/exit", "exit", |caller: Caller<'_, Guest>, failed: u32| {
        cli::end(caller.data(), i32::from(failed != 0))
    })?;
    calls.host("wasi:cli/exit", "exit-with-code", |caller: Caller<'_, Guest>, code: u32| {
        cli::end(caller.data(), i32::from(code as u8))
    })?;
    calls.host("wasi:cli/stdin", "get-stdin", |mut caller: Caller<'_, Guest>| {
        cli::stdin(caller.data_mut()).map(|it| number(&it))
    })?;
    calls.host("wasi:cli/stdout", "get-stdout", |mut caller: Caller<'_, Guest>| {
        cli::output(caller.data_mut(), 1).map(|it| number(&it))
    })?;
    calls.host("wasi:cli/stderr", "get-stderr", |mut caller: Caller<'_, Guest>| {
        cli::output(caller.data_mut(), 2).map(|it| number(&it))
    })?;
    calls.host(
        "wasi:cli/terminal-input",
        "[resource-drop]terminal-input",
        |mut caller: Caller<'_, Guest>, this: u32| {
            caller.data_mut().table.delete(own::<TerminalInput>(this)?)?;
            Ok(())
        },
    )?;
    calls.host(
        "wasi:cli/terminal-output",
        "[resource-drop]terminal-output",
        |mut caller: Caller<'_, Guest>, this: u32| {
            caller.data_mut().table.delete(own::<TerminalOutput>(this)?)?;
            Ok(())
        },
    )?;
    calls.host(MONOTONIC, "now", |caller: Caller<'_, Guest>| clocks::monotonic(caller.data()))?;
    calls.host(MONOTONIC, "resolution", || 1_u64)?;
    calls.host(MONOTONIC, "subscribe-duration", |mut caller: Caller<'_, Guest>, nanos: u64| {
        clocks::alarm(caller.data_mut(), nanos).map(|it| number(&it))
    })?;
    calls.host(MONOTONIC, "subscribe-instant", |mut caller: Caller<'_, Guest>, at: u64| {
        let guest = caller.data_mut();
        clocks::alarm(guest, at.saturating_sub(clocks::monotonic(guest))).map(|it| number(&it))
    })
}

fn get_environment(call: &mut Call<'_>) -> Result<List<(String, String)>> {
    Ok(List(call.guest.env.clone()))
}

fn get_arguments(call: &mut Call<'_>) -> Result<List<String>> {
    Ok(List(call.guest.args.clone()))
}

fn initial_cwd(call: &mut Call<'_>) -> Result<Option<String>> {
    Ok(Some(call.guest.cwd.clone()))
}

fn terminal_stdin(call: &mut Call<'_>) -> Result<Option<Resource<TerminalInput>>> {
    cli::terminal_input(call.guest)
}

fn terminal_stdout(call: &mut Call<'_>) -> Result<Option<Resource<TerminalOutput>>> {
    cli::terminal_output(call.guest, 1)
}

fn terminal_stderr(call: &mut Call<'_>) -> Result<Option<Resource<TerminalOutput>>> {
    cli::terminal_output(call.guest, 2)
}

fn wall_clock(_: &mut Call<'_>) -> Result<Datetime> {
    Ok(clocks::wall())
}

fn wall_clock_resolution(_: &mut Call<'_>) -> Result<Datetime> {
    Ok(clocks::WALL_RESOLUTION)
}

fn random_bytes(_: &mut Call<'_>, len: u64) -> Result<Vec<u8>> {
    random::bytes(len)
}

fn seed(_: &mut Call<'_>) -> Result<(u64, u64)> {
    Ok((random::number()?, random::number()?))
}
