use hotpatch_operator::api::{BaselinePolicy, HotpatchFleet};
use hotpatch_operator::domain::fleet::{Fleet, Mode};
use hotpatch_operator::domain::policy::{Limit, TagRule};
use hotpatch_operator::domain::snapshot::Fault;
use hotpatch_operator::validate::{
    Declared, Found, fleets, policy, unsupported, warnings, window_notes,
};
use serde_json::Value;

use super::{FLEET, Namespace, POLICY, SATURDAY, at, examples, object, unreadable};
use crate::api::{change, yaml};

const NOW: &str = "2026-10-14T12:00:00Z";

fn only(declared: &Declared) -> Result<Fleet, Fault> {
    let views = fleets(declared, at(NOW));
    assert_eq!(views.len(), 1);
    views.into_iter().next().unwrap().fleet
}

fn read<K: serde::de::DeserializeOwned>(value: &Value) -> K {
    serde_json::from_value(value.clone()).unwrap()
}

#[test]
fn a_good_fleet_becomes_what_it_says() {
    let fleet = only(&Namespace::good().declared()).unwrap();
    assert_eq!(fleet.key.to_string(), "shop/web");
    assert_eq!(fleet.created_at, at("2026-01-02T03:04:05Z"));
    assert_eq!((fleet.mode, fleet.suspended), (Mode::Enforce, false));
    assert_eq!(fleet.selector.locations, ["westeurope".to_owned()].into());
    assert_eq!(fleet.selector.resource_groups, ["rg-web".to_owned()].into());
    let rules = [
        TagRule::Equals("app".to_owned(), "web".to_owned()),
        TagRule::Exists("ring".to_owned()),
    ];
    assert_eq!(fleet.selector.tags.0, rules);
    assert_eq!(fleet.selector.exclude[0].id.name(), "w9");
    assert_eq!(
        fleet.selector.exclude[0].through.unwrap().to_string(),
        "2027-01-31"
    );
    let windows: Vec<_> = fleet
        .windows
        .iter()
        .map(|own| (&*own.name, own.stages.len()))
        .collect();
    assert_eq!(windows, [("saturday", 1), ("sunday", 0)]);
    assert_eq!(fleet.policy.stages[0].max_unavailable, Limit::Count(1));
    assert_eq!(fleet.policy.stages[1].max_unavailable.to_string(), "20%");
    assert_eq!(fleet.policy.stages[0].soak.num_hours(), 24);
    let spread = fleet.policy.spread;
    assert!(spread.zone && spread.region && !spread.geo_pair && !spread.cluster && !spread.site);
    assert_eq!(fleet.policy.run_gates[0].announce_before.num_minutes(), 30);
    let stages: Vec<_> = fleet
        .approvals
        .iter()
        .map(|word| word.stage.as_deref())
        .collect();
    assert_eq!(stages, [Some("broad"), None]);
    assert!(fleet.restore_on_release);
}

#[test]
fn the_examples_are_valid_together() {
    let list = |file: &str| examples(file);
    let declared = Declared {
        fleets: list("fleet.yaml").iter().map(object).collect(),
        windows: list("windows.yaml").iter().map(object).collect(),
        policies: list("policy.yaml").iter().map(object).collect(),
        ..Declared::default()
    };
    let fleet = only(&declared).unwrap();
    assert_eq!(fleet.windows.len(), 2);
    assert_eq!(window_notes(&fleet, at(NOW)).message(), None);
}

/// Each case changes a good namespace in one place: where, to what, and the fault it raises.
#[test]
fn what_is_wrong_with_a_fleet_is_named_with_its_cure() {
    let spec = "InvalidSpec";
    let cases: &[(&str, &str, &str, &str, bool)] = &[
        (
            "fleet/spec/policyRef/name",
            "other",
            "PolicyNotFound",
            "spec.policyRef: there is no BaselinePolicy \"other\" in this namespace; create it or \
             name another",
            false,
        ),
        (
            "fleet/spec/windowRefs/1/name",
            "monday",
            "WindowNotFound",
            "spec.windowRefs[monday]: there is no such MaintenanceWindow in this namespace; create \
             it or name another",
            false,
        ),
        (
            "fleet/spec/windowRefs/1/name",
            "saturday",
            spec,
            "spec.windowRefs[saturday]: it is named twice; remove one",
            true,
        ),
        (
            "fleet/spec/windowRefs/0/stages/0",
            "canaries",
            "StageNotFound",
            "spec.windowRefs[saturday].stages: BaselinePolicy \"careful\" has no stage \
             \"canaries\"; correct the name or add the stage",
            false,
        ),
        (
            "fleet/spec/approvals/0/stage",
            "wide",
            "StageNotFound",
            "spec.approvals[2026-10].stage: BaselinePolicy \"careful\" has no stage \"wide\"; \
             correct the name or add the stage",
            false,
        ),
        (
            "fleet/spec/approvals/1/release",
            "ws2019-2026-10-13",
            spec,
            "spec.approvals[ws2019-2026-10-13]: \"ws2019-2026-10-13\" names no release; write it \
             like ws2025-2026-10-13 or 2026-10",
            true,
        ),
        (
            "fleet/spec/approvals/1/release",
            "ws2025-2026-02-30",
            spec,
            "spec.approvals[ws2025-2026-02-30]: \"ws2025-2026-02-30\" names no release; write it \
             like ws2025-2026-10-13 or 2026-10",
            true,
        ),
        (
            "fleet/spec/exclusions/0/through",
            "2027-02-31",
            spec,
            "spec.exclusions[freeze].through: \"2027-02-31\" is no date of the calendar; write it \
             as YYYY-MM-DD",
            true,
        ),
        (
            "fleet/spec/exclusions/0/from",
            "2027-01-05",
            spec,
            "spec.exclusions[freeze]: exclusion \"freeze\" ends on 2027-01-04, before it begins on \
             2027-01-05; set through to the same day as from, or later",
            true,
        ),
        (
            "fleet/spec/selector/exclude/0/resourceId",
            "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/networkInterfaces/n",
            spec,
            "spec.selector.exclude[0].resourceId: machine id \
             \"/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/networkInterfaces/n\" \
             is not the resource id of a virtual machine or Arc machine; copy its id from Azure",
            true,
        ),
        (
            "fleet/spec/selector/exclude/0/through",
            "2026-06-31",
            spec,
            "spec.selector.exclude[0].through: \"2026-06-31\" is no date of the calendar; write it \
             as YYYY-MM-DD",
            true,
        ),
        (
            "fleet/spec/selector/kinds",
            "[]",
            spec,
            "spec.selector.kinds: it is empty; name at least one of AzureVM, ArcServer and \
             AzureLocalVM",
            true,
        ),
        (
            "fleet/spec/selector/locations/0",
            "\"--\"",
            spec,
            "spec.selector.locations: \"--\" is no name of a region; write it like westeurope",
            true,
        ),
        (
            "fleet/spec/selector/tags/matchLabels",
            "{app: web, App: shop}",
            spec,
            "spec.selector.tags.matchLabels: \"app\" asks for two values of one tag, as names of \
             tags compare without regard to case; remove one",
            true,
        ),
        (
            "fleet/spec/selector/tags/matchExpressions/0",
            "{key: ring, operator: In}",
            spec,
            "spec.selector.tags.matchExpressions[0].values: operator In needs at least one value",
            true,
        ),
        (
            "fleet/spec/selector/tags/matchExpressions/0",
            "{key: ring, operator: Exists, values: [a]}",
            spec,
            "spec.selector.tags.matchExpressions[0].values: operator Exists takes no values",
            true,
        ),
        (
            "fleet/spec/scope",
            "{}",
            spec,
            "spec.scope: it is empty; name at least one subscription or management group",
            true,
        ),
        (
            "fleet/spec/scope/subscriptions/0",
            "production",
            spec,
            "spec.scope.subscriptions: \"production\" is no subscription id; write the GUID",
            true,
        ),
        (
            "fleet/spec/serviceAccountName",
            "\"\"",
            spec,
            "spec.serviceAccountName: it is empty; name a ServiceAccount of this namespace",
            true,
        ),
        (
            "policy/spec/stages/0/soak",
            "1d12",
            "PolicyInvalid",
            "spec.policyRef: BaselinePolicy \"careful\" is invalid: spec.stages[canary].soak: \
             duration \"1d12\" lacks a unit at \"\"; units are d, h, m, s, ms, us, ns",
            false,
        ),
        (
            "window/spec/timeZone",
            "Europe/Berlim",
            "WindowInvalid",
            "spec.windowRefs[saturday]: it is invalid: spec.timeZone: time zone \"Europe/Berlim\" \
             is in no tz database; did you mean Europe/Berlin?",
            false,
        ),
    ];
    for (at, now, reason, message, stalls) in cases {
        let fault = only(&Namespace::good().with(at, now).declared()).unwrap_err();
        let expected = Fault {
            reason,
            message: (*message).to_owned(),
            stalls: *stalls,
        };
        assert_eq!(fault, expected, "{at} = {now}");
    }
}

#[test]
fn what_is_wrong_with_a_policy_is_named_with_its_cure() {
    let cure = "write a whole number from 0, or a percentage from \"1%\" to \"100%\"";
    let cases: &[(&str, &str, String)] = &[
        (
            "stages",
            "[]",
            "spec.stages: there is none; add one, such as {name: all, maxUnavailable: 1}".into(),
        ),
        (
            "stages/1/name",
            "canary",
            "spec.stages[canary]: two stages have this name; rename one of them".into(),
        ),
        (
            "stages/1/name",
            "Broad",
            "spec.stages: \"Broad\" is no stage name; use lower case letters, digits and '-'"
                .into(),
        ),
        (
            "stages/1/minSucceeded",
            "0",
            "spec.stages[broad].minSucceeded: 0 proves nothing; set it to 1 or more, or optional: \
             true"
                .into(),
        ),
        (
            "stages/1/maxUnavailable",
            "0%",
            "spec.stages[broad].maxUnavailable: \"0%\" is refused; write 0 where you mean nothing"
                .into(),
        ),
        (
            "stages/1/maxUnavailable",
            "-1",
            format!("spec.stages[broad].maxUnavailable: -1 is below 0; {cure}"),
        ),
        (
            "availability/groups/0/maxUnavailable",
            "half",
            format!("spec.availability.groups[App].maxUnavailable: \"half\" is no limit; {cure}"),
        ),
        (
            "availability/groups",
            "[{tag: App, maxUnavailable: 1}, {tag: app, maxUnavailable: 2}]",
            "spec.availability.groups[app]: two groups have this tag, as names of tags compare \
             without regard to case; remove one"
                .into(),
        ),
        (
            "health",
            "{settle: 2h, unknownAfter: 120m}",
            "spec.health.unknownAfter: 120m must be longer than settle, 2h, or every machine is \
             held before it is judged"
                .into(),
        ),
        (
            "runGates/0/conditionType",
            "Claimed",
            "spec.runGates[Claimed]: the operator sets this condition itself; name one that \
             another controller sets, such as example.com/Drained"
                .into(),
        ),
        (
            "runGates/0/announceBefore",
            "soon",
            "spec.runGates[example.com/Drained].announceBefore: duration \"soon\" lacks a number \
             at \"soon\"; write it like 1h30m"
                .into(),
        ),
        (
            "failures",
            "{max: 100, retries: 6}",
            "spec.failures.retries: 6 is more than 5; set it to 0 (never try again) to 5".into(),
        ),
        (
            "failures",
            "{max: 0%}",
            "spec.failures.max: \"0%\" is refused; write 0 where you mean nothing".into(),
        ),
        (
            "deadlineDays",
            "91",
            "spec.deadlineDays: 91 is not from 1 to 90 days".into(),
        ),
        (
            "estimates",
            "{baseline: 500ms}",
            "spec.estimates.baseline: \"500ms\" is finer than a second; write whole seconds".into(),
        ),
    ];
    for (at, now, message) in cases {
        let bad = change(&yaml(POLICY), &format!("/spec/{at}"), now);
        let fault = policy(&read::<BaselinePolicy>(&bad)).unwrap_err();
        let expected = Fault {
            reason: "InvalidSpec",
            message: message.clone(),
            stalls: true,
        };
        assert_eq!(fault, expected, "{at} = {now}");
    }
}

#[test]
fn all_faults_are_told_at_once_and_those_of_the_fleet_itself_first() {
    let namespace = Namespace::good()
        .with("fleet/spec/policyRef/name", "other")
        .with("fleet/spec/exclusions/0/from", "tomorrow");
    let fault = only(&namespace.declared()).unwrap_err();
    assert_eq!((fault.reason, fault.stalls), ("InvalidSpec", true));
    let parts: Vec<&str> = fault.message.split("; spec.").collect();
    assert!(
        parts[0].starts_with("spec.exclusions[freeze].from"),
        "{parts:?}"
    );
    assert!(parts[1].starts_with("policyRef"), "{parts:?}");
}

#[test]
fn a_fleet_sees_no_object_of_another_namespace() {
    let mut declared = Namespace::good().declared();
    let elsewhere = change(&yaml(POLICY), "/metadata/namespace", "bank");
    declared.policies = vec![object(&elsewhere)];
    let fault = only(&declared).unwrap_err();
    assert_eq!(fault.reason, "PolicyNotFound");
    assert!(!fault.message.contains("bank"));
}

#[test]
fn an_unreadable_object_is_a_fault_of_those_who_need_it() {
    let mut declared = Namespace::good().declared();
    declared.policies = vec![unreadable("careful")];
    declared.windows[0] = unreadable("saturday");
    let fault = only(&declared).unwrap_err();
    assert_eq!((fault.reason, fault.stalls), ("PolicyInvalid", false));
    let says = "spec.policyRef: BaselinePolicy \"careful\" cannot be read: spec.mode: no such \
                word; correct it and apply it again; spec.windowRefs[saturday]: it cannot be read: \
                spec.mode: no such word; correct it and apply it again";
    assert_eq!(fault.message, says);
    declared.fleets = vec![unreadable("web")];
    let fault = only(&declared).unwrap_err();
    assert_eq!((fault.reason, fault.stalls), ("Unreadable", true));
}

#[test]
fn fleets_come_oldest_first_then_by_name_and_without_those_being_deleted() {
    let named = |name: &str, created: &str| {
        let fleet = change(&yaml(FLEET), "/metadata/name", name);
        change(&fleet, "/metadata/creationTimestamp", created)
    };
    let mut going = named("going", "2025-01-01T00:00:00Z");
    going["metadata"]["deletionTimestamp"] = NOW.into();
    let mut declared = Namespace::good().declared();
    declared.fleets = [
        named("young", "2026-03-01T00:00:00Z"),
        named("b", "2026-02-01T00:00:00Z"),
        going,
        named("a", "2026-02-01T00:00:00Z"),
    ]
    .iter()
    .map(object)
    .collect();
    let views = fleets(&declared, at(NOW));
    let names: Vec<&str> = views.iter().map(|view| view.key.name.as_str()).collect();
    assert_eq!(names, ["a", "b", "young"]);
}

#[test]
fn an_unknown_region_is_a_warning_and_no_fault() {
    let namespace = Namespace::good().with("fleet/spec/selector/locations/0", "Westeurop");
    assert!(only(&namespace.declared()).is_ok());
    let told = warnings(&read::<HotpatchFleet>(&namespace.fleet));
    let says = "spec.selector.locations: \"Westeurop\" is no region that is known here (read as \
                westeurop); no machine matches it if it is a mistake";
    assert_eq!(
        told.iter().map(ToString::to_string).collect::<Vec<_>>(),
        [says]
    );
    assert_eq!(warnings(&read(&yaml(FLEET))), []);
}

#[test]
fn windows_that_never_open_are_told_and_no_fault() {
    let past = "{once: {date: 2020-01-01}}";
    let namespace = Namespace::good().with("window/spec/schedule", past);
    let fleet = only(&namespace.declared()).unwrap();
    let notes = window_notes(&fleet, at(NOW));
    assert!(!notes.none_opens);
    let says = "no opening within 400 days: window saturday";
    assert_eq!(notes.message().as_deref(), Some(says));
    let namespace = Namespace::good()
        .with("window/spec/schedule", past)
        .with("fleet/spec/windowRefs", "[{name: saturday}]");
    let notes = window_notes(&only(&namespace.declared()).unwrap(), at(NOW));
    assert!(notes.none_opens);
    let says = "no opening within 400 days: window saturday; nothing is ever rebooted";
    assert_eq!(notes.message().as_deref(), Some(says));
    let namespace = Namespace::good().with("fleet/spec/windowRefs", "[]");
    let notes = window_notes(&only(&namespace.declared()).unwrap(), at(NOW));
    let says = "the fleet has no window: nothing is ever rebooted";
    assert_eq!(notes.message().as_deref(), Some(says));
}

#[test]
fn the_exclusions_of_the_fleet_can_shut_a_window_for_good() {
    let freeze = "[{name: freeze, from: 2026-01-01, through: 2030-01-01}]";
    let namespace = Namespace::good().with("fleet/spec/exclusions", freeze);
    let fleet = only(&namespace.declared()).unwrap();
    assert!(window_notes(&fleet, at(NOW)).none_opens);
}

#[test]
fn fields_without_effect_are_named_once_they_ask_for_something() {
    let fields = |fleet: &Value, policy: &Value| -> Vec<&'static str> {
        let (fleet, policy) = (read(fleet), read(policy));
        let list = unsupported(Some(&fleet), Some(&policy));
        list.into_iter()
            .map(|own| own.field.strip_prefix("spec.").unwrap())
            .collect()
    };
    let (fleet, plain) = (yaml(FLEET), yaml(POLICY));
    assert_eq!(fields(&fleet, &plain), ["onRelease"]);
    let leave = change(&fleet, "/spec/onRelease", "Leave");
    assert_eq!(fields(&leave, &plain), Vec::<&str>::new());
    let cases = [
        (
            "health",
            "{resourceHealth: Ignore}",
            "health.resourceHealth",
        ),
        (
            "health",
            "{prometheus: [{name: a, query: up, max: \"1\"}]}",
            "health.prometheus",
        ),
        (
            "unplannedBaselines",
            "{ignoreExclusions: true}",
            "unplannedBaselines.ignoreExclusions",
        ),
        ("otherUpdates", "{}", "otherUpdates.dotnet"),
        (
            "otherUpdates",
            "{dotnet: Leave, drivers: NextWindow}",
            "otherUpdates.drivers",
        ),
        (
            "otherUpdates",
            "{dotnet: Leave, sql: WithBaseline}",
            "otherUpdates.sql",
        ),
        (
            "otherUpdates",
            "{dotnet: Leave, nonSecurity: NextWindow}",
            "otherUpdates.nonSecurity",
        ),
        ("objectives", "[{percent: 95, within: 7d}]", "objectives"),
    ];
    for (at, now, field) in cases {
        let policy = change(&plain, &format!("/spec/{at}"), now);
        assert_eq!(fields(&leave, &policy), [field], "{at} = {now}");
    }
}

#[test]
fn a_request_that_cannot_be_read_pauses_every_fleet_of_the_namespace() {
    let mut declared = Namespace::good().declared();
    declared.requests = vec![unreadable("stop")];
    let fleet = only(&declared).unwrap();
    assert_eq!(fleet.pauses.len(), 1);
    assert!(fleet.pauses[0].release.is_none() && fleet.pauses[0].stage.is_none());
}

#[test]
fn an_object_of_a_file_needs_no_uid_or_time() {
    let strip = |value: &Value, keep: &str| {
        let mut value = value.clone();
        value["metadata"] = serde_json::json!({ "name": keep });
        value
    };
    let sunday = strip(&yaml(SATURDAY), "sunday");
    let declared = Declared {
        fleets: vec![object(&strip(&yaml(FLEET), "web"))],
        policies: vec![object(&strip(&yaml(POLICY), "careful"))],
        windows: vec![object(&strip(&yaml(SATURDAY), "saturday")), object(&sunday)],
        ..Declared::default()
    };
    assert!(only(&declared).is_ok());
    assert!(matches!(&declared.fleets[0], Found::Object(fleet) if fleet.metadata.uid.is_none()));
}
