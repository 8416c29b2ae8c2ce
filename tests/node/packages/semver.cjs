const semver = require('semver');
const assert = require('assert');
assert.ok(semver.satisfies('1.4.2', '^1.3.0 || >=3') && !semver.satisfies('2.0.0', '~1.3'));
assert.deepStrictEqual(semver.sort(['2.0.0', '1.10.0', '1.9.0']), ['1.9.0', '1.10.0', '2.0.0']);
console.log('ok');
