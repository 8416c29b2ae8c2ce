//! What a package asks of another one's version: any, a range, or what a tag of the registry's leads to.

use crate::unusual::{Plain, Unusual};
use crate::version::{Range, Version};

#[derive(Debug)]
pub enum Spec {
    /// `*` or nothing: also what is not released yet.
    Any,
    Range(Range),
    Tag(String),
}

/// A tag that is surely none of what else a name can mean.
fn is_tag(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let is_first = |first: char| first.is_ascii_alphabetic() && !matches!(first, 'v' | 'V');
    text.starts_with(is_first) && !matches!(text, "x" | "X") && text.bytes().all(plain)
}

impl Spec {
    /// # Errors
    /// What is neither a version, a range, nor a tag of the registry's.
    pub fn parse(text: &str) -> Plain<Spec> {
        match text.trim() {
            "" | "*" => Ok(Spec::Any),
            tag if is_tag(tag) => Ok(Spec::Tag(tag.to_owned())),
            range => {
                Range::parse(range).map(Spec::Range).map_err(|_| Unusual::new(format!("the version {text}")))
            }
        }
    }

    pub fn is_any(&self) -> bool {
        matches!(self, Spec::Any)
    }

    pub fn tag(&self) -> Option<&str> {
        if let Spec::Tag(tag) = self { Some(tag) } else { None }
    }

    /// Whether a version of the registry's is one of these. Any is, once a tag led to it.
    pub fn takes(&self, version: &Version) -> bool {
        match self {
            Spec::Any | Spec::Tag(_) => true,
            Spec::Range(range) => range.has(version),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_and_tags_are_known_and_everything_else_is_npms() {
        let takes =
            |spec: &str, text: &str| Spec::parse(spec).expect(spec).takes(&Version::parse(text).expect(text));
        assert!(takes("^1.2.0", "1.9.3") && !takes("^1.2.0", "2.0.0") && takes("", "1.0.0-a"));
        assert_eq!(Spec::parse("next").expect("a tag").tag(), Some("next"));
        for other in
            ["npm:a@1", "file:../a", "git+https://x/y", "a/b", "https://x/y.tgz", "workspace:*", "v1.2.3beta"]
        {
            assert!(Spec::parse(other).is_err(), "{other}");
        }
    }
}
