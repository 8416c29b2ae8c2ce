// Two thousand requests to a server of its own, eight at a time over kept connections, in milliseconds.
const http = require('http');
const { performance } = require('perf_hooks');
const agent = new http.Agent({ keepAlive: true, maxSockets: 8 });
const server = http.createServer((request, response) => response.end('hello world\n'));
server.listen(0, '127.0.0.1', async () => {
  const { port } = server.address();
  const ask = () => new Promise((done, failed) => {
    http.get({ host: '127.0.0.1', port, agent }, (response) => {
      response.resume();
      response.on('end', done);
    }).on('error', failed);
  });
  const client = async (count) => { for (let n = 0; n < count; n++) await ask(); };
  await Promise.all(Array.from({ length: 8 }, () => client(25)));
  const began = performance.now();
  await Promise.all(Array.from({ length: 8 }, () => client(250)));
  console.log(performance.now() - began);
  process.exit(0);
});
