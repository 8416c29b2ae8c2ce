// Hears one word, and no more.
process.on('message', () => { for (;;); });
process.send('ready');
