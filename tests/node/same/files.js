// node:fs: what is written, read, listed and called back with.
const fs = require('node:fs');
const { join } = require('node:path');
const { promisify } = require('node:util');
const fsp = fs.promises;
const home = fs.mkdtempSync(join(require('node:os').tmpdir(), 'same-'));
process.chdir(home);
process.on('exit', () => { process.chdir('/'); fs.rmSync(home, { recursive: true }); });
const limited = (p) => Promise.race([p, new Promise((done) => setTimeout(done, 2000, 'HANGS').unref())]);
const t = async (name, f) => {
  try { console.log(name, await limited(f())); } catch (e) { console.log(name, 'throws', e.name, e.code, e.message); }
};
const read = (path) => fs.readFileSync(path, 'utf8');
// What a callback is called with.
const called = (f, ...args) => new Promise((done) => f(...args, (...given) => done(given.map((one) => one instanceof Error ? one.message : one))));
(async () => {
  // Positions and lengths.
  await t('writeSync of a string at a position', async () => {
    fs.writeFileSync('p', '0123456789');
    const fd = fs.openSync('p', 'r+');
    const written = [fs.writeSync(fd, 'AB', 4), fs.writeSync(fd, 'CD'), fs.writeSync(fd, '6566', 8, 'hex'), fs.writeSync(fd, 'E', null)];
    fs.closeSync(fd);
    return [written, read('p')];
  });
  await t('write of a string', async () => {
    const fd = fs.openSync('p', 'w');
    const given = [await called(fs.write, fd, 'abc'), await called(fs.write, fd, 'd', 1), await called(fs.write, fd, '6a', 4, 'hex')];
    fs.closeSync(fd);
    return [given, read('p')];
  });
  for (const wide of [new Uint16Array([65, 66]), new DataView(new ArrayBuffer(5)), new Float64Array(2).subarray(1), Buffer.from('xy')]) {
    await t(`writev of a ${wide.constructor.name}`, async () => {
      const fd = fs.openSync('v', 'w');
      const sync = fs.writevSync(fd, [wide, Buffer.from('.')]);
      const [, later] = await called(fs.writev, fd, [wide]);
      fs.closeSync(fd);
      const handle = await fsp.open('v', 'a');
      const { bytesWritten, buffers } = await handle.writev([wide]);
      const one = await handle.write(wide, 1, 1);
      await handle.close();
      return [sync, later, bytesWritten, buffers[0] === wide, one.bytesWritten, one.buffer === wide, fs.statSync('v').size];
    });
  }
  await t('a handle reads into what it is given', async () => {
    fs.writeFileSync('p', 'ABCDEFGHIJ');
    const handle = await fsp.open('p');
    const wide = new Uint16Array(2);
    const a = await handle.read(wide);
    const b = await handle.read(new DataView(new ArrayBuffer(4)), 1, 2, 6);
    const c = await handle.read({ buffer: new Uint16Array(2), position: 0 });
    await handle.close();
    return [a.bytesRead, a.buffer === wide, wide, b.bytesRead, Buffer.from(b.buffer.buffer), c.buffer];
  });
  // Given up.
  for (const [name, write] of Object.entries({
    writeFile: (signal) => promisify(fs.writeFile)('kept', 'new', { signal }),
    'promises.writeFile': (signal) => fsp.writeFile('kept', 'new', { signal }),
    'promises.appendFile': (signal) => fsp.appendFile('kept', 'new', { signal }),
    'promises.readFile': (signal) => fsp.readFile('kept', { signal }),
  })) {
    await t(`${name} that was given up`, async () => {
      fs.writeFileSync('kept', 'kept');
      const e = await write(AbortSignal.abort(new Error('enough'))).then(() => 'done', (e) => e);
      return [e.name, e.code, e.message, e.cause.message, read('kept')];
    });
  }
  // Paths that are Buffers.
  const path = Buffer.from('b');
  await t('mkdir', async () => [await called(fs.mkdir, path), fs.rmdirSync(path), await fsp.mkdir(path), fs.rmdirSync('b'), fs.mkdirSync(path), fs.rmdirSync(path)]);
  await t('writeFile', async () => {
    await called(fs.writeFile, path, '1');
    await fsp.appendFile(path, '2');
    fs.appendFileSync(path, '3');
    await called(fs.appendFile, path, '4');
    const all = read('b');
    await fsp.writeFile(path, 'new');
    return [all, read('b'), fs.writeFileSync(path, 'newer'), read('b')];
  });
  await t('rm', async () => [await called(fs.rm, path), fs.existsSync('b'), fs.writeFileSync('b', ''), fs.rmSync(path), fs.existsSync('b'), fs.writeFileSync('b', ''), await fsp.rm(path), fs.existsSync('b')]);
  await t('no path', async () => fs.writeFile(null, '', () => {}));
  await t('no path now', async () => fs.writeFileSync({}, ''));
  // Encodings.
  for (const f of [() => fsp.readFile('p', 'buffer'), () => called(fs.readFile, 'p', 'buffer'), async () => fs.readFileSync('p', 'buffer')]) {
    await t('readFile with an encoding that there is not', f);
  }
  fs.symlinkSync('p', 'link');
  for (const encoding of ['hex', 'buffer', 'base64', 'latin1', { encoding: 'hex' }, undefined, null, 'nope']) {
    await t('readlink', async () => [fs.readlinkSync('link', encoding), await called(fs.readlink, 'link', encoding), await fsp.readlink('link', encoding)]);
  }
  // Links, loops and what may be done.
  fs.symlinkSync('nowhere', 'dangling');
  fs.symlinkSync('loop2', 'loop');
  fs.symlinkSync('loop', 'loop2');
  fs.writeFileSync('locked', '', { mode: 0o444 });
  fs.writeFileSync('run', '', { mode: 0o755 });
  fs.symlinkSync('run', 'runs');
  const root = process.getuid() === 0;
  for (const [name, mode] of [['dangling'], ['loop'], ['p/x'], ['link', 6], ['link', 1], ['p', 7], ['run', 7], ['runs', 7], ['.', 7], ['locked', 4]]) {
    await t(`access ${name} ${mode}`, async () => fs.accessSync(name, mode));
    await t(`access ${name} ${mode}`, async () => called(fs.access, name, mode));
    await t(`access ${name} ${mode}`, async () => fsp.access(name, mode));
  }
  await t('access locked', async () => { try { return fs.accessSync('locked', 2) === undefined && root; } catch (e) { return e.code === 'EACCES' && !root; } });
  // Listings.
  fs.mkdirSync('tree/x/y', { recursive: true });
  for (const name of ['x/f', 'x/y/g', 'z']) fs.writeFileSync(join('tree', name), '');
  fs.symlinkSync('x', 'tree/l');
  fs.symlinkSync('nope', 'tree/d');
  const names = (found) => found.map((entry) => typeof entry === 'string' ? entry : join(entry.parentPath, entry.name)).join(' ');
  for (const withFileTypes of [false, true]) {
    const options = { recursive: true, withFileTypes };
    await t('readdirSync', async () => names(fs.readdirSync('tree', options)));
    await t('readdir', async () => names((await called(fs.readdir, 'tree', options))[1]));
    await t('promises.readdir', async () => names(await fsp.readdir('tree', options)));
  }
  await t('promises.readdir', async () => [names(await fsp.readdir('tree')), names(await fsp.readdir('tree', null)), await fsp.readdir('tree', 'hex')]);
  for (const options of [{ recursive: true }, { recursive: false }, { bufferSize: 1 }, {}, null, undefined]) {
    await t('promises.opendir', async () => {
      const found = [];
      for await (const entry of await fsp.opendir('tree', options)) found.push(`${entry.parentPath}:${entry.name}:${entry.isDirectory()}`);
      return found.sort();
    });
    await t('opendirSync', async () => {
      const found = [];
      const dir = fs.opendirSync('tree', options);
      for (let entry; (entry = dir.readSync());) found.push(`${entry.parentPath}:${entry.name}:${entry.isSymbolicLink()}`);
      dir.closeSync();
      return found.sort();
    });
  }
  // What is called back.
  await t('unlink', async () => called(fs.unlink, 'run'));
  await t('rename', async () => called(fs.rename, 'p', 'q'));
  await t('mkdir', async () => called(fs.mkdir, 'made'));
  await t('rmdir', async () => called(fs.rmdir, 'made'));
  for (const given of ['r1/r2', 'r1/r2/r3/', './r1/a/b', 'r4//r5', 'r6/', join(home, 'r7/r8'), 'r1']) {
    await t('mkdir of all', async () => { const made = fs.mkdirSync(given, { recursive: true }); return made?.replace(home, 'home'); });
  }
  await t('mkdir of all', async () => [await called(fs.mkdir, 's1/s2', { recursive: true }), await called(fs.mkdir, 's1', { recursive: true }), await fsp.mkdir('./s3/s4', { recursive: true })]);
  // Times are kept as they are given.
  await t('futimes', async () => {
    const fd = fs.openSync('q', 'r+');
    let wrong = 0;
    for (let i = 0; i < 400; i++) {
      const date = new Date(1.7e12 + i * 7919);
      if (i % 2) fs.futimesSync(fd, date, date);
      else await called(fs.futimes, fd, date, date);
      const { atime, mtime } = fs.fstatSync(fd);
      if (mtime.getTime() !== date.getTime() || atime.getTime() !== date.getTime()) wrong++;
    }
    fs.futimesSync(fd, 1.9999999, 2);
    fs.closeSync(fd);
    return wrong;
  });
  // Nobody waits for a watch that does not persist.
  fs.watchFile('q', { persistent: false, interval: 20 }, () => {});
  fs.watchFile('nope', { persistent: false, interval: 20 }, () => {});
})();
