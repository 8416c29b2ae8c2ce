//! mktemp(1): a file or directory whose name nobody has.

use super::gnu::{Done, Program, fail, misused};
use super::messages::{quoted, say};
use super::options::Args;
use super::reach::joined;
use super::{Invocation, words};
use std::hash::BuildHasher;
use vfs::{Errno, Error, Follow, OpenFlags};

pub(super) const PROGRAM: Program = Program::new(
    "[OPTION]... [TEMPLATE]",
    "Create a temporary file or directory, safely, and print its name.",
    "d,directory u,dry-run q,quiet p= tmpdir=? suffix= t",
);

const LETTERS: &[u8; 62] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

pub(super) async fn run(call: &mut Invocation<'_>, args: Args) -> Done {
    if args.operands.len() > 1 {
        return misused("too many templates");
    }
    let given = args.operands.first();
    let mut template = given.cloned().unwrap_or_else(|| b"tmp.XXXXXXXXXX".to_vec());
    let suffix = match args.value("suffix") {
        Some(_) if !template.ends_with(b"X") => {
            return fail(say!("with --suffix, template ", quoted(&template), " must end in X"));
        }
        Some(suffix) => suffix.to_vec(),
        None => {
            let end = template.iter().rposition(|b| *b == b'X').map_or(0, |last| last + 1);
            template.split_off(end)
        }
    };
    if suffix.contains(&b'/') {
        return fail(say!("invalid suffix ", quoted(&suffix), ", contains directory separator"));
    }
    let count = template.iter().rev().take_while(|b| **b == b'X').count();
    if count < 3 {
        return fail(say!("too few X's in template ", quoted(&say!(template, suffix))));
    }
    let in_dir = given.is_none() || args.has("p") || args.has("tmpdir") || args.has("t");
    if in_dir {
        if given.is_some() && template.starts_with(b"/") {
            return fail(say!(
                "invalid template, ",
                quoted(&say!(template, suffix)),
                "; with --tmpdir, it may not be absolute"
            ));
        }
        let named = args.value("p").or(args.value("tmpdir")).filter(|dir| !dir.is_empty());
        let dir = match (named, call.env.get(b"TMPDIR").filter(|dir| !dir.is_empty())) {
            (_, Some(dir)) if args.has("t") => dir,
            (Some(dir), _) => dir,
            (None, Some(dir)) => dir,
            (None, None) => b"/tmp",
        };
        template = joined(dir, &template);
    }
    let what = if args.has("d") { "directory" } else { "file" };
    let at = template.len() - count;
    let mut failed = Error::from(Errno::EEXIST);
    for attempt in 0..1000u32 {
        let mut path = template.clone();
        // A fresh key each time: nobody can tell the next name from the last.
        let mut noise = std::hash::RandomState::new().hash_one((attempt, at));
        for byte in &mut path[at..] {
            *byte = LETTERS[(noise % 62) as usize];
            noise = if noise < 62 { std::hash::RandomState::new().hash_one(noise) } else { noise / 62 };
        }
        path.extend_from_slice(&suffix);
        let made = if args.has("u") {
            match call.place(&path, Follow::No).await {
                Ok(_) => Errno::EEXIST.into(),
                Err(error) if error.is(Errno::ENOENT) => Ok(()),
                Err(error) => Err(error),
            }
        } else if args.has("d") {
            call.make_directory(&path, 0o700).await.map(drop)
        } else {
            call.create(&path, 0o600, OpenFlags::WRITE | OpenFlags::EXCLUSIVE).await.map(drop)
        };
        match made {
            Ok(()) => {
                call.stdout.write(&say!(path, "\n")).await?;
                return Ok(0);
            }
            Err(error) if error.is(Errno::EEXIST) => {}
            Err(error) => {
                failed = error;
                break;
            }
        }
    }
    if args.has("q") {
        return Err(super::gnu::Failure::Status(1));
    }
    fail(say!(
        "failed to create ",
        what,
        " via template ",
        quoted(&say!(template, suffix)),
        ": ",
        words(&failed)
    ))
}
