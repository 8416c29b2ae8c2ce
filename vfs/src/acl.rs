//! Access control lists: what acl(5) says of them, which is POSIX 1003.1e as Linux has it.
//!
//! A list says what the mode bits cannot: what single users and groups may do. The nine bits remain: the owner's and all
//! others' are the list's entries for them, and the group's are the list's mask where it has one, the most that any named
//! user, or group, gets. A list without named entries is the mode bits again, and is not kept.

use crate::*;

/// Which of a file's lists, each an extended attribute of its own to clients.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AclKind {
    /// Who may use the file.
    Access,
    /// What is made in the directory begins with it.
    Default,
}

/// In the order in which a list has them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Tag {
    Owner,
    User(Uid),
    OwningGroup,
    Group(Gid),
    Mask,
    Other,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Entry {
    tag: Tag,
    may: Access,
}

/// A valid list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Acl(Box<[Entry]>);

/// struct posix_acl_xattr_header and _entry of linux/posix_acl_xattr.h: little-endian.
const VERSION: u32 = 2;
const HEADER: usize = 4;
const ENTRY: usize = 8;
const OWNER: u16 = 0x01;
const USER: u16 = 0x02;
const OWNING_GROUP: u16 = 0x04;
const GROUP: u16 = 0x08;
const MASK: u16 = 0x10;
const OTHER: u16 = 0x20;
/// The number of entries that name nobody.
const NOBODY: u32 = u32::MAX;

impl AclKind {
    /// The list that the extended attribute `name` stands for.
    pub fn of(name: &[u8]) -> Option<AclKind> {
        [AclKind::Access, AclKind::Default].into_iter().find(|kind| kind.attribute().as_bytes() == name)
    }

    pub const fn attribute(self) -> &'static str {
        match self {
            AclKind::Access => "system.posix_acl_access",
            AclKind::Default => "system.posix_acl_default",
        }
    }
}

impl Acl {
    /// The list in the attribute's `value`; none where it is empty, which means that the file shall have none. EINVAL for what
    /// is no list, EOPNOTSUPP for one of another version.
    pub fn parse(value: &[u8]) -> Result<Option<Acl>> {
        if value.is_empty() {
            return Ok(None);
        }
        let (version, entries) = value.split_at_checked(HEADER).ok_or(Errno::EINVAL)?;
        if version != VERSION.to_le_bytes() {
            return Errno::EOPNOTSUPP.into();
        }
        let (entries, rest) = entries.as_chunks::<ENTRY>();
        if !rest.is_empty() {
            return Errno::EINVAL.into();
        }
        if entries.is_empty() {
            return Ok(None);
        }
        let entries: Box<[Entry]> = entries.iter().map(Entry::parse).collect::<Result<_>>()?;
        if !is_valid(&entries) {
            return Errno::EINVAL.into();
        }
        Ok(Some(Acl(entries)))
    }

    /// The attribute's value.
    pub fn encode(&self) -> Vec<u8> {
        let mut value = Vec::with_capacity(self.size());
        value.extend_from_slice(&VERSION.to_le_bytes());
        self.0.iter().for_each(|entry| entry.encode(&mut value));
        value
    }

    /// Bytes of the attribute's value.
    pub fn size(&self) -> usize {
        HEADER + self.0.len() * ENTRY
    }

    fn entry(&self, tag: Tag) -> Option<&Entry> {
        self.0.iter().find(|entry| entry.tag == tag)
    }

    /// The permission bits that go with the list.
    pub fn mode(&self) -> u32 {
        let of = |tag| self.entry(tag).map_or(0, |entry| entry.may.bits());
        let group = if self.entry(Tag::Mask).is_some() { Tag::Mask } else { Tag::OwningGroup };
        of(Tag::Owner) << 6 | of(group) << 3 | of(Tag::Other)
    }

    /// Whether it says no more than the mode bits do.
    pub fn is_mode_only(&self) -> bool {
        self.0.len() == 3
    }

    /// The list after chmod(2).
    pub fn with_mode(&self, mode: u32) -> Acl {
        self.changed(|_, digit| Access::from_bits_truncate(mode >> digit))
    }

    /// The list that a new file gets from this default one, and its permission bits: no more than is asked for in `mode`.
    pub fn inherited(&self, mode: u32) -> (u32, Acl) {
        let acl = self.changed(|may, digit| may & Access::from_bits_truncate(mode >> digit));
        (mode & !0o777 | acl.mode(), acl)
    }

    /// With other permissions in the three entries that are the mode bits, each of which is a digit.
    fn changed(&self, change: impl Fn(Access, u32) -> Access) -> Acl {
        let masked = self.entry(Tag::Mask).is_some();
        let entries = self.0.iter().map(|entry| {
            let digit = match entry.tag {
                Tag::Owner => 6,
                Tag::Mask => 3,
                Tag::OwningGroup if !masked => 3,
                Tag::Other => 0,
                _ => return *entry,
            };
            Entry { may: change(entry.may, digit), ..*entry }
        });
        Acl(entries.collect())
    }

    /// Whether it gives `who` all of `want` with a file of `owner` and `group`. Who is named is bound by what is said of him,
    /// also where others may do more.
    pub fn allows(&self, who: &Caller, owner: Uid, group: Gid, want: Access) -> bool {
        let mask = self.entry(Tag::Mask).map_or(Access::all(), |mask| mask.may);
        let mut is_member = false;
        for entry in &self.0 {
            match entry.tag {
                Tag::Owner if who.uid == owner => return entry.may.contains(want),
                Tag::User(uid) if who.uid == uid => return (entry.may & mask).contains(want),
                Tag::OwningGroup if who.in_group(group) => is_member = true,
                Tag::Group(gid) if who.in_group(gid) => is_member = true,
                Tag::Other => return !is_member && entry.may.contains(want),
                _ => continue,
            }
            // Of several groups one is enough, but it must give all.
            if entry.may.contains(want) {
                return mask.contains(want);
            }
        }
        false
    }
}

impl Entry {
    fn parse(bytes: &[u8; ENTRY]) -> Result<Entry> {
        let [t0, t1, p0, p1, number @ ..] = *bytes;
        let number = u32::from_le_bytes(number);
        let tag = match (u16::from_le_bytes([t0, t1]), number) {
            (USER | GROUP, NOBODY) => return Errno::EINVAL.into(),
            (OWNER, _) => Tag::Owner,
            (USER, number) => Tag::User(Uid(number)),
            (OWNING_GROUP, _) => Tag::OwningGroup,
            (GROUP, number) => Tag::Group(Gid(number)),
            (MASK, _) => Tag::Mask,
            (OTHER, _) => Tag::Other,
            _ => return Errno::EINVAL.into(),
        };
        let may = Access::from_bits(u32::from(u16::from_le_bytes([p0, p1]))).ok_or(Errno::EINVAL)?;
        Ok(Entry { tag, may })
    }

    fn encode(&self, into: &mut Vec<u8>) {
        let (tag, number) = match self.tag {
            Tag::Owner => (OWNER, NOBODY),
            Tag::User(uid) => (USER, uid.0),
            Tag::OwningGroup => (OWNING_GROUP, NOBODY),
            Tag::Group(gid) => (GROUP, gid.0),
            Tag::Mask => (MASK, NOBODY),
            Tag::Other => (OTHER, NOBODY),
        };
        into.extend_from_slice(&tag.to_le_bytes());
        into.extend_from_slice(&(self.may.bits() as u16).to_le_bytes());
        into.extend_from_slice(&number.to_le_bytes());
    }
}

/// The owner, named users, the owning group, named groups, a mask (which named ones need), all others: in this order.
fn is_valid(entries: &[Entry]) -> bool {
    let mut rest = entries.iter().map(|entry| entry.tag).peekable();
    let owner = rest.next_if_eq(&Tag::Owner).is_some();
    let mut named = 0;
    while rest.next_if(|tag| matches!(tag, Tag::User(_))).is_some() {
        named += 1;
    }
    let group = rest.next_if_eq(&Tag::OwningGroup).is_some();
    while rest.next_if(|tag| matches!(tag, Tag::Group(_))).is_some() {
        named += 1;
    }
    let mask = rest.next_if_eq(&Tag::Mask).is_some();
    let other = rest.next_if_eq(&Tag::Other).is_some();
    owner && group && (mask || named == 0) && other && rest.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acl(entries: &[(Tag, u32)]) -> Acl {
        let entries =
            entries.iter().map(|(tag, may)| Entry { tag: *tag, may: Access::from_bits_retain(*may) });
        let mut value = VERSION.to_le_bytes().to_vec();
        entries.for_each(|entry| entry.encode(&mut value));
        let parsed = Acl::parse(&value).unwrap().unwrap();
        assert_eq!(parsed.encode(), value);
        parsed
    }

    fn allows(acl: &Acl, uid: u32, gid: u32, want: u32) -> bool {
        let who = Caller { groups: [Gid(gid)].into(), ..Caller::new(Uid(uid), Gid(9)) };
        acl.allows(&who, Uid(1), Gid(1), Access::from_bits_retain(want))
    }

    #[test]
    fn the_first_entry_that_speaks_of_a_user_decides_and_one_of_his_groups_must_give_all() {
        use Tag::*;
        let acl = acl(&[
            (Owner, 6),
            (User(Uid(2)), 7),
            (User(Uid(3)), 0),
            (OwningGroup, 4),
            (Group(Gid(5)), 2),
            (Mask, 6),
            (Other, 7),
        ]);
        assert_eq!(acl.mode(), 0o667);
        assert!(allows(&acl, 1, 1, 6) && !allows(&acl, 1, 1, 1), "the owner is not masked");
        assert!(allows(&acl, 2, 5, 6) && !allows(&acl, 2, 5, 7), "a named user is");
        assert!(!allows(&acl, 3, 1, 4), "who is named gets nothing by his groups");
        assert!(allows(&acl, 4, 1, 4) && allows(&acl, 4, 5, 2));
        let both = Caller { groups: [Gid(1), Gid(5)].into(), ..Caller::new(Uid(4), Gid(9)) };
        assert!(!acl.allows(&both, Uid(1), Gid(1), Access::READ | Access::WRITE), "no entry gives both");
        assert!(!allows(&acl, 4, 1, 1), "members are no others");
        assert!(allows(&acl, 4, 4, 7));
    }

    #[test]
    fn chmod_sets_the_mask_and_a_new_file_gets_no_more_than_was_asked_for() {
        use Tag::*;
        let named = acl(&[(Owner, 7), (User(Uid(2)), 7), (OwningGroup, 5), (Mask, 7), (Other, 0)]);
        assert_eq!(named.with_mode(0o640).mode(), 0o640);
        assert_eq!(named.with_mode(0o640).entry(OwningGroup).unwrap().may.bits(), 5);
        let (mode, inherited) = named.inherited(0o1666);
        assert_eq!((mode, inherited.mode()), (0o1660, 0o660));
        let plain = acl(&[(Owner, 7), (OwningGroup, 5), (Other, 0)]);
        assert!(plain.is_mode_only() && !named.is_mode_only());
        assert_eq!(plain.inherited(0o666).0, 0o640);
        assert_eq!(plain.with_mode(0o712).mode(), 0o712);
    }

    #[test]
    fn what_is_no_list_is_refused() {
        let whole = acl(&[
            (Tag::Owner, 7),
            (Tag::User(Uid(2)), 7),
            (Tag::OwningGroup, 5),
            (Tag::Mask, 7),
            (Tag::Other, 0),
        ]);
        let value = whole.encode();
        assert!(Acl::parse(b"").unwrap().is_none() && Acl::parse(&value[..4]).unwrap().is_none());
        for length in (1..value.len()).filter(|length| *length != 4) {
            assert!(Acl::parse(&value[..length]).unwrap_err().is(Errno::EINVAL), "{length}");
        }
        let with = |at: usize, byte: u8| {
            let mut value = value.clone();
            value[at] = byte;
            Acl::parse(&value).unwrap_err().errno()
        };
        assert_eq!(with(0, 1), Errno::EOPNOTSUPP);
        for (at, byte) in [(4, 2), (4, 0x20), (6, 8), (7, 1), (12, 8), (28, 8), (36, 0x40)] {
            assert_eq!(with(at, byte), Errno::EINVAL, "byte {at} {byte}");
        }
        let nobody: Vec<_> = [&value[..16], &[0xff; 4], &value[20..]].concat();
        assert!(Acl::parse(&nobody).unwrap_err().is(Errno::EINVAL));
        let unmasked: Vec<_> = [&value[..28], &value[36..]].concat();
        assert!(Acl::parse(&unmasked).unwrap_err().is(Errno::EINVAL));
    }
}
