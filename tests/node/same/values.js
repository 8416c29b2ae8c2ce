// Buffer, crypto, url, events and util.inspect: what is taken, what is refused with which code, and how values are shown.
process.noDeprecation = true;
const crypto = require('node:crypto');
const url = require('node:url');
const { inspect } = require('node:util');
const t = (name, f) => { try { console.log(name, f()); } catch (e) { console.log(name, 'throws', e.name, e.code, e.message); } };
// Buffer: offsets and sizes.
const bytes = Buffer.from(Array.from({ length: 20 }, (_, i) => 240 + i));
for (const f of ['readBigInt64LE', 'readBigInt64BE', 'readBigUInt64LE', 'readBigUInt64BE', 'readBigUint64LE', 'readBigUint64BE']) {
  for (const offset of [undefined, 0, 12, 13, -1, 2 ** 32, NaN, 1.5, '1', null, {}, Infinity]) t(`${f} ${offset}`, () => bytes[f](offset));
  t(`${f} of few`, () => Buffer.alloc(3)[f]());
}
for (const bits of [16, 32, 64]) t(`swap${bits}`, () => Buffer.alloc(5)[`swap${bits}`]());
// crypto: names of digests, lengths of keys.
for (const name of ['RSA-SHA256', 'SHA256', 'sha256', 'RSA-SHA1', 'RSA-MD5', 'ssl3-md5', 'SHA3-256', 'RSA-SHA512/256', 'RSA-RIPEMD160', 'sm3',
  'id-rsassa-pkcs1-v1_5-with-sha3-256', 'nope', 'SHA512/256']) {
  t(`hmac ${name}`, () => crypto.createHmac(name, 'key').update('text').digest('hex'));
  t(`hmac ${name}, long key`, () => crypto.createHmac(name, 'key'.repeat(100)).update('text').digest('hex'));
}
for (const name of ['SHA256', 'RSA-SHA256', 'MD5', 'sha512', 'nope']) {
  t(`hkdf ${name}`, () => Buffer.from(crypto.hkdfSync(name, 'key', 'salt', 'info', 8)).toString('hex'));
  t(`hkdf ${name}, long`, () => crypto.hkdfSync(name, 'key', 'salt', 'info', 1e5).byteLength);
}
for (const [name, key, iv] of [['aes-128-cbc', 5, 16], ['aes-256-gcm', 5, 12], ['aes-128-cbc', 16, 5], ['aes-128-ecb', 16, 1], ['aes-256-ctr', 5, 16],
  ['des-ede3-cbc', 5, 8], ['chacha20-poly1305', 5, 12], ['aes-128-ecb', 5, 0]]) {
  for (const f of ['createCipheriv', 'createDecipheriv']) t(`${f} ${name} ${key} ${iv}`, () => crypto[f](name, Buffer.alloc(key), Buffer.alloc(iv), { authTagLength: 16 }));
}
// url.parse and URL.
for (const text of ['http://a.com:8a/x', 'http://127.1/', 'http://0x7f.1/', 'http://a.com:/', 'http://a.com:80:90/', 'http://a..b/', 'http://A.B/',
  'http://ex%41mple.com/', 'http://a b/', 'http://a_b/', 'http://[::1]:x/', 'http://[::1]:80/', 'http://a:b@c:d/', 'http://a:b@c:1/', '//user:pass@h', '//h/x',
  'http://256.1.1.1/', 'http://m\u00fcnchen.de/x', 'http://xn--a/', 'http://xn--mnchen-3ya.de/', 'http://a.com:99999/', 'javascript:alert(1):2',
  'http://:80/', 'http://\u00ad/', 'http://a\u2100b/', 'mailto:a@b:c', 'mailto:a@b', 'http://1/', 'coap://a:b', 'http://a$b!c/', 'http://a\tb\n/x']) {
  t(text, () => { const { protocol, auth, host, port, hostname, pathname, href } = url.parse(text); return [protocol, auth, host, port, hostname, pathname, href]; });
}
const fault = (f) => { try { return f(); } catch (e) { return [e instanceof TypeError, e.name, e.message, { ...e }]; } };
console.log(fault(() => new URL('x')), fault(() => new URL('x', 'y')), fault(() => new URL('x', '')), fault(() => { new URL('http://a').href = 'z'; }));
console.log(fault(() => url.parse('http://\u00ad/')), URL.canParse('x'), URL.parse('x'));
for (const f of [() => new Request('nope'), () => new Request('//')]) t('request', f);
fetch('nope').catch((e) => console.log('fetch', e.name, e.message, e.cause.code, e.cause.input));
// Events.
for (const args of [[{}], [5], [], [null], [new Event('x')]]) t('dispatchEvent', () => new EventTarget().dispatchEvent(...args));
// How values are shown.
const shown = (value, options) => t('shown', () => inspect(value, options));
for (const text of ['a b', '', "a'b", 'a\nb', '\u00e9']) shown([Symbol(text), { [Symbol(text)]: 1 }]);
shown(Symbol());
const plain = [{ a: 1 }, [1], new Map([[1, 2]]), class A {}, function f() {}, new Date(0), new Proxy({ a: 1 }, {}), Object.create(null), new Uint8Array(2), { a: { b: { c: {} } } }];
for (const value of plain) { shown(new Proxy(value, {})); shown({ in: new Proxy(value, {}) }); shown(new Proxy(value, {}), { showProxy: true }); }
shown(new Proxy({ a: 1 }, {}), { colors: true });
shown(new Proxy({ [inspect.custom]: () => 'its own' }, {}));
const { proxy, revoke } = Proxy.revocable({}, {});
revoke();
shown(proxy);
shown({ proxy });
for (const buffer of [new ArrayBuffer(3), new SharedArrayBuffer(3), new DataView(new ArrayBuffer(3), 1), Object.assign(new ArrayBuffer(1), { x: 1 })]) shown(buffer);
shown(new Uint8Array(2), { showHidden: true });
shown(new AbortController().signal);
shown(AbortSignal.abort());
shown(new AbortController());
shown({ a: new AbortController().signal }, { depth: 0 });
shown(new URL('http://u:p@a.com:81/x?y=1#z'));
shown({ a: { b: { c: new URL('http://a') } } });
shown({ a: new URL('http://a') });
try { Buffer.alloc('x'); } catch (e) { console.log(Object.keys(e)); }
