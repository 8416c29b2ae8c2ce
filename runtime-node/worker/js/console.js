// The global console: Node's, which writes to whatever `process.stdout` and `process.stderr` are.

import { core } from "ext:core/mod.js";

const { Console, kBindProperties, kBindStreamsLazy } = core.loadExtScript(
  "ext:deno_node/internal/console/constructor.mjs",
);
const processing = core.createLazyLoader("node:process");

const console = Object.create({});
for (const name of Reflect.ownKeys(Console.prototype)) {
  if (name === "constructor") continue;
  const property = Reflect.getOwnPropertyDescriptor(Console.prototype, name);
  if (typeof property.value === "function") {
    const { value } = property;
    property.value = typeof name === "symbol" ? value : { [name]: (...args) => value.apply(console, args) }[name];
    if (typeof name === "string") property.enumerable = true;
  }
  Object.defineProperty(console, name, property);
}
console[kBindStreamsLazy]({
  get stdout() {
    return processing().default.stdout;
  },
  get stderr() {
    return processing().default.stderr;
  },
});
console[kBindProperties](true, "auto");
Object.defineProperty(console, Symbol.toStringTag, { configurable: true, value: "console" });

export { console };
