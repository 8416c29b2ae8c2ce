//! Tokens: secrets that stand for a user, said once at the start of a connection. The server keeps only their hashes.
//!
//! ```text
//! client   token SECRET\n          before its first 9P message, inside TLS
//! server   ok\n                    … or "no REASON\n", and the connection ends
//! ```

use crate::fault::Fault;
use std::io;
use std::path::Path;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Longest line of either side, its end included.
const LINE: usize = 256;
const GREETING: &str = "token ";

/// A token as its user holds it. It is not shown by accident.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Secret {
    /// From a file or a variable, where it stands alone.
    pub fn new(text: &str) -> Result<Secret, &'static str> {
        let text = text.trim_ascii();
        if text.is_empty()
            || text.len() > LINE - GREETING.len() - 1
            || !text.bytes().all(|b| b.is_ascii_graphic())
        {
            return Err("not a token: one word of printable characters is wanted");
        }
        Ok(Secret(text.to_owned()))
    }

    /// The one that stands in the file.
    pub fn read(path: &Path) -> Result<Secret, Fault> {
        let wrong = |why: String| Fault::no_input(format!("{}: {why}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|e| wrong(e.to_string()))?;
        Secret::new(&text).map_err(|e| wrong(e.to_owned()))
    }

    /// What the users file says of it. A token has 256 random bits, so that one plain hash is enough.
    pub fn hash(&self) -> blake3::Hash {
        blake3::hash(self.0.as_bytes())
    }

    pub fn reveal(&self) -> &str {
        &self.0
    }
}

/// A new one, of 256 random bits.
pub fn make() -> Result<Secret, getrandom::Error> {
    let mut bits = [0; 32];
    getrandom::fill(&mut bits)?;
    Ok(Secret(bits.iter().map(|byte| format!("{byte:02x}")).collect()))
}

/// A line of the users file for `name`. `rest` are further words of it.
pub fn line(name: &str, secret: &Secret, rest: &[String]) -> String {
    let mut words = vec![name.as_bytes().to_vec(), format!("token={}", secret.hash()).into_bytes()];
    words.extend(rest.iter().map(|word| word.as_bytes().to_vec()));
    format!("{}\n", String::from_utf8_lossy(&task::rc::join(&words)))
}

/// The client's side: says the token, and fails with the server's words where it is refused.
pub(super) async fn say<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    secret: &Secret,
) -> io::Result<()> {
    stream.write_all(format!("{GREETING}{}\n", secret.0).as_bytes()).await?;
    stream.flush().await?;
    let answer = read_line(stream).await?;
    match answer.strip_prefix("no ") {
        None if answer == "ok" => Ok(()),
        Some(reason) => Err(io::Error::new(io::ErrorKind::PermissionDenied, reason.to_owned())),
        None => Err(io::Error::new(io::ErrorKind::InvalidData, "the server knows nothing of tokens")),
    }
}

/// The server's side: the secret that the client says first.
pub(super) async fn hear<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<Secret> {
    let bad = |what: &'static str| io::Error::new(io::ErrorKind::InvalidData, what);
    let line = read_line(stream).await?;
    let said =
        line.strip_prefix(GREETING).ok_or_else(|| bad("no certificate, and no \"token\" line first"))?;
    Secret::new(said).map_err(bad)
}

/// The server's answer.
pub(super) async fn answer<S: AsyncWrite + Unpin>(stream: &mut S, refused: Option<&str>) -> io::Result<()> {
    let line = refused.map_or_else(|| "ok\n".to_owned(), |reason| format!("no {reason}\n"));
    stream.write_all(line.as_bytes()).await?;
    stream.flush().await
}

/// A line without its end. Nothing behind it is read: what follows is 9P.
async fn read_line<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<String> {
    let mut line = Vec::new();
    loop {
        match stream.read_u8().await? {
            b'\n' => break,
            _ if line.len() == LINE - 1 => {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "an endless line"));
            }
            byte => line.push(byte),
        }
    }
    String::from_utf8(line).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "a line that is no text"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_token_is_said_and_heard_and_nothing_behind_it_is_taken() {
        let (mut client, mut server) = tokio::io::duplex(1024);
        let secret = make().expect("random bits");
        let said = secret.clone();
        let client = tokio::spawn(async move {
            say(&mut client, &said).await.expect("accepted");
            client.write_all(b"9P").await.expect("open");
        });
        assert_eq!(hear(&mut server).await.expect("a token").hash(), secret.hash());
        answer(&mut server, None).await.expect("open");
        let mut next = [0; 2];
        server.read_exact(&mut next).await.expect("what follows");
        assert_eq!(&next, b"9P");
        client.await.expect("no panic");
    }

    #[tokio::test]
    async fn a_refusal_reaches_the_client_in_words() {
        let (mut client, mut server) = tokio::io::duplex(1024);
        tokio::spawn(async move {
            hear(&mut server).await.expect("a token");
            answer(&mut server, Some("unknown token")).await.expect("open");
        });
        let error = say(&mut client, &Secret::new("x").expect("a word")).await.expect_err("refused");
        assert_eq!(error.to_string(), "unknown token");
    }

    #[tokio::test]
    async fn what_is_no_token_line_is_refused_and_bounded() {
        for junk in [&b"\x13\0\0\0\x64\xff\xff\0\n"[..], b"token \n", b"token a b\n", &[b'x'; 4096]] {
            let (mut client, mut server) = tokio::io::duplex(8192);
            client.write_all(junk).await.expect("open");
            let error = hear(&mut server).await.expect_err("no token");
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        }
    }

    #[test]
    fn a_line_of_the_users_file_is_quoted() {
        let secret = Secret::new("s").expect("a word");
        let line = line("ci", &secret, &["cap=fs:/b read".to_owned()]);
        assert_eq!(line, format!("ci token={} 'cap=fs:/b read'\n", blake3::hash(b"s")));
    }
}
