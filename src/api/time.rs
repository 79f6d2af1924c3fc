//! Where kube's timestamps (jiff inside) meet chrono, the time type of this crate. Nothing else
//! may convert between the two.

use chrono::{DateTime, Utc};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;

/// Converts a Kubernetes timestamp; `None` where chrono cannot represent it.
pub fn from_k8s(time: &Time) -> Option<DateTime<Utc>> {
    let nanos = u32::try_from(time.0.subsec_nanosecond());
    match nanos {
        Ok(nanos) => DateTime::from_timestamp(time.0.as_second(), nanos),
        // Before 1970 jiff counts the fraction downwards; no such time exists in a cluster.
        Err(_) => DateTime::from_timestamp(time.0.as_second(), 0),
    }
}

/// Converts a point in time for Kubernetes, which writes whole seconds.
///
/// A time outside of jiff's range (years -9999 to 9999) is clamped to that range.
pub fn to_k8s(time: DateTime<Utc>) -> Time {
    let second = time
        .timestamp()
        .clamp(Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
    Time(Timestamp::from_second(second).expect("clamped to the range of the type"))
}

#[cfg(test)]
mod tests {
    // tests may unwrap
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_time_survives_the_way_there_and_back() {
        let time: DateTime<Utc> = "2026-10-13T17:00:05Z".parse().unwrap();
        assert_eq!(from_k8s(&to_k8s(time)), Some(time));
    }

    #[test]
    fn kubernetes_gets_whole_seconds() {
        let time: DateTime<Utc> = "2026-10-13T17:00:05.999Z".parse().unwrap();
        let json = serde_json::to_value(to_k8s(time)).unwrap();
        assert_eq!(json, "2026-10-13T17:00:05Z");
    }

    #[test]
    fn a_time_out_of_range_is_clamped() {
        let json = serde_json::to_value(to_k8s(DateTime::<Utc>::MAX_UTC)).unwrap();
        assert!(json.as_str().unwrap().starts_with("9999-12-30"), "{json}");
    }
}
