//! node:fs: what its functions do and give back.

use super::Mend;

pub const MENDS: &[Mend] = &[
    // What follows a string is the position, where a buffer has its offset.
    (
        "deno_node/fs.ts",
        "  return innerWriteSync(fd, buffer, 0, buffer.length, position);\n",
        "  return innerWriteSync(fd, buffer, 0, buffer.length, offset);\n",
    ),
    // Who writes a string gets it back.
    (
        "deno_node/fs.ts",
        "      callback(null, nwritten, buffer);\n",
        "      callback(null, nwritten, str);\n",
    ),
    // An array of wider elements is written byte for byte.
    (
        "deno_node/fs.ts",
        "  const innerWritev = async (fd, buffers, position) => {\n",
        "  const innerWritev = async (fd, views, position) => {\n    \
         const buffers = views.map((view) => arrayBufferViewToUint8Array(view));\n",
    ),
    (
        "deno_node/fs.ts",
        "  const innerWritev = (fd, buffers, position) => {\n",
        "  const innerWritev = (fd, views, position) => {\n    \
         const buffers = views.map((view) => arrayBufferViewToUint8Array(view));\n",
    ),
    (
        "internal/fs/handle.ts",
        "  if (ObjectPrototypeIsPrototypeOf(Uint8ArrayPrototype, bufferOrStr)) {\n",
        "  if (ArrayBuffer.isView(bufferOrStr)) {\n",
    ),
    // What is read into is what is given back, whatever its elements are.
    (
        "internal/fs/handle.ts",
        "    let offset: number;\n    if (ObjectPrototypeIsPrototypeOf(Uint8ArrayPrototype, bufferOrOpt)) {\n",
        "    let offset: number;\n    if (ArrayBuffer.isView(bufferOrOpt)) {\n",
    ),
    (
        "internal/fs/handle.ts",
        "): Promise<ReadResult> {\n  if (ObjectPrototypeIsPrototypeOf(Uint8ArrayPrototype, bufferOrOpt)) {\n",
        "): Promise<ReadResult> {\n  if (ArrayBuffer.isView(bufferOrOpt)) {\n",
    ),
    // Who has given up writing a file before it is opened leaves it as it is.
    (
        "deno_node/fs.ts",
        "  const isRid = typeof pathOrRid === \"number\";\n  let file;\n\n  let error: Error | null = null;\n  \
         let syscall = \"write\";\n  (async () => {\n    try {\n",
        "  const isRid = typeof pathOrRid === \"number\";\n  let file;\n\n  let error: Error | null = null;\n  \
         let syscall = \"write\";\n  (async () => {\n    try {\n      _checkAborted(signal);\n",
    ),
    (
        "deno_node/fs.ts",
        "    throw new AbortError();\n",
        "    throw new AbortError(undefined, { cause: signal.reason });\n",
    ),
    (
        "internal/fs/promises.ts",
        "    if (opts.signal?.aborted) opts.signal.throwIfAborted();\n    const fh = await openPromise(\n      \
         pathOrRid as string | Buffer | URL,\n",
        "    if (opts.signal?.aborted) throw new AbortError(undefined, { cause: opts.signal.reason });\n    \
         const fh = await openPromise(\n      pathOrRid as string | Buffer | URL,\n",
    ),
    (
        "internal/fs/promises.ts",
        "    if (opts.signal?.aborted) opts.signal.throwIfAborted();\n    const fh = await openPromise(path as",
        "    if (opts.signal?.aborted) throw new AbortError(undefined, { cause: opts.signal.reason });\n    \
         const fh = await openPromise(path as",
    ),
    (
        "internal/fs/promises.ts",
        "const { ERR_METHOD_NOT_IMPLEMENTED, aggregateTwoErrors } = core",
        "const { AbortError, ERR_METHOD_NOT_IMPLEMENTED, aggregateTwoErrors } = core",
    ),
    // An encoding that there is not is told to who asked for it.
    (
        "deno_node/fs.ts",
        "        const textOrBuffer = readFileMaybeDecode(data, options?.encoding);\n        \
         (cb as ReadFileBinaryCallback)(null, textOrBuffer);\n",
        "        let textOrBuffer;\n        try {\n          textOrBuffer = readFileMaybeDecode(data, options?.encoding);\n        \
         } catch (e) {\n          return cb(e);\n        }\n        cb(null, textOrBuffer);\n",
    ),
    // A path may be a Buffer.
    (
        "deno_node/fs.ts",
        "  callback?: MkdirCallback,\n) {\n  path = getValidatedPath(path) as string;\n",
        "  callback?: MkdirCallback,\n) {\n  path = getValidatedPathToString(path);\n",
    ),
    (
        "deno_node/fs.ts",
        "  options?: MkdirOptions,\n): string | undefined {\n  path = getValidatedPath(path) as string;\n",
        "  options?: MkdirOptions,\n): string | undefined {\n  path = getValidatedPathToString(path);\n",
    ),
    (
        "deno_node/fs.ts",
        "  validateRmOptions(\n    path,\n",
        "  path = getValidatedPathToString(path);\n  validateRmOptions(\n    path,\n",
    ),
    (
        "deno_node/fs.ts",
        "  options = validateRmOptionsSync(path, options, false);\n",
        "  path = getValidatedPathToString(path);\n  options = validateRmOptionsSync(path, options, false);\n",
    ),
    (
        "deno_node/fs.ts",
        "    pathOrRid = (pathOrRid as FileHandle).fd;\n  }\n\n  if (isFileOptions",
        "    pathOrRid = (pathOrRid as FileHandle).fd;\n  } else if (typeof pathOrRid !== \"number\") {\n    \
         pathOrRid = getValidatedPathToString(pathOrRid);\n  }\n\n  if (isFileOptions",
    ),
    (
        "deno_node/fs.ts",
        "  pathOrRid = ObjectPrototypeIsPrototypeOf(URLPrototype, pathOrRid)\n    ? pathFromURL(pathOrRid as URL)\n    \
         : pathOrRid as string | number;\n",
        "  if (typeof pathOrRid !== \"number\") pathOrRid = getValidatedPathToString(pathOrRid);\n",
    ),
    // Of a path that was to be made with all above it, the first that was made is told as it was given.
    (
        "deno_node/fs.ts",
        "function mkdirSync(\n",
        "function asGiven(path, made) {\n  let given = path;\n  while (given && resolve(given) !== made) {\n    \
         given = given.slice(0, MathMax(given.lastIndexOf(\"/\"), 0));\n  }\n  return given || made;\n}\n\n\
         function mkdirSync(\n",
    ),
    (
        "deno_node/fs.ts",
        "firstNonExistent = core.ops.op_mkdir_all_sync(path, mode) ?? undefined;\n",
        "firstNonExistent = core.ops.op_mkdir_all_sync(path, mode) ?? undefined;\n      \
         if (firstNonExistent) firstNonExistent = asGiven(path, firstNonExistent);\n",
    ),
    (
        "deno_node/fs.ts",
        "        callback(null, made ?? undefined);",
        "        if (made) callback(null, asGiven(path, made));\n        else callback(null);",
    ),
    // Nothing went wrong: null.
    (
        "deno_node/fs.ts",
        "    core.ops.op_unlink(path),\n    () => callback(),\n",
        "    core.ops.op_unlink(path),\n    () => callback(null),\n",
    ),
    (
        "deno_node/fs.ts",
        "    Deno.rename(oldPath, newPath),\n    () => callback(),\n",
        "    Deno.rename(oldPath, newPath),\n    () => callback(null),\n",
    ),
    ("deno_node/fs.ts", "    (_) => callback(),\n", "    (_) => callback(null),\n"),
    // Where a link leads is told in any encoding.
    (
        "deno_node/fs.ts",
        "  if (encoding === \"buffer\") {\n    return new TextEncoder().encode(data);\n  }\n  return data;\n",
        "  return encodeRealpathResult(data, { encoding });\n",
    ),
    (
        "deno_node/fs.ts",
        "  optOrCallback?: ReadlinkOptions | ReadlinkCallback,\n): string | null {\n",
        "  optOrCallback?: ReadlinkOptions | ReadlinkCallback,\n): string | null {\n  \
         return getOptions(optOrCallback).encoding ?? null;\n",
    ),
    // Who watches without persisting is not waited for.
    (
        "deno_node/fs.ts",
        "    if (persistent) {\n      this.#refCount++;\n    }\n",
        "    this.#refed = persistent;\n    if (persistent) {\n      this.#refCount++;\n    }\n",
    ),
    // A double holds few times exactly: the nearest microsecond is meant, not the one below.
    (
        "deno_node/fs.ts",
        "function futimes(\n",
        "function nanos(time, seconds) {\n  return MathMin(Math.round((time - seconds) * 1e6), 999999) * 1e3;\n}\n\n\
         function futimes(\n",
    ),
    (
        "deno_node/fs.ts",
        "  const atimeNanos = MathTrunc(\n    ((atime as number) - atimeSecs) * 1e9,\n  );\n  \
         const mtimeSecs = MathTrunc(mtime as number);\n  const mtimeNanos = MathTrunc(\n    \
         ((mtime as number) - mtimeSecs) * 1e9,\n  );\n  PromisePrototypeThen(\n",
        "  const atimeNanos = nanos(atime, atimeSecs);\n  const mtimeSecs = MathTrunc(mtime as number);\n  \
         const mtimeNanos = nanos(mtime, mtimeSecs);\n  PromisePrototypeThen(\n",
    ),
    (
        "deno_node/fs.ts",
        "  const atimeNanos = MathTrunc(\n    ((atime as number) - atimeSecs) * 1e9,\n  );\n  \
         const mtimeSecs = MathTrunc(mtime as number);\n  const mtimeNanos = MathTrunc(\n    \
         ((mtime as number) - mtimeSecs) * 1e9,\n  );\n  op_node_fs_futimes_sync(",
        "  const atimeNanos = nanos(atime, atimeSecs);\n  const mtimeSecs = MathTrunc(mtime as number);\n  \
         const mtimeNanos = nanos(mtime, mtimeSecs);\n  op_node_fs_futimes_sync(",
    ),
];
