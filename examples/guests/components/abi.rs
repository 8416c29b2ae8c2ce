//! The canonical ABI of components, as far as wasi.rs needs it (github.com/WebAssembly/component-model,
//! design/mvp/CanonicalABI.md): functions are imported by their names in the standard, arguments are flattened to numbers, and a
//! result of more than one number lies in memory, where a last argument points.

use crate::wasi::{Code, Result};
use std::alloc::{alloc, handle_alloc_error, realloc, Layout};

/// Declares a function of an interface as one that can be called. `-> TYPE` is a result of one number, `=> TYPE` one that the
/// host writes to memory.
macro_rules! import {
    ($interface:literal, $name:literal, $function:ident($($arg:ident: $type:ty),*) $(-> $result:ty)?) => {
        fn $function($($arg: $type),*) $(-> $result)? {
            #[link(wasm_import_module = $interface)]
            extern "C" {
                #[link_name = $name]
                fn imported($($arg: $type),*) $(-> $result)?;
            }
            // SAFETY: a function of this type has this name, and pointers are to what its caller has borrowed.
            unsafe { imported($($arg),*) }
        }
    };
    ($interface:literal, $name:literal, $function:ident($($arg:ident: $type:ty),*) => $result:ty) => {
        fn $function($($arg: $type),*) -> $result {
            let mut result = std::mem::MaybeUninit::<$result>::uninit();
            import!($interface, $name, write($($arg: $type,)* result: *mut u8));
            write($($arg,)* result.as_mut_ptr().cast());
            // SAFETY: it is written, and its type lies in memory as the interface's.
            unsafe { result.assume_init() }
        }
    };
}

/// `result`, in memory: the number of the case in a byte, and then what the case holds.
#[repr(C, u8)]
#[allow(dead_code)] // The host makes them.
pub enum Outcome<T, E> {
    Ok(T),
    Err(E),
}

impl<T, E: Into<Code>> Outcome<T, E> {
    pub fn get(self) -> Result<T> {
        match self {
            Outcome::Ok(value) => Ok(value),
            Outcome::Err(error) => Err(error.into()),
        }
    }
}

/// `option`, likewise.
#[repr(C, u8)]
#[allow(dead_code)]
pub enum Maybe<T> {
    None,
    Some(T),
}

impl<T> Maybe<T> {
    pub fn get(self) -> Option<T> {
        match self {
            Maybe::None => None,
            Maybe::Some(value) => Some(value),
        }
    }
}

/// The error of a `result` that does not say more.
impl From<()> for Code {
    fn from(_: ()) -> Code {
        Code("error")
    }
}

/// A `result` without any values: one number.
pub fn done(result: u32) -> Result<()> {
    match result {
        0 => Ok(()),
        _ => Err(().into()),
    }
}

/// `list<u8>`
#[repr(C)]
pub struct Bytes {
    at: *mut u8,
    length: usize,
}

impl From<Bytes> for Vec<u8> {
    fn from(bytes: Bytes) -> Vec<u8> {
        // SAFETY: the host has had it from `cabi_realloc` in this length, and keeps no pointer to it.
        unsafe { Vec::from_raw_parts(bytes.at, bytes.length, bytes.length) }
    }
}

/// Does what the C library below std needs done before all else; to be called once, by what is exported. Where nobody does, the
/// linker has every exported function begin with this, and `cabi_realloc` may not call the host.
pub fn prepare() {
    extern "C" {
        fn __wasm_call_ctors();
    }
    // SAFETY: the linker makes a function of this type.
    unsafe { __wasm_call_ctors() }
}

/// Where the host puts lists. It never frees, and always gives the size that it had.
#[no_mangle]
unsafe extern "C" fn cabi_realloc(old: *mut u8, old_size: usize, align: usize, size: usize) -> *mut u8 {
    let layout = Layout::from_size_align_unchecked(size, align);
    let new = match (old_size, size) {
        (_, 0) => align as *mut u8,
        (0, _) => alloc(layout),
        _ => realloc(old, Layout::from_size_align_unchecked(old_size, align), size),
    };
    if new.is_null() {
        handle_alloc_error(layout);
    }
    new
}

/// Declares a resource: a handle, which is dropped with the value that has it.
macro_rules! resource {
    ($type:ident, $interface:literal, $drop:literal) => {
        #[repr(transparent)]
        pub struct $type(u32);

        impl Drop for $type {
            fn drop(&mut self) {
                import!($interface, $drop, drop_handle(this: u32));
                drop_handle(self.0);
            }
        }
    };
}

/// The handle of a resource that is given away.
macro_rules! give {
    ($resource:expr) => {
        std::mem::ManuallyDrop::new($resource).0
    };
}
