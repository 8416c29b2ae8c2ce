// The globals of a Node program that are not the language's own, each loaded when it is first touched.
// Deno's polyfill of node:console imports this module by its name in Deno.

import { core } from "ext:core/mod.js";
import { console } from "ext:runtime/console.js";
import { op_bootstrap_language, op_bootstrap_numcpus, op_bootstrap_user_agent } from "ext:core/ops";

// QuickJS's functions have these, which cannot be set: a class's static property of that name could not be made.
for (const name of ["fileName", "lineNumber", "columnNumber"]) delete Function.prototype[name];

const script = (name) => () => core.loadExtScript(`ext:${name}`);
const lazily = (loader) => {
  let loaded;
  return () => loaded ??= loader();
};

const event = script("deno_web/02_event.js")();
const performance = script("deno_web/15_performance.js")();
const url = script("deno_web/00_url.js")();
const abort = script("deno_web/03_abort_signal.js")();
const file = script("deno_web/09_file.js")();
const port = script("deno_web/13_message_port.js")();
const webidl = script("deno_webidl/00_webidl.js")();
const exception = script("deno_web/01_dom_exception.js")();
// Sets the brand by which node:crypto knows a CryptoKey; the next script reads it.
script("deno_node/internal/crypto/constants.ts")();
const crypto = script("deno_crypto/00_crypto.js")();
// Keys and histograms that another thread posts are revived by what this registers.
script("deno_node/02_register_cloneable.js")();

const scope = {};

/** Classes that are there from the start. */
function present(module, ...names) {
  for (const name of names) scope[name] = core.propNonEnumerable(module[name]);
}

/** Classes that load their module when they are first asked for. */
function classes(loader, ...names) {
  const load = lazily(loader);
  for (const name of names) {
    scope[name] = core.propNonEnumerableLazyLoaded((module) => module[name], load);
  }
}

/** Functions and objects that load their module when they are first asked for. */
function values(loader, ...names) {
  const load = lazily(loader);
  for (const name of names) {
    scope[name] = core.propWritableLazyLoaded((module) => module[name], load);
  }
}

present(event, "CloseEvent", "CustomEvent", "ErrorEvent", "Event", "EventTarget", "MessageEvent");
present(abort, "AbortController", "AbortSignal");
present(file, "Blob", "File");
present(crypto, "Crypto", "CryptoKey", "SubtleCrypto");
present(exception, "DOMException", "QuotaExceededError");
present(port, "MessageChannel", "MessagePort");
present(url, "URL", "URLSearchParams");
present(
  performance,
  "Performance",
  "PerformanceEntry",
  "PerformanceMark",
  "PerformanceMeasure",
  "PerformanceObserver",
  "PerformanceObserverEntryList",
);

classes(script("deno_web/01_broadcast_channel.js"), "BroadcastChannel");
classes(script("deno_web/14_compression.js"), "CompressionStream", "DecompressionStream");
classes(script("deno_web/01_urlpattern.js"), "URLPattern");
classes(
  script("deno_web/08_text_encoding.js"),
  "TextDecoder",
  "TextDecoderStream",
  "TextEncoder",
  "TextEncoderStream",
);
classes(
  script("deno_web/06_streams.js"),
  "ByteLengthQueuingStrategy",
  "CountQueuingStrategy",
  "ReadableByteStreamController",
  "ReadableStream",
  "ReadableStreamBYOBReader",
  "ReadableStreamBYOBRequest",
  "ReadableStreamDefaultController",
  "ReadableStreamDefaultReader",
  "TransformStream",
  "TransformStreamDefaultController",
  "WritableStream",
  "WritableStreamDefaultController",
  "WritableStreamDefaultWriter",
);
classes(script("deno_fetch/20_headers.js"), "Headers");
classes(script("deno_fetch/21_formdata.js"), "FormData");
classes(script("deno_fetch/23_request.js"), "Request");
classes(script("deno_fetch/23_response.js"), "Response");
classes(core.createLazyLoader("ext:deno_websocket/01_websocket.js"), "WebSocket");

values(script("deno_web/05_base64.js"), "atob", "btoa");
values(core.createLazyLoader("node:buffer"), "Buffer");
values(
  core.createLazyLoader("node:timers"),
  "clearImmediate",
  "clearInterval",
  "clearTimeout",
  "setImmediate",
  "setInterval",
  "setTimeout",
);

const fetching = lazily(script("deno_fetch/26_fetch.js"));
const processing = lazily(core.createLazyLoader("node:process"));

/** What Node says of itself to code written for browsers. */
class Navigator {
  get hardwareConcurrency() {
    return op_bootstrap_numcpus();
  }
  get language() {
    return op_bootstrap_language();
  }
  get languages() {
    return [op_bootstrap_language()];
  }
  get platform() {
    return core.build.os;
  }
  get userAgent() {
    return op_bootstrap_user_agent();
  }
}
const navigator = new Navigator();

Object.assign(scope, {
  Navigator: core.propNonEnumerable(Navigator),
  navigator: core.propGetterOnly(() => navigator),
  console: core.propNonEnumerable(console),
  crypto: core.propGetterOnly(() => crypto.crypto),
  // A plain value, not an accessor: node:test's mock.method replaces values only.
  fetch: core.propWritable(function fetch(...args) {
    return fetching().fetch(...args);
  }),
  global: core.propWritable(globalThis),
  performance: core.propWritable(performance.performance),
  process: core.propWritableLazyLoaded((module) => module.default, processing),
  queueMicrotask: Object.getOwnPropertyDescriptor(globalThis, "queueMicrotask") ??
    core.propWritable(core.queueMicrotask),
  structuredClone: core.propWritable(port.structuredClone),
  [webidl.brand]: core.propNonEnumerable(webidl.brand),
});

export { scope as windowOrWorkerGlobalScope };
