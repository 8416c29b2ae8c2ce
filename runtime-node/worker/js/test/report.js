// How tests are told: an event of a test, and the reporters that make text of events. A reporter is a function that makes
// one for a run: it is called with each event, gives text, and is called without one at the end.

(function () {
const { core } = __bootstrap;
const process = core.createLazyLoader("node:process")().default;
const { relative } = core.createLazyLoader("node:path")();
const { inspect } = core.loadExtScript("ext:deno_node/internal/util/inspect.mjs");

const shown = (value, options) => inspect(value, { breakLength: Infinity, ...options });

const hues = { "✔": 32, "✖": 31, "⚠": 31, "﹣": 90, "ℹ": 34, "▶": 37 };
const isColored = () => process.stdout.isTTY && process.stdout.hasColors?.() || Boolean(process.env.FORCE_COLOR);
const colored = (text, sign) => isColored() ? `\x1b[${hues[sign]}m${text}\x1b[39m` : text;

/** An error's frames in the program; those of who runs the test say nothing. */
function own(text) {
  return text.split("\n").filter((line) => !/^\s*(at )?.*\b(ext:|node:internal|node:async_hooks)/.test(line)).join("\n");
}

/** What is thrown as it is shown, and as YAML has it: this is what crosses from one program to another. */
function describe(error) {
  const { failureType, cause } = error;
  const isError = cause instanceof Error || core.isNativeError(cause);
  const of = isError ? cause : error;
  const described = {
    failureType,
    text: own(shown(cause)),
    message: String(isError ? cause.message : error.message),
    code: isError && cause.code !== undefined ? cause.code : "ERR_TEST_FAILURE",
    name: isError && cause.name !== "Error" ? cause.name : undefined,
    exitCode: error.exitCode,
    signal: error.signal,
  };
  if (isError && cause.code === "ERR_ASSERTION") {
    described.compared = yaml("", "expected", cause.expected) + yaml("", "actual", cause.actual) +
      yaml("", "operator", cause.operator);
  }
  if (isError && typeof of.stack === "string") {
    const frames = own(of.stack).split("\n").filter((line) => /^\s+at /.test(line));
    described.stack = frames.map((line) => line.replace(/^\s+at /, "")).join("\n");
  }
  return described;
}

/** Any value as a line, or some, of YAML. */
function yaml(indent, name, value, seen = new Set()) {
  const prefix = `${indent}${name}:`;
  if (value === undefined) return "";
  if (value === null) return `${prefix} ~\n`;
  if (typeof value === "string") {
    if (!value.includes("\n")) return `${prefix} ${inspect(value)}\n`;
    return `${prefix} |-\n${value.split("\n").map((line) => `${indent}  ${line}\n`).join("")}`;
  }
  if (typeof value !== "object") return `${prefix} ${inspect(value)}\n`;
  if (value instanceof Date) return `${prefix} ${value.toISOString()}\n`;
  if (seen.has(value)) return `${prefix} <Circular>\n`;
  seen.add(value);
  return `${prefix}\n${Object.entries(value).map(([key, of]) => yaml(`${indent}  `, key, of, seen)).join("")}`;
}

/** An event, with what it says of its test. */
function event(type, test, more) {
  const data = { __proto__: null, name: test.name, nesting: test.nesting, ...more };
  if (test.place) Object.assign(data, test.place);
  if (type === "test:pass" || type === "test:fail" || type === "test:complete") {
    data.testNumber = test.number;
    data.details = { duration_ms: test.duration, type: test.kind };
    if (test.failure !== null) data.details.error = test.failure;
    if (type === "test:complete") data.details.passed = test.passed;
    if (test.isSkipped) data.skip = test.message ?? true;
    if (test.isTodo) data.todo = test.message ?? true;
    if (test.expectFailure) data.expectFailure = test.expectFailure;
  }
  return { __proto__: null, type, data };
}

const described = (details) => details.error && (details.error.described ?? describe(details.error));
const indented = (nesting, unit) => unit.repeat(nesting);

/** For people. */
function spec() {
  const failed = [];
  let open = [];
  const line = (data, indent, sign) => {
    const { details: { duration_ms } } = data;
    const isUnknown = duration_ms === 0 && data.details.error;
    const time = isUnknown ? "" : ` (${duration_ms}ms)`;
    const directive = data.skip !== undefined
      ? ` # ${data.skip === true ? "SKIP" : data.skip}`
      : data.todo !== undefined
      ? ` # ${data.todo === true ? "TODO" : data.todo}`
      : data.expectFailure
      ? ` # EXPECTED FAILURE`
      : "";
    return `${indent}${colored(`${sign} ${data.name}`, sign)}${time}${directive}\n`;
  };
  const signOf = (type, data) =>
    data.skip !== undefined ? "﹣" : type === "test:pass" ? "✔" : data.todo !== undefined ? "⚠" : "✖";
  return (event) => {
    if (event === undefined) {
      if (failed.length === 0) return "";
      const blocks = failed.map(({ type, data }) => {
        const place = data.file ? `test at ${relative(process.cwd(), data.file)}:${data.line}:${data.column}\n` : "";
        const text = described(data.details).text.split("\n").map((line) => `  ${line}\n`).join("");
        return `\n${place}${line(data, "", signOf(type, data))}${text}`;
      });
      return `\n${colored("✖ failing tests:", "✖")}\n${blocks.join("")}`;
    }
    const { type, data } = event;
    switch (type) {
      case "test:start":
        open = [...open.slice(0, data.nesting), { name: data.name, isHeaded: false }];
        return "";
      case "test:pass":
      case "test:fail": {
        let text = "";
        for (const [depth, above] of open.slice(0, data.nesting).entries()) {
          if (!above.isHeaded) text += `${indented(depth, "  ")}${colored(`▶ ${above.name}`, "▶")}\n`;
          above.isHeaded = true;
        }
        if (data.details.error && described(data.details).failureType !== "subtestsFailed") failed.push(event);
        return text + line(data, indented(data.nesting, "  "), signOf(type, data));
      }
      case "test:diagnostic":
        return `${indented(data.nesting, "  ")}${colored(`ℹ ${data.message}`, "ℹ")}\n`;
      case "test:stdout":
      case "test:stderr":
        return data.message;
      default:
        return "";
    }
  };
}

const escaped = (text) =>
  text.replaceAll("\\", "\\\\").replaceAll("#", "\\#").replaceAll("\n", "\\\\n").replaceAll("\r", "\\\\r")
    .replaceAll("\t", "\\\\t");

/** For programs: the Test Anything Protocol. */
function tap() {
  let head = "TAP version 13\n";
  const text = ({ type, data }) => {
    const indent = indented(data.nesting ?? 0, "    ");
    switch (type) {
      case "test:start":
        return `${indent}# Subtest: ${escaped(data.name)}\n`;
      case "test:plan":
        return `${indent}1..${data.count}\n`;
      case "test:diagnostic":
        return `${indent}# ${escaped(data.message)}\n`;
      case "test:stdout":
      case "test:stderr":
        return data.message.split("\n").filter((line) => line !== "").map((line) => `# ${escaped(line)}\n`).join("");
      case "test:pass":
      case "test:fail":
        return result(type === "test:pass" ? "ok" : "not ok", data, indent);
      default:
        return "";
    }
  };
  return (event) => {
    const before = head;
    head = "";
    return before + (event === undefined ? "" : text(event));
  };
}

function result(status, data, indent) {
  const directive = (word, why) => ` # ${word}${typeof why === "string" ? ` ${escaped(why)}` : ""}`;
  const suffix = data.skip !== undefined
    ? directive("SKIP", data.skip)
    : data.todo !== undefined
    ? directive("TODO", data.todo)
    : data.expectFailure
    ? directive("EXPECTED FAILURE", data.expectFailure)
    : "";
  const deeper = `${indent}  `;
  let text = `${indent}${status} ${data.testNumber} - ${escaped(data.name)}${suffix}\n${deeper}---\n`;
  text += `${deeper}duration_ms: ${data.details.duration_ms}\n${deeper}type: '${data.details.type}'\n`;
  const error = described(data.details);
  if (error) {
    if (data.file) text += `${deeper}location: ${inspect(`${data.file}:${data.line}:${data.column}`)}\n`;
    text += yaml(deeper, "failureType", error.failureType);
    if (error.exitCode !== undefined) text += yaml(deeper, "exitCode", error.exitCode) + yaml(deeper, "signal", error.signal);
    text += yaml(deeper, "error", error.message) + yaml(deeper, "code", error.code) + yaml(deeper, "name", error.name);
    if (error.compared) text += error.compared.replace(/^(?=.)/gm, deeper);
    if (error.stack) text += yaml(deeper, "stack", error.stack.includes("\n") ? error.stack : `${error.stack}\n`).replace(/ +\n$/, "");
  }
  return `${text}${deeper}...\n`;
}

/** A point a test. */
function dot() {
  const failed = [];
  let column = 0;
  return (event) => {
    if (event === undefined) {
      const list = failed.map(({ data }) => {
        const text = described(data.details).text.split("\n").map((line) => `  ${line}\n`).join("");
        return `✖ ${data.name} (${data.details.duration_ms}ms)\n${text}`;
      });
      return `\n${list.length > 0 ? `\nFailed tests:\n\n${list.join("")}` : ""}`;
    }
    if (event.type !== "test:pass" && event.type !== "test:fail") return "";
    if (event.type === "test:fail" && described(event.data.details).failureType !== "subtestsFailed") failed.push(event);
    column += 1;
    const wrap = column % Math.max(20, process.stdout.columns ?? 20) === 0 ? "\n" : "";
    return (event.type === "test:pass" ? "." : "X") + wrap;
  };
}

const markup = (text) =>
  String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;").replaceAll("\n", "&#10;");

/** For machines that gather results: JUnit's XML, written when everything is known. */
function junit() {
  const roots = [];
  const notes = [];
  let open = [];
  const xml = ({ type, data, children = [] }, depth) => {
    const indent = "\t".repeat(depth);
    const inner = "\t".repeat(depth + 1);
    const time = (data.details.duration_ms / 1000).toFixed(6);
    if (data.details.type === "suite" || children.length > 0) {
      const count = (test) => children.filter(test).length;
      return `${indent}<testsuite name="${markup(data.name)}" time="${time}" disabled="0" errors="0" tests="${children.length}" ` +
        `failures="${count((child) => child.type === "test:fail")}" skipped="${count((child) => child.data.skip !== undefined)}" ` +
        `hostname="${core.ops.op_hostname()}">\n${children.map((child) => xml(child, depth + 1)).join("")}${indent}</testsuite>\n`;
    }
    const error = described(data.details);
    const failure = error ? ` failure="${markup(error.message)}"` : "";
    const file = data.file ? ` file="${markup(data.file)}"` : "";
    const head = `${indent}<testcase name="${markup(data.name)}" time="${time}" classname="test"${file}${failure}`;
    if (data.skip !== undefined || data.todo !== undefined) {
      const kind = data.skip !== undefined ? "skipped" : "todo";
      const why = data.skip ?? data.todo;
      return `${head}>\n${inner}<skipped type="${kind}" message="${why === true ? "true" : markup(why)}"/>\n${indent}</testcase>\n`;
    }
    if (!error) return `${head}/>\n`;
    const text = error.text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
    return `${head}>\n${inner}<failure type="${error.failureType}" message="${markup(error.message.trimEnd())}">\n${text}\n` +
      `${inner}</failure>\n${indent}</testcase>\n`;
  };
  return (event) => {
    if (event === undefined) {
      return `<?xml version="1.0" encoding="utf-8"?>\n<testsuites>\n${roots.map((root) => xml(root, 1)).join("")}` +
        `${notes.map((note) => `\t<!-- ${note} -->\n`).join("")}</testsuites>\n`;
    }
    const { type, data } = event;
    if (type === "test:start") open = [...open.slice(0, data.nesting), { children: [] }];
    if (type === "test:diagnostic") notes.push(data.message.replaceAll("--", "- -"));
    if (type === "test:pass" || type === "test:fail") {
      const entry = Object.assign(open[data.nesting] ?? {}, { type, data });
      (data.nesting === 0 ? roots : open[data.nesting - 1].children).push(entry);
    }
    return "";
  };
}

const makers = { spec, tap, dot, junit };

/** node:test/reporters: the same over streams of events. */
let streams;
const reporters = () => streams ??= overStreams();
function overStreams() {
  const { Transform } = core.createLazyLoader("node:stream")();
  const generator = (maker) =>
    async function* (source) {
      const reporter = maker();
      for await (const event of source) yield reporter(event);
      yield reporter();
    };
  const transform = (maker) => {
    const Reporter = function () {
      if (!new.target) return new Reporter();
      const reporter = maker();
      return new Transform({
        writableObjectMode: true,
        transform(event, _, done) {
          done(null, reporter(event));
        },
        flush(done) {
          done(null, reporter());
        },
      });
    };
    return Reporter;
  };
  return { tap: generator(tap), dot: generator(dot), junit: generator(junit), spec: transform(spec), lcov: transform(() => () => "") };
}

return { event, describe, makers, reporters, shown };
})();
