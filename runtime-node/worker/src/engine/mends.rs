//! Small corrections to Deno's polyfills where they differ from Node, made when their sources are prepared.
//!
//! Each names a file and what is in it exactly once; a new version of Deno in which it is not makes the build fail, so that
//! none outlives what it mends.

mod access;
mod children;
mod context;
mod errors;
mod files;
mod values;

/// The end of a source's name, a text in it, and what that becomes.
type Mend = (&'static str, &'static str, &'static str);

/// In the order in which they are made: a later one finds what an earlier one left.
const ALL: &[&[Mend]] =
    &[MENDS, files::MENDS, access::MENDS, errors::MENDS, children::MENDS, context::MENDS, values::MENDS];

/// How files, errors, threads, tests and terminals are tied to the worker's own ops and modules.
const MENDS: &[Mend] = &[
    // unlink of an empty directory must not remove it.
    ("deno_node/fs.ts", "    Deno.removeSync(path);\n", "    core.ops.op_unlink_sync(path);\n"),
    ("deno_node/fs.ts", "    Deno.remove(path),\n", "    core.ops.op_unlink(path),\n"),
    // A whole file is written in one step. Where it cannot be opened nothing was done, and opening it says why.
    (
        "deno_node/fs.ts",
        "  let syscall = \"write\";\n  try {\n    const fd = _writeFileGetRidSync(pathOrRid, flag);",
        "  let syscall = \"write\";\n  try {\n    if (!isRid && !flush) {\n      const bytes = data instanceof Uint8Array ? data \
         : new Uint8Array(data.buffer, data.byteOffset, data.byteLength);\n      if (core.ops.op_write_file_sync(pathOrRid, \
         stringToFlags(flag ?? \"w\"), parseFileMode(mode, \"mode\", 0o666), bytes)) return;\n    }\n    \
         const fd = _writeFileGetRidSync(pathOrRid, flag);",
    ),
    (
        "deno_node/fs.ts",
        "    try {\n      const fd = await _writeFileGetRid(pathOrRid as string | number, flag);",
        "    try {\n      if (!isRid && !flush && !signal && !_isCustomIterable(data)) {\n        \
         const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);\n        \
         if (await core.ops.op_write_file(pathOrRid, stringToFlags(flag ?? \"w\"), \
         parseFileMode(mode, \"mode\", 0o666), bytes)) return;\n      }\n      \
         const fd = await _writeFileGetRid(pathOrRid as string | number, flag);",
    ),
    // What a file is, without an object, a date for each time and a function for each kind on the way to `Stats`, whose own
    // methods tell the kind from the mode.
    (
        "internal/fs/stat_utils.ts",
        "export type statOptions = {\n",
        "const figures = new Float64Array(14);\nconst whole = new BigInt64Array(14);\n\
         const bytes = new Uint8Array(whole.buffer);\n\
         const made = (Kind, [a, b, c, d, e, f, g, h, i, j, k, l, m, n]) => new Kind(a, b, c, d, e, f, g, h, i, j, k, l, m, n);\n\
         const told = (errno, exactly) => errno !== 0 ? errno : exactly ? made(BigIntStats, whole) : made(Stats, figures);\n\
         const read = ({ buffer }, exactly) => \
         exactly ? made(BigIntStats, new BigInt64Array(buffer)) : made(Stats, new Float64Array(buffer));\n\
         export function statNow(path, follow, exactly) {\n  return told(exactly ? core.ops.op_stat_exactly(path, follow, bytes) \
         : core.ops.op_stat_now(path, follow, figures), exactly);\n}\n\
         export function fstatNow(fd, exactly) {\n  return told(exactly ? core.ops.op_fstat_exactly(fd, bytes) \
         : core.ops.op_fstat_now(fd, figures), exactly);\n}\n\
         export async function statLater(path, follow, exactly) {\n  return read(await core.ops.op_stat(path, follow, exactly), exactly);\n}\n\
         export async function fstatLater(fd, exactly) {\n  return read(await core.ops.op_fstat(fd, exactly), exactly);\n}\n\
         export type statOptions = {\n",
    ),
    (
        "internal/fs/stat_utils.ts",
        "  origin: Deno.FileInfo,\n): T => {\n",
        "  origin: Deno.FileInfo,\n): T => {\n  return stats;\n",
    ),
    (
        "deno_node/fs.ts",
        "  convertFileInfoToStats,\n} = core.createLazyLoader(\"ext:deno_node/internal/fs/stat_utils.ts\")();",
        "  convertFileInfoToStats,\n  statLater,\n  statNow,\n} = core.createLazyLoader(\"ext:deno_node/internal/fs/stat_utils.ts\")();",
    ),
    (
        "deno_node/fs.ts",
        "  path = getValidatedPathToString(path);\n\n  try {\n    const origin = Deno.statSync(path);",
        "  path = getValidatedPathToString(path);\n\n  const stats = statNow(path, true, !!options?.bigint);\n  \
         if (typeof stats !== \"number\") return stats;\n  \
         if (stats === 2 && options?.throwIfNoEntry === false) return;\n  \
         throw uvException({ errno: -stats, syscall: \"stat\", path });\n  try {\n    \
         const origin = Deno.statSync(path);",
    ),
    (
        "deno_node/_fs/_fs_lstat.ts",
        "  try {\n    const origin = Deno.lstatSync(validatedPath);",
        "  const stats = lazyStatUtils().statNow(validatedPath, false, !!options?.bigint);\n  \
         if (typeof stats !== \"number\") return stats;\n  \
         if (stats === 2 && options?.throwIfNoEntry === false) return;\n  try {\n    \
         const origin = Deno.lstatSync(validatedPath);",
    ),
    // mkdir with `recursive` knows itself what it made.
    (
        "deno_node/fs.ts",
        "    firstNonExistent = recursive ? findFirstNonExistent(path) : undefined;\n    Deno.mkdirSync(path, { recursive, mode });\n",
        "    if (recursive) {\n      firstNonExistent = core.ops.op_mkdir_all_sync(path, mode) ?? undefined;\n    } \
         else Deno.mkdirSync(path, { mode });\n",
    ),
    (
        "deno_node/fs.ts",
        "  let firstNonExistent: string | undefined;\n  try {\n    firstNonExistent = recursive ? findFirstNonExistent(path) : undefined;\n  } catch (err) {",
        "  try {\n  } catch (err) {",
    ),
    (
        "deno_node/fs.ts",
        "    Deno.mkdir(path, { recursive, mode }),\n    () => {\n      if (typeof callback === \"function\") {\n        callback(null, firstNonExistent);",
        "    recursive ? core.ops.op_mkdir_all(path, mode) : Deno.mkdir(path, { mode }),\n    (made) => {\n      \
         if (typeof callback === \"function\") {\n        callback(null, made ?? undefined);",
    ),
    // A mode given to writeFile or appendFile is that of a new file, less the umask; an old one keeps its own.
    (
        "deno_node/fs.ts",
        "    if (!isRid && mode) {\n      Deno.chmodSync(pathOrRid as string, mode);\n    }\n",
        "",
    ),
    (
        "deno_node/fs.ts",
        "      if (!isRid && mode) {\n        await Deno.chmod(pathOrRid as string, mode);\n        _checkAborted(signal);\n      }\n",
        "",
    ),
    (
        "deno_node/fs.ts",
        "const fd = _writeFileGetRidSync(pathOrRid, flag);",
        "const fd = _writeFileGetRidSync(pathOrRid, flag, mode);",
    ),
    (
        "deno_node/fs.ts",
        "await _writeFileGetRid(pathOrRid as string | number, flag);",
        "await _writeFileGetRid(pathOrRid as string | number, flag, mode);",
    ),
    (
        "deno_node/fs.ts",
        "  flag: string = \"w\",\n): number {\n",
        "  flag: string = \"w\", mode?: any,\n): number {\n",
    ),
    (
        "deno_node/fs.ts",
        "  flag: string = \"w\",\n): Promise<number> {\n",
        "  flag: string = \"w\", mode?: any,\n): Promise<number> {\n",
    ),
    (
        "deno_node/fs.ts",
        "return op_node_open_sync(pathOrRid, stringToFlags(flag), 0o666);",
        "return op_node_open_sync(pathOrRid, stringToFlags(flag), parseFileMode(mode, \"mode\", 0o666));",
    ),
    (
        "deno_node/fs.ts",
        "return await op_node_open(pathOrRid, stringToFlags(flag), 0o666);",
        "return await op_node_open(pathOrRid, stringToFlags(flag), parseFileMode(mode, \"mode\", 0o666));",
    ),
    // A whole file by its path is one step for promises, too.
    (
        "internal/fs/promises.ts",
        "  const mode = opts.mode ?? 0o666;\n  return (async () => {\n",
        "  const mode = opts.mode ?? 0o666;\n  if (!opts.signal) return rawWriteFilePromise(pathOrRid, data, opts);\n  return (async () => {\n",
    ),
    (
        "internal/fs/promises.ts",
        "  const flag = opts.flag ?? \"r\";\n  return (async () => {\n",
        "  const flag = opts.flag ?? \"r\";\n  if (!opts.signal) return rawReadFilePromise(path, opts) as Promise<string | Buffer>;\n  return (async () => {\n",
    ),
    // Where there is nothing to watch, Node's fs.watch throws.
    (
        "deno_node/fs.ts",
        "  if (openError) {\n    lazyProcess().default.nextTick(() => {\n      fsWatcher.emit(\"error\", openError);\n    });\n  }\n",
        "  if (openError) throw openError;\n  if (options?.persistent === false) fsWatcher.unref();\n",
    ),
    (
        "deno_node/fs.ts",
        "  const watcher = Deno.watchFs(watchPath, {\n    recursive,\n  });\n",
        "  let watcher;\n  try {\n    watcher = Deno.watchFs(watchPath, { recursive });\n  } catch (e) {\n    \
         throw denoErrorToNodeError(e, { syscall: \"watch\", path: watchPath });\n  }\n  \
         if (options?.persistent === false) watcher.unref();\n",
    ),
    // What is refused says which capability is missing; -13 is EACCES.
    (
        "deno_node/internal/errors.ts",
        "    message += ` -> '${dest}'`;\n  }\n",
        "    message += ` -> '${dest}'`;\n  }\n  if (ctx.errno === -13) message += core.ops.op_refusal(path ?? \"\", 0);\n",
    ),
    (
        "deno_node/internal/errors.ts",
        "  const message = original\n    ? `${syscall} ${code} ${original}`\n    : `${syscall} ${code}`;\n",
        "  let message = original ? `${syscall} ${code} ${original}` : `${syscall} ${code}`;\n  \
         if (err === -13) message += core.ops.op_refusal(\"spawn\", 0);\n",
    ),
    (
        "deno_node/internal/errors.ts",
        "    const ex: any = new Error(`${message}${details}`);\n",
        "    if (err === -13) details += core.ops.op_refusal(address ?? \"\", port ?? 0);\n    \
         const ex: any = new Error(`${message}${details}`);\n",
    ),
    (
        "deno_node/internal/errors.ts",
        "    const ex: any = new Error(`${syscall} ${code}${details}`);\n",
        "    if (err === -13) details += core.ops.op_refusal(address ?? \"\", port ?? 0);\n    \
         const ex: any = new Error(`${syscall} ${code}${details}`);\n",
    ),
    (
        "deno_node/internal/errors.ts",
        "  const message = `${syscall} ${code}${hostname ? ` ${hostname}` : \"\"}`;\n",
        "  const why = errno === -13 ? core.ops.op_refusal(`resolve ${hostname}`, 0) : \"\";\n  \
         const message = `${syscall} ${code}${hostname ? ` ${hostname}` : \"\"}${why}`;\n",
    ),
    (
        "deno_fetch/26_fetch.js",
        "    throw new TypeError(\"fetch failed\", { cause: new Error(cause) });\n",
        "    const why = core.ops.op_refusal(req.currentUrl(), 0);\n    const reason = new Error(cause + why);\n    \
         if (why) reason.code = \"EACCES\";\n    throw new TypeError(\"fetch failed\", { cause: reason });\n",
    ),
    (
        "deno_websocket/01_websocket.js",
        "        const errorEv = new ErrorEvent(\n          \"error\",\n          { error: err, message: ErrorPrototypeToString(err) },\n",
        "        const errorEv = new ErrorEvent(\n          \"error\",\n          \
         { error: err, message: ErrorPrototypeToString(err) + core.ops.op_refusal(wsURL.href, 0) },\n",
    ),
    // Addresses are looked up by the server, as dns.lookup's are; of other records nobody knows anything here, unless the
    // program names a server of its own.
    (
        "internal_binding/cares_wrap.ts",
        "class ChannelWrap extends AsyncWrap implements ChannelWrapQuery {\n",
        "async function resolved(query, recordType) {\n  const family = recordType === \"A\" ? 4 : recordType === \"AAAA\" ? 6 : 0;\n  \
         if (family === 0) throw { ares_code: \"ENOTIMP\" };\n  \
         const isOfFamily = family === 4 ? isIPv4 : isIPv6;\n  let addresses;\n  try {\n    \
         addresses = op_net_get_ips_from_perm_token(await op_node_getaddrinfo(query, undefined, family));\n  } \
         catch (e) {\n    throw { uv_errcode: e.uv_errcode, ares_code: { [-3008]: \"ENOTFOUND\", [-3001]: \"ESERVFAIL\" }[e.uv_errcode] };\n  }\n  \
         addresses = ArrayPrototypeFilter(addresses, (address) => isOfFamily(address));\n  \
         if (addresses.length === 0) throw { ares_code: \"ENODATA\" };\n  \
         return ArrayPrototypeMap(addresses, (data) => ({ data, ttl: 0, recordType }));\n}\n\n\
         class ChannelWrap extends AsyncWrap implements ChannelWrapQuery {\n",
    ),
    (
        "internal_binding/cares_wrap.ts",
        "        const res = await op_dns_resolve({\n",
        "        const res = !resolveOptions ? await resolved(query, recordType) : await op_dns_resolve({\n",
    ),
    (
        "internal_binding/cares_wrap.ts",
        "          // TODO(cmorten): map errors to appropriate error codes.\n          code = codeMap.get(\"UNKNOWN\")!;\n",
        "          code = (e as any)?.uv_errcode === -13 ? -13 : codeMap.get(\"UNKNOWN\")!;\n",
    ),
    // What keeps a child from being started is its error, whatever it is.
    (
        "deno_node/internal/child_process.ts",
        "      result.error = _createSpawnError(\"ENOENT\", command, args, true);\n    }\n",
        "      result.error = _createSpawnError(\"ENOENT\", command, args, true);\n    } else if (err?.code) {\n      \
         result.error = _createSpawnError(err.code, command, args, true);\n    } else {\n      throw err;\n    }\n",
    ),
    // The advice is for a file that was said to be CommonJS. Where nothing was said, an ES module is loaded as one.
    (
        "node:module",
        "    if (process.mainModule === cjsModuleInstance) {\n      enrichCJSError(",
        "    if (process.mainModule === cjsModuleInstance && format === \"commonjs\") {\n      enrichCJSError(",
    ),
    // Threads are our own: js/threads.js.
    (
        "deno_node/worker_threads.ts",
        "  Worker: NodeWorker,\n",
        "  Worker: core.loadExtScript(\"ext:runtime/threads.js\").Worker,\n",
    ),
    (
        "deno_node/worker_threads.ts",
        "  if (!isMainThread) {\n    // TODO(bartlomieju): this is a really hacky way",
        "  if (!isMainThread) ({ threadId, parentPort, workerData, environmentData, resourceLimits, threadName } = \
         core.loadExtScript(\"ext:runtime/threads.js\").enter(workerId, maybeWorkerMetadata));\n  if (false) {\n    // This was a hacky way",
    ),
    (
        "deno_node/worker_threads.ts",
        "ObjectAssign(exportsObj, {\n",
        "internals.threadPort = webMessagePortToNodeMessagePort;\ninternals.threadPorts = patchMessagePortIfFound;\n\
         internals.threadEnvironmentData = () => environmentData;\n\
         internals.threadMade = (worker) => {\n  setupCrossThreadMessaging();\n  \
         if (workerThreadsChannel.hasSubscribers) workerThreadsChannel.publish({ worker });\n};\nObjectAssign(exportsObj, {\n",
    ),
    // Tests are our own: js/test.
    (
        "node:module",
        "  \"test\": () => core.loadExtScript(\"ext:deno_node/testing.ts\").default,\n",
        "  \"test\": () => core.loadExtScript(\"ext:runtime/test/test.js\").default,\n",
    ),
    (
        "node:module",
        "    core.loadExtScript(\"ext:deno_node/test/reporters.ts\").default,\n",
        "    core.loadExtScript(\"ext:runtime/test/report.js\").reporters(),\n",
    ),
    ("node:test", "ext:deno_node/testing.ts", "ext:runtime/test/test.js"),
    ("node:test", "  getTestContext,\n", "  getTestContext,\n  assert,\n  snapshot,\n"),
    (
        "node:test/reporters",
        "const mod = core.loadExtScript(\"ext:deno_node/test/reporters.ts\");\n",
        "const mod = core.loadExtScript(\"ext:runtime/test/report.js\").reporters();\nmod.default = mod;\n",
    ),
    // What a child has said before its end is heard before its channel is closed, which its end does.
    (
        "deno_node/internal/child_process.ts",
        "          if (this[kCanDisconnect]) {\n            this.disconnect?.();\n          }\n",
        "          if (this[kCanDisconnect]) this.channel?.ref();\n",
    ),
    // A channel that breaks is closed, as one that ends is.
    (
        "deno_node/internal/child_process.ts",
        "        cleanupPendingHandles();\n        return;\n",
        "        if (target.connected) target.disconnect();\n        return;\n",
    ),
    // What JSON makes of a message is JSON.stringify's to say.
    (
        "deno_node/internal/child_process.ts",
        "  const writeFn = serialization === \"json\"\n    ? op_node_ipc_write_json\n",
        "  const writeFn = serialization === \"json\"\n    ? (...args) => {\n      args[1] = JSON.parse(JSON.stringify(args[1]));\n      \
         return op_node_ipc_write_json(...args);\n    }\n",
    ),
    // Listeners of signals hear their numbers, too, and some cannot be listened for.
    (
        "node:process",
        "    wrapper = () => listener(event);\n",
        "    wrapper = () => listener(event, constants.os.signals[event]);\n",
    ),
    // The first warning says how to learn where it comes from.
    (
        "deno_node/internal/process/warning.ts",
        "  process.stderr.write(msg + \"\\n\");\n",
        "  if (!trace) {\n    const kind = isDeprecation ? \"deprecation\" : \"warnings\";\n    if (!told[kind] && (!isDeprecation || !told.warnings)) {\n      \
         told[kind] = true;\n      msg += `\\n(Use \\`node --trace-${kind} ...\\` to show where the warning was created)`;\n    }\n  }\n  \
         process.stderr.write(msg + \"\\n\");\n",
    ),
    (
        "deno_node/internal/process/warning.ts",
        "let disableWarningSet;\n",
        "let disableWarningSet;\nconst told = {};\n",
    ),
    // What is no terminal does not say so.
    (
        "deno_node/_process/streams.mjs",
        "  let getIsTTY = () => writer?.isTerminal();\n",
        "  let getIsTTY = () => writer?.isTerminal() || undefined;\n",
    ),
    (
        "deno_node/_process/streams.mjs",
        "  let getStdinIsTTY = () => io.stdin?.isTerminal();\n",
        "  let getStdinIsTTY = () => io.stdin?.isTerminal() || undefined;\n",
    ),
    // Contexts of QuickJS are our own: js/contexts.js.
    (
        "deno_node/vm.js",
        "  op_vm_script_run_in_context,\n} = core.ops;\n",
        "  op_vm_script_run_in_context,\n} = core.ops.op_is_quickjs() ? core.loadExtScript(\"ext:runtime/contexts.js\") : core.ops;\n",
    ),
    // A terminal is a file of the task's: js/terminal.js.
    (
        "deno_node/tty.js",
        "const { TTY } = core.ops;\n",
        "const { TTY } = core.loadExtScript(\"ext:runtime/terminal.js\");\n",
    ),
    (
        "internal_binding/tty_wrap.ts",
        "const { TTY } = core.ops;\n\n// Mark TTY as a StreamBase handle, matching Node's StreamBase::AddMethods.\nTTY.prototype.isStreamBase = true;\n",
        "const { TTY } = core.loadExtScript(\"ext:runtime/terminal.js\");\n",
    ),
    (
        "deno_node/internal/tty.js",
        "import { op_tty_check_fd_permission, TTY } from \"ext:core/ops\";\n",
        "import { op_tty_check_fd_permission } from \"ext:core/ops\";\nconst { TTY } = core.loadExtScript(\"ext:runtime/terminal.js\");\n",
    ),
    (
        "node:tty",
        "import { op_tty_check_fd_permission, TTY } from \"ext:core/ops\";\n",
        "import { op_tty_check_fd_permission } from \"ext:core/ops\";\nconst { TTY } = core.loadExtScript(\"ext:runtime/terminal.js\");\n",
    ),
    // A socket belongs to the process that has it, and a child is another.
    (
        "deno_node/internal/child_process.ts",
        "function getIpcHandleInfo(handle, options, target) {\n",
        "function getIpcHandleInfo(handle, options, target) {\n  throw new Error('sockets and servers cannot be sent to another task: send what comes through them');\n",
    ),
    // Where copyFile may not overwrite, the error has a code.
    (
        "deno_node/_fs/_fs_copy.ts",
        "throw new Error(`A file exists at the destination: ${destStr}`);",
        "const error = new Error(`EEXIST: file already exists, copyfile '${srcStr}' -> '${destStr}'`); \
         throw Object.assign(error, { errno: -17, code: 'EEXIST', syscall: 'copyfile', path: srcStr, dest: destStr });",
    ),
    // The same for who waits for it, and for open files.
    (
        "deno_node/fs.ts",
        "    Deno.stat(path),\n    (stat) => callback(null, CFISBIS(stat, options.bigint)),\n",
        "    statLater(path, true, !!options?.bigint),\n    (stat) => callback(null, stat),\n",
    ),
    (
        "deno_node/_fs/_fs_lstat.ts",
        "    Deno.lstat(validatedPath),\n    (stat) => callback(null, lazyStatUtils().CFISBIS(stat, options.bigint)),\n",
        "    lazyStatUtils().statLater(validatedPath, false, !!options?.bigint),\n    (stat) => callback(null, stat),\n",
    ),
    (
        "deno_node/_fs/_fs_fstat.ts",
        "    op_node_fs_fstat(fd),\n    (stat) =>\n      callback(\n        null,\n        \
         lazyStatUtils().CFISBIS(nodeFsStatToFileInfo(stat), options.bigint),\n      ),\n",
        "    lazyStatUtils().fstatLater(fd, !!options?.bigint),\n    (stat) => callback(null, stat),\n",
    ),
    (
        "deno_node/_fs/_fs_fstat.ts",
        "  try {\n    const stat = op_node_fs_fstat_sync(fd);",
        "  const stats = lazyStatUtils().fstatNow(fd, !!options?.bigint);\n  \
         if (typeof stats !== \"number\") return stats;\n  try {\n    const stat = op_node_fs_fstat_sync(fd);",
    ),
    // An error of the main module that nobody caught is told once, by who runs it.
    (
        "node:module",
        "    if (\n      isMain &&\n      parent === null &&\n      typeof process !== \"undefined\" &&\n",
        "    if (\n      false &&\n      typeof process !== \"undefined\" &&\n",
    ),
    // A pipe that the program has given up keeps it alive no more, also where it goes on reading.
    (
        "deno_node/_process/streams.mjs",
        "  return guessHandleType(fd);\n",
        "  const type = guessHandleType(fd);\n  return type === \"FILE\" && core.ops.op_is_pipe(fd) ? \"PIPE\" : type;\n",
    ),
    (
        "deno_node/_process/streams.mjs",
        "const _read = function (size) {\n  io.stdin?.[io.REF]();\n",
        "let isGivenUp = false;\nconst _read = function (size) {\n  if (!isGivenUp) io.stdin?.[io.REF]();\n",
    ),
    (
        "deno_node/_process/streams.mjs",
        "        ref() {\n          io.stdin?.[io.REF]();\n        },\n        unref() {\n          io.stdin?.[io.UNREF]();\n        },\n        \
         getAsyncId() {\n          return -1;\n        },\n      };\n",
        "        ref() {\n          isGivenUp = false;\n          io.stdin?.[io.REF]();\n        },\n        \
         unref() {\n          isGivenUp = true;\n          io.stdin?.[io.UNREF]();\n        },\n        \
         getAsyncId() {\n          return -1;\n        },\n      };\n      \
         for (const name of [\"ref\", \"unref\"]) {\n        const method = { [name]() {\n          this._handle?.[name]();\n          \
         return this;\n        } }[name];\n        \
         ObjectDefineProperty(stdin, name, { __proto__: null, value: method, writable: true, configurable: true });\n      }\n",
    ),
];

/// The source with what is to be mended in it.
///
/// # Errors
/// A mend whose text is not there exactly once.
pub fn mend(name: &str, source: String) -> Result<String, String> {
    let mut source = source;
    for (file, from, to) in ALL.iter().copied().flatten().filter(|(file, ..)| name.ends_with(file)) {
        if source.matches(from).count() != 1 {
            return Err(format!("{file}: {from:?} is not there once"));
        }
        source = source.replacen(from, to, 1);
    }
    Ok(source)
}
