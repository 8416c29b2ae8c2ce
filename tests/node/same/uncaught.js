// Errors that nobody caught, and their handlers; imports of a text; a standard input that is given up.
const { spawn, spawnSync } = require('node:child_process');
function run(name, ...args) {
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', input: '' });
  const said = stderr.split('\n').find((line) => /^\w*Error/.test(line)) ?? '';
  console.log(`== ${name}: ${status ?? signal} ${said}`);
  process.stdout.write(stdout);
}
const files = require('node:fs');
const dir = files.mkdtempSync(`${require('node:os').tmpdir()}/same-`);
process.on('exit', () => files.rmSync(dir, { recursive: true }));
function script(name, text) {
  files.writeFileSync(`${dir}/main.cjs`, text);
  files.writeFileSync(`${dir}/main.mjs`, text);
  run(`${name}, CommonJS`, `${dir}/main.cjs`);
  run(`${name}, a module`, `${dir}/main.mjs`);
  run(`${name}, a text`, '-e', text);
}
const on = (name, text) => `process.on(${JSON.stringify(name)}, (e, origin) => { console.log(${JSON.stringify(name)}, e.message, origin); ${text} });\n`;
const bye = 'process.on("exit", (code) => console.log("exit", code));\n';
script('a handler that throws', `${bye}${on('uncaughtException', 'throw new Error("two")')}throw new Error("one")`);
script('a handler', `${bye}${on('uncaughtException', '')}setTimeout(() => console.log("later"));throw new Error("one")`);
run('what is left', '-e', `${bye}${on('uncaughtException', '')}process.nextTick(() => console.log("tick"));setTimeout(() => console.log("later"));throw new Error("one")`);
script('a monitor', `${bye}${on('uncaughtExceptionMonitor', '')}throw new Error("one")`);
script('a monitor that throws', `${bye}${on('uncaughtExceptionMonitor', 'throw new Error("two")')}throw new Error("one")`);
run('a monitor of no object', '-e', `${bye}process.on("uncaughtExceptionMonitor", (e) => console.log("monitor", e)); throw 5`);
script('a rejection heard that throws', `${bye}${on('uncaughtException', '')}process.on("unhandledRejection", (e) => { console.log("rejection", e.message); throw new Error("two"); }); Promise.reject(new Error("one"))`);
script('both', `${bye}${on('uncaughtExceptionMonitor', '')}${on('uncaughtException', '')}throw new Error("one")`);
script('later', `${bye}${on('uncaughtExceptionMonitor', '')}${on('uncaughtException', 'if (e.message === "two") throw new Error("three"); throw new Error("two")')}setTimeout(() => { throw new Error("one") })`);
script('capture', `${bye}process.setUncaughtExceptionCaptureCallback((e) => console.log("capture", e.message)); throw new Error("one")`);

run('import of a text', '-e', 'import("fs").then((m) => console.log(typeof m.readFileSync))');
run('import printed', '-p', 'typeof import("node:fs").then');
files.writeFileSync(`${dir}/beside.mjs`, 'export const beside = 1;');
process.chdir(dir);
run('import beside it', '-e', 'import("./beside.mjs").then((m) => console.log(m.beside))');
process.chdir('/');
run('import of a function', '-e', 'new Function("return import(\'os\')")().then((m) => console.log(typeof m.cpus))');
run('import of none', '-e', 'import("none").catch((e) => console.log(e.code))');

// What is open and given up keeps nobody alive.
function open(name, text) {
  return new Promise((done) => {
    const child = spawn(process.execPath, ['-e', text], { stdio: ['pipe', 'inherit', 'inherit'] });
    const late = setTimeout(() => child.kill(), 20000);
    child.on('exit', (code, signal) => {
      clearTimeout(late);
      console.log(`== ${name}: ${code ?? signal}`);
      done();
    });
  });
}
(async () => {
  await open('resumed', 'process.stdin.resume(); process.stdin.unref()');
  await open('resumed later', 'process.stdin.unref(); process.stdin.resume()');
  await open('heard', 'process.stdin.on("data", () => {}); process.stdin.unref(); setTimeout(() => console.log("timer"), 20)');
  await open('taken back', 'process.stdin.resume(); process.stdin.unref(); process.stdin.ref(); setTimeout(() => process.stdin.unref(), 50)');
  await open('paused', 'process.stdin.resume(); process.stdin.pause()');
})();
