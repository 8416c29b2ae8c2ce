// mysql2 brings a server's half of the protocol: the client talks to it.
const mysql = require('mysql2');
const assert = require('assert');
const server = mysql.createServer();
server.on('connection', (conn) => {
  conn.serverHandshake({ protocolVersion: 10, serverVersion: 'test', connectionId: 1, statusFlags: 2, characterSet: 33, capabilityFlags: 0xffffff ^ 0x800 });
  conn.on('query', (sql) => {
    if (/^bad/.test(sql)) return conn.writeError({ code: 1064, message: 'You have an error in your SQL syntax' });
    conn.writeTextResult([{ n: '1', name: 'one' }], ['n', 'name'].map((name) => ({
      catalog: 'def', schema: '', table: '', orgTable: '', name, orgName: name, characterSet: 33, columnLength: 50, columnType: 253, flags: 0, decimals: 0,
    })));
  });
  conn.on('error', () => {});
});
server.listen(0, '127.0.0.1', async () => {
  const { port } = server._server.address();
  const client = mysql.createConnection({ host: '127.0.0.1', port, user: 'u', password: '' }).promise();
  const [rows] = await client.query('select ?', [1]);
  assert.deepStrictEqual(rows.map((row) => ({ ...row })), [{ n: '1', name: 'one' }]);
  await assert.rejects(client.query('bad'), { errno: 1064 });
  await client.end();
  server.close(() => console.log('ok'));
});
