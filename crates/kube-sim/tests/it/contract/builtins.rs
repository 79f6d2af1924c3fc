//! Built-in types an operator meets: events, leases, config maps, service accounts.

use serde_json::{Value, json};

use super::answer::Outcome;
use super::cases;
use super::world::World;

cases![
    an_event_has_two_faces,
    a_core_event_is_seen_as_the_new_one,
    an_event_must_be_complete,
    an_events_namespace_is_its_subjects,
    a_new_events_subject_may_be_elsewhere,
    an_event_grows_a_series,
    a_series_must_count_at_least_two,
    an_event_changes_nothing_but_its_series,
    events_select_by_what_they_are_about,
    a_new_event_selects_by_its_subject_too,
    a_lease_is_held_by_compare_and_swap,
    a_lease_must_be_sound,
    a_lease_update_needs_a_version,
    an_immutable_config_map_stays,
    a_config_map_key_must_be_legal,
    a_service_account_is_kept,
];

const EVENTS: &str = "events.k8s.io/v1";

fn event(w: &World, change: Value) -> Value {
    let mut event = json!({
        "metadata": {"name": "e"},
        "eventTime": "2026-02-01T00:00:00.123456Z",
        "reportingController": "x.dev/operator",
        "reportingInstance": "operator-0",
        "action": "Try",
        "reason": "Tried",
        "type": "Normal",
        "note": "done",
        "regarding": {"kind": "ConfigMap", "apiVersion": "v1", "name": "a", "namespace": w.ns},
    });
    for (key, value) in change.as_object().into_iter().flatten() {
        event[key] = value.clone();
    }
    event
}

async fn an_event_has_two_faces(w: World) -> Outcome {
    let made = w.post(w.of(EVENTS, "events"), event(&w, json!({}))).await?;
    made.like(
        201,
        json!({
            "kind": "Event", "apiVersion": EVENTS, "note": "done",
            "eventTime": "2026-02-01T00:00:00.123456Z",
            "deprecatedSource": {}, "deprecatedFirstTimestamp": null,
        }),
    )?;
    let core = w.get(w.core("events/e")).await?;
    core.like(
        200,
        json!({
            "kind": "Event", "apiVersion": "v1", "message": "done",
            "involvedObject": {"name": "a", "namespace": w.ns, "kind": "ConfigMap"},
            "reportingComponent": "x.dev/operator", "reportingInstance": "operator-0",
            "metadata": {"uid": made.meta("uid"), "resourceVersion": made.rv()},
            "source": {}, "firstTimestamp": null, "lastTimestamp": null,
            "note": "<absent>", "regarding": "<absent>",
        }),
    )?;
    Ok(())
}

async fn a_core_event_is_seen_as_the_new_one(w: World) -> Outcome {
    let body = json!({
        "metadata": {"name": "e"}, "reason": "Old", "message": "from before", "type": "Warning",
        "involvedObject": {"kind": "ConfigMap", "name": "a", "namespace": w.ns},
        "source": {"component": "x"}, "count": 3,
        "firstTimestamp": "2026-02-01T00:00:00Z", "lastTimestamp": "2026-02-01T00:01:00Z",
    });
    w.post(w.core("events"), body).await?.code(201)?;
    w.get(w.of(EVENTS, "events/e")).await?.like(
        200,
        json!({
            "note": "from before", "regarding": {"name": "a"}, "deprecatedCount": 3,
            "deprecatedSource": {"component": "x"},
            "deprecatedFirstTimestamp": "2026-02-01T00:00:00Z",
            "deprecatedLastTimestamp": "2026-02-01T00:01:00Z",
            "eventTime": null,
        }),
    )?;
    Ok(())
}

async fn an_event_must_be_complete(w: World) -> Outcome {
    let table = [
        (
            json!({"eventTime": null}),
            "FieldValueRequired",
            "eventTime",
            "Required value",
        ),
        (
            json!({"action": ""}),
            "FieldValueRequired",
            "action",
            "Required value",
        ),
        (
            json!({"reason": ""}),
            "FieldValueRequired",
            "reason",
            "Required value",
        ),
        (
            json!({"reportingInstance": ""}),
            "FieldValueRequired",
            "reportingInstance",
            "Required value",
        ),
        (
            json!({"reason": "r".repeat(129)}),
            "FieldValueInvalid",
            "reason",
            "Invalid value: \"\": can have at most 128 characters",
        ),
        (
            json!({"note": "n".repeat(1025)}),
            "FieldValueInvalid",
            "message",
            "Invalid value: \"\": can have at most 1024 characters",
        ),
        (
            json!({"type": "Odd"}),
            "FieldValueInvalid",
            "type",
            "Invalid value: \"\": has invalid value: Odd",
        ),
    ];
    for (change, reason, field, message) in table {
        let refused = w.post(w.of(EVENTS, "events"), event(&w, change)).await?;
        refused.invalid(("Event", "", "e"), &[(reason, field, message)])?;
    }
    Ok(())
}

async fn an_events_namespace_is_its_subjects(w: World) -> Outcome {
    let body = |namespace: &str| {
        json!({
            "metadata": {"name": "e"}, "reason": "Old", "message": "m", "type": "Normal",
            "involvedObject": {"kind": "ConfigMap", "name": "a", "namespace": namespace},
        })
    };
    for (namespace, shown) in [("other", "\"other\""), ("", "\"\"")] {
        let refused = w.post(w.core("events"), body(namespace)).await?;
        let message = format!("Invalid value: {shown}: does not match event.namespace");
        let cause = (
            "FieldValueInvalid",
            "involvedObject.namespace",
            message.as_str(),
        );
        refused.invalid(("Event", "", "e"), &[cause])?;
    }
    Ok(())
}

async fn a_new_events_subject_may_be_elsewhere(w: World) -> Outcome {
    let about = |namespace: &str| {
        let regarding = json!({"kind": "ConfigMap", "name": "a", "namespace": namespace});
        json!({"regarding": regarding})
    };
    let refused = w.post(w.of(EVENTS, "events"), event(&w, about(""))).await?;
    let message = "Invalid value: \"\": does not match event.namespace";
    let cause = ("FieldValueInvalid", "involvedObject.namespace", message);
    refused.invalid(("Event", "", "e"), &[cause])?;
    let made = w
        .post(w.of(EVENTS, "events"), event(&w, about("other")))
        .await?;
    made.like(201, json!({"regarding": {"namespace": "other"}}))?;
    Ok(())
}

async fn an_event_grows_a_series(w: World) -> Outcome {
    w.post(w.of(EVENTS, "events"), event(&w, json!({})))
        .await?
        .code(201)?;
    let series = json!({"count": 2, "lastObservedTime": "2026-02-01T00:01:00.000001Z"});
    let patched = w
        .merge(w.of(EVENTS, "events/e"), json!({"series": series}))
        .await?;
    patched.like(200, json!({"series": series}))?;
    let series = json!({"count": 3, "lastObservedTime": "2026-02-01T00:02:00.000000Z"});
    w.merge(w.of(EVENTS, "events/e"), json!({"series": series}))
        .await?
        .code(200)?;
    w.get(w.core("events/e"))
        .await?
        .like(200, json!({"series": series}))?;
    Ok(())
}

async fn a_series_must_count_at_least_two(w: World) -> Outcome {
    let series = json!({"count": 1, "lastObservedTime": "2026-02-01T00:01:00.000000Z"});
    let refused = w
        .post(w.of(EVENTS, "events"), event(&w, json!({"series": series})))
        .await?;
    let cause = (
        "FieldValueInvalid",
        "series.count",
        "Invalid value: \"\": should be at least 2",
    );
    refused.invalid(("Event", "", "e"), &[cause])?;
    Ok(())
}

async fn an_event_changes_nothing_but_its_series(w: World) -> Outcome {
    w.post(w.of(EVENTS, "events"), event(&w, json!({})))
        .await?
        .code(201)?;
    let refused = w
        .merge(w.of(EVENTS, "events/e"), json!({"note": "else"}))
        .await?;
    let cause = (
        "FieldValueInvalid",
        "message",
        "Invalid value: \"else\": field is immutable",
    );
    refused.invalid(("Event", "", "e"), &[cause])?;
    Ok(())
}

async fn events_select_by_what_they_are_about(w: World) -> Outcome {
    w.post(w.of(EVENTS, "events"), event(&w, json!({})))
        .await?
        .code(201)?;
    let other = json!({"metadata": {"name": "f"}, "reason": "Else", "type": "Warning"});
    w.post(w.of(EVENTS, "events"), event(&w, other))
        .await?
        .code(201)?;
    let table: [(&str, &[&str]); 4] = [
        ("involvedObject.name%3Da,reason%3DTried", &["e"]),
        ("involvedObject.kind%3DConfigMap", &["e", "f"]),
        ("type!%3DNormal", &["f"]),
        (
            "reportingComponent%3Dx.dev/operator,involvedObject.uid%3D",
            &["e", "f"],
        ),
    ];
    for (selector, names) in table {
        let list = w
            .get(w.core(&format!("events?fieldSelector={selector}")))
            .await?;
        list.lists(names)?;
    }
    Ok(())
}

async fn a_new_event_selects_by_its_subject_too(w: World) -> Outcome {
    w.post(w.of(EVENTS, "events"), event(&w, json!({})))
        .await?
        .code(201)?;
    let path = w.of(
        EVENTS,
        "events?fieldSelector=regarding.name%3Da,reason%3DTried",
    );
    w.get(path).await?.lists(&["e"])?;
    let path = w.of(EVENTS, "events?fieldSelector=reportingController%3Dother");
    w.get(path).await?.lists(&[])?;
    Ok(())
}

async fn a_lease_is_held_by_compare_and_swap(w: World) -> Outcome {
    let path = w.of("coordination.k8s.io/v1", "leases");
    let lease = |holder: &str, rv: &str| {
        json!({
            "metadata": {"name": "l", "resourceVersion": rv},
            "spec": {
                "holderIdentity": holder, "leaseDurationSeconds": 15, "leaseTransitions": 1,
                "acquireTime": "2026-02-01T00:00:00.000000Z",
                "renewTime": "2026-02-01T00:00:00.654321Z",
            },
        })
    };
    let made = w.post(&path, lease("a", "")).await?;
    made.like(
        201,
        json!({"spec": {
            "holderIdentity": "a", "renewTime": "2026-02-01T00:00:00.654321Z",
        }}),
    )?;
    let path = format!("{path}/l");
    w.put(&path, lease("b", &made.rv())).await?.code(200)?;
    let refused = w.put(&path, lease("c", &made.rv())).await?;
    let message = "Operation cannot be fulfilled on leases.coordination.k8s.io \"l\": the object \
                   has been modified; please apply your changes to the latest version and try \
                   again";
    let details = json!({"name": "l", "group": "coordination.k8s.io", "kind": "leases"});
    refused.refused(409, "Conflict", message, details)?;
    Ok(())
}

async fn a_lease_must_be_sound(w: World) -> Outcome {
    let path = w.of("coordination.k8s.io/v1", "leases");
    let spec = json!({"leaseDurationSeconds": 0, "leaseTransitions": -1});
    let refused = w
        .post(path, json!({"metadata": {"name": "l"}, "spec": spec}))
        .await?;
    refused.invalid(
        ("Lease", "coordination.k8s.io", "l"),
        &[
            (
                "FieldValueInvalid",
                "spec.leaseDurationSeconds",
                "Invalid value: 0: must be greater than 0",
            ),
            (
                "FieldValueInvalid",
                "spec.leaseTransitions",
                "Invalid value: -1: must be greater than or equal to 0",
            ),
        ],
    )?;
    Ok(())
}

async fn a_lease_update_needs_a_version(w: World) -> Outcome {
    let path = w.of("coordination.k8s.io/v1", "leases");
    w.post(&path, json!({"metadata": {"name": "l"}, "spec": {}}))
        .await?
        .code(201)?;
    let refused = w
        .put(
            format!("{path}/l"),
            json!({"metadata": {"name": "l"}, "spec": {}}),
        )
        .await?;
    let message = "Invalid value: 0: must be specified for an update";
    refused.invalid(
        ("leases", "coordination.k8s.io", "l"),
        &[("FieldValueInvalid", "metadata.resourceVersion", message)],
    )?;
    Ok(())
}

async fn an_immutable_config_map_stays(w: World) -> Outcome {
    let body = json!({"metadata": {"name": "a"}, "data": {"v": "1"}, "immutable": true});
    w.post(w.core("configmaps"), body).await?.code(201)?;
    let refused = w.merge(w.map("a"), json!({"data": {"v": "2"}})).await?;
    let message = "Forbidden: field is immutable when `immutable` is set";
    let cause = ("FieldValueForbidden", "data", message);
    refused.invalid(("ConfigMap", "", "a"), &[cause])?;
    let refused = w.merge(w.map("a"), json!({"immutable": false})).await?;
    let cause = ("FieldValueForbidden", "immutable", message);
    refused.invalid(("ConfigMap", "", "a"), &[cause])?;
    w.merge(w.map("a"), json!({"metadata": {"labels": {"x": "y"}}}))
        .await?
        .code(200)?;
    Ok(())
}

async fn a_config_map_key_must_be_legal(w: World) -> Outcome {
    let body = json!({"metadata": {"name": "a"}, "data": {"no/slash": "1"}});
    let refused = w.post(w.core("configmaps"), body).await?;
    let message = "Invalid value: \"no/slash\": a valid config key must consist of alphanumeric \
                   characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', \
                   regex used for validation is '[-._a-zA-Z0-9]+')";
    refused.invalid(
        ("ConfigMap", "", "a"),
        &[("FieldValueInvalid", "data[no/slash]", message)],
    )?;
    Ok(())
}

async fn a_service_account_is_kept(w: World) -> Outcome {
    let body = json!({
        "metadata": {"name": "s", "annotations": {"identity.example.com/client-id": "c"}},
        "automountServiceAccountToken": false,
    });
    let made = w.post(w.core("serviceaccounts"), body).await?;
    made.like(
        201,
        json!({
            "kind": "ServiceAccount", "automountServiceAccountToken": false,
            "metadata": {"annotations": {"identity.example.com/client-id": "c"}},
        }),
    )?;
    Ok(())
}
