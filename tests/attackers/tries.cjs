// Does what the lines of a file say, and prints what came of each: `NUMBER GOT what` or `NUMBER ERRNO`. tests/tests/container_attackers.rs
// writes the lines and reads the answers.

const fs = require("fs");
const net = require("net");

const verbs = {
  read: (path) => fs.readFileSync(path, "utf8"),
  list: (path) => fs.readdirSync(path).join(" "),
  write: (path, text) => (fs.writeFileSync(path, text + "\n"), "written"),
  /** What any descriptor that it did not open gives to read, where none but `path` is open. */
  descriptors: (path) => {
    if (path) fs.openSync(path);
    const found = [];
    // Files that a program opens have large numbers here.
    const numbers = Array.from({ length: 300 }, (_, n) => [n + 3, n + 1_000_000_000]).flat();
    for (const fd of numbers) {
      try {
        const data = Buffer.alloc(20);
        found.push(String(data.subarray(0, fs.readSync(fd, data, 0, 20, null))));
      } catch (error) {
        if (!["EBADF", "EISDIR"].includes(error.code)) throw error;
      }
    }
    if (found.length === 0) throw { code: "EBADF" };
    return found.join(" ");
  },
  variable: (name) => {
    if (process.env[name] === undefined) throw { code: "unset" };
    return process.env[name];
  },
  kill: (pid) => process.kill(+pid, "SIGKILL"),
  connect: (host, port) =>
    new Promise((done, failed) => {
      const peer = net.connect(+port, host, () => (peer.destroy(), done("connected")));
      peer.on("error", failed);
    }),
};

(async () => {
  const lines = fs.readFileSync(process.argv[2], "utf8").trimEnd().split("\n");
  for (const [number, line] of lines.entries()) {
    const [verb, ...words] = line.split(" ");
    let said;
    try {
      said = "GOT " + String(await verbs[verb](...words)).replaceAll("\n", " ").slice(0, 100);
    } catch (error) {
      said = error.code ?? String(error);
    }
    console.log(number, said);
  }
})();
