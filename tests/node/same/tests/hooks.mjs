// Hooks in their order, contexts, mocks, assertions: what is seen from within.
import test, { after, afterEach, before, beforeEach, describe, it, mock, suite } from 'node:test';
import assert from 'node:assert';

const seen = [];
const note = (word) => (t) => { seen.push(t?.name && !t.name.startsWith('<') ? `${word}(${t.name})` : word); };
before(note('before')); beforeEach(note('beforeEach')); afterEach(note('afterEach'));
process.on('exit', () => console.error(seen.join(' ')));

test('parent', async (t) => {
  t.before(note('t.before')); t.after(note('t.after')); t.beforeEach(note('t.beforeEach')); t.afterEach(note('t.afterEach'));
  await t.test('child', () => { seen.push('child'); });
});
describe('suite', () => {
  before(note('s.before')); after(note('s.after')); beforeEach(note('s.beforeEach')); afterEach(note('s.afterEach'));
  it('one', () => { seen.push('one'); });
  suite('inner', () => { it('two', () => { seen.push('two'); }); });
});

test('mock.fn', () => {
  const double = mock.fn((n) => 2 * n);
  assert.strictEqual(double(2), 4);
  double.mock.mockImplementationOnce(() => 'once');
  assert.deepStrictEqual([double(1), double(3)], ['once', 6]);
  assert.strictEqual(double.mock.callCount(), 3);
  assert.deepStrictEqual(double.mock.calls[2].arguments, [3]);
});
test('mock.method is undone with the test', async (t) => {
  const object = { n: 1, add(m) { return this.n + m; } };
  await t.test('while it runs', (t) => {
    t.mock.method(object, 'add', () => 'mocked');
    assert.strictEqual(object.add(1), 'mocked');
  });
  assert.strictEqual(object.add(1), 2);
});
test('mock.timers', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 1000 });
  const called = t.mock.fn();
  setTimeout(called, 500);
  t.mock.timers.tick(499);
  assert.strictEqual(called.mock.callCount(), 0);
  t.mock.timers.tick(1);
  assert.strictEqual(called.mock.callCount(), 1);
  assert.strictEqual(Date.now(), 1500);
});
test('and they are the true ones again', () => assert.ok(Date.now() > 1e12));
test('its context', (t) => {
  assert.strictEqual(t.fullName, 'its context');
  assert.ok(t.signal instanceof AbortSignal);
  assert.ok(t.filePath.endsWith('hooks.mjs'));
  t.assert.throws(() => t.assert.equal(1, 2));
});
test('waits for what comes', async (t) => {
  let tries = 0;
  const got = await t.waitFor(() => { tries += 1; if (tries < 3) throw new Error('not yet'); return tries; }, { interval: 1 });
  assert.strictEqual(got, 3);
});
test('within', async (t) => {
  // A test that is made by the function of the module belongs to the test that runs.
  await test('another', (inner) => assert.strictEqual(inner.fullName, 'within > another'));
});
