const assert = require('assert');
const app = require('fastify')();
app.get('/hello/:who', async (request) => ({ hello: request.params.who }));
const body = { type: 'object', required: ['n'], properties: { n: { type: 'integer' } } };
app.post('/twice', { schema: { body } }, async (request) => ({ twice: request.body.n * 2 }));
(async () => {
  const base = await app.listen({ port: 0, host: '127.0.0.1' });
  assert.deepStrictEqual(await (await fetch(`${base}/hello/world`)).json(), { hello: 'world' });
  const post = (n) => fetch(`${base}/twice`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ n }) });
  assert.deepStrictEqual(await (await post(4)).json(), { twice: 8 });
  assert.strictEqual((await post('x')).status, 400);
  await app.close();
  console.log('ok');
})();
