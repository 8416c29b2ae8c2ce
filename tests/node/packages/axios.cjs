const axios = require('axios');
const assert = require('assert');
const http = require('http');
const server = http.createServer((req, res) => {
  let text = '';
  req.on('data', (part) => { text += part; });
  req.on('end', () => {
    if (req.url === '/missing') res.statusCode = 404;
    res.setHeader('content-type', 'application/json');
    res.end(JSON.stringify({ method: req.method, url: req.url, text }));
  });
});
server.listen(0, '127.0.0.1', async () => {
  const client = axios.create({ baseURL: `http://127.0.0.1:${server.address().port}`, timeout: 10000 });
  assert.deepStrictEqual((await client.get('/a', { params: { b: 1 } })).data, { method: 'GET', url: '/a?b=1', text: '' });
  assert.strictEqual((await client.post('/c', { d: 2 })).data.text, '{"d":2}');
  await assert.rejects(client.get('/missing'), (error) => error.response.status === 404);
  server.close(() => console.log('ok'));
  server.closeAllConnections();
});
