// Which exported names of Node's modules (names.json, as Node 26.5.1 has them) are not here: a line a module.
const names = require('./names.json');
for (const [module, exported] of Object.entries(names)) {
  let here;
  try {
    here = require(`node:${module}`);
  } catch {
    console.log(`${module}: all`);
    continue;
  }
  const missing = exported.filter((name) => !(name in here));
  if (missing.length > 0) console.log(`${module}: ${missing.join(', ')}`);
}
