//! node:fs: who may do what with a file, and which directories a listing goes through.

use super::Mend;

pub const MENDS: &[Mend] = &[
    // access(2) asks about what a link leads to. The superuser may read and write anything, and execute what anybody may; to
    // everybody else the bits of the owner apply, or those of a group that he is in, or those of the others.
    (
        "deno_node/fs.ts",
        "function access(\n",
        r#"function mayNot(info, mode, path) {
  if (mode === 0) return null;
  let bits = info.mode;
  const uid = Deno.uid();
  if (uid === 0) {
    bits = 6 | ((bits & 0o170000) === 0o040000 || bits & 0o111 ? 1 : 0);
  } else if (info.uid === uid) {
    bits >>= 6;
  } else if (info.gid === Deno.gid() || lazyProcess().default.getgroups().includes(info.gid)) {
    bits >>= 3;
  }
  if ((bits & mode) === mode) return null;
  return uvException({ errno: codeMap.get("EACCES"), syscall: "access", path });
}

function access(path, mode, callback) {
  if (typeof mode === "function") {
    callback = mode;
    mode = fsConstants.F_OK;
  }
  path = getValidatedPathToString(path);
  mode = getValidMode(mode, "access");
  const cb = makeCallback(callback);
  PromisePrototypeThen(
    Deno.stat(path),
    (info) => cb(mayNot(info, mode, path)),
    (err) => cb(denoErrorToNodeError(err, { syscall: "access", path })),
  );
}

function accessSync(path, mode) {
  path = getValidatedPathToString(path);
  mode = getValidMode(mode, "access");
  const info = statNow(path, true);
  if (typeof info === "number") throw uvException({ errno: -info, syscall: "access", path });
  const fault = mayNot(info, mode, path);
  if (fault) throw fault;
}

function accessOfLinks(
"#,
    ),
    ("deno_node/fs.ts", "function accessSync(path: string", "function accessOfLinksSync(path: string"),
    // A listing of all that is below enters what links lead to, but for that of promises with types, which goes depth first.
    (
        "_fs/_fs_readdir.ts",
        "type readDirOptions = {\n",
        r#"function isEntered(entry, path, links) {
  if (entry.isDirectory || !links || !entry.isSymlink) return entry.isDirectory;
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}

type readDirOptions = {
"#,
    ),
    (
        "_fs/_fs_readdir.ts",
        "  maybeCallback?: readDirCallback | readDirCallbackDirent,\n) {\n",
        "  maybeCallback?: readDirCallback | readDirCallbackDirent,\n  depthFirst = false,\n) {\n",
    ),
    (
        "_fs/_fs_readdir.ts",
        "    while ((current = ArrayPrototypeShift(dirs)) !== undefined) {\n      try {\n",
        "    while ((current = depthFirst ? dirs.pop() : ArrayPrototypeShift(dirs)) !== undefined) {\n      try {\n",
    ),
    (
        "_fs/_fs_readdir.ts",
        "          if (options?.recursive && entry.isDirectory) {\n            \
         ArrayPrototypePush(dirs, join(current, entry.name));\n          }\n",
        "          const links = !depthFirst || !options?.withFileTypes;\n          \
         if (options?.recursive && isEntered(entry, join(current, entry.name), links)) {\n            \
         ArrayPrototypePush(dirs, join(current, entry.name));\n          }\n",
    ),
    (
        "_fs/_fs_readdir.ts",
        "        if (options?.recursive && entry.isDirectory) {\n          ArrayPrototypePush(dirs, join(current, entry.name));\n        }\n\n        if",
        "        if (options?.recursive && isEntered(entry, join(current, entry.name), true)) {\n          \
         ArrayPrototypePush(dirs, join(current, entry.name));\n        }\n\n        if",
    ),
    (
        "_fs/_fs_readdir.ts",
        "export const readdirPromise = promisify(readdir) as (\n",
        "export const readdirPromise = ((path, options) =>\n  new Promise((resolve, reject) => {\n    \
         readdir(path, options, (err, found) => err ? reject(err) : resolve(found), true);\n  })) as (\n",
    ),
    // A directory is opened with everything below it, too.
    (
        "deno_node/fs.ts",
        "    const { bufferSize } = getOptions(options, {\n      encoding",
        "    const { bufferSize = 32, recursive = false } = getOptions(options, {\n      encoding",
    ),
    (
        "deno_node/fs.ts",
        "  const { bufferSize } = getOptions(options, {\n    encoding",
        "  const { bufferSize = 32, recursive = false } = getOptions(options, {\n    encoding",
    ),
    ("deno_node/fs.ts", "    dir = new Dir(path);\n", "    dir = new Dir(path, recursive);\n"),
    ("deno_node/fs.ts", "    return new Dir(path);\n", "    return new Dir(path, recursive);\n"),
    (
        "_fs/_fs_dir.ts",
        "export default class Dir {\n",
        r#"function* entries(path, recursive) {
  const dirs = [path];
  for (const dir of dirs) {
    for (const entry of Deno.readDirSync(dir)) {
      entry.parentPath = dir;
      yield entry;
      if (recursive && entry.isDirectory) dirs.push(lazyPath().join(dir, entry.name));
    }
  }
}

async function* entriesLater(path, recursive) {
  const dirs = [path];
  for (const dir of dirs) {
    for await (const entry of Deno.readDir(dir)) {
      entry.parentPath = dir;
      yield entry;
      if (recursive && entry.isDirectory) dirs.push(lazyPath().join(dir, entry.name));
    }
  }
}

export default class Dir {
  #recursive;
"#,
    ),
    (
        "_fs/_fs_dir.ts",
        "  constructor(path: string | Uint8Array) {\n",
        "  constructor(path: string | Uint8Array, recursive = false) {\n    this.#recursive = recursive;\n",
    ),
    (
        "_fs/_fs_dir.ts",
        "Deno.readDir(this.path)[SymbolAsyncIterator]()",
        "entriesLater(this.path, this.#recursive)",
    ),
    (
        "_fs/_fs_dir.ts",
        "Deno.readDirSync(this.path)![SymbolIterator]()",
        "entries(this.path, this.#recursive)",
    ),
    (
        "_fs/_fs_dir.ts",
        "    const iteratorResult = ArrayIteratorPrototypeNext(this.#syncIterator);\n    if (iteratorResult.done) {\n      \
         return null;\n    } else {\n      return direntFromDeno(iteratorResult.value, this.#dirPath);\n",
        "    const iteratorResult = this.#syncIterator.next();\n    if (iteratorResult.done) {\n      \
         return null;\n    } else {\n      return direntFromDeno(iteratorResult.value);\n",
    ),
    (
        "_fs/_fs_dir.ts",
        "          resolve(\n            iteratorResult.done\n              ? null\n              \
         : direntFromDeno(iteratorResult.value, this.#dirPath),\n",
        "          resolve(\n            iteratorResult.done\n              ? null\n              \
         : direntFromDeno(iteratorResult.value),\n",
    ),
    (
        "_fs/_fs_dir.ts",
        "                : direntFromDeno(iteratorResult.value, this.#dirPath),\n            );\n          }\n",
        "                : direntFromDeno(iteratorResult.value),\n            );\n          }\n",
    ),
    (
        "_fs/_fs_dir.ts",
        "const { TextDecoder } = core",
        "const lazyPath = core.createLazyLoader(\"node:path\");\nconst { TextDecoder } = core",
    ),
];
