const { WebSocketServer, WebSocket } = require('ws');
const assert = require('assert');
const server = new WebSocketServer({ port: 0, host: '127.0.0.1' }, () => {
  const client = new WebSocket(`ws://127.0.0.1:${server.address().port}/`);
  const got = [];
  client.on('open', () => { client.send('text'); client.send(Buffer.alloc(100_000, 7)); });
  client.on('message', (data, binary) => {
    got.push(binary ? data.length : data.toString());
    if (got.length < 2) return;
    assert.deepStrictEqual(got, ['TEXT', 100_000]);
    client.close(4000, 'enough');
  });
  client.on('close', (code, reason) => {
    assert.deepStrictEqual([code, reason.toString()], [4000, 'enough']);
    server.close(() => console.log('ok'));
  });
});
server.on('connection', (socket) => {
  socket.on('message', (data, binary) => socket.send(binary ? data : data.toString().toUpperCase(), { binary }));
});
