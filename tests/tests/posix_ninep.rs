//! What a 9P2000.L client that is not the superuser may do with a file that he has open, as Linux asks for it.

use nine::client::{Client, Fid};
use nine::wire::{AttrMask, Dialect, Mode, Msize, OpenFlags, SetAttrFields, SetAttrMask, Uid};
use tests::Server;

/// pjdfstest's ftruncate::affected_create_flags_only.
#[tokio::test]
async fn a_file_that_was_made_unwritable_is_cut_through_the_fid_that_made_it() {
    let server = Server::start(&[]);
    let stream = tokio::net::UnixStream::connect(server.path("sock")).await.expect("it listens");
    let client = Client::connect(stream, Dialect::P9P2000L, Msize(1 << 16)).await.expect("it speaks .L");
    let root = client.attach(b"", Some(Uid(65534)), b"/").await.expect("a root");
    let mut made = root.walk(["tmp"]).await.expect("/tmp");
    let flags = OpenFlags::from_bits_retain((libc::O_RDWR | libc::O_CREAT) as u32);
    made.create(b"unwritable", flags, Mode(0)).await.expect("everyone may make files there");
    made.write(0, b"content").await.expect("it was opened for writing");
    // ftruncate(2) on v9fs: the size, and the times of the change, which are the server's own.
    let valid = SetAttrMask::SIZE | SetAttrMask::MTIME | SetAttrMask::CTIME;
    made.setattr(SetAttrFields { valid, size: 3, ..SetAttrFields::default() }).await.expect("ftruncate");
    assert_eq!(made.getattr(AttrMask::BASIC).await.expect("its attributes").size, 3);
    // truncate(2) goes by the mode.
    let closed = root.walk(["tmp", "unwritable"]).await.expect("the file");
    let refused = closed.setattr(SetAttrFields { valid, ..SetAttrFields::default() }).await;
    assert_eq!(refused.expect_err("nobody may write to it").errno(), Some(libc::EACCES as u32));
}

/// Linux's open(2) with O_RDONLY | O_TRUNC: it opens, and then cuts by what it has opened.
#[tokio::test]
async fn a_file_that_is_open_to_be_read_is_cut_by_who_may_write_it() {
    let server = Server::start(&[]);
    let stream = tokio::net::UnixStream::connect(server.path("sock")).await.expect("it listens");
    let client = Client::connect(stream, Dialect::P9P2000L, Msize(1 << 16)).await.expect("it speaks .L");
    let root = client.attach(b"", Some(Uid(65534)), b"/").await.expect("a root");
    let cut = SetAttrFields { valid: SetAttrMask::SIZE, size: 3, ..SetAttrFields::default() };
    for (mode, errno) in [(0o600, None), (0o400, Some(libc::EACCES as u32))] {
        let name = format!("cut{mode:o}");
        let mut made = root.walk(["tmp"]).await.expect("/tmp");
        let flags = OpenFlags::from_bits_retain((libc::O_WRONLY | libc::O_CREAT) as u32);
        made.create(name.as_bytes(), flags, Mode(mode)).await.expect("everyone may make files there");
        made.write(0, b"content").await.expect("it was opened for writing");
        let mut read = root.walk(["tmp", &name]).await.expect("the file");
        read.open(OpenFlags::empty()).await.expect("it may be read");
        assert_eq!(read.setattr(cut).await.err().and_then(|refused| refused.errno()), errno, "{mode:o}");
        let size = read.getattr(AttrMask::BASIC).await.expect("its attributes").size;
        assert_eq!(size, if errno.is_some() { 7 } else { 3 });
    }
}

/// In the dialects that remove by fid, the fid may be older than the name.
#[tokio::test]
async fn a_file_is_removed_through_a_fid_that_knows_its_old_name() {
    let server = Server::start(&[]);
    for dialect in [Dialect::P9P2000, Dialect::P9P2000U] {
        let stream = tokio::net::UnixStream::connect(server.path("sock")).await.expect("it listens");
        let client = Client::connect(stream, dialect, Msize(1 << 16)).await.expect("it speaks the dialect");
        let root = client.attach(b"root", Some(Uid(0)), b"/tmp").await.expect("a root");
        let make = async |name: &str| {
            let mut made = root.walk::<&str>([]).await.expect("the root");
            made.create(name.as_bytes(), OpenFlags::WRONLY, Mode(0o600)).await.expect(name);
            made.clunk().await.expect(name);
        };
        let names = async || {
            let mut dir = root.walk::<&str>([]).await.expect("the root");
            dir.open(OpenFlags::empty()).await.expect("a directory");
            let mut names: Vec<_> =
                dir.ls().await.expect("a listing").into_iter().map(|item| item.name).collect();
            names.retain(|name| name != b"." && name != b"..");
            names.sort();
            names
        };
        make("old").await;
        let walk = async |name: &str| root.walk([name]).await.expect(name);
        let (by_now_stale, stale_as_well) = (walk("old").await, walk("old").await);
        root.rename_at(b"old", &root, b"new").await.expect("rename");
        make("old").await;
        assert_eq!(names().await, [b"new".to_vec(), b"old".to_vec()], "{dialect}");
        by_now_stale.remove().await.expect("its name is new");
        assert_eq!(names().await, [b"old".to_vec()], "{dialect}: what is old now stays");
        stale_as_well.remove().await.expect_err("it was removed");
        assert_eq!(names().await, [b"old".to_vec()], "{dialect}: what has its name is another file");
        walk("old").await.remove().await.expect("remove");
    }
}

/// Servers with a tree of each kind that keeps files.
struct Trees {
    _dir: tempfile::TempDir,
    host: Server,
    overlay: Server,
}

impl Trees {
    fn new() -> Trees {
        let dir = tempfile::tempdir().expect("a temporary directory");
        std::fs::create_dir(dir.path().join("over")).expect("a directory");
        let there = dir.path().display();
        let host = Server::start(&["--bind", &format!("{there}:/host")]);
        let overlay = Server::start(&["--root", &format!("overlay:{there}")]);
        Trees { host, overlay, _dir: dir }
    }
    /// Each server, and the directory that is such a tree.
    fn each(&self) -> [(&Server, &'static str); 3] {
        [(&self.host, "tmp"), (&self.host, "host"), (&self.overlay, "over")]
    }
}

async fn root(server: &Server, dialect: Dialect) -> Fid {
    let stream = tokio::net::UnixStream::connect(server.path("sock")).await.expect("it listens");
    let client = Client::connect(stream, dialect, Msize(1 << 16)).await.expect("it is spoken");
    client.attach(b"root", Some(Uid(0)), b"/").await.expect("a root")
}

/// open(2) with O_RDWR | O_APPEND | O_CREAT on v9fs with cache=loose or cache=mmap, since Linux 6.12 at least: pages are written back whole,
/// also what was sent before, by the fid that made the file, and O_APPEND was left in its Tlcreate.
#[tokio::test]
async fn pages_written_back_by_the_fid_that_made_a_file_to_append_to_it_go_where_they_are_from() {
    let trees = Trees::new();
    for (server, tree) in trees.each() {
        let root = root(server, Dialect::P9P2000L).await;
        let flags = OpenFlags::from_bits_retain((libc::O_RDWR | libc::O_APPEND | libc::O_CREAT) as u32);
        let mut made = root.walk([tree]).await.expect("a directory");
        made.create(b"pages", flags, Mode(0o600)).await.expect("it is made");
        let content = async || {
            let mut file = root.walk([tree, "pages"]).await.expect("the file");
            file.open(OpenFlags::empty()).await.expect("it can be read");
            let bytes = file.read(0, 100).await.expect("its content").to_vec();
            String::from_utf8(bytes).expect("text")
        };
        made.write(0, b"one ").await.expect("written");
        made.write(0, b"one ").await.expect("written back again");
        made.write(0, b"one two ").await.expect("with what came behind it");
        assert_eq!(content().await, "one two ", "{tree}");
        // Who appends beside others does so at the end, wherever he believes it to be.
        let mut other = root.walk([tree, "pages"]).await.expect("the file");
        let appends = OpenFlags::from_bits_retain((libc::O_WRONLY | libc::O_APPEND) as u32);
        other.open(appends).await.expect("it can be written");
        other.write(8, b"other ").await.expect("appended");
        made.write(8, b"three ").await.expect("appended");
        other.write(0, b"again ").await.expect("appended");
        made.write(14, b"four").await.expect("appended");
        assert_eq!(content().await, "one two other three again four", "{tree}");
        // And so he does once the file was cut.
        let size = |size| SetAttrFields { valid: SetAttrMask::SIZE, size, ..SetAttrFields::default() };
        other.setattr(size(3)).await.expect("cut");
        made.write(0, b"!").await.expect("appended");
        assert_eq!(content().await, "one!", "{tree}");
    }
}

/// Linux's client says O_APPEND in the mode of 9P2000.u (0x80), where Plan 9's has no such bit.
#[tokio::test]
async fn what_is_open_to_append_over_9p2000_u_is_appended_to_wherever_a_write_believes_the_end_to_be() {
    let server = Server::start(&[]);
    for (dialect, expected) in [(Dialect::P9P2000U, "Tne two three "), (Dialect::P9P2000, "Two three ")] {
        let root = root(&server, dialect).await;
        let (appends, pages) = (OpenFlags::WRONLY | OpenFlags::APPEND, OpenFlags::RDWR | OpenFlags::APPEND);
        let mut one = root.walk(["tmp"]).await.expect("a directory");
        one.create(dialect.version().as_bytes(), appends, Mode(0o600)).await.expect("it is made");
        let mut other = root.walk(["tmp", dialect.version()]).await.expect("the file");
        other.open(appends).await.expect("it can be written");
        one.write(0, b"one ").await.expect("written");
        other.write(0, b"two ").await.expect("written");
        one.write(4, b"three ").await.expect("written");
        // By such a one the client writes pages back, with cache=mmap and cache=loose.
        let mut back = root.walk(["tmp", dialect.version()]).await.expect("the file");
        back.open(pages).await.expect("it can be written");
        back.write(0, b"T").await.expect("written");
        assert_eq!(back.read(0, 100).await.expect("its content"), expected, "{dialect}");
    }
}

/// open(2) with O_RDWR | O_APPEND (fopen's "a+") on v9fs with cache=loose or cache=mmap, since Linux 6.8: the last page, which the client has
/// read or written before, is written back with what came behind it by the fid that is open to append.
#[tokio::test]
async fn pages_written_back_by_a_fid_that_is_open_to_read_and_append_go_where_they_are_from() {
    let trees = Trees::new();
    for (server, tree) in trees.each() {
        let root = root(server, Dialect::P9P2000L).await;
        let mut made = root.walk([tree]).await.expect("a directory");
        made.create(b"known", OpenFlags::RDWR, Mode(0o600)).await.expect("it is made");
        made.write_all(0, &[b'a'; 5540]).await.expect("written");
        let open = async || {
            let mut file = root.walk([tree, "known"]).await.expect("the file");
            file.open(OpenFlags::RDWR | OpenFlags::APPEND).await.expect("it can be written");
            file
        };
        let content = async || made.read_to_end().await.expect("its content");
        let appender = open().await;
        let page = [&[b'a'; 1444][..], &[b'c'; 100]].concat();
        appender.write(4096, &page).await.expect("written back");
        appender.write(4096, &page).await.expect("written back again");
        let expected = [&[b'a'; 5540][..], &[b'c'; 100]].concat();
        assert!(content().await == expected, "{tree}: {} bytes", content().await.len());
        // Who appends beside others does so at the end, wherever he believes it to be.
        let other = open().await;
        other.write(5640, &[b'd'; 2552]).await.expect("appended");
        appender.write(5640, b"e").await.expect("appended");
        other.write(8192, b"f").await.expect("appended");
        let expected = [&expected[..], &[b'd'; 2552], b"ef"].concat();
        assert!(content().await == expected, "{tree}: {} bytes", content().await.len());
    }
}
