import assert from 'node:assert';
import { z } from 'zod';
const User = z.object({ name: z.string().min(2), age: z.coerce.number().int(), tags: z.array(z.string()).default([]) });
assert.deepEqual(User.parse({ name: 'Al', age: '7' }), { name: 'Al', age: 7, tags: [] });
const bad = User.safeParse({ name: 'A', age: 'x' });
assert.deepEqual(bad.error.issues.map((issue) => issue.path[0]), ['name', 'age']);
console.log('ok');
