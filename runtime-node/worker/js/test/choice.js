// Which tests of a program run: what the command line's patterns, `only` and its suites say.

(function () {
const { internals } = __bootstrap;
const options = internals.testOptions;

const patterns = (texts) =>
  texts.map((text) => {
    const [, source, flags] = /^\/(.*)\/([a-z]*)$/.exec(text) ?? [];
    return source === undefined ? new RegExp(text) : new RegExp(source, flags);
  });
const wanted = patterns(options.namePatterns);
const unwanted = patterns(options.skipPatterns);
const named = (test, some) => {
  const names = [test.name, test.fullName.replaceAll(" > ", " ")];
  return some.some((pattern) => names.some((name) => pattern.test(name)));
};

/** Whether the command line leaves a test out. A suite is there for what it holds. */
function isLeftOut(test) {
  const line = [...test.ancestors.slice(1), test];
  if (unwanted.length > 0 && named(test, unwanted)) return true;
  if (wanted.length > 0 && !line.some((one) => named(one, wanted))) return true;
  const isChosen = line.some((one) => one.only);
  if (options.only && !isChosen) return true;
  return Boolean(test.parent.isRunningOnly) && !test.only;
}

/** Takes out of a suite what is left out; whether anything stays. */
function prune(suite) {
  const holdsOnly = options.only && suite.children.some((child) => child.only);
  const keep = (child) => {
    if (holdsOnly && !child.only && !(child.kind === "suite" && holds(child))) return false;
    return child.kind === "suite" ? !isLeftOut(child) || prune(child) : !isLeftOut(child);
  };
  suite.children = suite.children.filter(keep);
  suite.queue = suite.queue.filter((child) => suite.children.includes(child));
  return suite.children.length > 0;
}
const holds = (suite) => suite.children.some((child) => child.only || child.kind === "suite" && holds(child));

/** Whether the command line chooses at all. */
const isChoosing = wanted.length > 0 || unwanted.length > 0 || options.only;
/** Whether it leaves a test out by its name. */
const isUnwanted = (test) => unwanted.length > 0 && named(test, unwanted);

return { isChoosing, isLeftOut, isUnwanted, prune };
})();
