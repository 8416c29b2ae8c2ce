// The handle behind node:tty: what Node's streams ask of a terminal, told to the server. It stands in for Deno's, which takes
// a descriptor of the process's; here a terminal is a file of the task's. Writes are done when they return, as Node's are.

(function () {
const { core } = __bootstrap;
const {
  op_is_terminal,
  op_terminal_raw,
  op_terminal_read,
  op_terminal_size,
  op_terminal_stop,
} = core.ops;
const { kArrayBufferOffset, kBytesWritten, kLastWriteWasAsync, kReadBytesOrError, streamBaseState } = core.loadExtScript(
  "ext:deno_node/internal_binding/stream_wrap.ts",
);
const { codeMap } = core.loadExtScript("ext:deno_node/internal_binding/uv.ts");
const { Buffer } = core.loadExtScript("ext:deno_node/internal/buffer.mjs");
const { nextTick } = core.loadExtScript("ext:deno_node/_next_tick.ts");

const NO_TERMINAL = { code: "EINVAL", errno: -22, message: "invalid argument", syscall: "uv_tty_init" };

class TTY {
  isStreamBase = true;
  bytesRead = 0;
  bytesWritten = 0;
  writeQueueSize = 0;
  reading = false;
  onread;
  #fd;
  /** The program lives on for what may be typed. */
  #isRefed = true;
  /** Whether it is to be told of what is typed; and whether somebody waits for that. */
  #wants = false;
  #waits = null;
  /** Typed, and not wanted when it came. */
  #kept = null;

  constructor(fd, context) {
    this.#fd = fd;
    if (!TTY.isTTY(fd)) Object.assign(context, NO_TERMINAL);
  }

  static isTTY(fd) {
    return op_is_terminal(fd);
  }

  get fd() {
    return this.#fd;
  }

  readStart() {
    this.#wants = true;
    if (this.#waits === null) this.#wait();
    return 0;
  }

  readStop() {
    this.#wants = false;
    return this.#waits === null ? 0 : -op_terminal_stop();
  }

  #wait() {
    if (this.#kept !== null) {
      this.#waits = this.#kept;
      this.#kept = null;
      nextTick(() => this.#came(this.#waits));
      return;
    }
    this.#waits = op_terminal_read();
    if (!this.#isRefed) core.unrefOpPromise(this.#waits);
    this.#waits.then(
      // What a listener throws is the program's, not this promise's.
      (typed) => nextTick(() => this.#came(typed)),
      (error) => nextTick(() => this.#failed(error)),
    );
  }

  #came(typed) {
    this.#waits = null;
    if (!this.#wants) {
      this.#kept = typed;
      return;
    }
    if (typed === null) return this.#wait();
    const count = typed.byteLength;
    this.bytesRead += count;
    streamBaseState[kArrayBufferOffset] = typed.byteOffset;
    streamBaseState[kReadBytesOrError] = count || codeMap.get("EOF");
    if (count === 0) this.#wants = false;
    try {
      this.onread(typed);
    } finally {
      if (this.#wants && this.#waits === null) this.#wait();
    }
  }

  #failed(error) {
    this.#waits = null;
    this.#wants = false;
    streamBaseState[kReadBytesOrError] = codeMap.get(error.code) ?? codeMap.get("EIO");
    this.onread(new Uint8Array());
  }

  writeBuffer(_request, data) {
    return this.#write(data);
  }
  writeUtf8String(_request, text) {
    return this.#write(Buffer.from(text, "utf8"));
  }
  writeAsciiString(_request, text) {
    return this.#write(Buffer.from(text, "latin1"));
  }
  writeLatin1String(_request, text) {
    return this.#write(Buffer.from(text, "latin1"));
  }
  writeUcs2String(_request, text) {
    return this.#write(Buffer.from(text, "utf16le"));
  }
  writev(_request, chunks, allBuffers) {
    const parts = [];
    for (let i = 0; i < chunks.length; i += allBuffers ? 1 : 2) {
      const chunk = chunks[i];
      parts.push(typeof chunk === "string" ? Buffer.from(chunk, chunks[i + 1]) : chunk);
    }
    return this.#write(Buffer.concat(parts));
  }

  #write(data) {
    streamBaseState[kBytesWritten] = data.byteLength;
    streamBaseState[kLastWriteWasAsync] = 0;
    try {
      let left = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
      while (left.byteLength > 0) left = left.subarray(core.writeSync(this.#fd, left));
    } catch (error) {
      return codeMap.get(error.code) ?? codeMap.get("EPIPE");
    }
    this.bytesWritten += data.byteLength;
    return 0;
  }

  shutdown(request) {
    nextTick(() => request.oncomplete(0));
    return 0;
  }

  close(callback) {
    this.readStop();
    if (typeof callback === "function") nextTick(() => callback.call(this));
  }

  ref() {
    this.#isRefed = true;
    if (this.#waits instanceof Promise) core.refOpPromise(this.#waits);
  }
  unref() {
    this.#isRefed = false;
    if (this.#waits instanceof Promise) core.unrefOpPromise(this.#waits);
  }
  hasRef() {
    return this.#isRefed;
  }

  setBlocking() {
    return 0;
  }
  setRawMode(raw) {
    return -op_terminal_raw(raw);
  }
  getWindowSize(size) {
    const figures = new Uint32Array(2);
    const errno = op_terminal_size(figures);
    [size[0], size[1]] = figures;
    return -errno;
  }
}

return { TTY };
})();
