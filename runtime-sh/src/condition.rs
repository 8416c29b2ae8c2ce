//! What test(1) decides: about files, texts and numbers.

use futures_util::future::BoxFuture;
use vfs::{Access, Caller, Follow, Kind, Place, Stat};

/// Parentheses and negations at most.
const DEPTH: u32 = 200;

/// In whose name files are looked at, and from where.
pub(crate) struct Asker<'a> {
    pub who: &'a Caller,
    pub cwd: &'a Place,
}

type Answer = Result<bool, String>;

struct Evaluation<'a> {
    asker: &'a Asker<'a>,
    args: &'a [Vec<u8>],
    at: usize,
    depth: u32,
    terminal: &'a (dyn Fn(&[u8]) -> Answer + Send + Sync),
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn is_unary(word: &[u8]) -> bool {
    matches!(word, [b'-', letter] if b"bcdefgGhkLnOprsStuwxz".contains(letter))
}

fn is_binary(word: &[u8]) -> bool {
    const WORDS: [&[u8]; 14] = [
        b"=", b"==", b"!=", b"<", b">", b"-eq", b"-ne", b"-lt", b"-le", b"-gt", b"-ge", b"-nt", b"-ot",
        b"-ef",
    ];
    WORDS.contains(&word)
}

/// Decides `args`; `terminal` is asked of `-t`. An error is in dash's words.
pub(crate) async fn evaluate(
    asker: &Asker<'_>,
    args: &[Vec<u8>],
    terminal: &(dyn Fn(&[u8]) -> Answer + Send + Sync),
) -> Answer {
    let mut evaluation = Evaluation { asker, args, at: 0, depth: 0, terminal };
    if let Some(answer) = evaluation.few(args).await {
        return answer;
    }
    let answer = evaluation.either().await?;
    match args.get(evaluation.at) {
        None => Ok(answer),
        // dash names the word before.
        Some(_) => Err(format!("{}: unexpected operator", lossy(&args[evaluation.at.saturating_sub(1)]))),
    }
}

impl<'a> Evaluation<'a> {
    /// What POSIX says that up to four arguments mean, whatever they look like. None where it leaves that open.
    async fn few(&self, mut args: &[Vec<u8>]) -> Option<Answer> {
        let mut not = false;
        loop {
            let answer = match args {
                [] => Ok(false),
                [one] => Ok(!one.is_empty()),
                [left, operator, right] if is_binary(operator) => self.binary(left, operator, right).await,
                [left, and, right] if and == b"-a" => Ok(!left.is_empty() && !right.is_empty()),
                [left, or, right] if or == b"-o" => Ok(!left.is_empty() || !right.is_empty()),
                [first, rest @ ..] if first == b"!" && rest.len() <= 3 => {
                    (args, not) = (rest, !not);
                    continue;
                }
                [operator, operand] if is_unary(operator) => self.unary(operator[1], operand).await,
                [open, inner @ .., close]
                    if open == b"(" && close == b")" && matches!(inner.len(), 1 | 2) =>
                {
                    args = inner;
                    continue;
                }
                _ => return None,
            };
            return Some(answer.map(|yes| yes != not));
        }
    }

    fn next(&self) -> Option<&'a [u8]> {
        self.args.get(self.at).map(Vec::as_slice)
    }
    fn take(&mut self, word: &[u8]) -> bool {
        let is = self.next() == Some(word);
        self.at += usize::from(is);
        is
    }

    fn either(&mut self) -> BoxFuture<'_, Answer> {
        Box::pin(async move {
            self.depth += 1;
            if self.depth > DEPTH {
                return Err("too deep".into());
            }
            let mut answer = self.both().await?;
            while self.take(b"-o") {
                answer |= self.both().await?;
            }
            self.depth -= 1;
            Ok(answer)
        })
    }

    async fn both(&mut self) -> Answer {
        let mut answer = self.negated().await?;
        while self.take(b"-a") {
            answer &= self.negated().await?;
        }
        Ok(answer)
    }

    async fn negated(&mut self) -> Answer {
        let mut not = false;
        // Before a binary operator it is a text.
        while self.next() == Some(b"!") && !self.args.get(self.at + 1).is_some_and(|word| is_binary(word)) {
            self.at += 1;
            not = !not;
        }
        Ok(self.primary().await? != not)
    }

    async fn primary(&mut self) -> Answer {
        let Some(word) = self.next() else { return Err("argument expected".into()) };
        let operator = self.args.get(self.at + 1).map(Vec::as_slice);
        if let Some(operator) = operator.filter(|operator| is_binary(operator)) {
            let Some(right) = self.args.get(self.at + 2) else { return Err("argument expected".into()) };
            self.at += 3;
            return self.binary(word, operator, right).await;
        }
        self.at += 1;
        if word == b"(" && operator.is_some() {
            let answer = self.either().await?;
            return if self.take(b")") { Ok(answer) } else { Err("closing paren expected".into()) };
        }
        if is_unary(word)
            && let Some(operand) = operator
        {
            self.at += 1;
            return self.unary(word[1], operand).await;
        }
        Ok(!word.is_empty())
    }

    async fn stat(&self, path: &[u8], follow: Follow) -> Option<(Place, Stat)> {
        let place = self.asker.cwd.resolve(self.asker.who, path, follow).await.ok()?;
        let stat = place.stat(self.asker.who).await.ok()?;
        Some((place, stat))
    }

    async fn unary(&self, letter: u8, operand: &[u8]) -> Answer {
        match letter {
            b'n' => return Ok(!operand.is_empty()),
            b'z' => return Ok(operand.is_empty()),
            b't' => return (self.terminal)(operand),
            _ => {}
        }
        let follow = if matches!(letter, b'h' | b'L') { Follow::No } else { Follow::Yes };
        let Some((place, stat)) = self.stat(operand, follow).await else { return Ok(false) };
        let may = async |want| place.access(self.asker.who, want).await.is_ok();
        Ok(match letter {
            b'b' => stat.kind() == Kind::BlockDevice,
            b'c' => stat.kind() == Kind::CharDevice,
            b'd' => stat.kind() == Kind::Dir,
            b'f' => stat.kind() == Kind::File,
            b'h' | b'L' => stat.kind() == Kind::Symlink,
            b'p' => stat.kind() == Kind::Fifo,
            b'S' => stat.kind() == Kind::Socket,
            b's' => stat.size > 0,
            b'g' => stat.mode.bits() & 0o2000 != 0,
            b'u' => stat.mode.bits() & 0o4000 != 0,
            b'k' => stat.mode.bits() & 0o1000 != 0,
            b'r' => may(Access::READ).await,
            b'w' => may(Access::WRITE).await,
            b'x' => may(Access::EXEC).await,
            b'O' => stat.uid == self.asker.who.uid,
            b'G' => self.asker.who.in_group(stat.gid),
            _ => true,
        })
    }

    async fn binary(&self, left: &[u8], operator: &[u8], right: &[u8]) -> Answer {
        if let [b'-', letters @ ..] = operator
            && !matches!(letters, b"nt" | b"ot" | b"ef")
        {
            let (left, right) = (number(left)?, number(right)?);
            return Ok(match letters {
                b"eq" => left == right,
                b"ne" => left != right,
                b"lt" => left < right,
                b"le" => left <= right,
                b"gt" => left > right,
                _ => left >= right,
            });
        }
        let stats = async || (self.stat(left, Follow::Yes).await, self.stat(right, Follow::Yes).await);
        Ok(match operator {
            b"=" | b"==" => left == right,
            b"!=" => left != right,
            b"<" => left < right,
            b">" => left > right,
            b"-ef" => match stats().await {
                (Some((_, left)), Some((_, right))) => left.qid.path == right.qid.path,
                _ => false,
            },
            _ => match stats().await {
                (Some((_, left)), Some((_, right))) if operator == b"-nt" => left.mtime > right.mtime,
                (Some((_, left)), Some((_, right))) => left.mtime < right.mtime,
                _ => false,
            },
        })
    }
}

fn number(word: &[u8]) -> Result<i64, String> {
    let text = std::str::from_utf8(word.trim_ascii()).unwrap_or_default();
    text.parse().map_err(|_| format!("Illegal number: {}", lossy(word)))
}
