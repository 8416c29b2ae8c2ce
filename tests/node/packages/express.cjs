const express = require('express');
const assert = require('assert');
const app = express();
app.use(express.json());
app.get('/hello/:who', (req, res) => res.send(`hello ${req.params.who}`));
app.post('/sum', (req, res) => res.json({ sum: req.body.a + req.body.b }));
app.get('/boom', () => { throw new Error('boom'); });
app.use((error, req, res, next) => res.status(500).json({ error: error.message }));
const server = app.listen(0, '127.0.0.1', async () => {
  const base = `http://127.0.0.1:${server.address().port}`;
  assert.strictEqual(await (await fetch(`${base}/hello/world`)).text(), 'hello world');
  const post = await fetch(`${base}/sum`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"a":1,"b":2}' });
  assert.deepStrictEqual(await post.json(), { sum: 3 });
  const boom = await fetch(`${base}/boom`);
  assert.deepStrictEqual([boom.status, await boom.json()], [500, { error: 'boom' }]);
  assert.strictEqual((await fetch(`${base}/nowhere`)).status, 404);
  server.close(() => console.log('ok'));
  server.closeAllConnections();
});
