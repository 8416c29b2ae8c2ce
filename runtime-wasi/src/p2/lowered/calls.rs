//! The calls that core modules can make, and the small module through which they make most of them.
//!
//! ```text
//! guest ── descriptor.read ──► the module between ─┬─ "at once" ──► done, not done, or so much room is wanted
//!                                                  ├─ "waits" ────► the same, on the guest's fiber
//!                                                  └─ the guest's cabi_realloc ──► "take" ──► what more is wanted
//! ```
//! It is there because a host function that cannot wait costs a guest a plain call, one that can a future; and because a host
//! function may not call the guest's `cabi_realloc`, but another module may. That is known when the guest is instantiated,
//! and reaches the module between through a table.

use super::Guest;
use super::abi::{Call, DONE, NOT_AT_ONCE};
use std::fmt::Write;
use wasmtime::{Caller, IntoFunc, Linker, Result};

/// The module of the functions that cannot wait, which no guest can name: its imports are checked before.
pub(super) const AT_ONCE: &str = "at once";
/// The module of those that can, likewise.
pub(super) const WAITS: &str = "waits";
/// The table with the guest's `cabi_realloc`.
pub(super) const REALLOC: &str = "realloc";

/// A call's name: its interface, without a version, and what it is called there.
pub(super) type Name = (&'static str, &'static str);

/// How a guest comes to a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Way {
    /// It is a function of the host's: it gives numbers.
    Host,
    Between,
}

/// A call through the module between.
struct Between {
    name: Name,
    params: &'static [&'static str],
    tries: Tries,
}

/// Which functions there are for a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Tries {
    AtOnce,
    Waits,
    /// The second where the first has not done it.
    Both,
}

/// The type of a parameter, as WebAssembly's text has it.
pub(super) trait Word {
    const TYPE: &str;
}
impl Word for u32 {
    const TYPE: &str = "i32";
}
impl Word for u64 {
    const TYPE: &str = "i64";
}

/// All calls.
pub(super) struct Calls {
    pub linker: Linker<Guest>,
    ways: Vec<(Name, Way)>,
    between: Vec<Between>,
}

impl Calls {
    pub fn new(linker: Linker<Guest>) -> Calls {
        Calls { linker, ways: Vec::new(), between: Vec::new() }
    }

    pub fn way(&self, interface: &str, call: &str) -> Option<(Name, Way)> {
        self.ways.iter().find(|(name, _)| *name == (interface, call)).copied()
    }

    /// A function of the host's.
    pub fn host<P, R>(
        &mut self,
        interface: &'static str,
        call: &'static str,
        function: impl IntoFunc<Guest, P, R>,
    ) -> Result<()> {
        self.linker.func_wrap(interface, call, function)?;
        self.is_hosts(interface, call);
        Ok(())
    }

    /// Says that it is defined, and a function of the host's.
    pub fn is_hosts(&mut self, interface: &'static str, call: &'static str) {
        self.ways.push(((interface, call), Way::Host));
    }

    /// Says that `name` is defined, under its name in [`AT_ONCE`] or [`WAITS`] or both.
    pub fn between(&mut self, name: Name, params: &'static [&'static str], tries: Tries) {
        self.ways.push((name, Way::Between));
        self.between.push(Between { name, params, tries });
    }

    /// The module between, as text.
    pub fn source(&self) -> String {
        let mut text = format!(
            r#"(module
(type $realloc (func (param i32 i32 i32 i32) (result i32)))
(import "{AT_ONCE}" "take" (func $take (param i32) (result i64)))
"#
        );
        for (n, Between { name, params, tries }) in self.between.iter().enumerate() {
            let (name, params) = (full_name(*name), params.join(" "));
            for (module, id, not) in [(AT_ONCE, "quick", Tries::Waits), (WAITS, "waits", Tries::AtOnce)] {
                if *tries != not {
                    // Writing to a string does not fail, here and below.
                    let _ = writeln!(
                        text,
                        r#"(import "{module}" "{name}" (func ${id}_{n} (param {params}) (result i64)))"#
                    );
                }
            }
        }
        let _ = write!(
            text,
            r#"(table (export "{REALLOC}") 1 1 funcref)
(func $give (param $wanted i64)
  (loop $more
    (local.set $wanted (call $take
      (call_indirect (type $realloc) (i32.const 0) (i32.const 0)
        (i32.wrap_i64 (i64.shr_u (local.get $wanted) (i64.const 32)))
        (i32.wrap_i64 (local.get $wanted)) (i32.const 0))))
    (br_if $more (i64.ne (local.get $wanted) (i64.const {DONE})))))
"#
        );
        for (n, Between { name, params, tries }) in self.between.iter().enumerate() {
            let args: String = (0..params.len()).map(|n| format!(" (local.get {n})")).collect();
            let (name, params) = (full_name(*name), params.join(" "));
            let try_it = |id| format!(" (local.set $wanted (call ${id}_{n}{args}))");
            let tried = match tries {
                Tries::AtOnce => try_it("quick"),
                Tries::Waits => try_it("waits"),
                Tries::Both => format!(
                    "{} (if (i64.eq (local.get $wanted) (i64.const {NOT_AT_ONCE})) (then {}))",
                    try_it("quick"),
                    try_it("waits")
                ),
            };
            let _ = write!(text, r#"(func (export "{name}") (param {params}) (local $wanted i64){tried}"#);
            let _ = writeln!(
                text,
                " (if (i64.ne (local.get $wanted) (i64.const {DONE})) (then (call $give (local.get $wanted)))))"
            );
        }
        text + ")"
    }
}

/// A call's one name in [`AT_ONCE`], [`WAITS`] and the module between.
pub(super) fn full_name((interface, call): Name) -> String {
    format!("{interface} {call}")
}

/// Takes the room that a guest has made.
pub(super) fn define_take(calls: &mut Calls) -> Result<()> {
    calls.linker.func_wrap(AT_ONCE, "take", |mut caller: Caller<'_, Guest>, room: u32| {
        Call::of_files(&mut caller)?.take(room)
    })?;
    Ok(())
}

/// Defines calls that give something, by a function each: of the call and its parameters, to what is given. Those behind `now`
/// never wait; those behind `waits` are asynchronous, and one that is named behind `at once` is asked before: it has changed
/// nothing where it answers None.
macro_rules! give {
    (@ $calls:ident $interface:literal $name:literal [$($arg:ident: $ty:ty),*] now $call:path) => {
        give!(@ at once $calls $interface $name [$($arg: $ty),*] call { Some($call(&mut call, $($arg),*)?) });
        $calls.between(($interface, $name), &[$(<$ty as Word>::TYPE,)* "i32"], Tries::AtOnce);
    };
    (@ $calls:ident $interface:literal $name:literal [$($arg:ident: $ty:ty),*] waits $call:path) => {
        give!(@ later $calls $interface $name [$($arg: $ty),*] $call);
        $calls.between(($interface, $name), &[$(<$ty as Word>::TYPE,)* "i32"], Tries::Waits);
    };
    (@ $calls:ident $interface:literal $name:literal [$($arg:ident: $ty:ty),*] waits $call:path, at once $at_once:path) => {
        give!(@ at once $calls $interface $name [$($arg: $ty),*] call { $at_once(&mut call, $($arg),*)? });
        give!(@ later $calls $interface $name [$($arg: $ty),*] $call);
        $calls.between(($interface, $name), &[$(<$ty as Word>::TYPE,)* "i32"], Tries::Both);
    };
    (@ at once $calls:ident $interface:literal $name:literal [$($arg:ident: $ty:ty),*] $call:ident $done:block) => {
        $calls.linker.func_wrap(
            AT_ONCE,
            &full_name(($interface, $name)),
            |mut caller: Caller<'_, Guest>, $($arg: $ty,)* out: u32| -> Result<i64> {
                let mut $call = Call::begin(&mut caller)?;
                match $done {
                    Some(answer) => $call.give(out, answer),
                    None => Ok(NOT_AT_ONCE),
                }
            },
        )?;
    };
    (@ later $calls:ident $interface:literal $name:literal [$($arg:ident: $ty:ty),*] $call:path) => {
        $calls.linker.func_wrap_async(
            WAITS,
            &full_name(($interface, $name)),
            |mut caller: Caller<'_, Guest>, ($($arg,)* out,): ($($ty,)* u32,)| Box::new(async move {
                let mut call = Call::begin(&mut caller)?;
                let answer = $call(&mut call, $($arg),*).await?;
                call.give(out, answer)
            }),
        )?;
    };
    ($calls:ident $interface:literal $(
        $name:literal ($($arg:ident: $ty:ty),*) $how:ident $call:path $(, at once $at_once:path)?;
    )*) => {$(
        give!(@ $calls $interface $name [$($arg: $ty),*] $how $call $(, at once $at_once)?);
    )*};
}
pub(super) use give;
