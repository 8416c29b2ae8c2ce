const _ = require('lodash');
const assert = require('assert');
assert.deepStrictEqual(_.chunk([1, 2, 3, 4, 5], 2), [[1, 2], [3, 4], [5]]);
assert.strictEqual(_.get({ a: [{ b: 3 }] }, 'a[0].b'), 3);
assert.strictEqual(_.template('hello <%= who %>')({ who: 'world' }), 'hello world');
assert.deepStrictEqual(_.sortBy([{ n: 3 }, { n: 1 }], 'n').map((x) => x.n), [1, 3]);
console.log('ok');
