// node:worker_threads: `Worker`, as its maker holds it, and `enter`, which makes a thread's globals those of one. Deno's
// module has the ports; these two are ours, because here a thread is an engine of the same program with its files and
// standard files, and nothing else. A thread and its maker share two channels: the program's own, and one for what Node
// says itself (standard files, errors).

(function () {
const { core, internals } = __bootstrap;
const { op_thread_cpu_time, op_thread_end, op_thread_over, op_thread_start } = core.ops;
const { op_message_port_recv_message, op_worker_get_resource_limits, op_worker_threads_filename } = core.ops;
const {
  deserializeJsMessageData,
  getMessagePortId,
  isUncloneable,
  MessageChannel,
  serializeJsMessageData,
} = core.loadExtScript("ext:deno_web/13_message_port.js");
const { DOMException } = core.loadExtScript("ext:deno_web/01_dom_exception.js");
const { EventEmitter } = core.loadExtScript("ext:deno_node/_events.mjs");
const errors = core.loadExtScript("ext:deno_node/internal/errors.ts");
const validators = core.loadExtScript("ext:deno_node/internal/validators.mjs");
const process = () => lazyProcess().default;
const lazyPath = core.createLazyLoader("node:path");
const lazyProcess = core.createLazyLoader("node:process");
const lazyStream = core.createLazyLoader("node:stream");
const lazyUrl = core.createLazyLoader("node:url");

const SHARE_ENV = Symbol.for("nodejs.worker_threads.SHARE_ENV");

// Options of Node's that are the process's.
const processOptions = new Set([
  "--diagnostic-dir",
  "--redirect-warnings",
  "--report-compact",
  "--report-dir",
  "--report-directory",
  "--report-filename",
  "--report-on-fatalerror",
  "--report-on-signal",
  "--report-signal",
  "--report-uncaught-exception",
  "--title",
  "--trace-event-categories",
  "--trace-event-file-pattern",
  "--trace-events-enabled",
]);

function checkOptions(words) {
  const wrong = words.filter((word) =>
    word.startsWith("-") &&
    (!process().allowedNodeEnvironmentFlags.has(word) || processOptions.has(word.split("=", 1)[0]))
  );
  return wrong.length > 0 ? wrong : null;
}

function strings(values) {
  return Array.from(values, (value) => `${value}`);
}

/** The variables that a thread begins with; nothing where it has its maker's. */
function environment(env) {
  if (env === SHARE_ENV) return undefined;
  if (env !== undefined && env !== null && typeof env !== "object") {
    throw new errors.ERR_INVALID_ARG_TYPE(
      "options.env",
      ["object", "undefined", "null", "worker_threads.SHARE_ENV"],
      env,
    );
  }
  return Object.fromEntries(Object.entries(env ?? process().env).map(([name, value]) => [name, `${value}`]));
}

/** The URL of a thread's script. */
function address(filename) {
  if (typeof filename === "object" && filename !== null && typeof filename.href === "string") {
    if (filename.protocol === "data:") return filename.href;
    if (filename.protocol !== "file:") throw new errors.ERR_INVALID_URL_SCHEME("file");
    filename = lazyUrl().fileURLToPath(filename);
  }
  if (typeof filename !== "string") {
    throw new errors.ERR_INVALID_ARG_TYPE("filename", ["string", "URL"], filename);
  }
  if (!/^\.{0,2}\//.test(filename)) {
    const error = new errors.ERR_WORKER_PATH(filename);
    error.message += ` Received "${filename}"`;
    throw error;
  }
  const path = lazyPath().resolve(filename);
  return op_worker_threads_filename(path) ?? lazyUrl().pathToFileURL(path).href;
}

function limitsOf(wanted) {
  const limits = {};
  for (const name of ["maxYoungGenerationSizeMb", "maxOldGenerationSizeMb", "codeRangeSizeMb", "stackSizeMb"]) {
    if (typeof wanted?.[name] === "number") limits[name] = wanted[name];
  }
  return limits;
}

/** An error as what can be posted: its class, what Node shows of it, and its own properties. */
function pack(error) {
  if (!(core.isNativeError(error) || error instanceof Error)) return { value: error };
  const packed = { class: "Error", message: error.message, stack: error.stack, name: error.name, own: {} };
  for (let of = error; of !== null; of = Object.getPrototypeOf(of)) {
    const name = of.constructor?.name;
    if (classes.has(name)) {
      packed.class = name;
      break;
    }
  }
  for (const key of Object.keys(error)) {
    const value = error[key];
    if (typeof value !== "function" && typeof value !== "symbol") packed.own[key] = value;
  }
  if (Object.hasOwn(error, "cause")) packed.cause = pack(error.cause);
  return packed;
}

const classes = new Map(
  [Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError].map((of) => [of.name, of]),
);

function unpack(packed) {
  if (packed.class === undefined) return packed.value;
  const error = new (classes.get(packed.class))(packed.message);
  if (packed.cause) Object.defineProperty(error, "cause", core.propNonEnumerable(unpack(packed.cause)));
  Object.defineProperty(error, "stack", core.propNonEnumerable(packed.stack));
  if (packed.name !== error.name) Object.defineProperty(error, "name", core.propNonEnumerable(packed.name));
  return Object.assign(error, packed.own);
}

/** What comes through a channel, to `deliver`, until the other side is gone. */
class Inbox {
  #port;
  #deliver;
  #pending;
  isRefed = true;
  closed;

  constructor(port, deliver) {
    this.#port = port;
    this.#deliver = deliver;
    this.closed = this.#read();
  }

  ref(isRefed) {
    this.isRefed = isRefed;
    if (this.#pending) (isRefed ? core.refOpPromise : core.unrefOpPromise)(this.#pending);
  }

  async #read() {
    for (;;) {
      this.#pending = op_message_port_recv_message(getMessagePortId(this.#port));
      if (!this.isRefed) core.unrefOpPromise(this.#pending);
      const data = await this.#pending;
      if (data === null) return;
      this.#deliver(data);
    }
  }
}

class Worker extends EventEmitter {
  #rid;
  #port;
  #control;
  #inbox;
  #said;
  #over;
  #exited = false;
  #terminated = false;
  #startTime = performance.now();
  threadId = -1;
  threadName = null;
  resourceLimits = {};
  stdin = null;
  stdout;
  stderr;

  constructor(filename, options = {}) {
    super();
    options = { ...options };
    if (options.argv !== undefined && options.argv !== null) {
      validators.validateArray(options.argv, "options.argv");
    }
    if (options.execArgv) validators.validateArray(options.execArgv, "options.execArgv");
    if (options.name !== undefined) validators.validateString(options.name, "options.name");
    const env = environment(options.env);
    const isText = !!options.eval;
    if (isText && typeof filename !== "string") {
      throw new errors.ERR_INVALID_ARG_VALUE(
        "options.eval",
        options.eval,
        "must be false when 'filename' is not a string",
      );
    }
    const url = isText ? undefined : address(filename);
    const wrong = checkOptions(strings(options.execArgv ?? []));
    if (wrong) throw new errors.ERR_WORKER_INVALID_EXEC_ARGV(wrong);
    if (options.env && env?.NODE_OPTIONS && checkOptions(env.NODE_OPTIONS.trim().split(/\s+/))) {
      throw new errors.ERR_WORKER_INVALID_EXEC_ARGV(
        [env.NODE_OPTIONS],
        "invalid NODE_OPTIONS env variable",
      );
    }
    const [own, control] = [new MessageChannel(), new MessageChannel()];
    const limits = limitsOf(options.resourceLimits);
    const data = serializeJsMessageData({
      argv: strings(options.argv ?? []),
      control: control.port2,
      env,
      environmentData: internals.threadEnvironmentData(),
      execArgv: options.execArgv ? strings(options.execArgv) : process().execArgv,
      hasStdin: !!options.stdin,
      name: options.name ?? "WorkerThread",
      port: own.port2,
      script: isText ? "[worker eval]" : url.startsWith("file:") ? lazyUrl().fileURLToPath(url) : url,
      workerData: options.workerData,
    }, [...options.transferList ?? [], own.port2, control.port2]);
    let made;
    try {
      made = op_thread_start({ url, text: isText ? filename : "", limits }, data);
    } catch (error) {
      throw new errors.ERR_WORKER_INIT_FAILED(error.message);
    }
    this.#rid = made.rid;
    this.threadId = made.id;
    this.threadName = options.name ?? "WorkerThread";
    this.resourceLimits = limits;
    this.#port = own.port1;
    this.#control = control.port1;
    this.#makeStdio(options);
    this.#inbox = new Inbox(this.#port, (data) => this.#deliver(data));
    this.#said = new Inbox(this.#control, (data) => this.#hear(deserializeJsMessageData(data)[0]));
    this.#over = this.#wait();
    process().nextTick(() => process().emit("worker", this));
    internals.threadMade?.(this);
  }

  #makeStdio(options) {
    const { Readable, Writable } = lazyStream();
    for (const name of ["stdout", "stderr"]) {
      const stream = new Readable({ read() {} });
      if (!options[name]) stream.on("data", (chunk) => process()[name].write(chunk));
      this[name] = stream;
    }
    if (!options.stdin) return;
    const control = this.#control;
    this.stdin = new Writable({
      write(chunk, _, done) {
        control.postMessage({ stdin: chunk });
        done();
      },
      final(done) {
        control.postMessage({ stdin: null });
        done();
      },
    });
  }

  #deliver(data) {
    if (this.#terminated) return;
    let message;
    try {
      [message] = deserializeJsMessageData(data);
    } catch (error) {
      this.emit("messageerror", error);
      return;
    }
    internals.threadPorts(message);
    this.emit("message", message);
  }

  #hear(said) {
    if (said.isOnline) this.emit("online");
    else if (said.file) this[said.file].push(said.chunk);
    else if (said.error && !this.#terminated) this.emit("error", unpack(said.error));
  }

  async #wait() {
    const waiting = op_thread_over(this.#rid);
    this.#waiting = waiting;
    if (!this.#inbox.isRefed) core.unrefOpPromise(waiting);
    const end = await waiting;
    // What it has said before its end comes first.
    await Promise.all([this.#inbox.closed, this.#said.closed]);
    this.#exited = true;
    this.stdout.push(null);
    this.stderr.push(null);
    this.threadId = -1;
    this.threadName = null;
    this.resourceLimits = {};
    if (end.isOutOfMemory) {
      this.emit("error", new errors.ERR_WORKER_OUT_OF_MEMORY("JS heap out of memory"));
    } else if (end.message) {
      this.emit("error", new Error(end.message));
    }
    this.emit("exit", end.code);
    return end.code;
  }
  #waiting;

  postMessage(message, transfer) {
    if (this.#exited || this.#terminated) return;
    if (isUncloneable(message)) {
      throw new DOMException("Cannot clone object of unsupported type.", "DataCloneError");
    }
    this.#port.postMessage(message, transfer);
  }

  async terminate() {
    if (this.#exited) return undefined;
    this.#terminated = true;
    // Whoever waits for the end keeps the program waiting.
    this.ref();
    op_thread_end(this.#rid);
    return await this.#over;
  }

  async [Symbol.asyncDispose]() {
    await this.terminate();
  }

  #setRef(isRefed) {
    this.#inbox.ref(isRefed);
    this.#said.ref(isRefed);
    if (!this.#exited) (isRefed ? core.refOpPromise : core.unrefOpPromise)(this.#waiting);
  }

  ref() {
    if (!this.#exited) this.#setRef(true);
    return this;
  }

  unref() {
    if (!this.#exited) this.#setRef(false);
    return this;
  }

  /** All of it is told as the user's: a thread's time is not told apart for others. */
  async cpuUsage(before) {
    if (before !== undefined && before !== null) {
      validators.validateObject(before, "prevValue");
      for (const kind of ["user", "system"]) validators.validateNumber(before[kind], `prevValue.${kind}`, 0);
    }
    const time = this.#exited ? -1 : op_thread_cpu_time(this.#rid);
    if (time < 0) throw new errors.ERR_WORKER_NOT_RUNNING();
    return { user: time - (before?.user ?? 0), system: 0 - (before?.system ?? 0) };
  }

  get performance() {
    return { eventLoopUtilization: () => this.#utilization() };
  }

  /** Of the time that it has lived, what it has computed. */
  #utilization() {
    const total = performance.now() - this.#startTime;
    const active = this.#exited ? 0 : Math.max(0, op_thread_cpu_time(this.#rid)) / 1e3;
    return { idle: Math.max(0, total - active), active, utilization: total > 0 ? Math.min(1, active / total) : 0 };
  }

  async getHeapSnapshot() {
    throw new errors.ERR_METHOD_NOT_IMPLEMENTED("Worker.getHeapSnapshot()");
  }

  async getHeapStatistics() {
    throw new errors.ERR_METHOD_NOT_IMPLEMENTED("Worker.getHeapStatistics()");
  }
}

/** A thread's own variables: they are strings, as all variables are. */
function variables(env) {
  return new Proxy(env, {
    set(target, name, value) {
      target[name] = typeof name === "symbol" ? value : `${value}`;
      return true;
    },
    defineProperty(target, name, property) {
      if ("value" in property) property.value = `${property.value}`;
      return Reflect.defineProperty(target, name, property);
    },
  });
}

function standardFiles(control, hasStdin) {
  const { Readable, Writable } = lazyStream();
  const own = process();
  for (const name of ["stdout", "stderr"]) {
    own[name] = new Writable({
      decodeStrings: false,
      write(chunk, encoding, done) {
        control.postMessage({ file: name, chunk: typeof chunk === "string" ? Buffer.from(chunk, encoding) : chunk });
        done();
      },
    });
  }
  const stdin = new Readable({
    read() {
      // Whoever reads keeps the thread waiting.
      if (hasStdin) control.ref();
    },
  });
  own.stdin = stdin;
  if (!hasStdin) {
    stdin.push(null);
    return;
  }
  control.on("message", ({ stdin: chunk }) => {
    stdin.push(chunk);
    if (chunk === null) control.unref();
  });
  control.unref();
}

/** In a new thread, before its script: what its maker gave it, in node:worker_threads' names. */
function enter(id, data) {
  const [given] = deserializeJsMessageData(data);
  const control = internals.threadPort(given.control);
  const parentPort = internals.threadPort(given.port);
  const own = process();
  if (given.env) own.env = variables(given.env);
  own.argv = [own.execPath, given.script, ...given.argv];
  own.execArgv = given.execArgv;
  standardFiles(control, given.hasStdin);
  internals.threadFailed = (error) => {
    let packed = pack(error);
    try {
      control.postMessage({ error: packed });
    } catch {
      const { inspect } = core.loadExtScript("ext:deno_node/internal/util/inspect.mjs");
      packed = packed.class ? { ...packed, own: {}, cause: undefined } : { value: inspect(error) };
      control.postMessage({ error: packed });
    }
  };
  control.postMessage({ isOnline: true });
  internals.threadPorts(given.workerData);
  return {
    threadId: id,
    parentPort,
    workerData: given.workerData,
    environmentData: given.environmentData,
    resourceLimits: op_worker_get_resource_limits() ?? {},
    threadName: given.name,
  };
}

return { Worker, enter };
})();
