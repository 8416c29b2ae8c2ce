//! `node --test`: parts of the files, and what it cannot do.

use std::path::Path;
use tests::engines::{Engine, Ran, engines};

fn run(engine: &Engine, dir: &Path, args: &[&str]) -> Ran {
    let bind = format!("{}:/app:ro", dir.display());
    engine.run(&[&["--bind", &bind, "--cap", "spawn", "-C", "/app", "node"], args].concat())
}

#[test]
fn a_shard_is_every_so_manyth_file_and_all_of_them_are_all_files() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    for name in ["a", "b", "c"] {
        let text = format!("require('node:test')('test {name}', () => {{}})");
        std::fs::write(dir.path().join(format!("{name}.test.js")), text).expect("room for a test");
    }
    for engine in engines("node --test") {
        for (shard, names) in [("1/2", "a c"), ("2/2", "b"), ("1/1", "a b c")] {
            let ran = run(&engine, dir.path(), &["--test", &format!("--test-shard={shard}")]);
            let said: Vec<&str> =
                ran.out.lines().filter_map(|line| line.strip_prefix("✔ test ")?.split(' ').next()).collect();
            assert_eq!(
                (said.join(" ").as_str(), ran.code),
                (names, Some(0)),
                "{}: {shard}: {}{}",
                engine.name,
                ran.out,
                ran.err
            );
        }
        let wrong = run(&engine, dir.path(), &["--test", "--test-shard=3/2"]);
        assert_eq!(wrong.code, Some(9), "{}", engine.name);
        assert!(wrong.err.contains("--test-shard: want INDEX/TOTAL"), "{}", wrong.err);
    }
}

#[test]
fn what_cannot_be_had_is_refused_by_its_name() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    std::fs::write(dir.path().join("a.js"), "console.log('ran')").expect("room for a program");
    for engine in engines("node --test") {
        for option in ["--experimental-test-coverage", "--watch"] {
            let ran = run(&engine, dir.path(), &[option, "a.js"]);
            assert_eq!((ran.code, ran.out.as_str()), (Some(9), ""), "{}: {option}", engine.name);
            assert!(ran.err.contains(option), "{}: {}", engine.name, ran.err);
        }
    }
}
