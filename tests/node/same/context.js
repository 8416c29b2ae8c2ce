// AsyncLocalStorage: which store the listeners of sockets and signals find.
const { AsyncLocalStorage } = require('node:async_hooks');
const { once } = require('node:events');
const net = require('node:net');
const http = require('node:http');
const store = new AsyncLocalStorage();
const said = [];
const say = (...what) => said.push(`${what.join(' ')}: ${store.getStore()}`);
const listen = (server) => new Promise((done) => server.listen(0, '127.0.0.1', done));
(async () => {
  const server = store.run('server', () => net.createServer((socket) => {
    for (const name of ['data', 'end', 'close']) socket.on(name, () => say('server', name));
    socket.once('data', () => socket.end('x'));
  }));
  await store.run('listen', () => listen(server));
  const client = store.run('client', () => {
    const socket = net.connect(server.address().port, '127.0.0.1');
    for (const name of ['connect', 'data', 'end', 'close']) socket.on(name, () => say('client', name));
    socket.write('x', () => say('client wrote'));
    return socket;
  });
  await once(client, 'close');
  server.close();
  await once(server, 'close');
  const web = http.createServer((request, response) => { request.resume(); response.end('x'); });
  await listen(web);
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  for (const name of ['first', 'second']) {
    await store.run(name, () => new Promise((done) => {
      http.get({ port: web.address().port, host: '127.0.0.1', agent }, (response) => {
        say(name, 'response');
        response.on('data', () => say(name, 'data')).on('end', () => done(say(name, 'end')));
      });
    }));
  }
  agent.destroy();
  web.close();
  await store.run('timeout', () => new Promise((done) => {
    AbortSignal.timeout(5).addEventListener('abort', () => done(say('timeout')));
    setTimeout(() => {}, 1000).unref();
    setTimeout(() => {}, 50);
  }));
  await new Promise((done) => {
    const control = new AbortController();
    store.run('listener', () => control.signal.addEventListener('abort', () => done(say('abort'))));
    store.run('aborter', () => control.abort());
  });
  console.log(said.sort().join('\n'));
})();
