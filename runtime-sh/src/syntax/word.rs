//! Words: quotes and what stands for something else.

use super::parser::Parser;
use super::scanner::Scanner;
use super::{Aliases, Change, Fault, Parameter, Part, Word};

/// Where a word ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Until {
    /// At a blank or an operator.
    Blank,
    /// At the double quote, which is taken.
    Quote,
    /// At the brace of `${`, which is taken.
    Brace,
    /// At `))`, which is taken.
    Arithmetic,
    /// At the end of the text: a here-document.
    End,
}

fn is_end_of_word(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b';' | b'&' | b'|' | b'<' | b'>' | b'(' | b')')
}

/// A word up to a blank or an operator; empty where none is there.
pub(super) fn word(scanner: &mut Scanner, aliases: &Aliases) -> Result<Word, Fault> {
    read(scanner, aliases, Until::Blank, false)
}

/// The text of a here-document whose end was not quoted.
pub(super) fn document(text: &[u8], line: u32, depth: u32, aliases: &Aliases) -> Result<Word, Fault> {
    let mut scanner = Scanner::new(line).at_depth(depth);
    scanner.add(text);
    scanner.end();
    read(&mut scanner, aliases, Until::End, true)
}

/// What a prompt stands for when it is expanded.
pub(crate) fn prompt(text: &[u8]) -> Option<Word> {
    document(text, 1, 0, &Aliases::new()).ok()
}

fn flush(plain: &mut Vec<u8>, word: &mut Word, quoted: bool) {
    if !plain.is_empty() {
        let bytes = std::mem::take(plain);
        word.push(if quoted { Part::Quoted(bytes) } else { Part::Plain(bytes) });
    }
}

/// `quoted` is whether double quotes stand around it.
fn read(scanner: &mut Scanner, aliases: &Aliases, until: Until, quoted: bool) -> Result<Word, Fault> {
    scanner.deeper()?;
    let mut word = Word::new();
    let mut plain = Vec::new();
    let mut parens = 0u32;
    loop {
        let Some(byte) = scanner.peek() else {
            match until {
                Until::Blank => scanner.ended()?,
                Until::End => {}
                Until::Quote => return scanner.cut("Unterminated quoted string"),
                Until::Brace => return scanner.cut("Missing '}'"),
                Until::Arithmetic => return scanner.cut("Missing '))'"),
            }
            break;
        };
        match (byte, until) {
            (_, Until::Blank) if is_end_of_word(byte) => break,
            (b'"', Until::Quote) | (b'}', Until::Brace) => {
                scanner.next();
                break;
            }
            (b')', Until::Arithmetic) if parens == 0 => {
                scanner.next();
                if !scanner.take(b')') {
                    if scanner.peek().is_none() {
                        scanner.ended()?;
                    }
                    return Err(scanner.fault("Missing '))'"));
                }
                break;
            }
            (b'(', Until::Arithmetic) => parens += 1,
            (b')', Until::Arithmetic) => parens -= 1,
            _ => {}
        }
        match byte {
            b'\\' => {
                scanner.next();
                match scanner.next() {
                    None => {
                        scanner.ended()?;
                        plain.push(b'\\');
                    }
                    Some(next) => {
                        let escapes = match until {
                            Until::Brace if quoted => matches!(next, b'$' | b'`' | b'"' | b'\\' | b'}'),
                            Until::Quote | Until::Arithmetic => matches!(next, b'$' | b'`' | b'"' | b'\\'),
                            Until::End => matches!(next, b'$' | b'`' | b'\\'),
                            Until::Blank | Until::Brace => true,
                        };
                        if escapes {
                            flush(&mut plain, &mut word, quoted);
                            word.push(Part::Quoted(vec![next]));
                        } else {
                            plain.extend_from_slice(&[b'\\', next]);
                        }
                    }
                }
            }
            b'\'' if !quoted && until != Until::Arithmetic => {
                scanner.next();
                flush(&mut plain, &mut word, quoted);
                let mut bytes = Vec::new();
                loop {
                    match scanner.next() {
                        None => return scanner.cut("Unterminated quoted string"),
                        Some(b'\'') => break,
                        Some(byte) => bytes.push(byte),
                    }
                }
                word.push(Part::Quoted(bytes));
            }
            b'"' if until == Until::Arithmetic => {
                scanner.next();
            }
            b'"' if until != Until::End => {
                scanner.next();
                flush(&mut plain, &mut word, quoted);
                if quoted {
                    // `"${x-"y"}"`: a quote that ends none toggles nothing that matters here.
                    continue;
                }
                word.push(Part::Double(read(scanner, aliases, Until::Quote, true)?));
            }
            b'$' => {
                scanner.next();
                match dollar(scanner, aliases, quoted || until == Until::Arithmetic)? {
                    Some(part) => {
                        flush(&mut plain, &mut word, quoted);
                        word.push(part);
                    }
                    None => plain.push(b'$'),
                }
            }
            b'`' => {
                scanner.next();
                flush(&mut plain, &mut word, quoted);
                word.push(backquoted(scanner, aliases, quoted)?);
            }
            _ => {
                scanner.next();
                plain.push(byte);
            }
        }
    }
    flush(&mut plain, &mut word, quoted);
    scanner.shallower();
    Ok(word)
}

fn is_special(byte: u8) -> bool {
    matches!(byte, b'@' | b'*' | b'#' | b'?' | b'-' | b'$' | b'!')
}

/// What follows a `$`; none where that stands for itself.
fn dollar(scanner: &mut Scanner, aliases: &Aliases, quoted: bool) -> Result<Option<Part>, Fault> {
    let plain = |name: Vec<u8>| Ok(Some(Part::Parameter(Box::new(Parameter { name, change: Change::None }))));
    let Some(byte) = scanner.peek() else {
        // A `$` at the end of what is there so far.
        scanner.ended()?;
        return Ok(None);
    };
    match byte {
        b'{' => {
            scanner.next();
            braced(scanner, aliases, quoted).map(Some)
        }
        b'(' => {
            scanner.next();
            if scanner.take(b'(') {
                return Ok(Some(Part::Arithmetic(read(scanner, aliases, Until::Arithmetic, false)?)));
            }
            scanner.deeper()?;
            let list = Parser::substituted(scanner, aliases)?;
            scanner.shallower();
            Ok(Some(Part::Command(list)))
        }
        b'0'..=b'9' => {
            scanner.next();
            plain(vec![byte])
        }
        _ if is_special(byte) => {
            scanner.next();
            plain(vec![byte])
        }
        _ if byte.is_ascii_alphabetic() || byte == b'_' => plain(name(scanner)),
        _ => Ok(None),
    }
}

fn name(scanner: &mut Scanner) -> Vec<u8> {
    let mut name = Vec::new();
    while let Some(byte) = scanner.peek()
        && (byte.is_ascii_alphanumeric() || byte == b'_')
    {
        scanner.next();
        name.push(byte);
    }
    name
}

/// What follows `${`.
fn braced(scanner: &mut Scanner, aliases: &Aliases, quoted: bool) -> Result<Part, Fault> {
    let part = |name: Vec<u8>, change| Ok(Part::Parameter(Box::new(Parameter { name, change })));
    let missing = "Missing '}'";
    let Some(first) = scanner.peek() else { return scanner.cut(missing) };
    if first == b'#' {
        // `${#}`, `${#name}`, or the parameter `#` with something behind.
        scanner.next();
        match scanner.peek() {
            None => return scanner.cut(missing),
            Some(b'}') => {
                scanner.next();
                return part(b"#".to_vec(), Change::None);
            }
            Some(next) if next.is_ascii_alphanumeric() || next == b'_' => {
                let name = name(scanner);
                return match scanner.peek() {
                    None => scanner.cut(missing),
                    Some(b'}') => {
                        scanner.next();
                        part(name, Change::Length)
                    }
                    Some(_) => bad(scanner, aliases, quoted),
                };
            }
            Some(next) if is_special(next) && scanner.raw(1) == Some(b'}') => {
                scanner.next();
                scanner.next();
                return part(vec![next], Change::Length);
            }
            Some(_) => {}
        }
        return changed(scanner, aliases, quoted, b"#".to_vec());
    }
    let name = if first.is_ascii_digit() {
        let mut digits = Vec::new();
        while let Some(byte) = scanner.peek()
            && byte.is_ascii_digit()
        {
            scanner.next();
            digits.push(byte);
        }
        digits
    } else if first.is_ascii_alphabetic() || first == b'_' {
        name(scanner)
    } else if is_special(first) {
        scanner.next();
        vec![first]
    } else {
        return bad(scanner, aliases, quoted);
    };
    changed(scanner, aliases, quoted, name)
}

/// Something that no shell knows, read up to its brace.
fn bad(scanner: &mut Scanner, aliases: &Aliases, quoted: bool) -> Result<Part, Fault> {
    read(scanner, aliases, Until::Brace, quoted)?;
    Ok(Part::Parameter(Box::new(Parameter { name: Vec::new(), change: Change::Bad })))
}

/// What follows the name in `${`.
fn changed(scanner: &mut Scanner, aliases: &Aliases, quoted: bool, name: Vec<u8>) -> Result<Part, Fault> {
    let Some(byte) = scanner.peek() else { return scanner.cut("Missing '}'") };
    let change = match byte {
        b'}' => {
            scanner.next();
            Change::None
        }
        b'#' | b'%' => {
            scanner.next();
            let longest = scanner.take(byte);
            if scanner.peek().is_none() {
                scanner.ended()?;
            }
            Change::Trim {
                suffix: byte == b'%',
                longest,
                pattern: read(scanner, aliases, Until::Brace, false)?,
            }
        }
        _ => {
            let colon = scanner.take(b':');
            match scanner.peek() {
                None => return scanner.cut("Missing '}'"),
                Some(how @ (b'-' | b'=' | b'?' | b'+')) => {
                    scanner.next();
                    Change::Unset { colon, how, word: read(scanner, aliases, Until::Brace, quoted)? }
                }
                Some(_) => return bad(scanner, aliases, quoted),
            }
        }
    };
    Ok(Part::Parameter(Box::new(Parameter { name, change })))
}

/// What stands between backquotes, of which the first is taken: a text of its own once its backslashes are gone.
fn backquoted(scanner: &mut Scanner, aliases: &Aliases, quoted: bool) -> Result<Part, Fault> {
    let line = scanner.line;
    let mut text = Vec::new();
    loop {
        match scanner.next() {
            None => return scanner.cut("EOF in backquote substitution"),
            Some(b'`') => break,
            Some(b'\\') => match scanner.next() {
                None => return scanner.cut("EOF in backquote substitution"),
                Some(b'\n') => {}
                Some(byte @ (b'\\' | b'`' | b'$')) => text.push(byte),
                Some(b'"') if quoted => text.push(b'"'),
                Some(byte) => text.extend_from_slice(&[b'\\', byte]),
            },
            Some(byte) => text.push(byte),
        }
    }
    scanner.deeper()?;
    let mut inner = Scanner::new(line).at_depth(scanner.depth());
    inner.add(&text);
    inner.end();
    let list = Parser::all(&mut inner, aliases)?;
    scanner.shallower();
    Ok(Part::Command(list))
}
