// Exit codes of modules, and of the command line.
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const dir = fs.mkdtempSync('/tmp/same-');

// What differs by where Node's own code is: its frames, and its lines above an error.
const plain = (text) => text.replace(/(unsettled top-level await).*[^]*?\n\n\n+/, '$1\n').replace(/^node:.*\n.*\n *\^\n\n/gm, '').split('\n')
  .filter((line) => !/^\s+at |^\s+\.\.\. \d+ lines matching|^Thrown at:/.test(line)).join('\n')
  .replaceAll(process.execPath, 'node');

function run(name, args, options = {}) {
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', cwd: dir, ...options });
  console.log(`== ${name}: ${status} ${signal}`);
  process.stdout.write(stdout.replaceAll(dir, '/dir'));
  process.stdout.write(plain(stderr.replaceAll(dir, '/dir')));
}
function file(name, text) {
  fs.writeFileSync(`${dir}/${name}`, text);
  return name;
}

run('unsettled await', [file('a.mjs', 'console.log("before");\nawait new Promise(() => {});\nconsole.log("never")')]);
run('unsettled await with a code', [file('b.mjs', 'process.exitCode = 42; await new Promise(() => {})')]);
run('exit listener of it', [file('c.mjs', 'process.on("exit", (c) => console.log("exit", c)); await new Promise(() => {})')]);
run('awaited rejection', [file('d.mjs', 'await Promise.reject(new Error("awaited"))')]);
run('error in a module', [file('e.mjs', 'const a = 1;\nthrow new TypeError("in a module")')]);
run('syntax error in a script', [file('f.cjs', 'const a = 1;\nlet b = ;')]);
run('missing require', [file('i.cjs', 'require("./nope")')]);
run('missing package', [file('j.cjs', 'require("nope")')]);
run('missing script', ['nope.js']);
run('error in a required file', [(file('l1.cjs', '\n\n  throw new Error("deep")'), file('l.cjs', 'require("./l1.cjs")'))]);
run('print', ['-p', '[1, "a", { b: null }]']);
run('print a promise', ['-p', 'Promise.resolve(5)']);
run('eval and arguments', ['-e', 'console.log(process.argv.slice(1), process.execArgv)', 'x', '--y']);
run('eval of a module', ['--input-type=module', '-e', 'import fs from "node:fs"; console.log(typeof fs.readFileSync, typeof require)']);
run('eval that is a module', ['-e', 'import fs from "node:fs"; console.log(typeof fs.readFileSync)']);
run('script on standard input', [], { input: 'console.log("stdin", __filename, process.argv.length)' });
run('script on standard input with a dash', ['-', 'a'], { input: 'console.log(process.argv.slice(2))' });
run('options', ['--no-warnings', '--stack-trace-limit=3', file('m.js', 'console.log(process.execArgv, process.argv.slice(2), Error.stackTraceLimit)'), '--after']);
run('title', ['--title=mine', '-p', 'process.title']);
run('require before', ['-r', './' + file('pre.js', 'console.log("pre")'), '-e', 'console.log("main")']);
run('import before', ['--import', './' + file('pre.mjs', 'console.log("pre module")'), '-e', 'console.log("main")']);
run('unhandled: warn', ['--unhandled-rejections=warn', '-e', 'Promise.reject(new Error("w")); setTimeout(() => console.log("alive"), 5)']);
run('unhandled: none', ['--unhandled-rejections=none', '-e', 'Promise.reject(new Error("w")); setTimeout(() => console.log("alive"), 5)']);
run('unhandled: strict', ['--unhandled-rejections=strict', '-e', 'process.on("uncaughtException", (e, o) => console.log(e.message, o)); Promise.reject(new Error("w"))']);
run('env file', ['--env-file=' + file('.env', 'A=1\nB="two words"\n# c\n'), '-p', 'process.env.A + process.env.B']);
run('conditions', ['-C', 'special', '-p', 'require("./package.json").name'], (file('package.json', '{"name":"here"}'), {}));
run('check', ['--check', file('n.js', 'let a = ;')]);
run('unknown option', ['--frobnicate', '-e', '1']);
run('option without a value', ['-e']);
run('NODE_OPTIONS', ['-e', 'setTimeout(()=>{},1); console.log(process.execArgv)'], { env: { ...process.env, NODE_OPTIONS: '--no-warnings --title=t' } });
run('watch of a warning', ['-e', 'process.on("warning", (w) => console.log(w.name, w.code, w.message)); process.emitWarning("careful", { type: "Custom", code: "C1", detail: "more" })']);
run('a warning', ['-e', 'process.emitWarning("careful")']);
run('no warnings', ['--no-warnings', '-e', 'process.emitWarning("careful")']);
run('unsettled await beside a watcher', [file('o.mjs', 'import fs from "node:fs"; fs.watch(".").unref(); await new Promise(() => {})')]);
run('modules by their names', ['-p', 'os.EOL === require("os").EOL && path.sep + typeof fs.readFileSync + typeof crypto.createHash + Object.keys(globalThis).includes("os")']);
run('names of modules are free', ['-e', 'const fs = 1; let os = 2; path = 3; console.log(fs, os, path, delete globalThis.url, typeof url)']);
run('version', ['--version']);
