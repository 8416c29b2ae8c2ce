// Standard files: flowing, paused, closed, ended; in order, and written before the end.
const { spawnSync } = require('node:child_process');
function run(name, text, input = '') {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['-e', text], { encoding: 'utf8', input });
  console.log(`== ${name}: ${status}`);
  process.stdout.write(stdout.length > 2000 ? `${stdout.length} characters\n` : stdout);
  process.stdout.write(stderr.split('\n').filter((line) => !/^\s+at /.test(line)).join('\n'));
}
run('flowing', 'process.stdin.on("data", (d) => console.log(d.length, Buffer.isBuffer(d))).on("end", () => console.log("end"))', 'hello');
run('text', 'process.stdin.setEncoding("utf8").on("data", (d) => console.log(d))', 'gr\u00fc\u00df');
run('paused', 'process.stdin.on("readable", () => { let c; while ((c = process.stdin.read(2)) !== null) console.log(String(c)) }).on("end", () => console.log("end"))', 'abcde');
run('async iteration', '(async () => { let t = ""; for await (const c of process.stdin) t += c; console.log(t.length) })()', 'x'.repeat(100000));
run('pipe', 'process.stdin.pipe(process.stdout)', 'through\n');
run('not read', 'console.log("done")', 'ignored');
run('pause after one', 'process.stdin.once("data", (d) => { console.log(String(d)); process.stdin.pause() })', 'one');
run('unref', 'process.stdin.unref?.(); process.stdin.on("data", () => {}); console.log("ok")', '');
run('sync read', 'console.log(require("fs").readFileSync(0, "utf8"))', 'sync');
run('readline', 'const rl = require("readline").createInterface({ input: process.stdin }); rl.on("line", (l) => console.log("line", l)).on("close", () => console.log("closed"))', 'a\nb\r\nc');
run('readline iteration', '(async () => { for await (const l of require("readline").createInterface({ input: process.stdin })) console.log([l]) })()', '1\n\n3\n');
run('question', 'const rl = require("readline/promises").createInterface({ input: process.stdin, output: process.stdout }); rl.question("name? ").then((n) => { console.log("hi", n); rl.close() })', 'bob\n');
run('write callbacks', 'process.stdout.write("a", () => { process.stdout.write("b", "utf8", () => { console.error("done") }) })');
run('write returns', 'console.log(process.stdout.write(""), process.stdout.writable, process.stdout.fd, process.stderr.fd, process.stdin.fd, process.stdout.isTTY, process.stdout.columns)');
run('end of stdout', 'try { process.stdout.end("last\\n") } catch (e) { console.log(e.code) } process.stdout.on("error", (e) => console.error(e.code)); process.stdout.write("more")');
run('hex and base64', 'process.stdout.write("616263", "hex"); process.stdout.write("ZGVm", "base64"); process.stdout.write(new Uint8Array([10]))');
run('bad chunk', 'try { process.stdout.write(5) } catch (e) { console.log(e.code) }');
run('console', 'console.log("%s %d %i %j %o %%", "s", 1.5, 1.5, { a: 1 }, [1], "more"); console.info("i"); console.debug("d"); console.warn("w"); console.error("e %s", 1); console.table([{ a: 1, b: 2 }]); console.group("g"); console.log("in"); console.groupEnd(); console.dir({ a: { b: { c: { d: 1 } } } }, { depth: 0 }); console.count(); console.count("x"); console.countReset("x"); console.assert(false, "no %s", "way"); console.assert(true); console.log(Object.keys(console).slice(0, 5), console[Symbol.toStringTag])');
run('console follows stdout', 'const w = process.stdout.write; let n = 0; process.stdout.write = function (s) { n += s.length; return true }; console.log("12345"); process.stdout.write = w; console.log(n)');
run('inspect', 'console.log([ "a", \'b"c\', `d\'e` ], new Map([[1, { a: "x" }]]), new Set(["s"]), Symbol("q"), 10n, -0, [,1], [undefined], null, class A {}, () => {}, function f() {}, new (class B { x = 1 })(), new Error("m").message, /re/g, new Date(0), Buffer.from("hi"), new Uint8Array(3), Promise.resolve(1), Object.create(null), { get a() { return 1 }, set b(v) {} }, new WeakMap(), [[[[1]]]], "x".repeat(5), { a: "y".repeat(80) })');
run('new Console', 'const { Console } = require("console"); const c = new Console({ stdout: process.stderr }); c.log("to stderr"); console.log(c instanceof Console, console instanceof Console, typeof console.Console)');
