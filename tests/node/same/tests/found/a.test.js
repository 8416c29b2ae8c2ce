const test = require('node:test'); test('good', () => {}); test('bad', () => { throw new Error('bad'); }); test('good and bad', () => {});
