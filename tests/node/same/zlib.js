// node:zlib: input that is broken or ends too early, and dictionaries.
const zlib = require('node:zlib');
const { pipeline, Readable } = require('node:stream');
const { promisify } = require('node:util');
// Which of its fourteen paddings is wrong is the decoder's to find first.
const told = (e) => [e.name, e.message, e.code.replace(/\d$/, ''), e.code.includes('PADDING') || e.errno];
const text = Buffer.from('hello hello hello hello, said the text that is compressed '.repeat(50));
(async () => {
  const whole = { brotli: zlib.brotliCompressSync(text), inflate: zlib.deflateSync(text), gunzip: zlib.gzipSync(text) };
  const undone = { brotli: 'brotliDecompress', inflate: 'inflate', gunzip: 'gunzip' };
  const stream = { brotli: 'createBrotliDecompress', inflate: 'createInflate', gunzip: 'createGunzip' };
  for (const [name, good] of Object.entries(whole)) {
    const inputs = { good, cut: good.subarray(0, good.length - 5), short: good.subarray(0, 3), empty: Buffer.alloc(0), garbage: Buffer.from('garbage garbage'), junk: Buffer.alloc(40, 255) };
    for (const [what, input] of Object.entries(inputs)) {
      const show = (how, f) => f.then((data) => console.log(name, what, how, data.length, data.equals(text)), (e) => console.log(name, what, how, told(e)));
      await show('now', (async () => zlib[`${undone[name]}Sync`](input))());
      await show('later', promisify(zlib[undone[name]])(input));
      await show('stream', new Promise((done, fail) => {
        const read = [];
        const parts = Readable.from(input.length ? [input.subarray(0, 2), input.subarray(2)] : []);
        pipeline(parts, zlib[stream[name]](), async (source) => { for await (const part of source) read.push(part); }, (e) => e ? fail(e) : done(Buffer.concat(read)));
      }));
      await show('as it comes', new Promise((done, fail) => {
        const read = [];
        const decoder = zlib[stream[name]]();
        decoder.on('data', (part) => read.push(part)).on('error', fail).on('end', () => done(Buffer.concat(read)));
        decoder.end(input);
      }));
    }
  }
  const dictionary = Buffer.from('said the text that is compressed, hello');
  for (const [pack, unpack] of [['deflate', 'inflate'], ['deflateRaw', 'inflateRaw']]) {
    const packed = zlib[`${pack}Sync`](text, { dictionary });
    console.log(pack, pack === 'deflate' && packed.subarray(0, 6).toString('hex'), packed.length < zlib[`${pack}Sync`](text).length);
    console.log(zlib[`${unpack}Sync`](packed, { dictionary }).equals(text));
    for (const options of [{}, { dictionary: Buffer.from('another') }]) {
      try { console.log(zlib[`${unpack}Sync`](packed, options).length); } catch (e) { console.log(told(e)); }
    }
    const streamed = await new Promise((done) => {
      const parts = [];
      const encoder = zlib[`create${pack[0].toUpperCase()}${pack.slice(1)}`]({ dictionary });
      encoder.on('data', (part) => parts.push(part)).on('end', () => done(Buffer.concat(parts)));
      encoder.end(text);
    });
    console.log(streamed.equals(packed), (await promisify(zlib[unpack])(streamed, { dictionary })).equals(text));
  }
  const encoder = zlib.createDeflate({ dictionary });
  encoder.reset();
  const parts = [];
  encoder.on('data', (part) => parts.push(part)).on('end', () => console.log('after a reset', zlib.inflateSync(Buffer.concat(parts), { dictionary }).equals(text)));
  encoder.end(text);
})();
