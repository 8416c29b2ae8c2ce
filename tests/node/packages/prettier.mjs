import assert from 'node:assert';
import prettier from 'prettier';
const tidy = await prettier.format('const a={b:1,c:[1,2 ,3]}\nfunction f( x ){return x}', { parser: 'babel', singleQuote: true });
assert.equal(tidy, 'const a = { b: 1, c: [1, 2, 3] };\nfunction f(x) {\n  return x;\n}\n');
assert.equal(await prettier.format('a{color:red}', { parser: 'css' }), 'a {\n  color: red;\n}\n');
assert.equal(await prettier.format('# a\n* b', { parser: 'markdown' }), '# a\n\n- b\n');
await assert.rejects(prettier.format('let = ;', { parser: 'babel' }), /\(1:7\)/);
console.log('ok');
