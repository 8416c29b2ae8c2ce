//! Names as C has them.

use crate::Name;
use rustix::io::Errno as E;
use std::ffi::CStr;
use std::mem::MaybeUninit;

/// For the longest name and a NUL.
pub(super) type Space = MaybeUninit<[u8; Name::MAX + 1]>;

/// `name` in `space`. File systems list longer ones than may be (FUSE's up to 1024 bytes): those are ENAMETOOLONG.
#[inline(always)]
pub(super) fn c_name<'a>(name: Name<'_>, space: &'a mut Space) -> rustix::io::Result<&'a CStr> {
    let name = name.as_bytes();
    if name.len() > Name::MAX {
        return Err(E::NAMETOOLONG);
    }
    let start = space.as_mut_ptr().cast::<u8>();
    // SAFETY: there is room for `name` and a NUL, both are written before they are read, and no other NUL is in a name.
    unsafe {
        start.copy_from_nonoverlapping(name.as_ptr(), name.len());
        start.add(name.len()).write(0);
        Ok(CStr::from_bytes_with_nul_unchecked(std::slice::from_raw_parts(start, name.len() + 1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_too_long_is_refused_and_others_end_in_nul() {
        let mut space = Space::uninit();
        for len in [1, 7, 8, 64, Name::MAX] {
            let name = vec![b'x'; len];
            let c = c_name(Name::new(&name).unwrap(), &mut space).unwrap();
            assert_eq!((c.to_bytes(), c.count_bytes()), (&name[..], len));
        }
        for len in [Name::MAX + 1, Name::MAX + 2, 1024] {
            let name = vec![b'x'; len];
            assert_eq!(c_name(Name::known(&name), &mut space).unwrap_err(), E::NAMETOOLONG, "{len}");
        }
    }
}
