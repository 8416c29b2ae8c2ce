// node:vm.
const t = async (name, f) => { try { console.log(name, await f()); } catch (e) { console.log(name, 'throws', e.name, e.code, e.message.split('\n')[0]); } };
(async () => {
  const vm = require('node:vm');
  await t('vm.runInNewContext', () => vm.runInNewContext('a + 1', { a: 41 }));
  await t('vm.createContext', () => { const c = vm.createContext({ n: 1 }); vm.runInContext('n += 5; var added = 2; this.more = 3', c); return [c.n, c.added, c.more, vm.isContext(c), vm.isContext({})]; });
  await t('vm.Script', () => { const s = new vm.Script('x = (typeof x === "undefined" ? 0 : x) + 1', { filename: 'f.js' }); const c = vm.createContext({}); s.runInContext(c); s.runInContext(c); return c.x; });
  await t('vm realm', () => { const a = vm.runInNewContext('[1]'); return [Array.isArray(a), a instanceof Array]; });
  await t('vm timeout', () => vm.runInNewContext('for (;;);', {}, { timeout: 20 }));
  await t('vm error', () => vm.runInNewContext('nope', {}, { filename: 'my.js' }));
  await t('vm.compileFunction', () => vm.compileFunction('return a + b', ['a', 'b'])(1, 2));
  const own = 'class A {} A.fileName = "a"; [A.fileName, Reflect.ownKeys(Function.prototype).map(String).sort()]';
  await t('properties of functions', () => [eval(own), vm.runInNewContext(own)]);
  await t('vm.constants', () => Object.keys(vm.constants).sort());
})();
