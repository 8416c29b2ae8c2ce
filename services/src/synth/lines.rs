//! Writes gathered into lines: a here-document may come in several pieces, cut anywhere.

use vfs::{Errno, Error, Result};

/// From this many bytes on, a write that ends within a line is a piece of something longer: the line is kept until the
/// rest comes. A shorter one is all there is (`printf A=1 > env`).
const PIECE: usize = 1024;

/// What one open file has been given and has not passed on.
#[derive(Default)]
pub(crate) struct Lines {
    kept: Vec<u8>,
    /// A line was longer than can be: what still comes is the middle of it, and must not be taken for another.
    spoilt: bool,
}

impl Lines {
    /// The most that is kept of an unfinished line, in bytes.
    const MOST: usize = 1 << 20;

    /// Takes a write, and gives the lines that are whole with it. After a line that is too long every write is refused.
    pub fn take(&mut self, data: &[u8]) -> Result<Vec<u8>> {
        let most = Lines::MOST;
        let too_long = || Error::new(Errno::E2BIG, format!("a line of more than {most} bytes"));
        if self.spoilt {
            return Err(too_long());
        }
        let mut text = std::mem::take(&mut self.kept);
        text.extend_from_slice(data);
        if data.len() < PIECE {
            return Ok(text);
        }
        let end = text.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        if text.len() - end > most {
            self.spoilt = true;
            return Err(too_long());
        }
        self.kept = text.split_off(end);
        Ok(text)
    }

    /// What is left when the file is closed.
    pub fn rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_write_is_whole_and_a_long_one_is_cut_at_its_last_line_end() {
        let mut lines = Lines::default();
        assert_eq!(lines.take(b"A=1"), Ok(b"A=1".to_vec()));
        let mut piece = vec![b'x'; PIECE];
        piece.extend_from_slice(b"\nB=");
        assert_eq!(lines.take(&piece), Ok(piece[..=PIECE].to_vec()));
        assert_eq!(lines.take(b"2\n"), Ok(b"B=2\n".to_vec()));
        assert_eq!(lines.rest(), b"");
    }

    #[test]
    fn a_line_that_never_ends_is_refused_and_its_tail_is_no_line_of_its_own() {
        let mut lines = Lines::default();
        let piece = vec![b'x'; Lines::MOST];
        assert_eq!(lines.take(&piece), Ok(Vec::new()));
        let error = lines.take(&piece).expect_err("too long");
        assert_eq!((error.errno(), error.text()), (Errno::E2BIG, "a line of more than 1048576 bytes"));
        assert!(lines.take(b"tail\n").is_err());
        assert_eq!(lines.rest(), b"");
    }
}
