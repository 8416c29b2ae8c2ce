//! A directory as the program: its package.json says which file is run.
//!
//! As `node DIR` has it, `main` comes first and index.js last. Between them stand what else names one file: the package's own
//! entry in `exports`, and its only command, or the one that has its name, in `bin`.

use crate::files::{Follow, Tree};
use crate::link::now;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Conditions of `exports`, as Node has them for a program that is started.
const CONDITIONS: [&str; 5] = ["node", "import", "module-sync", "require", "default"];

/// The file that is run for the directory `dir`.
///
/// # Errors
/// In words: a package.json that is none, or that names a file which is not there.
pub fn entry(tree: &Tree, dir: &Path) -> Result<PathBuf, String> {
    let file = dir.join("package.json");
    let text = now(tree.read_file(&file)).map_err(|e| format!("{}: {e}", file.display()))?;
    let package: Value =
        serde_json::from_slice(&text).map_err(|e| format!("Error parsing {}: {e}", file.display()))?;
    let named = named(&package);
    let candidates: Vec<PathBuf> = match &named {
        // An extension, and a directory's index, may be left out of `main`.
        Some(name) => {
            ["", ".js", ".json", "/index.js"].iter().map(|end| dir.join(format!("{name}{end}"))).collect()
        }
        None => vec![dir.join("index.js")],
    };
    let found =
        candidates.iter().find(|path| now(tree.stat(path, Follow::Yes)).is_ok_and(|meta| !meta.is_dir()));
    found.cloned().ok_or_else(|| match named {
        Some(name) => format!("{} names {name}, which is no file", file.display()),
        None => format!("{} names no program, and there is no index.js", file.display()),
    })
}

fn named(package: &Value) -> Option<String> {
    let text = |value: &Value| value.as_str().filter(|name| !name.is_empty()).map(str::to_owned);
    let main = package.get("main").and_then(text);
    main.or_else(|| package.get("exports").and_then(exported)).or_else(|| match package.get("bin")? {
        Value::Object(commands) => {
            let own = package
                .get("name")
                .and_then(Value::as_str)
                .map(|name| name.rsplit('/').next().unwrap_or(name));
            let own = own.and_then(|name| commands.get(name));
            let only = (commands.len() == 1).then(|| commands.values().next()).flatten();
            own.or(only).and_then(text)
        }
        command => text(command),
    })
}

/// The package's own entry in `exports`.
fn exported(exports: &Value) -> Option<String> {
    match exports {
        Value::String(name) => Some(name.clone()),
        Value::Array(choices) => choices.iter().find_map(exported),
        Value::Object(map) => match map.get(".") {
            Some(own) => exported(own),
            None => CONDITIONS.iter().find_map(|condition| map.get(*condition).and_then(exported)),
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_one_file_is_run() {
        for (text, file) in [
            (r#"{"main":"a.js","exports":"./b.js","bin":"c.js"}"#, Some("a.js")),
            (r#"{"exports":"./b.js","bin":"c.js"}"#, Some("./b.js")),
            (
                r#"{"exports":{".":{"types":"x.d.ts","import":{"node":"./i.mjs"},"default":"d.js"}}}"#,
                Some("./i.mjs"),
            ),
            (r#"{"exports":{"./sub":"s.js"},"bin":{"one":"c.js"}}"#, Some("c.js")),
            (r#"{"name":"@x/two","bin":{"one":"c.js","two":"d.js"}}"#, Some("d.js")),
            (r#"{"bin":{"one":"c.js","two":"d.js"}}"#, None),
            (r#"{"main":""}"#, None),
            (r#"[]"#, None),
        ] {
            let package = serde_json::from_str(text).expect("JSON");
            assert_eq!(named(&package).as_deref(), file, "{text}");
        }
    }
}
