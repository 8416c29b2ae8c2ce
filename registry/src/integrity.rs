//! The hash that a registry names for a tarball: SHA-512, and of packages from before it was asked for, SHA-1.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::Sha1;
use sha2::{Digest, Sha512};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Integrity {
    Sha512([u8; 64]),
    Sha1([u8; 20]),
}

impl Integrity {
    /// From a `dist` of a list of versions: `integrity` (W3C's, in base64), or else `shasum` (in hex).
    pub fn of(integrity: Option<&str>, shasum: Option<&str>) -> Option<Integrity> {
        let sha512 = integrity.unwrap_or_default().split_whitespace().find_map(|hash| {
            let hash = STANDARD.decode(hash.strip_prefix("sha512-")?.split('?').next()?).ok()?;
            hash.try_into().ok().map(Integrity::Sha512)
        });
        sha512.or_else(|| unhex(shasum?).map(Integrity::Sha1))
    }

    pub fn is_of(&self, data: &[u8]) -> bool {
        match self {
            Integrity::Sha512(hash) => Sha512::digest(data)[..] == hash[..],
            Integrity::Sha1(hash) => Sha1::digest(data)[..] == hash[..],
        }
    }

    /// A file's name: nothing else has it.
    pub fn file_name(&self) -> String {
        let (kind, hash): (_, &[u8]) = match self {
            Integrity::Sha512(hash) => ("sha512", hash),
            Integrity::Sha1(hash) => ("sha1", hash),
        };
        let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{kind}-{hex}")
    }
}

fn unhex(text: &str) -> Option<[u8; 20]> {
    if text.len() != 40 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let mut hash = [0; 20];
    for (index, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * index..][..2], 16).ok()?;
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strongest_hash_counts_and_only_what_has_it_is_of_it() {
        let sha512 = format!("sha1-AAAA sha512-{}", STANDARD.encode(Sha512::digest(b"data")));
        let sha1 = "a17c9aaa61e80a1bf71d0d850af4e5baa9800bbd";
        let strong = Integrity::of(Some(&sha512), Some("0".repeat(40).as_str())).expect("a hash");
        assert!(strong.is_of(b"data") && !strong.is_of(b"other"));
        let weak = Integrity::of(None, Some(sha1)).expect("a hash");
        assert!(weak.is_of(b"data") && !weak.is_of(b"other"));
        assert_eq!(weak.file_name(), format!("sha1-{sha1}"));
        assert_eq!(Integrity::of(Some("sha512-xyz"), None), None);
        assert_eq!(Integrity::of(None, Some("é".repeat(20).as_str())), None);
    }
}
