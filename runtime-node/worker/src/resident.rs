//! What of the executable is in memory.

use std::ffi::{c_int, c_void};

/// Gives back the pages of code and constants that were touched so far: after a start most of them are never looked at again, and
/// those that are come back from the page cache, where they stay.
pub fn give_back() {
    // SAFETY: the callback keeps to what it is given, and needs nothing else.
    unsafe { libc::dl_iterate_phdr(Some(of_object), std::ptr::null_mut()) };
}

/// The first object is the executable itself.
unsafe extern "C" fn of_object(object: *mut libc::dl_phdr_info, _: usize, _: *mut c_void) -> c_int {
    // SAFETY: the loader's own description of what it has mapped.
    let (base, headers) = unsafe {
        let object = &*object;
        (object.dlpi_addr, std::slice::from_raw_parts(object.dlpi_phdr, object.dlpi_phnum.into()))
    };
    // SAFETY: asks for a number.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as u64;
    for header in headers.iter().filter(|header| header.p_type == libc::PT_LOAD) {
        // What is writable, or was until the loader had put addresses into it, is not the file's any more.
        if header.p_flags & libc::PF_W != 0 {
            continue;
        }
        let start = (base + header.p_vaddr).next_multiple_of(page);
        let end = (base + header.p_vaddr + header.p_memsz) & !(page - 1);
        if start < end {
            // SAFETY: whole pages of a private mapping of the file that nothing has written to: they come back as they were.
            unsafe { libc::madvise(start as *mut c_void, (end - start) as usize, libc::MADV_DONTNEED) };
        }
    }
    1
}
