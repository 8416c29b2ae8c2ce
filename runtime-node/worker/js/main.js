// A worker's two phases. Evaluating this module is the warm one: everything that is the same for every task. `start` is
// the second: the task is known. Rust calls what is left in `globalThis.taskfs`, and takes that name away.

import { core, internals, primordials } from "ext:core/mod.js";
import {
  op_bootstrap_stderr_no_color,
  op_bootstrap_stdout_no_color,
  op_fault_line,
  op_fault_place,
  op_get_ext_import_meta_proto,
  op_internal_log,
  op_napi_open,
  op_require_is_maybe_cjs,
  op_require_read_file,
  op_set_format_exception_callback,
} from "ext:core/ops";
import { exposeBuiltins } from "ext:runtime/builtins.js";
import { Deno, show, version } from "ext:runtime/scope.js";
import { holdingWatchers } from "ext:runtime/watch.js";
// What Node's own start-up loads, and what most programs load first. Static imports, because the engine forgets the source
// of what a lazy loader brings into a snapshot: what such a one would bring is named first.
import "ext:deno_node/internal/fs/stat_utils.ts";
import "ext:deno_node/internal/fs/utils.mjs";
import "ext:deno_node/_fs/_fs_copy.ts";
import "ext:deno_node/_fs/_fs_dir.ts";
import "ext:deno_node/_fs/_fs_exists.ts";
import "ext:deno_node/_fs/_fs_glob.ts";
import "ext:deno_node/_fs/_fs_lutimes.ts";
import "ext:deno_node/_fs/_fs_read.ts";
import "ext:deno_node/_fs/_fs_readdir.ts";
import "ext:deno_node/internal/fs/handle.ts";
import "ext:deno_node/internal/fs/promises.ts";
import "ext:deno_node/internal/fs/streams.mjs";
import nodeProcess from "node:process";
import { Module } from "node:module";
import "ext:deno_node/_process/streams.mjs";
import "ext:runtime/process.js";
import "node:buffer";
import "node:events";
import "node:fs";
import "node:path";
import "node:stream";
import "node:timers";

const event = core.loadExtScript("ext:deno_web/02_event.js");
const performance = core.loadExtScript("ext:deno_web/15_performance.js");
const os = core.loadExtScript("ext:deno_os/30_os.js");
const ticks = core.loadExtScript("ext:deno_node/_next_tick.ts");
const { inspectArgs, setNoColorFns } = core.loadExtScript("ext:deno_web/01_console.js");

setNoColorFns(() => op_bootstrap_stdout_no_color(), () => op_bootstrap_stderr_no_color());

const levels = { error: 1, warn: 2, info: 3, debug: 4, trace: 5 };
internals.log = (level, ...args) => op_internal_log("ext:runtime", levels[level], inspectArgs(args));
op_get_ext_import_meta_proto().log = function (level, ...args) {
  op_internal_log(this.url, levels[level], inspectArgs(args));
};

Module._extensions[".node"] = (_, filename) => op_napi_open(filename);

// Set by node:module for whoever starts the program.
const initialize = globalThis.nodeBootstrap;
delete globalThis.nodeBootstrap;

/** The task is known: `args` are what follows the script's name. `thread` is what a thread of it was given. */
function start({ args, execArgv, options: given, isText, argv0, versions, target }, thread) {
  // What ends a thread strikes at a loop or a call; os.exit would go on to its next line, which throws.
  if (thread !== null) {
    os.setExitHandler(() => {
      core.ops.op_exit();
      for (;;);
    });
  }
  options = given;
  internals.testOptions = given.test;
  // An engine that was forked would say the same numbers in every worker.
  if (core.ops.op_is_forked()) {
    const { random } = {
      random() {
        return core.ops.op_random();
      },
    };
    Object.defineProperty(Math, "random", { value: random, writable: true, configurable: true });
  }
  show();
  Object.assign(version, versions);
  core.setBuildInfo(target);
  performance.setTimeOrigin();
  op_set_format_exception_callback(() => null);
  core.setWasmStreamingCallback((source, rid) =>
    core.loadExtScript("ext:deno_fetch/26_fetch.js").handleWasmStreaming(source, rid)
  );
  core.setReportExceptionCallback(raise);
  core.setUnhandledPromiseRejectionHandler(rejected);
  core.setHandledPromiseRejectionHandler((promise, reason) =>
    internals.nodeProcessRejectionHandledCallback?.({ promise, reason })
  );
  delete globalThis.__bootstrap;
  // The engine adds these to the prototype after it has started from a snapshot.
  const { toHex, setFromHex } = Uint8Array.prototype;
  internals.uint8ArrayToHex = toHex && primordials.uncurryThis(toHex);
  internals.uint8ArraySetFromHex = setFromHex && primordials.uncurryThis(setFromHex);
  const nodeArgs = {
    usesLocalNodeModulesDir: true,
    runningOnMainThread: thread === null,
    workerId: thread?.id,
    maybeWorkerMetadata: thread?.data,
    argv0,
    nodeDebug: Deno.env.get("NODE_DEBUG"),
    denoArgs: args,
    denoVersion: version,
  };
  internals.__nodeBootstrapArgs = nodeArgs;
  core.loadExtScript("ext:deno_node/internal_binding/node_options.ts").setOptionSourceExecArgv(execArgv);
  nodeProcess.execArgv.push(...execArgv);
  initialize(nodeArgs);
  if (isText && thread === null) {
    nodeProcess.argv.splice(1, 1);
    if (!options.isRepl && !options.test.isRunner) exposeBuiltins(globalThis, Module.builtinModules, Module.createRequire("/"));
  }
  if (options.stackTraceLimit !== 10) Error.stackTraceLimit = options.stackTraceLimit;
  if (options.traceWarnings) nodeProcess.traceProcessWarnings = true;
  if (options.traceDeprecation) nodeProcess.traceDeprecation = true;
  if (options.throwDeprecation) nodeProcess.throwDeprecation = true;
  if (options.noDeprecation) nodeProcess.noDeprecation = true;
  if (options.envFile && thread === null) nodeProcess.loadEnvFile(options.envFile);
}
let options;

/** `-r`: loaded as the directory's own modules would. */
function preload(names) {
  const require = Module.createRequire(`${nodeProcess.cwd()}/[preload]`);
  for (const name of names) require(name);
}

/** The main module waits for ever, and nothing else is left to do: where, if that is known. */
function unsettled(place) {
  const own = nodeProcess.exitCode === undefined;
  if (own) nodeProcess.exitCode = 13;
  exiting();
  if (!own || nodeProcess.exitCode !== 13) return;
  const where = place && ` at ${place.file}:${place.line}\n${place.source}\n${place.mark}\n\n\n`;
  core.print(`Warning: Detected unsettled top-level await${where ?? ""}\n`, true);
}

/**
 * Runs the script as CommonJS, as Node runs its main module. `true`: it is an ES module that awaits at its top, which
 * `require` cannot load; nothing of it has run.
 */
function runCommonJs(path) {
  try {
    if (options.check) {
      const wrong = core.compileFunction(op_require_read_file(path), `file://${path}`, [false], [])[1];
      if (wrong) throw wrong.thrown;
      return;
    }
    Module._load(path, null, true);
    // What the program left to do first is done before anything that happens.
    ticks.runNextTicks();
  } catch (error) {
    if (error?.code !== "ERR_REQUIRE_ASYNC_MODULE" || isScript(path)) throw error;
    return true;
  }
}

function isScript(path) {
  return core.compileFunction(op_require_read_file(path), `file://${path}`, [false], ["require", "module", "exports"])[1] === null;
}

/** Runs what is typed, line by line. */
function converse() {
  const { createInternalRepl } = core.createLazyLoader("ext:deno_node/internal/repl.ts")();
  console.log(`Welcome to Node.js ${nodeProcess.version}.\nType ".help" for more information.`);
  createInternalRepl(nodeProcess.env, (error, repl) => {
    if (error) throw error;
    repl.on("exit", () => nodeProcess.exit());
  });
}

/** Runs a text as `node -e` does; with `show`, prints its value. */
function runText(text, show, name) {
  if (options.isRepl) {
    converse();
    ticks.runNextTicks();
    return;
  }
  if (options.test.isRunner) {
    core.loadExtScript("ext:runtime/test/runner.js").main(nodeProcess.argv.slice(1));
    ticks.runNextTicks();
    return;
  }
  const { constants, Script } = core.loadExtScript("ext:deno_node/vm.js");
  const module = new Module(name);
  module.filename = `${nodeProcess.cwd()}/${name}`;
  module.paths = Module._nodeModulePaths(nodeProcess.cwd());
  const names = {
    module,
    exports: module.exports,
    require: Module.createRequire(module.filename),
    __filename: name,
    __dirname: ".",
  };
  for (const [name, value] of Object.entries(names)) {
    Object.defineProperty(globalThis, name, core.propNonEnumerable(value));
  }
  let script;
  try {
    script = new Script(text, {
      filename: name,
      importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
    });
  } catch (error) {
    if (error?.name !== "SyntaxError" || options.inputType === "commonjs" || show || !isModule(error.message)) throw error;
    return true;
  }
  const value = script.runInThisContext({ displayErrors: false });
  if (show) console.log(value);
  ticks.runNextTicks();
}

/** Whether a syntax error says that a script is an ES module. */
function isModule(message) {
  return /^(Cannot use import statement outside a module|Unexpected token 'export'|Cannot use 'import\.meta' outside a module|await is only valid)/
    .test(message);
}

/** What an error leaves behind that came out of the program: what it left to do first is done before anything that happens. */
function surface(error, place) {
  for (;;) {
    raise(error, place);
    try {
      return ticks.runNextTicks();
    } catch (thrown) {
      [error, place] = [thrown];
    }
  }
}

/** An error that nobody caught: for a listener of the process, or the end. `place` is where it was, if that is known. */
function raise(error, place) {
  let handled = false;
  try {
    const { _fatalException } = nodeProcess;
    // Node's own end where a program has overwritten it.
    if (typeof _fatalException !== "function") end(error, 6);
    handled = _fatalException.call(nodeProcess, error, false);
  } catch (thrown) {
    end(thrown, 7);
  }
  if (!handled) end(error, 1, place);
}

function rejected(promise, reason) {
  let handled = false;
  const mode = options.unhandledRejections;
  if (mode === "none" || mode === "warn" || mode === "strict") return rejectedBy(mode, promise, reason);
  try {
    internals.nodeProcessUnhandledRejectionCallback?.({
      promise,
      reason,
      preventDefault: () => handled = true,
    });
  } catch (thrown) {
    // What a listener of rejections throws is an error as others are; one of errors has no other listener.
    if (nodeProcess.listenerCount("unhandledRejection") > 0) raise(thrown);
    else end(thrown, 7);
    return true;
  }
  if (!handled) end(named(reason), 1, undefined, false);
  return true;
}

/** As `--unhandled-rejections` says. */
function rejectedBy(mode, promise, reason) {
  if (mode === "strict") {
    const error = named(reason);
    if (nodeProcess.listenerCount("uncaughtException") === 0) end(error, 1);
    nodeProcess.emit("uncaughtException", error, "unhandledRejection");
  }
  const isHeard = nodeProcess.emit("unhandledRejection", reason, promise);
  if (mode === "none" || (mode === "strict" && isHeard)) return true;
  rejections += 1;
  const name = "UnhandledPromiseRejectionWarning";
  const warning = new Error(
    "Unhandled promise rejection. This error originated either by throwing inside of an async function without a catch " +
      "block, or by rejecting a promise which was not handled with .catch(). To terminate the node process on unhandled " +
      "promise rejection, use the CLI flag `--unhandled-rejections=strict` (see " +
      `https://nodejs.org/api/cli.html#cli_unhandled_rejections_mode). (rejection id: ${rejections})`,
  );
  warning.name = name;
  nodeProcess.emitWarning(reason instanceof Error ? reason.stack : inspectArgs([reason]), name);
  nodeProcess.emitWarning(warning);
  return true;
}
let rejections = 0;

/** What is shown of a rejection whose reason is no error. */
function named(reason) {
  if (core.isNativeError(reason) || reason instanceof Error) return reason;
  const error = new Error(
    "This error originated either by throwing inside of an async function without a catch block, " +
      "or by rejecting a promise which was not handled with .catch(). " +
      `The promise rejected with the reason "${inspectArgs([reason])}".`,
  );
  error.stack = `UnhandledPromiseRejection: ${error.message}\n    at`;
  error.name = "UnhandledPromiseRejection";
  error.code = "ERR_UNHANDLED_REJECTION";
  return error;
}

/** Says the error as Node does and ends the task; that of a thread goes to its maker. */
function end(error, code, place, wasThrown = true) {
  if (internals.threadFailed) {
    nodeProcess.exitCode = code;
    internals.threadFailed(error);
    nodeProcess.exit();
  }
  let text;
  try {
    text = describe(error, place, wasThrown);
  } catch {
    text = "Uncaught:\n(an error that cannot be shown)";
  }
  core.print(`${text}\n\nNode.js ${nodeProcess.version}\n`, true);
  nodeProcess.exitCode = code;
  try {
    // Where the program's own handler fails, it is asked nothing more.
    if (code !== 7) exiting();
  } catch (thrown) {
    core.print(`${describe(thrown)}\n\nNode.js ${nodeProcess.version}\n`, true);
    nodeProcess.exitCode = 7;
  }
  os.setExitHandler(null);
  os.exit(nodeProcess.exitCode ?? code);
}

function describe(error, known, wasThrown) {
  const { inspect } = core.loadExtScript("ext:deno_node/internal/util/inspect.mjs");
  const isError = core.isNativeError(error) || error instanceof Error;
  const place = known ?? (isError || error === null || typeof error !== "object" ? op_fault_place(error, wasThrown) : null) ??
    (isError ? placeInStack(error, wasThrown) : null);
  const where = place === null ? "" : `${fileOf(place.file)}:${place.line}\n${place.source}\n${place.mark}\n`;
  if (isError) return `${where && `${where}\n`}${unframed(inspect(error), error)}`;
  if (place === null) return `Uncaught:\n${inspect(error)}\n${hint}`;
  // Node shows a primitive as a text, and no advice about an object.
  return typeof error === "object" && error !== null
    ? `${where}\n${inspect(error)}`
    : `\n${where}${String(error)}\n${hint}`;
}

const hint = "(Use `node --trace-uncaught ...` to show where the exception was thrown)";

/** Node names what is CommonJS by its path, and ES modules by their address. */
function fileOf(name) {
  if (!name.startsWith("file://")) return name;
  const path = core.loadExtScript("ext:deno_node/internal/url.ts").fileURLToPath?.(name) ?? decodeURI(name.slice(7));
  return path in Module._cache || !/\.m[jt]s$/.test(path) && op_require_is_maybe_cjs(path) ? path : name;
}

/** An error without frames is shown in brackets by whoever inspects it; the engine's own are not. */
function unframed(text, error) {
  if (!text.startsWith("[") || /\n\s+at /.test(error.stack ?? "")) return text;
  const code = typeof error.code === "string" && error.code.startsWith("ERR_") ? ` [${error.code}]` : "";
  const close = text.indexOf("]", text.lastIndexOf(error.message, text.length) + error.message.length);
  const head = text.slice(1, close);
  return (code && !head.includes(code) ? head.replace(error.name, `${error.name}${code}`) : head) + text.slice(close + 1);
}

/** For an engine that keeps no more of an error's place than its stack says: where that begins in the program. */
function placeInStack({ stack }, wasThrown) {
  const frame = /^\s+at .*$/m.exec(stack)?.[0] ?? "";
  const place = /(file:\/\/[^\s()]+):(\d+):(\d+)\)?$/.exec(frame);
  return place && op_fault_line(place[1], Number(place[2]), Number(place[3]), wasThrown);
}

/** 'beforeExit'; whether there is more to do. */
const beforeExit = () => internals.dispatchProcessBeforeExitEvent?.() ?? false;
/** 'exit', once. */
const exiting = () => internals.dispatchProcessExitEvent?.();

/** Whether there are neither timers, sockets nor watched files that the program lives on for; a terminal alone is none. */
const isIdle = () => holdingWatchers() === 0 && nodeProcess.getActiveResourcesInfo().every((name) => name === "TTYWrap");

globalThis.taskfs = { start, preload, runCommonJs, runText, raise: surface, beforeExit, exiting, unsettled, isIdle };
