//! id, whoami, groups, hostname, uname, nproc: who and where a task is. What they say is the namespace's and the task's, and of the host only
//! what any program can see of its processor.

use super::Invocation;
use super::gnu::{Done, Program, fail, misused};
use super::messages::{quoted, say};
use super::options::Args;
use super::people::People;

pub(super) const ID: Program = Program::new(
    "[OPTION]... [USER]",
    "Print user and group information.",
    "a Z g,group G,groups n,name r,real u,user z,zero",
);
pub(super) const WHOAMI: Program =
    Program::new("[OPTION]...", "Print the user name associated with the current effective user ID.", "");
pub(super) const HOSTNAME: Program =
    Program::new("[OPTION]...", "Print the name of the system.", "s,short f,fqdn i");
pub(super) const UNAME: Program = Program::new(
    "[OPTION]...",
    "Print certain system information.",
    "a,all s,kernel-name n,nodename r,kernel-release v,kernel-version m,machine p,processor i,hardware-platform o,operating-system",
);
pub(super) const NPROC: Program =
    Program::new("[OPTION]...", "Print the number of processing units available.", "all ignore=");
pub(super) const GROUPS: Program = Program::new("[OPTION]...", "Print group memberships.", "");

/// The groups, the first one first, none twice.
fn groups(call: &Invocation<'_>) -> Vec<u32> {
    let mut all = vec![call.who.gid.0];
    for gid in call.who.groups.iter() {
        if !all.contains(&gid.0) {
            all.push(gid.0);
        }
    }
    all
}

pub(super) async fn id(call: &mut Invocation<'_>, args: Args) -> Done {
    let people = People::read(call).await;
    let (mut uid, mut gids) = (call.who.uid.0, groups(call));
    if let Some(name) = args.operands.first() {
        match people.uid(name) {
            Some(number) if people.knows_user(number) => {
                uid = number;
                gids = if number == call.who.uid.0 { gids } else { vec![number] };
            }
            _ => return fail(say!(quoted(name), ": no such user")),
        }
    }
    let chosen: Vec<&str> = ["u", "g", "G"].into_iter().filter(|key| args.has(key)).collect();
    if chosen.len() > 1 {
        return fail("cannot print \"only\" of more than one choice");
    }
    if chosen.is_empty() && (args.has("n") || args.has("r")) {
        return fail("cannot print only names or real IDs in default format");
    }
    let end = if args.has("z") { "\0" } else { "\n" };
    let named = args.has("n");
    let user = |uid: u32| if named { people.user(uid) } else { uid.to_string() };
    let group = |gid: u32| if named { people.group(gid) } else { gid.to_string() };
    let text = match chosen.first() {
        Some(&"u") => user(uid),
        Some(&"g") => group(gids[0]),
        Some(_) => gids.iter().map(|gid| group(*gid)).collect::<Vec<_>>().join(if args.has("z") {
            "\0"
        } else {
            " "
        }),
        None => {
            let with = |number: u32, known: bool, name: String| {
                if known { format!("{number}({name})") } else { number.to_string() }
            };
            let one = |gid: u32| with(gid, people.knows_group(gid), people.group(gid));
            let all: Vec<String> = gids.iter().map(|gid| one(*gid)).collect();
            format!(
                "uid={} gid={} groups={}",
                with(uid, people.knows_user(uid), people.user(uid)),
                one(gids[0]),
                all.join(",")
            )
        }
    };
    call.stdout.write(&say!(text, end)).await?;
    Ok(0)
}

pub(super) async fn whoami(call: &mut Invocation<'_>, args: Args) -> Done {
    if let Some(extra) = args.operands.first() {
        return misused(say!("extra operand ", quoted(extra)));
    }
    let people = People::read(call).await;
    let uid = call.who.uid.0;
    if !people.knows_user(uid) {
        return fail(format!("cannot find name for user ID {uid}"));
    }
    call.stdout.write(&say!(people.user(uid), "\n")).await?;
    Ok(0)
}

pub(super) async fn show_groups(call: &mut Invocation<'_>, _args: Args) -> Done {
    let people = People::read(call).await;
    let names: Vec<String> = groups(call).iter().map(|gid| people.group(*gid)).collect();
    call.stdout.write(&say!(names.join(" "), "\n")).await?;
    Ok(0)
}

/// The name in the namespace's /etc/hostname, or the variable, or that of every machine.
async fn host(call: &mut Invocation<'_>) -> String {
    let mut line = Vec::new();
    if let Ok(mut input) = call.open_file(b"/etc/hostname").await
        && call.line(&mut input, b'\n', &mut line).await.unwrap_or(false)
    {
        let name = String::from_utf8_lossy(line.trim_ascii()).into_owned();
        if !name.is_empty() {
            return name;
        }
    }
    call.env
        .get(b"HOSTNAME")
        .map_or("localhost".to_owned(), |name| String::from_utf8_lossy(name).into_owned())
}

pub(super) async fn hostname(call: &mut Invocation<'_>, args: Args) -> Done {
    if !args.operands.is_empty() {
        return fail("you must be root to change the host name");
    }
    let name = host(call).await;
    call.stdout.write(&say!(name, "\n")).await?;
    Ok(0)
}

pub(super) async fn uname(call: &mut Invocation<'_>, args: Args) -> Done {
    if let Some(extra) = args.operands.first() {
        return misused(say!("extra operand ", quoted(extra)));
    }
    let all = args.has("a");
    let none = args.options.is_empty();
    let node = host(call).await;
    let parts = [
        ("s", "Linux".to_owned()),
        ("n", node),
        ("r", env!("CARGO_PKG_VERSION").to_owned()),
        ("v", "taskfs".to_owned()),
        ("m", std::env::consts::ARCH.to_owned()),
        ("p", "unknown".to_owned()),
        ("i", "unknown".to_owned()),
        ("o", "GNU/Linux".to_owned()),
    ];
    let chosen = |key: &str| args.has(key) || (none && key == "s") || (all && !matches!(key, "p" | "i"));
    let shown: Vec<String> = parts.into_iter().filter(|(key, _)| chosen(key)).map(|(_, text)| text).collect();
    call.stdout.write(&say!(shown.join(" "), "\n")).await?;
    Ok(0)
}

pub(super) async fn nproc(call: &mut Invocation<'_>, args: Args) -> Done {
    let ignored = match args.value("ignore") {
        None => 0,
        Some(text) => match super::size::parse(text, b"") {
            Some(number) => number as usize,
            None => return fail(say!("invalid number: ", quoted(text))),
        },
    };
    let count = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let line = format!("{}\n", count.saturating_sub(ignored).max(1));
    call.stdout.write(line.as_bytes()).await?;
    Ok(0)
}
