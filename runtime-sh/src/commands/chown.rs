//! chown(1) and chgrp(1). Names are those of the namespace's own /etc/passwd and /etc/group.

use super::gnu::{Done, Program, fail, misused};
use super::messages::{quoted, say};
use super::options::Args;
use super::people::People;
use super::walk::{Entry, Links, Step, Walk};
use super::{Invocation, words};
use vfs::{Follow, Gid, Kind, SetStat, Uid};

const OPTIONS: &str = "c,changes f,silent,quiet dereference h,no-dereference no-preserve-root preserve-root reference= \
     R,recursive v,verbose H L P";

pub(super) const PROGRAM: Program = Program::new(
    "[OPTION]... [OWNER][:[GROUP]] FILE...\n  or:  chown [OPTION]... --reference=RFILE FILE...",
    "Change the owner and/or group of each FILE to OWNER and/or GROUP.",
    OPTIONS,
);

pub(super) const CHGRP: Program = Program::new(
    "[OPTION]... GROUP FILE...\n  or:  chgrp [OPTION]... --reference=RFILE FILE...",
    "Change the group of each FILE to GROUP.",
    OPTIONS,
);

/// Who is to have the files.
#[derive(Default)]
struct Owner {
    user: Option<u32>,
    group: Option<u32>,
    /// Both as they were said.
    shown: Vec<u8>,
}

pub(super) async fn run(call: &mut Invocation<'_>, args: Args) -> Done {
    change(call, args, false).await
}

pub(super) async fn chgrp(call: &mut Invocation<'_>, args: Args) -> Done {
    change(call, args, true).await
}

/// `USER`, `USER:GROUP`, `:GROUP`, or `USER:` for the user's own group.
fn owner(text: &[u8], people: &People) -> Done<Owner> {
    let number = |name: &[u8], found: Option<u32>, what: &str| match found {
        Some(number) => Ok(Some(number)),
        None if name.is_empty() => Ok(None),
        None => fail(say!("invalid ", what, ": ", quoted(text))),
    };
    // A number may have a sign.
    let plain = |name: &[u8]| name.strip_prefix(b"+").unwrap_or(name).to_vec();
    let at = text.iter().position(|b| *b == b':');
    let (user, group) = match at {
        Some(at) => (plain(&text[..at]), Some(plain(&text[at + 1..]))),
        None => (plain(text), None),
    };
    let uid = number(&user, people.uid(&user), "user")?;
    let mut shown = text.to_vec();
    let gid = match group {
        Some(group) if !group.is_empty() => number(&group, people.gid(&group), "group")?,
        Some(_) if uid.is_some() => {
            let Some(own) = people.own_group(&user) else {
                return fail(say!("invalid spec: ", quoted(text)));
            };
            shown.extend_from_slice(people.group(own).as_bytes());
            Some(own)
        }
        _ => None,
    };
    if uid.is_none() && gid.is_some() {
        shown.remove(0);
    }
    Ok(Owner { user: uid, group: gid, shown })
}

async fn change(call: &mut Invocation<'_>, args: Args, group_only: bool) -> Done {
    let people = People::read(call).await;
    let mut files = args.operands.as_slice();
    let owner = if let Some(path) = args.value("reference") {
        match call.stat(path, Follow::Yes).await {
            Ok(stat) => {
                let (user, group) = (stat.uid.0, stat.gid.0);
                let shown = match group_only {
                    true => people.group(group),
                    false => format!("{}:{}", people.user(user), people.group(group)),
                };
                Owner { user: (!group_only).then_some(user), group: Some(group), shown: shown.into_bytes() }
            }
            Err(error) => {
                return fail(say!("failed to get attributes of ", quoted(path), ": ", words(&error)));
            }
        }
    } else {
        let Some((text, rest)) = files.split_first() else { return misused("missing operand") };
        if rest.is_empty() {
            return misused(say!("missing operand after ", quoted(text)));
        }
        files = rest;
        if group_only {
            let number = people.gid(text.strip_prefix(b"+").unwrap_or(text));
            match number {
                None if !text.is_empty() => return fail(say!("invalid group: ", quoted(text))),
                group => Owner { user: None, group, shown: text.clone() },
            }
        } else {
            owner(text, &people)?
        }
    };
    if files.is_empty() {
        return misused("missing operand");
    }
    let follows = args.last(&["h", "dereference"]).map(|key| key == "dereference");
    let recursive = args.has("R");
    let links = match (recursive, args.last(&["H", "L", "P"])) {
        (true, Some("H")) => Links::Given,
        (true, Some("L")) => Links::Always,
        (true, _) if follows == Some(true) => {
            return fail("-R --dereference requires either -H or -L");
        }
        (true, _) => Links::Never,
        (false, _) if follows == Some(false) => Links::Never,
        (false, _) => Links::Given,
    };
    let mut failed = false;
    for path in files {
        let mut walk = Walk::new(links);
        let mut step = Some(walk.begin(call, path).await);
        while let Some(now) = step {
            match now {
                Step::Found(entry) => {
                    let link = entry.stat.kind() == Kind::Symlink;
                    if link && !recursive && links == Links::Given {
                        failed = true;
                        if !args.has("f") {
                            let why = "No such file or directory";
                            call.warn(say!("cannot dereference ", quoted(path), ": ", why)).await;
                        }
                    } else if !recursive || entry.stat.kind() != Kind::Dir {
                        failed |= !one(call, &args, &owner, &people, &entry).await?;
                    }
                    if !recursive {
                        walk.skip();
                    }
                }
                // A directory comes behind what is in it: who gives it away may not look into it any more.
                Step::Left(entry) if recursive => {
                    failed |= !one(call, &args, &owner, &people, &entry).await?;
                }
                Step::Failed { path, error, listing } => {
                    failed = true;
                    if !args.has("f") {
                        let what = if listing { "cannot read directory " } else { "cannot access " };
                        call.warn(say!(what, quoted(&path), ": ", words(&error))).await;
                    }
                }
                Step::Left(_) | Step::Loop(_) => {}
            }
            step = walk.step(call).await;
        }
    }
    Ok(u8::from(failed))
}

async fn one(
    call: &mut Invocation<'_>,
    args: &Args,
    owner: &Owner,
    people: &People,
    entry: &Entry,
) -> Done<bool> {
    let what = if owner.user.is_some() || owner.group.is_none() { "ownership" } else { "group" };
    let set = SetStat { uid: owner.user.map(Uid), gid: owner.group.map(Gid), ..SetStat::default() };
    if let Err(error) = entry.place.setstat(call.who, set).await {
        if !args.has("f") {
            call.warn(say!("changing ", what, " of ", quoted(&entry.path), ": ", words(&error))).await;
        }
        return Ok(false);
    }
    let (user, group) = (entry.stat.uid.0, entry.stat.gid.0);
    let same = owner.user.is_none_or(|new| new == user) && owner.group.is_none_or(|new| new == group);
    let old = match (owner.user, owner.group) {
        (_, None) => people.user(user),
        (None, Some(_)) => people.group(group),
        (Some(_), Some(_)) => format!("{}:{}", people.user(user), people.group(group)),
    };
    let line = match same {
        true if args.has("v") => say!(what, " of ", quoted(&entry.path), " retained as ", old, "\n"),
        false if args.has("v") || args.has("c") => {
            say!("changed ", what, " of ", quoted(&entry.path), " from ", old, " to ", owner.shown, "\n")
        }
        _ => return Ok(true),
    };
    call.stdout.write(&line).await?;
    Ok(true)
}
