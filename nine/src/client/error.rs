//! How a client's request fails.

use std::io;
use std::sync::Arc;

use thiserror::Error;

use crate::wire::{DecodeError, EncodeError, Rmessage, TooManyNames};

/// Why there is no answer, or what the server refused.
#[derive(Clone, Debug, Error)]
pub enum ClientError {
    /// The server's own word.
    #[error("{text}")]
    Refused {
        /// Linux's number; 0 where the server gave none (9P2000).
        errno: u32,
        /// The words; .L sends none, so there they are the number's usual ones.
        text: String,
    },
    /// The stream broke.
    #[error("the connection to the server broke: {0}")]
    Io(Arc<io::Error>),
    /// The server closed the connection.
    #[error("the server closed the connection")]
    Closed,
    /// What the server sent is no 9P.
    #[error("the server broke the protocol: {0}")]
    Protocol(#[from] DecodeError),
    /// What the server sent answers another question.
    #[error("the server answered {asked} with {answered}")]
    Unexpected {
        /// The request.
        asked: &'static str,
        /// The reply.
        answered: &'static str,
    },
    /// The server does not speak the dialect.
    #[error("the server speaks {0}, which is not what was asked for")]
    Version(String),
    /// The request cannot be said.
    #[error(transparent)]
    Unsayable(#[from] EncodeError),
    /// A name is too long.
    #[error(transparent)]
    Names(#[from] TooManyNames),
    /// All 65535 tags are in use.
    #[error("65535 requests are in flight already")]
    Busy,
    /// The dialect has no such operation.
    #[error("{0} cannot be asked for in this dialect")]
    NotInDialect(&'static str),
}

impl ClientError {
    /// What a reply refuses, if it does.
    pub(super) fn refusal(reply: &Rmessage<'_>) -> Option<Self> {
        let (errno, text) = match reply {
            Rmessage::Lerror { ecode } => {
                (ecode.0, io::Error::from_raw_os_error(ecode.0.cast_signed()).to_string())
            }
            Rmessage::Error { ename, errno } => {
                (errno.0.map_or(0, |errno| errno.0), String::from_utf8_lossy(ename.0).into_owned())
            }
            _ => return None,
        };
        Some(Self::Refused { errno, text })
    }

    /// The errno, where the server gave one.
    pub fn errno(&self) -> Option<u32> {
        match self {
            Self::Refused { errno, .. } if *errno != 0 => Some(*errno),
            _ => None,
        }
    }
}

impl From<io::Error> for ClientError {
    fn from(error: io::Error) -> Self {
        Self::Io(Arc::new(error))
    }
}
