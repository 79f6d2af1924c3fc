use hotpatch_operator::domain::fleet::{Fleet, Word};
use hotpatch_operator::domain::machine::MachineId;
use hotpatch_operator::validate::{RequestJudgement, Ruling, fleets, requests};
use serde_json::json;

use super::{Namespace, at, unreadable};
use crate::api::yaml;

const NOW: &str = "2026-10-14T12:00:00Z";
const W1: &str =
    "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/W1";

/// A namespace with one request, given as the fields of its spec.
fn asked(spec: &str) -> Namespace {
    let mut namespace = Namespace::good();
    let mut request = json!({
        "apiVersion": "hotpatch.dev/v1alpha1",
        "kind": "HotpatchRequest",
        "metadata": {
            "name": "ask",
            "namespace": "shop",
            "creationTimestamp": "2026-10-14T11:00:00Z",
        },
        "spec": yaml(spec),
    });
    request["spec"]["fleetRef"] = json!({"name": "web"});
    request["spec"]["requestedBy"] = json!("alice");
    request["spec"]["reason"] = json!("storm");
    namespace.requests.push(request);
    namespace
}

fn fleet(namespace: &Namespace) -> Fleet {
    let mut declared = namespace.declared();
    let named = MachineId::parse(W1).unwrap();
    declared
        .machine_names
        .insert("w1-0a1b2c3d".to_owned(), named);
    fleets(&declared, at(NOW)).remove(0).fleet.unwrap()
}

fn ruling(namespace: &Namespace) -> Ruling {
    let mut declared = namespace.declared();
    let named = MachineId::parse(W1).unwrap();
    declared
        .machine_names
        .insert("w1-0a1b2c3d".to_owned(), named);
    let judged: Vec<RequestJudgement> = requests(&declared, at(NOW));
    assert_eq!(judged.len(), 1);
    judged.into_iter().next().unwrap().ruling
}

const ORIGIN: &str = "HotpatchRequest ask, claimed: alice: storm";

fn word(release: Option<&str>, stage: Option<&str>) -> Word {
    Word {
        release: release.map(|text| text.parse().unwrap()),
        stage: stage.map(str::to_owned),
        origin: ORIGIN.to_owned(),
    }
}

#[test]
fn each_verb_in_force_has_its_effect() {
    let good = fleet(&Namespace::good());
    let accepted = Ruling::Accepted { note: None };

    let namespace = asked("{verb: Pause}");
    assert_eq!(ruling(&namespace), accepted);
    assert_eq!(
        fleet(&namespace),
        Fleet {
            pauses: vec![word(None, None)],
            ..good.clone()
        }
    );

    let namespace = asked("{verb: Pause, release: 2026-10, stage: broad}");
    let pauses = vec![word(Some("2026-10"), Some("broad"))];
    assert_eq!(
        fleet(&namespace),
        Fleet {
            pauses,
            ..good.clone()
        }
    );

    let namespace = asked("{verb: Abort, release: ws2025-2026-10-13}");
    let aborts = vec![word(Some("ws2025-2026-10-13"), None)];
    assert_eq!(
        fleet(&namespace),
        Fleet {
            aborts,
            ..good.clone()
        }
    );

    let namespace = asked("{verb: Approve, release: 2026-10, stage: canary}");
    let mut approvals = good.approvals.clone();
    approvals.push(word(Some("2026-10"), Some("canary")));
    assert_eq!(
        fleet(&namespace),
        Fleet {
            approvals,
            ..good.clone()
        }
    );

    let namespace = asked("{verb: Retry, release: 2026-10, stage: broad}");
    let given = at("2026-10-14T11:00:00Z");
    let stage_retries = vec![(word(Some("2026-10"), Some("broad")), given)];
    assert_eq!(
        fleet(&namespace),
        Fleet {
            stage_retries,
            ..good.clone()
        }
    );

    for machine in [W1, "w1-0a1b2c3d"] {
        let namespace = asked(&format!("{{verb: Retry, machines: [{machine}]}}"));
        assert_eq!(ruling(&namespace), accepted);
        let found = fleet(&namespace);
        assert_eq!(found.retries.len(), 1);
        assert_eq!(found.retries[0].id.name(), "w1");
        assert_eq!(
            (found.retries[0].at, found.retries[0].origin.as_str()),
            (given, ORIGIN)
        );

        let expires = "expiresAt: \"2026-10-15T08:00:00Z\"";
        let namespace = asked(&format!(
            "{{verb: Exclude, machines: [{machine}], {expires}}}"
        ));
        let found = fleet(&namespace);
        let excluded = found.selector.exclude.last().unwrap();
        assert_eq!(
            (excluded.id.name(), excluded.reason.as_str()),
            ("w1", ORIGIN)
        );
        assert_eq!(excluded.through.unwrap().to_string(), "2026-10-15");
    }
}

#[test]
fn an_expired_or_deleted_request_has_no_effect() {
    let good = fleet(&Namespace::good());
    let namespace = asked("{verb: Pause, expiresAt: \"2026-10-14T12:00:00Z\"}");
    assert_eq!(ruling(&namespace), Ruling::Expired { at: at(NOW) });
    assert_eq!(fleet(&namespace), good);
    let namespace = asked("{verb: Pause, expiresAt: \"2026-10-14T12:00:01Z\"}");
    assert_eq!(fleet(&namespace).pauses.len(), 1);
    let mut namespace = asked("{verb: Pause}");
    namespace.requests[0]["metadata"]["deletionTimestamp"] = json!(NOW);
    assert_eq!(fleet(&namespace), good);
    assert_eq!(requests(&namespace.declared(), at(NOW)), []);
}

#[test]
fn what_cannot_be_followed_is_refused_in_words() {
    let cases = [
        (
            "{verb: Approve, release: ws2019-2026-10-13}",
            "ReleaseNotFound",
            "spec.release: \"ws2019-2026-10-13\" names no release; write it like \
             ws2025-2026-10-13 or 2026-10; delete the request and create it anew",
        ),
        (
            "{verb: Approve, release: 2026-10, stage: wide}",
            "StageNotFound",
            "spec.stage: the policy of the fleet has no stage \"wide\"; delete the request and \
             create it anew",
        ),
        (
            "{verb: Approve, release: 2026-10, machines: [w1-0a1b2c3d]}",
            "InvalidSpec",
            "spec.machines: an approval is for a release or stage, not for machines; delete the \
             request and create it anew",
        ),
        (
            "{verb: Approve}",
            "InvalidSpec",
            "spec.release: verb Approve needs one, such as 2026-10; delete the request and create \
             it anew",
        ),
        (
            "{verb: Retry, release: 2026-10}",
            "InvalidSpec",
            "spec: verb Retry needs machines, or the release and stage that were halted; delete \
             the request and create it anew",
        ),
        (
            "{verb: Retry, machines: [web-9]}",
            "MachineNotFound",
            "spec.machines: no machine is known as \"web-9\"; name it by its Azure resource id",
        ),
    ];
    let good = fleet(&Namespace::good());
    for (spec, reason, message) in cases {
        let namespace = asked(spec);
        let expected = Ruling::Refused {
            reason,
            message: message.to_owned(),
        };
        assert_eq!(ruling(&namespace), expected, "{spec}");
        assert_eq!(fleet(&namespace), good, "{spec}");
    }
}

#[test]
fn what_narrows_and_is_not_understood_pauses_the_whole_fleet() {
    for spec in [
        "{verb: Pause, release: ws2019-2026-10-13}",
        "{verb: Abort, release: ws2025-2026-02-30}",
        "{verb: Exclude}",
    ] {
        let namespace = asked(spec);
        let Ruling::Refused { message, .. } = ruling(&namespace) else {
            panic!("{spec}")
        };
        assert!(
            message.contains("the whole fleet is paused"),
            "{spec}: {message}"
        );
        let pauses = fleet(&namespace).pauses;
        assert_eq!(pauses.len(), 1, "{spec}");
        assert!(
            pauses[0].release.is_none() && pauses[0].stage.is_none(),
            "{spec}"
        );
    }
}

#[test]
fn a_stage_that_is_gone_from_the_policy_is_still_paused_in_runs_that_name_it() {
    let namespace = asked("{verb: Pause, stage: wide}");
    let note = "the policy of the fleet has no stage \"wide\" now".to_owned();
    assert_eq!(ruling(&namespace), Ruling::Accepted { note: Some(note) });
    assert_eq!(fleet(&namespace).pauses, [word(None, Some("wide"))]);
}

#[test]
fn a_pause_or_abort_of_machines_leaves_those_out() {
    for verb in ["Pause", "Abort"] {
        let namespace = asked(&format!("{{verb: {verb}, machines: [{W1}]}}"));
        let found = fleet(&namespace);
        assert!(found.pauses.is_empty() && found.aborts.is_empty());
        assert_eq!(found.selector.exclude.last().unwrap().id.name(), "w1");
    }
}

#[test]
fn a_machine_that_is_not_known_is_named_and_the_others_are_served() {
    let namespace = asked(&format!("{{verb: Exclude, machines: [{W1}, web-9]}}"));
    let note = "spec.machines: no machine is known as \"web-9\"; name it by its Azure resource id";
    assert_eq!(
        ruling(&namespace),
        Ruling::Accepted {
            note: Some(note.to_owned())
        }
    );
    assert_eq!(fleet(&namespace).selector.exclude.len(), 2);
}

#[test]
fn verbs_of_later_versions_say_so() {
    for verb in ["AssessNow", "InstallNow", "Rollback"] {
        let namespace = asked(&format!("{{verb: {verb}, machines: [{W1}]}}"));
        let Ruling::NotYetSupported { message } = ruling(&namespace) else {
            panic!("{verb}")
        };
        assert!(message.starts_with(verb), "{message}");
        assert_eq!(fleet(&namespace), fleet(&Namespace::good()));
    }
}

#[test]
fn a_request_for_no_fleet_or_one_at_fault_waits_or_is_refused() {
    let mut namespace = asked("{verb: Pause}");
    namespace.requests[0]["spec"]["fleetRef"]["name"] = json!("shop");
    let says = "spec.fleetRef: there is no HotpatchFleet \"shop\" in this namespace; delete the \
                request and create one that names the right fleet";
    let expected = Ruling::Refused {
        reason: "FleetNotFound",
        message: says.to_owned(),
    };
    assert_eq!(ruling(&namespace), expected);
    let namespace = asked("{verb: Pause}").with("fleet/spec/policyRef/name", "other");
    assert!(matches!(ruling(&namespace), Ruling::FleetNotReady { .. }));
}

#[test]
fn a_request_that_cannot_be_read_is_judged_too() {
    let mut declared = Namespace::good().declared();
    declared.requests = vec![unreadable("stop")];
    let judged = requests(&declared, at(NOW));
    assert_eq!((judged[0].name.as_str(), judged[0].verb), ("stop", None));
    let is_refused = matches!(
        judged[0].ruling,
        Ruling::Refused {
            reason: "Unreadable",
            ..
        }
    );
    assert!(is_refused, "{judged:?}");
}

#[test]
fn a_request_of_another_namespace_has_no_effect() {
    let mut namespace = asked("{verb: Pause}");
    namespace.requests[0]["metadata"]["namespace"] = json!("bank");
    assert_eq!(fleet(&namespace), fleet(&Namespace::good()));
    assert!(matches!(
        ruling(&namespace),
        Ruling::Refused {
            reason: "FleetNotFound",
            ..
        }
    ));
}
