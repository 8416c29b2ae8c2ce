//! What a package's manifest says, as far as installing goes by it: from a project's package.json, a registry's list of versions,
//! or an entry of a lock file, which all come to the same fields.

use crate::spec::Spec;
use crate::unusual::{Plain, Unusual};
use crate::version::Version;
use serde_json::{Map, Value};

/// What lock files keep of a manifest.
const KEPT: [&str; 13] = [
    "version",
    "dependencies",
    "peerDependencies",
    "peerDependenciesMeta",
    "optionalDependencies",
    "funding",
    "engines",
    "os",
    "cpu",
    "libc",
    "license",
    "bin",
    "deprecated",
];
/// What is not done here.
const OTHERS: [&str; 6] =
    ["_hasShrinkwrap", "hasShrinkwrap", "acceptDependencies", "inBundle", "link", "extraneous"];
/// And of a project besides.
const OTHERS_OF_PROJECTS: [&str; 9] = [
    "devEngines",
    "overrides",
    "os",
    "cpu",
    "libc",
    "peerDependencies",
    "peerDependenciesMeta",
    "optionalDependencies",
    "allowScripts",
];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Prod,
    Dev,
    Optional,
    Peer,
    PeerOptional,
}

impl Kind {
    pub fn is_peer(self) -> bool {
        matches!(self, Kind::Peer | Kind::PeerOptional)
    }
    pub fn is_optional(self) -> bool {
        matches!(self, Kind::Optional | Kind::PeerOptional)
    }
}

/// A package that another one wants.
#[derive(Debug)]
pub struct Want {
    /// What it is to be found by.
    pub name: String,
    /// What it is called in the registry.
    pub package: String,
    pub spec: Spec,
    pub kind: Kind,
}

#[derive(Debug)]
pub struct Manifest {
    /// What it is found by.
    pub name: String,
    /// What it is called in the registry, and calls itself.
    pub package: String,
    /// Of a project it may be missing.
    pub version: Option<Version>,
    /// As a lock file has it, but for where it is from and why it is there.
    pub kept: Map<String, Value>,
    /// One of a name.
    pub wants: Vec<Want>,
    /// Names in `.bin`, and the files below the package that they stand for.
    pub bins: Vec<(String, String)>,
    /// The tarball's URL, and its hash; of a project nothing.
    pub resolved: String,
    pub integrity: String,
}

/// What JavaScript takes for nothing, and what has nothing in it.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(is) => !is,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(values) => values.is_empty(),
        Value::Object(map) => map.is_empty(),
    }
}

fn texts(map: &Map<String, Value>, key: &str) -> Plain<Vec<(String, String)>> {
    let unusual = || Unusual::new(format!("its {key}"));
    match map.get(key) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Object(entries)) => entries
            .iter()
            .map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
            .collect::<Option<_>>()
            .ok_or_else(unusual),
        Some(_) => Err(unusual()),
    }
}

/// Whether it can be a package's name, and a path below `node_modules`, and nothing else.
pub fn is_name(name: &str) -> bool {
    let part = |part: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        !part.is_empty() && !part.starts_with('.') && part.bytes().all(plain)
    };
    let is = match name.strip_prefix('@') {
        Some(rest) => rest.split_once('/').is_some_and(|(scope, name)| part(scope) && part(name)),
        None => part(name),
    };
    is && name.len() <= 214
        && !matches!(name, "node_modules" | "favicon.ico")
        && crate::order::is_sortable(name)
}

/// A relative path, as `path.join('/', …)` leaves it.
fn below(path: &str) -> Plain<String> {
    let unusual = || Unusual::new(format!("the program {path}"));
    if path.contains(['\\', ':', '\0']) || path.ends_with('/') {
        return Err(unusual());
    }
    let parts: Vec<&str> = path.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    if parts.is_empty() || parts.contains(&"..") || parts.contains(&"node_modules") {
        return Err(unusual());
    }
    Ok(parts.join("/"))
}

fn bins(map: &Map<String, Value>, name: &str) -> Plain<Vec<(String, String)>> {
    let given = match map.get("bin") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::String(path)) if path.is_empty() => Vec::new(),
        Some(Value::String(path)) => vec![(name.to_owned(), path.clone())],
        Some(Value::Object(_)) => texts(map, "bin")?,
        Some(_) => return Err(Unusual::new("its bin")),
    };
    if given.is_empty() && map.get("directories").is_some_and(|dirs| dirs.get("bin").is_some()) {
        return Err(Unusual::new("a directory of programs"));
    }
    let mut bins = Vec::new();
    for (key, path) in given {
        let base = key.rsplit('/').next().unwrap_or_default();
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~@+".contains(&byte);
        if base.is_empty() || base.starts_with('.') || !base.bytes().all(plain) {
            return Err(Unusual::new(format!("the program {key}")));
        }
        bins.push((base.to_owned(), below(&path)?));
    }
    bins.sort();
    match bins.windows(2).any(|pair| pair[0].0 == pair[1].0) {
        true => Err(Unusual::new("two programs of one name")),
        false => Ok(bins),
    }
}

impl Manifest {
    /// Of a project.
    pub fn of_project(map: &Map<String, Value>, folder: &str) -> Plain<Manifest> {
        if let Some(key) = OTHERS_OF_PROJECTS.iter().find(|key| map.contains_key(**key)) {
            return Err(Unusual::new(format!("its {key}")));
        }
        if map.contains_key("workspaces") || map.keys().any(|key| key.starts_with('_')) {
            return Err(Unusual::new("its workspaces, or fields of npm's own"));
        }
        let (prod, dev) = (texts(map, "dependencies")?, texts(map, "devDependencies")?);
        if prod.iter().any(|(name, _)| dev.iter().any(|(other, _)| other == name)) {
            return Err(Unusual::new("a dependency of both kinds"));
        }
        let name = match map.get("name") {
            None => folder.to_owned(),
            Some(Value::String(name)) if is_name(name) => name.clone(),
            Some(_) => return Err(Unusual::new("its name")),
        };
        let mut manifest = Manifest::of(map, name.clone(), name)?;
        if let Some(version) = map.get("version") {
            manifest.version = Some(Version::parse(version.as_str().unwrap_or_default())?);
        }
        if map.contains_key("name") {
            manifest.kept.insert("name".into(), Value::String(manifest.name.clone()));
        }
        if !dev.is_empty() {
            let dev = dev.iter().map(|(name, spec)| (name.clone(), Value::String(spec.clone()))).collect();
            manifest.kept.insert("devDependencies".into(), Value::Object(dev));
        }
        manifest.want(dev, Kind::Dev)?;
        Ok(manifest)
    }

    /// Of a version in the registry's list of `package`, for whoever calls it `name`.
    pub fn of_version(map: &Map<String, Value>, name: &str, package: &str) -> Plain<Manifest> {
        if map.get("name").and_then(Value::as_str) != Some(package) {
            return Err(Unusual::new(format!("{package}: a package of another name")));
        }
        let mut manifest = Manifest::of_package(map, name, package)?;
        let dist = |key: &str| map.get("dist").and_then(|dist| dist.get(key)).and_then(Value::as_str);
        manifest.resolved = dist("tarball").unwrap_or_default().to_owned();
        manifest.integrity = match (dist("integrity"), dist("shasum")) {
            (Some(integrity), _) => integrity.to_owned(),
            (None, Some(shasum)) => crate::stock::integrity_of_sha1(shasum)?,
            (None, None) => return Err(Unusual::new(format!("{name}: no hash"))),
        };
        manifest.sound()
    }

    /// Of an entry of a lock file.
    pub fn of_entry(map: &Map<String, Value>, name: &str) -> Plain<Manifest> {
        let text = |key: &str| map.get(key).and_then(Value::as_str);
        let mut manifest = Manifest::of_package(map, name, text("name").unwrap_or(name))?;
        manifest.resolved = text("resolved").unwrap_or_default().to_owned();
        manifest.integrity = text("integrity").unwrap_or_default().to_owned();
        manifest.sound()
    }

    fn of_package(map: &Map<String, Value>, name: &str, package: &str) -> Plain<Manifest> {
        if !is_name(name) || !is_name(package) {
            return Err(Unusual::new(format!("the name {name}")));
        }
        let manifest = Manifest::of(map, name.to_owned(), package.to_owned());
        let mut manifest = manifest.map_err(|e| Unusual::new(format!("{name}: {e}")))?;
        if name != package {
            manifest.kept.insert("name".into(), Value::String(package.to_owned()));
        }
        let version = map.get("version").and_then(Value::as_str).unwrap_or_default();
        manifest.version = Some(Version::parse(version)?);
        Ok(manifest)
    }

    /// One hash, of the strong kind or the old one, and a tarball of the registry's.
    fn sound(self) -> Plain<Manifest> {
        let one = !self.integrity.is_empty() && !self.integrity.contains([' ', '?', '\t', '\n']);
        let known = self.integrity.starts_with("sha512-") || self.integrity.starts_with("sha1-");
        if !one || !known || !self.resolved.starts_with(crate::stock::REGISTRY) {
            return Err(Unusual::new(format!(
                "{}: where it is from: {} {}",
                self.name, self.resolved, self.integrity
            )));
        }
        Ok(self)
    }

    fn of(map: &Map<String, Value>, name: String, package: String) -> Plain<Manifest> {
        let bundles = ["bundleDependencies", "bundledDependencies"];
        let other =
            OTHERS.iter().chain(&bundles).find(|key| map.get(**key).is_some_and(|value| !is_nothing(value)));
        if let Some(key) = other {
            return Err(Unusual::new(format!("its {key}")));
        }
        let optional = texts(map, "optionalDependencies")?;
        let mut prod = texts(map, "dependencies")?;
        prod.retain(|(name, _)| optional.iter().all(|(other, _)| other != name));
        let bins = bins(map, &package)?;
        let mut kept = Map::new();
        for key in KEPT.into_iter().chain(["workspaces"]) {
            let Some(value) = map.get(key).filter(|value| !is_nothing(value)) else { continue };
            let value = match (key, value) {
                ("license", Value::Object(license)) => {
                    license.get("type").filter(|kind| !is_nothing(kind)).unwrap_or(value).clone()
                }
                ("funding", Value::String(url)) => serde_json::json!({ "url": url }),
                ("dependencies", _) if prod.is_empty() => continue,
                ("dependencies", _) => Value::Object(
                    prod.iter().map(|(name, spec)| (name.clone(), Value::String(spec.clone()))).collect(),
                ),
                ("bin", _) => Value::Object(
                    bins.iter().map(|(name, path)| (name.clone(), Value::String(path.clone()))).collect(),
                ),
                _ => value.clone(),
            };
            kept.insert(key.to_owned(), value);
        }
        let script = |name: &str| {
            map.get("scripts").and_then(|all| all.get(name)).is_some_and(|script| !is_nothing(script))
        };
        let says_so = map.get("hasInstallScript").is_some_and(|value| !is_nothing(value));
        if says_so || ["install", "preinstall", "postinstall"].into_iter().any(script) {
            kept.insert("hasInstallScript".into(), Value::Bool(true));
        }
        let mut manifest = Manifest {
            name,
            package,
            version: None,
            kept,
            wants: Vec::new(),
            bins,
            resolved: String::new(),
            integrity: String::new(),
        };
        let meta = map.get("peerDependenciesMeta");
        let may_miss = |name: &str| {
            meta.and_then(|meta| meta.get(name)?.get("optional"))
                .is_some_and(|optional| !is_nothing(optional))
        };
        let (may, must): (Vec<_>, Vec<_>) =
            texts(map, "peerDependencies")?.into_iter().partition(|(name, _)| may_miss(name));
        manifest.want(must, Kind::Peer)?;
        manifest.want(may, Kind::PeerOptional)?;
        manifest.want(prod, Kind::Prod)?;
        manifest.want(optional, Kind::Optional)?;
        Ok(manifest)
    }

    /// What is wanted twice is wanted as it was said last.
    fn want(&mut self, all: Vec<(String, String)>, kind: Kind) -> Plain<()> {
        for (name, spec) in all {
            if !is_name(&name) {
                return Err(Unusual::new(format!("the name {name}")));
            }
            let (package, spec) = match spec.strip_prefix("npm:").map(|alias| alias.rsplit_once('@')) {
                None => (name.clone(), spec.as_str()),
                Some(Some((package, spec))) if is_name(package) => (package.to_owned(), spec),
                Some(_) => return Err(Unusual::new(format!("{name}: {spec}"))),
            };
            let spec = Spec::parse(spec).map_err(|e| Unusual::new(format!("{name}: {e}")))?;
            self.wants.retain(|want| want.name != name);
            self.wants.push(Want { name, package, spec, kind });
        }
        Ok(())
    }

    pub fn version(&self) -> &Version {
        self.version.as_ref().expect("every package has one; a project is never asked")
    }

    pub fn shown(&self) -> String {
        format!("{}@{}", self.package, self.kept.get("version").and_then(Value::as_str).unwrap_or_default())
    }

    pub fn deprecated(&self) -> Option<&str> {
        self.kept.get("deprecated").and_then(Value::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(value: Value) -> Plain<Manifest> {
        Manifest::of_project(value.as_object().expect("an object"), "folder")
    }

    #[test]
    fn a_project_is_what_lock_files_keep_of_it() {
        let manifest = project(serde_json::json!({
            "name": "app", "version": "1.0.0", "license": {"type": "MIT"}, "bin": "./cli.js", "funding": "http://x",
            "dependencies": {"a": "^1.0.0"}, "devDependencies": {"b": "*"}, "scripts": {"postinstall": "x"}, "jest": {"x": 1},
        }));
        let manifest = manifest.expect("plain");
        let wanted = serde_json::json!({
            "name": "app", "version": "1.0.0", "license": "MIT", "bin": {"app": "cli.js"}, "funding": {"url": "http://x"},
            "dependencies": {"a": "^1.0.0"}, "devDependencies": {"b": "*"}, "hasInstallScript": true,
        });
        assert_eq!(Value::Object(manifest.kept), wanted);
        assert_eq!(manifest.wants.iter().map(|want| want.kind).collect::<Vec<_>>(), [Kind::Prod, Kind::Dev]);
    }

    #[test]
    fn what_is_not_done_here_is_said() {
        let with = |key: &str, value: Value| {
            let mut map = serde_json::json!({"name": "app", "dependencies": {"a": "1"}});
            map[key] = value;
            project(map)
        };
        assert!(with("x", Value::Null).is_ok());
        for (key, value) in [
            ("overrides", serde_json::json!({"a": "2"})),
            ("workspaces", serde_json::json!(["a"])),
            ("bundleDependencies", serde_json::json!(["a"])),
            ("devDependencies", serde_json::json!({"a": "1"})),
            ("dependencies", serde_json::json!({"a": "file:../a"})),
            ("dependencies", serde_json::json!({"../a": "1"})),
            ("bin", serde_json::json!({"a": "../../x"})),
            ("name", serde_json::json!("../x")),
        ] {
            assert!(with(key, value.clone()).is_err(), "{key}: {value}");
        }
    }
}
