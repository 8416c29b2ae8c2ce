// Makes a component of a JavaScript module: build.mjs MODULE WIT-FOLDER COMPONENT. It runs from the folder that the
// packages are installed in.
import { componentize } from '@bytecodealliance/componentize-js';
import { readFile, writeFile } from 'node:fs/promises';

const [module, witPath, to] = process.argv.slice(2);
const source = await readFile(module, 'utf8');
const { component } = await componentize(source, { witPath, worldName: 'guest' });
await writeFile(to, component);
