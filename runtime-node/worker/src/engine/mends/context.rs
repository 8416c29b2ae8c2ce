//! AsyncLocalStorage: whose context a callback runs in.

use super::Mend;

pub const MENDS: &[Mend] = &[
    // What a socket tells is told in the context that it was made in.
    (
        "deno_node/net.ts",
        "const kAsyncContext = Symbol(\"kAsyncContext\");\n",
        "const { kAsyncContext } = core.loadExtScript(\"ext:deno_node/internal/stream_base_commons.ts\");\n",
    ),
    (
        "internal/stream_base_commons.ts",
        "function onStreamRead(\n",
        r#"const kAsyncContext = Symbol("kAsyncContext");

function onStreamRead(arrayBuffer, nread) {
  const context = this[kAsyncContext];
  if (context === undefined) return streamRead.call(this, arrayBuffer, nread);
  const before = core.getAsyncContext();
  core.setAsyncContext(context);
  try {
    return streamRead.call(this, arrayBuffer, nread);
  } finally {
    core.setAsyncContext(before);
  }
}

function streamRead(
"#,
    ),
    ("internal/stream_base_commons.ts", "  onStreamRead,\n", "  onStreamRead,\n  kAsyncContext,\n"),
    (
        "deno_node/net.ts",
        "    handle.close(() => {\n      handle.onread = _noop;\n",
        "    handle.close(() => _runInAsyncContext(handle[kAsyncContext], () => {\n      handle.onread = _noop;\n",
    ),
    (
        "deno_node/net.ts",
        "      this.emit(\"close\", isException);\n    });\n",
        "      this.emit(\"close\", isException);\n    }));\n",
    ),
    // And what a signal tells when its time is over, in that of who asked for it.
    (
        "deno_web/03_abort_signal.js",
        "    signal[timerId] = core.createSystemTimer(\n      () => {\n",
        "    const context = core.getAsyncContext();\n    signal[timerId] = core.createSystemTimer(\n      () => {\n        \
         const before = core.getAsyncContext();\n        core.setAsyncContext(context);\n",
    ),
    (
        "deno_web/03_abort_signal.js",
        "            \"TimeoutError\",\n          ),\n        );\n      },\n      millis,\n",
        "            \"TimeoutError\",\n          ),\n        );\n        core.setAsyncContext(before);\n      },\n      millis,\n",
    ),
];
