// Deno's error classes: what an operation's failure is before Node's modules give it a code.

import { core } from "ext:core/mod.js";

const { DOMException, QuotaExceededError } = core.loadExtScript("ext:deno_web/01_dom_exception.js");

const errors = {};

const named = [
  "NotFound",
  "ConnectionRefused",
  "ConnectionReset",
  "ConnectionAborted",
  "NotConnected",
  "AddrInUse",
  "AddrNotAvailable",
  "BrokenPipe",
  "PermissionDenied",
  "AlreadyExists",
  "InvalidData",
  "TimedOut",
  "WouldBlock",
  "WriteZero",
  "UnexpectedEof",
  "Http",
  "Busy",
  "NotSupported",
  "FilesystemLoop",
  "IsADirectory",
  "NetworkUnreachable",
  "NotADirectory",
];

for (const name of named) {
  const Class = class extends Error {
    constructor(message, options) {
      super(message, options);
      this.name = name;
    }
  };
  Object.defineProperty(Class, "name", { value: name });
  errors[name] = Class;
  core.registerErrorClass(name, Class);
}

// These three are the engine's own.
for (const name of ["BadResource", "Interrupted", "NotCapable"]) errors[name] = core[name];

// What web standards call an error, by the end of its name in the engine.
const exceptions = [
  "Operation",
  "NotSupported",
  "Network",
  "Abort",
  "InvalidCharacter",
  "Data",
  "InvalidState",
  "Syntax",
  "IndexSize",
  "TypeMismatch",
  "InvalidAccess",
];
for (const kind of exceptions) {
  core.registerErrorBuilder(
    `DOMException${kind}Error`,
    (message) => new DOMException(message, `${kind}Error`),
  );
}
core.registerErrorBuilder(
  "DOMExceptionQuotaExceededError",
  (message) => new QuotaExceededError(message),
);

export { errors };
