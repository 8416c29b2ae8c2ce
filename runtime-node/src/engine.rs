//! The executables that run Node programs: where they are, and what each says of itself.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// The names that they go by, the best first.
const NAMES: [&str; 3] = ["taskfs-node-v8", "taskfs-node-quickjs", "taskfs-node"];

const ENGINES: [&str; 2] = ["v8", "quickjs"];

/// A worker executable.
#[derive(Clone, Debug)]
pub struct Engine {
    pub executable: PathBuf,
    name: String,
    /// What it says of itself: asked for when somebody wants to know.
    version: OnceLock<String>,
}

impl Engine {
    /// `v8` or `quickjs`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether its workers are forked from one that is warm: it begins without threads, and has no snapshot to begin from.
    pub(crate) fn has_parent(&self) -> bool {
        self.name == "quickjs"
    }

    /// All that it says of its version, in one line.
    pub fn version(&self) -> &str {
        self.version.get_or_init(|| match Engine::ask(&self.executable) {
            Ok(asked) => asked.version.into_inner().unwrap_or_default(),
            Err(why) => why,
        })
    }

    /// An executable, by the engine that its file's name ends with; asked where it does not say.
    fn at(executable: &Path) -> Result<Engine, String> {
        let name = executable.file_name().and_then(OsStr::to_str).unwrap_or_default();
        match name.strip_prefix("taskfs-node-") {
            Some(engine) if ENGINES.contains(&engine) => Ok(Engine {
                executable: executable.to_owned(),
                name: engine.to_owned(),
                version: OnceLock::new(),
            }),
            _ => Engine::ask(executable),
        }
    }

    /// Asks an executable what it is.
    ///
    /// # Errors
    /// In words, where it cannot be run or is none.
    pub fn ask(executable: &Path) -> Result<Engine, String> {
        let shown = executable.display();
        let asked = Command::new(executable)
            .arg("--version")
            .env_clear()
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output()
            .map_err(|e| format!("{shown}: {e}"))?;
        let text = String::from_utf8_lossy(&asked.stdout);
        let line = text.lines().next().unwrap_or_default().trim();
        Engine::parse(executable, line)
            .ok_or_else(|| format!("{shown}: not a taskfs-node: --version says {line:?}"))
    }

    /// `taskfs-node 0.1.0 v8 14.9 (…)`: the third word is the engine.
    fn parse(executable: &Path, line: &str) -> Option<Engine> {
        let mut words = line.strip_prefix("taskfs-node ")?.split_ascii_whitespace();
        let (_, name) = (words.next()?, words.next()?);
        let (executable, version) = (executable.to_owned(), OnceLock::from(line.to_owned()));
        ENGINES.contains(&name).then(|| Engine { executable, name: name.to_owned(), version })
    }
}

/// The worker executables of this machine, the best first and one of each engine: `named` alone where one is named, else
/// beside this program, in ../lib/taskfs, and along PATH.
///
/// # Errors
/// In words, where the one that is named cannot be used.
pub fn find(named: Option<&Path>) -> Result<Vec<Engine>, String> {
    if let Some(named) = named {
        // It is started in another directory.
        let whole = named.canonicalize().map_err(|e| format!("{}: {e}", named.display()))?;
        return Engine::ask(&whole).map(|engine| vec![engine]);
    }
    let here = std::env::current_exe().ok().and_then(|exe| Some(exe.parent()?.to_owned()));
    let beside = here.iter().flat_map(|dir| [dir.clone(), dir.join("../lib/taskfs")]);
    let path = std::env::var_os("PATH").unwrap_or_default();
    // What PATH names relative to wherever the server was started is not looked at.
    let dirs: Vec<PathBuf> =
        beside.chain(std::env::split_paths(&path).filter(|dir| dir.is_absolute())).collect();
    Ok(find_in(&dirs, &NAMES.map(OsStr::new)))
}

fn find_in(dirs: &[PathBuf], names: &[&OsStr]) -> Vec<Engine> {
    let mut engines: Vec<Engine> = Vec::new();
    for name in names {
        let files = dirs.iter().map(|dir| dir.join(name)).filter(|file| file.is_file());
        for file in files {
            match Engine::at(&file) {
                Ok(engine) if engines.iter().any(|have| have.name == engine.name) => {}
                Ok(engine) => engines.push(engine),
                Err(why) => tracing::warn!("{why}"),
            }
        }
    }
    engines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_is_known_by_what_it_says_and_nothing_else_is_one() {
        let engine = Engine::parse(Path::new("/x"), "taskfs-node 0.1.0 v8 14.9 (deno_core 0.413)");
        assert_eq!(engine.map(|engine| engine.name), Some("v8".to_owned()));
        for line in ["v24.1.0", "taskfs-node", "taskfs-node 0.1.0", "taskfs-node 0.1.0 V8/x", ""] {
            assert!(Engine::parse(Path::new("/x"), line).is_none(), "{line}");
        }
    }

    #[test]
    fn a_file_that_is_no_engine_is_named() {
        let error = Engine::ask(Path::new("/bin/true")).expect_err("it says something else");
        assert!(error.starts_with("/bin/true: not a taskfs-node: --version says \""), "{error}");
        let error = find(Some(Path::new("/no/such/file"))).expect_err("it is not there");
        assert!(error.starts_with("/no/such/file: "), "{error}");
    }
}
