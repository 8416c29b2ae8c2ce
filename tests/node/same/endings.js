// How programs end: what they say last, and their exit codes.
const { spawnSync } = require('node:child_process');

// What differs by where Node's own code is: its frames, and its lines above an error.
const plain = (text) => text.replace(/^node:.*\n.*\n *\^\n\n/gm, '').split('\n')
  .filter((line) => !/^\s+at |^\s+\.\.\. \d+ lines matching|^Thrown at:/.test(line)).join('\n')
  .replaceAll(process.execPath, 'node');

const programs = {
  'nothing': '',
  'exit code': 'process.exitCode = 9',
  'exit code from a listener': 'process.on("exit", () => { process.exitCode = 4 })',
  'exit': 'process.on("exit", (c) => console.log("exit", c)); process.exit(3); console.log("never")',
  'exit without a code': 'process.exitCode = 5; process.exit()',
  'exit with a word': 'try { process.exit("x") } catch (e) { console.log(e.code) }',
  'beforeExit and exit': 'let n = 0; process.on("beforeExit", (c) => { console.log("beforeExit", c); if (n++ < 2) setTimeout(() => console.log("more"), 1) }).on("exit", (c) => console.log("exit", c))',
  'exit within exit': 'process.on("exit", (c) => { console.log(c); process.exit(c + 1) }); process.exit(1)',
  'order': 'setTimeout(() => console.log("timeout")); setImmediate(() => console.log("immediate")); process.nextTick(() => console.log("tick")); Promise.resolve().then(() => console.log("promise")); queueMicrotask(() => console.log("microtask")); console.log("now")',
  'thrown error': 'throw new TypeError("bad")',
  'thrown string': 'throw "text"',
  'thrown object': 'throw { a: 1 }',
  'thrown null': 'throw null',
  'thrown undefined': 'throw undefined',
  'thrown later': 'setTimeout(() => { throw new Error("later") }, 1)',
  'thrown in a tick': 'process.nextTick(() => { throw new Error("tick") })',
  'error with a cause': 'throw new Error("outer", { cause: new Error("inner") })',
  'error with a code': 'throw Object.assign(new Error("coded"), { code: "ECODE", detail: [1, 2] })',
  'rejection': 'Promise.reject(new RangeError("no"))',
  'rejection with a number': 'Promise.reject(5)',
  'rejection with undefined': 'Promise.reject()',
  'rejection handled late': 'const p = Promise.reject(new Error("late")); process.on("unhandledRejection", (r) => console.log("unhandled", r.message)).on("rejectionHandled", () => console.log("handled")); setTimeout(() => p.catch(() => {}), 5)',
  'uncaughtException': 'process.on("uncaughtException", (e, o) => console.log("caught", e.message, o)); setTimeout(() => console.log("goes on"), 5); throw new Error("x")',
  'uncaughtException of a rejection': 'process.on("uncaughtException", (e, o) => console.log("caught", e.message, o)); Promise.reject(new Error("x"))',
  'monitor': 'process.on("uncaughtExceptionMonitor", (e, o) => console.log("seen", e.message, o)); throw new Error("x")',
  'handler that throws': 'process.on("uncaughtException", () => { throw new Error("worse") }); throw new Error("x")',
  'capture callback': 'process.setUncaughtExceptionCaptureCallback((e) => console.log("captured", e.message)); throw new Error("x")',
  'fatalException overwritten': 'process._fatalException = 5; throw new Error("x")',
  'reference error': 'nope',
  'not a function': 'const a = {}; a.b.c()',
  'stack overflow': 'function f() { f() } try { f() } catch (e) { console.log(e instanceof RangeError, e.message) }',
  'assert': 'require("assert").strictEqual(1, 2)',
  'signal to itself': 'process.kill(process.pid, "SIGTERM"); setInterval(() => {}, 1000)',
  'signal with a listener': 'process.on("SIGTERM", (s, n) => { console.log(s, n); process.exit(2) }); process.kill(process.pid, "SIGTERM"); setInterval(() => {}, 1000)',
  'signal once': 'process.once("SIGHUP", () => { console.log("first"); process.kill(process.pid, "SIGHUP") }); process.kill(process.pid, "SIGHUP"); setInterval(() => {}, 1000)',
  'SIGUSR2': 'process.on("SIGUSR2", (s) => { console.log(s); clearInterval(i) }); const i = setInterval(() => {}, 1000); process.kill(process.pid, "SIGUSR2")',
  'signal that is listened for no more': 'const f = () => {}; process.on("SIGHUP", f); process.off("SIGHUP", f); process.kill(process.pid, "SIGHUP"); setTimeout(() => console.log("still there"), 200)',
  'kill with an unknown signal': 'try { process.kill(process.pid, "SIGNOPE") } catch (e) { console.log(e.code, e.message) }',
  'abort': 'process.abort()',
};

for (const [name, text] of Object.entries(programs)) {
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, ['-e', text], { encoding: 'utf8' });
  console.log(`== ${name}: ${status} ${signal}`);
  process.stdout.write(stdout);
  if (name !== 'abort') process.stdout.write(plain(stderr));
}
