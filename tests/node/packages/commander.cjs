const { Command } = require('commander');
const assert = require('assert');
const program = new Command().name('tool').version('1.2.3');
let got;
program.command('add <first> [others...]').option('-n, --dry-run').option('--times <n>', 'how often', Number, 1)
  .action((first, others, options) => { got = { first, others, options }; });
program.parse(['node', 'tool', 'add', 'a', 'b', 'c', '-n', '--times', '3']);
assert.deepStrictEqual(got, { first: 'a', others: ['b', 'c'], options: { times: 3, dryRun: true } });
program.exitOverride().configureOutput({ writeErr: (text) => { got = text; } });
assert.throws(() => program.parse(['node', 'tool', 'frob']), /unknown command 'frob'/);
assert.match(got, /unknown command 'frob'/);
console.log('ok');
