// The global object as Node's modules expect it when they are evaluated.

import { core } from "ext:core/mod.js";
import { windowOrWorkerGlobalScope } from "ext:runtime/98_global_scope_shared.js";
import { Deno, version } from "ext:runtime/deno.js";

const event = core.loadExtScript("ext:deno_web/02_event.js");

core.defineGlobalProperties(globalThis, windowOrWorkerGlobalScope);
event.setEventTargetData(globalThis);
event.saveGlobalThisReference(globalThis);
// The engine looks for what it keeps under this name until it has started.
const kept = Object.getOwnPropertyDescriptor(globalThis, "Deno");
Object.defineProperty(globalThis, "Deno", core.propNonEnumerable(Deno));

// node:process listens for uncaught errors on the global object, and node:os sends 'unload' there.
const prototype = Object.create(event.EventTarget.prototype, {
  [Symbol.toStringTag]: { value: "global", configurable: true },
});

/** Makes the global object the program's. */
function show() {
  Object.defineProperty(globalThis, "Deno", core.propNonEnumerable(Deno));
  Object.setPrototypeOf(globalThis, prototype);
}

/** Gives the name back to the engine. */
function hide() {
  Object.defineProperty(globalThis, "Deno", kept);
}

export { Deno, hide, show, version };
