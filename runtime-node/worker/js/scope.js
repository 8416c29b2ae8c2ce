// The global object as Node's modules expect it when they are evaluated.

import { core } from "ext:core/mod.js";
import { windowOrWorkerGlobalScope } from "ext:runtime/98_global_scope_shared.js";
import { Deno, version } from "ext:runtime/deno.js";

const event = core.loadExtScript("ext:deno_web/02_event.js");

core.defineGlobalProperties(globalThis, windowOrWorkerGlobalScope);
event.setEventTargetData(globalThis);
event.saveGlobalThisReference(globalThis);
// The name by which Deno's modules find it: programs take its own as a sign that they run in Deno.
Object.defineProperty(globalThis, "__taskfsDeno", { value: Deno });

// node:process listens for uncaught errors on the global object, and node:os sends 'unload' there.
const prototype = Object.create(event.EventTarget.prototype, {
  [Symbol.toStringTag]: { value: "global", configurable: true },
});

/** Makes the global object the program's. */
function show() {
  // What the engine keeps there it wants no more when it has started.
  delete globalThis.Deno;
  Object.setPrototypeOf(globalThis, prototype);
}

export { Deno, show, version };
