//! `/etc` of containers, behind what their files have there: passwd(5) and group(5), which name root and the user that the reader is, as
//! `id` and `os.userInfo()` do. Nothing of it is the machine's.

use crate::synth::{Attr, Dir, Show, Text};
use vfs::{Caller, Kind, NodeRef, Op, TreeTag};

/// What a user is called who is not root; the variable USER of his processes says the same.
const USER: &str = ::container::USER;

#[derive(Clone, Copy)]
enum Table {
    Passwd,
    Group,
}

impl Show for Table {
    fn show(&self) -> Op<'_, Vec<u8>> {
        Op::ok(self.text(&Caller::me()))
    }
    fn show_to<'a>(&'a self, who: &'a Caller) -> Op<'a, Vec<u8>> {
        Op::ok(self.text(who))
    }
}

impl Table {
    fn text(self, who: &Caller) -> Vec<u8> {
        let (uid, gid) = (who.uid.0, who.gid.0);
        let mut text = match self {
            Table::Passwd => "root:x:0:0:root:/home:/bin/sh\n".to_owned(),
            Table::Group => "root:x:0:\n".to_owned(),
        };
        match self {
            Table::Passwd if uid != 0 => text += &format!("{USER}:x:{uid}:{gid}:{USER}:/home:/bin/sh\n"),
            Table::Group if gid != 0 => text += &format!("{USER}:x:{gid}:\n"),
            _ => {}
        }
        text.into_bytes()
    }
}

pub(crate) fn tree(tag: &TreeTag) -> NodeRef {
    let file = |number, table| Text::node(Attr::of_server(Kind::File, tag.path(number), 0o444), table);
    let entries = vec![("group", file(2, Table::Group)), ("passwd", file(3, Table::Passwd))];
    Dir::new(Attr::of_server(Kind::Dir, tag.path(1), 0o555), entries)
}
