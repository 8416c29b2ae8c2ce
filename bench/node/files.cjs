// A thousand small files written, read, looked at and removed, in milliseconds.
const fs = require('fs');
const { performance } = require('perf_hooks');
const dir = fs.mkdtempSync('files-');
const text = 'some text, a line or two of it\n'.repeat(30);
const names = Array.from({ length: 1000 }, (_, n) => `${dir}/file-${n}`);
const began = performance.now();
for (const name of names) fs.writeFileSync(name, text);
for (const name of names) if (fs.readFileSync(name, 'utf8').length !== text.length) throw new Error(name);
for (const name of names) if (fs.statSync(name).size !== text.length) throw new Error(name);
for (const name of names) fs.unlinkSync(name);
const took = performance.now() - began;
fs.rmdirSync(dir);
console.log(took);
