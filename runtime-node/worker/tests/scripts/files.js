// node:fs, call by call. Prints what is not as in Node.
'use strict';
const fs = require('node:fs');
const assert = require('node:assert');
const { pipeline } = require('node:stream/promises');
const readline = require('node:readline');
const zlib = require('node:zlib');

const dir = fs.mkdtempSync('/tmp/files-');
const file = `${dir}/a.txt`;
const read = (path) => fs.readFileSync(path, 'utf8');
const refused = (code, call) => assert.throws(call, { code });

const checks = {
  'a file is written, appended to and read': () => {
    fs.writeFileSync(file, 'hello');
    assert.equal(read(file), 'hello');
    fs.appendFileSync(file, ' world');
    assert.equal(read(file), 'hello world');
  },
  'stat tells kind, size, mode and times': () => {
    const stat = fs.statSync(file);
    assert(stat.isFile() && !stat.isDirectory());
    assert.equal(stat.size, 11);
    assert.equal(stat.mode & 0o777, 0o644);
    assert(Math.abs(stat.mtimeMs - Date.now()) < 60_000);
    assert.equal(fs.statSync(file, { bigint: true }).size, 11n);
    assert.equal(fs.statSync(`${file}x`, { throwIfNoEntry: false }), undefined);
    assert.equal(fs.lstatSync(`${file}x`, { throwIfNoEntry: false }), undefined);
    const message = `ENOENT: no such file or directory, lstat '${file}x'`;
    assert.throws(() => fs.lstatSync(`${file}x`), { code: 'ENOENT', errno: -2, syscall: 'lstat', path: `${file}x`, message });
    assert.throws(() => fs.statSync(`${file}/x`, { throwIfNoEntry: false }), { code: 'ENOTDIR', syscall: 'stat' });
    const fd = fs.openSync(file);
    for (const other of [fs.lstatSync(file), fs.fstatSync(fd), fs.statSync(Buffer.from(file))]) assert.deepEqual(other, stat);
    const big = fs.fstatSync(fd, { bigint: true });
    fs.closeSync(fd);
    assert(big.isFile() && !big.isSymbolicLink());
    assert.equal(big.mtimeNs / 1000000n, BigInt(Math.trunc(stat.mtimeMs)));
    assert(stat.mtime instanceof Date && stat.atimeMs > 0 && stat.ino > 0 && stat.nlink === 1);
  },
  'a missing file is ENOENT in Node\'s words': () => {
    const path = `${dir}/nope`;
    assert.throws(() => read(path), {
      code: 'ENOENT', errno: -2, syscall: 'open', path,
      message: `ENOENT: no such file or directory, open '${path}'`,
    });
  },
  'a directory is not read, and a file is no directory': () => {
    refused('EISDIR', () => read(dir));
    refused('ENOTDIR', () => read(`${file}/x`));
    refused('EISDIR', () => fs.writeFileSync('/', 'x'));
  },
  'nothing is done in the directory above a missing one': () => {
    const up = `${dir}/up`;
    fs.mkdirSync(up);
    fs.writeFileSync(`${up}/x`, 'kept');
    const deep = `${up}${'/d'.repeat(20)}`;
    fs.mkdirSync(deep, { recursive: true });
    fs.writeFileSync(`${deep}/x`, 'kept');
    for (const missing of [`${up}/missing`, `${deep}/missing`, `${up}/d/missing${'/d'.repeat(19)}`, `${up}/x`]) {
      const failed = [
        () => fs.unlinkSync(`${missing}/x`),
        () => fs.writeFileSync(`${missing}/x`, 'lost'),
        () => fs.appendFileSync(`${missing}/x`, 'lost'),
        () => fs.mkdirSync(`${missing}/made`),
        () => fs.rmdirSync(`${missing}/d`),
        () => fs.symlinkSync('x', `${missing}/made`),
        () => fs.renameSync(`${missing}/x`, `${up}/made`),
        () => fs.renameSync(`${up}/x`, `${missing}/made`),
        () => fs.linkSync(`${up}/x`, `${missing}/made`),
        () => fs.rmSync(`${missing}/x`),
      ];
      for (const call of failed) assert.throws(call, { code: missing === `${up}/x` ? 'ENOTDIR' : 'ENOENT' }, `${missing} ${call}`);
    }
    assert.deepEqual(fs.readdirSync(up), ['d', 'x']);
    assert.equal(read(`${up}/x`), 'kept');
    assert.equal(read(`${deep}/x`), 'kept');
  },
  'directories are made with those above them': async () => {
    const from = `${dir}/p`;
    assert.equal(fs.mkdirSync(`${from}/q/r`, { recursive: true }), from);
    assert.equal(fs.mkdirSync(`${from}/q/r`, { recursive: true }), undefined);
    assert.equal(await fs.promises.mkdir(`${from}/q/s/t`, { recursive: true }), `${from}/q/s`);
    fs.symlinkSync('q', `${from}/link`);
    assert.equal(fs.mkdirSync(`${from}/link/u/v`, { recursive: true }), `${from}/link/u`);
    assert(fs.statSync(`${from}/q/u/v`).isDirectory());
    fs.writeFileSync(`${from}/file`, '');
    refused('EEXIST', () => fs.mkdirSync(`${from}/file`, { recursive: true }));
    refused('ENOTDIR', () => fs.mkdirSync(`${from}/file/x`, { recursive: true }));
    fs.rmSync(from, { recursive: true });
    assert(!fs.existsSync(from));
  },
  'a written file is what was written, however long and through links': async () => {
    const [target, link] = [`${dir}/target`, `${dir}/to-target`];
    fs.symlinkSync('target', link);
    for (const text of ['', 'short', 'x'.repeat(5000), 'long '.repeat(600_000)]) {
      fs.writeFileSync(link, text);
      assert.equal(read(target), text);
      await fs.promises.writeFile(link, Buffer.from(text));
      assert.equal(read(target), text);
    }
    fs.writeFileSync(target, new Uint16Array([0x6161, 0x6262]));
    assert.equal(read(target), 'aabb');
    fs.writeFileSync(target, 'e9', 'hex');
    assert.deepEqual([...fs.readFileSync(target)], [0xe9]);
    refused('EEXIST', () => fs.writeFileSync(target, 'x', { flag: 'wx' }));
    refused('ENOENT', () => fs.writeFileSync(`${target}-not`, 'x', { flag: 'r+' }));
    refused('EISDIR', () => fs.writeFileSync(dir, 'x'));
    fs.rmSync(link);
    fs.rmSync(target);
  },
  'a large directory is listed as a whole': () => {
    const large = `${dir}/large`;
    fs.mkdirSync(large);
    const names = Array.from({ length: 5000 }, (_, i) => `${'n'.repeat(200)}${i}`);
    for (const name of names) fs.writeFileSync(`${large}/${name}`, '');
    assert.deepEqual(fs.readdirSync(large).sort(), names.sort());
    fs.rmSync(large, { recursive: true });
    assert(!fs.existsSync(large));
  },
  'exists and access': () => {
    assert(fs.existsSync(file) && !fs.existsSync(`${file}x`));
    fs.accessSync(file, fs.constants.R_OK);
    refused('ENOENT', () => fs.accessSync(`${file}x`));
  },
  'a descriptor reads and writes at a position': () => {
    const fd = fs.openSync(file, 'r+');
    const buffer = Buffer.alloc(5);
    assert.equal(fs.readSync(fd, buffer, 0, 5, 6), 5);
    assert.equal(String(buffer), 'world');
    assert.equal(fs.writeSync(fd, 'J', 0), 1);
    assert.equal(fs.fstatSync(fd).size, 11);
    fs.ftruncateSync(fd, 5);
    fs.fsyncSync(fd);
    fs.futimesSync(fd, 1, 2);
    fs.closeSync(fd);
    assert.equal(read(file), 'Jello');
    refused('EBADF', () => fs.readSync(fd, buffer));
  },
  'flags: wx refuses what is there, a appends, r does not write': () => {
    refused('EEXIST', () => fs.writeFileSync(file, 'x', { flag: 'wx' }));
    const fd = fs.openSync(file, 'a');
    fs.writeSync(fd, '1');
    fs.writeSync(fd, '2');
    fs.closeSync(fd);
    assert.equal(read(file), 'Jello12');
    const reader = fs.openSync(file, 'r');
    refused('EBADF', () => fs.writeSync(reader, 'x'));
    fs.closeSync(reader);
  },
  'rename and copyFile': () => {
    fs.renameSync(file, `${file}2`);
    fs.renameSync(`${file}2`, file);
    fs.copyFileSync(file, `${file}c`);
    assert.equal(read(`${file}c`), 'Jello12');
    refused('EEXIST', () => fs.copyFileSync(file, `${file}c`, fs.constants.COPYFILE_EXCL));
  },
  'symbolic links': () => {
    fs.symlinkSync('a.txt', `${dir}/link`);
    assert.equal(fs.readlinkSync(`${dir}/link`), 'a.txt');
    assert(fs.lstatSync(`${dir}/link`).isSymbolicLink());
    assert.equal(fs.realpathSync(`${dir}/link`), file);
    fs.writeFileSync(`${dir}/link`, 'via');
    assert.equal(read(file), 'via');
    fs.symlinkSync('gone', `${dir}/dangling`);
    assert(!fs.existsSync(`${dir}/dangling`));
    refused('ENOENT', () => fs.statSync(`${dir}/dangling`));
    fs.writeFileSync(`${dir}/dangling`, 'made');
    assert.equal(read(`${dir}/gone`), 'made');
    fs.symlinkSync('loop2', `${dir}/loop1`);
    fs.symlinkSync('loop1', `${dir}/loop2`);
    refused('ELOOP', () => read(`${dir}/loop1`));
  },
  'a link to a directory, and .. behind it': () => {
    fs.mkdirSync(`${dir}/sub/deep`, { recursive: true });
    fs.symlinkSync('sub/deep', `${dir}/sd`);
    fs.writeFileSync(`${dir}/sd/x`, '1');
    assert.equal(read(`${dir}/sub/deep/x`), '1');
    assert.equal(read(`${dir}/sd/../deep/x`), '1');
    assert.equal(fs.realpathSync(`${dir}/sd/x`), `${dir}/sub/deep/x`);
  },
  'hard links, modes and times': () => {
    fs.linkSync(file, `${dir}/hard`);
    assert.equal(fs.statSync(file).nlink, 2);
    fs.chmodSync(file, 0o600);
    assert.equal(fs.statSync(file).mode & 0o777, 0o600);
    fs.utimesSync(file, 1000, 2000.5);
    const stat = fs.statSync(file);
    assert.deepEqual([stat.atimeMs, stat.mtimeMs], [1_000_000, 2_000_500]);
    fs.lutimesSync(`${dir}/link`, 5, 6);
    assert.equal(fs.lstatSync(`${dir}/link`).mtimeMs, 6000);
    fs.truncateSync(file, 1);
    assert.equal(read(file), 'v');
  },
  'directories': () => {
    assert(fs.readdirSync(dir).includes('a.txt'));
    const types = fs.readdirSync(dir, { withFileTypes: true });
    assert(types.find((entry) => entry.name === 'sub').isDirectory());
    assert(types.find((entry) => entry.name === 'link').isSymbolicLink());
    assert(fs.readdirSync(dir, { recursive: true }).includes('sub/deep/x'));
    const open = fs.opendirSync(dir);
    let count = 0;
    while (open.readSync()) count++;
    open.closeSync();
    assert.equal(count, fs.readdirSync(dir).length);
    refused('EEXIST', () => fs.mkdirSync(dir));
    assert.equal(fs.mkdirSync(`${dir}/p/q/r`, { recursive: true }), `${dir}/p`);
    assert.equal(fs.mkdirSync(`${dir}/p/q/r`, { recursive: true }), undefined);
    refused('ENOTEMPTY', () => fs.rmdirSync(`${dir}/p`));
    fs.rmdirSync(`${dir}/p/q/r`);
    refused('ERR_FS_EISDIR', () => fs.rmSync(`${dir}/p`));
    fs.rmSync(`${dir}/p`, { recursive: true });
    fs.rmSync(`${dir}/p`, { force: true });
    assert(!fs.existsSync(`${dir}/p`));
    fs.mkdirSync(`${dir}/empty`);
    assert.throws(() => fs.unlinkSync(`${dir}/empty`), (e) => ['EISDIR', 'EPERM'].includes(e.code));
    fs.cpSync(`${dir}/sub`, `${dir}/sub2`, { recursive: true });
    assert.equal(read(`${dir}/sub2/deep/x`), '1');
    assert.deepEqual(fs.globSync(`${dir}/sub/**/x`), [`${dir}/sub/deep/x`]);
  },
  'more than a message holds': () => {
    const big = Buffer.alloc(5 << 20, 'taskfs');
    fs.writeFileSync(`${dir}/big`, big);
    assert(fs.readFileSync(`${dir}/big`).equals(big));
    const fd = fs.openSync(`${dir}/vector`, 'w');
    fs.writevSync(fd, [Buffer.from('a'), Buffer.from('bc')]);
    fs.closeSync(fd);
    assert.equal(read(`${dir}/vector`), 'abc');
  },
  'the working directory and the umask': () => {
    process.chdir(dir);
    assert.equal(process.cwd(), dir);
    assert.equal(read('a.txt'), 'v');
    process.chdir('/');
    refused('ENOENT', () => process.chdir('/nope'));
    const old = process.umask(0o077);
    fs.writeFileSync(`${dir}/masked`, '');
    assert.equal(fs.statSync(`${dir}/masked`).mode & 0o777, 0o600);
    process.umask(old);
    fs.writeFileSync(`${dir}/moded`, '', { mode: 0o640 });
    assert.equal(fs.statSync(`${dir}/moded`).mode & 0o777, 0o640);
  },
  'names in Unicode, and statfs': () => {
    fs.writeFileSync(`${dir}/ünï-日本`, 'x');
    assert(fs.readdirSync(dir).includes('ünï-日本'));
    assert(fs.statfsSync('/').bsize > 0);
  },
  'callbacks and promises': async () => {
    await new Promise((resolve, reject) => fs.readFile(file, 'utf8', (e, text) => e ? reject(e) : resolve(assert.equal(text, 'v'))));
    await fs.promises.writeFile(`${dir}/p`, '1');
    const handle = await fs.promises.open(`${dir}/p`, 'r+');
    await handle.write('22');
    assert.equal((await handle.stat()).size, 2);
    await handle.close();
    await fs.promises.unlink(`${dir}/p`);
    await assert.rejects(fs.promises.readFile(`${dir}/p`), { code: 'ENOENT' });
    await assert.rejects(fs.promises.stat(`${dir}/p`), { code: 'ENOENT', syscall: 'stat' });
    await fs.promises.cp(`${dir}/sub`, `${dir}/sub3`, { recursive: true });
    let count = 0;
    for await (const _ of await fs.promises.opendir(dir)) count++;
    assert(count > 5);
  },
  'streams': async () => {
    const out = fs.createWriteStream(`${dir}/lines`);
    for (let i = 0; i < 1000; i++) if (!out.write(`line ${i}\n`)) await new Promise((resolve) => out.once('drain', resolve));
    out.end();
    await new Promise((resolve) => out.on('finish', resolve));
    let text = '';
    for await (const part of fs.createReadStream(`${dir}/lines`, { encoding: 'utf8', start: 5, highWaterMark: 100 })) text += part;
    assert(text.startsWith('0\nline 1\n') && text.endsWith('line 999\n'));
    let count = 0;
    for await (const _ of readline.createInterface({ input: fs.createReadStream(`${dir}/lines`) })) count++;
    assert.equal(count, 1000);
    await pipeline(fs.createReadStream(`${dir}/big`), zlib.createGzip(), fs.createWriteStream(`${dir}/big.gz`));
    await pipeline(fs.createReadStream(`${dir}/big.gz`), zlib.createGunzip(), fs.createWriteStream(`${dir}/big2`));
    assert(fs.readFileSync(`${dir}/big`).equals(fs.readFileSync(`${dir}/big2`)));
  },
  'many at once': async () => {
    const all = Array.from({ length: 200 }, (_, i) => i);
    await Promise.all(all.map((i) => fs.promises.writeFile(`${dir}/many${i}`, `x${i}`)));
    const texts = await Promise.all(all.map((i) => fs.promises.readFile(`${dir}/many${i}`, 'utf8')));
    assert.deepEqual(texts, all.map((i) => `x${i}`));
  },
  'watchFile sees a change': async () => {
    let changes = 0;
    fs.watchFile(`${dir}/watched`, { interval: 20 }, () => changes++);
    fs.writeFileSync(`${dir}/watched`, '1');
    while (changes === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    fs.unwatchFile(`${dir}/watched`);
  },
  'fetch of a file, and Deno\'s own calls': async () => {
    assert.equal(await (await fetch(`file://${file}`)).text(), 'v');
    assert.equal(__taskfsDeno.readTextFileSync(file), 'v');
    assert.equal((await __taskfsDeno.stat(file)).size, 1);
  },
  'everything is removed': async () => {
    await fs.promises.rm(dir, { recursive: true });
    assert(!fs.existsSync(dir));
  },
};

(async () => {
  for (const [name, check] of Object.entries(checks)) {
    try {
      await check();
    } catch (e) {
      console.log(`not ok: ${name}: ${e.stack}`);
    }
  }
  console.log(Object.keys(checks).length, 'checks');
})();
