console.log('idle');
setInterval(() => {}, 1 << 30);
