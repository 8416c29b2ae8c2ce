// Files: positions, paths that end in a slash or a dot, modes, times.
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { promisify } = require('node:util');

const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'same-'));
process.chdir(dir);
process.on('exit', () => { process.chdir('/'); fs.rmSync(dir, { recursive: true, force: true }); });

function show(name, run) {
  try {
    console.log(name, run());
  } catch (e) {
    console.log(name, e.code);
  }
}
const mode = (file) => (fs.statSync(file).mode & 0o7777).toString(8);

async function positions() {
  fs.writeFileSync('digits', '0123456789');
  let fd = fs.openSync('digits');
  const read = promisify(fs.read);
  const parts = await Promise.all([1, 2, 3, 4, 5].map(() => read(fd, Buffer.alloc(2), 0, 2, null)));
  console.log('read at once', parts.map((part) => part.buffer.toString()).sort().join());
  fs.closeSync(fd);

  fd = fs.openSync('digits');
  const waiting = read(fd, Buffer.alloc(4), 0, 4, null);
  const blocked = Buffer.alloc(4);
  fs.readSync(fd, blocked, 0, 4, null);
  console.log('read blocked, too', [(await waiting).buffer.toString(), blocked.toString()].sort().join());
  fs.closeSync(fd);

  fd = fs.openSync('digits', 'a+');
  fs.writeSync(fd, 'xy');
  console.log('behind what was added', fs.readSync(fd, Buffer.alloc(5)));
  fs.closeSync(fd);

  fd = fs.openSync('digits', 'r');
  show('ftruncate to read', () => fs.ftruncateSync(fd, 2));
  show('write nothing to read', () => fs.writeSync(fd, Buffer.alloc(0)));
  show('write no text to read', () => fs.writeSync(fd, ''));
  await new Promise((done) => fs.write(fd, Buffer.alloc(0), (e) => done(console.log('the same, later', e?.code))));
  console.log('size', fs.fstatSync(fd).size);
  fs.closeSync(fd);
  fd = fs.openSync('digits', 'r+');
  console.log('write nothing', fs.writeSync(fd, Buffer.alloc(0)), fs.writeSync(fd, ''));
  fs.closeSync(fd);
}

function endings() {
  fs.writeFileSync('file', 'text');
  fs.mkdirSync('full/in', { recursive: true });
  fs.mkdirSync('empty');
  fs.symlinkSync('full', 'link');
  fs.symlinkSync('file/', 'slashed');
  fs.symlinkSync('full/', 'slashed-dir');
  for (const name of ['file/', 'file/.', 'file/..', 'file/../full', 'slashed', 'slashed-dir', 'link/', 'full/.', './file', 'full/in/..']) {
    show(`stat ${name}`, () => fs.statSync(name).isDirectory());
    show(`lstat ${name}`, () => fs.lstatSync(name).isDirectory());
    if (name !== 'slashed') show(`access ${name}`, () => fs.accessSync(name));
    show(`exists ${name}`, () => fs.existsSync(name));
    show(`readFile ${name}`, () => fs.readFileSync(name, 'utf8'));
    show(`realpath ${name}`, () => path.relative(dir, fs.realpathSync.native(name)));
    show(`readdir ${name}`, () => fs.readdirSync(name).length);
  }
  const circles = { circle: 'circle/..', round: 'about/', about: 'round/', here: 'there/x', there: 'here/y' };
  for (const [name, target] of Object.entries(circles)) fs.symlinkSync(target, name);
  for (const name of Object.keys(circles)) show(`stat ${name}`, () => fs.statSync(name));
  for (const name of Object.keys(circles)) fs.unlinkSync(name);
  for (const name of ['file/', 'file/.', 'slashed']) {
    show(`chmod ${name}`, () => fs.chmodSync(name, 0o600));
    show(`utimes ${name}`, () => fs.utimesSync(name, 1, 1));
    show(`chown ${name}`, () => fs.chownSync(name, process.getuid(), process.getgid()));
    show(`truncate ${name}`, () => fs.truncateSync(name, 1));
    show(`open to cut ${name}`, () => fs.openSync(name, fs.constants.O_WRONLY | fs.constants.O_TRUNC));
    show(`link ${name}`, () => fs.linkSync(name, 'other'));
    show(`copyFile ${name}`, () => fs.copyFileSync(name, 'other'));
  }
  console.log(mode('file'), fs.statSync('file').size, fs.statSync('file').mtimeMs === 1000);
  for (const name of ['file/', 'file/.', 'link/', 'link/.', 'full/', 'full/.', 'full/in/..', 'none/', 'none/.', '.', '/']) {
    show(`unlink ${name}`, () => fs.unlinkSync(name));
  }
  for (const name of ['file/', 'file/.', 'link/', 'empty/.', 'full/in/..', 'none/', 'none/.', 'empty/']) {
    show(`rmdir ${name}`, () => fs.rmdirSync(name));
  }
  for (const name of ['file/', 'file/.', 'link/', 'full/.', 'full/in/..', 'none/']) {
    show(`rename ${name}`, () => fs.renameSync(name, 'moved'));
  }
  for (const name of ['moved/', 'full/', 'full/.', 'none/.']) show(`rename to ${name}`, () => fs.renameSync('file', name));
  show('rename a directory', () => fs.renameSync('full/in/', 'full/out/'));
  for (const name of ['new/.', 'new/', 'full/', 'full/.', 'full/out/..', 'file/', 'file/.', 'none/new/']) {
    show(`writeFile ${name}`, () => fs.writeFileSync(name, 'x'));
    show(`open to make ${name}`, () => fs.openSync(name, 'wx'));
    show(`symlink ${name}`, () => fs.symlinkSync('q', name));
    show(`link to ${name}`, () => fs.linkSync('file', name));
    if (name !== 'new/') show(`mkdir ${name}`, () => fs.mkdirSync(name));
  }
  show('rm link/', () => fs.rmSync('link/', { recursive: true }));
  show('rm file/', () => fs.rmSync('file/'));
  console.log(fs.readdirSync('.').sort().join());
  show('rm full/', () => fs.rmSync('full/', { recursive: true }));
  console.log(fs.readdirSync('.').sort().join());
}

async function copies() {
  fs.writeFileSync('one', '#!');
  fs.chmodSync('one', 0o755);
  fs.writeFileSync('two', '');
  fs.copyFileSync('one', 'two');
  console.log('copied mode', mode('two'));
  process.umask(0o77);
  fs.copyFileSync('one', 'three');
  console.log('whatever the umask', mode('three'));
  process.umask(0o22);
  const much = Buffer.alloc(1_500_000, 'ab');
  fs.writeFileSync('much', much);
  fs.chmodSync('much', 0o751);
  await fs.promises.copyFile('much', 'two');
  console.log('much', mode('two'), fs.readFileSync('two').equals(much));
  fs.copyFileSync('much', 'much');
  fs.linkSync('much', 'same');
  fs.copyFileSync('same', 'much');
  console.log('onto itself', fs.readFileSync('much').equals(much));
  fs.cpSync('one', 'four');
  await fs.promises.cp('one', 'five');
  await fs.promises.cp('one', 'deep/er/five');
  fs.mkdirSync('tree/in', { recursive: true });
  fs.writeFileSync('tree/in/file', '');
  fs.cpSync('tree', 'wood', { recursive: true });
  console.log('relative', mode('four'), mode('five'), fs.existsSync('deep/er/five'), fs.readdirSync('wood/in'));
}

async function stats() {
  fs.mkdirSync('sticky', 0o1777);
  fs.mkdirSync('setuid', 0o4755);
  fs.mkdirSync('deep/sticky', { recursive: true, mode: 0o1777 });
  await fs.promises.mkdir('later', 0o1777);
  console.log('sticky', mode('sticky'), mode('setuid'), mode('deep/sticky'), mode('later'));
  const { O_CREAT, O_DIRECTORY } = fs.constants;
  show('a directory made by open', () => fs.openSync('opened', O_CREAT | O_DIRECTORY));
  fs.utimesSync('one', 1.5, 1700000000.125);
  const fd = fs.openSync('one');
  const all = [
    fs.statSync('one', { bigint: true }),
    fs.lstatSync('one', { bigint: true }),
    fs.fstatSync(fd, { bigint: true }),
    await fs.promises.stat('one', { bigint: true }),
    await fs.promises.lstat('one', { bigint: true }),
    await promisify(fs.fstat)(fd, { bigint: true }),
  ];
  for (const { atimeNs, atimeMs, mtimeNs, mtimeMs, size, constructor } of all) {
    console.log(atimeNs, atimeMs, mtimeNs, mtimeMs, size, constructor.name);
  }
  fs.writeFileSync('now', '');
  const exact = fs.statSync('now', { bigint: true });
  const now = fs.openSync('now');
  const ms = [
    fs.statSync('now').mtimeMs,
    fs.lstatSync('now').mtimeMs,
    fs.fstatSync(now).mtimeMs,
    (await fs.promises.stat('now')).mtimeMs,
    (await fs.promises.lstat('now')).mtimeMs,
    (await promisify(fs.stat)('now')).mtimeMs,
    (await promisify(fs.fstat)(now)).mtimeMs,
    (await (await fs.promises.open('now')).stat()).mtimeMs,
  ];
  console.log('nanoseconds', exact.mtimeMs === exact.mtimeNs / 1000000n, exact.mtime.getTime() === Number(exact.mtimeMs), fs.statSync('now').mtime.getTime() === Math.floor(ms[0] + 0.5));
  const wanted = Number(exact.mtimeNs / 1000000000n) * 1000 + Number(exact.mtimeNs % 1000000000n) / 1e6;
  console.log('milliseconds', ms.map((one) => one === wanted).join());
  console.log('fractions', exact.mtimeNs % 1000000n !== 0n || fs.statSync('.').mtimeMs % 1 !== 0);
  const kinds = (stat) => [stat.isFile(), stat.isDirectory(), stat.isSymbolicLink(), stat.isFIFO()].join();
  fs.symlinkSync('now', 'to');
  console.log(kinds(await fs.promises.lstat('to')), kinds(fs.lstatSync('to', { bigint: true })), kinds(fs.fstatSync(now)));
  for (const run of [
    () => fs.promises.stat('none'),
    () => fs.promises.lstat('none', { bigint: true }),
    () => promisify(fs.fstat)(987654),
    async () => fs.fstatSync(987654),
    async () => fs.statSync('none', { bigint: true }),
    async () => fs.lstatSync('none', { bigint: true }),
    async () => fs.statSync('none', { bigint: true, throwIfNoEntry: false }),
  ]) {
    await run().then((value) => console.log(value), (e) => console.log(e.message, e.code, e.errno, e.syscall, e.path));
  }
}

(async () => {
  await positions();
  endings();
  await copies();
  await stats();
  process.exit();
})();
