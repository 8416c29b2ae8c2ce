//! node:child_process.

use super::Mend;

pub const MENDS: &[Mend] = &[
    // Its standard input is what was given, an open file too; only a pipe has something written to it.
    (
        "deno_node/internal/child_process.ts",
        "  const input_ = normalizeInput(input);\n",
        "  const input_ = normalizeInput(input);\n  const stdin = toDenoStdio(stdin_);\n",
    ),
    (
        "deno_node/internal/child_process.ts",
        "      stdin: stdin_ == \"inherit\" ? \"inherit\" : \"null\",\n",
        "      stdin: stdin === \"piped\" ? \"null\" : stdin,\n",
    ),
    (
        "deno_node/internal/child_process.ts",
        "      input: input_,\n",
        "      input: stdin === \"piped\" ? input_ : null,\n",
    ),
    // Of a child that could not be started nothing is known, and what is not known is written as Node writes it.
    (
        "deno_node/internal/child_process.ts",
        "  return result;\n}\n\nconst kControlDisconnect",
        "  if (result.pid === undefined) {\n    Object.assign(result, { status: null, signal: null, output: null, pid: 0, \
         stdout: undefined, stderr: undefined });\n  }\n  return result;\n}\n\nconst kControlDisconnect",
    ),
    (
        "deno_node/internal/child_process.ts",
        "      this.#_handleError(e);\n\n      if (!isResourceError) {\n",
        "      if (e?.errno < 0) this.exitCode = e.errno;\n      this.#_handleError(e);\n\n      if (!isResourceError) {\n",
    ),
    // Signal 0 asks whether a child is there.
    (
        "deno_node/internal/child_process.ts",
        "        process.kill(this.pid, 0);\n        return true;\n      } catch {\n        return false;\n",
        "        if (this.pid === undefined || this.exitCode !== null || this.signalCode !== null) return false;\n        \
         this.killed = true;\n        return true;\n      } catch {\n        return false;\n",
    ),
];
