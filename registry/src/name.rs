//! What a client asks for, by its path: a package's list of versions, or one tarball.

/// The most letters that a package's name has, by npm's own rule.
const LONGEST: usize = 214;

#[derive(Debug, PartialEq, Eq)]
pub enum Asked {
    /// `name` or `@scope/name`.
    Packument(String),
    /// The package, and the path below the registry that its list of versions gives.
    Tarball(String, String),
    Ping,
}

/// `None` for what a registry may have but is not mirrored: searches, users, audits.
pub fn asked(path: &str) -> Option<Asked> {
    let path = path.strip_prefix('/')?;
    if path == "-/ping" {
        return Some(Asked::Ping);
    }
    let plain = path.replacen("%2f", "/", 1).replacen("%2F", "/", 1);
    match plain.split_once("/-/") {
        None => is_package(&plain).then_some(Asked::Packument(plain)),
        Some((package, file)) => {
            let is_tarball = is_package(package) && is_part(file) && file.ends_with(".tgz");
            is_tarball.then(|| Asked::Tarball(package.to_owned(), plain.clone()))
        }
    }
}

fn is_package(name: &str) -> bool {
    let parts = match name.strip_prefix('@') {
        Some(rest) => rest.split_once('/').is_some_and(|(scope, name)| is_part(scope) && is_part(name)),
        None => is_part(name),
    };
    parts && name.len() <= LONGEST
}

/// Nothing that a path, a URL or a file system takes for more than a letter.
fn is_part(part: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~!'()*+".contains(c);
    !part.is_empty() && !part.starts_with('.') && part.len() <= LONGEST + 64 && part.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_and_tarballs_are_known_by_their_paths_with_a_scope_or_without() {
        let packument = |name: &str| Some(Asked::Packument(name.into()));
        assert_eq!(asked("/express"), packument("express"));
        assert_eq!(asked("/@types%2fnode"), packument("@types/node"));
        assert_eq!(asked("/@types%2Fnode"), packument("@types/node"));
        let tarball = |name: &str, path: &str| Some(Asked::Tarball(name.into(), path.into()));
        assert_eq!(asked("/ms/-/ms-2.1.3.tgz"), tarball("ms", "ms/-/ms-2.1.3.tgz"));
        let path = "@types/node/-/node-1.0.0.tgz";
        assert_eq!(asked("/@types%2fnode/-/node-1.0.0.tgz"), tarball("@types/node", path));
    }

    #[test]
    fn what_leads_elsewhere_or_is_no_package_is_not_asked_for() {
        let long = format!("/{}", "x".repeat(300));
        let wrong =
            ["/", "", "/..", "/a/../b", "/.cache", "/a%2e", "/@a", "/@a/", "/@../b", "/a/b", "/-/v1/search"];
        for path in wrong.into_iter().chain(["/a/-/../b.tgz", "/a/-/b", "/a/-/.tgz", "/a\\b", "/a b", &long])
        {
            assert_eq!(asked(path), None, "{path}");
        }
    }
}
