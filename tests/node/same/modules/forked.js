const [how] = process.argv.slice(2);
process.on('message', (m) => {
  if (m === 'bye') {
    process.disconnect();
    return;
  }
  process.send({
    m, kind: Buffer.isBuffer(m.bytes) + '/' + (m.when instanceof Date), argv: process.argv.slice(2), execArgv: process.execArgv,
    connected: process.connected, env: [process.env.ONLY, process.env.NODE_CHANNEL_FD],
  });
});
process.on('disconnect', () => { if (how !== 'stay') process.exitCode = 3; });
