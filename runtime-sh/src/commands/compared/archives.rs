//! gzip, tar and od beside the machine's own: what is told, what is left behind, and that each side reads what the other wrote.

use super::{Look, block_on, by_the_machine, by_us, compare, files, prepare};

#[test]
fn bytes_are_dumped_as_by_gnu() {
    compare(
        &[
            "od a.txt",
            "od -c a.txt",
            "od -c binary",
            "od -a binary",
            "od -x binary",
            "od -An -tx1 binary",
            "od -An -tx1 -v -w8 binary",
            "od -A d -t x1z binary",
            "od -A x -t u1 binary",
            "od -t o1 -t c binary",
            "od -t x1 -t x2 -t x4 a.txt",
            "od -t x8 -t d2 a.txt",
            "od -tx1z -td4 nonl.txt",
            "od -t d1 latin",
            "od -t dS latin",
            "od -t uI latin",
            "od -t dL latin",
            "od -b -c latin",
            "od -cx latin",
            "od -i a.txt",
            "od -j 3 -N 5 -c a.txt",
            "od -j 0x10 -c a.txt",
            "od -N 0 a.txt",
            "od empty",
            "od -An empty",
            "od zeros",
            "od -v zeros",
            "od -c a.txt b.txt",
            "od -c < a.txt",
            "od --endian=big -t x4 a.txt",
            "od -w3 -t x1 a.txt",
            "od -w -t x1 a.txt",
            "od -An -N4 -tu4 a.txt",
            "od -t x3 a.txt",
            "od -t q a.txt",
            "od -A q a.txt",
            "od -j 1000000 a.txt",
            "od missing",
            "od missing a.txt",
            "od big",
            "od -tx1 -Ad big",
        ],
        Look { before: "head -c 100 /dev/zero >zeros", ..Look::default() },
    );
}

const SQUEEZED: &str = "gzip -nk a.txt big binary empty; cat a.txt.gz big.gz >two.gz; head -c 40 big.gz >cut.gz; \
    { cat a.txt.gz; echo garbage; } >tail.gz; { cat a.txt.gz; head -c 600 /dev/zero; } >padded.gz; \
    { head -c 30 a.txt.gz; printf 'XXXX'; tail -c +35 a.txt.gz; } >bad.gz; cp a.txt.gz upper.tgz; cp a.txt fake.gz; \
    { head -c -8 a.txt.gz; printf 'abcd'; tail -c 4 a.txt.gz; } >crc.gz; rm big";

#[test]
fn what_gzip_squeezed_is_expanded_as_by_gzip() {
    compare(
        &[
            "gzip -d big.gz",
            "gzip -dk big.gz",
            "gunzip big.gz",
            "gunzip big",
            "gunzip -c a.txt.gz",
            "zcat a.txt.gz",
            "zcat two.gz",
            "gzip -dc < a.txt.gz",
            "zcat < two.gz",
            "gzip -t a.txt.gz big.gz",
            "gzip -t cut.gz",
            "gzip -d cut.gz",
            "zcat cut.gz",
            "zcat tail.gz",
            "zcat padded.gz",
            "gzip -d upper.tgz",
            "gzip -d fake.gz",
            "gzip -dc a.txt fake.gz a.txt.gz",
            "gzip -d a.txt.gz",
            "gzip -df a.txt.gz",
            "gzip -dq b.txt",
            "gunzip b.txt",
            "gunzip code.c",
            "gzip -d dir",
            "gzip dir",
            "gzip missing",
            "gunzip missing",
            "gzip -d missing.gz",
            "gzip a.txt.gz",
            "gzip -d empty.gz",
            "gzip -d crc.gz",
            "gzip a.txt < a.txt",
            "zcat missing a.txt.gz",
            "gzip -d -S .gz big.gz",
        ],
        Look { files: true, before: SQUEEZED, ..Look::default() },
    );
}

/// Runs `line` by us, and then `check` by the machine: what it prints.
fn then(before: &str, line: &str, check: &str) -> String {
    let dir = tempfile::tempdir().expect("a temporary directory");
    files::make(dir.path());
    prepare(dir.path(), before);
    let ours = block_on(by_us(dir.path(), line));
    assert_eq!((ours.status, ours.stderr.escape_ascii().to_string()), (0, String::new()), "{line}");
    let theirs = by_the_machine(dir.path(), check);
    assert_eq!(theirs.status, 0, "{line}; {check}: {theirs}");
    String::from_utf8_lossy(&theirs.stdout).into_owned()
}

#[test]
fn what_we_squeeze_gzip_expands() {
    for level in ["-1", "-6", "-9", "-n"] {
        let line = format!("gzip {level} big");
        assert_eq!(
            then("cp big same", &line, "sh -c 'gzip -tv big.gz 2>&1; gunzip big.gz; cmp big same'")
                .lines()
                .next(),
            Some("big.gz:\t OK")
        );
    }
    // The name and the time are in it, and the file that is squeezed gives way to it, with its mode.
    let shown = then(
        "chmod 640 big",
        "gzip big",
        "sh -c 'test ! -e big; stat -c %a big.gz; gzip -lN big.gz | tail -n 1'",
    );
    assert!(shown.starts_with("640\n") && shown.trim_end().ends_with(" big"), "{shown}");
}

/// Archives of the machine's tar, and one that leads out.
const PACKED: &str = "export TAR_OPTIONS=--mtime=@1600000000; tar cf a.tar a.txt dir link hard b.txt script; tar czf a.tgz dir; tar cf abs.tar -P /bin/true 2>/dev/null; \
    mkdir -p evil/sub; echo evil >evil/x; (cd evil/sub; tar cPf ../../up.tar ../x); ln -s /tmp evil/lead; ln -s ../.. evil/climb; \
    tar cf links.tar evil; rm -r evil; tar cf empty.tar -T /dev/null; head -c 3000 a.tar >cut.tar; mkdir to; mkdir -p long; \
    N=$(printf 'n%.0s' $(seq 150)); echo long >long/$N; tar cf long.tar long; rm -r long; mkfifo pipe; tar cf fifo.tar pipe; rm pipe";

#[test]
fn archives_of_gnu_tar_are_listed_as_by_gnu_tar() {
    compare(
        &[
            "tar tf a.tar",
            "tar tvf a.tar",
            "tar -tvf a.tgz",
            "tar tzf a.tgz dir/sub",
            "tar tf a.tar dir/ script",
            "tar tf a.tar --exclude=sub",
            "tar tf a.tar --exclude=*.txt",
            "tar tvf links.tar",
            "tar tvf long.tar",
            "tar tvf fifo.tar",
            "tar tf empty.tar",
            "tar t < a.tar",
            "tar tf a.tar missing",
            "tar xOf a.tar a.txt dir/one.txt",
            "tar xvOf a.tar a.txt",
        ],
        Look { before: PACKED, ..Look::default() },
    );
}

#[test]
fn archives_of_gnu_tar_are_unpacked_as_by_gnu_tar() {
    compare(
        &[
            "tar xf a.tar -C to",
            "tar xvf a.tar -C to",
            "tar -x -v -z -f a.tgz --directory=to",
            "tar xf a.tgz -C to dir/sub",
            "tar xf a.tar",
            "tar xkf a.tar",
            "tar xf a.tar -C to --strip-components=1",
            "tar xf up.tar -C to",
            "tar xf abs.tar -C to",
            "tar xf links.tar -C to",
            "tar xf long.tar -C to",
            "tar xf fifo.tar -C to",
            "tar xf a.tar -C to missing",
            "tar xf missing.tar",
            "tar xf a.tar -C nowhere",
            "tar x -C to < a.tar",
            "tar xz -C to < a.tgz",
            "tar cf out.tar",
        ],
        Look { files: true, before: PACKED, ..Look::default() },
    );
}

#[test]
fn archives_that_we_make_gnu_tar_takes_for_its_own() {
    for (options, operands) in [
        ("cf", "a.txt dir link hard b.txt script"),
        ("czf", "dir"),
        ("-cf", "./other -C dir one.txt -C sub three.txt"),
        ("--zstd -cf", "dir -C other b.txt"),
        ("cf", "--exclude=sub --exclude=*.c dir"),
        ("chf", "link dirlink"),
        ("cvf", "dir/"),
    ] {
        // GNU tar starts the program zstd.
        if options.contains("zstd") && std::process::Command::new("zstd").arg("--version").output().is_err() {
            eprintln!("not run here: tar --zstd: zstd is not installed");
            continue;
        }
        let long = format!("tar {options} out.tar {operands}");
        let list = "sh -c 'tar --numeric-owner -tvf out.tar | sort'";
        let theirs = {
            let dir = tempfile::tempdir().expect("a temporary directory");
            files::make(dir.path());
            assert_eq!(by_the_machine(dir.path(), &long).status, 0, "{long}");
            String::from_utf8_lossy(&by_the_machine(dir.path(), list).stdout).into_owned()
        };
        assert!(theirs.contains("rw"), "{theirs}");
        assert_eq!(then("", &long, list), theirs, "{long}");
    }
}

#[test]
fn an_archive_of_ours_brings_everything_back() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    files::make(dir.path());
    prepare(dir.path(), "mkdir to");
    let before = files::listing(&dir.path().join("dir"));
    for line in ["tar czf out.tgz dir", "tar xzf out.tgz -C to"] {
        let outcome = block_on(by_us(dir.path(), line));
        assert_eq!(outcome.status, 0, "{line}: {outcome}");
    }
    assert_eq!(files::listing(&dir.path().join("to/dir")), before);
}

#[test]
fn nothing_of_an_archive_is_written_through_a_link_that_it_brought() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    files::make(dir.path());
    // A link that leads out, and a file behind it, as no honest tar would write them.
    prepare(
        dir.path(),
        "mkdir to victim; mkdir lead; echo evil >lead/file; \
         ln -s ../victim hole; tar cf evil.tar --transform 's,hole,lead,S' hole; tar rf evil.tar lead/file",
    );
    let outcome = block_on(by_us(dir.path(), "tar xf evil.tar -C to"));
    assert_eq!(outcome.status, 2, "{outcome}");
    assert_eq!(std::fs::read_dir(dir.path().join("victim")).expect("it is there").count(), 0);
    assert_eq!(std::fs::read(dir.path().join("to/lead/file")).expect("beside the link"), b"evil\n");
}
