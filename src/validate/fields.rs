//! Reads single fields: durations, limits, dates, releases, tags. Each message names the field and
//! the cure in one sentence.

use std::collections::BTreeMap;
use std::num::NonZeroU8;

use chrono::{NaiveDate, TimeDelta};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::faults::Faults;
use crate::api::selector::{TagOperator, TagSelector as Tags};
use crate::api::window::Exclusion as Days;
use crate::domain::duration;
use crate::domain::policy::{Limit, TagRule, TagSelector};
use crate::domain::release::ReleaseRef;
use crate::domain::window::Exclusion;

/// Reads a duration of whole seconds.
pub(super) fn span(field: &str, text: &str) -> Result<TimeDelta, String> {
    let span = duration::parse(text).map_err(|error| format!("{field}: {error}"))?;
    if span.subsec_nanos() != 0 {
        return Err(format!(
            "{field}: {text:?} is finer than a second; write whole seconds"
        ));
    }
    Ok(span)
}

/// Reads a number of machines or a share of them.
pub(super) fn limit(field: &str, value: &IntOrString) -> Result<Limit, String> {
    let cure = "write a whole number from 0, or a percentage from \"1%\" to \"100%\"";
    match value {
        IntOrString::Int(count) => u32::try_from(*count)
            .map(Limit::Count)
            .map_err(|_| format!("{field}: {count} is below 0; {cure}")),
        IntOrString::String(text) => {
            let share = text
                .strip_suffix('%')
                .filter(|digits| is_plain_number(digits));
            let share = share.and_then(|digits| digits.parse::<u8>().ok());
            match share.map(|share| (share <= 100).then(|| NonZeroU8::new(share)).flatten()) {
                Some(Some(share)) => Ok(Limit::Percent(share)),
                Some(None) if text == "0%" => Err(format!(
                    "{field}: \"0%\" is refused; write 0 where you mean nothing"
                )),
                _ => Err(format!("{field}: {text:?} is no limit; {cure}")),
            }
        }
    }
}

fn is_plain_number(digits: &str) -> bool {
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    plain && (digits == "0" || !digits.starts_with('0'))
}

/// Reads a calendar date.
pub(super) fn date(field: &str, text: &str) -> Result<NaiveDate, String> {
    let read = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok();
    // The parser alone would take "2026-1-2".
    read.filter(|date| date.format("%Y-%m-%d").to_string() == text)
        .ok_or_else(|| {
            format!("{field}: {text:?} is no date of the calendar; write it as YYYY-MM-DD")
        })
}

/// Reads a release, or a month of releases.
pub(super) fn release(field: &str, text: &str) -> Result<ReleaseRef, String> {
    text.parse().map_err(|error| format!("{field}: {error}"))
}

/// Reads the exclusions of a window or a fleet; faults carry `reason`.
pub(super) fn exclusions(
    list: &[Days],
    reason: &'static str,
    faults: &mut Faults,
) -> Vec<Exclusion> {
    let mut read = Vec::with_capacity(list.len());
    for days in list {
        let at = format!("spec.exclusions[{}]", days.name);
        let from = date(&format!("{at}.from"), &days.from);
        let through = date(&format!("{at}.through"), &days.through);
        let exclusion = from.and_then(|from| {
            Exclusion::new(&days.name, from, through?).map_err(|error| {
                format!("{at}: {error}; set through to the same day as from, or later")
            })
        });
        match exclusion {
            Ok(exclusion) => read.push(exclusion),
            Err(message) => faults.spec(reason, message),
        }
    }
    read
}

/// Reads a selector of tags; one that is left out selects every machine.
pub(super) fn tags(field: &str, tags: Option<&Tags>, faults: &mut Faults) -> TagSelector {
    let Some(tags) = tags else {
        return TagSelector::default();
    };
    let mut rules = Vec::new();
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    for (name, value) in &tags.match_labels {
        let at = format!("{field}.matchLabels");
        if name.is_empty() {
            faults.spec(
                "InvalidSpec",
                format!("{at}: a tag has no name; name it or remove it"),
            );
        }
        if seen
            .insert(name.to_ascii_lowercase(), value)
            .is_some_and(|other| other != value)
        {
            let text = "asks for two values of one tag, as names of tags compare without regard to \
                        case; remove one";
            faults.spec("InvalidSpec", format!("{at}: {name:?} {text}"));
        }
        rules.push(TagRule::Equals(name.clone(), value.clone()));
    }
    for (place, term) in tags.match_expressions.iter().enumerate() {
        let at = format!("{field}.matchExpressions[{place}]");
        let (key, values) = (term.key.clone(), term.values.clone());
        if key.is_empty() {
            faults.spec(
                "InvalidSpec",
                format!("{at}.key: a tag has no name; name it"),
            );
        }
        let wants_values = matches!(term.operator, TagOperator::In | TagOperator::NotIn);
        if wants_values == values.is_empty() {
            let cure = if wants_values {
                "needs at least one value"
            } else {
                "takes no values"
            };
            let text = format!("{at}.values: operator {:?} {cure}", term.operator);
            faults.spec("InvalidSpec", text);
        }
        rules.push(match term.operator {
            TagOperator::In => TagRule::In(key, values),
            TagOperator::NotIn => TagRule::NotIn(key, values),
            TagOperator::Exists => TagRule::Exists(key),
            TagOperator::DoesNotExist => TagRule::Absent(key),
        });
    }
    TagSelector(rules)
}

#[cfg(test)]
mod tests {
    // tests may unwrap
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn limits_are_counts_or_shares() {
        let text = |text: &str| IntOrString::String(text.to_owned());
        let share = |share| Limit::Percent(NonZeroU8::new(share).unwrap());
        assert_eq!(limit("f", &IntOrString::Int(0)), Ok(Limit::Count(0)));
        assert_eq!(limit("f", &IntOrString::Int(7)), Ok(Limit::Count(7)));
        assert_eq!(limit("f", &text("1%")), Ok(share(1)));
        assert_eq!(limit("f", &text("100%")), Ok(share(100)));
        let cure = "write a whole number from 0, or a percentage from \"1%\" to \"100%\"";
        for (value, says) in [
            (IntOrString::Int(-1), format!("f: -1 is below 0; {cure}")),
            (
                text("0%"),
                "f: \"0%\" is refused; write 0 where you mean nothing".to_owned(),
            ),
            (text("101%"), format!("f: \"101%\" is no limit; {cure}")),
            (text("256%"), format!("f: \"256%\" is no limit; {cure}")),
            (text("00%"), format!("f: \"00%\" is no limit; {cure}")),
            (text("+5%"), format!("f: \"+5%\" is no limit; {cure}")),
            (text("5"), format!("f: \"5\" is no limit; {cure}")),
            (text("%"), format!("f: \"%\" is no limit; {cure}")),
            (text(""), format!("f: \"\" is no limit; {cure}")),
        ] {
            assert_eq!(limit("f", &value), Err(says), "{value:?}");
        }
    }

    #[test]
    fn a_date_is_one_of_the_calendar_in_one_spelling() {
        assert!(date("f", "2028-02-29").is_ok());
        for text in ["2026-02-29", "2026-2-3", "2026-13-01", "", "today"] {
            let says = "is no date of the calendar; write it as YYYY-MM-DD";
            assert_eq!(date("f", text), Err(format!("f: {text:?} {says}")));
        }
    }

    #[test]
    fn a_span_has_whole_seconds() {
        assert_eq!(span("f", "1h30m"), Ok(TimeDelta::minutes(90)));
        let fine = "f: \"1500ms\" is finer than a second; write whole seconds";
        assert_eq!(span("f", "1500ms"), Err(fine.to_owned()));
        let iso = "f: duration \"PT4H\" lacks a number at \"PT4H\"; write it like 1h30m";
        assert_eq!(span("f", "PT4H"), Err(iso.to_owned()));
    }
}
