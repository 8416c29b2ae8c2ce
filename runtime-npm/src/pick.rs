//! Which version of a package is taken: the one that is tagged `latest` where it will do, else the newest that does, and sooner
//! one that runs here and is not deprecated.

use crate::manifest::{Manifest, Want};
use crate::platform::Here;
use crate::spec::Spec;
use crate::unusual::{Plain, Unusual};
use crate::version::Version;
use bytes::Bytes;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::fmt;

/// A package's versions, as a registry lists them.
pub struct List {
    body: Bytes,
    tags: HashMap<String, String>,
    heads: HashMap<String, Head>,
}

#[derive(Deserialize)]
struct Heads {
    #[serde(default, rename = "dist-tags")]
    tags: HashMap<String, String>,
    versions: HashMap<String, Head>,
    #[serde(rename = "stagedVersions")]
    staged: Option<IgnoredAny>,
    #[serde(rename = "policyRestrictions")]
    restrictions: Option<IgnoredAny>,
}

/// What the choice goes by.
#[derive(Deserialize)]
struct Head {
    engines: Option<Value>,
    deprecated: Option<Value>,
}

impl Head {
    fn is_deprecated(&self) -> bool {
        match &self.deprecated {
            None | Some(Value::Null | Value::Bool(false)) => false,
            Some(Value::String(text)) => !text.is_empty(),
            Some(_) => true,
        }
    }
}

impl List {
    pub fn parse(body: Bytes) -> Plain<List> {
        let heads: Heads =
            serde_json::from_slice(&body).map_err(|e| Unusual::new(format!("a list of versions: {e}")))?;
        if heads.staged.is_some() || heads.restrictions.is_some() {
            return Err(Unusual::new("a registry that holds versions back"));
        }
        Ok(List { body, tags: heads.tags, heads: heads.versions })
    }

    /// The manifest of the version that is wanted; none where there is no such version.
    pub fn pick(&self, want: &Want, here: &Here) -> Plain<Option<Manifest>> {
        let name = &want.name;
        let version = self.choose(&want.spec, here).map_err(|e| Unusual::new(format!("{name}: {e}")))?;
        let Some(version) = version else { return Ok(None) };
        let mut json = serde_json::Deserializer::from_slice(&self.body);
        let found = Versions(version).deserialize(&mut json);
        let found = found.map_err(|e| Unusual::new(format!("{name}: {e}")))?;
        let found = found.ok_or_else(|| Unusual::new(format!("{name}: {version} is no manifest")))?;
        Manifest::of_version(&found, name, &want.package).map(Some)
    }

    /// The version that a tag stands for.
    pub fn tagged(&self, tag: &str) -> Option<&str> {
        self.tags.get(tag).map(String::as_str).filter(|version| self.heads.contains_key(*version))
    }

    fn choose(&self, spec: &Spec, here: &Here) -> Plain<Option<&str>> {
        if let Some(tag) = spec.tag() {
            let tagged = self.tags.get(tag).and_then(|version| self.heads.get_key_value(version));
            return Ok(tagged.map(|(version, _)| version.as_str()));
        }
        if let Some((version, head)) =
            self.tags.get("latest").and_then(|version| self.heads.get_key_value(version))
            && Version::parse(version).is_ok_and(|version| spec.takes(&version))
            && here.runs(head.engines.as_ref()) == Some(true)
            && !head.is_deprecated()
        {
            return Ok(Some(version));
        }
        if spec.is_any() {
            return Err(Unusual::new("any version, but the latest"));
        }
        let candidate = |(text, head): (&'_ String, &'_ Head)| -> Option<Candidate> {
            let version = Version::parse(text).ok().filter(|version| spec.takes(version))?;
            let runs = here.runs(head.engines.as_ref());
            // Taken to run where that is not known: then it is seen whether it matters.
            let (may, fresh) = (runs.unwrap_or(true), !head.is_deprecated());
            Some(Candidate { rank: (fresh && may, may, fresh, version), is_known: runs.is_some() })
        };
        let all: Vec<_> = self.heads.iter().filter_map(|entry| Some((entry.0, candidate(entry)?))).collect();
        let Some((text, best)) = all.iter().max_by(|a, b| a.1.rank.cmp(&b.1.rank)) else { return Ok(None) };
        // Anything but a good one depends on what was not understood of the others.
        if !best.is_known || (!best.rank.0 && all.iter().any(|(_, other)| !other.is_known)) {
            return Err(Unusual::new(format!("{text}: its engines")));
        }
        Ok(Some(text))
    }
}

struct Candidate {
    rank: (bool, bool, bool, Version),
    is_known: bool,
}

/// Reads one version's manifest out of a list, and skips the others.
struct Versions<'v>(&'v str);

/// The same, in the object of the versions.
struct One<'v>(&'v str);

impl<'de> DeserializeSeed<'de> for Versions<'_> {
    type Value = Option<Map<String, Value>>;
    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Versions<'_> {
    type Value = Option<Map<String, Value>>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of versions")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(key) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            if key == "versions" {
                found = map.next_value_seed(One(self.0))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

impl<'de> DeserializeSeed<'de> for One<'_> {
    type Value = Option<Map<String, Value>>;
    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for One<'_> {
    type Value = Option<Map<String, Value>>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("versions and their manifests")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(key) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            if key == self.0 {
                found = Some(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Kind;

    fn picked(spec: &str, latest: &str, versions: &[(&str, &str)]) -> String {
        let dist = r#""dist":{"tarball":"https://registry.npmjs.org/a/-/a.tgz","integrity":"sha512-x"}"#;
        let versions: Vec<String> = versions
            .iter()
            .map(|(version, more)| {
                format!(r#""{version}":{{"name":"a","version":"{version}",{more}{dist}}}"#)
            })
            .collect();
        let list =
            format!(r#"{{"dist-tags":{{"latest":"{latest}"}},"versions":{{{}}}}}"#, versions.join(","));
        let version = |text| Version::parse(text).expect("a version");
        let here = Here { node: version("26.5.1"), npm: version("11.19.1"), cpu: "x64" };
        let list = List::parse(list.into()).expect("a list");
        let spec = Spec::parse(spec).expect("a spec");
        let want = Want { name: "a".into(), package: "a".into(), spec, kind: Kind::Prod };
        let picked = list.pick(&want, &here).expect("plain");
        picked.map_or_else(|| "none".to_owned(), |manifest| manifest.shown())
    }

    #[test]
    fn latest_comes_first_then_the_newest_that_runs_and_is_not_deprecated() {
        let versions = [("1.0.0", ""), ("1.1.0", ""), ("1.2.0", ""), ("2.0.0", r#""deprecated":"no","#)];
        let is = |spec, latest| picked(spec, latest, &versions);
        assert_eq!(is("^1.0.0", "1.1.0"), "a@1.1.0");
        assert_eq!(is("^1.0.0", "2.0.0"), "a@1.2.0");
        assert_eq!(is(">=1.0.0", "2.0.0"), "a@1.2.0");
        assert_eq!(is("latest", "2.0.0"), "a@2.0.0");
        assert_eq!(is("^2.0.0", "1.0.0"), "a@2.0.0", "there is no other");
        assert_eq!(is("^3.0.0", "1.0.0"), "none");
        let old = [("1.0.0", ""), ("1.1.0", r#""engines":{"node":"<20"},"#)];
        assert_eq!(picked("1", "1.1.0", &old), "a@1.0.0");
    }
}
