// Deno.watchFs over the server's notices: node:fs.watch is written on it. Nothing polls.

import { core } from "ext:core/mod.js";
import { op_watch_open, op_watch_read } from "ext:core/ops";

const { realPathSync } = core.loadExtScript("ext:deno_fs/30_fs.js");

// What happened to an entry beyond its bytes is for the watcher to look at: it may be gone again when he hears of it.
const kinds = { __proto__: null, change: "modify", rename: "rename" };

/** Those that are not closed and that the program lives on for. */
const holding = new Set();
const holdingWatchers = () => holding.size;

class FsWatcher {
  #rid;
  #root;
  #ready = [];
  #closed = false;
  #pending = null;
  #holds = true;

  constructor(path, recursive) {
    this.#root = realPathSync(path);
    this.#rid = op_watch_open(path, recursive);
    holding.add(this);
  }

  async next() {
    while (!this.#closed) {
      const event = this.#ready.shift();
      if (event !== undefined) return { value: event, done: false };
      this.#pending ??= op_watch_read(this.#rid);
      if (!this.#holds) core.unrefOpPromise(this.#pending);
      let events;
      try {
        events = await this.#pending;
      } finally {
        this.#pending = null;
      }
      for (const [what, name] of events) {
        const path = name === "" ? this.#root : this.#root === "/" ? `/${name}` : `${this.#root}/${name}`;
        this.#ready.push({ kind: kinds[what], paths: [path] });
      }
      if (events.length === 0) break;
    }
    return { value: undefined, done: true };
  }

  return(value) {
    this.close();
    return Promise.resolve({ value, done: true });
  }

  close() {
    if (this.#closed) return;
    this.#closed = true;
    holding.delete(this);
    core.close(this.#rid);
  }

  /** Whether the program goes on for as long as it watches. */
  ref() {
    this.#holds = true;
    if (!this.#closed) holding.add(this);
    if (this.#pending) core.refOpPromise(this.#pending);
  }
  unref() {
    this.#holds = false;
    holding.delete(this);
    if (this.#pending) core.unrefOpPromise(this.#pending);
  }

  [Symbol.asyncIterator]() {
    return this;
  }
  [Symbol.dispose]() {
    this.close();
  }
}

function watchFs(path, options) {
  return new FsWatcher(String(Array.isArray(path) && path.length === 1 ? path[0] : path), options?.recursive ?? true);
}

export { holdingWatchers, watchFs };
