// node:test, as programs call it: tests and suites are put into the tree (tree.js) where the program is within it, and what
// is told of them goes to the reporters of the command line. `node --test` is runner.js.

(function () {
const { core, internals } = __bootstrap;
const { Test, Failure, within, now, stuck, nothing } = core.loadExtScript("ext:runtime/test/tree.js");
const report = core.loadExtScript("ext:runtime/test/report.js");
const { mock } = core.loadExtScript("ext:deno_node/testing.ts");
const { default: assert } = core.loadExtScript("ext:deno_node/assert.ts");
const validators = core.loadExtScript("ext:deno_node/internal/validators.mjs");
const snapshots = core.loadExtScript("ext:runtime/test/snapshot.js");
const process = core.createLazyLoader("node:process")().default;
const { fileURLToPath } = core.createLazyLoader("node:url")();
const options = internals.testOptions;
const { setTimeout } = globalThis;

// ---- the root ----

/** The tree's root: it counts, and hands on what is told. */
class Root extends Test {
  counts = { tests: 0, suites: 0, pass: 0, fail: 0, cancelled: 0, skipped: 0, todo: 0 };
  notes = [];
  isOpen = false;

  constructor(sink) {
    super({ kind: "root", name: "<root>" });
    this.sink = sink;
    this.begin = now();
    this.context = new SuiteContext(this);
  }
  get root() {
    return this;
  }
  set root(_) {}

  tell(type, test, more) {
    this.sink(report.event(type, test, more));
  }
  count(test) {
    // A file is what its tests are.
    if (test.isTold) return;
    const { counts } = this;
    if (!test.passed && !test.isTodo) process.exitCode = 1;
    if (test.kind === "suite") {
      counts.suites += 1;
      return;
    }
    counts.tests += 1;
    const type = test.failure?.failureType;
    const isCancelled = ["cancelledByParent", "testTimeoutFailure", "testAborted"].includes(type);
    counts[test.isSkipped ? "skipped" : test.isTodo ? "todo" : isCancelled ? "cancelled" : test.passed ? "pass" : "fail"] += 1;
  }
  /** The last that is told. */
  close() {
    if (this.isClosed) return;
    this.isClosed = true;
    const plain = (message) => this.sink({ type: "test:diagnostic", data: { nesting: 0, message, level: "info" } });
    this.sink({ type: "test:plan", data: { nesting: 0, count: this.total ?? this.children.length } });
    for (const note of this.notes) plain(note);
    const counts = { ...this.counts, duration_ms: now() - this.begin };
    for (const [name, count] of Object.entries(counts)) plain(`${name} ${count}`);
    this.sink({ type: "test:summary", data: { counts, duration_ms: counts.duration_ms, success: process.exitCode !== 1 } });
    this.sink();
  }
  /** Nothing is left to do in the program: what still waits does so for ever. */
  async end() {
    this.end = nothing;
    this.cancelChildren(stuck);
    try {
      await this.runHooks("after");
    } catch (error) {
      process.exitCode = 1;
      this.notes.push(`after: ${report.shown(error.cause)}`);
    }
    this.close();
  }
}

/** What a run's events go to: the reporters that the command line names, each with its destination. */
function sinkOfReporters() {
  if (process.env.NODE_TEST_CONTEXT === "child-v8") return core.loadExtScript("ext:runtime/test/runner.js").toParent;
  const names = options.reporters.length > 0 ? options.reporters : ["spec"];
  const sinks = names.map((name, at) => reporterTo(name, options.destinations[at] ?? "stdout"));
  return (event) => sinks.forEach((sink) => sink(event));
}

function reporterTo(name, destination) {
  const fs = core.createLazyLoader("node:fs")();
  let write = (text) => process[destination].write(text);
  if (destination !== "stdout" && destination !== "stderr") {
    const file = fs.openSync(destination, "w");
    write = (text) => fs.writeSync(file, text);
  }
  const maker = report.makers[name];
  if (maker === undefined) return custom(name, write);
  const reporter = maker();
  return (event) => {
    const text = reporter(event);
    if (text !== "") write(text);
  };
}

/** A reporter of the program's: a generator, or a Transform, that is the default of a module. */
function custom(name, write) {
  const { Readable } = core.createLazyLoader("node:stream")();
  const events = new Readable({ objectMode: true, read() {} });
  const { Module } = core.createLazyLoader("node:module")();
  const from = Module.createRequire(`${process.cwd()}/[reporter]`);
  (async () => {
    let reporter = from(name);
    reporter = reporter.default ?? reporter;
    const isClass = reporter.prototype && Object.getOwnPropertyDescriptor(reporter.prototype, "constructor") &&
      typeof reporter.prototype.pipe === "function";
    const out = isClass ? events.pipe(new reporter()) : typeof reporter === "function" ? reporter(events) : events.pipe(reporter);
    for await (const text of out) write(text);
  })().catch((error) => {
    process.exitCode = 7;
    process.stderr.write(`${report.shown(error)}\n`);
  });
  return (event) => events.push(event ?? null);
}

let root;
function theRoot() {
  if (root !== undefined) return root;
  root = new Root(sinkOfReporters());
  process.on("beforeExit", () => root.end());
  process.on("exit", () => {
    if (root.isClosed) return;
    root.cancelChildren(stuck);
    root.close();
  });
  process.on("uncaughtException", (error, origin) => uncaught(error, origin ?? "uncaughtException"));
  process.on("unhandledRejection", (reason) => uncaught(reason, "unhandledRejection"));
  // The caller has made its tests, or what it can make at once of them.
  Promise.resolve().then(() => {
    root.isOpen = true;
    root.pump();
    if (options.forceExit) root.emptied().then(() => root.end()).then(() => process.exit());
  });
  return root;
}

/** An error that nobody caught is the test's within which it was made, while that runs. */
function uncaught(error, type) {
  const test = within.getStore() ?? deepest(root);
  if (test === undefined || test === root || test.kind !== "test") throw error;
  if (!test.isDone) return test.abort(error, type);
  const { file, line, column } = test.place ?? {};
  const { relative } = core.createLazyLoader("node:path")();
  const where = file ? ` at ${relative(process.cwd(), file)}:${line}:${column}` : "";
  root.notes.push(
    `Error: Test "${test.name}"${where} generated asynchronous activity after the test ended. This activity created the ` +
      `error "${error}" and would have caused the test to fail, but instead triggered an ${type} event.`,
  );
  process.exitCode = 1;
}

/** The test that runs, where it is not known which one is the caller's. */
function deepest(test) {
  const running = test.children.find((child) => child.isStarted && !child.isDone);
  return running === undefined ? (test === root ? undefined : test) : deepest(running);
}

// ---- what a test's function is given ----

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
  constructor(test) {
    this.#test = test;
    // Who runs hooks knows whose they are.
    Object.defineProperty(this, "test", { value: bound(test), configurable: true, writable: true });
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

// ---- which of them run ----

const patterns = (texts) =>
  texts.map((text) => {
    const [, source, flags] = /^\/(.*)\/([a-z]*)$/.exec(text) ?? [];
    return source === undefined ? new RegExp(text) : new RegExp(source, flags);
  });
const wanted = patterns(options.namePatterns);
const unwanted = patterns(options.skipPatterns);
const named = (test, some) => {
  const names = [test.name, test.fullName.replaceAll(" > ", " ")];
  return some.some((pattern) => names.some((name) => pattern.test(name)));
};

/** Whether the command line leaves a test out. A suite is there for what it holds. */
function isLeftOut(test) {
  const line = [...test.ancestors.slice(1), test];
  if (unwanted.length > 0 && named(test, unwanted)) return true;
  if (wanted.length > 0 && !line.some((one) => named(one, wanted))) return true;
  const isChosen = line.some((one) => one.only);
  if (options.only && !isChosen) return true;
  return Boolean(test.parent.isRunningOnly) && !test.only;
}

/** Takes out of a suite what is left out; whether anything stays. */
function prune(suite) {
  const holdsOnly = options.only && suite.children.some((child) => child.only);
  const keep = (child) => {
    if (holdsOnly && !child.only && !(child.kind === "suite" && holds(child))) return false;
    return child.kind === "suite" ? !isLeftOut(child) || prune(child) : !isLeftOut(child);
  };
  suite.children = suite.children.filter(keep);
  suite.queue = suite.queue.filter((child) => suite.children.includes(child));
  return suite.children.length > 0;
}
const holds = (suite) => suite.children.some((child) => child.only || child.kind === "suite" && holds(child));

// ---- what programs call ----

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
  test.context = kind === "suite" ? new SuiteContext(test) : new TestContext(test);
  if (kind === "suite") {
    test.build();
    // A suite whose function awaits is looked at once it has made what it makes.
    test.built = test.built.then(() => {
      if (wanted.length > 0 || unwanted.length > 0 || options.only) prune(test);
    });
    // One that fails to say what it holds is told of, for nobody knows what that is.
    const isLeft = test.failure === null && isLeftOut(test);
    if (isLeft && (unwanted.length > 0 && named(test, unwanted) || !prune(test))) return Promise.resolve();
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
  assert: {
    register(name, fn) {
      validators.validateString(name, "name");
      validators.validateFunction(fn, "fn");
      registered.set(name, fn);
    },
  },
  snapshot: snapshots.settings,
  getTestContext: () => within.getStore()?.context,
});

return { ...test, default: test, Root, main: theRoot };
})();
