// A suite with a mock, a snapshot and a failing test, run in this process.
const { runCLI } = require('@jest/core');
const assert = require('assert');
const fs = require('fs');
const os = require('os');
const path = require('path');
const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'jest-'));
fs.writeFileSync(path.join(dir, 'package.json'), '{"name":"suite"}');
fs.writeFileSync(path.join(dir, 'sum.js'), 'module.exports = (a, b) => a + b;\n');
fs.writeFileSync(path.join(dir, 'sum.test.js'), `
const sum = require('./sum');
test('adds', () => expect(sum(1, 2)).toBe(3));
test('remembers', () => expect({ sum: sum(2, 2) }).toMatchInlineSnapshot(\`
{
  "sum": 4,
}
\`));
test('mocks', () => { const f = jest.fn(() => 7); f(1); expect(f).toHaveBeenCalledWith(1); });
test('fails', () => expect(sum(1, 1)).toBe(3));
`);
const quiet = fs.createWriteStream('/dev/null');
process.stderr.write = quiet.write.bind(quiet);
runCLI({ rootDir: dir, runInBand: true, ci: true, watchman: false, cache: false, transform: '{}', silent: true, _: [], $0: 'jest' }, [dir]).then(({ results }) => {
  assert.deepStrictEqual([results.numPassedTests, results.numFailedTests], [3, 1]);
  assert.match(results.testResults[0].testResults.find((test) => test.status === 'failed').failureMessages[0], /Expected: .*3/s);
  console.log('ok');
  process.exit(0);
}).catch((error) => { console.log(error); process.exit(1); });
