//! Options as getopt_long(3) reads them: short ones alone or in clusters, long ones whole or as far as they are unmistakable, values
//! attached or behind, `--` for the end; operands and options in any order unless the program says otherwise.
//!
//! A program's options are one text: words of aliases, the first of which is the key that the program knows the option by;
//! `=` behind the word takes a value, `=?` lets the long ones take one, `=??` the short ones too. `"n,number e,regexp= i,in-place=??"`.

/// What a command line was found to say.
#[derive(Debug, Default, PartialEq)]
pub struct Args {
    pub options: Vec<Given>,
    pub operands: Vec<Vec<u8>>,
}

/// One option, in the order given.
#[derive(Debug, PartialEq)]
pub struct Given {
    pub key: &'static str,
    pub value: Option<Vec<u8>>,
    /// Operands that stood before it.
    pub before: usize,
}

impl Args {
    pub fn has(&self, key: &str) -> bool {
        self.options.iter().any(|given| given.key == key)
    }
    /// The last value given for `key`.
    pub fn value(&self, key: &str) -> Option<&[u8]> {
        self.options.iter().rev().find(|given| given.key == key).and_then(|given| given.value.as_deref())
    }
    /// Which of `keys` was given last.
    pub fn last(&self, keys: &[&str]) -> Option<&'static str> {
        self.options.iter().rev().map(|given| given.key).find(|key| keys.contains(key))
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Takes {
    Nothing,
    Value,
    /// A long option may have one attached.
    Maybe,
    /// A short one, too.
    Either,
}

struct Known {
    aliases: &'static str,
    takes: Takes,
}

impl Known {
    fn key(&self) -> &'static str {
        self.aliases.split(',').next().unwrap_or(self.aliases)
    }
    fn shorts(&self) -> impl Iterator<Item = u8> {
        self.aliases.split(',').filter(|alias| alias.len() == 1).map(|alias| alias.as_bytes()[0])
    }
    fn longs(&self) -> impl Iterator<Item = &'static str> {
        self.aliases.split(',').filter(|alias| alias.len() > 1)
    }
}

fn known(spec: &'static str) -> impl Iterator<Item = Known> {
    let ends = [("=??", Takes::Either), ("=?", Takes::Maybe), ("=", Takes::Value), ("", Takes::Nothing)];
    spec.split_ascii_whitespace().map(move |word| {
        let found =
            ends.iter().find_map(|(end, takes)| word.strip_suffix(end).map(|aliases| (aliases, *takes)));
        let (aliases, takes) = found.expect("every word ends in nothing");
        Known { aliases, takes }
    })
}

/// Reads `words`, a command line without its name. Where `stops`, the first operand ends the options. The error is getopt's words.
pub fn read(spec: &'static str, stops: bool, words: &[Vec<u8>]) -> Result<Args, String> {
    let mut args = Args::default();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if word == b"--" {
            break;
        }
        if let Some(long) = word.strip_prefix(b"--") {
            let at = long.iter().position(|b| *b == b'=');
            let (name, attached) = match at {
                Some(at) => (&long[..at], Some(long[at + 1..].to_vec())),
                None => (long, None),
            };
            let name = String::from_utf8_lossy(name);
            let (found, full) = lookup(spec, &name)?;
            let value = match (found.takes, attached) {
                (Takes::Nothing, Some(_)) => {
                    return Err(format!("option '--{full}' doesn't allow an argument"));
                }
                (Takes::Value, None) => match words.next() {
                    Some(value) => Some(value.clone()),
                    None => return Err(format!("option '--{full}' requires an argument")),
                },
                (_, attached) => attached,
            };
            // A long name of its own is its own key, where several stand for one option.
            let before = args.operands.len();
            args.options.push(Given { key: found.key(), value, before });
            continue;
        }
        if word.len() < 2 || word[0] != b'-' {
            args.operands.push(word.clone());
            if stops {
                break;
            }
            continue;
        }
        let mut cluster = &word[1..];
        while let Some((letter, rest)) = cluster.split_first() {
            cluster = rest;
            let Some(found) = known(spec).find(|known| known.shorts().any(|short| short == *letter)) else {
                return Err(format!("invalid option -- '{}'", letter.escape_ascii()));
            };
            let value = match found.takes {
                Takes::Nothing | Takes::Maybe => None,
                Takes::Either => (!rest.is_empty()).then(|| std::mem::take(&mut cluster).to_vec()),
                Takes::Value if !rest.is_empty() => Some(std::mem::take(&mut cluster).to_vec()),
                Takes::Value => match words.next() {
                    Some(value) => Some(value.clone()),
                    None => {
                        return Err(format!("option requires an argument -- '{}'", letter.escape_ascii()));
                    }
                },
            };
            let before = args.operands.len();
            args.options.push(Given { key: found.key(), value, before });
        }
    }
    args.operands.extend(words.cloned());
    Ok(args)
}

/// The option that `name` means, and its full name. `--help` and `--version` are every program's.
fn lookup(spec: &'static str, name: &str) -> Result<(Known, &'static str), String> {
    let all: Vec<(Known, &'static str)> = known(spec)
        .chain(known("help version"))
        .flat_map(|known| {
            known
                .longs()
                .map(move |long| (Known { aliases: known.aliases, takes: known.takes }, long))
                .collect::<Vec<_>>()
        })
        .collect();
    if let Some(exact) = all.iter().position(|(_, long)| *long == name) {
        return Ok(all.into_iter().nth(exact).expect("just found"));
    }
    let mut near: Vec<_> = all.into_iter().filter(|(_, long)| long.starts_with(name)).collect();
    match near.as_slice() {
        [] => Err(format!("unrecognized option '--{name}'")),
        [first, rest @ ..] if rest.iter().all(|(known, _)| known.key() == first.0.key()) => {
            Ok(near.remove(0))
        }
        many => {
            let shown: Vec<String> = many.iter().map(|(_, long)| format!("'--{long}'")).collect();
            Err(format!("option '--{name}' is ambiguous; possibilities: {}", shown.join(" ")))
        }
    }
}

/// The options of `spec`, a line each, for `--help`.
pub fn listing(spec: &'static str) -> String {
    let mut text = String::new();
    for known in known(spec).chain(known("help version")) {
        let value = match known.takes {
            Takes::Nothing => "",
            Takes::Value => "=VALUE",
            Takes::Maybe | Takes::Either => "[=VALUE]",
        };
        let shorts: Vec<String> = known.shorts().map(|b| format!("-{}", char::from(b))).collect();
        let longs: Vec<String> = known.longs().map(|long| format!("--{long}{value}")).collect();
        let bare = if longs.is_empty() { value.trim_start_matches('=') } else { "" };
        let gap = if bare.is_empty() || bare.starts_with('[') { "" } else { " " };
        let indent = if shorts.is_empty() { "      " } else { "  " };
        let all: Vec<String> = shorts.into_iter().chain(longs).collect();
        text.push_str(&format!("{indent}{}{gap}{bare}\n", all.join(", ")));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPEC: &str = "a,all A,almost-all w,width= color=? n";

    fn words(line: &str) -> Vec<Vec<u8>> {
        line.split_ascii_whitespace().map(|word| word.as_bytes().to_vec()).collect()
    }

    fn shown(line: &str) -> String {
        match read(SPEC, false, &words(line)) {
            Ok(args) => {
                let options = args.options.iter().map(|given| match &given.value {
                    Some(value) => format!("{}={}", given.key, value.escape_ascii()),
                    None => given.key.to_owned(),
                });
                let operands = args.operands.iter().map(|word| format!("<{}>", word.escape_ascii()));
                options.chain(operands).collect::<Vec<_>>().join(" ")
            }
            Err(error) => error,
        }
    }

    #[test]
    fn short_options_cluster_and_take_their_value_attached_or_behind() {
        assert_eq!(shown("-an x -w5 -w 6 y"), "a n w=5 w=6 <x> <y>");
        assert_eq!(shown("-aw7 - -- -a"), "a w=7 <-> <-a>");
    }

    #[test]
    fn long_options_may_be_cut_as_long_as_they_are_unmistakable() {
        assert_eq!(shown("--wid=3 --color --color=no --all"), "w=3 color color=no a");
        assert_eq!(shown("--al"), "option '--al' is ambiguous; possibilities: '--all' '--almost-all'");
    }

    #[test]
    fn mistakes_are_told_in_getopts_words() {
        assert_eq!(shown("-z"), "invalid option -- 'z'");
        assert_eq!(shown("--zoo"), "unrecognized option '--zoo'");
        assert_eq!(shown("-w"), "option requires an argument -- 'w'");
        assert_eq!(shown("--width"), "option '--width' requires an argument");
        assert_eq!(shown("--all=1"), "option '--all' doesn't allow an argument");
    }

    #[test]
    fn a_program_may_end_its_options_at_the_first_operand() {
        let args = read(SPEC, true, &words("-a x -n")).unwrap();
        assert_eq!((args.options.len(), args.operands.len()), (1, 2));
    }
}
