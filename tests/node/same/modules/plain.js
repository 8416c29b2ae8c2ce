process.send('first');
process.exit(5);
