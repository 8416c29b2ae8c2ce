// child_process.fork: the channel between a program and its child.
const { fork, spawn } = require('node:child_process');
const { once } = require('node:events');
const path = require('node:path');
const child = path.join(__dirname, 'modules/forked.js');

async function talk(name, options, args = []) {
  const said = [];
  const c = fork(child, args, options);
  c.on('message', (m) => said.push(['message', m]));
  c.on('disconnect', () => said.push(['disconnect', c.connected]));
  const exited = once(c, 'exit');
  const closed = once(c, 'close');
  const sent = c.send({ hello: [1, 'zwei', null], when: new Date(0), bytes: Buffer.from('x') });
  c.send('more', (e) => said.push(['sent', e]));
  c.send('bye');
  const [code, signal] = await exited;
  await closed;
  console.log('==', name, sent, c.connected, c.channel, [code, signal]);
  for (const one of said.sort((a, b) => a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0)) console.log(one);
  try {
    c.send('late', (e) => console.log(e.code));
  } catch (e) {
    console.log('thrown', e.code);
  }
  await new Promise(setImmediate);
}

(async () => {
  await talk('json', {});
  await talk('advanced', { serialization: 'advanced' });
  await talk('arguments', {}, ['a', 'b c']);
  await talk('silent', { silent: true });
  await talk('environment', { env: { ONLY: 'this' } });
  const killed = fork(child, ['stay']);
  killed.once('message', () => killed.kill());
  killed.send('x');
  console.log('killed', await once(killed, 'exit'));
  const dropped = fork(child, ['stay']);
  await once(dropped, 'spawn');
  dropped.disconnect();
  console.log('disconnected', dropped.connected, await once(dropped, 'exit'));
  const spawned = spawn(process.execPath, [child], { stdio: ['inherit', 'inherit', 'inherit', 'ipc'] });
  spawned.send('bye');
  console.log('spawned', await once(spawned, 'exit'));
  // It is killed before it has heard everything that was said to it.
  const deaf = fork(path.join(__dirname, 'modules/deaf.js'));
  const ends = ['disconnect', 'exit', 'close'].map((name) => once(deaf, name));
  await once(deaf, 'message');
  for (let i = 0; i < 100; i++) deaf.send('x'.repeat(1e5));
  setTimeout(() => deaf.kill('SIGKILL'), 100);
  console.log('deaf', await Promise.all(ends), deaf.connected);
  const plain = fork(path.join(__dirname, 'modules/plain.js'));
  console.log('says at once', await once(plain, 'message'), await once(plain, 'exit'));
  try { fork(5); } catch (e) { console.log(e.code); }
  try { fork(child, { serialization: 'xml' }); } catch (e) { console.log(e.code); }
  const [unsendable] = [fork(child, ['stay'])];
  try { unsendable.send(undefined); } catch (e) { console.log(e.code); }
  try { unsendable.send(() => {}); } catch (e) { console.log(e.code); }
  unsendable.disconnect();
})();
