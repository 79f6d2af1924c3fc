//! What an answer says about buckets, and takes from them.

use chrono::{DateTime, TimeDelta, Utc};
use http::{HeaderMap, StatusCode};

use super::policy::Policy;
use crate::azure::graph::clock_seconds;

/// How many tokens the bucket of a policy holds by an answer's headers: the one that machines
/// share, and the one of the VM.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Remaining {
    pub(super) shared: Option<u32>,
    pub(super) own: Option<u32>,
}

/// Reads what is left in a bucket.
pub(super) fn remaining(policy: Policy, headers: &HeaderMap) -> Remaining {
    let number = |name: &str| -> Option<u32> {
        let text = headers.get(name)?.to_str().ok()?.trim();
        // Resource Manager has been seen to count below zero; that is nothing.
        text.parse::<i64>()
            .ok()
            .map(|left| u32::try_from(left.max(0)).unwrap_or(u32::MAX))
    };
    let shared = |name| Remaining {
        shared: number(name),
        own: None,
    };
    match policy {
        Policy::ArmReads => shared("x-ms-ratelimit-remaining-subscription-reads"),
        Policy::ArmWrites => shared("x-ms-ratelimit-remaining-subscription-writes"),
        Policy::ArmDeletes => shared("x-ms-ratelimit-remaining-subscription-deletes"),
        Policy::Graph => shared("x-ms-user-quota-remaining"),
        _ => named(policy, headers),
    }
}

/// Reads `x-ms-ratelimit-remaining-resource: Microsoft.Compute/<policy>;<left>,…`. A name that
/// speaks of a resource is the VM's own bucket. Of several that fit, the lowest counts.
fn named(policy: Policy, headers: &HeaderMap) -> Remaining {
    let mut found = Remaining::default();
    let values = headers.get_all("x-ms-ratelimit-remaining-resource");
    let texts = values.iter().filter_map(|value| value.to_str().ok());
    for (name, left) in texts
        .flat_map(|text| text.split(','))
        .filter_map(|entry| entry.trim().rsplit_once(';'))
    {
        let name = name.trim().rsplit('/').next().unwrap_or_default();
        let Ok(left) = left.trim().parse::<u32>() else {
            continue;
        };
        if !policy.is_named(name) {
            continue;
        }
        let is_own = name.to_ascii_lowercase().contains("resource");
        let slot = if is_own {
            &mut found.own
        } else {
            &mut found.shared
        };
        *slot = Some(slot.map_or(left, |old| old.min(left)));
    }
    found
}

/// Returns until when a refused call's bucket is closed: `Retry-After` as `seconds`, or the reset
/// of Resource Graph's quota. None where the answer refuses nothing.
pub(super) fn closed_until(
    status: StatusCode,
    headers: &HeaderMap,
    seconds: u64,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    let reset = headers
        .get("x-ms-user-quota-resets-after")
        .and_then(|value| value.to_str().ok())
        .and_then(clock_seconds);
    let spent = headers
        .get("x-ms-user-quota-remaining")
        .is_some_and(|left| left == "0");
    let seconds = match (status == StatusCode::TOO_MANY_REQUESTS, spent, reset) {
        (true, _, Some(reset)) => seconds.max(reset),
        (true, _, None) => seconds,
        (false, true, Some(reset)) => reset,
        _ => return None,
    };
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX).clamp(1, 3600);
    Some(now + TimeDelta::seconds(seconds))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may unwrap")]
    use super::*;

    fn headers(rows: &[(&'static str, &str)]) -> HeaderMap {
        let pairs = rows.iter().map(|(name, value)| {
            (
                http::HeaderName::from_static(name),
                http::HeaderValue::from_str(value).unwrap(),
            )
        });
        pairs.collect()
    }

    #[test]
    fn what_is_left_is_read_for_the_right_bucket() {
        const RESOURCE: &str = "x-ms-ratelimit-remaining-resource";
        let of = |shared, own| Remaining { shared, own };
        let rows = [
            (
                Policy::ArmReads,
                vec![("x-ms-ratelimit-remaining-subscription-reads", "249")],
                of(Some(249), None),
            ),
            (
                Policy::ArmWrites,
                vec![("x-ms-ratelimit-remaining-subscription-reads", "249")],
                of(None, None),
            ),
            (
                Policy::ArmWrites,
                vec![("x-ms-ratelimit-remaining-subscription-writes", "-3")],
                of(Some(0), None),
            ),
            (
                Policy::Graph,
                vec![("x-ms-user-quota-remaining", "14")],
                of(Some(14), None),
            ),
            (
                Policy::GuestPatch,
                vec![(
                    RESOURCE,
                    "Microsoft.Compute/VMGuestPatchResource;5, \
                 Microsoft.Compute/VMGuestPatchSubscriptionMaximum;599",
                )],
                of(Some(599), Some(5)),
            ),
            (
                Policy::GuestPatch,
                vec![(
                    RESOURCE,
                    "Microsoft.Compute/UpdateVMResource;11,Microsoft.Compute/UpdateVM;1499",
                )],
                of(None, None),
            ),
            (
                Policy::ListVms,
                vec![(
                    RESOURCE,
                    "Microsoft.Compute/HighCostGet3Min;46,Microsoft.Compute/HighCostGet30Min;138",
                )],
                of(Some(46), None),
            ),
            (
                Policy::GetVm,
                vec![(RESOURCE, "Microsoft.Compute/LowCostGet;many")],
                of(None, None),
            ),
            (Policy::GetVm, vec![], of(None, None)),
        ];
        for (policy, list, expected) in rows {
            assert_eq!(
                remaining(policy, &headers(&list)),
                expected,
                "{policy:?} {list:?}"
            );
        }
    }

    #[test]
    fn a_refusal_or_a_spent_quota_closes() {
        let now: DateTime<Utc> = "2026-11-22T03:00:00Z".parse().unwrap();
        let reset = ("x-ms-user-quota-resets-after", "00:00:04");
        let rows = [
            (200, vec![], None),
            (200, vec![reset], None),
            (
                200,
                vec![reset, ("x-ms-user-quota-remaining", "0")],
                Some(4),
            ),
            (429, vec![], Some(17)),
            (
                429,
                vec![("x-ms-user-quota-resets-after", "00:01:00")],
                Some(60),
            ),
        ];
        for (status, list, seconds) in rows {
            let status = StatusCode::from_u16(status).unwrap();
            let found = closed_until(status, &headers(&list), 17, now);
            let expected = seconds.map(|own| now + TimeDelta::seconds(own));
            assert_eq!(found, expected, "{status} {list:?}");
        }
    }
}
