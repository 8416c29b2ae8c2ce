//! What a server or its connection refuses, as the namespace's error.

use crate::{Errno, Error};
use nine::client::ClientError;

/// What 9P2000's servers, which send words only, say for which errno: Plan 9's own (error.h) and those of the Unix ports.
const WORDS: [(&str, Errno); 17] = [
    ("does not exist", Errno::ENOENT),
    ("not found", Errno::ENOENT),
    ("no such file", Errno::ENOENT),
    ("permission denied", Errno::EACCES),
    ("not permitted", Errno::EPERM),
    ("already exists", Errno::EEXIST),
    ("file exists", Errno::EEXIST),
    ("not a directory", Errno::ENOTDIR),
    ("is a directory", Errno::EISDIR),
    ("not empty", Errno::ENOTEMPTY),
    ("read-only", Errno::EROFS),
    ("in use", Errno::EBUSY),
    ("is full", Errno::ENOSPC),
    ("interrupted", Errno::EINTR),
    ("not implemented", Errno::EOPNOTSUPP),
    ("not supported", Errno::EOPNOTSUPP),
    ("bad arg", Errno::EINVAL),
];

/// Errors are told from addresses by being below this (MAX_ERRNO).
const MAX_ERRNO: u32 = 4095;

fn errno_of(text: &str) -> Errno {
    let text = text.to_lowercase();
    WORDS.iter().find(|(words, _)| text.contains(words)).map_or(Errno::EIO, |(_, errno)| *errno)
}

/// `server` is named where it is the connection that failed.
pub(super) fn error(server: &str, error: ClientError) -> Error {
    let of_connection = |errno| Error::new(errno, format!("{server}: {error}"));
    match &error {
        ClientError::Refused { errno: 0, text } => Error::new(errno_of(text), text.clone()),
        ClientError::Refused { errno, text } if *errno > MAX_ERRNO => Error::new(Errno::EIO, text.clone()),
        ClientError::Refused { errno, text } => {
            let errno = Errno::from_raw(errno.cast_signed());
            // .L sends no words: the client puts in this machine's, we have our own.
            let is_ours = std::io::Error::from_raw_os_error(errno.raw()).to_string() == *text;
            if is_ours && errno.name().is_some() { errno.into() } else { Error::new(errno, text.clone()) }
        }
        ClientError::Io(_) | ClientError::Closed => of_connection(Errno::ECONNRESET),
        ClientError::Protocol(_) | ClientError::Unexpected { .. } | ClientError::Version(_) => {
            of_connection(Errno::EPROTO)
        }
        ClientError::Busy => of_connection(Errno::EAGAIN),
        ClientError::Unsayable(_) | ClientError::Names(_) => Error::new(Errno::EINVAL, error.to_string()),
        ClientError::NotInDialect(_) => Error::new(Errno::EOPNOTSUPP, error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(errno: u32, text: &str) -> Error {
        error("there", ClientError::Refused { errno, text: text.into() })
    }

    #[test]
    fn a_number_keeps_the_words_that_came_with_it() {
        let plain = refused(2, &std::io::Error::from_raw_os_error(2).to_string());
        assert_eq!((plain.errno(), plain.text()), (Errno::ENOENT, "file does not exist"));
        let told = refused(22, "unknown control message \"frob\"");
        assert_eq!((told.errno(), told.text()), (Errno::EINVAL, "unknown control message \"frob\""));
        assert_eq!(refused(u32::MAX, "?").errno(), Errno::EIO);
    }

    #[test]
    fn words_alone_give_the_number_they_mean() {
        assert_eq!(refused(0, "'/n/x' file does not exist").errno(), Errno::ENOENT);
        assert_eq!(refused(0, "Permission denied").errno(), Errno::EACCES);
        let odd = refused(0, "phase error -- cannot happen");
        assert_eq!((odd.errno(), odd.text()), (Errno::EIO, "phase error -- cannot happen"));
    }

    #[test]
    fn a_broken_connection_names_the_server() {
        let broken = error("tcp://host:5640", ClientError::Closed);
        assert_eq!(broken.errno(), Errno::ECONNRESET);
        assert!(broken.text().starts_with("tcp://host:5640: "), "{broken}");
    }
}
