//! Why a project is left to npm itself. No fault: what is not surely done as npm does it is npm's to do.

use std::fmt;

#[derive(Debug, PartialEq, Eq)]
pub struct Unusual(String);

pub type Plain<T> = Result<T, Unusual>;

impl Unusual {
    pub fn new(what: impl Into<String>) -> Unusual {
        Unusual(what.into())
    }
}

impl fmt::Display for Unusual {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<vfs::Error> for Unusual {
    fn from(error: vfs::Error) -> Unusual {
        Unusual(error.to_string())
    }
}
