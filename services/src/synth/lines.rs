//! Writes gathered into lines: a here-document may come in several pieces, cut anywhere.

/// From this many bytes on, a write that ends within a line is a piece of something longer: the line is kept until the
/// rest comes. A shorter one is all there is (`printf A=1 > env`).
const PIECE: usize = 1024;

/// What one open file has been given and has not passed on.
#[derive(Default)]
pub(crate) struct Lines {
    kept: Vec<u8>,
}

impl Lines {
    /// The most that is kept of an unfinished line, in bytes.
    const MOST: usize = 1 << 20;

    /// Takes a write, and gives the lines that are whole with it.
    pub fn take(&mut self, data: &[u8]) -> Vec<u8> {
        let mut text = std::mem::take(&mut self.kept);
        text.extend_from_slice(data);
        if data.len() < PIECE || text.len() > Lines::MOST {
            return text;
        }
        let end = text.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        self.kept = text.split_off(end);
        text
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
        assert_eq!(lines.take(b"A=1"), b"A=1");
        let mut piece = vec![b'x'; PIECE];
        piece.extend_from_slice(b"\nB=");
        assert_eq!(lines.take(&piece), piece[..=PIECE]);
        assert_eq!(lines.take(b"2\n"), b"B=2\n");
        assert_eq!(lines.rest(), b"");
    }
}
