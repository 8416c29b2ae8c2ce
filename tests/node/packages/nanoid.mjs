import assert from 'node:assert';
import { customAlphabet, nanoid } from 'nanoid';
assert.match(nanoid(), /^[\w-]{21}$/);
assert.match(customAlphabet('01', 64)(), /^[01]{64}$/);
console.log('ok');
