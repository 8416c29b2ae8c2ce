//! What the mirror has: lists of versions and tarballs, fetched ahead of being used.

use crate::unusual::{Plain, Unusual};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use registry::Mirror;
use sha1::Sha1;
use sha2::{Digest, Sha512};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

/// What lock files call the registry, whichever it is.
pub const REGISTRY: &str = "https://registry.npmjs.org/";

/// The old hash as it is told now.
pub fn integrity_of_sha1(hex: &str) -> Plain<String> {
    let digit = |at: usize| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok();
    let bytes: Option<Vec<u8>> = (0..20).map(|at| digit(2 * at)).collect();
    let bytes = bytes.filter(|_| hex.len() == 40 && hex.is_ascii());
    Ok(format!("sha1-{}", STANDARD.encode(bytes.ok_or_else(|| Unusual::new("the hash of a tarball"))?)))
}

fn is_of(integrity: &str, data: &[u8]) -> bool {
    match integrity.split_once('-') {
        Some(("sha512", hash)) => hash == STANDARD.encode(Sha512::digest(data)),
        Some(("sha1", hash)) => hash == STANDARD.encode(Sha1::digest(data)),
        _ => false,
    }
}

struct Fetching(JoinHandle<Result<Bytes, String>>);

impl Drop for Fetching {
    fn drop(&mut self) {
        self.0.abort();
    }
}

pub struct Stock {
    mirror: Arc<Mirror>,
    /// Where the mirror works: whoever asks is told when it is done.
    handle: Handle,
    lists: HashMap<String, Fetching>,
    tarballs: HashMap<String, Fetching>,
}

impl Stock {
    pub fn new(mirror: Arc<Mirror>, handle: Handle) -> Stock {
        Stock { mirror, handle, lists: HashMap::new(), tarballs: HashMap::new() }
    }

    /// A list that will be asked for.
    pub fn order_list(&mut self, name: &str) {
        if let Entry::Vacant(vacant) = self.lists.entry(name.to_owned()) {
            let (mirror, name) = (self.mirror.clone(), name.to_owned());
            vacant.insert(Fetching(self.handle.spawn(async move { mirror.versions(&name).await })));
        }
    }

    /// A list of versions; it may be ordered and asked for again.
    pub async fn list(&mut self, name: &str) -> Plain<Bytes> {
        self.order_list(name);
        let list = done(self.lists.get_mut(name)).await;
        self.lists.remove(name);
        list
    }

    /// A tarball that will be asked for.
    pub fn order_tarball(&mut self, url: &str) {
        if let Entry::Vacant(vacant) = self.tarballs.entry(url.to_owned()) {
            let (mirror, url) = (self.mirror.clone(), url.to_owned());
            vacant.insert(Fetching(self.handle.spawn(async move { mirror.package(&url).await })));
        }
    }

    /// A tarball of this hash; it may be ordered and asked for again.
    pub async fn tarball(&mut self, url: &str, integrity: &str) -> Plain<Bytes> {
        self.order_tarball(url);
        let data = done(self.tarballs.get_mut(url)).await;
        self.tarballs.remove(url);
        data.and_then(|data| match is_of(integrity, &data) {
            true => Ok(data),
            false => Err(Unusual::new(format!("{url}: another hash than {integrity}"))),
        })
    }
}

async fn done(fetching: Option<&mut Fetching>) -> Plain<Bytes> {
    let Some(fetching) = fetching else { return Err(Unusual::new("nothing was ordered")) };
    match (&mut fetching.0).await {
        Ok(fetched) => fetched.map_err(Unusual::new),
        Err(_) => Err(Unusual::new("the server stops")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_hashes_are_compared() {
        let sha1 = integrity_of_sha1("a17c9aaa61e80a1bf71d0d850af4e5baa9800bbd").expect("a hash");
        assert!(is_of(&sha1, b"data") && !is_of(&sha1, b"date"));
        let sha512 = format!("sha512-{}", STANDARD.encode(Sha512::digest(b"data")));
        assert!(is_of(&sha512, b"data") && !is_of(&sha512, b"date") && !is_of("md5-x", b"data"));
        assert!(integrity_of_sha1("a17c").is_err() && integrity_of_sha1(&"é".repeat(20)).is_err());
    }
}
