// Command lines: exec, execSync and shell: true run them with /bin/sh.
const { exec, execSync, spawn, spawnSync } = require('node:child_process');

console.log(execSync('echo one two | { read a b; echo "$b $a"; }').toString());
console.log(execSync('x=$(printf "3\\n1\\n2\\n" | sort); echo $x; echo "$GREETING"', { env: { ...process.env, GREETING: 'hi there' }, encoding: 'utf8' }));
try {
  execSync('echo gone wrong >&2; exit 7', { stdio: 'pipe' });
} catch (error) {
  console.log(error.status, error.stderr.toString());
}
console.log(spawnSync('echo $((6 * 7)) && false || echo either', { shell: true }).stdout.toString());
exec('cat; echo done', (error, stdout, stderr) => {
  console.log(error, JSON.stringify(stdout), JSON.stringify(stderr));
  exec('kill -TERM $$', (error) => {
    console.log(error.killed, error.code, error.signal);
    const child = spawn('for i in 1 2 3; do echo line $i; done', { shell: true });
    child.stdout.on('data', (data) => process.stdout.write(data));
    child.on('close', (code) => console.log('closed', code));
  });
}).stdin.end('fed\n');
