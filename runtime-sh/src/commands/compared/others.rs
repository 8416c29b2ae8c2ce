//! timeout, tsort, cksum.

use super::{Look, compare};

#[test]
fn time_is_taken_as_by_gnu_timeout() {
    compare(
        &[
            "timeout",
            "timeout 1",
            "timeout x true",
            "timeout 1x true",
            "timeout -1 true",
            "timeout 1 nonesuch",
            "timeout 0.05 sleep 5",
            "timeout -s KILL 0.05 sleep 5",
            "timeout --preserve-status 0.05 sleep 5",
            "timeout -k 0.05 0.05 sleep 5",
            "timeout -v 0.05 sleep 5",
            "timeout -s FOO 1 true",
            "timeout 0 true",
            "timeout 5 false",
            "timeout 5m cat a.txt",
            "timeout -k x 1 true",
            "timeout -s 0 0.05 sleep 0.2",
            "timeout -s CONT 0.05 sleep 0.2",
            "timeout -v -k 0.05 -s CONT 0.05 sleep 5",
            "timeout --foreground 0.05 sleep 1",
            "timeout -z",
            "timeout 1e-2 sleep 1",
            "timeout -s HUP --preserve-status .05 sleep 2",
        ],
        Look::default(),
    );
}

const PAIRS: &str = "printf 'a b\nb c\nx y\n' >plain; printf 'a b\nb a\nc d\n' >two; printf 'a b c\n' >odd; printf 'a a\nb b\n' >same; \
    printf 'a b\nb c\nc a\nd a\nb d\n' >three; printf 'z y\nz x\nz w\nw x\n' >fan";

#[test]
fn names_are_put_in_order_as_by_gnu_tsort() {
    compare(
        &[
            "tsort plain",
            "tsort two",
            "tsort odd",
            "tsort same",
            "tsort three",
            "tsort fan",
            "tsort < fan",
            "tsort - < fan",
            "tsort empty",
            "tsort a b",
            "tsort missing",
        ],
        Look { before: PAIRS, ..Look::default() },
    );
}

#[test]
fn checksums_are_those_of_gnu_cksum() {
    compare(
        &[
            "cksum a.txt b.txt big",
            "cksum < a.txt",
            "cksum empty",
            "cksum - < binary",
            "cksum missing a.txt",
            "cksum -x",
            "cksum",
        ],
        Look::default(),
    );
}
