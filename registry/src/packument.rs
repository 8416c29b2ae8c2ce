//! A package's list of versions (npm's "packument"), as it is kept and handed out.

use crate::CANONICAL;
use crate::integrity::Integrity;
use bytes::Bytes;
use memchr::memmem;
use serde_json::Value;
use std::collections::HashMap;

pub struct Packument {
    pub etag: Option<String>,
    /// JSON; tarballs of the registry have [`CANONICAL`] in front.
    pub body: Bytes,
    /// Paths of tarballs below the registry.
    tarballs: HashMap<String, Integrity>,
}

impl Packument {
    /// From what the registry at `base` said of `package`.
    ///
    /// # Errors
    /// In words, where it is no list of versions, or another package's.
    pub fn parse(package: &str, said: &[u8], base: &str, etag: Option<String>) -> Result<Packument, String> {
        let mut value: Value = serde_json::from_slice(said).map_err(|e| format!("not JSON: {e}"))?;
        match value.get("name").and_then(Value::as_str) {
            Some(name) if name == package => {}
            Some(name) => return Err(format!("it answers with {name}, which is another package")),
            None => return Err("an answer that names no package".to_owned()),
        }
        let versions = value.get_mut("versions").and_then(Value::as_object_mut);
        let mut tarballs = HashMap::new();
        for dist in versions.ok_or("no versions in it")?.values_mut().filter_map(|v| v.get_mut("dist")) {
            let word = |key: &str| dist.get(key).and_then(Value::as_str);
            let Some(path) = word("tarball").and_then(|url| url.strip_prefix(base)) else { continue };
            let path = path.to_owned();
            if let Some(integrity) = Integrity::of(word("integrity"), word("shasum")) {
                tarballs.insert(path.replacen("%2f", "/", 1), integrity);
            }
            dist["tarball"] = Value::String(format!("{CANONICAL}{path}"));
        }
        Ok(Packument { etag, body: value.to_string().into(), tarballs })
    }

    /// As [`Packument::encode`] made it.
    pub fn decode(package: &str, kept: &[u8]) -> Option<Packument> {
        let end = memchr::memchr(b'\n', kept)?;
        let etag = std::str::from_utf8(&kept[..end]).ok()?;
        let etag = (!etag.is_empty()).then(|| etag.to_owned());
        Packument::parse(package, &kept[end + 1..], CANONICAL, etag).ok()
    }

    pub fn encode(&self) -> Vec<u8> {
        let etag = self.etag.as_deref().unwrap_or_default();
        [etag.as_bytes(), b"\n", &self.body].concat()
    }

    pub fn tarball(&self, path: &str) -> Option<&Integrity> {
        self.tarballs.get(path)
    }

    /// For clients that go where a list of versions says: with `base` in front of tarballs.
    pub fn body_at(&self, base: &str) -> Bytes {
        let from = format!("\"tarball\":\"{CANONICAL}");
        let to = format!("\"tarball\":\"{base}");
        let mut body = Vec::with_capacity(self.body.len());
        let mut rest = 0;
        for at in memmem::find_iter(&self.body, &from) {
            body.extend_from_slice(&self.body[rest..at]);
            body.extend_from_slice(to.as_bytes());
            rest = at + from.len();
        }
        body.extend_from_slice(&self.body[rest..]);
        body.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHA1: &str = "a17c9aaa61e80a1bf71d0d850af4e5baa9800bbd";

    fn said(tarball: &str) -> String {
        format!(
            r#"{{"name": "a", "versions": {{"1.0.0": {{"dist": {{"tarball": "{tarball}", "shasum": "{SHA1}"}}}}}}}}"#
        )
    }

    #[test]
    fn tarballs_of_any_registry_are_kept_under_one_name_and_found_by_path() {
        let said = said("http://mirror/npm/a/-/a-1.0.0.tgz");
        let etag = Some("\"x\"".to_owned());
        let parsed = Packument::parse("a", said.as_bytes(), "http://mirror/npm/", etag).expect("a packument");
        let again = Packument::decode("a", &parsed.encode()).expect("a packument");
        assert_eq!(again.body, parsed.body);
        assert_eq!(again.etag.as_deref(), Some("\"x\""));
        assert!(again.tarball("a/-/a-1.0.0.tgz").is_some_and(|hash| hash.is_of(b"data")));
        let text = String::from_utf8(again.body_at("http://here/").to_vec()).expect("text");
        assert!(text.contains("\"http://here/a/-/a-1.0.0.tgz\""), "{text}");
    }

    #[test]
    fn tarballs_of_elsewhere_and_without_a_hash_are_not_to_be_had() {
        let parsed = Packument::parse("a", said("http://other/a/-/a-1.0.0.tgz").as_bytes(), CANONICAL, None);
        assert!(parsed.expect("a packument").tarball("a/-/a-1.0.0.tgz").is_none());
        let bare =
            format!(r#"{{"name":"a","versions":{{"1":{{"dist":{{"tarball":"{CANONICAL}a/-/a-1.tgz"}}}}}}}}"#);
        let parsed = Packument::parse("a", bare.as_bytes(), CANONICAL, None).expect("a packument");
        assert!(parsed.tarball("a/-/a-1.tgz").is_none());
        for said in ["<html>", "{}", r#"{"name":"a"}"#] {
            assert!(Packument::parse("a", said.as_bytes(), CANONICAL, None).is_err(), "{said}");
        }
    }

    #[test]
    fn another_packages_list_is_not_taken_for_it() {
        let said = said("http://mirror/npm/a/-/a-1.0.0.tgz");
        let parse = |package: &str, said: &str| Packument::parse(package, said.as_bytes(), CANONICAL, None);
        assert!(parse("a", &said).is_ok());
        let why = parse("b", &said).err().expect("refused");
        assert!(why.contains("answers with a,"), "{why}");
        assert!(
            parse("a", r#"{"versions":{}}"#).is_err() && parse("a", r#"{"name":1,"versions":{}}"#).is_err()
        );
        let kept = parse("a", &said).expect("a list").encode();
        assert!(Packument::decode("a", &kept).is_some() && Packument::decode("b", &kept).is_none());
    }
}
