//! Faults of what the operator reads: it commands nothing on what it cannot trust.

use super::*;

/// How long the faults stand, in hours: without them the first command goes out after 13.
const OFF: i64 = 24;

/// Plays with a fault, and checks that nothing was sent while it stood.
fn silent(fault: &str) -> Told {
    let told = play(&[fault], OFF);
    let off = EVE.parse::<DateTime<Utc>>().unwrap() + TimeDelta::hours(OFF);
    assert!(told.struck > 0, "{fault} never struck");
    assert!(
        told.posts.iter().all(|own| own.at >= off),
        "{fault}: {:?}",
        told.posts
    );
    assert_eq!(told.posts.len(), 6, "{fault}");
    told
}

/// Plays with a fault that costs time only.
fn harmless(fault: &str, off_after_hours: i64) {
    let told = play(&[fault], off_after_hours);
    assert!(told.struck > 0, "{fault} never struck");
    assert_eq!(told.posts.len(), 6, "{fault}: {:?}", told.posts);
    assert!(!told.has_been("Unknown"), "{fault}");
}

#[test]
fn a_graph_that_lags_half_an_hour_costs_time_only() {
    harmless("graph-lag=30", 200);
}

#[test]
fn rows_that_are_missing_now_and_then_cost_time_only() {
    harmless("missing-rows,probability=0.2", OFF);
}

#[test]
fn an_inventory_that_ends_early_is_none() {
    silent("truncated-page");
}

#[test]
fn nothing_is_sent_into_a_region_that_is_down() {
    silent("region-down,region=westeurope");
}

#[test]
fn an_expired_token_silences_the_operator_and_its_fleet_says_so() {
    let told = silent("token-expired");
    let says = "CredentialsValid TokenNotAccepted";
    assert!(told.complaints.contains(says), "{:?}", told.complaints);
}

#[test]
fn nothing_is_sent_while_azures_clock_and_ours_disagree() {
    let told = silent("skewed-date=600");
    assert!(!told.has_been("Unknown"), "{:?}", told.steps);
}
