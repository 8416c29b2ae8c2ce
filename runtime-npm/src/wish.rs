//! What a command line asks for, in package.json: first as it was said, then as npm saves it once the version is known.

use crate::command::{Asking, Command, Save};
use crate::document::Document;
use crate::spec::Spec;
use crate::tree::{Id, Tree};
use crate::unusual::{Plain, Unusual};
use crate::version::{From, Version};
use serde_json::{Map, Value};

pub const PROD: &str = "dependencies";
pub const DEV: &str = "devDependencies";

fn list<'p>(project: &'p Map<String, Value>, key: &str) -> Option<&'p Map<String, Value>> {
    project.get(key).and_then(Value::as_object)
}

fn has(project: &Map<String, Value>, key: &str, name: &str) -> bool {
    list(project, key).is_some_and(|all| all.contains_key(name))
}

/// Puts it into the project's fields. A tag must have been followed.
fn add(project: &mut Map<String, Value>, asking: &Asking, save: &Save) -> Plain<()> {
    let Asking { name, spec } = asking;
    let (is_prod, is_dev) = (has(project, PROD, name), has(project, DEV, name));
    let key = match (save.is_dev, is_prod, is_dev) {
        // npm warns of that.
        (Some(true), true, _) | (Some(false), _, true) => {
            return Err(Unusual::new(format!("{name}: it is wanted otherwise")));
        }
        (Some(true), ..) | (None, _, true) => DEV,
        _ => PROD,
    };
    let all = project.entry(key).or_insert_with(|| Value::Object(Map::new()));
    let all = all.as_object_mut().ok_or_else(|| Unusual::new(format!("its {key}")))?;
    if spec != "*" || !all.contains_key(name) {
        all.insert(name.clone(), Value::String(spec.clone()));
    }
    Ok(())
}

fn remove(project: &mut Map<String, Value>, name: &str) {
    for key in [PROD, DEV] {
        if let Some(Value::Object(all)) = project.get_mut(key) {
            all.remove(name);
        }
    }
}

/// The fields of the project as the command asks for them.
pub fn said(project: &mut Map<String, Value>, command: &Command) -> Plain<()> {
    match command {
        Command::Ci => Ok(()),
        Command::Install(asked, save) => {
            let own = project.get("name").and_then(Value::as_str).map(str::to_owned);
            asked.iter().try_for_each(|asking| match own.as_deref() == Some(&asking.name) {
                true => Err(Unusual::new("a project in itself")),
                false => add(project, asking, save),
            })
        }
        Command::Remove(names) => {
            names.iter().for_each(|name| remove(project, name));
            Ok(())
        }
    }
}

/// The range that is saved for a version that was found by `spec`: what is compatible with it, unless less was asked for.
fn range(spec: &str, version: &Version, is_exact: bool) -> Plain<String> {
    let (of, prefix) = match is_exact {
        true => (From::Exactly(version), ""),
        false => (From::Compatible(version), "^"),
    };
    let all = match Spec::parse(spec)? {
        Spec::Any if spec == "*" => Some(true),
        Spec::Any => None,
        Spec::Tag(_) => Some(true),
        Spec::Range(_) if Version::parse(spec).is_ok() => Some(true),
        Spec::Range(range) => range.has_all(of),
    };
    match all {
        Some(true) => Ok(format!("{prefix}{version}")),
        Some(false) => Ok(spec.to_owned()),
        None => Err(Unusual::new(format!("what is saved of {spec}"))),
    }
}

/// The fields of the project as npm saves them.
pub fn saved(project: &mut Map<String, Value>, command: &Command, tree: &Tree) -> Plain<()> {
    let Command::Install(asked, save) = command else { return Ok(()) };
    for Asking { name, .. } in asked {
        let unusual = || Unusual::new(format!("{name}: what is saved of it"));
        let child: Id = *tree.node(Tree::ROOT).children.get(name).ok_or_else(unusual)?;
        let manifest = &tree.node(child).manifest;
        let version = manifest.version();
        let is_plain = manifest.kept.get("version").and_then(Value::as_str) == Some(&version.to_string());
        if manifest.package != *name || !is_plain {
            return Err(unusual());
        }
        for key in [PROD, DEV] {
            let Some(Value::Object(all)) = project.get_mut(key) else { continue };
            if let Some(spec) = all.get(name) {
                let spec = range(spec.as_str().ok_or_else(unusual)?, version, save.is_exact)?;
                all.insert(name.clone(), Value::String(spec));
            }
        }
    }
    Ok(())
}

/// Writes the project's dependencies into its package.json, whichever of them changed.
pub fn write(document: &mut Document, project: &Map<String, Value>) {
    for key in [PROD, DEV] {
        let all = list(project, key).into_iter().flatten();
        let all = all.map(|(name, spec)| (name.clone(), spec.as_str().unwrap_or_default().to_owned()));
        document.set(key, all.collect());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn project(value: Value) -> Map<String, Value> {
        value.as_object().expect("an object").clone()
    }

    #[test]
    fn what_is_asked_for_comes_where_it_was_or_where_it_is_said_to() {
        let before = json!({"name": "app", "dependencies": {"a": "^1"}, "devDependencies": {"b": "^2"}});
        let ask = |name: &str, spec: &str, is_dev| {
            let asking = Asking { name: name.into(), spec: spec.into() };
            let mut project = project(before.clone());
            said(&mut project, &Command::Install(vec![asking], Save { is_dev, is_exact: false }))
                .map(|()| project)
        };
        assert_eq!(ask("a", "*", None).expect("plain")["dependencies"], json!({"a": "^1"}));
        assert_eq!(ask("b", "3", None).expect("plain")["devDependencies"], json!({"b": "3"}));
        assert_eq!(
            ask("c", "*", Some(true)).expect("plain")["devDependencies"],
            json!({"b": "^2", "c": "*"})
        );
        assert!(ask("a", "*", Some(true)).is_err() && ask("app", "*", None).is_err());
    }

    #[test]
    fn what_is_saved_is_what_is_compatible_unless_less_was_asked_for() {
        let version = Version::parse("4.21.2").expect("a version");
        for (spec, is_exact, saved) in [
            ("*", false, "^4.21.2"),
            ("4", false, "^4.21.2"),
            ("4.21.2", false, "^4.21.2"),
            ("latest", true, "4.21.2"),
            ("~4.21", false, "~4.21"),
            ("~4.21", true, "4.21.2"),
            (">=4 <4.22", false, ">=4 <4.22"),
        ] {
            assert_eq!(range(spec, &version, is_exact).expect(spec), saved, "{spec}");
        }
        assert!(range("^4.0.0-rc", &version, false).is_err());
    }
}
