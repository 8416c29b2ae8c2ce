require('node:test')('never', () => {});
