// What Node's `process` has and Deno's lacks.

import process from "node:process";

/** What is told at the program's end of objects that are still in use. */
const kept = { beforeExit: new Map(), exit: new Map() };
const gone = new FinalizationRegistry((key) => {
  for (const all of Object.values(kept)) all.delete(key);
});

function registerAt(event, object, callback) {
  if ((typeof object !== "object" && typeof object !== "function") || object === null) {
    throw Object.assign(new TypeError('The "obj" argument must be of type object.'), { code: "ERR_INVALID_ARG_TYPE" });
  }
  const all = kept[event];
  if (all.size === 0) process.on(event, () => tell(event));
  const key = Symbol();
  all.set(key, { object: new WeakRef(object), callback });
  gone.register(object, key, object);
}

function tell(event) {
  for (const [key, { object, callback }] of kept[event]) {
    kept[event].delete(key);
    const living = object.deref();
    if (living !== undefined) callback(living, event);
  }
}

process.finalization = {
  register: (object, callback) => registerAt("exit", object, callback),
  registerBeforeExit: (object, callback) => registerAt("beforeExit", object, callback),
  unregister(object) {
    gone.unregister(object);
    for (const all of Object.values(kept)) {
      for (const [key, entry] of all) if (entry.object.deref() === object) all.delete(key);
    }
  },
};

/** Calls what an object has for keeping the program alive, or not. */
function called(name) {
  return (object) => {
    const method = object?.[Symbol.for(`nodejs.${name}`)] ?? object?.[Symbol.for(`node:${name}`)] ?? object?.[name];
    if (typeof method === "function") method.call(object);
  };
}
process.ref = called("ref");
process.unref = called("unref");

for (const name of ["initgroups", "setgroups"]) {
  process[name] = () => {
    const error = new Error(`EPERM, Operation not permitted`);
    throw Object.assign(error, { code: "EPERM", errno: -1, syscall: name });
  };
}
