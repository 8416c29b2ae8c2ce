//! Telling a peer that there is no place for it: its Tversion is answered with an error in its own dialect, if it comes soon,
//! and the connection closed.

use nine::wire::{
    Dialect, DotlError, Extension, HEADER, Name, Rmessage, Tag, Tmessage, UnixErrno, frame_size,
};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// How long a peer that is turned away may take to say what it speaks.
const PATIENCE: Duration = Duration::from_secs(1);
/// No Tversion is longer.
const LONGEST: u32 = 256;

/// Peers that are being told at once; more are closed without a word.
pub const AT_ONCE: usize = 64;

pub async fn tell<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, why: &str) {
    // It is turned away either way: whether it has heard why is its own affair.
    let _untold = tokio::time::timeout(PATIENCE, async {
        let frame = first_frame(&mut stream).await?;
        stream.write_all(&answer(&frame, why)?).await.ok()?;
        stream.shutdown().await.ok()
    })
    .await;
}

async fn first_frame<S: AsyncRead + Unpin>(stream: &mut S) -> Option<Vec<u8>> {
    let mut frame = vec![0; HEADER];
    stream.read_exact(&mut frame).await.ok()?;
    let size = frame_size(&frame, LONGEST).ok()??;
    frame.resize(size, 0);
    stream.read_exact(&mut frame[HEADER..]).await.ok()?;
    Some(frame)
}

/// The error that the sender of `frame` understands; none where that is no Tversion.
fn answer(frame: &[u8], why: &str) -> Option<Vec<u8>> {
    let (tag, Tmessage::Version { version, .. }) = Tmessage::decode(Dialect::P9P2000, frame).ok()? else {
        return None;
    };
    let dialect = Dialect::for_version(version.0).unwrap_or(Dialect::P9P2000);
    // EBUSY; mount(8) shows it as "Device or resource busy".
    let errno = libc::EBUSY as u32;
    let message = match dialect {
        Dialect::P9P2000L => Rmessage::Lerror { ecode: DotlError(errno) },
        _ => Rmessage::Error { ename: Name(why.as_bytes()), errno: Extension(Some(UnixErrno(errno))) },
    };
    let mut reply = Vec::new();
    message.encode(dialect, Tag(tag.0), &mut reply).ok()?;
    Some(reply)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nine::wire::Msize;

    #[tokio::test]
    async fn who_is_turned_away_hears_why_in_the_dialect_that_was_asked_for() {
        for dialect in Dialect::ALL {
            let (mut ours, theirs) = tokio::io::duplex(4096);
            let mut frame = Vec::new();
            let version = Name(dialect.version().as_bytes());
            let ask = Tmessage::Version { msize: Msize(8192), version };
            ask.encode(dialect, Tag::NONE, &mut frame).expect("a Tversion");
            ours.write_all(&frame).await.expect("it is read");
            tell(theirs, "too many connections").await;
            let mut reply = Vec::new();
            ours.read_to_end(&mut reply).await.expect("it is closed");
            match Rmessage::decode(dialect, &reply).expect("a reply") {
                (Tag::NONE, Rmessage::Lerror { ecode }) => assert_eq!(ecode.0, libc::EBUSY as u32),
                (Tag::NONE, Rmessage::Error { ename, .. }) => assert_eq!(ename.0, b"too many connections"),
                other => panic!("{other:?}"),
            }
        }
    }

    #[tokio::test]
    async fn who_says_something_else_hears_nothing() {
        for bytes in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[7, 0, 0, 0, 120, 1, 0], &[0xff; 40]] {
            let (mut ours, theirs) = tokio::io::duplex(4096);
            ours.write_all(bytes).await.expect("it is read");
            tell(theirs, "too many connections").await;
            let mut reply = Vec::new();
            ours.read_to_end(&mut reply).await.expect("it is closed");
            assert!(reply.is_empty());
        }
    }
}
