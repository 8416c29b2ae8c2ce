import assert from 'node:assert';
import yargs from 'yargs';
const argv = yargs(['build', '--level=3', '-v', '--no-colour']).command('build', 'build it').option('v', { type: 'boolean' }).parseSync();
assert.deepEqual([argv._, argv.level, argv.v, argv.colour], [['build'], 3, true, false]);
assert.match(await yargs([]).scriptName('tool').command('build', 'build it').getHelp(), /tool build\s+build it/);
console.log('ok');
