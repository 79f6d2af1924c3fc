//! Reads the body of installPatches (azure.md 1.5).

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use crate::http::reply::ArmError;
use crate::job::InstallRequest;
use crate::patches::{Classification, RebootSetting};

/// Names in one list of an install; a bound on what is kept.
const LIST_BOUND: usize = 500;

/// Reads an install request. Arc requires a maximum duration, Compute does not.
pub(crate) fn read(body: &Value, duration_required: bool) -> Result<InstallRequest, ArmError> {
    let windows = &body["windowsParameters"];
    let reboot = body["rebootSetting"]
        .as_str()
        .and_then(RebootSetting::parse)
        .ok_or_else(|| invalid("rebootSetting", "must be IfRequired, Never or Always"))?;
    let maximum = match body["maximumDuration"].as_str() {
        Some(text) => {
            let parsed = duration(text).filter(|length| *length > TimeDelta::zero());
            Some(parsed.ok_or_else(|| invalid("maximumDuration", "is not an ISO 8601 duration"))?)
        }
        None if duration_required => return Err(invalid("maximumDuration", "is required")),
        None => None,
    };
    let mut classifications = Vec::new();
    for word in list(windows, "classificationsToInclude")? {
        let class = Classification::parse(&word);
        classifications.push(class.ok_or_else(|| {
            invalid(
                "windowsParameters.classificationsToInclude",
                "has an unknown classification",
            )
        })?);
    }
    let request = InstallRequest {
        maximum,
        reboot,
        classifications,
        include: kbs(windows, "kbNumbersToInclude")?,
        exclude: kbs(windows, "kbNumbersToExclude")?,
        exclude_reboot: windows["excludeKbsRequiringReboot"]
            .as_bool()
            .unwrap_or(false),
        published_before: instant(windows, "maxPatchPublishDate")?,
        name_include: list(windows, "patchNameMasksToInclude")?,
        name_exclude: list(windows, "patchNameMasksToExclude")?,
    };
    let nothing = request.classifications.is_empty()
        && request.include.is_empty()
        && request.name_include.is_empty();
    if nothing {
        return Err(invalid(
            "windowsParameters",
            "must name at least one classification or KB number",
        ));
    }
    Ok(request)
}

fn invalid(target: &str, what: &str) -> ArmError {
    ArmError::invalid(target, format!("The value of parameter {target} {what}."))
}

fn list(windows: &Value, name: &str) -> Result<Vec<String>, ArmError> {
    let target = format!("windowsParameters.{name}");
    match &windows[name] {
        Value::Null => Ok(Vec::new()),
        Value::Array(items) if items.len() <= LIST_BOUND => items
            .iter()
            .map(|item| item.as_str().map(str::to_owned))
            .collect::<Option<_>>()
            .ok_or_else(|| invalid(&target, "must be a list of strings")),
        _ => Err(invalid(&target, "must be a list of strings")),
    }
}

/// KB numbers come with or without "KB"; only the digits are kept.
fn kbs(windows: &Value, name: &str) -> Result<Vec<String>, ArmError> {
    let target = format!("windowsParameters.{name}");
    list(windows, name)?
        .into_iter()
        .map(|kb| {
            let upper = kb.trim().to_uppercase();
            let digits = upper.strip_prefix("KB").unwrap_or(&upper).to_owned();
            let sound = !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit());
            if sound {
                Ok(digits)
            } else {
                Err(invalid(&target, "has an invalid KB number"))
            }
        })
        .collect()
}

fn instant(windows: &Value, name: &str) -> Result<Option<DateTime<Utc>>, ArmError> {
    let target = format!("windowsParameters.{name}");
    match &windows[name] {
        Value::Null => Ok(None),
        Value::String(text) => DateTime::parse_from_rfc3339(text)
            .map(|at| Some(at.to_utc()))
            .map_err(|_| invalid(&target, "is not an instant")),
        _ => Err(invalid(&target, "is not an instant")),
    }
}

/// Reads an ISO 8601 duration of days, hours, minutes and seconds (`PT3H55M`).
pub(crate) fn duration(text: &str) -> Option<TimeDelta> {
    let rest = text.strip_prefix('P')?;
    let (days, time) = match rest.split_once('T') {
        Some((days, time)) if !time.is_empty() => (days, time),
        Some(_) => return None,
        None => (rest, ""),
    };
    if days.is_empty() && time.is_empty() {
        return None;
    }
    let seconds = part(days, &[('D', 86_400)])?
        .checked_add(part(time, &[('H', 3_600), ('M', 60), ('S', 1)])?)?;
    TimeDelta::try_seconds(seconds)
}

fn part(text: &str, units: &[(char, i64)]) -> Option<i64> {
    let mut rest = text;
    let mut total: i64 = 0;
    for (unit, seconds) in units {
        if let Some((number, after)) = rest.split_once(*unit) {
            let value: i64 = number.parse().ok()?;
            total = total.checked_add(value.checked_mul(*seconds)?)?;
            rest = after;
        }
    }
    rest.is_empty().then_some(total)
}

#[cfg(test)]
mod tests {
    use super::duration;

    #[test]
    fn durations_are_read_in_days_hours_minutes_and_seconds() {
        for (text, minutes) in [
            ("PT4H", Some(240)),
            ("PT3H55M", Some(235)),
            ("PT90M", Some(90)),
            ("P1DT1H", Some(1500)),
            ("PT", None),
            ("P", None),
            ("4H", None),
            ("PT4X", None),
        ] {
            assert_eq!(
                duration(text).map(|length| length.num_minutes()),
                minutes,
                "{text}"
            );
        }
    }
}
