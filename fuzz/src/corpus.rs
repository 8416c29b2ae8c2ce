//! Corpora as text: an input a line, in hexadecimal. A fuzzer wants a file each, a repository does not.

use std::fmt::Write;

/// The inputs of a corpus.
///
/// # Errors
/// The number of the line that is none.
pub fn read(text: &str) -> Result<Vec<Vec<u8>>, usize> {
    text.lines().enumerate().map(|(index, line)| bytes(line).ok_or(index + 1)).collect()
}

fn bytes(line: &str) -> Option<Vec<u8>> {
    let digits = line.as_bytes().chunks_exact(2);
    if !digits.remainder().is_empty() {
        return None;
    }
    digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

/// The text of a corpus: the short inputs first, as far as `most` bytes of them go.
pub fn write(mut inputs: Vec<Vec<u8>>, most: usize) -> String {
    inputs.sort_by(|a, b| a.len().cmp(&b.len()).then_with(|| a.cmp(b)));
    inputs.dedup();
    let mut text = String::new();
    let mut size = 0;
    for input in inputs.iter().filter(|input| !input.is_empty()) {
        size += input.len();
        if size > most {
            break;
        }
        for byte in input {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back_the_short_ones_first() {
        let text = write(vec![b"longer".to_vec(), vec![0, 255], vec![0, 255], Vec::new()], 100);
        assert_eq!(text, "00ff\n6c6f6e676572\n");
        assert_eq!(read(&text), Ok(vec![vec![0, 255], b"longer".to_vec()]));
        assert_eq!(write(vec![b"longer".to_vec(), vec![1]], 5), "01\n");
        assert_eq!(read("00\n0\n"), Err(2));
        assert_eq!(read("0g"), Err(1));
    }
}
