const { addMonths, differenceInDays, format, parseISO } = require('date-fns');
const assert = require('assert');
assert.strictEqual(format(addMonths(new Date(2024, 0, 31), 1), 'yyyy-MM-dd'), '2024-02-29');
assert.strictEqual(differenceInDays(parseISO('2025-03-01'), parseISO('2025-02-01')), 28);
console.log('ok');
