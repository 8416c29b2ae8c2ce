//! sed's ranges, and where files begin and end for it.

use super::{Look, compare};

#[test]
fn in_files_of_their_own_ranges_and_lines_begin_anew_as_with_gnu_sed() {
    compare(
        &[
            "sed -s '2,/nomatch/d' b.txt nonl.txt",
            "sed -s '0,/beta/d' b.txt hard",
            "sed -s -n '2,+5p' b.txt hard",
            "sed -s -n '1,5p;$=' b.txt old",
            "sed -s '3N;2,4s/^/x/' b.txt hard",
            "sed -s 'N;N;N;1,2d' b.txt hard old",
            "sed -s N b.txt hard",
            "sed -s -n '$n;p;=' b.txt hard",
            "sed -s '1h;$G' b.txt hard",
            "sed -s '1R old' b.txt hard",
            "sed -s 'R b.txt' old new",
            "sed '2,/nomatch/d' b.txt hard",
            "sed -i '2,/nomatch/d' b.txt old",
            "sed -i '/beta/,/nomatch/s/^/> /' b.txt old",
            "sed -i '0,/o/s//0/' old new",
            "sed -i 'N;N;N;s/\\\\n/-/g' b.txt old",
            "sed -i -n '$!{n;p}' b.txt old",
        ],
        Look { files: true, ..Look::default() },
    );
}

#[test]
fn ranges_whose_ends_were_read_by_other_commands_are_those_of_gnu_sed() {
    compare(
        &[
            "sed 'N;1,3s/^/x/' old",
            "sed '$!N;1,2d' old",
            "sed -n 'N;N;1,2p' old",
            "sed -n 'N;N;2,3p' old",
            "sed -n 'N;N;2,4p' old",
            "sed -n 'N;N;N;2,3!p' old",
            "sed -n 'N;N;2,+1p' old",
            "sed -n 'N;N;2,/six/p' old",
            "sed -n 'N;N;2,$p' old",
            "sed -n 'N;N;N;2,8~1p' old",
            "sed -n '3{n;n;n};4,5p' old",
            "sed -n '3{n;n;n};4,8p' old",
            "sed -n '2{N;N};/[of]o*u/,3p' old",
            "sed -n '2{N;N};/one/,+1p' old",
            "sed -n '2{N;N};1,3p' old",
            "sed -n '2{N;N};1,+1p' old",
            "sed -n '5,8{3,6p}' old",
            "sed -n '5,8{3,5p}' old",
            "sed -n '5,8{3,4p}' old",
            "sed -n '5,9{3,+2p}' old",
            "sed -n '2,1p' old",
            "sed -n '2~3,3p' old",
            "sed -n ':a;2,2p;2{/y/!{s/$/y/;ba}}' old",
            "sed -n ':a;2,/t/p;2{/y/!{s/$/y/;ba}}' old",
            "sed -n ':a;2,+0p;2{/y/!{s/$/y/;ba}}' old",
            "sed -n ':a;$,2p;${/y/!{s/$/y/;ba}}' old",
            "sed '$!N;1,2c\\\nfoo' old",
            "sed '$!N;1,3c\\\nfoo' old",
            "sed '1,3{N;P;D}' old",
        ],
        Look::default(),
    );
}

#[test]
fn labels_and_the_ends_of_lines_are_those_of_gnu_sed() {
    compare(
        &[
            "sed -n 'ba;p;:a;s/^/A/p;d;:a;s/^/B/p' b.txt",
            "sed ':a;s/^/x/;/xxx/!ta;:a' b.txt",
            "sed -z = binary",
            "sed -z F binary",
            "sed -z 'i\\\nx\\\ny' binary",
            "sed -z 'c\\\nx' binary",
            "sed -z 'a\\\nx' binary",
            "sed -zn '$=' binary",
            "sed -z 'l;P;D' binary",
            "sed -z '2,3c x' binary",
        ],
        Look::default(),
    );
}
