// node:child_process: what a child reads, and what is told of one that never was.
const { spawn, spawnSync, execSync, execFileSync, execFile } = require('node:child_process');
const fs = require('node:fs');
const { join } = require('node:path');
const home = fs.mkdtempSync(join(require('node:os').tmpdir(), 'same-'));
process.chdir(home);
process.on('exit', () => { process.chdir('/'); fs.rmSync(home, { recursive: true }); });
fs.writeFileSync('in', 'from a file\n');
const file = fs.openSync(join(home, 'in'));
const cat = ['-e', 'process.stdin.pipe(process.stdout)'];
// An open file is the child's standard input.
console.log(spawnSync(process.execPath, cat, { stdio: [file, 'pipe', 'inherit'], encoding: 'utf8' }).stdout);
console.log(String(execFileSync(process.execPath, cat, { stdio: [fs.openSync(join(home, 'in')), 'pipe', 'inherit'] })));
console.log(String(execSync('cat', { stdio: [fs.openSync(join(home, 'in')), 'pipe', 'inherit'] })));
for (const stdin of ['pipe', 'ignore', undefined]) {
  const { status, stdout } = spawnSync(process.execPath, cat, { input: 'given', stdio: [stdin, 'pipe', 'inherit'], encoding: 'utf8' });
  console.log(stdin, status, stdout);
}
// One that cannot be started.
const failed = spawnSync('no-such-program', ['a']);
console.log(failed.error.message, failed.error.code, failed.error.errno, failed.error.syscall, failed.error.path, failed.error.spawnargs);
delete failed.error;
console.log(failed);
try { execFileSync('no-such-program'); } catch (e) { console.log(e.message, e.code, e.status, e.signal, e.pid, e.output); }
const started = (child, name) => new Promise((done) => {
  child.on('error', (e) => console.log(name, 'error', e.code)).on('exit', (...given) => console.log(name, 'exit', given));
  child.on('close', (...given) => done(console.log(name, 'close', given, child.exitCode, child.signalCode, child.pid)));
});
(async () => {
  await started(spawn('no-such-program'), 'spawn');
  await started(spawn('no-such-program', { stdio: 'ignore' }), 'spawn without files');
  await new Promise((done) => execFile('no-such-program', (e) => done(console.log(e.message, e.code, e.errno))));
  // Is it there?
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
  console.log(child.kill(0), child.killed, child.kill(0), child.kill(), child.killed);
  await new Promise((done) => child.on('close', done));
  console.log(child.kill(0), child.kill(), child.signalCode);
})();
