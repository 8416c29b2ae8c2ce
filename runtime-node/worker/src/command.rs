//! Node's own command line, where a task was started as `node …` and not as a script, and NODE_OPTIONS. Which options there
//! are is known to Deno's parser; what they mean here, to [`Options`].

use deno_node::ops::node_cli_parser::{ParseResult, parse_args, parse_node_options_env_var};
use serde::Serialize;

/// What is to be run, and what follows it.
#[derive(Debug, PartialEq, Eq)]
pub struct Command {
    pub program: Program,
    pub args: Vec<String>,
    /// The words before it: `process.execArgv`.
    pub exec_argv: Vec<String>,
    pub options: Options,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Program {
    /// A file.
    Script(String),
    /// `-e`, `-p`: text, whose value is shown where `show` is set.
    Text {
        text: String,
        show: bool,
    },
    /// Text that comes on standard input.
    Stdin,
    /// `-i`, or standard input where that is a terminal: what is typed is run line by line.
    Repl,
    /// `--test`: the files that its words name, or those that look like tests.
    Tests,
    Version,
}

/// What a command line changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Options {
    /// Modules to load before the program: `-r` and `--import`.
    pub require: Vec<String>,
    pub import: Vec<String>,
    pub conditions: Vec<String>,
    pub env_file: String,
    pub input_type: String,
    pub unhandled_rejections: String,
    pub stack_trace_limit: i64,
    pub throw_deprecation: bool,
    pub trace_deprecation: bool,
    pub trace_warnings: bool,
    pub no_deprecation: bool,
    /// Whether the program is what is typed.
    pub is_repl: bool,
    /// Whether the program is only looked at.
    pub check: bool,
    pub test: Tests,
}

/// How tests are run and told of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tests {
    /// Whether this program looks for test files and runs them.
    pub is_runner: bool,
    /// `process`: each file in a program of its own; `none`: all in this one.
    pub isolation: String,
    pub reporters: Vec<String>,
    pub destinations: Vec<String>,
    pub name_patterns: Vec<String>,
    pub skip_patterns: Vec<String>,
    pub only: bool,
    pub update_snapshots: bool,
    pub force_exit: bool,
    /// How many files at once, and for how many milliseconds; 0 is what there is without the option.
    pub concurrency: u64,
    pub timeout: u64,
    /// Which part of the files, and of how many.
    pub shard: Option<(u32, u32)>,
}

impl Options {
    fn of(parsed: &ParseResult) -> Result<Options, String> {
        let isolate = &parsed.options.per_isolate;
        let given = &isolate.per_env;
        Ok(Options {
            require: given.preload_cjs_modules.clone(),
            import: given.preload_esm_modules.clone(),
            conditions: given.conditions.clone(),
            env_file: given.env_file.clone(),
            input_type: given.input_type.clone(),
            unhandled_rejections: given.unhandled_rejections.clone(),
            stack_trace_limit: isolate.stack_trace_limit,
            throw_deprecation: given.throw_deprecation,
            trace_deprecation: given.trace_deprecation,
            trace_warnings: given.trace_warnings,
            no_deprecation: !given.deprecation,
            is_repl: false,
            check: given.syntax_check_only,
            test: Tests {
                is_runner: given.test_runner,
                isolation: given.test_isolation.clone(),
                reporters: given.test_reporter.clone(),
                destinations: given.test_reporter_destination.clone(),
                name_patterns: given.test_name_pattern.clone(),
                skip_patterns: given.test_skip_pattern.clone(),
                only: given.test_only,
                update_snapshots: given.test_runner_update_snapshots,
                force_exit: given.test_runner_force_exit,
                concurrency: given.test_runner_concurrency,
                timeout: given.test_runner_timeout,
                shard: shard(&given.test_shard)?,
            },
        })
    }

    /// Those of NODE_OPTIONS alone.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn of_environment(text: &str) -> Result<Options, String> {
        Options::of(&parse(environment(text)?)?)
    }
}

/// `--test-shard=INDEX/TOTAL`.
fn shard(text: &str) -> Result<Option<(u32, u32)>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let numbers =
        text.split_once('/').and_then(|(index, total)| Some((index.parse().ok()?, total.parse().ok()?)));
    match numbers {
        Some((index, total)) if (1..=total).contains(&index) => Ok(Some((index, total))),
        _ => Err(format!("--test-shard: want INDEX/TOTAL, the index from 1 to the total: {text}")),
    }
}

/// How options of V8 begin that make a difference to nobody here, or to the engine alone.
const V8: [&str; 12] = [
    "--max-old-space-size",
    "--max_old_space_size",
    "--max-semi-space-size",
    "--expose-gc",
    "--expose_gc",
    "--stack-size",
    "--stack_size",
    "--harmony",
    "--allow-natives-syntax",
    "--no-opt",
    "--jitless",
    "--stack-trace-limit",
];

fn environment(text: &str) -> Result<Vec<String>, String> {
    parse_node_options_env_var(text).map_err(|errors| errors.join("\n"))
}

fn parse(words: Vec<String>) -> Result<ParseResult, String> {
    let parsed = parse_args(words).map_err(|errors| errors.join("\n"))?;
    if parsed.options.per_isolate.per_env.debug_options.inspector_enabled {
        return Err("--inspect: the inspector is not available here".into());
    }
    let given = &parsed.options.per_isolate.per_env;
    if given.test_runner_coverage {
        let why = "what has run is the inspector's to count, which is not available here";
        return Err(format!("--experimental-test-coverage: {why}"));
    }
    if given.watch_mode {
        return Err("--watch: a program is not run again here when its files change".into());
    }
    match parsed.v8_args.iter().find(|word| !V8.iter().any(|known| word.starts_with(known))) {
        Some(unknown) => Err(format!("bad option: {unknown}")),
        None => Ok(parsed),
    }
}

impl Command {
    /// Reads a command line without its first word; `node_options` are the variable's. `at_terminal`: standard input is one.
    ///
    /// # Errors
    /// An option that there is not, or one without the value that it needs.
    pub fn parse(words: &[String], node_options: &str, at_terminal: bool) -> Result<Command, String> {
        let mut line = environment(node_options)?;
        line.extend_from_slice(words);
        let parsed = parse(line)?;
        let options = Options::of(&parsed)?;
        let given = &parsed.options.per_isolate.per_env;
        let mut rest = parsed.remaining_args.clone();
        let before = words.len().saturating_sub(rest.len());
        let mut exec_argv = words[..before].to_vec();
        exec_argv.retain(|word| word != "--");
        if parsed.options.print_version {
            return Ok(Command { program: Program::Version, args: Vec::new(), exec_argv, options });
        }
        if given.test_runner {
            return Ok(Command { program: Program::Tests, args: rest, exec_argv, options });
        }
        if given.has_eval_string || given.print_eval {
            let mut text = given.eval_string.clone();
            // `-p` takes the next word where `-e` gave none.
            if text.is_empty() && given.print_eval && !rest.is_empty() {
                text = rest.remove(0);
                exec_argv.push(text.clone());
            }
            let program = Program::Text { text, show: given.print_eval };
            return Ok(Command { program, args: rest, exec_argv, options });
        }
        let program = match rest.first() {
            _ if given.force_repl => Program::Repl,
            Some(script) if script != "-" => Program::Script(rest.remove(0)),
            None if at_terminal => Program::Repl,
            _ => Program::Stdin,
        };
        let options = Options { is_repl: program == Program::Repl, ..options };
        Ok(Command { program, args: rest, exec_argv, options })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Command {
        let words: Vec<String> = line.split(' ').filter(|w| !w.is_empty()).map(str::to_owned).collect();
        Command::parse(&words, "", false).unwrap()
    }

    #[test]
    fn a_script_takes_what_follows_it_as_its_arguments() {
        let command = parse("--no-warnings -r dotenv app.js -e x");
        assert_eq!(command.program, Program::Script("app.js".into()));
        assert_eq!(command.args, ["-e", "x"]);
        assert_eq!(command.exec_argv, ["--no-warnings", "-r", "dotenv"]);
        assert_eq!(command.options.require, ["dotenv"]);
    }

    #[test]
    fn a_text_may_be_given_and_shown() {
        assert_eq!(parse("-p 1+1 a").program, Program::Text { text: "1+1".into(), show: true });
        assert_eq!(parse("-e f() -- a").args, ["a"]);
        assert_eq!(parse("-e f() a").exec_argv, ["-e", "f()"]);
    }

    #[test]
    fn without_a_script_the_program_comes_on_standard_input() {
        assert_eq!(parse("").program, Program::Stdin);
        assert_eq!(parse("- a").args, ["-", "a"]);
        assert_eq!(parse("--version").program, Program::Version);
    }

    #[test]
    fn what_is_typed_is_the_program_at_a_terminal_or_where_that_is_asked_for() {
        let at_terminal = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            Command::parse(&words, "", true).unwrap()
        };
        assert!(at_terminal(&[]).options.is_repl && parse("-i").options.is_repl);
        assert_eq!(at_terminal(&["-"]).program, Program::Stdin);
        assert_eq!(at_terminal(&["app.js"]).program, Program::Script("app.js".into()));
    }

    #[test]
    fn a_shard_is_one_of_so_many_parts() {
        assert_eq!(parse("--test --test-shard=2/3").options.test.shard, Some((2, 3)));
        for wrong in ["0/3", "4/3", "2", "a/b", "1/2/3", "-1/2"] {
            let words = ["--test".to_owned(), format!("--test-shard={wrong}")];
            assert!(Command::parse(&words, "", false).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_cannot_be_had_is_refused_by_its_name() {
        for option in ["--experimental-test-coverage", "--watch"] {
            let refused = Command::parse(&[option.to_owned(), "a.js".into()], "", false);
            assert!(refused.is_err_and(|why| why.starts_with(option)), "{option}");
        }
    }

    #[test]
    fn tests_are_looked_for_where_the_words_say() {
        let command = parse("--test --test-only --test-reporter=tap a.test.js b");
        assert_eq!((command.program, command.args), (Program::Tests, vec!["a.test.js".into(), "b".into()]));
        assert!(command.options.test.only && command.options.test.is_runner);
        assert_eq!(command.options.test.reporters, ["tap"]);
    }

    #[test]
    fn what_is_no_option_or_lacks_its_value_is_an_error() {
        assert_eq!(Command::parse(&["-e".into()], "", false), Err("-e requires an argument".into()));
        assert_eq!(Command::parse(&["--frob".into()], "", false), Err("bad option: --frob".into()));
        let refused = Err("--inspect: the inspector is not available here".into());
        assert_eq!(Command::parse(&["--inspect=0".into(), "a.js".into()], "", false), refused);
        assert_eq!(Command::parse(&["a.js".into()], "--inspect-brk", false), refused);
    }

    #[test]
    fn options_of_the_environment_are_in_force_and_not_in_exec_argv() {
        let command = Command::parse(&["a.js".into()], "--import ./first.mjs", false).unwrap();
        assert_eq!(command.options.import, ["./first.mjs"]);
        assert_eq!(command.exec_argv, [""; 0]);
    }
}
