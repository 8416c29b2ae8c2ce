// `node --test` and `run()`: test files are looked for, each runs in a program of its own, and what that tells of its tests
// is told on as if they were one tree. A file that has no tests is a test itself.
//
// Between the two a line of the child's output is an event: a mark that nothing else writes, then JSON. Errors cross as they
// are to be shown.

(function () {
const { core, internals } = __bootstrap;
const process = core.createLazyLoader("node:process")().default;
const fs = core.createLazyLoader("node:fs")();
const path = core.createLazyLoader("node:path")();
const { Test, Failure } = core.loadExtScript("ext:runtime/test/tree.js");
const report = core.loadExtScript("ext:runtime/test/report.js");
// A child's streams are sockets; QuickJS wants their module evaluated before the first is made.
core.createLazyLoader("node:net")();
const validators = core.loadExtScript("ext:deno_node/internal/validators.mjs");
const { ERR_METHOD_NOT_IMPLEMENTED } = core.loadExtScript("ext:deno_node/internal/errors.ts");
const MARK = "\x1etaskfs:";

/** A child's reporter. */
function toParent(event) {
  if (event === undefined) return;
  const { type, data } = event;
  const { details } = data;
  const plain = details?.error ? { ...data, details: { ...details, error: report.describe(details.error) } } : data;
  process.stdout.write(`${MARK}${JSON.stringify({ type, data: plain })}\n`);
}

/** What a child writes, as it comes: events, and texts between them. */
function reader(onEvent, onText) {
  let rest = "";
  const read = (chunk) => {
    rest += chunk;
    for (;;) {
      const at = rest.indexOf(MARK);
      const before = at < 0 ? rest.lastIndexOf("\n") + 1 : at;
      if (before > 0) onText(rest.slice(0, before));
      if (at < 0) {
        rest = rest.slice(before);
        return;
      }
      const end = rest.indexOf("\n", at);
      if (end < 0) {
        rest = rest.slice(at);
        return;
      }
      onEvent(JSON.parse(rest.slice(at + MARK.length, end)));
      rest = rest.slice(end + 1);
    }
  };
  /** A last line may have no end. */
  read.end = () => rest !== "" && onText(rest);
  return read;
}

/** A file: told as what it told. */
class FileTest extends Test {
  events = [];
  get hasTests() {
    return this.events.some(({ type }) => type === "test:pass" || type === "test:fail");
  }
  finish() {
    // Its tests have failed already; their program's status says no more.
    if (this.hasTests && this.failure?.exitCode === 1 && this.failure.signal === null) this.failure = null;
    this.isTold = this.hasTests && this.failure === null;
    super.finish();
  }
  report() {
    for (const event of this.events) this.tellOn(event);
    if (this.isTold) return;
    this.root.total = (this.root.total ?? 0) + 1;
    this.root.tell("test:start", this);
    this.root.tell(this.passed ? "test:pass" : "test:fail", this);
  }
  tellOn({ type, data }) {
    const { root } = this;
    if (data.details?.error) {
      const described = data.details.error;
      data.details.error = Object.assign(new Failure(described.message, described.failureType), { described });
    }
    if (type === "test:pass" || type === "test:fail") {
      if (data.nesting === 0) {
        root.total = (root.total ?? 0) + 1;
        data.testNumber = root.total;
      }
      root.count({
        kind: data.details.type,
        passed: type === "test:pass",
        isTodo: data.todo !== undefined,
        isSkipped: data.skip !== undefined,
        failure: data.details.error,
      });
    }
    // The child's own sum is no part of the whole.
    if (type === "test:summary" || (data.nesting === 0 && (type === "test:plan" || isSum(type, data)))) return;
    root.sink({ type, data });
  }
}

const isSum = (type, { message }) =>
  type === "test:diagnostic" && /^(tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) [\d.]+$/.test(message);

/** Runs a file in a child; fails as its program did. */
function runFile(test, file, { args, env, cwd }) {
  const { spawn } = core.createLazyLoader("node:child_process")();
  const child = spawn(process.execPath, [...args, file], {
    cwd,
    env: { ...env, NODE_TEST_CONTEXT: "child-v8" },
    stdio: ["ignore", "pipe", "pipe"],
    signal: test.controller.signal,
  });
  const said = (type) => (message) => test.events.push({ type, data: { file: test.place.file, message } });
  child.stdout.setEncoding("utf8");
  child.stderr.setEncoding("utf8");
  const read = reader((event) => test.events.push(event), said("test:stdout"));
  child.stdout.on("data", read).on("end", () => read.end());
  child.stderr.on("data", said("test:stderr"));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (exitCode, signal) => {
      if (exitCode === 0 && signal === null) return resolve();
      reject(Object.assign(new Failure("test failed", "testCodeFailure"), { exitCode, signal }));
    });
  });
}

/** Node's own patterns for what a test file is. */
const ending = "{cjs,mjs,js,cts,mts,ts}";
const standard = [`**/{test,test/**/*,test-*,*[._-]test}.${ending}`];

function found(patterns, cwd) {
  const exclude = (name) => path.basename(typeof name === "string" ? name : name.name) === "node_modules";
  const names = fs.globSync(patterns.length > 0 ? patterns : standard, { cwd, exclude });
  const files = [...names].map((name) => path.resolve(cwd, name)).filter((file) => fs.statSync(file).isFile());
  return [...new Set(files)].sort();
}

/** The files of one shard: every so manyth. */
const sharded = (files, [index, total]) => files.filter((_, at) => at % total === index - 1);

/** The shard that a program asks for. */
function shardOf({ shard }) {
  if (shard === undefined) return [1, 1];
  validators.validateObject(shard, "options.shard");
  validators.validateInteger(shard.total, "options.shard.total", 1);
  validators.validateInteger(shard.index, "options.shard.index", 1, shard.total);
  return [shard.index, shard.total];
}

/** Puts the files' tests under a root. */
function fill(root, files, given) {
  root.timeout = given.timeout;
  root.concurrency = given.concurrency;
  const run = given.run ?? runFile;
  for (const file of files) {
    const name = path.relative(given.cwd, file);
    const place = { file, line: 1, column: 1 };
    const test = new FileTest({ name, fn: () => run(test, file, given), parent: root, place });
    root.add(test);
  }
  root.isOpen = true;
  root.pump();
}

/** What a child's command line says of tests as its parent's does. */
function passedOn({ only, namePatterns, skipPatterns, updateSnapshots }) {
  return [
    ...(only ? ["--test-only"] : []),
    ...namePatterns.map((pattern) => `--test-name-pattern=${pattern}`),
    ...skipPatterns.map((pattern) => `--test-skip-pattern=${pattern}`),
    ...(updateSnapshots ? ["--test-update-snapshots"] : []),
  ];
}

/** `node --test PATTERN…` */
function main(patterns) {
  const { main: root } = core.loadExtScript("ext:runtime/test/test.js");
  const options = internals.testOptions;
  const cwd = process.cwd();
  const all = found(patterns, cwd);
  const files = sharded(all, options.shard ?? [1, 1]);
  if (all.length === 0 && patterns.length > 0) {
    process.stderr.write(`Could not find '${patterns.join(", ")}'\n`);
    process.exit(1);
  }
  if (options.isolation === "none") {
    const { Module } = core.createLazyLoader("node:module")();
    const require = Module.createRequire(`${cwd}/[test]`);
    root();
    for (const file of files) require(file);
    return;
  }
  const own = process.execArgv.filter((word) => !/^--test\b/.test(word));
  fill(root(), files, {
    cwd,
    env: process.env,
    args: [...own, ...passedOn(options)],
    timeout: options.timeout || undefined,
    concurrency: options.concurrency || Math.max(1, navigator.hardwareConcurrency - 1),
  });
}

/** node:test's `run`: the events as a stream, each of which is emitted by its name, too. */
function run(given = {}) {
  const { Root } = core.loadExtScript("ext:runtime/test/test.js");
  const { Readable } = core.createLazyLoader("node:stream")();
  const shard = shardOf(given);
  for (const name of ["coverage", "watch"]) {
    if (given[name]) throw new ERR_METHOD_NOT_IMPLEMENTED(`run() with the option '${name}'`);
  }
  const cwd = given.cwd ?? process.cwd();
  const stream = new Readable({ objectMode: true, read() {} });
  const root = new Root((event) => {
    stream.push(event ?? null);
    if (event !== undefined) stream.emit(event.type, event.data);
  });
  const texts = (some) => [some ?? []].flat().map(String);
  const all = given.files?.map((file) => path.resolve(cwd, file)) ?? found(given.globPatterns ?? [], cwd);
  const files = sharded(all, shard);
  const { concurrency = 1 } = given;
  process.nextTick(async () => {
    await given.setup?.(stream);
    fill(root, files, {
      cwd,
      env: given.env ?? process.env,
      args: [
        ...(given.execArgv ?? []),
        ...passedOn({
          only: given.only,
          namePatterns: texts(given.testNamePatterns),
          skipPatterns: texts(given.testSkipPatterns),
        }),
      ],
      timeout: given.timeout,
      concurrency: concurrency === true ? Math.max(1, navigator.hardwareConcurrency - 1) : Number(concurrency) || 1,
    });
    await root.emptied();
    root.close();
  });
  return stream;
}

return { main, run, toParent };
})();
