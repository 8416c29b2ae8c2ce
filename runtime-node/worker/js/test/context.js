// What a test's function is given: a context with assertions that a plan counts and mocks that end with the test; and a suite's.

(function () {
const { core } = __bootstrap;
const { now } = core.loadExtScript("ext:runtime/test/tree.js");
const { mock } = core.loadExtScript("ext:deno_node/testing.ts");
const { default: assert } = core.loadExtScript("ext:deno_node/assert.ts");
const validators = core.loadExtScript("ext:deno_node/internal/validators.mjs");
const snapshots = core.loadExtScript("ext:runtime/test/snapshot.js");
const process = core.createLazyLoader("node:process")().default;
const { setTimeout } = globalThis;

const names = Object.keys(assert).filter((name) =>
  /^[a-z]/.test(name) && typeof assert[name] === "function" && !["strict", "assert"].includes(name)
);
const registered = new Map();

/** assert, whose calls a plan counts. */
function asserted(test) {
  const all = { __proto__: null };
  const add = (name, fn, self) =>
    all[name] = (...args) => {
      test.asserted += 1;
      return Reflect.apply(fn, self, args);
    };
  for (const name of names) add(name, assert[name], assert);
  add("snapshot", (value, given) => snapshots.snapshot(test, value, given));
  add("fileSnapshot", (value, path, given) => snapshots.fileSnapshot(value, path, given));
  for (const [name, fn] of registered) add(name, fn, test.context);
  return all;
}

/** The mocks of one test, which end with it. */
function tracker(test) {
  const made = [];
  let hasTimers = false;
  const all = Object.create(mock);
  for (const name of ["fn", "method", "getter", "setter", "property", "module"]) {
    all[name] = (...args) => {
      const result = mock[name](...args);
      made.push(result.mock ?? result);
      return result;
    };
  }
  all.timers = {
    ...mock.timers,
    enable(given) {
      hasTimers = true;
      return mock.timers.enable(given);
    },
  };
  all.restoreAll = () => {
    for (const context of made.reverse()) context.restore?.();
    made.length = 0;
    if (hasTimers) mock.timers.reset();
    hasTimers = false;
  };
  all.reset = () => all.restoreAll();
  test.mocks = all;
  return all;
}

class TestContext {
  #test;
  #assert;
  constructor(test, makeBelow) {
    this.#test = test;
    // Who runs hooks knows whose they are.
    Object.defineProperty(this, "test", { value: makeBelow, configurable: true, writable: true });
  }
  get signal() {
    return this.#test.controller.signal;
  }
  get name() {
    return this.#test.name;
  }
  get filePath() {
    return this.#test.place?.file;
  }
  get fullName() {
    return this.#test.fullName;
  }
  get error() {
    return this.#test.failure;
  }
  get passed() {
    return this.#test.isDone ? this.#test.passed : this.#test.isSettling === true && this.#test.failure === null;
  }
  get attempt() {
    return 0;
  }
  get tags() {
    return [];
  }
  get workerId() {
    return Number(process.env.NODE_TEST_WORKER_ID) || undefined;
  }
  get assert() {
    return this.#assert ??= asserted(this.#test);
  }
  get mock() {
    return this.#test.mocks ?? tracker(this.#test);
  }
  diagnostic(message) {
    this.#test.diagnostics.push({ message: String(message), level: "info" });
  }
  plan(count, given) {
    validators.validateUint32(count, "count");
    this.#test.plan = count;
    this.#test.planOptions = given;
  }
  runOnly(value) {
    this.#test.isRunningOnly = Boolean(value);
  }
  skip(message) {
    this.#test.isSkipped = true;
    this.#test.message = message;
  }
  todo(message) {
    this.#test.isTodo = true;
    this.#test.message = message;
  }
  before(fn, given) {
    this.#test.hook("before", fn, given);
  }
  after(fn, given) {
    this.#test.hook("after", fn, given);
  }
  beforeEach(fn, given) {
    this.#test.hook("beforeEach", fn, given);
  }
  afterEach(fn, given) {
    this.#test.hook("afterEach", fn, given);
  }
  async waitFor(condition, given = {}) {
    validators.validateFunction(condition, "condition");
    const { interval = 50, timeout = 1000 } = given;
    const until = now() + timeout;
    for (;;) {
      try {
        return await condition();
      } catch (error) {
        if (now() >= until) throw Object.assign(new Error("waitFor() timed out"), { cause: error });
      }
      await new Promise((resolve) => setTimeout(resolve, interval));
    }
  }
}

class SuiteContext {
  #suite;
  constructor(suite) {
    this.#suite = suite;
  }
  get signal() {
    return this.#suite.controller.signal;
  }
  get name() {
    return this.#suite.name;
  }
  get filePath() {
    return this.#suite.place?.file;
  }
  get fullName() {
    return this.#suite.fullName;
  }
  get passed() {
    return this.#suite.passed;
  }
  diagnostic(message) {
    this.#suite.diagnostics.push({ message: String(message), level: "info" });
  }
}

/** `assert.register`: one more assertion of every context's. */
function register(name, fn) {
  validators.validateString(name, "name");
  validators.validateFunction(fn, "fn");
  registered.set(name, fn);
}

return { TestContext, SuiteContext, register };
})();
