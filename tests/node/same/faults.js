// node:fs: what its errors say. Each function that fails, in each of its styles.
const fs = require('node:fs');
const { join } = require('node:path');
const fsp = fs.promises;
const home = fs.mkdtempSync(join(require('node:os').tmpdir(), 'same-'));
process.chdir(home);
process.on('exit', () => { process.chdir('/'); fs.rmSync(home, { recursive: true }); });
const told = (e) => {
  if (!(e instanceof Error)) return e;
  const { name, message, code, errno, syscall, path, dest } = e;
  return JSON.stringify([name, message, code, errno, syscall, path, dest]).replaceAll(home, 'home');
};
const now = (f) => { try { return f(); } catch (e) { return e; } };
const one = Buffer.from('x');
fs.writeFileSync('file', '');
fs.mkdirSync('dir');
fs.symlinkSync('nowhere', 'dangling');
fs.symlinkSync('loop2', 'loop');
fs.symlinkSync('loop', 'loop2');
const calls = [
  // By path.
  ['copyFile', 'nope', 'y'], ['copyFile', 'file', 'nope/y'], ['copyFile', 'file', 'dir', 1], ['copyFile', 'file', 'file/x', 1],
  ['symlink', 'a', 'file'], ['symlink', 'a', 'nope/x'], ['symlink', 'a', 'file/x'],
  ['utimes', 'nope', 1, 1], ['utimes', 'file/x', 1, 1], ['lutimes', 'nope', 1, 1],
  ['chown', 'nope', 1, 1], ['lchown', 'nope', 1, 1], ['chmod', 'nope', 1],
  ['readdir', 'nope'], ['readdir', 'file'], ['readdir', 'nope', { withFileTypes: true }], ['opendir', 'nope'], ['opendir', 'file'],
  ['readFile', 'dir'], ['readFile', '.'], ['readFile', ''], ['readFile', 'nope'], ['readFile', 'file/x'], ['readFile', 'dir', { flag: 'r+' }],
  ['stat', ''], ['lstat', ''], ['open', ''], ['access', ''], ['unlink', ''], ['rename', '', 'x'], ['rename', 'nope', 'x'],
  ['realpath', 'nope/x'], ['realpath', 'file/x'], ['realpath', 'dangling'], ['realpath', 'dir/../dangling/x'], ['realpath', 'loop'],
  ['access', 'dangling'], ['access', 'loop'], ['access', 'file/x'],
  ['truncate', 'nope'], ['link', 'nope', 'x'], ['readlink', 'file'], ['mkdir', 'dir'], ['rmdir', 'file'],
  ['writeFile', 'dir', ''], ['writeFile', 'nope/x', ''], ['appendFile', '', ''],
  // By descriptor.
  ['write', 999, 'x'], ['write', 999, one], ['writev', 999, [one]], ['read', 999, one, 0, 1, null], ['readv', 999, [one]],
  ['close', 999], ['fsync', 999], ['fdatasync', 999], ['ftruncate', 999, 1], ['fchmod', 999, 1], ['fchown', 999, 1, 1],
  ['futimes', 999, 1, 1], ['fstat', 999], ['writeFile', 999, 'x'],
];
(async () => {
  for (const [name, ...args] of calls) {
    console.log(name, JSON.stringify(args));
    console.log('  now', told(now(() => fs[`${name}Sync`](...args))));
    console.log('  later', told(await new Promise((done) => { const thrown = now(() => fs[name](...args, done)); if (thrown instanceof Error) done(thrown); })));
    if (typeof args[0] === 'string') console.log('  promised', told(await fsp[name](...args).catch((e) => e)));
  }
  console.log(told(now(() => fs.realpathSync.native('nope/x'))));
  console.log(told(now(() => fs.readFileSync(fs.openSync('dir')))));
  // Of an open file that may not be written.
  const handle = await fsp.open('file');
  for (const f of [() => handle.write('x'), () => handle.write(one), () => handle.writev([one]), () => handle.writeFile('x')]) {
    console.log('handle', told(await f().catch((e) => e)));
  }
  await handle.close();
  console.log('closed', told(now(() => fs.writeSync(handle.fd, 'x'))));
})();
