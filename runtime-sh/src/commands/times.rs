//! Times for people: in the zone that TZ names (zones are built in, none of the host's files is read), and from the words that date -d
//! takes.

use super::Env;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use vfs::Time;

/// The zone of TZ: a name of the tz database, or POSIX's rules; UTC for none and for what nobody knows.
pub fn zone(env: &Env) -> TimeZone {
    let Some(name) = env.get(b"TZ").and_then(|name| std::str::from_utf8(name).ok()) else {
        return TimeZone::UTC;
    };
    let name = name.strip_prefix(':').unwrap_or(name);
    TimeZone::get(name).or_else(|_| TimeZone::posix(name)).unwrap_or(TimeZone::UTC)
}

/// `time` in `zone`; clamped to the years that have dates.
pub fn zoned(time: Time, zone: &TimeZone) -> Zoned {
    let stamp = Timestamp::new(time.secs, time.nanos as i32);
    let clamped = if time.secs < 0 { Timestamp::MIN } else { Timestamp::MAX };
    stamp.unwrap_or(clamped).to_zoned(zone.clone())
}

pub fn unzoned(zoned: &Zoned) -> Time {
    let nanos = zoned.timestamp().as_nanosecond();
    Time { secs: nanos.div_euclid(1_000_000_000) as i64, nanos: nanos.rem_euclid(1_000_000_000) as u32 }
}

/// What the words mean, seen from `now`: "2 days ago", "2024-05-06 07:08", "@1700000000".
pub fn parse(words: &[u8], now: Zoned) -> Option<Time> {
    let words = std::str::from_utf8(words).ok()?.trim();
    if words.is_empty() {
        let midnight = now.start_of_day().ok()?;
        return Some(unzoned(&midnight));
    }
    let parsed = parse_datetime::parse_datetime_at_date(now, words).ok()?;
    match parsed {
        parse_datetime::ParsedDateTime::InRange(zoned) => Some(unzoned(&zoned)),
        _ => None,
    }
}

/// strftime(3) with GNU's additions (`%N`, `%:z`, `%-d`, `%_H`, `%^a`, widths).
pub fn format(zoned: &Zoned, format: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = format;
    while let Some(at) = memchr::memchr(b'%', rest) {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at + 1..];
        let (mut pad, mut upper, mut width, mut colons, mut used) = (None, false, 0usize, 0, 0);
        while let Some(flag) = rest.get(used) {
            match flag {
                b'-' | b'_' => pad = Some(*flag),
                b'0' if width == 0 => pad = Some(b'0'),
                b'^' | b'#' => upper = true,
                b'0'..=b'9' => width = (width * 10 + usize::from(flag - b'0')).min(1024),
                b':' => colons += 1,
                b'E' | b'O' => {}
                _ => break,
            }
            used += 1;
        }
        let Some(letter) = rest.get(used) else {
            out.push(b'%');
            out.extend_from_slice(rest);
            return out;
        };
        let field = field(zoned, *letter, colons, width);
        match field {
            None => {
                out.push(b'%');
                out.extend_from_slice(&rest[..=used]);
            }
            Some((text, usual, least)) => {
                let pad = pad.unwrap_or(usual);
                let width = if pad == b'-' {
                    0
                } else if width > 0 && *letter != b'N' {
                    width
                } else {
                    least
                };
                let text = if upper { text.to_uppercase() } else { text };
                let text = if pad == b'-' && usual != 0 {
                    text.trim_start_matches(['0', ' ']).to_owned()
                } else {
                    text
                };
                let text = if text.is_empty() && usual != 0 && pad == b'-' { "0".to_owned() } else { text };
                let fill = width.saturating_sub(text.len());
                let by = if pad == b'0' { b'0' } else { b' ' };
                out.extend(std::iter::repeat_n(by, fill));
                out.extend_from_slice(text.as_bytes());
            }
        }
        rest = &rest[used + 1..];
    }
    out.extend_from_slice(rest);
    out
}

/// A conversion without padding, what it is padded with, and how wide it is at least.
fn field(zoned: &Zoned, letter: u8, colons: usize, width: usize) -> Option<(String, u8, usize)> {
    let number = |value: i64, width: usize| Some((value.to_string(), b'0', width));
    let composed =
        |text: &str| Some((String::from_utf8_lossy(&format(zoned, text.as_bytes())).into_owned(), 0, 0));
    let spelled = |text: &str| Some((zoned.strftime(text).to_string(), 0, 0));
    match letter {
        b'%' => Some(("%".into(), 0, 0)),
        b'n' => Some(("\n".into(), 0, 0)),
        b't' => Some(("\t".into(), 0, 0)),
        b'a' => spelled("%a"),
        b'A' => spelled("%A"),
        b'b' | b'h' => spelled("%b"),
        b'B' => spelled("%B"),
        b'c' => composed("%a %b %e %H:%M:%S %Y"),
        b'C' => number(i64::from(zoned.year()).div_euclid(100), 2),
        b'd' => number(zoned.day().into(), 2),
        b'D' | b'x' => composed("%m/%d/%y"),
        b'e' => Some((zoned.day().to_string(), b'_', 2)),
        b'F' => composed("%Y-%m-%d"),
        b'g' => number(i64::from(zoned.date().iso_week_date().year()).rem_euclid(100), 2),
        b'G' => number(zoned.date().iso_week_date().year().into(), 4),
        b'H' => number(zoned.hour().into(), 2),
        b'I' => number((i64::from(zoned.hour()) + 11) % 12 + 1, 2),
        b'j' => number(zoned.day_of_year().into(), 3),
        b'k' => Some((zoned.hour().to_string(), b'_', 2)),
        b'l' => Some((((i64::from(zoned.hour()) + 11) % 12 + 1).to_string(), b'_', 2)),
        b'm' => number(zoned.month().into(), 2),
        b'M' => number(zoned.minute().into(), 2),
        b'N' => {
            let digits = format!("{:09}", zoned.subsec_nanosecond());
            let count = if width == 0 { 9 } else { width.min(9) };
            Some((digits[..count].to_owned(), 0, 0))
        }
        b'p' => Some((if zoned.hour() < 12 { "AM" } else { "PM" }.into(), 0, 0)),
        b'P' => Some((if zoned.hour() < 12 { "am" } else { "pm" }.into(), 0, 0)),
        b'q' => number((i64::from(zoned.month()) + 2) / 3, 1),
        b'r' => composed("%I:%M:%S %p"),
        b'R' => composed("%H:%M"),
        b's' => number(unzoned(zoned).secs, 1),
        b'S' => number(zoned.second().into(), 2),
        b'T' | b'X' => composed("%H:%M:%S"),
        b'u' => number(zoned.weekday().to_monday_one_offset().into(), 1),
        b'U' => number(
            (i64::from(zoned.day_of_year()) + 6 - i64::from(zoned.weekday().to_sunday_zero_offset())) / 7,
            2,
        ),
        b'V' => number(zoned.date().iso_week_date().week().into(), 2),
        b'w' => number(zoned.weekday().to_sunday_zero_offset().into(), 1),
        b'W' => number(
            (i64::from(zoned.day_of_year()) + 6 - i64::from(zoned.weekday().to_monday_zero_offset())) / 7,
            2,
        ),
        b'y' => number(i64::from(zoned.year()).rem_euclid(100), 2),
        b'Y' => number(zoned.year().into(), 4),
        b'z' => {
            let seconds = zoned.offset().seconds();
            let sign = if seconds < 0 { '-' } else { '+' };
            let (hours, minutes, rest) = (seconds.abs() / 3600, seconds.abs() / 60 % 60, seconds.abs() % 60);
            Some((
                match colons {
                    0 => format!("{sign}{hours:02}{minutes:02}"),
                    1 => format!("{sign}{hours:02}:{minutes:02}"),
                    2 => format!("{sign}{hours:02}:{minutes:02}:{rest:02}"),
                    _ if rest != 0 => format!("{sign}{hours:02}:{minutes:02}:{rest:02}"),
                    _ if minutes != 0 => format!("{sign}{hours:02}:{minutes:02}"),
                    _ => format!("{sign}{hours:02}"),
                },
                0,
                0,
            ))
        }
        b'Z' => Some((zoned.time_zone().to_offset_info(zoned.timestamp()).abbreviation().to_owned(), 0, 0)),
        _ => None,
    }
}
