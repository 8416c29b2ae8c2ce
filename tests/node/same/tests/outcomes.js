// Every way in which a test can end.
const test = require('node:test');
const assert = require('node:assert');
const { describe, it, before, after, beforeEach, afterEach } = test;
const { setTimeout: forSignal } = require('node:timers/promises');
const later = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

test('passes', (t) => assert.strictEqual(t.name, 'passes'));
test('passes later', async (t) => { await later(1); t.diagnostic('a word'); });
test('fails', () => assert.strictEqual(1, 2));
test('throws a string', () => { throw 'text'; });
test('throws undefined', () => { throw undefined; });
test('throws an object', () => { throw { a: 1, b: { c: [1] } }; });
test('rejects', async () => { throw Object.assign(new Error('no'), { code: 'ECODE' }); });
test('calls back', (t, done) => setTimeout(done, 1));
test('calls back with an error', (t, done) => setTimeout(done, 1, new Error('back')));
test('calls back and promises', async (t, done) => done());
test('skipped', { skip: true }, () => { throw new Error('never'); });
test('skipped for a reason', { skip: 'a reason' });
test('skips itself', (t) => t.skip('late'));
test('to do', { todo: true }, () => { throw new Error('not yet'); });
test('to do for a reason', { todo: 'a reason' });
test.skip('skip', () => {});
test.todo('todo');
test('expected to fail', { expectFailure: true }, () => { throw new Error('as expected'); });
test('# a \\ name', () => {});
test(function itsOwnName() {});
test('too slow', { timeout: 20 }, (t) => forSignal(5000, null, { signal: t.signal }));
test('planned', (t) => { t.plan(2); t.assert.ok(true); t.assert.strictEqual(1, 1); });
test('planned more', (t) => { t.plan(2); t.assert.ok(true); });
test('an error that nobody catches', async () => { setTimeout(() => { throw new Error('lost'); }, 1); await later(500); });
test('a rejection that nobody catches', async () => { Promise.reject(new Error('lost promise')); await later(500); });
test('compares', () => assert.deepStrictEqual({ a: 1, b: [1, 'x', null] }, { a: 2 }));
test('a message of two lines', () => { throw new TypeError('one\ntwo'); });

test('has subtests', async (t) => {
  await t.test('first', () => {});
  await t.test('second', async (t) => {
    await t.test('deep', () => assert.ok(false, 'deep down'));
  });
});
test('does not wait for them', (t) => { t.test('and they end', () => later(5)); });
test('some at once', { concurrency: 3 }, async (t) => {
  const order = [];
  let open;
  const gate = new Promise((resolve) => { open = resolve; });
  await Promise.all([
    t.test('waits for the other', async () => { await gate; order.push('waits'); }),
    t.test('is waited for', () => { order.push('opens'); open(); }),
  ]);
  assert.deepStrictEqual(order, ['opens', 'waits']);
});

describe('a suite', () => {
  it('has tests', () => {});
  it('that fail', () => { throw new Error('in a suite'); });
  describe('and suites', () => { it('one', () => {}); it.skip('two'); it.todo('three'); });
});
describe.skip('a suite that is skipped', () => { it('never', () => { throw new Error('never'); }); });
describe('an empty one', () => {});
describe('one that throws', () => { throw new Error('at once'); });
describe('a before that fails', () => { before(() => { throw new Error('before'); }); it('is not run', () => {}); });
describe('an after that fails', () => { after(() => { throw new Error('after'); }); it('is run', () => {}); });
describe('a beforeEach that fails', () => { beforeEach(() => { throw new Error('each'); }); it('is not run', () => {}); });
describe('an afterEach that fails', () => { afterEach(() => { throw new Error('each'); }); it('is run', () => {}); });
