//! node:fs: what went wrong, in Node's words: code, number, call and paths.

use super::Mend;

pub const MENDS: &[Mend] = &[
    // An operation whose first arguments are so many paths; what it throws, or its promise is rejected with, is Node's.
    (
        "deno_node/internal/errors.ts",
        "function denoWriteFileErrorToNodeError(\n",
        r#"function withNodeErrors(syscall, op, paths = 0) {
  const fault = (e, path, dest) => {
    throw denoErrorToNodeError(e, { syscall, path: paths > 0 ? path : undefined, dest: paths > 1 ? dest : undefined });
  };
  return (a, b, c, d, e) => {
    try {
      const done = op(a, b, c, d, e);
      return typeof done?.then === "function" ? done.then(undefined, (err) => fault(err, a, b)) : done;
    } catch (err) {
      return fault(err, a, b);
    }
  };
}

function denoWriteFileErrorToNodeError(
"#,
    ),
    (
        "deno_node/internal/errors.ts",
        "\n  denoErrorToNodeSystemError,\n  denoWriteFileErrorToNodeError,\n",
        "\n  denoErrorToNodeSystemError,\n  withNodeErrors,\n  denoWriteFileErrorToNodeError,\n",
    ),
    // An empty path is a path.
    ("deno_node/internal/errors.ts", "  if (ctx.path) {\n", "  if (ctx.path != null) {\n"),
    (
        "deno_node/internal/errors.ts",
        "  if (path) {\n    err.path = path;\n",
        "  if (path !== undefined) {\n    err.path = path;\n",
    ),
    (
        "deno_node/internal/errors.ts",
        "  const err: any = new Error(message);\n\n  for (const prop of new SafeArrayIterator(ObjectKeys(ctx))) {\n    if (prop === \"message\" || prop === \"path\"",
        "  const err: any = new Error(message);\n  err.errno = ctx.errno;\n  err.code = code;\n\n  \
         for (const prop of new SafeArrayIterator(ObjectKeys(ctx))) {\n    if (prop === \"message\" || prop === \"path\"",
    ),
    // How an error is turned into text, and its kind, are no properties to be shown.
    (
        "deno_node/internal/errors.ts",
        "    this.code = code;\n    this.name = name;\n    this.stack = this.stack &&\n",
        "    this.code = code;\n    Object.defineProperty(this, \"name\", { value: name, writable: true, configurable: true });\n    \
         this.stack = this.stack &&\n",
    ),
    (
        "deno_node/internal/errors.ts",
        "    ObjectSetPrototypeOf(this, SyntaxErrorPrototype);\n    this.toString = function () {\n      return `${this.name} [${this.code}]: ${this.message}`;\n    };\n",
        "    ObjectSetPrototypeOf(this, SyntaxErrorPrototype);\n    hideToString(this);\n",
    ),
    (
        "deno_node/internal/errors.ts",
        "    ObjectSetPrototypeOf(this, RangeErrorPrototype);\n    this.toString = function () {\n      return `${this.name} [${this.code}]: ${this.message}`;\n    };\n",
        "    ObjectSetPrototypeOf(this, RangeErrorPrototype);\n    hideToString(this);\n",
    ),
    (
        "deno_node/internal/errors.ts",
        "    ObjectSetPrototypeOf(this, TypeErrorPrototype);\n    this.toString = function () {\n      return `${this.name} [${this.code}]: ${this.message}`;\n    };\n",
        "    ObjectSetPrototypeOf(this, TypeErrorPrototype);\n    hideToString(this);\n",
    ),
    (
        "deno_node/internal/errors.ts",
        "    ObjectSetPrototypeOf(this, URIErrorPrototype);\n    this.toString = function () {\n      return `${this.name} [${this.code}]: ${this.message}`;\n    };\n",
        "    ObjectSetPrototypeOf(this, URIErrorPrototype);\n    hideToString(this);\n",
    ),
    (
        "deno_node/internal/errors.ts",
        "class NodeError extends NodeErrorAbstraction {\n",
        "function hideToString(error) {\n  const { toString: value } = NodeErrorAbstraction.prototype;\n  \
         Object.defineProperty(error, \"toString\", { value, writable: true, configurable: true });\n}\n\n\
         class NodeError extends NodeErrorAbstraction {\n",
    ),
    // By descriptor, and what else is an operation of its own.
    (
        "deno_node/fs.ts",
        "} = core.ops;\nconst {\n  ERR_INVALID_ARG_TYPE,\n  ERR_INVALID_ARG_VALUE,\n  uvException,\n",
        r#"} = nodeOps;
const {
  ERR_INVALID_ARG_TYPE,
  ERR_INVALID_ARG_VALUE,
  uvException,
"#,
    ),
    (
        "deno_node/fs.ts",
        "const {\n  op_fs_read_file_async,\n",
        r#"const { withNodeErrors } = core.loadExtScript("ext:deno_node/internal/errors.ts");
const nodeOps = { __proto__: core.ops };
for (
  const { 0: syscall, 1: name, 2: paths } of [
    ["close", "op_node_fs_close"],
    ["write", "op_node_fs_write_sync"],
    ["write", "op_node_fs_write_deferred"],
    ["fchmod", "op_node_fs_fchmod"],
    ["fchmod", "op_node_fs_fchmod_sync"],
    ["fchown", "op_node_fs_fchown"],
    ["fchown", "op_node_fs_fchown_sync"],
    ["fdatasync", "op_node_fs_fdatasync"],
    ["fdatasync", "op_node_fs_fdatasync_sync"],
    ["fsync", "op_node_fs_fsync"],
    ["fsync", "op_node_fs_fsync_sync"],
    ["ftruncate", "op_node_fs_ftruncate"],
    ["ftruncate", "op_node_fs_ftruncate_sync"],
    ["futime", "op_node_fs_futimes"],
    ["futime", "op_node_fs_futimes_sync"],
    ["lchown", "op_node_lchown", 1],
    ["lchown", "op_node_lchown_sync", 1],
    ["read", "op_node_fs_read_file_sync"],
  ]
) nodeOps[name] = withNodeErrors(syscall, core.ops[name], paths);
const chownNow = withNodeErrors("chown", (...args) => Deno.chownSync(...args), 1);
const chownLater = withNodeErrors("chown", (...args) => Deno.chown(...args), 1);
const utimeNow = withNodeErrors("utime", (...args) => Deno.utimeSync(...args), 1);
const utimeLater = withNodeErrors("utime", (...args) => Deno.utime(...args), 1);
const symlinkNow = withNodeErrors("symlink", (...args) => Deno.symlinkSync(...args), 2);
const symlinkLater = withNodeErrors("symlink", (...args) => Deno.symlink(...args), 2);
const {
  op_fs_read_file_async,
"#,
    ),
    ("deno_node/fs.ts", "  Deno.chown(path, uid, gid).then(", "  chownLater(path, uid, gid).then("),
    ("deno_node/fs.ts", "  Deno.chownSync(path, uid, gid);", "  chownNow(path, uid, gid);"),
    ("deno_node/fs.ts", "    Deno.utime(path, atime, mtime),", "    utimeLater(path, atime, mtime),"),
    ("deno_node/fs.ts", "  Deno.utimeSync(path, atime, mtime);", "  utimeNow(path, atime, mtime);"),
    (
        "deno_node/fs.ts",
        "    Deno.symlink(\n      target,\n      path,\n      { type: linkType ??",
        "    symlinkLater(\n      target,\n      path,\n      { type: linkType ??",
    ),
    (
        "deno_node/fs.ts",
        "  Deno.symlinkSync(target, path, { type: type ?? \"file\" });",
        "  symlinkNow(target, path, { type: type ?? \"file\" });",
    ),
    (
        "deno_node/_fs/_fs_lutimes.ts",
        "import { op_node_lutimes, op_node_lutimes_sync } from \"ext:core/ops\";\n",
        "const { withNodeErrors } = core.loadExtScript(\"ext:deno_node/internal/errors.ts\");\n\
         const op_node_lutimes = withNodeErrors(\"lutime\", core.ops.op_node_lutimes, 1);\n\
         const op_node_lutimes_sync = withNodeErrors(\"lutime\", core.ops.op_node_lutimes_sync, 1);\n",
    ),
    (
        "deno_node/_fs/_fs_copy.ts",
        "const { promisify } = core.loadExtScript(\"ext:deno_node/internal/util.mjs\");\n",
        "const { promisify } = core.loadExtScript(\"ext:deno_node/internal/util.mjs\");\n\
         const { denoErrorToNodeError, withNodeErrors } = core.loadExtScript(\"ext:deno_node/internal/errors.ts\");\n\
         const copyNow = withNodeErrors(\"copyfile\", (...args) => Deno.copyFileSync(...args), 2);\n\
         const copyLater = withNodeErrors(\"copyfile\", (...args) => Deno.copyFile(...args), 2);\n",
    ),
    (
        "deno_node/_fs/_fs_copy.ts",
        "          Deno.copyFile(srcStr, destStr),\n",
        "          copyLater(srcStr, destStr),\n",
    ),
    ("deno_node/_fs/_fs_copy.ts", "Then(Deno.copyFile(srcStr, destStr)", "Then(copyLater(srcStr, destStr)"),
    (
        "deno_node/_fs/_fs_copy.ts",
        "        Deno.copyFileSync(srcStr, destStr);\n      } else {\n        throw e;\n",
        "        copyNow(srcStr, destStr);\n      } else {\n        \
         throw denoErrorToNodeError(e, { syscall: \"copyfile\", path: srcStr, dest: destStr });\n",
    ),
    (
        "deno_node/_fs/_fs_copy.ts",
        "  } else {\n    Deno.copyFileSync(srcStr, destStr);\n",
        "  } else {\n    copyNow(srcStr, destStr);\n",
    ),
    (
        "deno_node/_fs/_fs_copy.ts",
        "      e.code = \"EEXIST\";\n",
        "      e.code = \"EEXIST\";\n      e.path = srcStr;\n      e.dest = destStr;\n",
    ),
    (
        "deno_node/_fs/_fs_copy.ts",
        "      } else {\n        cb(e);\n",
        "      } else {\n        cb(denoErrorToNodeError(e, { syscall: \"copyfile\", path: srcStr, dest: destStr }));\n",
    ),
    // Names of a directory are asked for with scandir(3).
    (
        "_fs/_fs_readdir.ts",
        "          denoErrorToNodeError(err as Error, {\n            syscall: \"readdir\",\n",
        "          denoErrorToNodeError(err as Error, {\n            syscall: \"scandir\",\n",
    ),
    (
        "_fs/_fs_readdir.ts",
        "      throw denoErrorToNodeError(e as Error, {\n        syscall: \"readdir\",\n",
        "      throw denoErrorToNodeError(e as Error, {\n        syscall: \"scandir\",\n",
    ),
    (
        "deno_node/fs.ts",
        "    err = denoErrorToNodeError(error as Error, { syscall: \"opendir\" });\n",
        "    err = denoErrorToNodeError(error as Error, { syscall: \"opendir\", path });\n",
    ),
    // Promises ask the system itself.
    (
        "internal/fs/promises.ts",
        "const realpathPromise = lazyPromisifyFs(\"realpath\", 2) as (\n",
        "const realpathPromise = ((path, options) =>\n  new Promise((resolve, reject) => {\n    \
         lazyFs().realpath.native(path, options, (err, found) => err ? reject(err) : resolve(found));\n  })) as (\n",
    ),
    // A directory can be opened to be read, and cannot be read.
    (
        "deno_node/fs.ts",
        "function readFileMaybeDecode(data: Uint8Array, encoding: Encodings): string;\n",
        r#"function readFileFault(err, path, options) {
  const fault = denoErrorToNodeError(err, { path, syscall: "open" });
  const writes = fsConstants.O_WRONLY | fsConstants.O_RDWR;
  if (fault.code !== "EISDIR" || stringToFlags(options?.flag, "options.flag") & writes) return fault;
  return denoErrorToNodeError(err, { syscall: "read" });
}

function readFileMaybeDecode(data: Uint8Array, encoding: Encodings): string;
"#,
    ),
    (
        "deno_node/fs.ts",
        r#"          denoErrorToNodeError(err, {
            path: typeof pathOrRid === "string" ? pathOrRid : undefined,
            syscall: "open",
          }),
"#,
        "          typeof pathOrRid === \"string\"\n            ? readFileFault(err, pathOrRid, options)\n            \
         : denoErrorToNodeError(err, { syscall: \"read\" }),\n",
    ),
    (
        "deno_node/fs.ts",
        "      throw denoErrorToNodeError(err, { path, syscall: \"open\" });\n",
        "      throw readFileFault(err, path, options);\n",
    ),
    // What realpath says is missing is the part of the path that is.
    (
        "deno_node/fs.ts",
        "function realpathImpl(\n",
        r#"function realpathFault(err, path, syscall) {
  if (syscall !== "lstat") return denoErrorToNodeError(err, { syscall, path });
  let at = "";
  const left = resolve(path).split("/").slice(1);
  while (left.length > 0) {
    const next = `${at}/${left.shift()}`;
    let call = "lstat";
    try {
      if (Deno.lstatSync(next).isSymlink) {
        call = "stat";
        Deno.statSync(next);
        left.unshift(...resolve(at || "/", Deno.readLinkSync(next)).split("/").slice(1));
        at = "";
      } else {
        at = next;
      }
    } catch (e) {
      return denoErrorToNodeError(e, { syscall: call, path: next });
    }
  }
  return denoErrorToNodeError(err, { syscall, path });
}

function realpathImpl(
"#,
    ),
    (
        "deno_node/fs.ts",
        "        denoErrorToNodeError(err as Error, {\n          syscall,\n          path: validatedPath,\n        }),\n",
        "        realpathFault(err, validatedPath, syscall),\n",
    ),
    (
        "deno_node/fs.ts",
        "    throw denoErrorToNodeError(err as Error, {\n      syscall,\n      path: validatedPath,\n    });\n",
        "    throw realpathFault(err, validatedPath, syscall);\n",
    ),
];
