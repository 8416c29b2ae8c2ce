import assert from "node:assert";
import fs from "node:fs";
import { watch } from "chokidar";
const dir = fs.mkdtempSync("/tmp/chokidar-");
fs.writeFileSync(`${dir}/old`, "1");
const seen = [];
const watcher = watch(dir, { cwd: dir });
const heard = (what) =>
  new Promise((done) => {
    const look = () => seen.includes(what) && (watcher.off("all", look), done());
    watcher.on("all", look), look();
  });
watcher.on("all", (event, path) => seen.push(`${event} ${path}`));
await new Promise((ready) => watcher.on("ready", ready));
assert(seen.includes("add old"), `${seen}`);
fs.mkdirSync(`${dir}/sub`);
await heard("addDir sub");
// It is told of before it is watched.
await new Promise((done) => setTimeout(done, 100));
fs.writeFileSync(`${dir}/sub/new`, "1");
await heard("add sub/new");
fs.writeFileSync(`${dir}/old`, "two");
await heard("change old");
fs.renameSync(`${dir}/sub/new`, `${dir}/moved`);
await heard("unlink sub/new");
await heard("add moved");
await watcher.close();
console.log("ok");
