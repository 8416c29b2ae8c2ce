//! What a program's end says: uncaught errors, with Node's output and statuses.

mod served;

use served::{Ended, Program};

fn run(name: &str, text: &str) -> Ended {
    Program::new(&[(name, text)]).run(&format!("/{name}"))
}

#[track_caller]
fn assert_begins(ended: &Ended, code: i32, beginning: &str) {
    assert!(ended.stderr.starts_with(beginning), "{}", ended.stderr);
    assert!(ended.stderr.ends_with("\n\nNode.js v26.5.1\n"), "{}", ended.stderr);
    assert_eq!(ended.exit["code"], code);
}

#[test]
fn an_uncaught_error_is_shown_with_its_line_and_ends_with_1() {
    let ended = run("boom.js", "function f() {\n  throw new Error('boom');\n}\nf();\n");
    let shown = "/boom.js:2\n  throw new Error('boom');\n  ^\n\nError: boom\n    at f (";
    assert_begins(&ended, 1, shown);
}

#[test]
fn a_syntax_error_is_shown_with_file_line_and_caret() {
    let ended = run("bad.js", "const a = 1;\nconst b = ;\n");
    if served::is_quickjs() {
        assert!(ended.stderr.contains("2 | const b = ;\n  |           ~"), "{}", ended.stderr);
        return;
    }
    let shown = "/bad.js:2\nconst b = ;\n          ^\n\nSyntaxError: Unexpected token ';'\n";
    assert_begins(&ended, 1, shown);
}

#[test]
fn a_module_that_is_not_found_names_who_asked() {
    let shown = "Error: Cannot find module './nope'\nRequire stack:\n- /asks.js\n";
    assert_begins(&run("asks.js", "require('./nope')"), 1, shown);
    let ended = run("asks.mjs", "import './nope.mjs'");
    assert!(ended.stderr.contains("ERR_MODULE_NOT_FOUND"), "{}", ended.stderr);
    assert!(ended.stderr.contains("/nope.mjs' imported from"), "{}", ended.stderr);
    assert_eq!(ended.exit["code"], 1);
}

#[test]
fn a_rejection_that_nobody_handles_ends_the_program() {
    let ended = run("reject.js", "Promise.reject(new TypeError('no'))");
    assert_begins(
        &ended,
        1,
        "/reject.js:1\nPromise.reject(new TypeError('no'))\n               ^\n\nTypeError: no\n",
    );
    let ended = run("reject.js", "Promise.reject(5)");
    assert!(ended.stderr.contains("The promise rejected with the reason \"5\""), "{}", ended.stderr);
    assert!(ended.stderr.contains("ERR_UNHANDLED_REJECTION"), "{}", ended.stderr);
    assert_eq!(ended.exit["code"], 1);
}

#[test]
fn what_is_thrown_and_is_no_error_is_shown_as_it_is() {
    let ended = run("odd.js", "setTimeout(() => { throw { a: 1 } }, 1)");
    assert!(ended.stderr.contains("Uncaught:\n{ a: 1 }\n"), "{}", ended.stderr);
    assert_eq!(ended.exit["code"], 1);
}

#[test]
fn listeners_of_the_process_hear_of_errors_instead() {
    let ended = run(
        "heard.js",
        "process.on('uncaughtException', (e, origin) => console.log(e.message, origin));
         process.on('unhandledRejection', (reason) => console.log('reason', reason));
         process.on('beforeExit', (code) => console.log('beforeExit', code));
         process.on('exit', (code) => console.log('exit', code));
         setTimeout(() => { process.exitCode = 5; throw new Error('later'); }, 1);
         Promise.reject(42);",
    );
    assert_eq!(
        ended.stdout, "reason 42\nlater uncaughtException\nbeforeExit 5\nexit 5\n",
        "{}",
        ended.stderr
    );
    assert_eq!(ended.exit["code"], 5);
}

#[test]
fn an_error_of_the_handler_itself_ends_with_7() {
    let ended =
        run("handler.js", "process.on('uncaughtException', () => { throw new Error('worse') });\nthrow 1;");
    assert!(ended.stderr.contains("Error: worse"), "{}", ended.stderr);
    assert_eq!(ended.exit["code"], 7);
}

#[test]
fn native_addons_are_refused_with_advice() {
    let ended = run("addon.js", "require('./x.node')");
    assert!(ended.stderr.contains("Cannot find module './x.node'"), "{}", ended.stderr);
    let ended = Program::new(&[("addon.js", "require('./x.node')"), ("x.node", "")]).run("/addon.js");
    assert!(ended.stderr.contains("native addons cannot be loaded here"), "{}", ended.stderr);
    assert!(ended.stderr.contains("WebAssembly"), "{}", ended.stderr);
}
