//! Windows, policies, requests, and what cannot be read.

use chrono::TimeDelta;
use hotpatch_operator::domain::snapshot::Fault;
use hotpatch_operator::status::{self, RequestJudgement, RequestState};

use super::build::{NOW, at, fault, long_gone, policy, saturday_night};
use super::{assert_in_table, told};

const KSTATUS: [&str; 4] = ["Accepted", "Ready", "Reconciling", "Stalled"];

#[test]
fn a_window_shows_its_present_opening_and_the_next_five() {
    let spec = saturday_night();
    let closed = status::window(None, Some(1), Ok(&spec), at(NOW));
    assert!(!closed.open && closed.open_until.is_none());
    assert_eq!(closed.next.len(), 5);
    assert_eq!(closed.next[0].start, at("2025-07-12T20:00:00Z"));
    assert_eq!(told(&closed.conditions, "Upcoming"), "True/Scheduled");
    assert_in_table("MaintenanceWindow", &closed.conditions);

    let open = status::window(
        Some(&closed),
        Some(1),
        Ok(&spec),
        at("2025-07-12T21:00:00Z"),
    );
    assert!(open.open);
    assert_eq!(open.open_until, Some(at("2025-07-13T00:00:00Z")));
    assert_eq!(open.next[0].start, at("2025-07-19T20:00:00Z"));
}

#[test]
fn a_window_that_never_opens_says_so_and_is_ready() {
    let status = status::window(None, Some(1), Ok(&long_gone()), at(NOW));
    assert_eq!(told(&status.conditions, "Upcoming"), "False/NeverOpens");
    assert_eq!(told(&status.conditions, "Ready"), "True/Working");
    assert!(status.next.is_empty());
}

#[test]
fn the_status_of_a_window_rests_between_openings() {
    let spec = saturday_night();
    for now in [NOW, "2025-07-12T21:00:00Z"] {
        let first = status::window(None, Some(1), Ok(&spec), at(now));
        let later = at(now) + TimeDelta::minutes(10);
        assert_eq!(
            status::window(Some(&first), Some(1), Ok(&spec), later),
            first,
            "{now}"
        );
    }
}

#[test]
fn a_fault_of_a_window_or_policy_stalls_only_where_an_edit_alone_helps() {
    let stalled = "False/NotAccepted False/UpToDate True/InvalidSpec";
    let waiting = "False/NotAccepted True/Waiting False/NotStalled";
    let windows = [
        ("UnknownTimeZone", true, "False/UnknownTimeZone", stalled),
        ("InvalidSchedule", true, "False/InvalidSchedule", stalled),
        ("SomethingNew", true, "False/InvalidSchedule", stalled),
    ];
    for (reason, stalls, accepted, rest) in windows {
        let fault = fault(reason, stalls);
        let status = status::window(None, Some(1), Err(&fault), at(NOW));
        assert_in_table("MaintenanceWindow", &status.conditions);
        let said = KSTATUS.map(|name| told(&status.conditions, name)).join(" ");
        assert_eq!(said, format!("{accepted} {rest}"), "{reason}");
        assert_eq!(told(&status.conditions, "Upcoming"), "Unknown/NotAccepted");
    }
    let policies = [
        ("InvalidSpec", true, "False/InvalidSpec", stalled),
        ("EndpointNotFound", false, "False/EndpointNotFound", waiting),
    ];
    for (reason, stalls, accepted, rest) in policies {
        let fault = fault(reason, stalls);
        let status = status::policy(None, Some(1), Err(&fault), 0, &[], at(NOW));
        assert_in_table("BaselinePolicy", &status.conditions);
        let said = KSTATUS.map(|name| told(&status.conditions, name)).join(" ");
        assert_eq!(said, format!("{accepted} {rest}"), "{reason}");
    }
}

#[test]
fn a_policy_counts_its_fleets_and_names_what_has_no_effect() {
    let policy = policy();
    let fields = ["spec.objectives: not measured yet".to_owned()];
    let status = status::policy(None, Some(3), Ok(&policy), 2, &fields, at(NOW));
    assert_in_table("BaselinePolicy", &status.conditions);
    assert_eq!((status.fleets, status.observed_generation), (2, Some(3)));
    assert_eq!(told(&status.conditions, "Ready"), "True/Working");
    let own = status
        .conditions
        .iter()
        .find(|own| own.type_ == "NotYetSupported")
        .unwrap();
    assert_eq!(
        own.message,
        "Read, but without effect yet: spec.objectives: not measured yet."
    );
    let again = status::policy(Some(&status), Some(3), Ok(&policy), 2, &fields, at(NOW));
    assert_eq!(again, status);
}

#[test]
fn a_request_says_how_it_stands() {
    let message = || "words".to_owned();
    let cases = [
        (
            RequestState::Accepted { note: None },
            "Active True/Accepted False/InEffect",
        ),
        (
            RequestState::Accepted {
                note: Some(message()),
            },
            "Active True/Accepted False/InEffect",
        ),
        (
            RequestState::Pending { message: message() },
            "Pending True/Accepted False/Waiting",
        ),
        (
            RequestState::FleetNotReady { message: message() },
            "Pending Unknown/FleetNotReady False/Waiting",
        ),
        (
            RequestState::Done { message: message() },
            "Complete True/Accepted True/Done",
        ),
        (
            RequestState::Refused {
                reason: "FleetNotFound",
                message: message(),
            },
            "Refused False/FleetNotFound True/Refused",
        ),
        (
            RequestState::Refused {
                reason: "SomethingNew",
                message: message(),
            },
            "Refused False/InvalidSpec True/Refused",
        ),
        (
            RequestState::Expired { at: at(NOW) },
            "Expired False/Expired True/Expired",
        ),
        (
            RequestState::NotYetSupported { message: message() },
            "Refused False/NotYetSupported True/Refused",
        ),
    ];
    for (state, expected) in cases {
        let judgement = RequestJudgement {
            state,
            by: Some("claimed: ann".to_owned()),
        };
        let status = status::request(None, Some(1), &judgement, at(NOW));
        assert_in_table("HotpatchRequest", &status.conditions);
        let accepted = told(&status.conditions, "Accepted");
        let complete = told(&status.conditions, "Complete");
        let state = status.state.clone().unwrap();
        assert_eq!(format!("{state} {accepted} {complete}"), expected);
        assert_eq!(status.by.as_deref(), Some("claimed: ann"));
        let later = at(NOW) + TimeDelta::hours(1);
        assert_eq!(
            status::request(Some(&status), Some(1), &judgement, later),
            status
        );
    }
}

#[test]
fn an_object_that_does_not_parse_stalls_by_the_conditions_its_kind_has() {
    let cases = [
        ("HotpatchFleet", "Accepted Ready Reconciling Stalled"),
        ("MaintenanceWindow", "Accepted Ready Reconciling Stalled"),
        ("BaselinePolicy", "Accepted Ready Reconciling Stalled"),
        ("HotpatchRequest", "Accepted"),
        ("HotpatchRun", "Held"),
        ("HotpatchMachine", ""),
    ];
    for (kind, expected) in cases {
        let told_of = status::unreadable(kind, "spec.mode is 7", Vec::new(), Some(1), at(NOW));
        assert_in_table(kind, &told_of);
        let names: Vec<&str> = told_of.iter().map(|own| own.type_.as_str()).collect();
        assert_eq!(names.join(" "), expected, "{kind}");
        for own in &told_of {
            assert!(own.message.contains("spec.mode is 7"), "{}", own.message);
        }
        let later = at(NOW) + TimeDelta::hours(1);
        let again = status::unreadable(kind, "spec.mode is 7", told_of.clone(), Some(1), later);
        assert_eq!(again, told_of);
    }
}

#[test]
fn conditions_of_others_stay() {
    let spec = saturday_night();
    let mut before = status::window(None, Some(1), Ok(&spec), at(NOW));
    before.conditions[0].type_ = "example.com/Seen".to_owned();
    let theirs = before.conditions[0].clone();
    let fault: Fault = fault("InvalidSchedule", true);
    let after = status::window(Some(&before), Some(2), Err(&fault), at(NOW));
    assert!(after.conditions.contains(&theirs));
}
