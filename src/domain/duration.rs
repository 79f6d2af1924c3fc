//! Durations as Go writes them: `1h30m`, `90s`, `24h`.
//!
//! Parses and prints; must never round silently. Beyond Go, `d` is taken as 24 elapsed hours,
//! because deadlines and objectives are said in days.

use chrono::TimeDelta;

/// The longest text that is read, in bytes.
pub const MAX_BYTES: usize = 32;

/// The longest duration that is accepted, in days: ten years.
pub const MAX_DAYS: i64 = 3_660;

const NANOS_PER_SECOND: i128 = 1_000_000_000;

/// Units and their nanoseconds.
const UNITS: [(&str, i128); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("ms", 1_000_000),
    ("s", NANOS_PER_SECOND),
    ("m", 60 * NANOS_PER_SECOND),
    ("h", 3_600 * NANOS_PER_SECOND),
    ("d", 86_400 * NANOS_PER_SECOND),
];

/// Says what is wrong with a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nothing was given.
    #[error("the duration is empty; write it like 1h30m")]
    Empty,
    /// The text is longer than [`MAX_BYTES`].
    #[error("the duration has {bytes} bytes; at most {MAX_BYTES} are read")]
    TooLong {
        /// Length of the text given.
        bytes: usize,
    },
    /// A sign was given; no duration here can be negative.
    #[error("duration {text:?} has a sign; durations here are never negative")]
    Signed {
        /// The text given.
        text: String,
    },
    /// A number was expected.
    #[error("duration {text:?} lacks a number at {rest:?}; write it like 1h30m")]
    Number {
        /// The text given.
        text: String,
        /// Where reading stopped.
        rest: String,
    },
    /// A unit was expected.
    #[error("duration {text:?} lacks a unit at {rest:?}; units are d, h, m, s, ms, us, ns")]
    Unit {
        /// The text given.
        text: String,
        /// Where reading stopped.
        rest: String,
    },
    /// The value is finer than a nanosecond.
    #[error("duration {text:?} is finer than a nanosecond")]
    TooFine {
        /// The text given.
        text: String,
    },
    /// The value is longer than [`MAX_DAYS`].
    #[error("duration {text:?} is longer than {MAX_DAYS} days")]
    TooGreat {
        /// The text given.
        text: String,
    },
}

/// Reads a Go-style duration, such as `1h30m`, `90s`, `1.5h`, `7d` or `0`.
///
/// # Errors
/// Says where the text stops being a duration, or that it is signed, too fine or too great.
pub fn parse(text: &str) -> Result<TimeDelta, Error> {
    let own = || text.to_owned();
    match text {
        "" => return Err(Error::Empty),
        "0" => return Ok(TimeDelta::zero()),
        _ if text.len() > MAX_BYTES => return Err(Error::TooLong { bytes: text.len() }),
        _ if text.starts_with(['-', '+']) => return Err(Error::Signed { text: own() }),
        _ => {}
    }
    let mut rest = text;
    let mut total: i128 = 0;
    while !rest.is_empty() {
        let (nanos, after) = term(text, rest)?;
        total = total
            .checked_add(nanos)
            .ok_or_else(|| Error::TooGreat { text: own() })?;
        rest = after;
    }
    if total > i128::from(MAX_DAYS) * 86_400 * NANOS_PER_SECOND {
        return Err(Error::TooGreat { text: own() });
    }
    let seconds = i64::try_from(total / NANOS_PER_SECOND).ok();
    let nanos = u32::try_from(total % NANOS_PER_SECOND).ok();
    seconds
        .zip(nanos)
        .and_then(|(seconds, nanos)| TimeDelta::new(seconds, nanos))
        .ok_or_else(|| Error::TooGreat { text: own() })
}

/// Reads one number with its unit; gives nanoseconds and what follows.
fn term<'t>(text: &str, rest: &'t str) -> Result<(i128, &'t str), Error> {
    let own = || text.to_owned();
    let number = || Error::Number {
        text: own(),
        rest: rest.to_owned(),
    };
    let (whole, after) = split_digits(rest);
    let (fraction, after) = match after.strip_prefix('.') {
        Some(after) => split_digits(after),
        None => ("", after),
    };
    if whole.is_empty() && fraction.is_empty() {
        return Err(number());
    }
    let unit = &after[..after
        .find(|c: char| c.is_ascii_digit() || c == '.')
        .unwrap_or(after.len())];
    let nanos_per_unit = UNITS
        .iter()
        .find(|(name, _)| *name == unit)
        .map(|(_, nanos)| *nanos)
        .ok_or_else(|| Error::Unit {
            text: own(),
            rest: after.to_owned(),
        })?;
    let great = || Error::TooGreat { text: own() };
    let digits: i128 = format!("{whole}{fraction}").parse().map_err(|_| great())?;
    let scale = u32::try_from(fraction.len())
        .ok()
        .and_then(|len| 10_i128.checked_pow(len));
    let scale = scale.ok_or_else(|| Error::TooFine { text: own() })?;
    let nanos = digits.checked_mul(nanos_per_unit).ok_or_else(great)?;
    if nanos % scale != 0 {
        return Err(Error::TooFine { text: own() });
    }
    Ok((nanos / scale, &after[unit.len()..]))
}

fn split_digits(text: &str) -> (&str, &str) {
    text.split_at(
        text.find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len()),
    )
}

/// Writes a duration in hours, minutes and seconds, without empty units: `24h`, `1h30m`, `1m30s`.
///
/// [`parse`] reads it back to the same value. A negative duration, which nothing here makes,
/// is written with a leading minus.
pub fn format(duration: TimeDelta) -> String {
    let sign = if duration < TimeDelta::zero() {
        "-"
    } else {
        ""
    };
    let duration = duration.abs();
    let (seconds, nanos) = (duration.num_seconds(), duration.subsec_nanos());
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    let mut text = sign.to_owned();
    if hours > 0 {
        text.push_str(&format!("{hours}h"));
    }
    if minutes > 0 {
        text.push_str(&format!("{minutes}m"));
    }
    if nanos != 0 {
        let fraction = format!("{nanos:09}");
        text.push_str(&format!("{seconds}.{}s", fraction.trim_end_matches('0')));
    } else if seconds > 0 || text.is_empty() {
        text.push_str(&format!("{seconds}s"));
    }
    text
}

#[cfg(test)]
mod tests;
