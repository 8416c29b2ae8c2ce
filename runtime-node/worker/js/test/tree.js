// node:test's tests: a tree of tests and suites under one root, when each of them runs, and what became of it. What is seen
// of that is told as events (report.js); what programs call is in test.js.
//
//   made ──► waits in its parent's queue ──► runs: before, beforeEach, the function, its own subtests, afterEach, after
//                                                                                                │
//   told, in the order in which its siblings were made, once all before it have been told ◄── done

(function () {
const { core } = __bootstrap;
const process = core.createLazyLoader("node:process")().default;
const { AsyncLocalStorage } = core.createLazyLoader("node:async_hooks")();
const { AbortController } = core.loadExtScript("ext:deno_web/03_abort_signal.js");
const { inspect } = core.loadExtScript("ext:deno_node/internal/util/inspect.mjs");
const validators = core.loadExtScript("ext:deno_node/internal/validators.mjs");
// A program may mock the clock; tests are timed by the true one.
const { setTimeout, clearTimeout } = globalThis;
const now = () => Number(process.hrtime.bigint()) / 1e6;

/** Where a program is: within which test. */
const within = new AsyncLocalStorage();
const nothing = () => {};

/** Why a test failed: `failureType` says in which way, and `cause` is what the program threw. */
class Failure extends Error {
  constructor(cause, failureType) {
    super(typeof cause === "string" ? cause : typeof cause?.message === "string" ? cause.message : inspect(cause));
    this.code = "ERR_TEST_FAILURE";
    this.failureType = failureType;
    this.cause = cause;
  }
}
Object.defineProperty(Failure.prototype, "name", { value: "Error", configurable: true, writable: true });

const asFailure = (error, type) => error instanceof Failure ? error : new Failure(error, type);
const cancelled = new Set(["cancelledByParent", "testTimeoutFailure", "testAborted"]);
const orphaned = "test did not finish before its parent and was cancelled";
const stuck = "Promise resolution is still pending but the event loop has already resolved";

/** Calls what a program gave with as many arguments as it takes: the last may be a callback. */
function called(fn, self, argument) {
  if (fn.length < 2) return Reflect.apply(fn, self, [argument]);
  return new Promise((resolve, reject) => {
    let calls = 0;
    const done = (error) => {
      calls += 1;
      if (calls > 1) {
        const twice = new Failure("callback invoked multiple times", "multipleCallbackInvocations");
        if (calls === 2) reject(twice);
        throw twice;
      }
      // What the function still does belongs to the test.
      process.nextTick(() => error ? reject(error) : resolve());
    };
    const result = Reflect.apply(fn, self, [argument, done]);
    if (typeof result?.then === "function") {
      Promise.resolve(result).catch(nothing);
      reject(new Failure("passed a callback but also returned a Promise", "callbackAndPromisePresent"));
    }
  });
}

/** A promise for when `work` is done, or time is up, or a signal came, or somebody calls `stop`. */
class Deadline {
  constructor(timeout, signal) {
    this.over = new Promise((_, reject) => this.stop = reject);
    this.over.catch(nothing);
    if (timeout !== undefined && timeout !== Infinity) {
      this.timer = setTimeout(
        () => this.stop(new Failure(`test timed out after ${timeout}ms`, "testTimeoutFailure")),
        timeout,
      );
      this.timer.unref();
    }
    if (signal !== undefined) {
      this.signal = signal;
      this.aborted = () => this.stop(asFailure(signal.reason, "testAborted"));
      if (signal.aborted) this.aborted();
      else signal.addEventListener("abort", this.aborted, { once: true });
    }
  }
  race(work) {
    return Promise.race([this.over, work]);
  }
  end() {
    clearTimeout(this.timer);
    this.signal?.removeEventListener("abort", this.aborted);
  }
}

function checked(options) {
  const { concurrency, timeout, signal, plan } = options;
  if (timeout !== undefined && timeout !== null && timeout !== Infinity) {
    validators.validateNumber(timeout, "options.timeout", 0, 2 ** 31 - 1);
  }
  if (signal !== undefined) validators.validateAbortSignal(signal, "options.signal");
  if (plan !== undefined && plan !== null) validators.validateUint32(plan, "options.plan");
  if (typeof concurrency === "number") validators.validateUint32(concurrency, "options.concurrency", true);
  return options;
}

class Test {
  children = [];
  /** Those that do not run yet. */
  queue = [];
  running = 0;
  /** How many children were told of. */
  told = 0;
  hooks = { before: [], after: [], beforeEach: [], afterEach: [] };
  diagnostics = [];
  passed = false;
  failure = null;
  isDone = false;
  isStarted = false;
  isReported = false;
  controller = new AbortController();
  asserted = 0;
  duration = 0;

  constructor({ kind = "test", name, fn, options = {}, parent = null, place = null }) {
    checked(options);
    this.kind = kind;
    this.name = name;
    this.fn = fn;
    this.parent = parent;
    this.root = parent?.root ?? this;
    this.place = place;
    this.nesting = parent === null || parent.kind === "root" ? 0 : parent.nesting + 1;
    this.timeout = options.timeout ?? parent?.timeout;
    const { concurrency } = options;
    this.concurrency = concurrency === true
      ? (kind === "root" ? Math.max(1, navigator.hardwareConcurrency - 1) : Infinity)
      : concurrency === false ? 1 : concurrency ?? parent?.concurrency ?? 1;
    this.only = Boolean(options.only);
    this.plan = options.plan ?? null;
    this.expectFailure = options.expectFailure;
    this.isSkipped = options.skip !== undefined && options.skip !== false;
    this.isTodo = options.todo !== undefined && options.todo !== false || Boolean(parent?.isTodo);
    this.message = [options.skip, options.todo].find((why) => typeof why === "string");
    this.deadline = new Deadline(this.timeout, options.signal);
    this.done = new Promise((resolve) => this.settled = resolve);
    if (this.isSkipped) this.fn = nothing;
  }

  get fullName() {
    return this.parent === null || this.parent.kind === "root" ? this.name : `${this.parent.fullName} > ${this.name}`;
  }
  get number() {
    return this.parent.children.indexOf(this) + 1;
  }
  /** From the root on, without this one. */
  get ancestors() {
    return this.parent === null ? [] : [...this.parent.ancestors, this.parent];
  }

  // ---- what a parent does ----

  /** Takes a child; when it is over. */
  add(child) {
    this.children.push(child);
    this.root.tell("test:enqueue", child);
    if (this.isDone) {
      child.fail(new Failure("test could not be started because its parent finished", "parentAlreadyFinished"));
      child.finish();
      return child.done;
    }
    this.queue.push(child);
    if (this.isOpen) this.pump();
    return child.done;
  }
  /** Children of a test run as they come; those of a suite when it is its turn, those of the root when the caller is done. */
  isOpen = true;

  pump() {
    while (this.isOpen && this.running < this.concurrency && this.queue.length > 0) {
      const child = this.queue.shift();
      this.running += 1;
      this.root.tell("test:dequeue", child);
      child.run().then(() => {
        this.running -= 1;
        this.pump();
      });
    }
  }

  /** All children that there are, and those that they bring, are over. */
  async emptied() {
    for (let index = 0; index < this.children.length; index += 1) await this.children[index].done;
  }

  cancelChildren(why = orphaned) {
    this.queue.length = 0;
    for (const child of this.children) {
      if (child.isDone) continue;
      child.cancelChildren(why);
      child.deadline.stop(new Failure(why, "cancelledByParent"));
      child.fail(new Failure(why, "cancelledByParent"));
      child.finish();
    }
  }

  hook(name, fn, options = {}) {
    validators.validateFunction(fn, "fn");
    const hook = { fn, options: checked(options), once: null };
    this.hooks[name].push(hook);
    // The test itself is its own first subtest's 'before': it may have begun.
    if (name === "before" && this.kind === "test" && this.isStarted) {
      this.runHook(hook, "before", this.context).catch((error) => this.fail(error));
    }
  }

  async runHook(hook, name, context) {
    // before and after run once, whoever comes first.
    if (name === "before" || name === "after") return hook.once ??= this.callHook(hook, context);
    return this.callHook(hook, context);
  }
  async callHook(hook, context) {
    const deadline = new Deadline(hook.options.timeout, hook.options.signal);
    try {
      await deadline.race(within.run(context.test ?? this, called, hook.fn, context, context));
    } catch (error) {
      throw new Failure(error instanceof Failure ? error.cause : error, "hookFailed");
    } finally {
      deadline.end();
    }
  }
  async runHooks(name, context = this.context) {
    for (const hook of this.hooks[name]) await this.runHook(hook, name, context);
  }

  // ---- its own run ----

  fail(error) {
    if (this.failure !== null || this.isDone) return;
    this.failure = asFailure(error, "testCodeFailure");
  }

  async run() {
    if (this.isDone) return this.done;
    this.begin = now();
    this.isStarted = true;
    try {
      for (const ancestor of this.ancestors) await ancestor.runHooks("before");
      if (this.kind === "suite") await this.runSuite();
      else await this.runTest();
    } catch (error) {
      this.fail(error);
    }
    this.deadline.end();
    const stopped = this.failure !== null && cancelled.has(this.failure.failureType);
    if (stopped) this.cancelChildren();
    await this.emptied();
    // What came of it is known to its hooks.
    this.isSettling = true;
    if (!this.isSkipped) {
      try {
        if (this.kind === "test" && this.isEntered) {
          for (const ancestor of this.ancestors.toReversed()) await ancestor.runHooks("afterEach", this.context);
        }
      } catch (error) {
        this.fail(error);
      }
      try {
        await this.runHooks("after");
      } catch (error) {
        this.fail(error);
      }
    }
    this.finish();
  }

  async runTest() {
    if (this.isSkipped) return;
    this.isEntered = true;
    for (const ancestor of this.ancestors) await this.deadline.race(ancestor.runHooks("beforeEach", this.context));
    let thrown = null;
    try {
      await this.deadline.race(within.run(this, called, this.fn, this.context, this.context));
      await this.deadline.race(this.emptied());
      if (this.plan !== null) await this.planned();
    } catch (error) {
      thrown = { error };
    }
    if (this.expectFailure === undefined || this.expectFailure === false) {
      if (thrown !== null) throw thrown.error;
    } else if (thrown === null) {
      throw new Failure("test was expected to fail but passed", "expectedFailure");
    }
  }

  /** As many assertions as the test said that it would make, waiting for them where it said so. */
  async planned() {
    const { wait } = this.planOptions ?? {};
    const until = wait === true ? Infinity : now() + (wait || 0);
    while (this.asserted < this.plan && now() < until) {
      await this.deadline.race(new Promise((resolve) => setTimeout(resolve, 2)));
    }
    if (this.asserted !== this.plan) {
      throw new Failure(`plan expected ${this.plan} assertions but received ${this.asserted}`, "testCodeFailure");
    }
  }

  async runSuite() {
    await this.built;
    if (this.failure !== null) return this.cancelChildren();
    try {
      if (!this.isSkipped) await this.deadline.race(this.runHooks("before"));
    } catch (error) {
      this.fail(error);
      return this.cancelChildren();
    }
    this.isOpen = true;
    this.pump();
    await this.deadline.race(this.emptied());
  }

  /** Calls a suite's function, which makes its tests. */
  build() {
    this.isOpen = false;
    this.built = (async () => {
      try {
        await within.run(this, () => Reflect.apply(this.fn, this.context, [this.context]));
      } catch (error) {
        this.fail(error);
      }
    })();
  }

  finish() {
    if (this.isDone) return;
    this.duration = this.begin === undefined ? 0 : now() - this.begin;
    const failed = this.children.filter((child) => !child.passed && !child.isTodo).length;
    if (failed > 0) this.fail(new Failure(`${failed} subtest${failed > 1 ? "s" : ""} failed`, "subtestsFailed"));
    this.passed = this.failure === null;
    this.isDone = true;
    this.mocks?.restoreAll();
    this.controller.abort();
    if (this.parent !== null) {
      this.root.count(this);
      this.root.tell("test:complete", this);
      this.parent.tellOfChildren();
    }
    this.settled();
  }

  /** Ends a test from outside: an error that nobody caught. */
  abort(error, type) {
    const failure = new Failure(error, type);
    this.fail(failure);
    this.deadline.stop(failure);
  }

  // ---- what is told of it ----

  get isTurn() {
    return this.parent === null || this.parent.isTurn && this.parent.children[this.parent.told] === this;
  }
  tellOfChildren() {
    if (!this.isTurn) return;
    while (this.told < this.children.length) {
      const child = this.children[this.told];
      if (!child.isDone) return child.tellOfChildren();
      child.tellOfChildren();
      child.report();
      this.told += 1;
    }
  }
  start() {
    if (this.parent === null || this.isReported) return;
    this.parent.start();
    this.isReported = true;
    this.root.tell("test:start", this);
  }
  report() {
    this.start();
    if (this.children.length > 0) this.root.tell("test:plan", this.children[0], { count: this.children.length });
    this.root.tell(this.passed ? "test:pass" : "test:fail", this);
    for (const { message, level } of this.diagnostics) this.root.tell("test:diagnostic", this, { message, level });
  }
}

return { Test, Failure, within, now, stuck, nothing };
})();
