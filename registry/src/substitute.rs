//! Packages that are machine code and are published as WebAssembly too, under another name: what a client that asks for the one
//! is told of the other. A lock file that comes of it names the other's tarballs and hashes, so it is good everywhere.

use crate::CANONICAL;
use crate::packument::Packument;
use serde_json::{Map, Value};

/// Where the same versions of a package are WebAssembly.
pub fn of(package: &str) -> Option<&'static str> {
    match package {
        "esbuild" => Some("esbuild-wasm"),
        "rollup" => Some("@rollup/wasm-node"),
        _ => None,
    }
}

/// The list of `package` with the versions of `other` in the place of its own. Of those that are not there, ones with native
/// parts (which they have as optional dependencies) are left out, and ones without are what they are.
///
/// # Errors
/// In words, where one is no list of versions.
pub fn combine(package: &str, own: &Packument, other: &Packument) -> Result<Packument, String> {
    let read = |body: &[u8]| serde_json::from_slice::<Map<String, Value>>(body).map_err(|e| e.to_string());
    let (mut list, mut other_list) = (read(&own.body)?, read(&other.body)?);
    let instead = other_list.get_mut("versions").and_then(Value::as_object_mut).ok_or("no versions in it")?;
    let versions = list.get_mut("versions").and_then(Value::as_object_mut).ok_or("no versions in it")?;
    versions.retain(|version, manifest| {
        if let Some(mut found) = instead.remove(version) {
            found["name"] = package.into();
            *manifest = found;
            return true;
        }
        let native = manifest.get("optionalDependencies").and_then(Value::as_object);
        native.is_none_or(|parts| !parts.keys().any(|part| part.starts_with('@')))
    });
    let there: Vec<String> = versions.keys().cloned().collect();
    let is_there = |version: Option<&Value>| {
        version.and_then(Value::as_str).is_some_and(|version| there.iter().any(|known| known == version))
    };
    if let Some(tags) = list.get_mut("dist-tags").and_then(Value::as_object_mut) {
        let their = other_list.get("dist-tags");
        for (tag, version) in tags.iter_mut().filter(|(_, version)| !is_there(Some(version))) {
            *version = their.and_then(|tags| tags.get(tag)).cloned().unwrap_or_default();
        }
        tags.retain(|_, version| is_there(Some(version)));
    }
    let etag = match (&own.etag, &other.etag) {
        (Some(own), Some(other)) => Some(format!("\"{}+{}\"", bare(own), bare(other))),
        _ => None,
    };
    Packument::parse(package, Value::Object(list).to_string().as_bytes(), CANONICAL, etag)
}

/// A tag without its quotes.
fn bare(etag: &str) -> &str {
    etag.trim_start_matches("W/").trim_matches('"')
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn list(name: &str, latest: &str, versions: &[(&str, Value)]) -> Packument {
        let versions: Map<String, Value> = versions
            .iter()
            .map(|(version, parts)| {
                let tarball = format!("{CANONICAL}{name}/-/x-{version}.tgz");
                let dist = json!({ "tarball": tarball, "shasum": "0".repeat(40) });
                ((*version).to_owned(), json!({ "name": name, "optionalDependencies": parts, "dist": dist }))
            })
            .collect();
        let said = json!({ "name": name, "dist-tags": { "latest": latest }, "versions": versions });
        Packument::parse(name, said.to_string().as_bytes(), CANONICAL, Some(format!("\"{name}\"")))
            .expect("a list")
    }

    #[test]
    fn versions_with_native_parts_are_those_of_webassembly_or_left_out_and_others_stay() {
        let native = json!({ "@rollup/rollup-linux-x64-gnu": "4.0.0" });
        let own = [
            ("3.0.0", json!({ "fsevents": "2" })),
            ("4.0.0", native.clone()),
            ("4.0.1", native),
            ("1.0.0", Value::Null),
        ];
        let own = list("rollup", "4.0.1", &own);
        let other = list("@rollup/wasm-node", "4.0.0", &[("4.0.0", Value::Null)]);
        let combined = combine("rollup", &own, &other).expect("a list");
        let said: Value = serde_json::from_slice(&combined.body).expect("JSON");
        let mut versions: Vec<_> = said["versions"].as_object().expect("versions").keys().collect();
        versions.sort();
        assert_eq!(versions, ["1.0.0", "3.0.0", "4.0.0"]);
        assert_eq!(said["dist-tags"], json!({ "latest": "4.0.0" }));
        let found = &said["versions"]["4.0.0"];
        assert_eq!(found["name"], "rollup");
        assert!(found["dist"]["tarball"].as_str().is_some_and(|url| url.contains("@rollup/wasm-node/-/")));
        assert!(
            said["versions"]["3.0.0"]["dist"]["tarball"]
                .as_str()
                .is_some_and(|url| url.contains("/rollup/-/"))
        );
        assert_eq!(combined.etag.as_deref(), Some("\"rollup+@rollup/wasm-node\""));
    }
}
