//! For which Node, npm and machine a package is.

use crate::tree::Tree;
use crate::unusual::{Plain, Unusual};
use crate::version::{Range, Version};
use serde_json::Value;

/// Where packages are installed.
pub struct Here {
    /// The versions that programs are told.
    pub node: Version,
    pub npm: Version,
    /// As Node's `process.arch` has it.
    pub cpu: &'static str,
}

const OS: &str = "linux";
/// What the report of a Node program says of itself.
const LIBC: &str = "glibc";

pub fn cpu() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn meets(wanted: Option<&Value>, version: &Version) -> Option<bool> {
    let wanted = match wanted {
        None | Some(Value::Null) => return Some(true),
        Some(Value::String(text)) if text.is_empty() => return Some(true),
        Some(value) => value.as_str()?,
    };
    Range::parse(wanted.trim()).ok().map(|range| range.has(version))
}

/// A list of names, or one, of which one must be it, or which must not name it (`!name`).
fn lists(value: Option<&Value>, it: &str) -> Plain<bool> {
    let entries = match value {
        None => return Ok(true),
        Some(Value::String(one)) => vec![one.as_str()],
        Some(Value::Array(all)) => all
            .iter()
            .map(Value::as_str)
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| Unusual::new("which machines it is for"))?,
        Some(_) => return Err(Unusual::new("which machines it is for")),
    };
    if entries == ["any"] {
        return Ok(true);
    }
    let negated: Vec<&str> = entries.iter().filter_map(|entry| entry.strip_prefix('!')).collect();
    Ok(!negated.contains(&it) && (entries.contains(&it) || negated.len() == entries.len()))
}

impl Here {
    /// Whether Node and npm are what `engines` asks for; none where that is not understood.
    pub fn runs(&self, engines: Option<&Value>) -> Option<bool> {
        let Some(Value::Object(engines)) = engines else { return Some(true) };
        Some(meets(engines.get("node"), &self.node)? && meets(engines.get("npm"), &self.npm)?)
    }

    /// Marks the optional packages that are for others. What is needed and for others is npm's to complain of.
    pub fn leave_out(&self, tree: &mut Tree) -> Plain<()> {
        let ids: Vec<_> = tree.ids().collect();
        for id in ids {
            let (name, node) = (tree.name(id).to_owned(), tree.node(id));
            let kept = &node.manifest.kept;
            let engines = self.runs(kept.get("engines"));
            let runs = engines.ok_or_else(|| Unusual::new(format!("{name}: its engines")))?;
            let fits = lists(kept.get("os"), OS)?
                && lists(kept.get("cpu"), self.cpu)?
                && lists(kept.get("libc"), LIBC)?;
            if runs && fits {
                continue;
            }
            let alone =
                node.manifest.wants.is_empty() && tree.edges_in(id).all(|edge| edge.want.kind.is_optional());
            if !node.flags.optional || !alone {
                return Err(Unusual::new(format!("{name}: not for this Node or machine")));
            }
            tree.node_mut(id).is_inert = true;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn machines_and_versions_are_told_as_manifests_tell_them() {
        let is = |value: Value| lists(Some(&value), "linux").expect("a list");
        assert!(
            is(json!("linux"))
                && is(json!(["darwin", "linux"]))
                && is(json!(["!win32"]))
                && is(json!(["any"]))
        );
        assert!(!is(json!(["darwin"])) && !is(json!(["!linux"])) && !is(json!(["!linux", "linux"])));
        let version = |text| Version::parse(text).expect("a version");
        let here = Here { node: version("26.5.1"), npm: version("11.19.1"), cpu: "x64" };
        assert_eq!(here.runs(Some(&json!({"node": ">=18", "npm": "*", "vscode": "x"}))), Some(true));
        assert_eq!(here.runs(Some(&json!({"node": "^12.20.0 || ^14.13.1"}))), Some(false));
        assert_eq!(here.runs(Some(&json!({"node": "iojs"}))), None);
        assert_eq!(here.runs(Some(&json!(["node >= 0.4"]))), Some(true));
    }
}
