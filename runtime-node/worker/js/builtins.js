// `node -e` and `node -p`: Node's modules are there by their names, each loaded when it is looked at first.

/** Gives `scope` a property for each of `names`, which `load` loads; a program may put its own in its place. */
function exposeBuiltins(scope, names, load) {
  for (const name of names) {
    if (name.startsWith("_") || /[/:]/.test(name)) continue;
    const own = (value) => Object.defineProperty(scope, name, { value, writable: true, enumerable: true, configurable: true });
    const first = () => {
      const module = load(name);
      Object.defineProperty(scope, name, { get: () => module, set: own, enumerable: false, configurable: true });
      return module;
    };
    Object.defineProperty(scope, name, { get: first, set: own, enumerable: false, configurable: true });
  }
}

export { exposeBuiltins };
