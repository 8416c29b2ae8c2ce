//! Lock files: a project's own (`package-lock.json`), and the one that npm leaves in `node_modules` to know its work again.

use crate::document::Style;
use crate::flags;
use crate::manifest::{Manifest, is_name};
use crate::order;
use crate::tree::{Id, Tree};
use crate::unusual::{Plain, Unusual};
use serde_json::{Map, Value, json};
use std::sync::Arc;

const VERSION: u32 = 3;

fn entry(tree: &Tree, id: Id) -> Map<String, Value> {
    let node = tree.node(id);
    let mut entry = node.manifest.kept.clone();
    if id != Tree::ROOT {
        entry.insert("resolved".into(), Value::String(node.manifest.resolved.clone()));
        entry.insert("integrity".into(), Value::String(node.manifest.integrity.clone()));
    }
    node.flags.write(&mut entry);
    entry
}

fn of(tree: &Tree, packages: Map<String, Value>) -> Map<String, Value> {
    let project = &tree.node(Tree::ROOT).manifest;
    let mut lock = Map::new();
    lock.insert("name".into(), Value::String(project.name.clone()));
    if let Some(version) = project.kept.get("version") {
        lock.insert("version".into(), version.clone());
    }
    lock.insert("lockfileVersion".into(), VERSION.into());
    lock.insert("requires".into(), Value::Bool(true));
    lock.insert("packages".into(), Value::Object(packages));
    lock
}

/// The project's lock file.
pub fn own(tree: &Tree) -> Map<String, Value> {
    of(tree, tree.ids().map(|id| (tree.node(id).location.clone(), Value::Object(entry(tree, id)))).collect())
}

/// `node_modules/.package-lock.json`: what is there.
pub fn hidden(tree: &Tree, style: &Style) -> Plain<String> {
    let there = tree.packages().filter(|id| !tree.node(*id).is_inert);
    let there = there.map(|id| (tree.node(id).location.clone(), Value::Object(entry(tree, id))));
    order::text(&of(tree, there.collect()), style)
}

/// Where a package lies, and its name.
fn split(location: &str) -> Option<(&str, &str)> {
    let at = location.rfind("node_modules/")?;
    let (above, name) = (&location[..at], &location[at + "node_modules/".len()..]);
    let above = if above.is_empty() { above } else { above.strip_suffix('/')? };
    is_name(name).then_some((above, name))
}

/// The tree of a lock file, for the project in `folder` as the lock file knows it, if it says all that npm would say.
pub fn read(text: &str, folder: &str) -> Plain<Tree> {
    let unusual = |what: &str| Unusual::new(format!("package-lock.json: {what}"));
    let lock: Map<String, Value> = serde_json::from_str(text).map_err(|e| unusual(&e.to_string()))?;
    if lock.get("lockfileVersion") != Some(&json!(VERSION)) {
        return Err(unusual("another version"));
    }
    let packages = lock.get("packages").and_then(Value::as_object).ok_or_else(|| unusual("no packages"))?;
    let project = packages.get("").and_then(Value::as_object).ok_or_else(|| unusual("no project"))?;
    let mut tree = Tree::new(Manifest::of_project(project, folder)?);
    let mut known: std::collections::HashMap<&str, Id> = [("", Tree::ROOT)].into();
    // A location comes behind all that it is below.
    for (location, entry) in packages.iter().filter(|(location, _)| !location.is_empty()) {
        let package = || unusual(location);
        let (above, name) = split(location).ok_or_else(package)?;
        let parent = *known.get(above).ok_or_else(package)?;
        let entry = entry.as_object().ok_or_else(package)?;
        let id = tree.add(parent, name, Arc::new(Manifest::of_entry(entry, name)?));
        known.insert(location, id);
    }
    if tree.is_large() {
        return Err(unusual("very many packages"));
    }
    flags::find(&mut tree);
    let is_open = |id| tree.edges(id).any(|edge| !tree.is_settled(&edge) || tree.is_mistaken(&edge));
    let open = tree.ids().find(|id| is_open(*id));
    if let Some(id) = open.or_else(|| tree.ids().find(|id| tree.node(*id).flags.extraneous)) {
        return Err(unusual(&format!("{:?}: not in step", tree.node(id).location)));
    }
    if own(&tree) != lock {
        return Err(unusual("npm would write it otherwise"));
    }
    Ok(tree)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(version: &str) -> Value {
        json!({"version": version, "resolved": "https://registry.npmjs.org/x/-/x.tgz", "integrity": "sha512-x"})
    }

    fn lock(dependencies: Value, packages: &[(&str, Value)]) -> Value {
        let mut all = json!({"": {"name": "app", "version": "1.0.0", "dependencies": dependencies}});
        packages.iter().for_each(|(location, entry)| all[*location] = entry.clone());
        json!({"name": "app", "version": "1.0.0", "lockfileVersion": 3, "requires": true, "packages": all})
    }

    #[test]
    fn a_lock_file_that_is_in_step_is_taken_and_no_other() {
        let wants = json!({"a": "^1.0.0"});
        let read = |lock: &Value| read(&lock.to_string(), "app");
        let good = lock(wants.clone(), &[("node_modules/a", package("1.2.0"))]);
        let tree = read(&good).expect("in step");
        assert_eq!(Value::Object(own(&tree)), good);
        let style = crate::document::Document::new().style();
        assert!(hidden(&tree, &style).expect("plain").contains("\"node_modules/a\""));
        let mut with_flag = package("1.2.0");
        with_flag["dev"] = json!(true);
        let mut nameless = good.clone();
        nameless["packages"]["node_modules/a"]["name"] = json!("b");
        for bad in [
            lock(wants.clone(), &[]),
            lock(wants.clone(), &[("node_modules/a", package("2.0.0"))]),
            lock(wants.clone(), &[("node_modules/a", with_flag)]),
            lock(
                wants.clone(),
                &[("node_modules/a", package("1.2.0")), ("node_modules/b", package("1.0.0"))],
            ),
            lock(
                wants.clone(),
                &[("node_modules/a", package("1.2.0")), ("node_modules/c/node_modules/b", package("1.0.0"))],
            ),
            lock(wants.clone(), &[("node_modules/a", package("1.2.0")), ("../b", package("1.0.0"))]),
            lock(
                wants.clone(),
                &[("node_modules/a", package("1.2.0")), ("node_modules/../b", package("1.0.0"))],
            ),
            lock(json!({"a": "2"}), &[("node_modules/a", package("1.2.0"))]),
            nameless,
        ] {
            assert!(read(&bad).is_err(), "{bad}");
        }
    }
}
