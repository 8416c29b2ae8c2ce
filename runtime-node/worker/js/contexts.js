// node:vm's contexts for an engine whose globals cannot be led elsewhere (QuickJS): a context is a realm of its own, whose global
// object inherits from the program's. So what the program puts there is seen at once; what a script leaves in its global
// object is moved to the program's when the script's run is over.

(function () {
const { core } = __bootstrap;
const ops = core.ops;

/** What this engine's realms have that Node's lack, and what those do not list. */
const foreign = ["gc", "performance", "ShadowRealm"];
const unlisted = ["console", "Intl", "WebAssembly"];

/** What its functions have that Node's lack (globals.js). */
const ofFunctions = ["fileName", "lineNumber", "columnNumber"];

/** Of a program's object: the realm's global object, and the names that it had from the start. */
const contexts = new WeakMap();

function create(object, _name, _origin, strings, wasm, ownQueue) {
  const global = ops.op_vm_create_context_without_contextify(strings, wasm, ownQueue);
  for (const name of foreign) delete global[name];
  for (const name of ofFunctions) delete global.Function.prototype[name];
  for (const name of unlisted) if (name in global) Object.defineProperty(global, name, { enumerable: false });
  contexts.set(object, { global, own: new Set(Reflect.ownKeys(global)) });
  Object.setPrototypeOf(global, object);
}

/** What the program has changed is what the script finds. */
function enter(object, { global }) {
  for (const key of Reflect.ownKeys(object)) {
    const there = Reflect.getOwnPropertyDescriptor(global, key);
    if (there === undefined) continue;
    if (there.configurable) delete global[key];
    else if (there.writable) global[key] = object[key];
  }
}

/** What the script has made is the program's. */
function leave(object, { global, own }) {
  for (const key of Reflect.ownKeys(global)) {
    if (own.has(key)) continue;
    const made = Reflect.getOwnPropertyDescriptor(global, key);
    Reflect.defineProperty(object, key, { ...made, configurable: true });
    // `var` and functions stay where they were made, and are compared at every run.
    if (made.configurable) delete global[key];
  }
}

function run(script, object, ...rest) {
  const context = contexts.get(object);
  if (context === undefined) return ops.op_vm_script_run_in_context(script, object, ...rest);
  enter(object, context);
  try {
    return ops.op_vm_script_run_in_context(script, context.global, ...rest);
  } finally {
    leave(object, context);
  }
}

/** The same operation, told of a realm where the program names its object. */
const within = (name) => (...args) => ops[name](...args.map((arg) => contexts.get(arg)?.global ?? arg));

/** A script that cannot be understood comes back as nothing, without its error. */
function compile(...args) {
  const made = within("op_vm_create_script")(...args);
  if (made) return made;
  const [code, filename] = args;
  const address = /^[a-z]+:/.test(filename) ? filename : `file:///${encodeURI(filename)}`;
  const wrong = core.compileFunction(code, address, [false], [])[1];
  throw wrong?.thrown ?? new SyntaxError(`${filename}: invalid syntax`);
}

return {
  __proto__: ops,
  op_vm_create_context: create,
  op_vm_is_context: (object) => contexts.has(object) || ops.op_vm_is_context(object),
  op_vm_create_script: compile,
  op_vm_compile_function: within("op_vm_compile_function"),
  op_vm_module_create_source_text_module: within("op_vm_module_create_source_text_module"),
  op_vm_module_create_synthetic_module: within("op_vm_module_create_synthetic_module"),
  op_vm_script_run_in_context: run,
};
})();
