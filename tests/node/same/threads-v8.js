// node:worker_threads, what takes V8: a thread's heap with a bound of its own, and one that waits for memory to change.
const { Worker: RealWorker } = require('worker_threads');
const { once } = require('events');
async function t(name, f) { try { console.log(name, await f()); } catch (e) { console.log(name, 'THREW', e && e.code, e && e.message); } }
class Worker extends RealWorker { constructor(...a) { super(...a); this.done = new Promise(r => this.on('exit', r)); } }
const code = (w) => w.done;
(async () => {
  await t('clone error', async () => { const w = new Worker('', { eval: true }); try { w.postMessage(() => {}); } catch (e) { return [e.name, e.message, await code(w)]; } });
  await t('workerData clone error', async () => new Worker('', { eval: true, workerData: () => {} }));
  await t('wasm module', async () => { const m = new WebAssembly.Module(new Uint8Array([0,97,115,109,1,0,0,0])); const w = new Worker('require("worker_threads").parentPort.postMessage(require("worker_threads").workerData instanceof WebAssembly.Module)', { eval: true, workerData: m }); const [r] = await once(w,'message'); return [r, await code(w)]; });
  await t('syntax', async () => { const w = new Worker('let a = ;', { eval: true }); const e = await new Promise(r => w.on('error', r)); return [e.name, e.message, await code(w)]; });
  await t('oom', async () => { const w = new Worker('const a=[]; for(;;) a.push(new Array(1000).fill(Math.random()))', { eval: true, resourceLimits: { maxOldGenerationSizeMb: 16 } }); const e = await new Promise(r => w.on('error', r)); return [e.code, e.message, await code(w)]; });
  await t('limits', async () => { const w = new Worker('require("worker_threads").parentPort.postMessage(require("worker_threads").resourceLimits)', { eval: true, resourceLimits: { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 16, stackSizeMb: 2, codeRangeSizeMb: 8 } }); const [m] = await once(w,'message'); await code(w); return [m, w.resourceLimits]; });
  await t('terminate wait', async () => { const w = new Worker('Atomics.wait(new Int32Array(new SharedArrayBuffer(4)),0,0)', { eval: true }); await once(w, 'online'); await new Promise(r=>setTimeout(r,50)); return await w.terminate(); });
})();
