//! Small corrections to Deno's polyfills where they differ from Node, made when their sources are prepared.
//!
//! Each names a file and what is in it exactly once; a new version of Deno in which it is not makes the build fail, so that
//! none outlives what it mends.

/// The end of a source's name, a text in it, and what that becomes.
const MENDS: &[(&str, &str, &str)] = &[
    // unlink of an empty directory must not remove it.
    ("deno_node/fs.ts", "    Deno.removeSync(path);\n", "    core.ops.op_unlink_sync(path);\n"),
    ("deno_node/fs.ts", "    Deno.remove(path),\n", "    core.ops.op_unlink(path),\n"),
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
    // The advice is for a file that was said to be CommonJS. Where nothing was said, an ES module is loaded as one.
    (
        "node:module",
        "    if (process.mainModule === cjsModuleInstance) {\n      enrichCJSError(",
        "    if (process.mainModule === cjsModuleInstance && format === \"commonjs\") {\n      enrichCJSError(",
    ),
    // Where copyFile may not overwrite, the error has a code.
    (
        "deno_node/_fs/_fs_copy.ts",
        "throw new Error(`A file exists at the destination: ${destStr}`);",
        "const error = new Error(`EEXIST: file already exists, copyfile '${srcStr}' -> '${destStr}'`); \
         throw Object.assign(error, { errno: -17, code: 'EEXIST', syscall: 'copyfile', path: srcStr, dest: destStr });",
    ),
];

/// The source with what is to be mended in it.
///
/// # Errors
/// A mend whose text is not there exactly once.
pub fn mend(name: &str, source: String) -> Result<String, String> {
    let mut source = source;
    for (file, from, to) in MENDS.iter().filter(|(file, ..)| name.ends_with(file)) {
        if source.matches(from).count() != 1 {
            return Err(format!("{file}: {from:?} is not there once"));
        }
        source = source.replacen(from, to, 1);
    }
    Ok(source)
}
