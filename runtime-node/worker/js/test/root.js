// The root of a program's tests: it counts them, hands what is told on to the reporters of the command line, and knows whose an
// error is that nobody caught. What the tests are is tree.js's, and how they are made test.js's.

(function () {
const { core, internals } = __bootstrap;
const { Test, within, now, stuck, nothing } = core.loadExtScript("ext:runtime/test/tree.js");
const { SuiteContext } = core.loadExtScript("ext:runtime/test/context.js");
const report = core.loadExtScript("ext:runtime/test/report.js");
const process = core.createLazyLoader("node:process")().default;
const options = internals.testOptions;

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

return { Root, theRoot };
})();
