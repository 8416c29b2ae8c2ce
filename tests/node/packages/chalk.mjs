import assert from 'node:assert';
import chalk, { Chalk } from 'chalk';
assert.equal(chalk.red('plain'), 'plain', 'no colours where output is no terminal');
assert.equal(new Chalk({ level: 1 }).red.bold('x'), '\u001b[31m\u001b[1mx\u001b[22m\u001b[39m');
console.log('ok');
