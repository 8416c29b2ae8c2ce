// The compiler compiles a file with types that hold, and refuses one whose types do not.
const ts = require('typescript');
const assert = require('assert');
const fs = require('fs');
const os = require('os');
const path = require('path');
const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'ts-'));
const write = (name, text) => { fs.writeFileSync(path.join(dir, name), text); return path.join(dir, name); };
const good = write('good.ts', 'export interface P { x: number }\nexport const twice = (p: P): number => p.x * 2;\n');
const bad = write('bad.ts', 'import { twice } from "./good";\nexport const n: string = twice({ x: "no" });\n');
const options = { outDir: path.join(dir, 'out'), module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2022, strict: true, types: [] };
const compile = (file) => {
  const program = ts.createProgram([file], options);
  const said = ts.getPreEmitDiagnostics(program).map((d) => d.code);
  program.emit();
  return said;
};
assert.deepStrictEqual(compile(good), []);
assert.strictEqual(require(path.join(dir, 'out', 'good.js')).twice({ x: 21 }), 42);
assert.deepStrictEqual(compile(bad).sort(), [2322, 2322]);
console.log('ok');
