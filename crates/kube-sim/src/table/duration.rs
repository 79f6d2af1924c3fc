//! Ages as people read them: `k8s.io/apimachinery/pkg/util/duration` `HumanDuration`.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

const DAY_HOURS: i64 = 24;
const YEAR_DAYS: i64 = 365;

/// How long ago something was; a clock that runs up to a second behind is forgiven.
pub(super) fn since(then: DateTime<Utc>, now: DateTime<Utc>) -> String {
    human(now - then)
}

/// How long ago a timestamp field is, or `<unknown>` where there is none.
pub(super) fn since_field(field: &Value, now: DateTime<Utc>) -> String {
    let parsed = field.as_str().and_then(|text| text.parse().ok());
    parsed.map_or_else(|| "<unknown>".to_owned(), |then| since(then, now))
}

fn human(length: TimeDelta) -> String {
    let pair = |large: i64, unit: &str, small: i64, rest: &str| match small {
        0 => format!("{large}{unit}"),
        _ => format!("{large}{unit}{small}{rest}"),
    };
    let (seconds, minutes) = (length.num_seconds(), length.num_minutes());
    let (hours, days) = (length.num_hours(), length.num_days());
    match () {
        () if seconds < -1 => "<invalid>".to_owned(),
        () if seconds < 0 => "0s".to_owned(),
        () if seconds < 2 * 60 => format!("{seconds}s"),
        () if minutes < 10 => pair(minutes, "m", seconds % 60, "s"),
        () if minutes < 3 * 60 => format!("{minutes}m"),
        () if hours < 8 => pair(hours, "h", minutes % 60, "m"),
        () if hours < 2 * DAY_HOURS => format!("{hours}h"),
        () if days < 8 => pair(days, "d", hours % DAY_HOURS, "h"),
        () if days < 2 * YEAR_DAYS => format!("{days}d"),
        () if days < 8 * YEAR_DAYS => pair(days / YEAR_DAYS, "y", days % YEAR_DAYS, "d"),
        () => format!("{}y", days / YEAR_DAYS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_has_two_units_while_the_second_one_matters() {
        const HOUR: i64 = 3600;
        const DAY: i64 = 24 * HOUR;
        let table = [
            (-5, "<invalid>"),
            (-1, "0s"),
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (185, "3m5s"),
            (10 * 60 + 59, "10m"),
            (179 * 60, "179m"),
            (3 * HOUR, "3h"),
            (7 * HOUR + 61, "7h1m"),
            (47 * HOUR + 1, "47h"),
            (2 * DAY, "2d"),
            (7 * DAY + 5 * HOUR, "7d5h"),
            (8 * DAY, "8d"),
            (729 * DAY, "729d"),
            (730 * DAY, "2y"),
            (3 * 365 * DAY + 4 * DAY, "3y4d"),
            (9 * 365 * DAY, "9y"),
        ];
        for (seconds, want) in table {
            assert_eq!(human(TimeDelta::seconds(seconds)), want, "{seconds} s");
        }
        assert_eq!(since_field(&Value::Null, DateTime::UNIX_EPOCH), "<unknown>");
    }
}
