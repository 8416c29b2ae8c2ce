// node:test, as programs call it: tests and suites are put into the tree (tree.js) where the program is within it. Its root is
// root.js, what a test's function is given context.js, which of them run choice.js; `node --test` is runner.js.

(function () {
const { core } = __bootstrap;
const { Test, within, nothing } = core.loadExtScript("ext:runtime/test/tree.js");
const { Root, theRoot } = core.loadExtScript("ext:runtime/test/root.js");
const { TestContext, SuiteContext, register } = core.loadExtScript("ext:runtime/test/context.js");
const { isChoosing, isLeftOut, isUnwanted, prune } = core.loadExtScript("ext:runtime/test/choice.js");
const { mock } = core.loadExtScript("ext:deno_node/testing.ts");
const validators = core.loadExtScript("ext:deno_node/internal/validators.mjs");
const snapshots = core.loadExtScript("ext:runtime/test/snapshot.js");
const { fileURLToPath } = core.createLazyLoader("node:url")();

/** Where in the program the caller is. */
function place() {
  const frames = String(new Error().stack).split("\n").slice(1);
  for (const frame of frames) {
    const found = /(?:\(|at (?:async )?)([^()\s]*):(\d+):(\d+)\)?$/.exec(frame);
    if (found === null || /^(ext:|node:)/.test(found[1])) continue;
    const file = found[1].startsWith("file:") ? fileURLToPath(found[1]) : found[1];
    return { file, line: Number(found[2]), column: Number(found[3]) };
  }
  return null;
}

function given(name, options, fn) {
  if (typeof name === "function") return { options: {}, fn: name, name: name.name || "<anonymous>" };
  if (name !== null && typeof name === "object") {
    return { options: name, fn: options ?? nothing, name: (options ?? nothing).name || "<anonymous>", isUnnamed: true };
  }
  if (typeof options === "function") return { options: {}, fn: options, name: name || options.name || "<anonymous>" };
  if (options !== undefined && options !== null) validators.validateObject(options, "options");
  if (fn !== undefined && fn !== null) validators.validateFunction(fn, "fn");
  return { options: options ?? {}, fn: fn ?? nothing, name: name || fn?.name || "<anonymous>" };
}

function make(kind, parent, args, more) {
  const { name, options, fn } = given(...args);
  const shownName = fn === nothing && name === "nothing" ? "<anonymous>" : name;
  const test = new Test({ kind, name: shownName, fn, options: { ...options, ...more }, parent, place: place() });
  test.context = kind === "suite" ? new SuiteContext(test) : new TestContext(test, bound(test));
  if (kind === "suite") {
    test.build();
    // A suite whose function awaits is looked at once it has made what it makes.
    test.built = test.built.then(() => {
      if (isChoosing) prune(test);
    });
    // One that fails to say what it holds is told of, for nobody knows what that is.
    const isLeft = test.failure === null && isLeftOut(test);
    if (isLeft && (isUnwanted(test) || !prune(test))) return Promise.resolve();
  } else if (parent.kind !== "suite" && isLeftOut(test)) {
    return Promise.resolve();
  }
  const done = parent.add(test);
  // Within a suite nobody waits for what runs later.
  return parent.kind === "suite" ? Promise.resolve() : done;
}

const bound = (parent) => (...args) => make("test", parent, args);

function caller(kind) {
  const call = (more) => (...args) => make(kind, within.getStore() ?? theRoot(), args, more);
  const fn = call();
  for (const option of ["skip", "todo", "only", "expectFailure"]) fn[option] = call({ [option]: true });
  return fn;
}

const test = caller("test");
const suite = caller("suite");
const hook = (name) => (fn, given) => (within.getStore() ?? theRoot()).hook(name, fn, given);

Object.assign(test, {
  after: hook("after"),
  afterEach: hook("afterEach"),
  before: hook("before"),
  beforeEach: hook("beforeEach"),
  describe: suite,
  it: test,
  mock,
  run: (given) => core.loadExtScript("ext:runtime/test/runner.js").run(given),
  suite,
  test,
  assert: { register },
  snapshot: snapshots.settings,
  getTestContext: () => within.getStore()?.context,
});

return { ...test, default: test, Root, main: theRoot };
})();
