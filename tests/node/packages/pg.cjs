// The PostgreSQL driver against the few messages of the protocol that one simple query takes.
const { Client } = require('pg');
const assert = require('assert');
const net = require('net');
const message = (type, ...parts) => {
  const body = Buffer.concat(parts);
  const head = Buffer.alloc(5);
  head.write(type);
  head.writeUInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
};
const int16 = (n) => { const b = Buffer.alloc(2); b.writeInt16BE(n); return b; };
const int32 = (n) => { const b = Buffer.alloc(4); b.writeInt32BE(n); return b; };
const text = (s) => Buffer.from(`${s}\0`);
const ready = message('Z', Buffer.from('I'));
const server = net.createServer((socket) => {
  let started = false;
  socket.on('data', (data) => {
    if (!started) {
      started = true;
      socket.write(Buffer.concat([message('R', int32(0)), ready]));
    } else if (data[0] === 'Q'.charCodeAt(0)) {
      const row = message('T', int16(1), text('n'), int32(0), int16(0), int32(23), int16(4), int32(-1), int16(0));
      socket.write(Buffer.concat([row, message('D', int16(1), int32(2), Buffer.from('42')), message('C', text('SELECT 1')), ready]));
    } else {
      socket.end();
    }
  });
});
server.listen(0, '127.0.0.1', async () => {
  const client = new Client({ host: '127.0.0.1', port: server.address().port, user: 'u', database: 'd' });
  await client.connect();
  assert.deepStrictEqual((await client.query('select 42 as n')).rows, [{ n: 42 }]);
  await client.end();
  server.close(() => console.log('ok'));
});
