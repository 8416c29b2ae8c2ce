// node:test and `node --test`: what is printed, and the status. Times, places and frames are left out.
const { spawnSync } = require('node:child_process');
const path = require('node:path');

const plain = (text) => text.replaceAll(__dirname, '/same')
  .replace(/\([\d.]+ms\)/g, '(TIME)').replace(/(duration_ms:? )[\d.]+/g, '$1TIME').replace(/time="[\d.]+"/g, 'time="TIME"')
  .replace(/hostname="[^"]*"/g, 'hostname="HOST"')
  .replace(/(\.m?js):\d+:\d+/g, '$1:PLACE').split('\n')
  .map((line) => line.replace(/(\(|at )(node|ext|file):.*$/, '$1…').replace(/^Node\.js v.*/, 'Node.js'))
  // Frames are the engine's, in Node with those of its own runner.
  .filter((line) => !/^\s+(at|async) |^# +at |^\s+(\S+ )?(\S+\.)?\S+ \((…|\/same.*PLACE\))( \{)?$|^\s+…$|lines matching|^\s+(async )?(node|ext):|^\s+stack: /.test(line))
  .filter((line) => !/^\s+(\S+ )*\S+ \(\/same\S+PLACE\)$|^\s+new Promise/.test(line)).join('\n');

function run(name, args, { cwd = 'tests', env } = {}) {
  const { NODE_TEST_CONTEXT, ...rest } = process.env;
  const options = { encoding: 'utf8', cwd: path.join(__dirname, cwd), env: { ...rest, ...env } };
  const { status, stdout, stderr } = spawnSync(process.execPath, args, options);
  console.log(`== ${name}: ${status}`);
  process.stdout.write(plain(stdout));
  process.stdout.write(plain(stderr));
}

run('spec', ['outcomes.js']);
run('tap', ['--test-reporter=tap', 'outcomes.js']);
run('hooks', ['hooks.mjs']);
run('only some', ['--test-reporter=tap', '--test-name-pattern=two|first', 'outcomes.js']);
run('all but some', ['--test-reporter=tap', '--test-skip-pattern=/^b/', '--test', 'found/a.test.js']);
run('files', ['--test'], { cwd: 'tests/found' });
run('files by pattern', ['--test', '--test-reporter=tap', '*.mjs'], { cwd: 'tests/found' });
run('a file that is not there', ['--test', 'missing.js']);
run('points', ['--test', '--test-reporter=dot', 'a.test.js'], { cwd: 'tests/found' });
run('options of the environment', ['found/a.test.js'], { env: { NODE_OPTIONS: '--test-reporter=tap' } });
