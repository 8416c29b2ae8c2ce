// A program that tries every way out of its worker that is known. Each try prints a line: its name, and what came of it. What is
// refused names its errno or error; what gets through says `LEAK` and what it got. tests/tests/node_hostile.rs reads the lines,
// and the system calls that were made for them.

// What Deno's own modules use.
const Deno = globalThis.__taskfsDeno;
const tries = [];
// What ends the worker of an engine, which is the end of its own task alone, is left out by name.
const attempt = (name, run) => process.argv.includes(name) || tries.push([name, run]);
const show = (error) => String(error?.code ?? error?.cause?.code ?? error?.name ?? error);
const leak = (got) => `LEAK ${String(got).slice(0, 200)}`;
const soon = (ms) => new Promise((done) => setTimeout(done, ms));
/** The end of an emitter's story: what `good` gives is a leak. */
const event = (emitter, good) =>
  new Promise((done) => {
    emitter.on("error", (error) => done(show(error)));
    emitter.on(good, (...got) => done(leak(got)));
    setTimeout(() => done("nothing"), 1000);
  });

// Files of the machine, by every module that could open one by itself.
const fs = require("fs");
const secret = "/etc/passwd";
attempt("fs", () => leak(fs.readFileSync(secret)));
attempt("fs proc", () => leak(fs.readFileSync("/proc/self/maps")));
attempt("fs dotdot", () => leak(fs.readFileSync("/../../../../../../etc/passwd")));
attempt("fs link", () => (fs.symlinkSync("/../../etc/passwd", "/tmp/link"), leak(fs.readFileSync("/tmp/link"))));
attempt("fs watch", () => leak(fs.watch("/etc")));
attempt("fs fd", () => {
  for (let fd = 3; fd < 64; fd++) {
    try {
      const data = Buffer.alloc(10);
      if (fs.readSync(fd, data) >= 0) return leak(fd);
    } catch (error) {
      if (error.code !== "EBADF") throw error;
    }
  }
  return "EBADF";
});
attempt("fetch file", async () => leak(await (await fetch("file:///etc/passwd")).text()));
attempt("import", async () => leak((await import("file:///etc/hostname")).default));
attempt("require", () => leak(require(secret)));
attempt("Deno.readTextFile", () => leak(Deno.readTextFileSync(secret)));
attempt("Deno.open", () => leak(Deno.openSync("/proc/self/environ")));
attempt("sqlite", () => leak(new (require("node:sqlite").DatabaseSync)("/tmp/db")));
attempt("sqlite host", () => leak(new (require("node:sqlite").DatabaseSync)("/var/tmp/taskfs-leak")));
attempt("wasi", async () => {
  const { WASI } = require("node:wasi");
  const wasi = new WASI({ version: "preview1", preopens: { "/": "/" } });
  const calls = wasi.getImportObject?.().wasi_snapshot_preview1 ?? wasi.wasiImport;
  const memory = new WebAssembly.Memory({ initial: 1 });
  wasi.initialize?.({ exports: { memory, _initialize() {} } });
  const path = new TextEncoder().encode("etc/passwd");
  new Uint8Array(memory.buffer).set(path, 1024);
  const errno = calls.path_open(3, 0, 1024, path.length, 0, 2n, 0n, 0, 2048);
  if (errno !== 0) return `errno ${errno}`;
  const view = new DataView(memory.buffer);
  view.setUint32(0, 4096, true), view.setUint32(4, 100, true);
  calls.fd_read(view.getUint32(2048, true), 0, 1, 8);
  return leak(Buffer.from(memory.buffer, 4096, 100));
});
attempt("loadEnvFile", () => (process.loadEnvFile(secret), leak(Object.keys(process.env))));
attempt("heap snapshot", () => {
  const written = require("v8").writeHeapSnapshot("/tmp/heap.heapsnapshot");
  return fs.existsSync("/tmp/heap.heapsnapshot") ? "in the namespace" : leak(written);
});
attempt("tls certificates", () => {
  const tls = require("tls");
  tls.createSecureContext({ ca: fs.readFileSync(secret) });
});
attempt("system certificates", () => {
  const got = require("tls").getCACertificates?.("system") ?? [];
  return got.length === 0 ? "none" : leak(got.length);
});
attempt("report", () => {
  const name = process.report?.writeReport?.("/tmp/report.json");
  return !name || fs.existsSync("/tmp/report.json") ? "nothing of the machine's" : leak(name);
});
attempt("chdir", () => (process.chdir("/etc"), leak(process.cwd())));
attempt("caches", async () => leak(await caches.open("x")));
attempt("localStorage", () => (localStorage.setItem("a", "b"), leak(localStorage.getItem("a"))));

// Who and where it is.
attempt("identity", () => {
  const os = require("os");
  const told = [os.hostname(), os.userInfo().username, process.pid, os.release(), process.execPath];
  return told.join(" ");
});
attempt("environment", () => Object.keys(process.env).sort().join(" "));
attempt("interfaces", () => Object.keys(require("os").networkInterfaces()).join(" "));
attempt("Deno.env", () => Object.keys(Deno.env.toObject()).sort().join(" "));

// Other processes.
// Its own number is its task's.
attempt("kill init", () => leak(process.kill(process.pid === 1 ? 2 : 1, 0)));
attempt("kill parent", () => leak(process.kill(process.ppid || 2, "SIGKILL")));
attempt("kill all", () => leak(process.kill(-1, "SIGCONT")));
attempt("Deno.kill", () => leak(Deno.kill(1, "SIGCONT")));
attempt("spawn", () => event(require("child_process").spawn("/bin/sh", ["-c", "id"]), "spawn"));
attempt("spawnSync", () => {
  const { error, stdout } = require("child_process").spawnSync("/bin/ls", ["/"]);
  return error ? show(error) : leak(stdout);
});
attempt("Deno.Command", () => leak(new Deno.Command("/bin/sh").outputSync().code));
attempt("setuid", () => leak(process.setuid(0)));
attempt("setgid", () => leak(process.setgid(0)));
attempt("seteuid", () => leak(process.seteuid(0)));
attempt("setegid", () => leak(process.setegid(0)));
attempt("setgroups", () => leak(process.setgroups([0])));
attempt("initgroups", () => leak(process.initgroups("root", 0)));
attempt("setpriority", () => leak(require("os").setPriority(-20)));
attempt("cluster", () => event(require("cluster").fork(), "online"));

// Native code.
attempt("dlopen", () => leak(process.dlopen({ exports: {} }, "/lib/x86_64-linux-gnu/libc.so.6")));
attempt("addon", () => {
  fs.writeFileSync("/tmp/addon.node", "\x7fELF");
  return leak(require("/tmp/addon.node"));
});
attempt("ffi", () => leak(Deno.dlopen("libc.so.6", { getpid: { parameters: [], result: "i32" } })));
attempt("inspector", () => {
  const inspector = require("inspector");
  inspector.open(0, "0.0.0.0");
  return leak(inspector.url());
});
attempt("inspector session", () => {
  const session = new (require("inspector").Session)();
  session.connectToMainThread?.() ?? session.connect();
  return "its own engine";
});

// The network, without a capability.
const net = require("net");
attempt("connect", () => event(net.connect(80, "192.0.2.1"), "connect"));
attempt("connect mapped", () => event(net.connect(80, "::ffff:192.0.2.1"), "connect"));
attempt("connect host", () => event(net.connect(22, "127.0.0.1"), "connect"));
attempt("unix connect", () => event(net.connect("/var/run/docker.sock"), "connect"));
attempt("unix abstract", () => event(net.connect("\0/tmp/.X11-unix/X0"), "connect"));
attempt("unix listen", () => event(net.createServer().listen("/tmp/leak.sock"), "listening"));
attempt("listen all", () => event(net.createServer().listen(0, "0.0.0.0"), "listening"));
attempt("listen all six", () => event(net.createServer().listen(8080, "::"), "listening"));
attempt("dns lookup", async () => leak((await require("dns").promises.lookup("example.org")).address));
attempt("dns resolve", async () => leak(await require("dns").promises.resolve4("example.org")));
attempt("dns servers", async () => {
  const resolver = new (require("dns").promises.Resolver)();
  resolver.setServers(["192.0.2.53"]);
  return leak(await resolver.resolveTxt("example.org"));
});
attempt("Deno.resolveDns", async () => leak(await Deno.resolveDns("example.org", "A")));
attempt("udp", () => {
  const socket = require("dgram").createSocket("udp4");
  return new Promise((done) => {
    socket.on("error", (error) => done(show(error)));
    socket.send("x", 53, "192.0.2.1", (error) => done(error ? show(error) : leak("sent")));
    setTimeout(() => done("nothing"), 1000);
  });
});
attempt("multicast", () => {
  const socket = require("dgram").createSocket("udp4");
  return new Promise((done) => {
    socket.on("error", (error) => done(show(error)));
    socket.bind(0, () => {
      try {
        socket.addMembership("224.0.0.251");
        done(leak("joined"));
      } catch (error) {
        done(show(error));
      }
    });
  });
});
attempt("fetch", async () => leak((await fetch("http://192.0.2.1/")).status));
attempt("fetch metadata", async () => leak((await fetch("http://169.254.169.254/latest/")).status));
attempt("fetch proxy", async () => {
  process.env.HTTP_PROXY = "http://192.0.2.9:3128";
  return leak((await fetch("http://example.org/")).status);
});
attempt("websocket", () => new Promise((done) => {
  const socket = new WebSocket("ws://192.0.2.1/");
  socket.onerror = () => done("refused");
  socket.onopen = () => done(leak("open"));
}));
attempt("http2", () => event(require("http2").connect("http://192.0.2.1"), "connect"));
attempt("Deno.connect", async () => leak(await Deno.connect({ hostname: "192.0.2.1", port: 80 })));
attempt("Deno.connect unix", async () => leak(await Deno.connect({ transport: "unix", path: "/var/run/docker.sock" })));
attempt("Deno.listen", () => leak(Deno.listen({ hostname: "0.0.0.0", port: 0 }).addr.port));
attempt("Deno.serve", () => leak(Deno.serve({ hostname: "0.0.0.0", port: 0 }, () => new Response("x")).addr.port));

// The engine's and Deno's own insides.
attempt("internalBinding", () => (typeof internalBinding === "undefined" ? "nothing" : leak(typeof internalBinding)));
attempt("process.binding fs", () => {
  const binding = process.binding("fs");
  const open = binding.open ?? binding.openSync;
  return open ? leak(open(secret, 0, 0o666)) : "nothing";
});
attempt("process.binding spawn", () => {
  const { Process } = process.binding("process_wrap");
  const child = new Process();
  const status = child.spawn({ file: "/bin/sh", args: ["sh"], envPairs: [], stdio: [] });
  return status < 0 || status === undefined ? `status ${status}` : leak(status);
});
attempt("pipe wrap", async () => {
  const { Pipe, constants } = process.binding("pipe_wrap");
  let adopted = [];
  for (let fd = 3; fd < 32; fd++) {
    try {
      const pipe = new Pipe(constants.SOCKET);
      if (pipe.open(fd) === 0) adopted.push(fd);
    } catch {}
  }
  // Descriptors of its own process: none of them is the machine's.
  return `its own: ${adopted.length >= 0}`;
});
attempt("pipe connect", async () => {
  const { Pipe, PipeConnectWrap, constants } = process.binding("pipe_wrap");
  const status = new Pipe(constants.SOCKET).connect(new PipeConnectWrap(), "/var/run/docker.sock");
  return status === 0 ? "later" : `status ${status}`;
});
attempt("tcp wrap", () => {
  const { TCP, constants } = process.binding("tcp_wrap");
  const status = new TCP(constants.SERVER).bind("0.0.0.0", 0);
  return status === 0 ? "not yet" : `status ${status}`;
});
attempt("Deno.internal", () => {
  const inside = Deno[Deno.internal];
  const ops = inside?.core?.ops ?? globalThis.Deno?.core?.ops ?? globalThis.__bootstrap?.core?.ops;
  if (!ops) return "no operations";
  for (const name of ["op_open_sync", "op_fs_open_sync"]) {
    try {
      if (ops[name]) return leak(ops[name](secret, undefined));
    } catch {}
  }
  return "operations of its own";
});
attempt("Deno.core", () => leak(Object.keys(Deno.core.ops).length));
attempt("ext modules", async () => leak(Object.keys(await import("ext:core/ops")).length));
attempt("main hooks", () => (globalThis.taskfs === undefined ? "taken away" : leak(Object.keys(taskfs))));
attempt("Worker", () => new Promise((done) => {
  const { Worker } = require("worker_threads");
  const text = "require('worker_threads').parentPort.postMessage(require('fs').readFileSync('/etc/passwd','utf8'))";
  const worker = new Worker(text, { eval: true });
  worker.on("error", (error) => done(show(error)));
  worker.on("message", (got) => done(leak(got)));
  setTimeout(() => done("nothing"), 1000);
}));
attempt("vm", () => {
  const vm = require("vm");
  return leak(vm.runInNewContext("this.constructor.constructor('return process')()").mainModule.require("fs").readFileSync(secret));
});
attempt("wasm", async () => {
  // A module with a memory, which it reads beyond its end.
  const bytes = Uint8Array.from([
    0, 97, 115, 109, 1, 0, 0, 0, 1, 6, 1, 96, 1, 127, 1, 127, 3, 2, 1, 0, 5, 3, 1, 0, 1, 7, 5, 1, 1, 114, 0, 0, 10, 9, 1, 7, 0,
    32, 0, 40, 2, 0, 11,
  ]);
  const { instance } = await WebAssembly.instantiate(bytes);
  return leak(instance.exports.r(0x7fffffff));
});
attempt("shared memory", () => {
  const shared = new Int32Array(new SharedArrayBuffer(64));
  return Atomics.wait(shared, 0, 0, 10);
});

/** What our own start-up stands on, spoilt: the end of the program must not hang on it. */
function pollute() {
  const nothing = () => { throw new Error("polluted"); };
  Object.prototype.path = "/etc/passwd";
  Object.prototype.fd = 3;
  Object.prototype.get = undefined;
  Array.prototype[Symbol.iterator] = nothing;
  String.prototype.startsWith = () => true;
  String.prototype.slice = () => "/etc/passwd";
  Function.prototype.call = nothing;
  Function.prototype.apply = nothing;
  Promise.prototype.then = nothing;
  Map.prototype.get = () => "/etc/passwd";
  RegExp.prototype.exec = () => ["/etc/passwd"];
  JSON.stringify = () => "{}";
  Reflect.apply = nothing;
  Error.prepareStackTrace = () => "polluted";
  globalThis.URL = nothing;
}

async function main() {
  // Whoever traces this process sees this call; what is said goes through memory.
  await new Promise((done) => require("net").connect(54321, "127.0.0.1").on("error", done).on("connect", done));
  for (const [name, run] of tries) {
    let said;
    try {
      said = await Promise.race([run(), soon(3000).then(() => "nothing")]);
    } catch (error) {
      said = show(error);
    }
    process.stdout.write(`${name}: ${String(said).replaceAll("\n", " ")}\n`);
  }
  const { readFileSync } = fs, { exit, stdout } = process;
  pollute();
  let said = "refused";
  try {
    readFileSync(secret);
    said = "LEAK";
  } catch {}
  stdout.write(`polluted: ${said}\n`);
  exit(7);
}
main();
