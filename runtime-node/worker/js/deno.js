// What Deno's modules know as `Deno`: Node's are written on it, and programs do not see it by that name. Whatever would need a file system, a
// process or a network beyond the task's own goes the same way as Node's modules do.

import { core, internals } from "ext:core/mod.js";
import {
  op_bootstrap_args,
  op_bootstrap_no_color,
  op_bootstrap_pid,
  op_main_module,
  op_ppid,
  op_runtime_cpu_usage,
  op_runtime_memory_usage,
} from "ext:core/ops";
import { errors } from "ext:runtime/errors.js";
import { watchFs } from "ext:runtime/watch.js";

const script = (name) => () => core.loadExtScript(`ext:${name}`);
const lazily = (loader) => {
  let loaded;
  return () => loaded ??= loader();
};

const console = script("deno_web/01_console.js")();
const io = script("deno_io/12_io.js")();
const fs = script("deno_fs/30_fs.js")();
const os = script("deno_os/30_os.js")();
const signals = script("deno_os/40_signals.js")();
const timers = script("deno_web/02_timers.js")();

const internal = Symbol("Deno.internal");
const version = { deno: "", v8: "", typescript: "" };
const figures = new Float64Array(4);

const Deno = {
  internal,
  [internal]: internals,
  build: core.build,
  errors,
  version,
  inspect: console.inspect,
  SeekMode: io.SeekMode,
  stdin: io.stdin,
  stdout: io.stdout,
  stderr: io.stderr,
  env: os.env,
  exit: os.exit,
  addSignalListener: signals.addSignalListener,
  removeSignalListener: signals.removeSignalListener,
  refTimer: timers.refTimer,
  unrefTimer: timers.unrefTimer,
  watchFs,
  cpuUsage() {
    op_runtime_cpu_usage(figures);
    return { system: figures[0], user: figures[1] };
  },
  memoryUsage() {
    op_runtime_memory_usage(figures);
    const [rss, heapTotal, heapUsed, external] = figures;
    return { rss, heapTotal, heapUsed, external };
  },
};

const fromFs = [
  "FsFile", "chdir", "chmod", "chmodSync", "chown", "chownSync", "copyFile", "copyFileSync", "create",
  "createSync", "cwd", "link", "linkSync", "lstat", "lstatSync", "makeTempDir", "makeTempDirSync",
  "makeTempFile", "makeTempFileSync", "mkdir", "mkdirSync", "open", "openSync", "readDir", "readDirSync",
  "readFile", "readFileSync", "readLink", "readLinkSync", "readTextFile", "readTextFileSync", "realPath",
  "realPathSync", "remove", "removeSync", "rename", "renameSync", "stat", "statSync", "symlink",
  "symlinkSync", "truncate", "truncateSync", "umask", "utime", "utimeSync", "writeFile", "writeFileSync",
  "writeTextFile", "writeTextFileSync",
];
for (const name of fromFs) Deno[name] = fs[name];

const fromOs = [
  "execPath", "gid", "hostname", "loadavg", "networkInterfaces", "osRelease", "osUptime", "systemMemoryInfo",
  "uid",
];
for (const name of fromOs) Deno[name] = os[name];

const later = {};
function from(loader, ...names) {
  const load = lazily(loader);
  for (const name of names) {
    later[name] = core.propWritableLazyLoaded((module) => module[name], load);
  }
}
from(script("deno_net/01_net.js"), "connect", "listen", "resolveDns");
from(script("deno_net/02_tls.js"), "connectTls", "listenTls", "startTls");
from(script("deno_fetch/22_http_client.js"), "HttpClient", "createHttpClient");
from(script("deno_http/00_serve.ts"), "serve");
from(script("deno_http/02_websocket.ts"), "upgradeWebSocket");
from(script("deno_process/40_process.js"), "ChildProcess", "Command", "kill");
core.defineGlobalProperties(Deno, later);

Object.defineProperties(Deno, {
  pid: core.propGetterOnly(() => op_bootstrap_pid()),
  ppid: core.propGetterOnly(() => op_ppid()),
  args: core.propGetterOnly(lazily(() => op_bootstrap_args())),
  mainModule: core.propGetterOnly(() => op_main_module()),
  noColor: core.propGetterOnly(() => op_bootstrap_no_color()),
  exitCode: { get: () => os.getExitCode(), set: (code) => os.setExitCode(code) },
});

export { Deno, internals, version };
