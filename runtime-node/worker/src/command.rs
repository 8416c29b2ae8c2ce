//! Node's own command line, where a task was started as `node …` and not as a script.

/// What is to be run, and what follows it.
#[derive(Debug, PartialEq, Eq)]
pub struct Command {
    pub program: Program,
    pub args: Vec<String>,
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
    Version,
}

/// Options that take the next word as their value.
const WITH_VALUE: &[&str] = &[
    "-r",
    "--require",
    "--import",
    "--loader",
    "--experimental-loader",
    "-C",
    "--conditions",
    "--env-file",
    "--input-type",
    "--title",
    "--max-http-header-size",
    "--stack-trace-limit",
    "--unhandled-rejections",
];

impl Command {
    /// Reads a command line without its first word.
    ///
    /// # Errors
    /// An option without the value that it needs.
    pub fn parse(words: &[String]) -> Result<Command, String> {
        let mut words = words.iter();
        let mut text: Option<(String, bool)> = None;
        let rest = |words: std::slice::Iter<'_, String>| words.cloned().collect();
        while let Some(word) = words.next() {
            match word.as_str() {
                "-v" | "--version" => {
                    return Ok(Command { program: Program::Version, args: Vec::new() });
                }
                "-e" | "--eval" | "-p" | "--print" | "-pe" => {
                    let given = words.next().ok_or_else(|| format!("{word} requires an argument"))?;
                    text = Some((given.clone(), word != "-e" && word != "--eval"));
                }
                "--" => match (text, words.next()) {
                    (None, Some(script)) => {
                        return Ok(Command { program: Program::Script(script.clone()), args: rest(words) });
                    }
                    (None, None) => return Ok(Command { program: Program::Stdin, args: Vec::new() }),
                    (Some((text, show)), first) => {
                        let args = first.into_iter().chain(words).cloned().collect();
                        return Ok(Command { program: Program::Text { text, show }, args });
                    }
                },
                "-" => return Ok(Command { program: Program::Stdin, args: rest(words) }),
                option if WITH_VALUE.contains(&option) => {
                    words.next().ok_or_else(|| format!("{option} requires an argument"))?;
                }
                option if option.starts_with('-') => {}
                first if text.is_some() => {
                    let (text, show) = text.expect("just looked");
                    let args = std::iter::once(first.to_owned()).chain(words.cloned()).collect();
                    return Ok(Command { program: Program::Text { text, show }, args });
                }
                script => {
                    return Ok(Command { program: Program::Script(script.to_owned()), args: rest(words) });
                }
            }
        }
        let program = match text {
            Some((text, show)) => Program::Text { text, show },
            None => Program::Stdin,
        };
        Ok(Command { program, args: Vec::new() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Command {
        let words: Vec<String> = line.split(' ').filter(|w| !w.is_empty()).map(str::to_owned).collect();
        Command::parse(&words).unwrap()
    }

    #[test]
    fn a_script_takes_what_follows_it_as_its_arguments() {
        let command = parse("--no-warnings -r dotenv app.js -e x");
        assert_eq!(command.program, Program::Script("app.js".into()));
        assert_eq!(command.args, ["-e", "x"]);
    }

    #[test]
    fn a_text_may_be_given_and_shown() {
        assert_eq!(parse("-p 1+1 a").program, Program::Text { text: "1+1".into(), show: true });
        assert_eq!(parse("-e f() -- a").args, ["a"]);
    }

    #[test]
    fn without_a_script_the_program_comes_on_standard_input() {
        assert_eq!(parse("").program, Program::Stdin);
        assert_eq!(parse("- a").args, ["a"]);
        assert_eq!(parse("--version").program, Program::Version);
    }

    #[test]
    fn an_option_without_its_value_is_an_error() {
        assert_eq!(Command::parse(&["-e".into()]), Err("-e requires an argument".into()));
    }
}
