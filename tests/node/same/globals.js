// Names by which packages tell one runtime from another.
for (const name of ['Deno', 'Bun', 'window', 'self', 'EventSource', 'FileReader', 'ProgressEvent', 'PromiseRejectionEvent', 'process', 'global']) {
  console.log(name, name in globalThis, typeof globalThis[name]);
}
console.log(typeof Deno);
const { Worker } = require('node:worker_threads');
new Worker('console.log("in a thread", typeof Deno, "Deno" in globalThis)', { eval: true }).on('exit', () => {
  const { spawnSync } = require('node:child_process');
  console.log(spawnSync(process.execPath, ['-p', '[typeof Deno, "Deno" in globalThis]'], { encoding: 'utf8' }).stdout);
});
const { inspect, types } = require('node:util');
console.log(inspect(Map.prototype), inspect(Set.prototype), inspect(Object.getPrototypeOf(new Map().entries())), inspect(WeakMap.prototype));
console.log(types.isMap(Map.prototype), types.isMap(new Map()), types.isSet(new Set()), types.isWeakMap(new WeakMap()), types.isMapIterator(new Map().keys()));
console.log(inspect(Map, { showHidden: true }).length > 100, inspect(new Set([1]).values()));
