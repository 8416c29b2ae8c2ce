//! Programs of one and of several files, CommonJS and ES modules, run to their end.

mod served;

use served::Program;

#[test]
fn a_script_prints() {
    let ended = Program::new(&[("hello.js", "console.log('hello', 6 * 7)")]).run("/hello.js");
    assert_eq!(ended.output(), "hello 42\n");
}

#[test]
fn a_common_js_program_requires_its_files_and_knows_where_it_is() {
    let ended = Program::new(&[
        (
            "app/main.js",
            "const { name } = require('./lib/name');\nconsole.log(name, __filename, require.main === module)",
        ),
        ("app/lib/name.js", "exports.name = require('./data.json').name"),
        ("app/lib/data.json", r#"{"name": "glenda"}"#),
    ])
    .run("/app/main.js");
    assert_eq!(ended.output(), "glenda /app/main.js true\n");
}

#[test]
fn an_es_module_imports_and_awaits_at_the_top() {
    let ended = Program::new(&[
        ("main.mjs", "import { twice } from './twice.mjs';\nimport fs from 'node:fs';\nconst n = await Promise.resolve(21);\nconsole.log(twice(n), fs.existsSync('/main.mjs'), import.meta.url)"),
        ("twice.mjs", "export const twice = (n) => n * 2"),
    ])
    .run("/main.mjs");
    assert_eq!(ended.output(), "42 true file:///main.mjs\n");
}

#[test]
fn every_built_in_module_can_be_required() {
    let ended = Program::new(&[(
        "all.js",
        "const { builtinModules } = require('node:module');
         const failed = [];
         for (const name of builtinModules) {
           try {
             for (const value of Object.values(require(name))) if (typeof value === 'function') String(value);
           } catch (e) { failed.push(e.message.split('\\n')[0]); }
         }
         console.log(builtinModules.length > 50, failed.join('\\n'));",
    )])
    .run("/all.js");
    // Deprecated ones say so on stderr.
    assert_eq!(ended.stdout, "true Error: node:sqlite is not available in a task\n", "{}", ended.stderr);
}
