// Five sorts of computing, in milliseconds.
const { performance } = require('perf_hooks');
const fib = (n) => (n < 2 ? n : fib(n - 1) + fib(n - 2));
class Tree {
  constructor(depth) {
    this.left = depth > 0 ? new Tree(depth - 1) : null;
    this.right = depth > 0 ? new Tree(depth - 1) : null;
  }
  count() { return this.left ? 1 + this.left.count() + this.right.count() : 1; }
}
const sieve = (size) => {
  const composite = new Uint8Array(size);
  let primes = 0;
  for (let n = 2; n < size; n++) {
    if (composite[n]) continue;
    primes++;
    for (let m = 2 * n; m < size; m += n) composite[m] = 1;
  }
  return primes;
};
const words = () => {
  const counts = new Map();
  const text = 'the quick brown fox jumps over the lazy dog and the cat '.repeat(2000);
  for (const [word] of text.matchAll(/\b[a-z]+\b/g)) counts.set(word, (counts.get(word) ?? 0) + 1);
  return counts.get('the');
};
const json = () => JSON.parse(JSON.stringify(Array.from({ length: 20000 }, (_, n) => ({ n, s: `s${n}`, a: [n, n + 1] })))).length;
const began = performance.now();
const results = [fib(30), new Tree(17).count(), sieve(3_000_000), words(), json()];
const took = performance.now() - began;
if (results.join() !== '832040,262143,216816,6000,20000') throw new Error(results.join());
console.log(took);
