// The Redis client against a server of three commands.
const { createClient } = require('redis');
const assert = require('assert');
const net = require('net');
const held = new Map();
const bulk = (s) => (s === undefined ? '$-1\r\n' : `$${Buffer.byteLength(s)}\r\n${s}\r\n`);
const server = net.createServer((socket) => {
  let unread = '';
  socket.on('data', (data) => {
    unread += data;
    for (let found; (found = /^\*(\d+)\r\n((?:\$\d+\r\n.*\r\n)*)/.exec(unread)) && found[2].split('\r\n').length > 2 * found[1];) {
      const lines = found[2].split('\r\n');
      const words = lines.filter((_, at) => at % 2 === 1).slice(0, found[1]);
      unread = unread.slice(found[0].length - lines.slice(2 * found[1]).join('\r\n').length);
      const [command, key, value] = words;
      if (command === 'SET') { held.set(key, value); socket.write('+OK\r\n'); }
      else if (command === 'GET') socket.write(bulk(held.get(key)));
      else if (command === 'HELLO') socket.write('-ERR unknown command\r\n');
      else socket.write('+OK\r\n');
    }
  });
});
server.listen(0, '127.0.0.1', async () => {
  const client = createClient({ url: `redis://127.0.0.1:${server.address().port}`, RESP: 2 });
  await client.connect();
  assert.strictEqual(await client.set('k', 'välue'), 'OK');
  assert.strictEqual(await client.get('k'), 'välue');
  assert.strictEqual(await client.get('none'), null);
  client.destroy();
  server.close(() => console.log('ok'));
});
