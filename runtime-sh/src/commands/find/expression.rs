//! find's expression: a tree of tests and actions.

use super::super::glob::Glob;
use super::super::pattern::Pattern;
use vfs::{Kind, Time};

/// `+n`, `n`, `-n`.
#[derive(Clone, Copy, Debug)]
pub enum Compare {
    More(u64),
    Exactly(u64),
    Less(u64),
}

impl Compare {
    pub fn holds(self, value: i64) -> bool {
        match self {
            Compare::More(n) => value > n as i64,
            Compare::Exactly(n) => value == n as i64,
            Compare::Less(n) => value < n as i64,
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub enum Clock {
    Access,
    Change,
    Modify,
}

pub enum PermissionTest {
    Exactly(u32),
    All(u32),
    Any(u32),
}

/// A command to run: its words, and how.
pub struct Exec {
    pub words: Vec<Vec<u8>>,
    /// With as many files as fit (`+`); its number among those.
    pub batch: Option<usize>,
    /// In the directory of the file.
    pub in_directory: bool,
}

pub enum Node {
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    Not(Box<Node>),
    /// The first for its actions, then the second.
    List(Box<Node>, Box<Node>),
    True,
    False,
    Name(Glob),
    Path(Glob),
    LinkName(Glob),
    Regex(Pattern),
    Type(Vec<Kind>),
    TypeBehind(Vec<Kind>),
    /// Files whose first time is later than the other's.
    Newer(Clock, Time),
    /// Older than so many units of seconds.
    Age {
        clock: Clock,
        unit: u64,
        compare: Compare,
    },
    Size {
        unit: u64,
        compare: Compare,
    },
    Empty,
    Permission(PermissionTest),
    User(u32),
    Group(u32),
    Uid(Compare),
    Gid(Compare),
    NoUser,
    NoGroup,
    Links(Compare),
    Inode(Compare),
    SameFile(u64),
    Access(vfs::Access),
    Prune,
    Quit,
    Print(u8),
    Format(Vec<u8>),
    Ls,
    Exec(Exec),
    Delete,
}

/// What the expression says of the walk as a whole.
pub struct Expression {
    pub root: Node,
    pub min_depth: usize,
    pub max_depth: usize,
    pub depth_first: bool,
    pub one_tree: bool,
    pub follow: bool,
    pub batches: usize,
    /// It has an action of its own: nothing is printed for that it holds.
    pub acts: bool,
}
