//! `npm install`, `npm uninstall` and `npm ci` in the server itself, where what comes out is surely what npm makes; everything else is npm's own
//! CLI, which a Node runtime runs. A project that is installed here has the same files as one that npm installed, to the byte:
//! `node_modules`, the links of `.bin`, `package-lock.json` and `.package-lock.json`.
//!
//! ```text
//! /bin/npm ─► Npm ── asked: a command line, settings and files that leave nothing open?
//!     command    │     no ─► npm in Node
//!                ▼
//!             manifest, lock     the project, and its lock file where it has one
//!             installed          what lies there already
//!             wish, document     packages that are asked for by name, in package.json
//!             pick, place, renew what is missing: which versions, and where in the tree      ◄── the mirror's lists
//!             flags, platform    what is for development, optional, or for other machines
//!             change             what comes, and what goes
//!             unpack, lay        packages into the task's namespace, as the task's caller    ◄── the mirror's tarballs
//! ```
//!
//! Whatever is met on the way that is not handled is an [`unusual::Unusual`]: what was made is taken away, and npm does it.

mod asked;
mod change;
mod command;
mod document;
mod flags;
mod installed;
mod lay;
mod lock;
mod manifest;
mod order;
mod pick;
mod place;
mod plan;
mod platform;
mod renew;
mod runtime;
mod spec;
mod stock;
mod tree;
mod unpack;
mod unusual;
mod version;
mod wish;

pub use runtime::{Config, Npm};
