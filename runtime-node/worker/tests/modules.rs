//! Which file a specifier means, and how each kind of module is loaded.

mod served;

use served::Program;

#[track_caller]
fn assert_prints(files: &[(&str, &str)], program: &str, output: &str) {
    assert_eq!(Program::new(files).run(program).output(), output);
}

#[test]
fn an_es_module_takes_the_names_of_a_common_js_one() {
    let files = [
        (
            "main.mjs",
            "import lib, { twice, named } from './lib.cjs';\nconsole.log(twice(4), named, Object.keys(lib).join())",
        ),
        ("lib.cjs", "exports.twice = (n) => 2 * n; module.exports.named = 'n'"),
    ];
    assert_prints(&files, "/main.mjs", "8 n twice,named\n");
}

#[test]
fn an_es_module_can_be_required_with_what_it_imports() {
    let files = [
        ("main.cjs", "const { value, default: d } = require('./es.mjs'); console.log(value, d)"),
        ("es.mjs", "import { base } from './lib.cjs'; export const value = base + 1; export default 'd'"),
        ("lib.cjs", "exports.base = 41"),
    ];
    assert_prints(&files, "/main.cjs", "42 d\n");
}

#[test]
fn a_package_is_found_by_exports_conditions_and_its_own_name() {
    let package = r##"{"name": "pkg", "version": "1.2.3", "exports": {
        ".": {"import": "./es.mjs", "require": "./cjs.js"}, "./sub/*": "./lib/*.js", "./package.json": "./package.json"},
        "imports": {"#inner": "./lib/inner.js"}}"##;
    let files = [
        (
            "app/main.mjs",
            "import how from 'pkg'; import sub from 'pkg/sub/a'; import { createRequire } from 'node:module';
            const require = createRequire(import.meta.url);
            console.log(how, sub, require('pkg'), require('pkg/package.json').version);
            try { require('pkg/lib/a.js') } catch (e) { console.log(e.code) }",
        ),
        ("app/node_modules/pkg/package.json", package),
        ("app/node_modules/pkg/es.mjs", "export default 'import'"),
        (
            "app/node_modules/pkg/cjs.js",
            "module.exports = 'require ' + require('#inner') + require('pkg/sub/a')",
        ),
        ("app/node_modules/pkg/lib/a.js", "module.exports = 'a'"),
        ("app/node_modules/pkg/lib/inner.js", "module.exports = 'inner '"),
    ];
    assert_prints(&files, "/app/main.mjs", "import a require inner a 1.2.3\nERR_PACKAGE_PATH_NOT_EXPORTED\n");
}

#[test]
fn package_json_says_what_js_is() {
    let files = [
        ("es/package.json", r#"{"type": "module"}"#),
        ("es/main.js", "import.meta.url; console.log(typeof require, (await import('./other.cjs')).default)"),
        ("es/other.cjs", "module.exports = typeof require"),
    ];
    assert_prints(&files, "/es/main.js", "undefined function\n");
}

#[test]
fn typescript_runs_without_its_types() {
    let files = [
        (
            "main.ts",
            "import { Kind, describe } from './kinds.ts';\ninterface Thing { kind: Kind }\nconst thing: Thing = { kind: Kind.Big };\nconsole.log(describe(thing.kind as Kind))",
        ),
        (
            "kinds.ts",
            "export enum Kind { Small, Big }\nexport function describe<T extends Kind>(kind: T): string { return Kind[kind]! }",
        ),
        ("package.json", r#"{"type": "module"}"#),
    ];
    assert_prints(&files, "/main.ts", "Big\n");
    let files = [("main.cts", "const n: number = 2; module.exports = n; console.log(n satisfies number)")];
    assert_prints(&files, "/main.cts", "2\n");
}

#[test]
fn json_is_imported_and_required() {
    let files = [
        ("main.mjs", "import data from './data.json' with { type: 'json' }; console.log(data.n)"),
        ("data.json", r#"{"n": 1}"#),
    ];
    assert_prints(&files, "/main.mjs", "1\n");
    let ended = Program::new(&[("main.js", "require('./bad.json')"), ("bad.json", "{")]).run("/main.js");
    assert!(ended.stderr.contains("SyntaxError: /bad.json: "), "{}", ended.stderr);
}

#[test]
fn modules_that_require_each_other_see_what_is_there_already() {
    let files = [
        ("a.js", "exports.early = 1; const b = require('./b'); exports.late = 2; console.log(b.saw)"),
        ("b.js", "const a = require('./a'); exports.saw = [a.early, a.late].join()"),
    ];
    // Node warns of it, too.
    assert_eq!(Program::new(&files).run("/a.js").stdout, "1,\n");
}

#[test]
fn a_script_behind_a_link_is_where_the_link_leads() {
    let program = Program::new(&[
        ("real/main.js", "console.log(__filename, require('./near'))"),
        ("real/near.js", "module.exports = 'near'"),
    ]);
    std::os::unix::fs::symlink("real/main.js", program.root().join("link.js")).unwrap();
    assert_eq!(program.run("/link.js").output(), "/real/main.js near\n");
}

#[test]
fn a_script_of_no_known_kind_is_what_its_syntax_says() {
    assert_prints(
        &[("main.js", "import fs from 'node:fs'; console.log(typeof fs.readFileSync)")],
        "/main.js",
        "function\n",
    );
    let waits = "import 'node:fs'; console.log(await Promise.resolve('awaited'))";
    assert_prints(&[("main.js", waits)], "/main.js", "awaited\n");
    assert_prints(&[("run", "#!/usr/bin/env node\nconsole.log('no extension')")], "/run", "no extension\n");
}
