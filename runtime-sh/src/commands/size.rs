//! Sizes as GNU's options take them (`10K`, `5MB`, `2b`) and as its listings show them (`1.5K`).

/// A number with a multiplier; the letters allowed are those of `units`. None where it is none, or too large.
pub fn parse(text: &[u8], units: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?;
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, suffix) = text.split_at(digits);
    let number: u64 = match (number, suffix) {
        ("", "") => return None,
        ("", _) => 1,
        (number, _) => number.parse().ok()?,
    };
    if suffix.is_empty() {
        return Some(number);
    }
    let letter = suffix.as_bytes()[0];
    if !units.contains(&letter) {
        return None;
    }
    let factor: u64 = match (letter, &suffix[1..]) {
        (b'b', "") => 512,
        (b'c', "") => 1,
        (b'w', "") => 2,
        (b'B', "") => 1,
        (letter, rest) => {
            let power = b"KMGTPE".iter().position(|unit| unit.eq_ignore_ascii_case(&letter))? as u32 + 1;
            match rest {
                "" | "iB" => 1024u64.checked_pow(power)?,
                "B" => 1000u64.checked_pow(power)?,
                _ => return None,
            }
        }
    };
    number.checked_mul(factor)
}

/// `1.5K`: three digits at most, rounded up (human_readable of gnulib).
pub fn human(bytes: u64, base: u64) -> String {
    let units: &[&str] =
        if base == 1024 { &["", "K", "M", "G", "T", "P", "E"] } else { &["", "k", "M", "G", "T", "P", "E"] };
    let (mut unit, mut divisor) = (0, 1u128);
    let bytes = u128::from(bytes);
    while bytes >= divisor * u128::from(base) && unit + 1 < units.len() {
        divisor *= u128::from(base);
        unit += 1;
    }
    if unit == 0 {
        return bytes.to_string();
    }
    let tenths = (bytes * 10).div_ceil(divisor);
    if tenths < 100 {
        return format!("{}.{}{}", tenths / 10, tenths % 10, units[unit]);
    }
    let whole = bytes.div_ceil(divisor);
    if whole >= u128::from(base) && unit + 1 < units.len() {
        return format!("1.0{}", units[unit + 1]);
    }
    format!("{whole}{}", units[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_their_units_and_shown_rounded_up() {
        assert_eq!(parse(b"2K", b"bKM"), Some(2048));
        assert_eq!(parse(b"3MB", b"bKM"), Some(3_000_000));
        assert_eq!(parse(b"1b", b"bKM"), Some(512));
        assert_eq!(parse(b"1x", b"bKM"), None);
        let shown: Vec<String> =
            [0, 1023, 1024, 1025, 10_240, 10_241, 1_048_575].map(|n| human(n, 1024)).into();
        assert_eq!(shown, ["0", "1023", "1.0K", "1.1K", "10K", "11K", "1.0M"]);
    }
}
