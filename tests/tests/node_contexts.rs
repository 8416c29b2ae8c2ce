//! `node:vm`: contexts of a program's own.

use tests::engines::engines;

const TEXT: &str = r#"
const vm = require("node:vm");
const box = vm.createContext({ a: 1, say: (text) => console.log(text) });
const within = (text, options) => vm.runInContext(text, box, options);
const failure = (act) => { try { act() } catch (error) { return error.code ?? error.name } };
console.log(within("var b = a + 1; function f() { return b * 2 } let k = 3; c = f() + k; this.d = 'd'; [1, 2].length"));
console.log(box.b, box.c, box.d, typeof box.f, box.k);
Object.assign(box, { a: 10, b: 20 });
console.log(within("say(`${a} ${b} ${k} ${f()}`); typeof missing"));
console.log(failure(() => within("missing")), failure(() => within("} {")), failure(() => new vm.Script("} {")));
console.log(vm.isContext(box), vm.isContext({}), within("Array") === Array, Object.keys(box).sort().join());
console.log(vm.runInNewContext("x * 2", { x: 4 }), new vm.Script("x + 1").runInNewContext({ x: 1 }));
console.log(vm.compileFunction("return a + z", ["z"], { parsingContext: box })(1));
console.log(failure(() => vm.runInContext("1", {})), failure(() => within("for (;;);", { timeout: 50 })));
console.log(failure(() => within("null.x")), within("new Promise((done) => say(typeof done))") instanceof Promise);
"#;

const SAID: &str = "2
2 7 d function undefined
10 20 3 40
undefined
ReferenceError SyntaxError SyntaxError
true false false a,b,c,d,f,say
8 2
11
ERR_INVALID_ARG_TYPE ERR_SCRIPT_EXECUTION_TIMEOUT
function
TypeError false
";

#[test]
fn a_context_has_globals_of_its_own_that_the_program_shares() {
    for engine in engines("contexts") {
        let ran = engine.script("contexts.js", TEXT, &[]);
        assert_eq!((ran.out.as_str(), ran.err.as_str(), ran.code), (SAID, "", Some(0)), "{}", engine.name);
    }
}
