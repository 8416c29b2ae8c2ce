// A suite of three: two pass, one fails, and mocha says so.
import assert from 'node:assert';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import Mocha from 'mocha';
const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'mocha-')), 'suite.cjs');
fs.writeFileSync(file, `
const assert = require('assert');
describe('arithmetic', () => {
  it('adds', () => assert.strictEqual(1 + 1, 2));
  it('waits', () => new Promise((done) => setTimeout(done, 5)));
  it('fails', () => assert.strictEqual(1, 2));
});
`);
const mocha = new Mocha({ reporter: 'json', reporterOptions: { output: file + '.json' } });
mocha.addFile(file);
mocha.run((failures) => {
  const { stats, failures: failed } = JSON.parse(fs.readFileSync(file + '.json', 'utf8'));
  assert.deepStrictEqual([failures, stats.tests, stats.passes, failed[0].fullTitle], [1, 3, 2, 'arithmetic fails']);
  console.log('ok');
});
