// The service of esbuild-wasm is a child process in Node; its browser build runs in this one.
globalThis.self = globalThis;
const esbuild = require('esbuild-wasm/lib/browser.js');
const assert = require('assert');
const fs = require('fs');
(async () => {
  const wasmModule = await WebAssembly.compile(fs.readFileSync(require.resolve('esbuild-wasm/esbuild.wasm')));
  await esbuild.initialize({ wasmModule, worker: false });
  const { code } = await esbuild.transform('let x: number = 1 + 2; export default () => <b>{x}</b>', { loader: 'tsx', minify: true });
  assert.match(code, /^let \w=3;export default\(\)=>React\.createElement\("b",null,\w\);\n$/);
  await assert.rejects(esbuild.transform('let ='), /Unexpected end of file/);
  console.log('ok');
  process.exit(0);
})();
