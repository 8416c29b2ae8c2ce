//! Names of users and groups: what the namespace's own /etc/passwd and /etc/group say, never the host's.

use super::Invocation;
use std::collections::HashMap;

/// Bytes that are read of one of the files.
const MOST: usize = 1 << 20;

#[derive(Default)]
pub struct People {
    users: HashMap<u32, String>,
    groups: HashMap<u32, String>,
    /// The groups that /etc/passwd gives its users.
    own: HashMap<String, u32>,
}

impl People {
    pub async fn read(call: &mut Invocation<'_>) -> People {
        let mut own = HashMap::new();
        let users = names(call, b"/etc/passwd", |name, group| {
            own.entry(name).or_insert(group);
        });
        let users = users.await;
        People { users, groups: names(call, b"/etc/group", |_, _| {}).await, own }
    }
    pub fn user(&self, uid: u32) -> String {
        self.users.get(&uid).cloned().unwrap_or_else(|| uid.to_string())
    }
    pub fn group(&self, gid: u32) -> String {
        self.groups.get(&gid).cloned().unwrap_or_else(|| gid.to_string())
    }
    pub fn knows_user(&self, uid: u32) -> bool {
        self.users.contains_key(&uid)
    }
    pub fn knows_group(&self, gid: u32) -> bool {
        self.groups.contains_key(&gid)
    }
    /// The number of a user, by name or as a number.
    pub fn uid(&self, name: &[u8]) -> Option<u32> {
        number(&self.users, name)
    }
    pub fn gid(&self, name: &[u8]) -> Option<u32> {
        number(&self.groups, name)
    }
    /// The group that a user of this name has.
    pub fn own_group(&self, name: &[u8]) -> Option<u32> {
        self.own.get(std::str::from_utf8(name).ok()?).copied()
    }
}

fn number(names: &HashMap<u32, String>, name: &[u8]) -> Option<u32> {
    let known = names.iter().find(|(_, known)| known.as_bytes() == name).map(|(number, _)| *number);
    known.or_else(|| std::str::from_utf8(name).ok()?.parse().ok())
}

/// The third field's names, which are the first. Where the fourth is a number too, `with` gets it with the name.
async fn names(
    call: &mut Invocation<'_>,
    path: &[u8],
    mut with: impl FnMut(String, u32),
) -> HashMap<u32, String> {
    let mut names = HashMap::new();
    let Ok(mut input) = call.open_file(path).await else { return names };
    let (mut line, mut read) = (Vec::new(), 0);
    while read < MOST && call.line(&mut input, b'\n', &mut line).await.unwrap_or(false) {
        read += line.len();
        let mut fields = line.split(|b| *b == b':');
        let (Some(name), Some(id)) = (fields.next(), fields.nth(1)) else { continue };
        let number = |field: &[u8]| std::str::from_utf8(field).ok()?.parse::<u32>().ok();
        if let Some(id) = number(id) {
            if let Some(next) = fields.next().and_then(number) {
                with(String::from_utf8_lossy(name).into_owned(), next);
            }
            names.entry(id).or_insert_with(|| String::from_utf8_lossy(name).into_owned());
        }
    }
    names
}
