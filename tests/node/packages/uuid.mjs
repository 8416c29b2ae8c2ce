import assert from 'node:assert';
import { v4, v5, v7, validate, version } from 'uuid';
assert.equal(v5('hello', v5.DNS), '9342d47a-1bab-5709-9869-c840b2eac501');
const all = new Set(Array.from({ length: 1000 }, () => v4()));
assert.equal(all.size, 1000);
assert.ok(validate(v7()) && version(v7()) === 7);
console.log('ok');
