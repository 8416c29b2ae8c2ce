// How long loading express takes, in milliseconds.
const { performance } = require('perf_hooks');
const began = performance.now();
require('express');
console.log(performance.now() - began);
