//! Short texts for people: one line, bounded, with points in time instead of times left.

use chrono::{DateTime, Utc};

/// The most names that one text lists; the rest is counted.
pub(super) const NAMES_MAX: usize = 10;

/// Makes one line of a text and cuts it to `max` characters, marking the cut.
pub(super) fn line(text: &str, max: usize) -> String {
    let words: Vec<&str> = text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .collect();
    let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
    let text = words.join(" ");
    if text.chars().count() <= max {
        return text;
    }
    let kept: String = text.chars().take(max.saturating_sub(1)).collect();
    format!("{kept}…")
}

/// Cuts a text to `max` bytes at a character, marking the cut.
pub(super) fn bytes(text: &str, max: usize) -> String {
    const MARK: &str = "…";
    if text.len() <= max {
        return text.to_owned();
    }
    let mut end = max.saturating_sub(MARK.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{MARK}", &text[..end])
}

/// Writes a point in time.
pub(super) fn at(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M UTC").to_string()
}

/// Writes a number of machines.
pub(super) fn machines(count: usize) -> String {
    if count == 1 {
        "1 machine".to_owned()
    } else {
        format!("{count} machines")
    }
}

/// Lists names, at most [`NAMES_MAX`] of them.
pub(super) fn names<S: AsRef<str>>(names: &[S]) -> String {
    let shown: Vec<&str> = names.iter().take(NAMES_MAX).map(AsRef::as_ref).collect();
    let list = shown.join(", ");
    match names.len().saturating_sub(NAMES_MAX) {
        0 => list,
        more => format!("{list} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_becomes_one_bounded_line() {
        let cases = [
            ("one\ntwo", 80, "one two"),
            ("  a\t\r\n b ", 80, "a b"),
            ("äöüß", 4, "äöüß"),
            ("äöüßx", 4, "äöü…"),
            ("", 4, ""),
        ];
        for (given, max, expected) in cases {
            assert_eq!(line(given, max), expected, "{given:?}");
        }
    }

    #[test]
    fn a_note_is_cut_at_a_character_within_its_bytes() {
        let cut = bytes(&"ä".repeat(600), 1024);
        assert!(cut.len() <= 1024 && cut.ends_with("ä…"), "{}", cut.len());
        assert_eq!(bytes("short", 1024), "short");
    }

    #[test]
    fn many_names_are_counted() {
        let many: Vec<String> = (0..12).map(|i| format!("m{i}")).collect();
        assert!(names(&many).ends_with("m9 and 2 more"), "{}", names(&many));
        assert_eq!(names(&["a", "b"]), "a, b");
    }
}
