// Writes the types of what is imported and exported into a module: embed.mjs MODULE WIT-FOLDER. It runs from the folder that the
// packages are installed in.
import { componentEmbed } from '@bytecodealliance/jco';
import { readdir, readFile, writeFile } from 'node:fs/promises';

const [module, folder] = process.argv.slice(2);
const read = path => readFile(`${folder}/${path}`, 'utf8');

// In one text: jco 1.35's own command gives a folder's path to a program that it gives no folders.
let witSource = await read('guest.wit');
for (const name of await readdir(`${folder}/deps`)) {
    const text = await read(`deps/${name}/package.wit`);
    witSource += text.replace(/^package (.*);$/m, 'package $1 {') + '}\n';
}
await writeFile(module, await componentEmbed({ binary: await readFile(module), witSource, world: 'guest' }));
