// What stands behind a child's standard files: files that are open here, pipes of other children, each other.
const { spawn, spawnSync, execFile } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'same-'));
process.chdir(dir);
process.on('exit', () => { process.chdir('/'); fs.rmSync(dir, { recursive: true, force: true }); });

const closed = (child) => new Promise((done) => {
  child.on('error', (e) => done(e.code));
  child.on('close', (code, signal) => done(code ?? signal));
});
const sh = (text, ...stdio) => closed(spawn('sh', ['-c', text], { stdio }));
async function said(child) {
  let text = '';
  child.stdout.on('data', (data) => text += data);
  const end = await closed(child);
  return [end, text];
}
const text = (file) => JSON.stringify(fs.readFileSync(file, 'utf8'));

(async () => {
  let fd = fs.openSync('log', 'w');
  fs.writeSync(fd, 'head\n');
  console.log(await sh('echo child', 'ignore', fd, fd));
  fs.writeSync(fd, 'tail\n');
  console.log('one after the other', text('log'));
  console.log(spawnSync('sh', ['-c', 'echo sync; echo both >&2'], { stdio: ['ignore', fd, fd] }).status);
  fs.writeSync(fd, 'end\n');
  fs.closeSync(fd);
  console.log('and waited for', text('log'));

  fd = fs.openSync('log', 'r+');
  console.log(await sh('printf HE', 'ignore', fd, 'inherit'), text('log'));
  fs.closeSync(fd);

  fd = fs.openSync('added', 'a');
  fs.writeSync(fd, 'head\n');
  console.log(await sh('echo one; echo two >&2; echo three', 'ignore', fd, fd));
  fs.writeSync(fd, 'tail\n');
  fs.closeSync(fd);
  console.log('added', text('added'));

  fd = fs.openSync('old', 'w+');
  fs.renameSync('old', 'new');
  console.log(await sh('echo renamed', 'ignore', fd, 'inherit'), text('new'), fs.existsSync('old'));
  fs.unlinkSync('new');
  console.log(await sh('echo removed', 'ignore', fd, 'inherit'));
  console.log('removed', fs.fstatSync(fd).size);
  fs.closeSync(fd);

  fs.writeFileSync('in', 'from a file\n');
  fs.mkdirSync('sub');
  process.chdir('sub');
  fd = fs.openSync('../in');
  console.log('by a relative name', await said(spawn('cat', { stdio: [fd, 'pipe', 'inherit'] })));
  fs.closeSync(fd);
  process.chdir('..');
  fd = fs.openSync('in');
  fs.readSync(fd, Buffer.alloc(5));
  console.log('from where we are', await said(spawn('cat', { stdio: [fd, 'pipe', 'inherit'] })));
  console.log('nothing is left', fs.readSync(fd, Buffer.alloc(5)));
  fs.closeSync(fd);

  const much = 'x'.repeat(300_000);
  fs.writeFileSync('much', `y${much}`);
  fd = fs.openSync('much');
  fs.readSync(fd, Buffer.alloc(1));
  const [end, all] = await said(spawn('cat', { stdio: [fd, 'pipe', 'inherit'] }));
  console.log('much', end, all === much);
  fs.closeSync(fd);
  fd = fs.openSync('copy', 'w');
  console.log(await closed(spawn('cat', ['much'], { stdio: ['ignore', fd, 'inherit'] })), fs.statSync('copy').size);
  fs.closeSync(fd);

  const first = spawn('echo', ['through a pipe']);
  console.log('a pipe', await said(spawn('cat', { stdio: [first.stdout, 'pipe', 'inherit'] })));
  const last = spawn('cat', { stdio: ['pipe', 'pipe', 'inherit'] });
  const heard = said(last);
  console.log(await sh('echo into a pipe', 'ignore', last.stdin, 'inherit'));
  last.stdin.end();
  console.log('a pipe', await heard);

  const inner = 'require("child_process").spawnSync("sh", ["-c", "echo out; echo err >&2"], { stdio: ["ignore", 2, 1] })';
  const swapped = spawnSync(process.execPath, ['-e', inner], { encoding: 'utf8' });
  console.log('the one for the other', [swapped.stdout, swapped.stderr]);

  for (const name of ['spawn', 'spawnSync']) {
    try {
      const child = require('node:child_process')[name]('true', { stdio: ['ignore', 987654, 'ignore'] });
      console.log(name, child.error?.code ?? await closed(child));
    } catch (e) {
      console.log(name, e.code);
    }
  }
})();
